"""What decides before the weights: overrides, layers, holdout, requirements, sticky cookies; and chance."""

from cases import (
    HALF, KEY, SECRET, bucket, case, find, generated_id, policy, random_numbers, served, split, sticky_value, user,
    variant, variant_by_chance, vector,
)  # fmt: skip

CANARY = find(lambda key: variant("checkout", key, HALF) == "canary")
STABLE = find(lambda key: variant("checkout", key, HALF) == "stable")


def skipping():
    overrides = [
        {"match": [{"headers": [{"name": "x-bot", "present": True}]}], "skip": True},
        {"match": [{"cookies": [{"name": "beta", "exact": "on"}]}, {"query": [{"name": "beta", "present": True}]}], "variant": "canary"},
        {"match": [{"headers": [{"name": "x-tier", "exact": "premium"}]}], "variant": "stable"},
    ]
    return vector(
        "30-override-skip",
        "overrides: full matches, to a variant or past the split",
        policy(split(overrides=overrides), split("search")),
        case("past the split, and the next one decides", user(CANARY, x_bot="1"),
             served("search=%s split" % variant("search", CANARY, HALF))),
        case("a cookie forces", user(STABLE, cookie="a=1; beta=on"),
             served("checkout=canary override", "search=%s split" % variant("search", STABLE, HALF))),
        case("a query parameter forces", {**user(STABLE), ":path": "/?beta"},
             served("checkout=canary override", "search=%s split" % variant("search", STABLE, HALF))),
        case("the first that holds wins", user(CANARY, cookie="beta=on", x_tier="premium"),
             served("checkout=canary override", "search=%s split" % variant("search", CANARY, HALF))),
        case("none holds", user(CANARY, cookie="beta=off"),
             served("checkout=canary split", "search=%s split" % variant("search", CANARY, HALF))),
    )  # fmt: skip


def forcing(name, about, secret, carry):
    """`carry` makes the headers of a request that shows this secret."""
    wanted = {"x-split-force": "checkout=canary"}
    free = "checkout=stable split"
    gone = {"x_split_force": None}
    return vector(
        name,
        about,
        policy(split(), split("search"), force={"secret": {**secret, "value": SECRET}}),
        *[
            case(about, {**user(STABLE), **request}, served(decision, "search=%s split" % variant("search", STABLE, HALF), **gone), **more)
            for about, request, decision, more in [
                ("who knows the secret forces", {**wanted, **carry(SECRET)}, "checkout=canary override", {}),
                ("blanks around members do not count", {"x-split-force": " other=x , checkout=canary", **carry(SECRET)}, "checkout=canary override", {}),
                ("a variant that is not there forces nothing", {"x-split-force": "checkout=nightly", **carry(SECRET)}, free, {}),
                ("the secret alone forces nothing", carry(SECRET), free, {}),
                ("a wrong secret", {**wanted, **carry(SECRET[:-1] + "e")}, free, {"refused": True}),
                ("a part of the secret", {**wanted, **carry(SECRET[:-1])}, free, {"refused": True}),
                ("no secret", wanted, free, {"refused": True}),
            ]
        ],
    )


def forced_both():
    other = "canary" if variant("search", STABLE, HALF) == "stable" else "stable"
    return vector(
        "33-force-several",
        "a secret forces several splits at once, past overrides and without a key",
        policy(
            split(overrides=[{"match": [{"path": {"prefix": "/"}}], "variant": "stable"}]),
            split("search"),
            force={"header": "x-want", "secret": {"header": "x-proof", "value": SECRET}},
        ),
        case("both", user(STABLE, x_want="checkout=canary, search=" + other, x_proof=SECRET),
             served("checkout=canary override", "search=%s override" % other, x_want=None, x_proof=None)),
        case("without a key", {"x-want": "search=canary", "x-proof": SECRET},
             served("checkout=stable override", "search=canary override", x_want=None, x_proof=None)),
    )  # fmt: skip


# Layers -------------------------------------------------------------------------------------------------------


def in_slice(salt, low, high):
    return find(lambda key: low * 100 <= bucket(salt, key) < high * 100)


