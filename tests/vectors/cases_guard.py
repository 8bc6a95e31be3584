"""Variants that are out of service: what that means for their users, and when a guard takes one out."""

import golden
import guard as judgement
from cases import SECRET, bucket, case, cluster, find, policy, race, random_numbers, served, split, sticky_value, user
from cases import chance, variant, vector

THREE = {"stable": 50, "canary": 30, "next": 20}
GUARD = {"errors": {}}


def without(weights, *out):
    return {name: 0 if name in out else weight for name, weight in weights.items()}


def users_of(salt, weights):
    """A user of each variant."""
    return {name: find(lambda key: variant(salt, key, weights) == name) for name in weights}


def tripped():
    of = users_of("checkout", THREE)
    out = ["checkout/canary"]
    # Of those whose variant is out some get each of the others, as if its weight were 0.
    to = {
        name: find(lambda key: variant("checkout", key, THREE) == "canary"
                   and variant("checkout", key, without(THREE, "canary")) == name)
        for name in ("stable", "next")
    }  # fmt: skip

    def out_of_service(about, request, decision, out=out, **more):
        return case(about, request, served(decision), tripped=out, **more)

    override = {"match": [{"headers": [{"name": "x-canary", "exact": "on"}]}], "variant": "canary"}
    secret = {"x-split-secret": SECRET, "x-split-force": "checkout=canary"}
    return vector(
        "54-guard-tripped",
        "a variant that its guard took out of service has no users; the others keep theirs",
        policy(
            split(weights=THREE, guard=GUARD, overrides=[override]),
            force={"secret": {"header": "x-split-secret", "value": SECRET}},
        ),
        case("nothing is out", user(of["canary"]), served("checkout=canary split")),
        out_of_service("its users are given another, some the baseline", user(to["stable"]), "checkout=stable tripped"),
        out_of_service("and some another challenger", user(to["next"]), "checkout=next tripped"),
        out_of_service("a user of the baseline stays", user(of["stable"]), "checkout=stable split"),
        out_of_service("a user of another challenger stays", user(of["next"]), "checkout=next split"),
        out_of_service("all challengers are out", user(of["next"]), "checkout=stable tripped", out + ["checkout/next"]),
        out_of_service("the baseline never is", user(of["stable"]), "checkout=stable split", ["checkout/stable"]),
        case("an override gives it", user(of["stable"], x_canary="on"), served("checkout=canary override")),
        out_of_service("an override does not give what is out", user(of["stable"], x_canary="on"), "checkout=stable tripped"),
        out_of_service("nor without a key", {"x-canary": "on"}, "checkout=stable tripped"),
        out_of_service("who knows the secret may look", {**user(of["next"]), **secret}, "checkout=canary override"),
        out_of_service("who does not may not", {**user(of["next"]), "x-split-force": "checkout=canary"},
                       "checkout=next split", refused=True),
        out_of_service("without a key the baseline serves as ever", {}, "checkout=stable no_key"),
    )  # fmt: skip


def tripped_sticky():
    of = users_of("checkout", THREE)
    out = ["checkout/canary"]
    held = lambda name: {"cookie": "split-checkout=" + sticky_value("checkout", name)}
    none = {"set-cookie": None}
    start = "2026-11-20T12:00:00Z"
    steps = [{"after": "0s", "weights": {"stable": 0, "canary": 100, "next": 0}}]
    return vector(
        "54-guard-tripped-sticky",
        "a user whose variant is out keeps the cookie, and comes back to it",
        policy(
            split(weights=THREE, guard=GUARD, sticky={"secret": SECRET}),
            split("ramped", weights=THREE, guard=GUARD, ramp={"start": start, "steps": steps}),
            holdout={"percent": 10},
        ),
        *[
            case(about, request, served(decision, ramped), tripped=out + more, response=none)
            for about, request, decision, ramped, more in (
                ("a holder of what is out", {**user(not_held(of["stable"])), **held("canary")}, "checkout=stable tripped",
                 "ramped=stable split", []),
                ("a holder of another", {**user(not_held(of["next"])), **held("stable")}, "checkout=stable sticky",
                 "ramped=%s split" % variant("ramped", not_held(of["next"]), THREE), []),
                ("who would be new to it is given no cookie for another", user(to_stable()), "checkout=stable tripped",
                 "ramped=stable split", []),
            )
        ],
        case("a holder without a key", held("canary"), served("checkout=stable tripped", "ramped=stable no_key"),
             tripped=out, response=none),
        case("whoever is held out is exposed to nothing", {**user(held_out()), **held("canary")},
             served("checkout=stable holdout", "ramped=stable holdout"), tripped=out, response=none),
        case("a ramp to what is out", {**user(to_stable()), **held("next")},
             served("checkout=next sticky", "ramped=stable tripped"), tripped=["ramped/canary"], now=start, response=none),
    )  # fmt: skip


def is_held_out(key):
    return bucket("holdout", key) < 1000


def held_out():
    return find(is_held_out)


def not_held(key):
    """Another user of the same variant who is not held out, and whom both splits give what they give here."""
    wanted = variant("checkout", key, THREE)
    return find(lambda k: variant("checkout", k, THREE) == wanted and variant("ramped", k, THREE) == "stable" and not is_held_out(k))


def to_stable():
    return find(
        lambda k: variant("checkout", k, THREE) == "canary"
        and variant("checkout", k, without(THREE, "canary")) == "stable"
        and variant("ramped", k, THREE) == "stable"
        and not is_held_out(k)
    )


