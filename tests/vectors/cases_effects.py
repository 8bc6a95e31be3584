"""What becomes of a request and its response."""

from cases import HALF, SECRET, bucket, case, chance, find, policy, random_numbers, served, split, sticky_value, user, variant, vector
from golden import bucket_of

CANARY = find(lambda key: variant("checkout", key, HALF) == "canary")
STABLE = find(lambda key: variant("checkout", key, HALF) == "stable")
ON_CANARY, ON_STABLE = "checkout=canary split", "checkout=stable split"


def acting(**actions):
    """A split whose canary does something."""
    one = split()
    one["variants"][1].update(actions)
    return one


def header(name, value):
    return {"name": name, "value": value}


def request_headers():
    edits = {"remove": ["x-old", "x-both"], "set": [header("X-Stage", "canary"), header("x-both", "new")], "add": [header("x-tag", "b"), header("x-tag", "c")]}
    return vector(
        "70-request-headers",
        "a variant edits the request: remove, set, add",
        policy(acting(request_headers=edits)),
        case("of its users", user(CANARY, x_old="1", x_stage=["a", "b"], x_tag="a", x_both="old", x_other="1"),
             served(ON_CANARY, x_old=None, x_stage="canary", x_tag=["a", "b", "c"], x_both="new", x_other="1")),
        case("that has none of them", user(CANARY), served(ON_CANARY, x_stage="canary", x_tag=["b", "c"], x_both="new")),
        case("not of others", user(STABLE, x_old="1", x_tag="a"), served(ON_STABLE, x_old="1", x_tag="a", x_stage=None)),
    )  # fmt: skip


def response_headers():
    edits = {"set": [header("x-served-by", "canary")], "add": [header("x-note", "one"), header("x-note", "two")], "remove": ["x-powered-by"]}
    answer = {"x-powered-by": "php", "x-served-by": "app", "x-note": "zero"}
    return vector(
        "71-response-headers",
        "a variant edits the response: remove, set, add",
        policy(acting(response_headers=edits)),
        case("an empty response", user(CANARY), served(ON_CANARY), response={"x-served-by": "canary", "x-note": ["one", "two"]}),
        case("a response with such headers", user(CANARY), served(ON_CANARY), answer=answer,
             response={"x-served-by": "canary", "x-note": ["zero", "one", "two"], "x-powered-by": None}),
        case("not to others", user(STABLE), served(ON_STABLE), answer=answer,
             response={"x-served-by": "app", "x-note": "zero", "x-powered-by": "php"}),
    )  # fmt: skip


def respond():
    one = split(weights={"open": 50, "closed": 50})
    one["variants"][1] = {"name": "closed", "weight": 50, "respond": {"status": 503, "body": "back soon"},
                          "response_headers": {"set": [header("retry-after", "120")]}}  # fmt: skip
    weights = {"open": 50, "closed": 50}
    closed = find(lambda key: variant("checkout", key, weights) == "closed")
    free = find(lambda key: variant("checkout", key, weights) == "open")
    reply = {"status": 503, "body": "back soon"}
    silent = {"decisions": ["checkout=closed split"], "upstream": {}}
    return vector(
        "72-respond",
        "the proxy itself answers: maintenance, or nothing at all",
        policy(one),
        case("its users", user(closed), silent, reply=reply, response={"retry-after": "120"}),
        case("others are served", user(free), served("checkout=open split"), response={"retry-after": None}),
    )


def blackhole():
    one = split("login", {"off": 100})
    one["match"] = [{"path": {"prefix": "/login"}, "headers": [{"name": "user-agent", "contains": "evil"}]}]
    one["variants"][0] = {"name": "off", "weight": 100, "respond": {"status": 204}}
    del one["key"]
    one["assignment"] = "random"
    return vector(
        "73-blackhole",
        "an emergency: what matches is answered with nothing, without any key",
        policy(one),
        case("the attack", {":path": "/login", "user-agent": "evil/1"}, {"decisions": ["login=off random"], "upstream": {}}, reply={"status": 204, "body": ""}),
        case("everybody else", {":path": "/login", "user-agent": "kind/1"}, served()),
    )