def layers():
    def sliced(name, low, high, **more):
        return split(name, layer="ui", slice={"from": low, "to": high}, **more)

    def outcome(key, *names):
        return served(*["%s=%s split" % (name, variant(name, key, HALF)) for name in names])

    def one(about, key, *names):
        return case("%s: bucket %d" % (about, bucket("ui-2026", key)), user(key), outcome(key, *names))

    low, middle, high = in_slice("ui-2026", 0, 20), in_slice("ui-2026", 20, 50.5), in_slice("ui-2026", 50.5, 100)
    edge = find(lambda key: bucket("ui-2026", key) == 2000)
    below = find(lambda key: bucket("ui-2026", key) == 1999)
    after = find(lambda key: bucket("ui-2026", key) == 5050)
    layers = [{"name": "ui", "salt": "ui-2026"}, {"name": "api"}]
    return vector(
        "40-layers-slices",
        "splits of a layer exclude each other by slices; other splits apply all the same",
        policy(sliced("menu", 0, 20), sliced("banner", 20, 50.5), split("engine", layer="api"), split("free"), layers=layers),
        one("in the first slice", low, "menu", "engine", "free"),
        one("in the second slice", middle, "banner", "engine", "free"),
        one("in no slice", high, "engine", "free"),
        one("the last of the first slice", below, "menu", "engine", "free"),
        one("the first of the second slice", edge, "banner", "engine", "free"),
        one("the first after all slices", after, "engine", "free"),
        case("without a key in no slice", {}, served("engine=stable no_key", "free=stable no_key")),
    )


def layer_order():
    only_beta = [{"headers": [{"name": "x-beta", "present": True}]}]
    salt = "first-fits"
    low, high = in_slice(salt, 0, 30), in_slice(salt, 30, 100)

    def outcome(key, name):
        return served("%s=%s split" % (name, variant(name, key, HALF)))

    return vector(
        "41-layer-order",
        "the first split of a layer that matches and whose slice holds the user wins; 10 % are inside 30 %",
        policy(
            split("beta", match=only_beta, layer="l"),
            split("narrow", layer="l", slice={"from": 0, "to": 30}),
            split("rest", layer="l"),
            layers=[{"name": "l", "salt": salt}],
        ),
        case("the first matches", user(low, x_beta="1"), outcome(low, "beta")),
        case("it does not match: the slice", user(low), outcome(low, "narrow")),
        case("nor does the slice hold the user", user(high), outcome(high, "rest")),
        case("without a key", {}, served("rest=stable no_key")),
    )


def holdout():
    salt = "holdout-2026"
    held = [n for n in ("user-%d" % n for n in range(400)) if bucket(salt, n) < 1050][:3]
    free = [n for n in ("user-%d" % n for n in range(400)) if bucket(salt, n) >= 1050][:3]
    override = [{"match": [{"headers": [{"name": "x-force", "present": True}]}], "variant": "canary"}]
    edge = [find(lambda key: bucket(salt, key) == 1049), find(lambda key: bucket(salt, key) == 1050)]

    def all_split(key):
        return served(*["%s=%s split" % (name, variant(name, key, HALF)) for name in ("checkout", "search")])

    exposed_none = served("checkout=stable holdout", "search=stable holdout")
    return vector(
        "42-holdout",
        "users held out get the baseline of every split; the share is nested and has a salt of its own",
        policy(split(overrides=override), split("search"), holdout={"percent": 10.5, "salt": salt}),
        *[case("held out: bucket %d" % bucket(salt, key), user(key), exposed_none) for key in held],
        *[case("not held out: bucket %d" % bucket(salt, key), user(key), all_split(key)) for key in free],
        case("the last one held out", user(edge[0]), exposed_none),
        case("the first one free", user(edge[1]), all_split(edge[1])),
        case("an override is stronger", user(held[0], x_force="1"), served("checkout=canary override", "search=stable holdout")),
        case("nobody is known, nobody is held out", {}, served("checkout=stable no_key", "search=stable no_key")),
    )


def requires():
    both = policy(
        split(),
        split("search", requires=[{"split": "checkout", "variant": "canary"}]),
        split("ads", requires=[{"split": "checkout", "variant": "canary"}, {"split": "search", "variant": "canary"}]),
    )

    def outcome(key):
        decided = {"checkout": variant("checkout", key, HALF)}
        if decided["checkout"] == "canary":
            decided["search"] = variant("search", key, HALF)
            if decided["search"] == "canary":
                decided["ads"] = variant("ads", key, HALF)
        return served(*["%s=%s split" % pair for pair in decided.items()])

    return vector(
        "43-requires",
        "a split applies only to users who have the variants of earlier splits that it requires",
        both,
        *[case("user %d" % n, user("user-%d" % n), outcome("user-%d" % n)) for n in range(12)],
    )