def tripped_by_chance():
    weights = {"stable": 40, "canary": 60}
    drawn = [random_numbers(n) for n in range(100)]
    on = lambda numbers: race(chance(numbers[0], "checkout"), weights).name
    canary, stable = [next(n for n in drawn if on(n) == name) for name in ("canary", "stable")]
    out = {"tripped": ["checkout/canary"]}
    return vector(
        "54-guard-tripped-by-chance",
        "where chance decides for requests without a key it gives nobody what is out",
        policy(split(weights=weights, on_missing_key="random", guard=GUARD)),
        case("it would", {}, served("checkout=canary random"), random=numbers(canary)),
        case("and does not", {}, served("checkout=stable tripped"), random=numbers(canary), **out),
        case("another draw", {}, served("checkout=stable random"), random=numbers(stable), **out),
    )


def numbers(random):
    return ["%016x" % number for number in random]


# When a guard takes a variant out ------------------------------------------------------------------------------


def met(name, users, what="5xx", milliseconds=20, at=None):
    group = {"variant": "checkout/" + name, "users": users, "class": what, "milliseconds": milliseconds}
    return {**group, **({"at": at} if at else {})}


def out_by(policy_split, groups, now):
    """What the second implementation of the judgement says is out."""
    guard, count = judgement.Guard(policy_split), 0
    over = policy_split["guard"].get("slow", {}).get("over")
    names = [v["name"] for v in policy_split["variants"]]
    for group in groups:
        kinds = ["errors"] if group["class"] in ("5xx", "none") else []
        kinds += ["slow"] if over and group["milliseconds"] >= int(over.removesuffix("ms")) else []
        for _ in range(group["users"]):
            count += 1
            at = milliseconds(group.get("at"))
            guard.bad_event(at, names.index(group["variant"].split("/")[1]), golden.fmix64(count), kinds, [0] * len(names))
    return [names[v] for v in guard.out(milliseconds(now))]


def milliseconds(time):
    """Of times on one day."""
    if not time:
        return 0
    hours, minutes, seconds = time[11:-1].split(":")
    return 1795132800000 + 1000 * (3600 * int(hours) + 60 * int(minutes) + int(seconds))


def judged(name, about, guard, *rows, weights=None):
    weights = weights or {"stable": 95, "canary": 5}
    key = find(lambda key: variant("checkout", key, weights) == "canary")
    policy_split = split(weights=weights, guard=guard)
    cases = []
    for text, is_out, groups, *now in rows:
        assert out_by(policy_split, groups, *now or [None]) == (["canary"] if is_out else []), (name, text)
        decision = "checkout=stable tripped" if is_out else "checkout=canary split"
        more = {"now": now[0]} if now else {}
        cases.append(case(text, user(key), served(decision), bad=groups, **more))
    return vector(name, about, policy(policy_split), *cases)


def errors():
    return judged(
        "55-guard-errors",
        "a variant whose users fail more often than those of the baseline is out",
        {"errors": {"ratio": 1.5}, "false_trips": 1000000},
        ("seven users of a variant of 5 %, and none of the baseline", False, [met("canary", 7)]),
        ("eight", True, [met("canary", 8)]),
        ("no response counts as a failure", True, [met("canary", 8, "none")]),
        ("a client that leaves is none", False, [met("canary", 50, "abort")]),
        ("nor is what the client did wrong", False, [met("canary", 50, "4xx")]),
        ("nor what is slow, where that is not judged", False, [met("canary", 50, "2xx", 60000)]),
        ("both fail alike", False, [met("stable", 19), met("canary", 1)] * 20),
        ("the baseline fails", False, [met("stable", 200)]),
    )  # fmt: skip


def slow():
    return judged(
        "56-guard-slow",
        "a variant whose users wait too long is out",
        {"slow": {"over": "800ms", "ratio": 2}, "false_trips": 1000000, "release": "policy"},
        ("seven users of a variant of 5 % who waited", False, [met("canary", 7, "2xx", 800)]),
        ("eight", True, [met("canary", 8, "2xx", 800)]),
        ("not that long", False, [met("canary", 50, "2xx", 799)]),
        ("however it ended: they left", True, [met("canary", 8, "abort", 3000)]),
        ("a failure that is quick is another matter", False, [met("canary", 50, "5xx", 20)]),
        ("it stays out until the policy changes", True, [met("canary", 8, "2xx", 900, "2026-11-20T12:00:00Z")], "2026-11-20T23:00:00Z"),
    )  # fmt: skip


def release():
    first, second = "2026-11-20T12:00:00Z", "2026-11-20T12:10:00Z"
    return judged(
        "57-guard-release",
        "with a duration a variant is let in again after it, and after each further trip later",
        {"errors": {"ratio": 1.5}, "release": "600s"},
        ("at once", True, [met("canary", 8, at=first)], first),
        ("before the time is over", True, [met("canary", 8, at=first)], "2026-11-20T12:09:59Z"),
        ("then it is in", False, [met("canary", 8, at=first)], second),
        ("half of the evidence is enough now", True, [met("canary", 8, at=first), met("canary", 4, at=second)], "2026-11-20T12:29:59Z"),
        ("for twice as long", False, [met("canary", 8, at=first), met("canary", 4, at=second)], "2026-11-20T12:30:00Z"),
        ("and less is not", False, [met("canary", 8, at=first), met("canary", 3, at=second)], second),
    )  # fmt: skip


def vectors():
    return [tripped(), tripped_sticky(), tripped_by_chance(), errors(), slow(), release()]