def rewrite():
    return vector(
        "74-rewrite",
        "a variant rewrites host and path prefix, on segment borders",
        policy(acting(rewrite={"host": "v2.internal:8080", "path_prefix": {"from": "/api", "to": "/v2/api"}})),
        *[
            case(about, {**user(CANARY), ":path": path}, served(ON_CANARY, **{":path": wanted, ":authority": "v2.internal:8080"}))
            for about, path, wanted in [
                ("below the prefix", "/api/cart?x=/api", "/v2/api/cart?x=/api"),
                ("the prefix itself", "/api?y", "/v2/api?y"),
                ("what only looks alike", "/apis", "/apis"),
                ("another path", "/web/api", "/web/api"),
            ]
        ],
        case("not of others", {**user(STABLE), ":path": "/api/cart"}, served(ON_STABLE, **{":path": "/api/cart", ":authority": "vector.test"})),
    )


def fallback():
    return vector(
        "83-fallback",
        "whoever serves a dead variant's requests, the filter names the variant and its own cluster",
        policy(acting(fallback="baseline")),
        case("of its users", user(CANARY), served(ON_CANARY)),
        case("of others", user(STABLE), served(ON_STABLE)),
    )


def tags_only():
    one = split("flag", {"off": 50, "on": 50})
    for v in one["variants"]:
        del v["cluster"]

    def outcome(key):
        tag = "flag=" + variant("flag", key, {"off": 50, "on": 50})
        return {"decisions": [tag + " split"], "upstream": {"x-split-cluster": None, "x-split-variant": tag}}

    return vector(
        "75-tags-only",
        "variants without a cluster only tell the application",
        policy(one),
        *[case("user %d" % n, user("user-%d" % n), outcome("user-%d" % n)) for n in range(4)],
    )


# Mirrors ------------------------------------------------------------------------------------------------------


def always(name, **actions):
    """A split of one variant that does something, and names no cluster unless it is told to."""
    one = split(name, {"on": 100})
    del one["variants"][0]["cluster"]
    one["variants"][0].update(actions)
    return one


def first_split_wins():
    def edits(*, set=(), add=(), remove=()):
        given = {"set": [header(*pair) for pair in set], "add": [header(*pair) for pair in add], "remove": list(remove)}
        return {name: value for name, value in given.items() if value}

    def rewrite(host=None, to=None, start="/shop"):
        given = {"host": host, "path_prefix": to and {"from": start, "to": to}}
        return {name: value for name, value in given.items() if value}

    first = always(
        "first",
        request_headers=edits(set=[("x-set", "first")], add=[("x-add", "first"), ("x-grown", "first")], remove=["x-gone"]),
        response_headers=edits(set=[("x-served-by", "first")], add=[("x-note", "first")], remove=["x-powered-by"]),
        rewrite=rewrite(to="/cart", start="/elsewhere"),
    )
    second = always(
        "second",
        cluster="second-on",
        request_headers=edits(set=[("x-set", "second"), ("x-gone", "second"), ("x-grown", "second")], add=[("x-add", "second")], remove=["x-own"]),
        response_headers=edits(set=[("x-served-by", "second"), ("x-powered-by", "second")], add=[("x-note", "second")]),
        rewrite=rewrite("second.internal", "/second"),
    )
    second["mirror"] = {"cluster": "shadow-2", "percent": 100}
    third = always(
        "third",
        cluster="third-on",
        request_headers=edits(add=[("x-set", "third"), ("x-gone", "third"), ("x-add", "third")], remove=["x-grown"], set=[("x-own", "third"), ("x-late", "third")]),
        response_headers=edits(remove=["x-note", "x-served-by"], set=[("x-late", "third")]),
        rewrite=rewrite("third.internal", "/third"),
    )
    third["mirror"] = {"cluster": "shadow-3", "percent": 100}
    later = [{"headers": [{"name": "x-only-third", "present": False}]}]
    first["match"] = second["match"] = later
    tags = ["first=on split", "second=on split", "third=on split"]
    return vector(
        "76-first-split-wins",
        "several splits act on one request: for each header, part of the rewrite, cluster and mirror the first decides; lines that are added pile up",
        policy(first, second, third),
        case("all three", {**user("ada", x_gone="1", x_set="client", x_own="1", x_add="client", x_grown="client"), ":path": "/shop/1"},
             {"decisions": tags, "upstream": {
                 "x-set": "first", "x-gone": None, "x-add": ["client", "first", "second", "third"], "x-grown": ["client", "first"],
                 "x-own": None, "x-late": "third", ":path": "/second/1", ":authority": "second.internal",
                 "x-split-cluster": "second-on", "x-split-mirror": "shadow-2", "x-split-variant": "first=on, second=on, third=on"}},
             answer={"x-powered-by": "php", "x-note": "app"},
             response={"x-served-by": "first", "x-note": ["app", "first", "second"], "x-powered-by": None, "x-late": "third"}),
        case("where the others do not apply, the last has its way", {**user("ada", x_gone="1", x_grown="1", x_only_third="1"), ":path": "/shop/1"},
             {"decisions": tags[2:], "upstream": {
                 "x-set": "third", "x-gone": ["1", "third"], "x-grown": None, "x-own": "third", ":path": "/third/1", ":authority": "third.internal",
                 "x-split-cluster": "third-on", "x-split-mirror": "shadow-3"}},
             answer={"x-note": "app"}, response={"x-note": None, "x-served-by": None, "x-late": "third"}),
    )  # fmt: skip


