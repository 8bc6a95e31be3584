#!/usr/bin/env python3
"""Golden vectors of the assignment contract, version 1 ("rendezvous").

This is a second implementation of the contract, written from its text and not from the Rust engine, so that
the two can only agree by both being right. It needs Python 3.8 or later and the package `mmh3`.

    golden.py --write     make the vectors, once; refuses when a file is already there
    golden.py --check     compute every row of the files again and compare

The files and their columns are described in README.md beside this program.
"""

import argparse
import csv
import json
import sys
from collections import namedtuple
from pathlib import Path

import mmh3

HERE = Path(__file__).resolve().parent
SPLITS = HERE / "golden-splits.json"
ROWS = HERE / "golden-rows.csv"
TICKETS = HERE / "golden-tickets.csv"
COSTS = HERE / "golden-costs.csv"

ROW_COLUMNS = ["split", "key_hex", "as_header", "h1", "h2", "bucket", "variant"]
TICKET_COLUMNS = ["split", "key_hex", "variant", "weight", "v", "ticket", "cost"]
COST_COLUMNS = ["ticket", "cost"]

# ---------------------------------------------------------------------------------------------------------------
# The contract. Every number is an unsigned 64-bit integer unless a comment says otherwise; Python's integers do
# not overflow, so `MASK64` stands wherever the contract wraps around.
# ---------------------------------------------------------------------------------------------------------------

MASK64 = (1 << 64) - 1
SEPARATOR = b"\x1f"  # ASCII "unit separator", between salt and key

Variant = namedtuple("Variant", "name weight")  # the weight is a whole number of units


def murmur3_x64_128(data):
    """The two 64-bit halves of MurmurHash3 x64 128, seed 0."""
    h1, h2 = mmh3.hash64(data, 0, True, signed=False)
    return h1, h2


def fmix64(k):
    """The 64-bit finalizer of MurmurHash3: a bijection in which every bit of the input moves every bit out."""
    k ^= k >> 33
    k = k * 0xFF51AFD7ED558CCD & MASK64
    k ^= k >> 33
    k = k * 0xC4CEB9FE1A85EC53 & MASK64
    k ^= k >> 33
    return k


def hash_of(salt, key):
    """H(salt, key) -> (h1, h2). The salt is text and hashed as UTF-8; the key is bytes, whatever they are."""
    return murmur3_x64_128(salt.encode("utf-8") + SEPARATOR + key)


def bucket_of(h1):
    """The user's number 0..9999 in a split: h1 scaled down, not h1 modulo 10000."""
    return h1 * 10000 >> 64


def v_of(name):
    """V(variant): what a variant's name brings into its tickets."""
    return murmur3_x64_128(name.encode("utf-8"))[0]


def ticket_of(h2, v):
    """The user's number for one variant."""
    return fmix64(h2 ^ v)


def cost_of(ticket):
    """-log2(ticket / 2^64) with 32 fractional bits, by repeated squaring.

    With t = 2^(63-n) * m and 1 <= m < 2, the cost is n + 1 - log2(m). `y` holds m with 31 fractional bits;
    squaring it doubles its logarithm, so that each time it reaches 2 one more binary digit of log2(m) is a 1.
    """
    t = max(ticket, 1)
    n = 64 - t.bit_length()  # leading zeros
    y = (t << n) >> 32  # 2^31 <= y < 2^32
    fraction = 0
    for _ in range(32):
        y = y * y >> 31
        fraction <<= 1
        if y >= 1 << 32:
            fraction |= 1
            y >>= 1
    return ((n + 1) << 32) - fraction


def choose(h2, variants):
    """The variant whose cost/weight is smallest; of equals the one with the smaller name. Weight 0 never wins."""
    best = None
    for variant in variants:
        if variant.weight == 0:
            continue
        cost = cost_of(ticket_of(h2, v_of(variant.name)))
        if best is None:
            best = (cost, variant)
            continue
        best_cost, best_variant = best
        ours, theirs = cost * best_variant.weight, best_cost * variant.weight
        if ours < theirs or (ours == theirs and variant.name < best_variant.name):
            best = (cost, variant)
    return best[1]


# ---------------------------------------------------------------------------------------------------------------
# The inputs. They need only be varied and always the same, so they come from a generator written out here.
# ---------------------------------------------------------------------------------------------------------------


class Numbers:
    """SplitMix64: the same numbers in every version of Python."""

    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = self.state + 0x9E3779B97F4A7C15 & MASK64
        z = self.state
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK64
        z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK64
        return z ^ z >> 31

    def below(self, limit):
        return self.next() * limit >> 64

    def pick(self, things):
        return things[self.below(len(things))]

    def raw(self, length):
        return bytes(self.below(256) for _ in range(length))

    def text(self, length, alphabet):
        return "".join(self.pick(alphabet) for _ in range(length))

    def shuffled(self, things):
        things = list(things)
        for i in range(len(things) - 1, 0, -1):
            j = self.below(i + 1)
            things[i], things[j] = things[j], things[i]
        return things


