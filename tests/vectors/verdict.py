#!/usr/bin/env python3
"""Golden vectors of the verdict: evidence, intervals and what is proven, look by look.

This is a second implementation, written from the formulas of `docs/verdict.md` and not from the crate `src/rollout`.
It multiplies likelihood ratios in decimals of 60 digits, from the probabilities of each look, where the crate adds up
logarithms of floats; both agree to nine digits.

    verdict.py --write     make golden-verdicts.json, once; refuses when it is there
    verdict.py --check     compute all of it again and compare

The judgement. In a look the challenger T has n_t events, e_t of them bad, the baseline n_b and e_b; w = n_t / (n_t + n_b).
A bad event is T's with the probability theta(r) = r w / (r w + 1 - w) if T fails r times as often. The likelihood of r is
the product over all looks of theta(r)^e_t (1 - theta(r))^e_b, and

    harm     the mean over r = 1.25, 1.5, 2, 3, 6, 20 of likelihood(r) / likelihood(1); proven at K / alpha, K challengers
    safe     likelihood(1) / likelihood(R); with an SLO s the mean of that and of the product, over all events of T, of
             (1 - s/10) / (1 - s) for a good one and 1/10 for a bad one; proven at 1 / alpha
    ratio    sum of e_t n_b / n over that of e_b n_t / n; those r are in its interval for which the mean of the likelihood
             over all ratios of the list below, divided by likelihood(r), is below 1 / alpha; an end is said to lie between
             two ratios of the list, never further inside than it is
    difference   of the ratios of bad events of all looks together, from 20 bad events of either; and half of its interval
    mismatch     the p-value of the users of all variants against their shares: Dirichlet, worth 1000 users
"""

import argparse
import json
import math
import sys
from decimal import Decimal, getcontext
from pathlib import Path

from golden import Numbers

getcontext().prec = 60

HERE = Path(__file__).resolve().parent
FILE = HERE / "golden-verdicts.json"

HARM = [Decimal(r) for r in ("1.25", "1.5", "2", "3", "6", "20")]
LISTED = [
    Decimal(r)
    for r in (
        "0.02 0.03 0.05 0.07 0.1 0.14 0.2 0.25 0.33 0.4 0.5 0.6 0.7 0.8 0.9 1 1.1 1.25 1.5 1.75 2 2.5 3 4 5 6 8 10 14 20 30 50"
    ).split()
]

# ---------------------------------------------------------------------------------------------------------------
# The judgement.
# ---------------------------------------------------------------------------------------------------------------


def likelihood(ratio, looks):
    """Of a ratio, over that of 1: of each bad event, whose it is. Decimals have exponents enough for thousands of them."""
    product = Decimal(1)
    for n_b, e_b, n_t, e_t in looks:
        if n_t == 0 or n_b == 0:
            continue  # It is known whose it is.
        w = Decimal(n_t) / Decimal(n_t + n_b)
        theta = ratio * w / (ratio * w + 1 - w)
        product *= (theta / w) ** e_t * ((1 - theta) / (1 - w)) ** e_b
    return product


def mean(numbers):
    return sum(numbers) / len(numbers)


def within_slo(slo, looks):
    n, e = sum(look[2] for look in looks), sum(look[3] for look in looks)
    return ((1 - slo / 10) / (1 - slo)) ** (n - e) * Decimal("0.1") ** e


def evidence(bounds, looks):
    """Of harm and of safety, as logarithms."""
    harm = mean([likelihood(r, looks) for r in HARM])
    safe = 1 / likelihood(bounds["errors_ratio"], looks)
    if bounds["slo"] is not None:
        safe = mean([safe, within_slo(bounds["slo"], looks)])
    return harm.ln(), safe.ln()


def interval(alpha, looks):
    """The two neighbours in the list between which each end lies; None beyond the list."""
    likelihoods = [likelihood(r, looks) for r in LISTED]
    inside = [mean(likelihoods) / one < 1 / alpha for one in likelihoods]
    first, last = inside.index(True), len(inside) - 1 - inside[::-1].index(True)
    low = None if first == 0 else [float(LISTED[first - 1]), float(LISTED[first])]
    high = None if last == len(inside) - 1 else [float(LISTED[last]), float(LISTED[last + 1])]
    # The exact end, by halving: what is said may be further out, never further in.
    exact = []
    for between, outside in ((low, 0), (high, 1)):
        if between is None:
            exact.append(None)
            continue
        a, b = (Decimal(str(x)) for x in (between[outside], between[1 - outside]))
        for _ in range(40):
            middle = (a + b) / 2
            if mean(likelihoods) / likelihood(middle, looks) < 1 / alpha:
                b = middle
            else:
                a = middle
        exact.append(float(b))
    return {"from": low, "to": high, "from_exactly": exact[0], "to_exactly": exact[1]}