def first_answer_wins():
    def answering(name, status):
        return always(name, respond={"status": status, "body": name}, response_headers={"set": [header("x-said-by", name)]})

    tags = ["flag=on split", "early=on split", "late=on split"]
    return vector(
        "77-first-answer-wins",
        "several splits would answer: the first in the list does",
        policy(always("flag", cluster="flag-on"), answering("early", 503), answering("late", 404)),
        case("although another names a cluster", user("ada"), {"decisions": tags, "upstream": {}},
             reply={"status": 503, "body": "early"}, response={"x-said-by": "early"}),
    )  # fmt: skip


def mirror_user():
    mirrored = {"mirror": {"cluster": "shadow", "percent": 12.5}}
    held = find(lambda key: bucket("holdout", key) < 1000 and bucket("checkout/mirror", key) < 1250)

    def outcome(key):
        copied = bucket("checkout/mirror", key) < 1250
        return served("checkout=%s split" % variant("checkout", key, HALF), x_split_mirror="shadow" if copied else None)

    def one(key):
        return case("bucket %d" % bucket("checkout/mirror", key), user(key), outcome(key))

    free = [key for key in ("user-%d" % n for n in range(200)) if bucket("holdout", key) >= 1000]
    edges = [find(lambda key: bucket("checkout/mirror", key) == n and bucket("holdout", key) >= 1000) for n in (1249, 1250)]
    return vector(
        "80-mirror-by-user",
        "copies of a share of users' requests, the same users always; the original is as it was",
        policy(split(**mirrored), holdout={"percent": 10}),
        *[one(key) for key in free[:14] + edges],
        case("users held out are not copied", user(held), served("checkout=stable holdout", x_split_mirror=None)),
        case("a client cannot ask for a copy", {"x-split-mirror": "shadow"}, served("checkout=stable no_key", x_split_mirror=None)),
    )


def mirror_request():
    def one(n):
        random = random_numbers(n)
        copied = bucket_of(chance(random[1], "checkout")) < 5000
        outcome = served(ON_CANARY, x_split_mirror="shadow" if copied else None)
        return case("request %d" % n, user(CANARY), outcome, random=["%016x" % number for number in random])

    return vector(
        "81-mirror-by-request",
        "copies of a share of requests, by chance",
        policy(split(mirror={"cluster": "shadow", "percent": 50, "by": "request"})),
        *[one(n) for n in range(40, 48)],
    )


def mirror_all():
    return vector(
        "82-mirror-all",
        "every request is copied, whoever sends it, to a header of another name",
        policy(split(mirror={"cluster": "shadow", "percent": 100, "by": "request"}), mirror_header="x-copy-to"),
        case("a canary", user(CANARY), served(ON_CANARY, x_copy_to="shadow")),
        case("nobody known", {}, served("checkout=stable no_key", x_copy_to="shadow")),
    )


# Caches and call chains ---------------------------------------------------------------------------------------


def vary():
    apart = [{"path": {"prefix": "/shop"}}]
    return vector(
        "90-vary",
        "caches are told what the decision reads, wherever a split can apply",
        policy(split(match=apart), vary=True, variant_header="x-variant"),
        *[
            case("%s of a split" % name, {**user(key), ":path": "/shop"},
                 {"decisions": ["checkout=%s split" % name], "upstream": {"x-variant": "checkout=" + name}}, response={"vary": "x-user-id", "cache-control": None})
            for name, key in (("the canary", CANARY), ("the stable one", STABLE))
            for name in [name.split()[1]]
        ],
        case("the upstream's own stays", {**user(CANARY), ":path": "/shop"}, {"decisions": [ON_CANARY], "upstream": {}},
             answer={"vary": "accept-encoding"}, response={"vary": ["accept-encoding", "x-user-id"]}),
        case("the baseline without a key too", {":path": "/shop"}, {"decisions": ["checkout=stable no_key"], "upstream": {}}, response={"vary": "x-user-id"}),
        case("where no split can apply nothing varies", user(CANARY), {"decisions": [], "upstream": {}}, response={"vary": None}),
    )  # fmt: skip


