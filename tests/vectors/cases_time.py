"""Weights over time."""

from cases import bucket, case, find, policy, served, split, user, variant, vector  # noqa: F401

UNITS = 10000  # a weight of 1


def users_between(low, high):
    """Users who are on the canary at a weight of `high` percent, but not at `low`."""

    def canary(key, percent):
        return variant("checkout", key, {"stable": round((100 - percent) * UNITS), "canary": round(percent * UNITS)}) == "canary"

    return find(lambda key: canary(key, high) and not canary(key, low))


def at(about, key, now, weights, **more):
    """A case at a moment with the weights in force then, in units."""
    outcome = served("checkout=%s split" % variant("checkout", key, weights))
    return case("%s: %g %%" % (about, weights["canary"] / UNITS), user(key), outcome, now=now, **more)


def percent(canary):
    return {"stable": round((100 - canary) * UNITS), "canary": round(canary * UNITS)}


def ramped(**ramp):
    return policy(split(weights={"stable": 99, "canary": 1}, ramp=ramp))


START = "2026-11-20T12:00:00Z"


def step(after, canary):
    return {"after": after, "weights": {"stable": 100 - canary, "canary": canary}}


def steps():
    early, middle, late = users_between(1, 10), users_between(10, 50), users_between(50, 100)

    def everybody(about, now, canary):
        return [at("%s, %s" % (who, about), key, now, percent(canary))
                for who, key in (("early", early), ("middle", middle), ("late", late))]  # fmt: skip

    return vector(
        "60-ramp-steps",
        "weights by steps: those of the variants before, then each from its time on; the last ones stay",
        ramped(start=START, steps=[step("1h", 10), step("2h30m", 50), step("1d", 100)]),
        *everybody("long before", "2026-01-01T00:00:00Z", 1),
        *everybody("at the start", START, 1),
        *everybody("just before the first step", "2026-11-20T12:59:59.999Z", 1),
        *everybody("at the first step", "2026-11-20T13:00:00Z", 10),
        *everybody("before the second", "2026-11-20T14:29:59.999Z", 10),
        *everybody("at the second", "2026-11-20T14:30:00Z", 50),
        *everybody("at the last", "2026-11-21T12:00:00Z", 100),
        *everybody("long after", "2030-01-01T00:00:00Z", 100),
    )


def linear():
    def between(about, now, canary):
        # Rounded down for each variant on its own.
        weights = {"stable": int((100 - canary) * UNITS + 1e-6), "canary": int(canary * UNITS + 1e-6)}
        keys = [users_between(max(canary - 4, 0), canary), users_between(canary, min(canary + 4, 100))]
        return [at(about + ", " + who, key, now, weights) for who, key in zip(("already on it", "not yet"), keys)]

    return vector(
        "61-ramp-linear",
        "weights on a straight line, from the variants' own through the steps",
        ramped(start=START, linear=True, steps=[step("1h", 11), step("5h", 91)]),
        at("before the start", users_between(0, 1), "2026-11-20T11:00:00Z", percent(1)),
        *between("half way to the first step", "2026-11-20T12:30:00Z", 6),
        *between("at the first step", "2026-11-20T13:00:00Z", 11),
        *between("an hour later", "2026-11-20T14:00:00Z", 31),
        *between("a second later", "2026-11-20T14:00:01Z", 31 + 20 / 3600),
        *between("close to the end", "2026-11-20T16:54:00Z", 89),
        *between("after the end", "2026-11-22T00:00:00Z", 91),
    )


def pause():
    key = users_between(40, 50)
    return vector(
        "62-ramp-pause",
        "a pause keeps the weights of its moment",
        ramped(start=START, linear=True, steps=[step("0s", 0), step("10h", 100)], pause="2026-11-20T16:00:00Z"),
        at("before the pause", users_between(10, 20), "2026-11-20T14:00:00Z", percent(20)),
        at("at the pause", users_between(30, 40), "2026-11-20T16:00:00Z", percent(40)),
        at("who would come later does not", key, "2026-11-20T17:00:00Z", percent(40)),
        at("nor ever", key, "2027-01-01T00:00:00Z", percent(40)),
    )


def back():
    key, early = users_between(30, 40), users_between(2, 10)
    return vector(
        "63-ramp-back",
        "steps may go back, down to off, and those who leave are those who came last",
        ramped(start=START, steps=[step("1h", 40), step("2h", 10), step("3h", 0)]),
        at("up, late user", key, "2026-11-20T13:00:00Z", percent(40)),
        at("back, late user", key, "2026-11-20T14:00:00Z", percent(10)),
        at("back, early user", early, "2026-11-20T14:00:00Z", percent(10)),
        at("off, early user", early, "2026-11-20T15:00:00Z", percent(0)),
    )


def off():
    """A ramp may set every weight to 0 only where no total is stated."""
    document = split(weights={"stable": 0, "canary": 5}, weight_total="any",
                     ramp={"start": START, "steps": [{"after": "1h", "weights": {"stable": 0, "canary": 0}}]})  # fmt: skip
    return vector(
        "64-ramp-to-nothing",
        "a step in which every weight is 0 serves the baseline",
        policy(document),
        case("before", user("ada"), served("checkout=canary split"), now=START),
        case("after", user("ada"), served("checkout=stable fallback"), now="2026-11-20T13:00:00Z"),
    )


def vectors():
    return [steps(), linear(), pause(), back(), off()]
