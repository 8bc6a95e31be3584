"""For scripts/bench: prints what criterion measured, and fails where a promise is not met: bench.py FOLDER BYTES"""

import json
import pathlib
import sys

root, memory = pathlib.Path(sys.argv[1]), int(sys.argv[2])


def median(name):
    """In nanoseconds; criterion writes it here."""
    path = root / name / "new" / "estimates.json"
    return json.loads(path.read_text())["median"]["point_estimate"] if path.exists() else None


def shown(ns):
    return "%8.1f ns" % ns if ns < 1e4 else "%8.3f ms" % (ns / 1e6)


failed = []


def promise(what, value, limit, unit):
    mark = "ok" if value <= limit else "NOT MET"
    if value > limit:
        failed.append(what)
    print("%-52s %10.1f %-3s at most %g  %s" % (what, value, unit, limit, mark))


def growth(title, pattern):
    first = median(pattern % 1)
    print(title)
    for count in (1, 10, 100, 1000):
        found = median(pattern % count)
        print("  %5d  %s  %6.2f x" % (count, shown(found), found / first))


growth("a decision, by number of splits on different hosts and paths", "decide_splits on hosts and paths/%d")
growth("compiling a policy that is read, by number of splits", "compile_splits/plan/%d")
growth("reading and compiling, by number of splits", "compile_splits/read and plan/%d")
print()
one, thousand = (median("decide_splits on hosts and paths/%d" % n) for n in (1, 1000))
none, listed = median("decide_cohort/none"), median("decide_cohort/100000 entries")
promise("a decision of two variants by cookie", median("decide_two variants by cookie"), 200, "ns")
promise("1,000 splits against one", thousand / one, 2, "x")
promise("a cohort of 100,000 entries: one look-up", listed - none, 50, "ns")
promise("a cohort of 100,000 entries: memory", memory / 1e6, 8, "MB")
promise("reading and compiling 1,000 splits", median("compile_splits/read and plan/1000") / 1e6, 50, "ms")
sys.exit("not met: " + ", ".join(failed) if failed else 0)
