"""CORS preflights: what a browser sends, without the user's cookies and headers, before a request to another origin."""

from cases import (
    HALF, SECRET, case, find, policy, random_numbers, served, split, sticky_value, user, variant, variant_by_chance, vector,
)  # fmt: skip

CANARY = find(lambda key: variant("checkout", key, HALF) == "canary")
NOBODY = served("checkout=stable no_key")
NO_COOKIE = {"set-cookie": None}


def preflight(method="PUT", headers="", **more):
    """What comes before a request of this method with these headers."""
    announced = {"access-control-request-headers": headers} if headers else {}
    return {":method": "OPTIONS", "origin": "https://app.example.com", "access-control-request-method": method, **announced, **more}


def keys():
    address = find(lambda key: variant("checkout", key, HALF) == "canary", "203.0.113.%d")
    key = [{"header": "x-user-id"}, {"query": "uid"}, {"client_ip": True}]
    known = served("checkout=canary split")
    return vector(
        "94-preflight-key",
        "a preflight gets the variant of its request where the key is certain, and is nobody's otherwise",
        policy(split(key=key)),
        case("the request brings the key", preflight(headers="content-type,x-user-id"), NOBODY, client=address + ":1"),
        case("in any case, among others", preflight(headers="X-User-Id, x-b"), NOBODY, client=address + ":1"),
        case("not even with a key in the query", preflight(headers="x-user-id", **{":path": "/?uid=" + CANARY}), NOBODY),
        case("the query, where the request brings no header", preflight(**{":path": "/?uid=" + CANARY}), known),
        case("the address, likewise", preflight(headers="content-type"), known, client=address + ":1"),
        case("a key that a proxy has added", preflight(headers="x-user-id", **{"x-user-id": CANARY}), known),
        case("no preflight without an origin", {n: v for n, v in preflight(headers="x-user-id").items() if n != "origin"}, known, client=address + ":1"),
        case("nor by another method", preflight(headers="x-user-id", **{":method": "GET"}), known, client=address + ":1"),
    )


def new_users():
    key = [{"cookie": "uid"}, {"generate": {"cookie": "uid"}}]
    random = random_numbers(94)
    numbers = {"random": ["%016x" % number for number in random]}
    by_chance = variant_by_chance("banner", random, HALF)
    return vector(
        "95-preflight-no-user",
        "a preflight is no new user and gets no cookie; what is drawn anew for each request is drawn for it, too",
        policy(
            split(key=key),
            split("search", on_missing_key="skip"),
            split("banner", on_missing_key="random", sticky={"secret": SECRET}),
        ),
        case("a preflight", preflight(), served("checkout=stable no_key", "banner=%s random" % by_chance),
             response=NO_COOKIE, **numbers),
        case("one that carries a cookie all the same", preflight(cookie="uid=" + CANARY),
             served("checkout=canary split", "banner=%s random" % by_chance), response=NO_COOKIE, **numbers),
    )  # fmt: skip


def sticky():
    held = "split-checkout=" + sticky_value("checkout", "stable")
    return vector(
        "96-preflight-sticky",
        "a preflight brings no sticky cookie and is given none: the weights decide",
        policy(split(key=[{"query": "uid"}], sticky={"secret": SECRET})),
        case("a preflight", preflight(**{":path": "/?uid=" + CANARY}), served("checkout=canary split"), response=NO_COOKIE),
        case("the request", {":path": "/?uid=" + CANARY, "cookie": held}, served("checkout=stable sticky"), response=NO_COOKIE),
        case("another method is no preflight", {**preflight(**{":path": "/?uid=" + CANARY}), ":method": "POST"},
             served("checkout=canary split"), response={"set-cookie": {"prefix": "split-checkout=v1."}}),
    )  # fmt: skip


def matching():
    entries = [{"methods": ["PUT", "PATCH"], "headers": [{"name": "x-api-key", "present": True}]}, {"methods": ["DELETE"]}]
    overrides = [{"match": [{"headers": [{"name": "x-tier", "exact": "pro"}]}], "variant": "canary"}]
    applies, out = served("checkout=stable no_key"), served()
    return vector(
        "97-preflight-match",
        "a preflight takes part where its request does, as far as it says: by the method and by the headers it announces",
        policy(split(match=entries, overrides=overrides)),
        case("method and header are announced", preflight("PUT", "x-api-key,x-user-id"), applies),
        case("the header is not", preflight("PUT", "x-user-id"), out),
        case("another method", preflight("POST", "x-api-key"), out),
        case("the second entry", preflight("DELETE", "x-user-id"), applies),
        case("of the value of a header nothing is known", preflight("DELETE", "x-tier,x-user-id"), applies),
        case("OPTIONS that announces nothing", {":method": "OPTIONS", "x-user-id": CANARY, "x-api-key": "1"}, out),
    )


def answers():
    def closed(name, **more):
        one = split(name, {"closed": 100, "open": 0}, assignment="random", **more)
        one["variants"][0] = {"name": "closed", "weight": 100, "respond": {"status": 503, "body": "busy"}}
        return one

    asked = [{"path": {"prefix": "/b"}}, {"path": {"prefix": "/b"}, "methods": ["OPTIONS"]}]
    forced = [{"match": [{"methods": ["OPTIONS"]}], "variant": "closed"}]
    reply = {"status": 503, "body": "busy"}
    refused = lambda decision: {"decisions": [decision], "upstream": {}}  # noqa: E731
    return vector(
        "98-preflight-respond",
        "the proxy does not answer a preflight with a variant's `respond`, unless `methods` names OPTIONS",
        policy(
            closed("a", match=[{"path": {"prefix": "/a"}}], layer="doors"),
            closed("b", match=asked),
            closed("c", match=[{"path": {"prefix": "/c"}}], overrides=forced),
            split("rest", match=[{"path": {"prefix": "/a"}}], layer="doors"),
            layers=[{"name": "doors"}],
        ),
        case("the request is answered", user(CANARY, **{":path": "/a"}), refused("a=closed random"), reply=reply),
        case("its preflight goes on, and no other split of the layer takes it", preflight(**{":path": "/a"}), served()),
        case("OPTIONS of another kind is answered", {":method": "OPTIONS", ":path": "/a"}, refused("a=closed random"), reply=reply),
        case("asked for by match", preflight(**{":path": "/b"}), refused("b=closed random"), reply=reply),
        case("asked for by an override", preflight(**{":path": "/c"}), refused("c=closed override"), reply=reply),
    )


def vectors():
    return [keys(), new_users(), sticky(), matching(), answers()]
