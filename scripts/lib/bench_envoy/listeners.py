"""What is measured: listeners as data. A new one is an entry here; a new form of the filter is also a function in forms.py."""

from dataclasses import dataclass

HOST, PATH = "shop.example.com", "/api/cart"

TWO = [{"name": "stable", "cluster": "checkout-v1", "weight": 95}, {"name": "canary", "cluster": "checkout-v2", "weight": 5}]
# The filter's statistics, by the name without labels.
DECISIONS, OUTCOMES, DURATIONS = (
    "traffic_split_requests_total", "traffic_split_responses_total", "traffic_split_request_duration_milliseconds")


@dataclass(frozen=True)
class Listener:
    """One row. `check` is how users are split: none, random, hash (alike on every request), or the policy's own answer."""

    name: str
    title: str
    table: str  # main, features or growth
    form: str = "filter"
    check: str = "policy"
    policy: object = None  # a policy
    tags: bool = True  # the upstream sees the variant header
    moves: tuple = ()  # the filter's statistics that each request moves; the others of COUNTERS must stand still
    splits: int = 1  # how many apply to each request, and are counted
    optional: bool = False  # left out with a word where splitctl or the module refuses the policy
    host: str = HOST
    headers: int = 0  # more request headers
    alone: bool = False  # a large policy: in an Envoy of its own, but for time
    over: str = "plain"  # the row that this one is compared with


COUNTERS = (DECISIONS, OUTCOMES, DURATIONS)


def split(name="checkout", **more):
    """Two variants by the header with the user's id."""
    return {"name": name, "key": [{"header": "x-user-id"}], "baseline": "stable", "variants": TWO, **more}


def policy(*splits, **more):
    return {"version": 1, "splits": list(splits), **more}


def override(name, value, variant):
    return {"match": [{"headers": [{"name": name, "exact": value}]}], "variant": variant}


OVERRIDES = [override("x-api-tier", "premium", "stable"), override("x-canary", "true", "canary")]


def demo(**more):
    """As envoy/policy.yaml without its `filter_state`, which is a row of its own, and with more fields."""
    return policy(split(match=[{"hosts": [HOST], "path": {"prefix": "/api/"}}],
                        key=[{"header": "x-user-id"}, {"cookie": "uid"}], overrides=OVERRIDES), **more)


def many(count):
    """Splits on hosts and paths of their own; the last is met by the requests."""
    other = lambda n: split(f"s{n}", match=[{"hosts": [f"h{n % 50}.example.com"], "path": {"prefix": f"/p{n // 50}/"}}])
    own = split(match=[{"hosts": [HOST], "path": {"prefix": "/api/"}}])
    return policy(*(other(n) for n in range(count - 1)), own)


def at_once(count):
    """Splits that all apply to each request."""
    tag = [{"name": "a", "weight": 50}, {"name": "b", "weight": 50}]
    return policy(split(), *(split(f"s{n}", baseline="a", variants=tag) for n in range(1, count)))


def variants(count):
    more = [{"name": f"v{n}", "cluster": "checkout-v2", "weight": 1} for n in range(count - 1)]
    return policy(split(variants=[{"name": "stable", "cluster": "checkout-v1", "weight": 101 - count}, *more]))


def cohort(count):
    users = [f"user-{n}" for n in range(count)]
    return policy(split(match=[{"headers": [{"name": "x-user-id", "in": users}]}]))


def with_canary(**fields):
    """Both variants have these fields, so that each request pays for them."""
    return policy(split(variants=[{**variant, **fields} for variant in TWO]))


def feature(name, title, **fields):
    return Listener(name, title, "features", over="base", moves=COUNTERS, **fields)


def growth(name, title, **fields):
    return Listener(name, title, "growth", moves=COUNTERS, **fields)


EDIT = {"set": [{"name": "x-theme", "value": "dark"}]}
HOUR_STEPS = [{"after": "0s", "weights": {"stable": 95, "canary": 5}}, {"after": "1h", "weights": {"stable": 95, "canary": 5}}]

