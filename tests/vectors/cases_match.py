"""Who takes part, and how users are known."""

import base64
import json
import urllib.parse

from cases import HALF, case, find, policy, served, split, user, variant, vector

CANARY = find(lambda key: variant("checkout", key, HALF) == "canary")
TAKES_PART = served("checkout=canary split")
STAYS_OUT = served()


def judged(about, request, takes_part, **more):
    """A canary's request that takes part, or does not."""
    request = {"x-user-id": CANARY, **request}
    return case(about, request, TAKES_PART if takes_part else STAYS_OUT, **more)


def by_match(*entries, **more):
    return policy(split(match=list(entries)), **more)


def cookies():
    return vector(
        "11-match-cookies",
        "who takes part: conditions on cookies; of several of one name the first counts",
        by_match(
            {"cookies": [{"name": "beta", "exact": "on"}, {"name": "lang", "present": True}]},
            {"cookies": [{"name": "plan", "in": ["pro", "team"]}, {"name": "beta", "present": False}]},
        ),
        judged("all of an entry", {"cookie": "beta=on; lang=de"}, True),
        judged("on two lines", {"cookie": ["lang=de", "a=1; beta=on"]}, True),
        judged("quotes and blanks are not part of a value", {"cookie": 'beta = "on" ;lang='}, True),
        judged("one of two is missing", {"cookie": "beta=on"}, False),
        judged("another value", {"cookie": "beta=off; lang=de"}, False),
        judged("the first of a name counts", {"cookie": "beta=off; beta=on; lang=de"}, False),
        judged("a name only looks alike", {"cookie": "xbeta=on; lang=de; Beta=on"}, False),
        judged("the second entry", {"cookie": "plan=team"}, True),
        judged("what must not be there is there", {"cookie": "plan=team; beta=off"}, False),
        judged("a cookie without `=` is none", {"cookie": "plan=team; beta"}, True),
        judged("no cookies", {}, False),
    )


def query():
    return vector(
        "12-match-query",
        "who takes part: conditions on query parameters, decoded",
        by_match(
            {"path": {"prefix": "/search"}, "query": [{"name": "q", "exact": "tea & cake"}]},
            {"query": [{"name": "preview", "present": True}, {"name": "page", "range": {"from": 1, "to": 10}}]},
        ),
        judged("percent-encoded", {":path": "/search?q=tea%20%26%20cake"}, True),
        judged("plus signs are spaces", {":path": "/search?a=1&q=tea+%26+cake"}, True),
        judged("the name is decoded too", {":path": "/search?%71=tea%20%26%20cake"}, True),
        judged("another value", {":path": "/search?q=tea"}, False),
        judged("the first of a name counts", {":path": "/search?q=x&q=tea+%26+cake"}, False),
        judged("no query", {":path": "/search"}, False),
        judged("a parameter without value is present", {":path": "/?preview&page=9"}, True),
        judged("a number outside of the range", {":path": "/?preview&page=10"}, False),
        judged("no number", {":path": "/?preview&page=two"}, False),
    )


