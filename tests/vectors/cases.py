#!/usr/bin/env python3
"""The conformance vectors from 11 on: policies, requests, and what must become of them.

Everything that a hash decides is computed here, with the second implementation of the contract in golden.py and
Python's own hmac, and not by the engine. What the rules of a policy make of it is written down by hand, one behaviour
a file, in the modules cases_*.py.

    cases.py --write     write the files of `cases`
    cases.py --check     make them again and compare

The form of the files is described in ../harness/vectors.rs.
"""

import argparse
import hmac
import json
import sys
from pathlib import Path

import golden

HERE = Path(__file__).resolve().parent
FOLDER = HERE / "cases"
SECRET = "0123456789abcdef0123456789abcdef"

# ---------------------------------------------------------------------------------------------------------------
# What the contract says of a user.
# ---------------------------------------------------------------------------------------------------------------


def raw(key):
    return key if isinstance(key, bytes) else key.encode()


def bucket(salt, key):
    """The user's number 0..9999 under a salt."""
    return golden.bucket_of(golden.hash_of(salt, raw(key))[0])


def race(h2, weights):
    """The winner for a number; weights by name."""
    return golden.choose(h2, [golden.Variant(name, weight) for name, weight in weights.items()])


def variant(salt, key, weights):
    """The name of the variant that a key gets."""
    return race(golden.hash_of(salt, raw(key))[1], weights).name


def chance(random, salt):
    """A random number as one split sees it."""
    return golden.fmix64(random ^ golden.v_of(salt))


def variant_by_chance(salt, random, weights):
    return race(chance(random[0], salt), weights).name


def generated_id(cookie, random):
    """The id of a new visitor."""
    return "".join("%016x" % chance(number, cookie) for number in random)


def random_numbers(index):
    """The two random numbers of a request, for a case of that number."""
    numbers = golden.Numbers(index)
    return [numbers.next(), numbers.next()]


def sticky_value(split, name, secret=SECRET, epoch=0):
    """The value of a sticky cookie: what it says, and a MAC."""
    parts = [b"traffic-split sticky v1", split.encode(), str(epoch).encode(), name.encode()]
    message = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    mac = hmac.new(secret.encode(), message, "sha256").hexdigest()[:32]
    return "v1.%d.%s.%s" % (epoch, name, mac)


def find(holds, what="user-%d"):
    """The first of the users for whom something holds."""
    return next(key for key in (what % n for n in range(1000000)) if holds(key))


# ---------------------------------------------------------------------------------------------------------------
# Policies and cases.
# ---------------------------------------------------------------------------------------------------------------

HALF = {"stable": 50, "canary": 50}
KEY = [{"header": "x-user-id"}]


def cluster(split, name):
    return split + {"stable": "-v1", "canary": "-v2"}.get(name, "-" + name)


def split(name="checkout", weights=None, **more):
    """A split with the header `x-user-id` as its key; the first variant is the baseline."""
    weights = weights or HALF
    variants = [{"name": v, "cluster": cluster(name, v), "weight": w} for v, w in weights.items()]
    return {"name": name, "key": KEY, "baseline": next(iter(weights)), "variants": variants, **more}


def policy(*splits, **more):
    return {"version": 1, **more, "splits": list(splits)}


def served(*decisions, **headers):
    """What a request becomes: decisions as "checkout=canary split", and the headers that follow from them."""
    tags = [decision.split(" ")[0] for decision in decisions]
    first = tags[0].split("=") if tags else None
    upstream = {
        "x-split-cluster": cluster(*first) if first else None,
        "x-split-variant": ", ".join(tags) if tags else None,
    }
    upstream.update({name.replace("_", "-"): value for name, value in headers.items()})
    return {"decisions": list(decisions), "upstream": upstream}


def case(about, request, outcome, **more):
    return {"about": about, "request": request, **outcome, **more}


def user(key, **headers):
    """A request of a user."""
    return {"x-user-id": key, **{name.replace("_", "-"): value for name, value in headers.items()}}


def vector(name, about, policy, *cases):
    return name, {"about": about, "policy": policy, "cases": list(cases)}


# ---------------------------------------------------------------------------------------------------------------
# The files.
# ---------------------------------------------------------------------------------------------------------------


def text_of(document):
    """One case a line: the policy is read once, cases are compared."""
    lines = ",\n  ".join(json.dumps(case, ensure_ascii=False) for case in document["cases"])
    head = '"about": %s,\n"policy": %s' % (
        json.dumps(document["about"], ensure_ascii=False),
        json.dumps(document["policy"], indent=1, ensure_ascii=False),
    )
    return "{\n%s,\n\"cases\": [\n  %s\n]\n}\n" % (head, lines)


def all_vectors():
    import cases_effects, cases_guard, cases_match, cases_preflights, cases_time, cases_users  # noqa: they import this module

    modules = [cases_match, cases_users, cases_time, cases_effects, cases_preflights, cases_guard]
    return [vector for module in modules for vector in module.vectors()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", action="store_true")
    action.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    differ = []
    for name, document in all_vectors():
        path, text = FOLDER / (name + ".json"), text_of(document)
        if arguments.write:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            differ.append(path.name)
    if differ:
        sys.exit("differ from what cases.py makes: " + ", ".join(differ))
    print("%d files %s" % (len(all_vectors()), "written" if arguments.write else "are as computed"))


if __name__ == "__main__":
    sys.modules["cases"] = sys.modules["__main__"]
    main()
