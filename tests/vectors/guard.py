#!/usr/bin/env python3
"""Golden vectors of the guard: what one bad event adds or takes, and when a variant is out.

This is a second implementation, written from the description in `src/engine/guard` and not from its code. Likelihood
ratios are exact fractions here, multiplied, where the engine adds logarithms; a logarithm that is written down is made
of whole numbers of 256 bits.

    guard.py --write     make golden-guard-steps.csv and golden-guard-trips.json, once; refuses when they are there
    guard.py --check     compute all of them again and compare

The judgement. A split has variants, one of them the baseline; exposures are counted for each variant, and halved (rounded
down) while they sum to more than 32,768. A user's bad event of a kind counts once: a bitmap of 16,384 bits for each kind,
the bit is the user's hash modulo 16,384, and a bitmap with 4,096 bits set is cleared. Each variant that is judged has for
each kind and each alternative r1 = 2, 6, 20 times the permitted ratio r0 a number M, at first 1, of which

    M = max(1, M) * (r1 / r0) / D    at a bad event of the variant,      D = (r1 t + b) / (r0 t + b)
    M = max(1, M) / D                at a bad event of the baseline,

where t : b is the share of variant and baseline: that of the exposures or that of the weights, whichever gives the variant
more. The variant is out once an M reaches 3 * variants judged * kinds judged * false_trips. With a `release` it is in again
after that time, doubled at each further trip up to 64 times, and then each M of it begins at the root of that number.
"""

import argparse
import csv
import json
import math
import sys
from fractions import Fraction
from pathlib import Path

from golden import Numbers

HERE = Path(__file__).resolve().parent
STEPS = HERE / "golden-guard-steps.csv"
TRIPS = HERE / "golden-guard-trips.json"
COLUMNS = ["ratio", "variant", "baseline", "times", "up", "down"]

ALTERNATIVES = [2, 6, 20]
BITS = 16384
KINDS = ["errors", "slow"]

# ---------------------------------------------------------------------------------------------------------------
# The judgement.
# ---------------------------------------------------------------------------------------------------------------


def log2_in_units(x):
    """log2 of a fraction in units of 2^-32, rounded to the nearest: one binary digit for each squaring."""
    PRECISION = 256
    whole = x.numerator.bit_length() - x.denominator.bit_length()
    mantissa = x / Fraction(2) ** whole
    if mantissa < 1:
        mantissa, whole = mantissa * 2, whole - 1
    y = (mantissa.numerator << PRECISION) // mantissa.denominator
    digits = 0
    for _ in range(40):
        y = y * y >> PRECISION
        digits <<= 1
        if y >> (PRECISION + 1):
            digits, y = digits | 1, y >> 1
    return ((whole << 40) + digits + (1 << 7)) >> 8


def step(ratio, variant, baseline, times):
    """By what M is multiplied: at a bad event of the variant, and at one of the baseline."""
    t, b = Fraction(max(variant, 1)), Fraction(baseline)
    r0, r1 = ratio, ratio * times
    d = (r1 * t + b) / (r0 * t + b)
    return times / d, 1 / d


def larger(one, other):
    """Of two pairs (variant, baseline) the one in which the variant has more."""
    if one == (0, 0) or other == (0, 0):
        return max(one, other)
    return one if one[0] * other[1] >= other[0] * one[1] else other