def source_ip():
    inside = {"source_ip": ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"]}
    return vector(
        "13-match-source-ip",
        "who takes part: the connection's address, v4 and v6",
        by_match(inside),
        judged("in a network", {}, True, client="10.200.3.4:5000"),
        judged("a single address", {}, True, client="192.0.2.7:1"),
        judged("its neighbour", {}, False, client="192.0.2.8:1"),
        judged("v6", {}, True, client="[2001:db8:1::5]:443"),
        judged("v6 of another network", {}, False, client="[2001:db9::1]:443"),
        judged("v4 in v6 clothes is v4", {}, True, client="[::ffff:10.0.0.1]:443"),
        judged("what clients say of themselves does not count", {"x-forwarded-for": "10.0.0.1"}, False, client="198.51.100.1:1"),
        judged("an address that is none", {}, False, client="envoy://internal"),
    )


def forwarded_for():
    return vector(
        "14-match-forwarded-for",
        "who takes part: the address that the second of two trusted proxies saw",
        by_match({"source_ip": ["10.0.0.0/8"]}, client_ip={"trusted_hops": 2}),
        judged("the second from the right", {"x-forwarded-for": "10.1.1.1, 203.0.113.9"}, True),
        judged("what lies further left is whatever the client sent", {"x-forwarded-for": "10.1.1.1, 198.51.100.1, 203.0.113.9"}, False),
        judged("several lines are one list", {"x-forwarded-for": ["198.51.100.1", "10.1.1.1", "203.0.113.9"]}, True),
        judged("with a port", {"x-forwarded-for": "10.1.1.1:4711, 203.0.113.9"}, True),
        judged("garbage at its place is no address", {"x-forwarded-for": "unknown, 203.0.113.9"}, False),
        judged("too few proxies: the connection's address", {"x-forwarded-for": "203.0.113.9"}, True, client="10.9.9.9:1"),
    )


def values():
    tests = [
        {"name": "x-agent", "contains": "Mobile", "ignore_case": True},
        {"name": "x-build", "regex": "v[0-9]+(\\.[0-9]+)*"},
        {"name": "x-mail", "suffix": "@example.com"},
        {"name": "x-age", "range": {"from": 18, "to": 65}},
        {"name": "x-region", "prefix": "eu-", "not": True},
    ]
    good = {"x-agent": "some MOBILE phone", "x-build": "v2.10", "x-mail": "ada@example.com", "x-age": "18", "x-region": "us-1"}
    return vector(
        "15-match-value-tests",
        "who takes part: every form of a value test",
        by_match({"headers": tests}),
        judged("all hold", good, True),
        judged("contains is wherever it is", {**good, "x-agent": "mobile"}, True),
        judged("contains is not there", {**good, "x-agent": "mobil"}, False),
        judged("a regex is about the whole value", {**good, "x-build": "v2.10-rc"}, False),
        judged("also at its begin", {**good, "x-build": "xv2"}, False),
        judged("a suffix", {**good, "x-mail": "ada@example.com.test"}, False),
        judged("case counts where it is not ignored", {**good, "x-mail": "ada@EXAMPLE.com"}, False),
        judged("a range ends before its end", {**good, "x-age": "65"}, False),
        judged("a range is of whole numbers", {**good, "x-age": "20.5"}, False),
        judged("not: the value that is not wanted", {**good, "x-region": "eu-west"}, False),
        judged("not: an absent value meets nothing", {n: v for n, v in good.items() if n != "x-region"}, False),
        judged("bytes that are no text are no regex's", {**good, "x-build": {"hex": "7631ff"}}, False),
    )


def paths():
    return vector(
        "16-match-path",
        "who takes part: paths by regex and by raw prefix",
        by_match({"path": {"regex": "/(cart|order)s?/[0-9]+"}}, {"path": {"raw_prefix": "/v2"}}),
        judged("the whole path", {":path": "/carts/7?x=1"}, True),
        judged("not a part of it", {":path": "/carts/7/items"}, False),
        judged("not after something else", {":path": "/api/cart/7"}, False),
        judged("a raw prefix ends anywhere", {":path": "/v2beta/x"}, True),
        judged("but begins at the begin", {":path": "/api/v2"}, False),
    )


def hosts():
    names = by_match({"hosts": ["shop.example.com", "*.example.net.", "[2001:db8::a]", "192.0.2.7"]})
    return vector(
        "17-match-host",
        "who takes part: hosts, in any spelling of a name or an address",
        names,
        judged("as it is written", {":authority": "shop.example.com"}, True),
        judged("with the dot of an absolute name", {":authority": "shop.example.com."}, True),
        judged("with dot and port, in another case", {":authority": "Shop.Example.COM.:8443"}, True),
        judged("two dots are no name", {":authority": "shop.example.com.."}, False),
        judged("below a pattern that has the dot itself", {":authority": "a.b.example.net"}, True),
        judged("both with the dot", {":authority": "a.example.net."}, True),
        judged("the suffix itself is not below it", {":authority": "example.net."}, False),
        judged("an address in its shortest form", {":authority": "[2001:db8::a]"}, True),
        judged("with leading zeros, in upper case, with a port", {":authority": "[2001:0DB8:0:0:0:0:0:000A]:8080"}, True),
        judged("another address", {":authority": "[2001:db8::b]"}, False),
        judged("v4 in v6 clothes is v4", {":authority": "[::ffff:192.0.2.7]:80"}, True),
        judged("also in hexadecimal", {":authority": "[::FFFF:C000:207]"}, True),
        judged("its neighbour", {":authority": "[::ffff:c000:208]"}, False),
    )


def by_key(about, key, request, **more):
    """A request with a key that the weights decide by."""
    return case(about, request, served("checkout=%s split" % variant("checkout", key, HALF)), **more)


def no_key(about, request, **more):
    return case(about, request, served("checkout=stable no_key"), **more)


def key_query():
    return vector(
        "20-key-query",
        "how users are known: a query parameter, decoded",
        policy(split(key=[{"query": "uid"}])),
        by_key("plain", "ada", {":path": "/?uid=ada"}),
        *[by_key("user %d" % n, "user-%d" % n, {":path": "/x?a=1&uid=user-%d" % n}) for n in range(8)],
        by_key("decoded", "ada & bob/ü", {":path": "/?uid=ada+%26%20bob/%C3%BC"}),
        by_key("bytes that are no text", b"\xff", {":path": "/?uid=%ff"}),
        by_key("the first that is not empty", "bob", {":path": "/?uid=&uid&uid=bob"}),
        no_key("not there", {":path": "/?UID=ada&xuid=1"}),
        no_key("in the fragment alone", {":path": "/#?uid=ada"}),
    )


def encoded(text):
    """As `encodeURIComponent` writes it."""
    return urllib.parse.quote(text, safe="!'()*")


def in_base64(text):
    return base64.b64encode(text.encode()).decode()


def key_percent():
    mail = "bob+1@example.com"
    key = [{"cookie": "email", "decode": ["percent"]}, {"query": "email"}, {"header": "x-email"}]
    return vector(
        "27-key-cookie-percent",
        "how users are known: a cookie that is percent-encoded gives the key that the header gives",
        policy(split(key=key)),
        by_key("by the header", mail, {"x-email": mail}),
        by_key("by a link", mail, {":path": "/?email=" + encoded(mail)}),
        by_key("by the cookie", mail, {"cookie": "a=1; email=" + encoded(mail)}),
        *[by_key("user %d" % n, "bob%d@example.com" % n, {"cookie": "email=bob%d%%40example.com" % n}) for n in range(8)],
        by_key("what is not encoded is itself", mail, {"cookie": "email=" + mail}),
        by_key("quotes around it do not count", mail, {"cookie": "email=" + encoded('"%s"' % mail)}),
        by_key("a percent sign that encodes nothing is itself", "100%&%zz%4", {"cookie": "email=100%&%zz%4"}),
        by_key("bytes that are no text", b"\xff\x00", {"cookie": "email=%ff%00"}),
        by_key("an empty one is none", mail, {"cookie": "email=; email=%22%22", "x-email": mail}),
    )


def key_json():
    key = [
        {"cookie": "userInfo", "decode": ["percent"], "json": "userCode"},
        {"cookie": "device", "decode": ["base64", "percent"], "json": "deviceId"},
        {"cookie": "token", "decode": ["base64"]},
        {"header": "x-user-id"},
    ]
    info = lambda document: {"cookie": "userInfo=" + encoded(document)}  # noqa: E731
    plain = '{"userCode":"001","ts":%d}'
    device = in_base64(encoded(json.dumps({"deviceId": "d-7", "at": 1})))
    other = lambda about, cookie: by_key(about, "ada", user("ada", cookie=cookie))  # noqa: E731
    return vector(
        "28-key-cookie-json",
        "how users are known: a field of a JSON object in a cookie, in any of the encodings; what is not so is no key",
        policy(split(key=key)),
        *[by_key("one user, whatever else changes", "001", info(plain % at)) for at in (1700000001, 1700000002)],
        by_key("not encoded at all", "001", {"cookie": "userInfo=" + plain % 3}),
        by_key("as Express writes it", "001", info("j:" + plain % 4)),
        by_key("escapes", 'a"ü\n', info(json.dumps({"userCode": 'a"ü\n'}))),
        by_key("a number is its digits", "9007199254740993", info('{"userCode": 9007199254740993}')),
        by_key("a boolean is its word", "true", info('{"userCode": true}')),
        by_key("the last of a name", "2", info('{"userCode":"1","userCode":"2"}')),
        by_key("percent-encoded in base64", "d-7", {"cookie": "device=" + device}),
        by_key("without `=` at its end", "d-7", {"cookie": "device=" + device.rstrip("=")}),
        by_key("base64", "ada??>", {"cookie": "token=" + in_base64("ada??>")}),
        by_key("of the other alphabet", "ada??>", {"cookie": "token=" + in_base64("ada??>").replace("/", "_").replace("+", "-")}),
        other("no base64", "token=Y!"),
        other("cut short", "token=YWRhY"),
        other("no such field", info('{"ts":1}')["cookie"]),
        other("null", info('{"userCode":null}')["cookie"]),
        other("an object, which changes as it likes", info('{"userCode":{"a":1}}')["cookie"]),
        other("a list", info('{"userCode":["001"]}')["cookie"]),
        other("a fraction", info('{"userCode":1.5}')["cookie"]),
        other("no JSON", info('{"userCode":"001"')["cookie"]),
        other("JSON and more", info('{"userCode":"001"}}')["cookie"]),
        other("no object", info('"userCode"')["cookie"]),
        other("bytes that are no text", "userInfo=%7B%22userCode%22%3A%22%ff%22%7D"),
        by_key("the first cookie of its name that has it", "002", {"cookie": "userInfo=x; userInfo=" + encoded('{"userCode":"002"}')}),
    )


def key_jwt():
    key = [{"jwt": {"provider": "payload", "claim": "sub"}}, {"header": "x-user-id"}]
    ada = {"payload": {"sub": "ada", "tier": "pro"}}
    return vector(
        "21-key-jwt",
        "how users are known: a claim of a token that was checked before",
        policy(split(key=key)),
        by_key("the claim", "ada", {}, jwt=ada),
        by_key("before a later source", "ada", user("bob"), jwt=ada),
        by_key("another provider is not asked", "bob", user("bob"), jwt={"other": {"sub": "ada"}}),
        by_key("an empty claim is none", "bob", user("bob"), jwt={"payload": {"sub": ""}}),
        by_key("a number is its decimal text", "42", {}, jwt={"payload": {"sub": 42}}),
        by_key("a fraction too", "1.5", {}, jwt={"payload": {"sub": 1.5}}),
        by_key("of 8 bytes, and a text", "12345678", {}, jwt={"payload": {"sub": "12345678"}}),
        by_key("beyond 2^53 it is the nearest double", "9007199254740992", {}, jwt={"payload": {"sub": 9007199254740993}}),
        by_key("a truth is a word", "true", {}, jwt={"payload": {"sub": True}}),
        by_key("an object is no key", "bob", user("bob"), jwt={"payload": {"sub": {"id": "77", "org": "acme"}}}),
        by_key("a list is none", "bob", user("bob"), jwt={"payload": {"sub": ["77"]}}),
        by_key("nor is null", "bob", user("bob"), jwt={"payload": {"sub": None}}),
        no_key("no token", {}),
    )


def key_client_ip():
    return vector(
        "22-key-client-ip",
        "how users are known: the connection's address, without port",
        policy(split(key=[{"client_ip": True}])),
        *[by_key("v4, host %d" % n, "203.0.113.%d" % n, {}, client="203.0.113.%d:%d" % (n, 1000 + n)) for n in range(1, 7)],
        by_key("v6 in its short form", "2001:db8::1", {}, client="[2001:0db8:0:0:0:0:0:1]:443"),
        by_key("v4 in v6 clothes", "203.0.113.1", {}, client="[::ffff:203.0.113.1]:443"),
        no_key("no address", {}, client="/var/run/socket"),
    )


def key_header_or_address():
    one = split(key=[{"header": "x-user-id"}, {"client_ip": True}], algorithm="rendezvous")
    one["variants"][1]["max_weight"] = 50
    return vector(
        "19-key-header-or-address",
        "how users are known: by a header, and by the address where there is none",
        policy(one),
        *[by_key("host %d" % n, "203.0.113.%d" % n, {}, client="203.0.113.%d:%d" % (n, 1000 + n)) for n in range(1, 5)],
        by_key("the header comes first", "ada", user("ada"), client="203.0.113.1:1001"),
    )


def key_forwarded_for():
    return vector(
        "23-key-forwarded-for",
        "how users are known: the address that a trusted proxy has reported",
        policy(split(key=[{"client_ip": True}]), client_ip={"trusted_hops": 1}),
        *[by_key("host %d" % n, "203.0.113.%d" % n, {"x-forwarded-for": "10.0.0.1, 203.0.113.%d" % n}) for n in range(1, 7)],
        by_key("v6", "2001:db8::1", {"x-forwarded-for": "2001:DB8::1"}),
        no_key("garbage", {"x-forwarded-for": "203.0.113.1, _hidden"}),
    )


def forms():
    """Every form of a test, of a cookie and of a query parameter."""
    good = {"has": "a-mid-z", "from": "eu-1", "to": "x-prod", "like": "v12", "old": "18", "any": "b", "out": "x", "loud": "BETA"}
    tests = [
        {"name": "has", "contains": "mid"},
        {"name": "from", "prefix": "eu-"},
        {"name": "to", "suffix": "-prod"},
        {"name": "like", "regex": "v[0-9]+"},
        {"name": "old", "range": {"from": 18, "to": 65}},
        {"name": "any", "in": ["a", "b"]},
        {"name": "out", "exact": "y", "not": True},
        {"name": "loud", "exact": "beta", "ignore_case": True},
    ]
    bad = {"has": "a-z", "from": "us-1", "to": "x-test", "like": "w12", "old": "65", "any": "c", "out": "y", "loud": "gamma"}

    def sent(where, values):
        pairs = ["%s=%s" % pair for pair in values.items()]
        return {"cookie": "; ".join(pairs)} if where == "cookies" else {":path": "/?" + "&".join(pairs)}

    def of(where, number):
        return vector(
            "%d-match-%s-forms" % (number, where),
            "who takes part: every form of a test, of " + ("cookies" if where == "cookies" else "query parameters"),
            by_match({where: tests}),
            judged("all hold", sent(where, good), True),
            *[judged("all but `%s`" % name, sent(where, {**good, name: bad[name]}), False) for name in bad],
        )

    return [of("cookies", 17), of("query", 18)]


def vectors():
    return [
        cookies(), query(), source_ip(), forwarded_for(), values(), paths(), hosts(), *forms(),
        key_percent(), key_json(), key_query(), key_jwt(), key_client_ip(), key_header_or_address(), key_forwarded_for(),
    ]  # fmt: skip