# Sticky -------------------------------------------------------------------------------------------------------


def cookie_of(split, name, epoch=0, ttl=2592000):
    return "split-%s=%s; Path=/; Max-Age=%d; Secure; HttpOnly; SameSite=Lax" % (split, sticky_value(split, name, epoch=epoch), ttl)


def sticky():
    weights = {"stable": 90, "canary": 10}
    key = find(lambda key: variant("checkout", key, weights) == "stable")
    own = cookie_of("checkout", "stable", 7, 3600)

    def holder(about, cookie, decision, set_cookie):
        request = user(key, cookie=cookie)
        return case(about, request, served(decision), response={"set-cookie": set_cookie})

    def value(name, **more):
        return "split-checkout=" + sticky_value("checkout", name, **{"epoch": 7, **more})

    split_decides, cookie_decides = "checkout=stable split", "checkout=canary sticky"
    good = value("canary")
    return vector(
        "50-sticky",
        "a cookie keeps a user's first variant; nobody can make one",
        policy(split(weights=weights, sticky={"secret": SECRET, "epoch": 7, "ttl": "1h"})),
        case("a new user gets a cookie, on the baseline too", user(key), served(split_decides), response={"set-cookie": own}),
        holder("a good cookie keeps its variant, and no new one is set", good, cookie_decides, None),
        holder("among others, on two lines", ["a=1; b=2", "c=3; " + good], cookie_decides, None),
        holder("after a bad one of the same name", "split-checkout=x; " + good, cookie_decides, None),
        holder("forged: a MAC of zeros", "split-checkout=v1.7.canary." + "0" * 32, split_decides, own),
        holder("forged: one digit is wrong", good[:-1] + ("0" if good[-1] != "0" else "1"), split_decides, own),
        holder("forged: the MAC of the other variant", good.replace("canary", "stable"), split_decides, own),
        holder("outdated: another epoch", value("canary", epoch=6), split_decides, own),
        holder("another secret", value("canary", secret=SECRET[::-1]), split_decides, own),
        holder("of another split", "split-checkout=" + sticky_value("search", "canary", epoch=7), split_decides, own),
        holder("of a variant that is gone", value("nightly"), split_decides, own),
        holder("garbage", "split-checkout=", split_decides, own),
        case("without a key it still counts", {"cookie": good}, served(cookie_decides), response={"set-cookie": None}),
        case("without a key nothing is kept", {}, served("checkout=stable no_key"), response={"set-cookie": None}),
        case("the upstream's own cookies stay", user(key), served(split_decides), answer={"set-cookie": ["session=1", "a=b"]},
             response={"set-cookie": ["session=1", "a=b", own]}),
    )  # fmt: skip


def sticky_off():
    weights = {"stable": 100, "canary": 0}
    own = cookie_of("checkout", "stable")

    def held(name):
        return user("user-1", cookie="split-checkout=" + sticky_value("checkout", name))

    return vector(
        "51-sticky-weight-zero",
        "a weight of 0 is off at once, for holders too",
        policy(split(weights=weights, sticky={"secret": SECRET})),
        case("a holder of what is off", held("canary"), served("checkout=stable split"), response={"set-cookie": own}),
        case("a holder of what is on", held("stable"), served("checkout=stable sticky"), response={"set-cookie": None}),
    )


def sticky_failed():
    own = cookie_of("checkout", "canary")

    def answered(about, status, set_cookie):
        return case(about, user(CANARY), served("checkout=canary split"), answer={":status": status}, response={"set-cookie": set_cookie})

    return vector(
        "53-sticky-failed-answer",
        "a variant that did not answer, or failed, holds nobody",
        policy(split(sticky={"secret": SECRET})),
        answered("an answer", "200", own),
        answered("a redirect is one", "302", own),
        answered("one that is missing too", "404", own),
        answered("no answer came, and the proxy says so", "503", None),
        answered("none came in time", "504", None),
        answered("the variant failed", "500", None),
    )  # fmt: skip


