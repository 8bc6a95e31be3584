//! What each path of a request asks of the host. That is most of what a request costs, and it is exact where time is
//! noisy: who adds a call sees here what it costs, and on which paths.

use std::fmt::Write as _;

use harness::wasm_host::{Headers, Response, WasmHost};
use serde_json::{Value, json};

use super::prices::{prices, words};

/// What becomes of a request.
#[derive(Clone, Copy)]
enum Answer {
    /// An upstream's response with this status.
    Upstream(u16),
    /// The same, and it was the answer to an equal request before.
    Again(u16),
    /// A response whose only headers say this gRPC status.
    AtOnce(&'static str),
    /// A response that ends with this gRPC status.
    AtLast(&'static str),
    /// The filter's own reply.
    Own,
    /// None: the client goes away before there is one.
    Gone,
}

/// One way through the filter.
struct Path {
    /// What is special.
    about: &'static str,
    policy: Value,
    request: Headers,
    answer: Answer,
    /// The callbacks, and in each the calls in their order, in the words of prices.rs.
    calls: &'static str,
}

/// Everything that a request of the demo does.
const MATCHED: &str = "create: | request: headers clock set set count | response: header | delete: clock count record";
/// The same where nothing is counted at the end.
const NO_OUTCOME: &str = "create: | request: headers set set count | response: | delete:";

use Answer::{Again, AtLast, AtOnce, Gone, Own, Upstream};

/// The table: each path, how a request takes it, and what it calls.
#[rustfmt::skip] // A row is three lines, whatever their length.
fn paths() -> Vec<Path> {
    let row = |about, policy, request: &Headers, answer, calls| {
        Path { about, policy, request: request.clone(), answer, calls }
    };
    let api = Headers::get("shop.example.com", "/api/cart");
    let user = api.clone().with("x-user-id", "ada");
    let home = Headers::get("home.example.com", "/").with("x-user-id", "ada");
    let grpc = user.clone().with("content-type", "application/grpc");
    let grpc_home = home.clone().with("content-type", "application/grpc");
    let guarded = of_split("guard", json!({"errors": {"ratio": 1.5}}));
    let new = json!([{"cookie": "uid"}, {"generate": {"cookie": "uid"}}]);
    let address = json!([{"header": "x-user-id"}, {"client_ip": true}]);
    let claim = json!([{"header": "x-user-id"}, {"jwt": {"provider": "idp", "claim": "sub"}}]);
    let sticky = json!({"secret": "0123456789abcdef"});
    let by_address = json!([{"path": {"prefix": "/api/"}, "source_ip": ["192.0.2.0/24"]}]);
    let edit = json!({"set": [{"name": "x-theme", "value": "dark"}]});

    vec![
        row("a split matches",
            demo(), &user, Upstream(200),
            MATCHED),
        row("an answer of 5xx: users whom it fails are counted",
            demo(), &user, Upstream(503),
            "create: | request: headers clock set set count | response: header | delete: clock count record time shared share count"),
        row("the same for the same user again",
            demo(), &user, Again(503),
            "create: | request: headers clock set set count | response: header | delete: clock count record time shared"),
        row("no split matches",
            demo(), &home, Upstream(200),
            "create: | request: headers | response: | delete:"),
        row("no splits at all",
            json!({"version": 1, "splits": []}), &user, Upstream(200),
            "create: | request: headers | response: | delete:"),
        row("no response",
            demo(), &user, Gone,
            "create: | request: headers clock set set count | delete: property clock property count record"),
        row("no split matches, and no response",
            demo(), &home, Gone,
            "create: | request: headers | delete:"),
        row("an override instead of the weights",
            demo(), &user.clone().with("x-canary", "true"), Upstream(200),
            MATCHED),
        row("no key, so the baseline",
            demo(), &api, Upstream(200),
            MATCHED),
        row("`outcomes: off`",
            with("outcomes", json!("off")), &user, Upstream(200),
            NO_OUTCOME),
        row("`outcomes: envoy`",
            with("outcomes", json!("envoy")), &user, Upstream(200),
            NO_OUTCOME),
        row("`filter_state: true`",
            with("filter_state", json!(true)), &user, Upstream(200),
            "create: | request: headers clock set set count state | response: header | delete: clock count record"),
        row("`filter_state: evidence`: one state more",
            with("filter_state", json!("evidence")), &user, Upstream(200),
            "create: | request: headers clock set set count state state | response: header | delete: clock count record"),
        row("the same for a user who is forced: the key is looked for, which is no call where a header has it",
            with("filter_state", json!("evidence")), &user.clone().with("x-canary", "true"), Upstream(200),
            "create: | request: headers clock set set count state state | response: header | delete: clock count record"),
        row("`variant_header: null`, and so filter state",
            with("variant_header", json!(null)), &user, Upstream(200),
            "create: | request: headers clock set count state | response: header | delete: clock count record"),
        row("`response_variant_header`",
            with("response_variant_header", json!("x-variant")), &user, Upstream(200),
            "create: | request: headers clock set set count | response: header set | delete: clock count record"),
        row("`vary`",
            with("vary", json!(true)), &user, Upstream(200),
            "create: | request: headers clock set set count | response: header add | delete: clock count record"),
        row("`baggage`",
            with("baggage", json!(true)), &user, Upstream(200),
            "create: | request: headers clock set set set count | response: header | delete: clock count record"),
        row("`sticky`, a user's first visit",
            of_split("sticky", sticky.clone()), &user, Upstream(200),
            "create: | request: headers clock set set count | response: header add add | delete: clock count record"),
        row("`sticky`, the cookie held back from a failed answer",
            of_split("sticky", sticky.clone()), &user, Upstream(503),
            "create: | request: headers clock set set count | response: header | delete: clock count record time shared share count"),
        row("`sticky` with `outcomes: off`: the status is for the cookie alone",
            of_split_in(with("outcomes", json!("off")), "sticky", sticky), &user, Upstream(200),
            "create: | request: headers set set count | response: header add add | delete:"),
        row("`generate`, a new visitor: the number of the request, no call, makes the id",
            of_split("key", new.clone()), &api, Upstream(200),
            "create: | request: headers clock set set count count | response: header add add | delete: clock count record"),
        row("`generate`, a visitor who is known",
            of_split("key", new), &api.clone().with("cookie", "uid=1"), Upstream(200),
            MATCHED),
        row("`assignment: random`: no call for the number",
            of_split("assignment", json!("random")), &user, Upstream(200),
            MATCHED),
        row("`ramp`: the time",
            ramping(), &user, Upstream(200),
            "create: | request: headers time clock set set count | response: header | delete: clock count record"),
        row("`request_headers`: one is set",
            of_variants("request_headers", edit), &user, Upstream(200),
            "create: | request: headers clock set set set count | response: header | delete: clock count record"),
        row("`mirror` of all requests",
            of_split("mirror", json!({"cluster": "shadow", "percent": 100})), &user, Upstream(200),
            "create: | request: headers clock set set set count | response: header | delete: clock count record"),
        row("`respond`: the filter answers",
            of_variants("respond", json!({"status": 403})), &user, Own,
            "create: | request: headers clock set count reply | response: header | delete: clock count record"),
        row("a guard: a request that went well",
            guarded.clone(), &user, Again(200),
            MATCHED),
        row("a guard: the first request of a user, who is counted",
            guarded.clone(), &user, Upstream(200),
            "create: | request: headers clock count set set count | response: header | delete: clock count record"),
        row("a guard: a user's request fails",
            guarded.clone(), &user, Upstream(503),
            "create: | request: headers clock count set set count | response: header | delete: clock count record time shared share count"),
        row("a guard: it fails again",
            guarded.clone(), &user, Again(503),
            "create: | request: headers clock set set count | response: header | delete: clock count record time shared"),
        row("a guard: the client goes away",
            guarded, &user, Gone,
            "create: | request: headers clock count set set count | delete: property clock property count record"),
        row("a gRPC call that fails at once",
            demo(), &grpc, AtOnce("5"),
            MATCHED),
        row("a gRPC call with its status at the end",
            demo(), &grpc, AtLast("0"),
            "create: | request: headers clock set set count | response: header | trailers: header | delete: clock count record"),
        row("a gRPC call that no split matches",
            demo(), &grpc_home, AtLast("0"),
            "create: | request: headers | response: | trailers: | delete:"),
        row("a gRPC call that is cut off",
            demo(), &grpc, Upstream(200),
            "create: | request: headers clock set set count | response: header | delete: clock property property count record time shared share count"),
        row("a response that is not gRPC with trailers",
            demo(), &user, AtLast("0"),
            "create: | request: headers clock set set count | response: header | trailers: | delete: clock count record"),
        row("the client's address as a second source of the key, and the first is there",
            of_split("key", address.clone()), &user, Upstream(200),
            MATCHED),
        row("the same, and the first is not there",
            of_split("key", address), &api, Upstream(200),
            "create: | request: headers property clock set set count | response: header | delete: clock count record"),
        row("a condition on the client's address",
            of_split("match", by_address.clone()), &user, Upstream(200),
            "create: | request: headers property clock set set count | response: header | delete: clock count record"),
        row("the same where the path rules it out",
            of_split("match", by_address), &home, Upstream(200),
            "create: | request: headers | response: | delete:"),
        row("a claim as a second source of the key, and the first is there",
            of_split("key", claim.clone()), &user, Upstream(200),
            MATCHED),
        row("the same, and the first is not there",
            of_split("key", claim), &api, Upstream(200),
            "create: | request: headers property clock set set count | response: header | delete: clock count record"),
        row("two splits on one request: both headers are set once, each split counts",
            two_splits(), &user, Upstream(200),
            "create: | request: headers clock set set count count | response: header | delete: clock count record count record"),
        row("headers that only the filter sets, from a client: was there an earlier leg?",
            demo(), &user.clone().with("x-split-variant", "checkout=canary"), Upstream(200),
            "create: | request: headers property clock set set count | response: header | delete: clock count record"),
        row("the same where no split matches: what is forged is removed",
            demo(), &home.with("x-split-variant", "checkout=canary"), Upstream(200),
            "create: | request: headers property remove | response: | delete:"),
    ]
}

#[test]
fn each_path_asks_the_host_for_this_and_no_more() {
    let mut wrong = String::new();
    for path in paths() {
        let found = calls(&path);
        if found != path.calls {
            let _ =
                write!(wrong, "\n{}\n  pinned: {}\n  found:  {found}\n", path.about, path.calls);
            prices(&mut wrong, path.calls, &found);
        }
    }
    assert!(
        wrong.is_empty(),
        "paths of a request call the host otherwise than tests/module/host_calls.rs says; \
         where the price is worth it, change the row, and docs/cost.md:\n{wrong}"
    );
}

#[test]
fn a_tick_writes_the_gauge_of_every_weight_again() {
    let tick = |splits: usize, guarded: bool| {
        let split = |n: usize| {
            let mut split = demo()["splits"][0].take();
            split["name"] = json!(format!("s{n}"));
            if guarded {
                split["guard"] = json!({"errors": {"ratio": 1.5}});
            }
            split
        };
        let policy = json!({"version": 1, "splits": (0..splits).map(split).collect::<Vec<_>>()});
        let mut host = super::running(&policy);
        host.tick().unwrap();
        host.record();
        host.tick().unwrap();
        let [tick] = &host.recorded()[..] else { panic!("one configuration, one tick") };
        words(tick)
    };
    for splits in [1, 1_000] {
        let weights = " record".repeat(2 * splits);
        // The stamp that says which plugin shows its policy; the policy's hash; two weights of each split.
        let plain = format!("proxy_on_tick: time shared share record{weights}");
        assert_eq!(tick(splits, false), plain);
        // Did anything trip elsewhere? And whether the canary of each split is out.
        let guarded = format!("proxy_on_tick: shared time shared share record{weights}");
        assert_eq!(tick(splits, true), guarded + &" record".repeat(splits));
    }
}

/// What a request of this path calls, in the words of the table.
fn calls(path: &Path) -> String {
    let mut host = super::running(&path.policy);
    // Until then the policy is not in force.
    host.tick().unwrap();
    host.set_property(&["source", "address"], "192.0.2.5:4711");
    if let Again(_) = path.answer {
        exchange(&mut host, path);
    }
    host.record();
    exchange(&mut host, path);
    host.recorded().iter().map(words).collect::<Vec<_>>().join(" | ")
}

fn exchange(host: &mut WasmHost, path: &Path) {
    let asked = host.request(&path.request).unwrap();
    let response = match path.answer {
        Upstream(status) | Again(status) => Some(Response::status(status)),
        AtOnce(status) => Some(Response::status(200).with("grpc-status", status)),
        AtLast(_) => Some(Response::status(200)),
        Own => asked.local_reply.as_ref().map(Response::from),
        Gone => None,
    };
    assert_eq!(asked.local_reply.is_some(), matches!(path.answer, Own), "{}", path.about);
    if let Some(response) = response {
        host.respond(asked.stream, &response).unwrap();
    }
    if let AtLast(status) = path.answer {
        host.trailers(asked.stream, &Headers::new().with("grpc-status", status)).unwrap();
    }
    host.finish(asked.stream).unwrap();
}

/// The policy of the demo, as in envoy/policy.yaml.
pub(crate) fn demo() -> Value {
    json!({"version": 1, "splits": [{
        "name": "checkout", "key": [{"header": "x-user-id"}, {"cookie": "uid"}], "baseline": "stable",
        "match": [{"hosts": ["shop.example.com"], "path": {"prefix": "/api/"}}],
        "variants": [{"name": "stable", "cluster": "checkout-v1", "weight": 95},
                     {"name": "canary", "cluster": "checkout-v2", "weight": 5}],
        "overrides": [{"match": [{"headers": [{"name": "x-api-tier", "exact": "premium"}]}], "variant": "stable"},
                      {"match": [{"headers": [{"name": "x-canary", "exact": "true"}]}], "variant": "canary"}],
    }]})
}

/// The same with a field more.
pub(crate) fn with(field: &str, value: Value) -> Value {
    let mut policy = demo();
    policy[field] = value;
    policy
}

/// The same with a field of its split more, or another.
fn of_split(field: &str, value: Value) -> Value {
    of_split_in(demo(), field, value)
}

fn of_split_in(mut policy: Value, field: &str, value: Value) -> Value {
    policy["splits"][0][field] = value;
    policy
}

/// The same with a field of both variants more.
fn of_variants(field: &str, value: Value) -> Value {
    let mut policy = demo();
    for variant in policy["splits"][0]["variants"].as_array_mut().unwrap() {
        variant[field] = value.clone();
        if field == "respond" {
            variant.as_object_mut().unwrap().remove("cluster");
        }
    }
    policy
}

/// The same with a ramp that has not begun.
fn ramping() -> Value {
    of_split("ramp", super::ramping()["splits"][0]["ramp"].clone())
}

/// The same with a second split that applies to the same requests.
pub(crate) fn two_splits() -> Value {
    let mut policy = demo();
    let mut second = policy["splits"][0].clone();
    second["name"] = json!("search");
    policy["splits"].as_array_mut().unwrap().push(second);
    policy
}