DIGITS = "0123456789"
LOWER = "abcdefghijklmnopqrstuvwxyz"
PRINTABLE = "".join(chr(c) for c in range(0x20, 0x7F))
WORDS = "zoë josé müller łukasz иван мария 太郎 小明 민수 أحمد דנה Ωmega ñandú 🦀 👩‍💻 ﬁn İstanbul ẞ e\u0301 \u00e9".split()

# Keys that every split is asked about.
COMMON_KEYS = [
    *(str(n).encode() for n in (0, 1, 2, 7, 10, 42, 99, 100, 12345, 2**31, 2**32, 2**63, 2**64 - 1)),
    b"-1", b"007", b"1.0", b"1e3", b"true", b"null", b"undefined", b"a", b"A", b"Alice", b"alice", b"user-1", b"user_1",
    b"alice@example.com", b"alice+tag@example.com", b"550e8400-e29b-41d4-a716-446655440000",
    b"550E8400-E29B-41D4-A716-446655440000", b"a b", b"a,b", b"a;b=c", b'"quoted"', b"%41", b"a%00b", b"=", b"\\", b"/",
    b"[::1]", b"203.0.113.7", b'{"sub":"alice"}', b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln",
    "é".encode(), "e\u0301".encode(), "日本".encode(), "👩‍💻".encode(), "\u00a0".encode(), "\ufeffbom".encode(),
    b" ", b" leading", b"trailing ", b"tab\tinside", b"\t", b"line\r\nbreak", b"\x00", b"a\x00", b"\x00a", b"\x1f", b"a\x1fb",
    b"\x7f", b"\x80", b"\xff", b"\xff\xfe", b"\xc3\x28", b"\xed\xa0\x80", b"\xf5\x80\x80\x80",
]  # fmt: skip

# Keys for which, of the variants v00..v31 at equal weights under the salt "tie", two have the same lowest cost
# although their tickets differ. Found by trying all numbers up to 1.28 billion. They tell apart the rules "smaller
# name", "first in the list", "larger ticket" and "floating-point logarithm".
TIED_KEYS = [
    b"21616628", b"45471175", b"117643968", b"294217581", b"631520945", b"651986789", b"899827624", b"991134522",
    b"1156001788", b"1179873385",
]  # fmt: skip


def numbered(n, weight):
    return [("v%02d" % i, weight) for i in range(n)]


def hand_written_splits():
    """(salt, variants) chosen for what they show."""
    return [
        # One split on its way from 5 % to all, and its rollback: the same users, so that rows can be compared.
        ("checkout", [("stable", 950000), ("canary", 50000)]),
        ("checkout", [("stable", 900000), ("canary", 100000)]),
        ("checkout", [("stable", 500000), ("canary", 500000)]),
        ("checkout", [("stable", 0), ("canary", 1000000)]),
        ("checkout", [("stable", 1000000), ("canary", 0)]),
        # The same variants with other weights, in another order, and with one of them off.
        ("pricing", [("control", 70), ("red", 10), ("green", 10), ("blue", 10)]),
        ("pricing", [("control", 40), ("red", 30), ("green", 20), ("blue", 10)]),
        ("pricing", [("blue", 10), ("green", 10), ("red", 10), ("control", 70)]),
        ("pricing", [("control", 70), ("red", 0), ("green", 10), ("blue", 20)]),
        # The ends of the range of weights.
        ("alone", [("only", 100)]),
        ("alone.light", [("only", 1)]),
        ("rare", [("stable", 999999), ("canary", 1)]),
        ("rare.first", [("canary", 1), ("stable", 999999)]),
        ("one-in-a-thousand", [("stable", 999), ("canary", 1)]),
        # Two variants with one cost: the smaller name wins, wherever it stands in the list.
        ("tie", numbered(32, 1)),
        ("tie", numbered(32, 1)[::-1]),
        # Weights of 0 at the head, at the end, between, and everywhere but once.
        ("zeros", [("off-first", 0), ("a", 300000), ("off-between", 0), ("b", 700000), ("off-last", 0)]),
        ("zeros.but-one", [("w%02d" % i, 1000000 if i == 17 else 0) for i in range(32)]),
        # Each variant twice as heavy as the one before it; the total is not round.
        ("doubling", [("d%02d" % i, 1 << i) for i in range(16)]),
        # Names of every length mod 16, and names that begin with one another.
        ("names.by-length", [("x" * n, 31250) for n in range(1, 33)]),
        ("names.prefixes", [("a", 1), ("aa", 1), ("a.a", 1), ("a-a", 1), ("a_a", 1), ("a0", 1), ("aaa", 1)]),
        ("names.long", [("n" * 64, 50), ("n" * 63, 25), ("n" * 62 + "m", 25)]),
        # Salts of other purposes, and salts that differ by little.
        ("checkout/mirror", [("mirrored", 100000), ("not", 900000)]),
        ("Checkout", [("stable", 50), ("canary", 50)]),
        ("check out", [("stable", 50), ("canary", 50)]),
        ("c", [("stable", 50), ("canary", 50)]),
        ("s" * 63, [("stable", 50), ("canary", 50)]),
        ("s" * 64, [("stable", 50), ("canary", 50)]),
        ("exp.2024-05.homepage_hero.v2", [("a", 3333), ("b", 3333), ("c", 3334)]),
        ("größe", [("klein", 50), ("gross", 50)]),
        ("эксперимент", [("a", 1), ("b", 2), ("c", 3)]),
        ("実験", [("a", 600000), ("b", 400000)]),
        ("🦀/👩‍💻", [("a", 600000), ("b", 400000)]),
        ("é", [("a", 50), ("b", 50)]),
        ("e\u0301", [("a", 50), ("b", 50)]),
    ]