def vary_of_conditions():
    beta = [{"path": {"prefix": "/shop"}, "headers": [{"name": "x-beta", "present": True}]}]
    named = {"vary": "cookie, x-beta, x-force, x-secret, x-user-id", "cache-control": None}
    forced = {"header": "x-force", "secret": {"header": "x-secret", "value": "0123456789abcdef"}}
    silver = [{"match": [{"cookies": [{"name": "tier", "exact": "silver"}]}], "variant": "stable"}]
    shop = {":path": "/shop"}
    return vector(
        "78-vary-of-conditions",
        "caches are told of every header that can change the answer, also for a request that no split applies to",
        policy(split(match=beta, overrides=silver), vary=True, force=forced),
        case("a split applies", {**user(CANARY), **shop, "x-beta": "1"}, served(ON_CANARY), response=named),
        case("none does, and with the header it would", {**user(CANARY), **shop}, {"decisions": [], "upstream": {}}, response=named),
        case("no split is on this path", {**user(CANARY), ":path": "/"}, {"decisions": [], "upstream": {}}, response={"vary": None, "cache-control": None}),
    )  # fmt: skip


def filter_state():
    return vector(
        "75-filter-state",
        "the variants in the filter state change nothing else",
        policy(split(), filter_state=True),
        case("a canary", user(CANARY), served(ON_CANARY)),
        case("a stable one", user(STABLE), served("checkout=stable split")),
    )


def evidence():
    several = policy(
        split(overrides=[{"match": [{"headers": [{"name": "x-canary", "exact": "true"}]}], "variant": "canary"}]),
        split("banner", match=[{"path": {"prefix": "/"}, "headers": [{"name": "x-banner", "present": True}]}]),
        holdout={"percent": 20}, filter_state="evidence",
    )
    held = find(lambda key: bucket("holdout", key) < 2000)
    free = find(lambda key: bucket("holdout", key) >= 2000 and variant("checkout", key, HALF) == "canary" and bucket("checkout", key) < 1000)
    number = lambda name, key: f"bucket={bucket(name, key)}"
    return vector(
        "79-evidence",
        "the filter state says why a variant was served, and the number of the user, never the key",
        several,
        case("by weight", user(free), served(ON_CANARY), evidence=f"checkout=canary;reason=split;{number('checkout', free)}"),
        case("two splits", user(free, x_banner="1"),
             {"decisions": [ON_CANARY, f"banner={variant('banner', free, HALF)} split"], "upstream": {}},
             evidence=f"checkout=canary;reason=split;{number('checkout', free)}, banner={variant('banner', free, HALF)};reason=split;{number('banner', free)}"),
        case("held out", user(held), served("checkout=stable holdout"), evidence=f"checkout=stable;reason=holdout;{number('checkout', held)}"),
        case("forced, and the user is known all the same", user(free, x_canary="true"), served("checkout=canary override"),
             evidence=f"checkout=canary;reason=override;{number('checkout', free)}"),
        case("forced, and nobody knows whom", {"x-canary": "true"}, served("checkout=canary override"), evidence="checkout=canary;reason=override"),
        case("no key", {}, served("checkout=stable no_key"), evidence="checkout=stable;reason=no_key"),
    )  # fmt: skip


def evidence_of_killed():
    return vector(
        "79-evidence-killed",
        "who is served the baseline of a killed policy is told from those whom the weights gave it; a new visitor has no number",
        policy(split(key=[{"cookie": "uid"}, {"generate": {"cookie": "uid"}}]), kill=True, filter_state="evidence"),
        case("a user", {"cookie": f"uid={CANARY}"}, {"decisions": ["checkout=stable killed"], "upstream": {}},
             evidence=f"checkout=stable;reason=killed;bucket={bucket('checkout', CANARY)}"),
        case("a new visitor, who gets no cookie for it", {}, {"decisions": ["checkout=stable killed"], "upstream": {}},
             response={"set-cookie": None}, evidence="checkout=stable;reason=killed"),
    )  # fmt: skip


def outcomes():
    return vector(
        "87-outcomes-off",
        "who counts how requests end changes nothing else",
        policy(split(), outcomes="off"),
        case("a canary", user(CANARY), served(ON_CANARY)),
        case("a stable one", user(STABLE), served("checkout=stable split")),
    )