def drain():
    weights = {"stable": 50, "canary": 50}
    draining = split(weights=weights, sticky={"secret": SECRET, "cookie": "held"})
    draining["variants"][1]["drain"] = True
    own = cookie_of("checkout", "stable").replace("split-checkout", "held", 1)
    held = {"cookie": "held=" + sticky_value("checkout", "canary")}
    return vector(
        "52-drain",
        "a draining variant keeps its holders and admits nobody new",
        policy(draining),
        case("who would be a canary by weight is not", user(CANARY), served("checkout=stable split"), response={"set-cookie": own}),
        case("a holder stays", {**user(STABLE), **held}, served("checkout=canary sticky"), response={"set-cookie": None}),
        case("the holder of a forged cookie does not", user(CANARY, cookie="held=v1.0.canary." + "1" * 32),
             served("checkout=stable split"), response={"set-cookie": own}),
    )  # fmt: skip


# Chance -------------------------------------------------------------------------------------------------------


def hexadecimal(random):
    return ["%016x" % number for number in random]


def generate():
    key = [{"cookie": "uid"}, {"generate": {"cookie": "uid", "domain": "example.com", "same_site": "none", "partitioned": True}}]
    splits = [split(key=key), split("search", key=key)]
    attributes = "; Path=/; Max-Age=31536000; Domain=example.com; Secure; HttpOnly; SameSite=None; Partitioned"

    def new(n):
        random = random_numbers(n)
        uid = generated_id("uid", random)
        outcome = served(*["%s=%s split" % (name, variant(name, uid, HALF)) for name in ("checkout", "search")])
        set_cookie = "uid=" + uid + attributes
        return [
            case("visitor %d, first page: the new id decides, and one cookie keeps it" % n, {}, outcome,
                 random=hexadecimal(random), response={"set-cookie": set_cookie}),
            case("visitor %d, second page: the same" % n, {"cookie": "uid=" + uid}, outcome, response={"set-cookie": None}),
        ]  # fmt: skip

    return vector(
        "24-key-generate",
        "how users are known: a new visitor gets a random id, which decides at once",
        policy(*splits),
        *[one for n in range(1, 5) for one in new(n)],
    )


def checks_and_bots():
    key = [{"cookie": "uid"}, {"generate": {"cookie": "uid"}}]
    overrides = [
        {"match": [{"headers": [{"name": "x-probe-variant", "exact": "canary"}]}], "variant": "canary"},
        {"match": [{"path": {"exact": "/healthz"}}, {"headers": [{"name": "user-agent", "prefix": "kube-probe/"}]}], "skip": True},
        {"match": [{"headers": [{"name": "user-agent", "contains": "bot", "ignore_case": True}]}], "variant": "stable"},
    ]
    random = random_numbers(1)
    uid = generated_id("uid", random)
    no_cookie = {"response": {"set-cookie": None}}
    set_cookie = "uid=" + uid + "; Path=/; Max-Age=31536000; Secure; HttpOnly; SameSite=Lax"
    return vector(
        "34-health-checks-and-bots",
        "overrides for who has no key and keeps no cookie: no new user, no cookie, no draw",
        policy(split(key=key, overrides=overrides)),
        case("a check, by its path", {":path": "/healthz"}, served(), **no_cookie),
        case("a check, by its name", {"user-agent": "kube-probe/1.33"}, served(), **no_cookie),
        case("a check of one variant", {"user-agent": "kube-probe/1.33", "x-probe-variant": "canary"}, served("checkout=canary override"), **no_cookie),
        case("a bot", {"user-agent": "Mozilla/5.0 (compatible; ExampleBot/2.1)"}, served("checkout=stable override"), **no_cookie),
        case("a visitor", {"user-agent": "Mozilla/5.0"}, served("checkout=%s split" % variant("checkout", uid, HALF)),
             random=hexadecimal(random), response={"set-cookie": set_cookie}),
    )  # fmt: skip