class Guard:
    def __init__(self, split):
        guard = split["guard"]
        self.weights = [int(Fraction(str(v["weight"])) * 10000) for v in split["variants"]]
        names = [v["name"] for v in split["variants"]]
        self.baseline = names.index(split["baseline"])
        self.judged = [v for v, weight in enumerate(self.weights) if v != self.baseline and weight]
        defaults = {"errors": 1.5, "slow": 2}
        self.ratios = {kind: Fraction(str(guard[kind].get("ratio", defaults[kind]))) for kind in KINDS if kind in guard}
        self.alarm = 3 * len(self.judged) * len(self.ratios) * guard.get("false_trips", 1000000)
        release = guard.get("release", "policy")
        self.release = None if release == "policy" else int(release.removesuffix("s")) * 1000
        self.exposures = [0] * len(names)
        self.seen = {kind: set() for kind in KINDS}
        self.m = {(v, kind): [Fraction(1)] * 3 for v in self.judged for kind in self.ratios}
        self.users = {key: (0, 0) for key in self.m}
        self.trips = {v: (0, 0) for v in self.judged}

    def until(self, variant):
        count, since = self.trips[variant]
        if count == 0:
            return 0
        return math.inf if self.release is None else since + self.release * 2 ** min(count - 1, 6)

    def out(self, now):
        return [v for v in self.judged if now < self.until(v)]

    def bad_event(self, now, variant, user, kinds, exposures):
        """Takes in a bad event; the trips that it makes."""
        new = []
        for kind in kinds:
            seen = self.seen[kind]
            if user % BITS in seen:
                continue
            seen.add(user % BITS)
            if len(seen) == BITS // 4:
                seen.clear()
            new.append(kind)
        if not new:
            return []
        self.exposures = [a + b for a, b in zip(self.exposures, exposures)]
        while sum(self.exposures) > 32768:
            self.exposures = [a // 2 for a in self.exposures]
        trips = []
        for kind in new:
            for v in self.judged:
                if kind in self.ratios and variant in (v, self.baseline) and v not in self.out(now):
                    trips += self.judge(now, kind, v, variant == v)
        return trips

    def judge(self, now, kind, v, own):
        pair = lambda of: (of[v], of[self.baseline])
        share = larger(pair(self.exposures), pair(self.weights))
        steps = [step(self.ratios[kind], *share, times) for times in ALTERNATIVES]
        m = [max(Fraction(1), m) * (up if own else down) for m, (up, down) in zip(self.m[v, kind], steps)]
        self.m[v, kind] = m
        users, baseline_users = self.users[v, kind]
        users, baseline_users = (users + 1, baseline_users) if own else (users, baseline_users + 1)
        # The engine's logarithms are rounded: nothing may hang on that.
        assert all(abs(m / self.alarm - 1) > Fraction(1, 10**6) for m in m), "too near to the alarm"
        if max(m) < self.alarm:
            self.users[v, kind] = (0, 0) if max(m) <= 1 else (users, baseline_users)
            return []
        half = Fraction(math.isqrt(self.alarm << 128), 1 << 64)
        for other in self.ratios:
            self.m[v, other], self.users[v, other] = [half] * 3, (0, 0)
        self.trips[v] = (self.trips[v][0] + 1, now)
        until = self.until(v)
        return [{
            "variant": v, "kind": kind, "users": users, "baseline_users": baseline_users,
            "until": None if until == math.inf else until,
        }]

    def sums(self):
        """The logarithms of all M, by variant and kind."""
        return [[v, kind, [log2_in_units(max(Fraction(1), m)) for m in ms]] for (v, kind), ms in self.m.items()]


# ---------------------------------------------------------------------------------------------------------------
# The inputs.
# ---------------------------------------------------------------------------------------------------------------


def step_row(ratio, variant, baseline, times):
    up, down = step(Fraction(ratio, 10000), variant, baseline, times)
    return [str(n) for n in (ratio, variant, baseline, times, log2_in_units(up), log2_in_units(1 / down))]


def step_inputs():
    numbers = Numbers(14)
    shares = [(0, 0), (0, 5), (5, 0), (1, 1), (5, 95), (50, 50), (1, 99), (1, 9999), (32768, 0), (50000, 950000)]
    shares += [(10**13, 10**13), (1, 10**13), (10**13, 1)]
    shares += [(numbers.below(1 << numbers.below(44)), numbers.below(1 << numbers.below(44))) for _ in range(60)]
    ratios = [10001, 11000, 15000, 20000, 100000, 10000000] + [10001 + numbers.below(200000) for _ in range(4)]
    return [(ratio, v, b, times) for ratio in ratios for v, b in shares for times in ALTERNATIVES]


def split(guard, weights, baseline="v0"):
    variants = [{"name": "v%d" % n, "weight": weight} for n, weight in enumerate(weights)]
    return {
        "name": "s", "key": [{"header": "u"}], "baseline": baseline, "weight_total": "any",
        "variants": variants, "guard": guard,
    }


def events(seed, count, chances, exposures, kinds=("errors",), pace=1000, users=1 << 64):
    """Bad events, each of a variant by its chance (in hundredths), with some exposures before it."""
    numbers, now, made = Numbers(seed), 1795176000000, []
    for _ in range(count):
        now += numbers.below(pace)
        draw = numbers.below(sum(chances))
        variant = next(v for v in range(len(chances)) if draw < sum(chances[: v + 1]))
        of = [e if e < 2 else numbers.below(2 * e) for e in exposures]
        kind = [kind for kind in KINDS if kind in kinds and (len(kinds) == 1 or numbers.below(3))]
        made.append([now, variant, "%016x" % (numbers.next() % users), kind or [kinds[0]], of])
    return made


def scenarios():
    errors = {"errors": {}}
    return [
        ("a canary that always fails", split(errors, [95, 5]), events(1, 12, [0, 1], [95, 5])),
        ("both fail alike", split(errors, [95, 5]), events(2, 200, [95, 5], [95, 5])),
        ("one that fails ten times as often", split(errors, [95, 5]), events(3, 150, [65, 35], [950, 50])),
        ("half and half, one that always fails", split(errors, [50, 50]), events(4, 60, [2, 98], [50, 50])),
        ("three variants, the last one fails", split(errors, [60, 20, 20]), events(5, 120, [10, 3, 87], [60, 20, 20])),
        ("the baseline is not the first", split(errors, [10, 90], "v1"), events(6, 60, [80, 20], [10, 90])),
        ("the baseline fails", split(errors, [50, 50]), events(7, 100, [95, 5], [50, 50])),
        (
            "users who fail again and again",
            split(errors, [95, 5]), events(8, 300, [1, 9], [95, 5], users=6),
        ),
        (
            "slow ones and errors, let in again, and out again",
            split({"errors": {"ratio": 2}, "slow": {"over": "800ms"}, "false_trips": 10000, "release": "5s"}, [90, 10]),
            events(9, 400, [30, 70], [9, 1], ("errors", "slow")),
        ),
        (
            "the weights say less than the exposures",
            split({"errors": {"ratio": 1.25}, "false_trips": 1000}, [99, 1]), events(10, 100, [60, 40], [30, 20]),
        ),
        ("exposures that grow old", split(errors, [95, 5]), events(11, 40, [50, 50], [9000, 3000])),
        ("no exposures at all", split(errors, [80, 20]), events(12, 40, [5, 95], [0, 0])),
    ]


def judged(policy_split, made):
    guard = Guard(policy_split)
    trips = []
    for at, (now, variant, user, kinds, exposures) in enumerate(made):
        trips += [{"event": at, **trip} for trip in guard.bad_event(now, variant, int(user, 16), kinds, exposures)]
    return {"trips": trips, "exposures": guard.exposures, "sums": guard.sums(), "out": guard.out(made[-1][0])}


def text_of(all_scenarios):
    texts = []
    for about, policy_split, made in all_scenarios:
        lines = ",\n  ".join(json.dumps(event) for event in made)
        texts.append(
            '{"about": %s,\n "split": %s,\n "events": [\n  %s],\n "expected": %s}'
            % (json.dumps(about), json.dumps(policy_split), lines, json.dumps(judged(policy_split, made)))
        )
    return "[\n%s\n]\n" % ",\n".join(texts)


def write():
    there = [path.name for path in (STEPS, TRIPS) if path.exists()]
    if there:
        sys.exit("golden values are never edited: %s already there" % ", ".join(there))
    rows = [step_row(*inputs) for inputs in step_inputs()]
    with STEPS.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])
    TRIPS.write_text(text_of(scenarios()), encoding="utf-8")
    print("%d steps, %d scenarios" % (len(rows), len(scenarios())))


def check():
    with STEPS.open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    assert head == COLUMNS, head
    wrong = ["%s: %s" % (STEPS.name, row) for row in rows if step_row(*map(int, row[:4])) != row]
    for known in json.loads(TRIPS.read_text(encoding="utf-8")):
        # Through the text, as numbers and lists are there.
        found = json.loads(json.dumps(judged(known["split"], known["events"])))
        if found != known["expected"]:
            wrong.append("%s: %s: %s" % (TRIPS.name, known["about"], found))
    if wrong:
        sys.exit("\n".join(wrong[:20]))
    print("%d steps and all trips agree" % len(rows))


def main():
    parser = argparse.ArgumentParser(description="golden vectors of the guard")
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", action="store_true", help="make the files, once")
    action.add_argument("--check", action="store_true", help="compute everything again and compare")
    if parser.parse_args().write:
        write()
    else:
        check()


if __name__ == "__main__":
    main()
