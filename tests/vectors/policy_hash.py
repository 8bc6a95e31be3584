#!/usr/bin/env python3
"""Golden hashes of policies: the number that a proxy shows for the policy it runs.

This is a second implementation, written from the description in `src/engine/policy/meaning.rs` and not from its code. It
needs Python 3.8 or later and the package `mmh3`.

    policy_hash.py --write     make golden-policies.json, once; refuses when it is there
    policy_hash.py --check     compute every hash of the file again and compare

Each entry has one meaning: the canonical document, by hand, and other texts that mean the same.
"""

import json
import struct
import sys
from pathlib import Path

import mmh3

FILE = Path(__file__).resolve().parent / "golden-policies.json"


def text_of(value):
    if value is None:
        return b"null"
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, int):
        return str(value).encode()
    if isinstance(value, float):
        return str(int(value)).encode() if value.is_integer() else b"f" + struct.pack("<d", value)
    if isinstance(value, str):
        return b'"' + value.encode().replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    if isinstance(value, list):
        return b"[" + b"".join(text_of(item) + b"," for item in value) + b"]"
    fields = sorted((name.encode(), field) for name, field in value.items())
    return b"{" + b"".join(text_of(name.decode()) + b":" + text_of(field) + b"," for name, field in fields) + b"}"


def policy_hash(canonical):
    first, _ = mmh3.hash64(text_of(canonical), 0, signed=False)
    return f"{first >> 12:013x}"


KEY = [{"header": "x-user-id"}]
SPLIT = {
    "name": "checkout",
    "key": KEY,
    "baseline": "stable",
    "variants": [
        {"name": "stable", "cluster": "checkout-v1", "weight": 95},
        {"name": "canary", "cluster": "checkout-v2", "weight": 5},
    ],
}

# What is meant, in the canonical form, and other ways to write it.
POLICIES = [
    ("no split", {"version": 1, "splits": []}, [
        "",
        '{"splits":[],"version":1.0}',
        '{"version": 1e0, "splits": [], "kill": false, "vary": false, "baggage": false, "cluster_header": "X-Split-Cluster"}',
    ]),
    ("a canary", {"version": 1, "splits": [SPLIT]}, [
        '{"version": 1, "key": [{"header": "X-User-Id"}], "splits": [{"name": "checkout", "baseline": "stable",'
        ' "salt": "checkout", "enabled": true, "weight_total": 1e2, "algorithm": "rendezvous", "assignment": "hash",'
        ' "on_missing_key": "baseline", "variants": [{"name": "stable", "cluster": "checkout-v1", "weight": 95.0},'
        ' {"weight": 0.5e1, "cluster": "checkout-v2", "name": "canary", "drain": false}]}]}',
    ]),
    ("a canary that is killed", {"version": 1, "kill": True, "splits": [SPLIT]}, []),
    ("without the variant header", {"version": 1, "variant_header": None, "splits": [SPLIT]}, []),
    ("another salt", {"version": 1, "splits": [dict(SPLIT, salt="other")]}, []),
    ("another order of the variants", {"version": 1, "splits": [dict(SPLIT, variants=SPLIT["variants"][::-1])]}, []),
    ("decimals", {
        "version": 1,
        "holdout": {"percent": 0.25},
        "splits": [{
            "name": "a", "key": KEY, "baseline": "x", "weight_total": "any",
            "variants": [{"name": "x", "weight": 33.3333}, {"name": "y", "weight": 0.0001}],
        }],
    }, [
        '{"version": 1, "holdout": {"salt": "holdout", "percent": 0.250}, "splits": [{"name": "a", "key": [{"header": "x-user-id"}],'
        ' "baseline": "x", "weight_total": "any", "variants": [{"name": "x", "weight": 33.33330}, {"name": "y", "weight": 1e-4}]}]}',
    ]),
    ("durations and times", {
        "version": 1,
        "splits": [dict(
            SPLIT,
            sticky={"ttl": "90m", "secret": "not-a-real-secret"},
            ramp={"start": "2026-11-20T12:00:00Z", "steps": [
                {"after": "90s", "weights": {"stable": 90, "canary": 10}},
                {"after": "1d", "weights": {"stable": 50, "canary": 50}},
            ]},
        )],
    }, [
        '{"version": 1, "splits": [{"name": "checkout", "key": [{"header": "x-user-id"}], "baseline": "stable",'
        ' "sticky": {"secret": "not-a-real-secret", "cookie": "split-checkout", "ttl": "1h30m", "epoch": 0, "secure": true,'
        ' "same_site": "lax"}, "ramp": {"linear": false, "start": "2026-11-20T13:00:00.000+01:00", "steps":'
        ' [{"weights": {"canary": 10, "stable": 90}, "after": "1m30s"}, {"after": "24h", "weights": {"stable": 50.0, "canary": 50}}]},'
        ' "variants": [{"name": "stable", "cluster": "checkout-v1", "weight": 95}, {"name": "canary", "cluster": "checkout-v2", "weight": 5}]}]}',
    ]),
    ("conditions and texts", {
        "version": 1,
        "splits": [dict(
            SPLIT,
            match=[{
                "hosts": ["shop.example.com", "*.example.org"],
                "path": {"prefix": "/api/"},
                "headers": [{"name": "x-tier", "in": ["a", "ä\"\\"], "not": True}, {"name": "x-n", "range": {"from": 18}}],
                "source_ip": ["10.0.0.0/8"],
            }],
            overrides=[{"match": [{"methods": ["PUT"]}], "skip": True}],
        )],
    }, [
        '{"version": 1, "splits": [{"name": "checkout", "key": [{"header": "x-user-id"}], "baseline": "stable",'
        ' "match": [{"source_ip": ["10.0.0.0/8"], "hosts": ["Shop.Example.com", "*.example.org"], "path": {"prefix": "/api/"},'
        ' "headers": [{"name": "X-Tier", "in": ["a", "\\u00e4\\"\\\\", "a"], "not": true, "ignore_case": false}, {"name": "x-n", "range": {"from": 18.0}}]}],'
        ' "overrides": [{"skip": true, "match": [{"methods": ["PUT"]}]}],'
        ' "variants": [{"name": "stable", "cluster": "checkout-v1", "weight": 95}, {"name": "canary", "cluster": "checkout-v2", "weight": 5}]}]}',
    ]),
]


def entries():
    for about, canonical, spellings in POLICIES:
        yield {"about": about, "hash": policy_hash(canonical), "canonical": canonical, "spellings": spellings}


def main():
    made = json.dumps(list(entries()), indent=1, ensure_ascii=False) + "\n"
    if sys.argv[1:] == ["--write"]:
        if FILE.exists():
            sys.exit(f"{FILE} is there: golden values are never edited")
        FILE.write_text(made, encoding="utf-8")
    elif sys.argv[1:] == ["--check"]:
        if FILE.read_text(encoding="utf-8") != made:
            sys.exit(f"{FILE} is not what this program computes")
        print("every hash is as it should be")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