def vary_private():
    keys = [{"cookie": "uid"}, {"generate": {"cookie": "uid"}}]
    return vector(
        "79-vary-private",
        "an answer that belongs to one visitor is no shared cache's",
        policy(split(key=keys), vary=True),
        case("a visitor who is known", {"cookie": "uid=" + CANARY}, served(ON_CANARY), response={"vary": "cookie", "cache-control": "private", "set-cookie": None}),
        case("what the upstream says of private caches stays", {"cookie": "uid=" + CANARY}, served(ON_CANARY),
             answer={"cache-control": "max-age=60"}, response={"cache-control": ["max-age=60", "private"]}),
    )  # fmt: skip


def response_variant_header():
    apart = [{"path": {"prefix": "/shop"}}]
    both = ["checkout=canary split", "search=%s split" % variant("search", CANARY, HALF)]
    tags = ", ".join(one.split()[0] for one in both)
    return vector(
        "91-response-variant-header",
        "the client is told its variants",
        policy(split(match=apart), split("search", match=apart), response_variant_header="x-variant"),
        case("of all splits", {**user(CANARY), ":path": "/shop"}, served(*both), response={"x-variant": tags}),
        case("the upstream cannot say otherwise", {**user(CANARY), ":path": "/shop"}, served(*both),
             answer={"x-variant": ["a=b", "c=d"]}, response={"x-variant": tags}),
        case("nor where no split applies", user(CANARY), served(), answer={"x-variant": "a=b"}, response={"x-variant": None}),
        case("where no split applies there is none", user(CANARY), served(), response={"x-variant": None}),
    )  # fmt: skip


def baggage():
    apart = [{"path": {"prefix": "/shop"}}]
    long = "k=" + "v" * 8180

    def one(about, sent, wanted):
        request = {**user(CANARY), ":path": "/shop"}
        if sent:
            request["baggage"] = sent
        return case(about, request, served(ON_CANARY, baggage=wanted))

    return vector(
        "92-baggage",
        "variants go on in the W3C baggage: ours replaced, others kept, within its limits",
        policy(split(match=apart), baggage=True),
        one("none yet", None, "split.checkout=canary"),
        one("others stay", "userId=alice,serverNode=DF%2028;p=1", "userId=alice,serverNode=DF%2028;p=1,split.checkout=canary"),
        one("several lines are one list", ["a=1", "b=2"], "a=1,b=2,split.checkout=canary"),
        one("ours is replaced", "a=1,split.checkout=stable;x=1,split.check=2", "a=1,split.check=2,split.checkout=canary"),
        one("too long already", long, long),
        one("too many already", ",".join("m%d=1" % n for n in range(64)), ",".join("m%d=1" % n for n in range(64))),
        case("where no split applies it stays as it is", {**user(CANARY), "baggage": "split.checkout=x , a=1"},
             served(baggage="split.checkout=x , a=1")),
    )  # fmt: skip


def kill():
    one = acting(respond={"status": 503, "body": "off"})
    del one["variants"][1]["cluster"]
    one.update(
        match=[{"path": {"prefix": "/shop"}}],
        overrides=[{"match": [{"headers": [{"name": "x-force", "present": True}]}], "variant": "canary"}],
        sticky={"secret": SECRET},
        mirror={"cluster": "shadow", "percent": 100},
    )
    killed = served("checkout=stable killed", x_split_mirror=None)
    shop = {":path": "/shop"}
    held = find(lambda key: bucket("holdout", key) < 5000)
    return vector(
        "93-kill-everything",
        "a killed policy serves the baseline, whatever else it says",
        policy(one, kill=True, holdout={"percent": 50}, force={"secret": {"header": "x-proof", "value": SECRET}}),
        case("by weight", {**user(CANARY), **shop}, killed, response={"set-cookie": None}),
        case("override", {**user(CANARY, x_force="1"), **shop}, killed),
        case("forced", {**user(STABLE, x_split_force="checkout=canary", x_proof=SECRET), **shop}, killed),
        case("sticky", {**user(STABLE, cookie="split-checkout=" + sticky_value("checkout", "canary")), **shop}, killed),
        case("holdout", {**user(held), **shop}, killed),
        case("no key", shop, killed),
        case("what does not match goes the route's own way", user(CANARY), served(x_split_mirror=None)),
    )


def vectors():
    return [
        request_headers(), response_headers(), respond(), blackhole(), rewrite(), fallback(), tags_only(), first_split_wins(), first_answer_wins(),
        mirror_user(), mirror_request(), mirror_all(), vary(), vary_of_conditions(), vary_private(), filter_state(), evidence(), evidence_of_killed(), outcomes(), response_variant_header(), baggage(), kill(),
    ]  # fmt: skip