def assignment_random():
    splits = [split(assignment="random"), split("search", assignment="random")]
    for one in splits:
        del one["key"]

    def outcome(random):
        return served(*["%s=%s random" % (name, variant_by_chance(name, random, HALF)) for name in ("checkout", "search")])

    return vector(
        "25-assignment-random",
        "chance decides each request anew, in each split on its own, whoever sends it",
        policy(*splits),
        *[case("request %d" % n, {}, outcome(random_numbers(n)), random=hexadecimal(random_numbers(n))) for n in range(1, 9)],
        *[case("the same user, request %d" % n, user("ada"), outcome(random_numbers(n)), random=hexadecimal(random_numbers(n)))
          for n in range(9, 13)],
    )  # fmt: skip


def missing_key_random():
    return vector(
        "26-missing-key-random",
        "without a key: chance, by weight",
        policy(split(weights={"stable": 70, "canary": 30}, on_missing_key="random")),
        *[
            case("request %d" % n, {}, served("checkout=%s random" % variant_by_chance("checkout", random_numbers(n), {"stable": 70, "canary": 30})),
                 random=hexadecimal(random_numbers(n)))
            for n in range(20, 28)
        ],
        case("with a key the weights decide by it", user("ada"), served("checkout=%s split" % variant("checkout", "ada", {"stable": 70, "canary": 30}))),
    )  # fmt: skip


def cookie_attributes():
    attributes = {"domain": "vector.test", "secure": True, "http_only": False, "same_site": "strict", "partitioned": True}
    written = "; Path=/; Max-Age=%d; Domain=vector.test; Secure; SameSite=Strict; Partitioned"
    key = [{"cookie": "uid"}, {"generate": {"cookie": "uid", "ttl": "90d", **attributes}}]
    random = random_numbers(1)
    uid = generated_id("uid", random)
    served_variant = variant("checkout", uid, HALF)
    kept = "held=" + sticky_value("checkout", served_variant) + written % 7200
    plain = {"ttl": "1d", "secure": False, "same_site": "lax"}
    key_of = [{"header": "x-user-id"}, {"cookie": "sid"}, {"generate": {"cookie": "sid", **plain}}]
    sid = generated_id("sid", random)
    other = split("search", key=key_of, sticky={"secret": SECRET, "cookie": "also-held", **plain})
    named = variant("search", "ada", HALF)
    without = "; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax"

    def also(name):
        return "also-held=" + sticky_value("search", name) + without

    drawn = variant("search", sid, HALF)
    return [
        vector(
            "27-cookie-attributes",
            "the cookies of a new visitor, with every attribute",
            policy(split(key=key, sticky={"secret": SECRET, "cookie": "held", "ttl": "2h", **attributes})),
            case("both", {}, served("checkout=%s split" % served_variant), random=hexadecimal(random),
                 response={"set-cookie": ["uid=" + uid + written % 7776000, kept]}),
        ),
        vector(
            "28-cookie-without-tls",
            "cookies for a site without TLS",
            policy(other),
            case("of a user", user("ada"), served("search=%s split" % named), response={"set-cookie": also(named)}),
            case("of a new visitor", {}, served("search=%s split" % drawn), random=hexadecimal(random),
                 response={"set-cookie": ["sid=" + sid + without, also(drawn)]}),
        ),
    ]  # fmt: skip


def assignment_random_with_key():
    random = random_numbers(3)
    drawn = variant_by_chance("checkout", random, HALF)
    key = find(lambda key: variant("checkout", key, HALF) != drawn)
    return vector(
        "29-assignment-random-with-key",
        "chance decides although there is a key, which holdouts and mirrors go by",
        policy(split(assignment="random")),
        case("a user whom the hash would give the other", user(key), served("checkout=%s random" % drawn), random=hexadecimal(random)),
    )


def vectors():
    assert KEY == [{"header": "x-user-id"}]
    return [
        generate(), assignment_random(), missing_key_random(), *cookie_attributes(), assignment_random_with_key(),
        skipping(),
        forcing("31-force-by-header", "forcing from outside, the secret in a header", {"header": "x-split-secret"},
                lambda secret: {"x-split-secret": secret}),
        forcing("32-force-by-cookie", "forcing from outside, the secret in a cookie", {"cookie": "split-secret"},
                lambda secret: {"cookie": "a=1; split-secret=" + secret}),
        forced_both(), checks_and_bots(), layers(), layer_order(), holdout(), requires(), sticky(), sticky_off(), sticky_failed(), drain(),
    ]  # fmt: skip