def generated_splits(numbers, count):
    """(salt, variants) of 2 to 32 variants and all kinds of weights."""
    splits = []
    for i in range(count):
        salt = numbers.text(1 + numbers.below(40), LOWER + DIGITS + "._-")
        total = numbers.pick([100, 1000, 10000, 1000000, 1000000])
        size = 2 + numbers.below(31) if i else 32
        weights = [numbers.below(1 << 1 + numbers.below(20)) for _ in range(size)]  # spread over many magnitudes
        weights = [w * total // (sum(weights) + 1) for w in weights]
        weights[numbers.below(size)] += total - sum(weights)
        names = set()
        while len(names) < size:
            names.add(numbers.text(1, LOWER) + numbers.text(numbers.below(24), LOWER + DIGITS + "._-"))
        splits.append((salt, list(zip(numbers.shuffled(sorted(names)), weights))))
    return splits


def key_of_length(numbers, length, kind):
    """A key of exactly so many bytes: digits, printable text, UTF-8 (perhaps cut within a letter), or raw bytes."""
    if kind == 0:
        return numbers.text(length, DIGITS).encode()
    if kind == 1:
        return numbers.text(length, PRINTABLE).encode()
    if kind == 2:
        return "".join(numbers.pick(WORDS) for _ in range(length)).encode()[:length]
    return numbers.raw(length)


def own_key(numbers, i):
    """A key as applications have them."""
    kind = i % 6
    if kind == 0:
        return str(numbers.below(10 ** (1 + numbers.below(12)))).encode()
    if kind == 1:
        digits = numbers.text(32, DIGITS + "abcdef")
        return "-".join([digits[:8], digits[8:12], "4" + digits[13:16], "a" + digits[17:20], digits[20:]]).encode()
    if kind == 2:
        return (numbers.text(3 + numbers.below(9), LOWER) + "@" + numbers.text(4, LOWER) + ".example").encode()
    if kind == 3:
        return (numbers.pick(WORDS) + " " + numbers.pick(WORDS) + numbers.text(3, DIGITS)).encode()
    if kind == 4:
        return ("user-" + numbers.text(1 + numbers.below(9), DIGITS)).encode()
    return numbers.raw(1 + numbers.below(48))


def keys_for(numbers, index, salt):
    """About 200 different keys for one split: the common ones, every length from 1 to 80, and its own."""
    keys = list(COMMON_KEYS)
    if salt == "tie":
        keys += TIED_KEYS
    keys += [key_of_length(numbers, length, (index + length // 16) % 4) for length in range(1, 81)]
    if index % 20 == 0:  # long keys are large in the file: a few are enough
        keys += [key_of_length(numbers, 4096, 1), key_of_length(numbers, 4095, 3)]
    # The splits of one salt are asked about the same own keys, so that their rows can be compared.
    own = Numbers(int.from_bytes(salt.encode(), "big") & MASK64)
    keys += [own_key(own, i) for i in range(60)]
    return list(dict.fromkeys(keys))


def can_be_a_header(key):
    """Whether HTTP/1 and HTTP/2 carry the key as it is: no control characters, no blank at either end."""
    return all(byte >= 0x20 and byte != 0x7F for byte in key) and key == key.strip(b" \t")


# ---------------------------------------------------------------------------------------------------------------
# The files.
# ---------------------------------------------------------------------------------------------------------------


def hex64(number):
    return "%016x" % number


def row_of(split, key):
    h1, h2 = hash_of(split["salt"], key)
    winner = choose(h2, [Variant(*pair) for pair in split["variants"]])
    return [
        split["id"], key.hex(), "1" if can_be_a_header(key) else "0", hex64(h1), hex64(h2), str(bucket_of(h1)), winner.name,
    ]  # fmt: skip


def ticket_rows_of(split, key):
    _, h2 = hash_of(split["salt"], key)
    for name, weight in split["variants"]:
        v = v_of(name)
        ticket = ticket_of(h2, v)
        yield [split["id"], key.hex(), name, str(weight), hex64(v), hex64(ticket), str(cost_of(ticket))]


def cost_row_of(ticket):
    return [hex64(ticket), str(cost_of(ticket))]


def make_all(seed=0x7261666669632D73):
    """Everything `--write` writes: the splits, and the rows of the three tables."""
    numbers = Numbers(seed)
    written = hand_written_splits()
    splits = [
        {
            "id": "s%02d" % i,
            "host": "s%02d.test" % i,
            "salt": salt,
            "weight_total": sum(weight for _, weight in variants),
            "variants": [list(pair) for pair in variants],
        }
        for i, (salt, variants) in enumerate(written + generated_splits(numbers, 60 - len(written)))
    ]
    rows, tickets = [], []
    for index, split in enumerate(splits):
        keys = keys_for(numbers, index, split["salt"])
        rows += [row_of(split, key) for key in keys]
        shown = [keys[0], keys[-1]] + ([k for k in keys if k in TIED_KEYS] if split["salt"] == "tie" else [])
        for key in shown:
            tickets += ticket_rows_of(split, key)
    edges = {0, 1, 2, 3, MASK64, MASK64 - 1}
    edges |= {(1 << n) + d for n in range(2, 64) for d in (-1, 0, 1)}  # where the number of leading zeros changes
    edges |= {3 << n for n in range(62)} | {0xB504F333F9DE6484 >> n for n in range(64)}  # and digits of the logarithm
    costs = [cost_row_of(t) for t in sorted(edges | {numbers.next() for _ in range(300)})]
    return splits, rows, tickets, costs


def write():
    there = [path.name for path in (SPLITS, ROWS, TICKETS, COSTS) if path.exists()]
    if there:
        sys.exit("golden values are never edited: %s already there" % ", ".join(there))
    splits, rows, tickets, costs = make_all()
    lines = ",\n".join(json.dumps(split, ensure_ascii=False) for split in splits)
    SPLITS.write_text("[\n%s\n]\n" % lines, encoding="utf-8")
    for path, columns, table in ((ROWS, ROW_COLUMNS, rows), (TICKETS, TICKET_COLUMNS, tickets), (COSTS, COST_COLUMNS, costs)):
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([columns, *table])
        print("%s: %d rows" % (path.name, len(table)))


def read_table(path, columns):
    with path.open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    if head != columns:
        sys.exit("%s: the columns are %s, not %s" % (path.name, head, columns))
    return rows


def check():
    """Computes each row from its own inputs, so that the generator above may change and the vectors still stand."""
    splits = {split["id"]: split for split in json.loads(SPLITS.read_text(encoding="utf-8"))}
    wrong = []

    def compare(path, line, found, expected):
        if found != expected:
            wrong.append("%s:%d: is %s, should be %s" % (path.name, line, found, expected))

    rows = read_table(ROWS, ROW_COLUMNS)
    for line, row in enumerate(rows, 2):
        compare(ROWS, line, row, row_of(splits[row[0]], bytes.fromhex(row[1])))
    tickets = read_table(TICKETS, TICKET_COLUMNS)
    for line, row in enumerate(tickets, 2):
        expected = [r for r in ticket_rows_of(splits[row[0]], bytes.fromhex(row[1])) if r[2] == row[2]]
        compare(TICKETS, line, [row], expected)
    costs = read_table(COSTS, COST_COLUMNS)
    for line, row in enumerate(costs, 2):
        compare(COSTS, line, row, cost_row_of(int(row[0], 16)))
    for split in splits.values():
        if split["weight_total"] != sum(weight for _, weight in split["variants"]):
            wrong.append("%s: %s: weight_total is not the sum of the weights" % (SPLITS.name, split["id"]))

    for problem in wrong[:20]:
        print(problem, file=sys.stderr)
    if wrong:
        sys.exit("%d rows are wrong" % len(wrong))
    print("%d splits: %d rows, %d tickets, %d costs agree" % (len(splits), len(rows), len(tickets), len(costs)))


def main():
    parser = argparse.ArgumentParser(description="golden vectors of the assignment contract")
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", action="store_true", help="make the files, once")
    action.add_argument("--check", action="store_true", help="compute every row again and compare")
    if parser.parse_args().write:
        write()
    else:
        check()


if __name__ == "__main__":
    main()