LISTENERS = [
    Listener("plain", "plain route", "main", form="plain", check="none", tags=False),
    Listener("native-weighted", "native `weighted_clusters`", "main", form="weighted", check="random", tags=False),
    Listener("native-hashed", "native, `use_hash_policy`", "main", form="hashed", check="hash", tags=False),
    Listener("native-tagged", "native, `use_hash_policy`, variant header", "main", form="tagged", check="hash"),
    Listener("lua", "Lua: hash, cluster and variant header, no statistics", "main", form="lua", check="hash"),
    Listener("demo", "traffic-split, the demo's policy", "main", policy=demo(), moves=COUNTERS),
    Listener("demo-envoy", "the same, `outcomes: envoy`", "main", form="filter-logged", policy=demo(outcomes="envoy"),
             moves=COUNTERS, optional=True),
    Listener("demo-off", "the same, `outcomes: off`", "main", policy=demo(outcomes="off"), moves=(DECISIONS,), optional=True),
    Listener("no-match", "the same, no split matches", "main", policy=demo(), check="none", tags=False, host="home.example.com"),
    Listener("splits-1000", "traffic-split, 1,000 splits, one matches", "main", policy=many(1000), moves=COUNTERS, alone=True),

    Listener("base", "one split, key from a header, two variants", "features", policy=policy(split()), moves=COUNTERS),
    feature("match", "`match` on host and path", policy=many(1)),
    feature("overrides", "two `overrides` by header, neither holds", policy=policy(split(overrides=OVERRIDES))),
    feature("cookie", "key from a cookie", policy=policy(split(key=[{"cookie": "uid"}, {"header": "x-user-id"}]))),
    feature("generate", "a new key for each request (`generate`)", check="random",
            policy=policy(split(key=[{"cookie": "uid"}, {"generate": {"cookie": "uid"}}]))),
    feature("random", "`assignment: random`", policy=policy(split(assignment="random")), check="random"),
    feature("sticky", "`sticky`, a user's first request", policy=policy(split(sticky={"secret": "0123456789abcdef"}))),
    feature("ramp", "`ramp`, in its last step",
            policy=policy(split(ramp={"start": "2020-01-01T00:00:00Z", "steps": HOUR_STEPS}))),
    feature("guard", "`guard`, all is well", policy=policy(split(guard={"errors": {"ratio": 1.5}}))),
    feature("holdout", "`holdout`", policy=policy(split(), holdout={"percent": 5}), check="hash"),
    feature("slice", "`layer` and `slice`, all users in it",
            policy=policy(split(layer="ui", slice={"from": 0, "to": 100}), layers=[{"name": "ui"}])),
    feature("request-header", "`request_headers`: one is set", policy=with_canary(request_headers=EDIT)),
    feature("response-header", "`response_headers`: one is set", policy=with_canary(response_headers=EDIT)),
    feature("response-variant", "`response_variant_header`", policy=policy(split(), response_variant_header="x-variant")),
    feature("baggage", "`baggage`", policy=policy(split(), baggage=True)),
    feature("filter-state", "`filter_state: true`", policy=policy(split(), filter_state=True)),
    feature("evidence", "`filter_state: evidence`", policy=policy(split(), filter_state="evidence")),
    feature("vary", "`vary`", policy=policy(split(), vary=True)),
    feature("rewrite", "`rewrite` of the path's prefix",
            policy=with_canary(rewrite={"path_prefix": {"from": "/api", "to": "/v2/api"}})),
    feature("untagged", "`variant_header: null`", policy=policy(split(), variant_header=None), tags=False),

    *(growth(f"policy-{n}", f"{n:,} split{'s' * (n > 1)} in the policy, one matches", policy=many(n), alone=n > 10)
      for n in (1, 10, 100, 1000)),
    *(growth(f"apply-{n}", f"{n} split{'s' * (n > 1)} appl{'y' if n > 1 else 'ies'} to each request", policy=at_once(n), splits=n)
      for n in (1, 2, 4, 8)),
    *(growth(f"variants-{n}", f"{n} variants", policy=variants(n)) for n in (2, 8, 64)),
    *(growth(f"cohort-{n}", f"a condition on a list of {n:,} users", policy=cohort(n), alone=n > 1000)
      for n in (1000, 100_000)),
    Listener("plain-headers-30", "plain route, 30 more request headers", "growth", form="plain", check="none", tags=False, headers=30),
    growth("headers-30", "30 more request headers", policy=policy(split()), headers=30, over="plain-headers-30"),
]
TABLES = ("main", "features", "growth")