def difference(alpha, totals):
    n_b, e_b, n_t, e_t = (Decimal(n) for n in totals)
    if min(e_b, e_t) < 20:
        return None
    p_b, p_t, n = e_b / n_b, e_t / n_t, n_b + n_t
    variance = p_t * (1 - p_t) / n_t + p_b * (1 - p_b) / n_b
    log = -2 * alpha.ln()
    rho2 = (log + (1 + log).ln()) / 5000
    half = (variance * n * 2 * (n * rho2 + 1) / (n * n * rho2) * ((n * rho2 + 1).sqrt() / alpha).ln()).sqrt()
    return [float(p_t - p_b), float(half)]


def judged(bounds, challengers, looks):
    """After each look: the two logarithms and the verdict; and the figures at the end."""
    harm_at, safe_at = (challengers / bounds["alpha"]).ln(), (1 / bounds["alpha"]).ln()
    after, harm, safe = [], False, False
    for count in range(1, len(looks) + 1):
        of_harm, of_safety = evidence(bounds, looks[:count])
        # The crate's logarithms are rounded: nothing may hang on that.
        assert abs(of_harm - harm_at) > Decimal("1e-6") and abs(of_safety - safe_at) > Decimal("1e-6"), "too near"
        harm, safe = harm or of_harm >= harm_at, safe or of_safety >= safe_at
        after.append([float(of_harm), float(of_safety), "harm" if harm else "safe" if safe else "early"])
    totals = [sum(look[n] for look in looks) for n in range(4)]
    own = sum(Decimal(e_t * n_b) / (n_b + n_t) for n_b, _, n_t, e_t in looks if n_b + n_t)
    others = sum(Decimal(e_b * n_t) / (n_b + n_t) for n_b, e_b, n_t, _ in looks if n_b + n_t)
    some = totals[1] + totals[3] > 0
    return {
        "after": after,
        "estimate": float(own / others) if some and others else None,
        "interval": interval(bounds["alpha"], looks) if some else None,
        "difference": difference(bounds["alpha"], totals),
    }


def p_of_mismatch(weights, counted_by, looks):
    """After each look."""
    all_weights, largest, after, counts = sum(weights), 0.0, [], [0] * len(weights)
    for users in looks:
        counts = [a + b for a, b in zip(counts, users)]
        log, n = Decimal(0), 0.0
        for weight, count in zip(weights, counts):
            if weight == 0:
                continue
            share, count = weight / all_weights, count / counted_by
            n += count
            # math.lgamma is C's: good to 15 digits of a number that may be large.
            log += Decimal(math.lgamma(1000 * share + count)) - Decimal(math.lgamma(1000 * share))
            log -= Decimal(count) * Decimal(share).ln()
        log += Decimal(math.lgamma(1000)) - Decimal(math.lgamma(1000 + n))
        largest = max(largest, float(log))
        after.append(math.exp(-largest))
    return after


# ---------------------------------------------------------------------------------------------------------------
# The inputs.
# ---------------------------------------------------------------------------------------------------------------


def looks(seed, count, baseline, challenger, spread=1):
    """So many looks: events of each (up to twice or half as many), and bad ones in ten thousand."""
    numbers, made = Numbers(seed), []
    for _ in range(count):
        look = []
        for events, bad in (baseline, challenger):
            n = events // spread + numbers.below(events * spread + 1)
            e = sum(numbers.below(10000) < bad for _ in range(n))
            look += [n, e]
        made.append(look)
    return made


def scenarios():
    usual = {"errors_ratio": "1.5", "slo": None, "alpha": "0.05"}
    of = lambda **bounds: {**usual, **bounds}
    return [
        ("both fail alike, half and half", usual, 1, looks(1, 30, (300, 200), (300, 200))),
        ("both fail alike, 5 %", of(errors_ratio="2"), 1, looks(2, 40, (950, 150), (50, 150))),
        ("a canary that always fails", usual, 1, looks(3, 6, (95, 10), (5, 10000))),
        ("three times as often", usual, 3, looks(4, 30, (950, 100), (50, 300))),
        ("a little more often", of(errors_ratio="3"), 1, looks(5, 30, (400, 500), (400, 800))),
        ("it fails less", usual, 1, looks(6, 25, (500, 400), (500, 50))),
        ("half of all fail", of(errors_ratio="1.2"), 1, looks(7, 25, (200, 5000), (200, 5000))),
        ("the baseline alone", usual, 1, looks(8, 4, (500, 100), (0, 0))),
        ("the challenger alone", usual, 1, looks(9, 4, (0, 0), (500, 100))),
        ("nothing at all, then little", usual, 1, [[0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 1], [1, 1, 1, 0]]),
        ("no errors, an SLO", of(slo="0.01"), 1, looks(10, 12, (950, 0), (50, 0))),
        ("within an SLO, and worse than the baseline", of(slo="0.02"), 2, looks(11, 20, (900, 10), (300, 60))),
        ("beyond an SLO", of(slo="0.001", alpha="0.01"), 1, looks(12, 20, (900, 50), (300, 60))),
        ("weights that rise", usual, 1, [
            look for n, share in enumerate((1, 5, 20, 50, 90)) for look in
            looks(20 + n, 5, (20 * (100 - share), 200), (20 * share, 220))
        ]),
        ("well at first, harm later", usual, 1, looks(13, 15, (500, 300), (500, 300)) + looks(14, 15, (500, 300), (500, 1500))),
        ("sure to one in a million", of(alpha="0.000001"), 10, looks(15, 30, (500, 300), (100, 1200))),
    ]


def mismatches():
    def users(seed, count, shares):
        numbers = Numbers(seed)
        return [[numbers.below(2 * share + 1) for share in shares] for _ in range(count)]

    exact = [[950, 50]] * 20
    return [
        ([95, 5], 1, exact), ([95, 5], 1, users(1, 30, [95, 5])), ([95, 5], 4, users(2, 30, [950, 30])),
        ([500000, 300000, 200000, 0], 1, users(3, 20, [50, 30, 20, 1])), ([50, 50], 2, users(4, 40, [51, 49])),
        ([999999, 1], 1, users(5, 10, [5000, 1])), ([1, 1], 1, [[0, 0], [0, 90]]),
    ]


def in_decimals(bounds):
    return {name: None if value is None else Decimal(value) for name, value in bounds.items()}


def story(about, bounds, challengers, made):
    numbers = {name: None if value is None else float(value) for name, value in bounds.items()}
    return {
        "about": about, "bounds": numbers, "challengers": challengers, "looks": made,
        "expected": judged(in_decimals(bounds), challengers, made),
    }


def everything():
    return {
        "verdicts": [story(*scenario) for scenario in scenarios()],
        "mismatches": [
            {"weights": weights, "counted_by": by, "looks": made, "expected": p_of_mismatch(weights, by, made)}
            for weights, by, made in mismatches()
        ],
    }


def text_of(all_of_it):
    lists = []
    for name, entries in all_of_it.items():
        lists.append("%s: [\n%s\n]" % (json.dumps(name), ",\n".join(json.dumps(entry) for entry in entries)))
    return "{%s}\n" % ", ".join(lists)


def agree(one, other):
    """Whether two values are equal, numbers to ten digits: the mathematics of C differs in the last."""
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(agree(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(agree, one, other))
    if isinstance(one, float) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=1e-10, abs_tol=1e-12)
    return one == other


def write():
    if FILE.exists():
        sys.exit("golden values are never edited: %s is already there" % FILE.name)
    FILE.write_text(text_of(everything()), encoding="utf-8")
    print("%d stories, %d mismatches" % (len(scenarios()), len(mismatches())))


def check():
    known, found = json.loads(FILE.read_text(encoding="utf-8")), everything()
    wrong = [
        "%s: %s: %s" % (FILE.name, name, b)
        for name in found
        for a, b in zip(known[name], found[name], strict=True)
        if not agree(a, b)
    ]
    if wrong:
        sys.exit("\n".join(wrong[:20]))
    print("%d stories and %d mismatches agree" % (len(found["verdicts"]), len(found["mismatches"])))


def main():
    parser = argparse.ArgumentParser(description="golden vectors of the verdict")
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", action="store_true", help="make the file, once")
    action.add_argument("--check", action="store_true", help="compute everything again and compare")
    if parser.parse_args().write:
        write()
    else:
        check()


if __name__ == "__main__":
    main()
