//! How often a request asks the module's allocator for memory, counted in the module itself: built with an allocator
//! that counts, and otherwise the same. What the host makes us take is the box of the stream, which the SDK wants,
//! and a block for each call that returns bytes.

use harness::module::counting_host;
use harness::wasm_host::{Headers, Response, WasmHost};
use serde_json::{Value, json};

use super::host_calls::{demo, two_splits, with};

/// Requests before the one that counts: whatever grows has grown.
const WARM: usize = 200;

/// The calls of the host that return bytes, for each a block of memory.
const RETURN_BYTES: [&str; 4] = [
    "proxy_get_header_map_pairs",
    "proxy_get_header_map_value",
    "proxy_get_property",
    "proxy_get_shared_data",
];

/// For each callback how often it allocates, and for how many of them the host asks.
fn allocations(policy: &Value, request: &Headers) -> Vec<(&'static str, u64, usize)> {
    let mut host = counting_host();
    assert!(host.configure(policy.to_string().as_bytes()).unwrap(), "{:#?}", host.logs());
    let exchange = |host: &mut WasmHost| host.exchange(request, &Response::status(200)).unwrap();
    for _ in 0..WARM {
        exchange(&mut host);
    }
    host.record();
    exchange(&mut host);
    let visits = host.recorded().into_iter().map(|visit| {
        let blocks = visit.calls.iter().filter(|call| RETURN_BYTES.contains(&call.as_str()));
        let counted = visit.allocations.expect("this module counts");
        (visit.callback, counted, blocks.count())
    });
    visits.collect()
}

const CREATE: &str = "proxy_on_context_create";
const REQUEST: &str = "proxy_on_request_headers";
const RESPONSE: &str = "proxy_on_response_headers";
const DELETE: &str = "proxy_on_delete";

fn user() -> Headers {
    Headers::get("shop.example.com", "/api/cart").with("x-user-id", "ada")
}

#[test]
fn a_request_allocates_its_stream_and_what_the_host_hands_over() {
    let cookie = Headers::get("shop.example.com", "/api/cart").with("cookie", "a=b; uid=ada");
    let other = Headers::get("home.example.com", "/").with("x-user-id", "ada");
    let matched = [(CREATE, 1, 0), (REQUEST, 1, 1), (RESPONSE, 1, 1), (DELETE, 0, 0)];
    let no_status = [(CREATE, 1, 0), (REQUEST, 1, 1), (RESPONSE, 0, 0), (DELETE, 0, 0)];
    let mut edited = demo();
    for variant in edited["splits"][0]["variants"].as_array_mut().unwrap() {
        variant["request_headers"] = json!({"set": [{"name": "x-theme", "value": "dark"}]});
    }
    edited["splits"][0]["mirror"] = json!({"cluster": "shadow", "percent": 100});
    let mut guarded = demo();
    guarded["splits"][0]["guard"] = json!({"errors": {"ratio": 1.5}});
    for (about, policy, request, wanted) in [
        ("a split matches", demo(), &user(), matched),
        ("the user is known by a cookie", demo(), &cookie, matched),
        ("no split matches", demo(), &other, no_status),
        ("`outcomes: off`", with("outcomes", json!("off")), &user(), no_status),
        ("an edit and a mirror", edited, &user(), matched),
        ("a guard", guarded, &user(), matched),
        (
            "the response has the variant too",
            with("response_variant_header", json!("x-v")),
            &user(),
            matched,
        ),
    ] {
        assert_eq!(allocations(&policy, request), wanted, "{about}");
    }
}

#[test]
fn a_list_of_variants_or_of_headers_is_one_allocation_more() {
    let several = [(CREATE, 1, 0), (REQUEST, 2, 1), (RESPONSE, 1, 1), (DELETE, 0, 0)];
    assert_eq!(allocations(&two_splits(), &user()), several, "the variant header of two splits");
    assert_eq!(allocations(&with("vary", json!(true)), &user()), several, "what a cache must know");
}

#[test]
fn a_cookie_that_is_set_is_what_a_new_user_allocates_more() {
    let mut sticky = demo();
    sticky["splits"][0]["sticky"] = json!({"secret": "0123456789abcdef"});
    let [.., (callback, counted, blocks), _] = allocations(&sticky, &user())[..] else { panic!() };
    // Which cookies are set already is a list.
    assert_eq!((callback, counted, blocks), (RESPONSE, 2, 1));

    let mut generated = demo();
    generated["splits"][0]["key"] = json!([{"cookie": "uid"}, {"generate": {"cookie": "uid"}}]);
    let page = Headers::get("shop.example.com", "/api/cart");
    let [.., (callback, counted, blocks), _] = allocations(&generated, &page)[..] else { panic!() };
    // The list, and the cookie.
    assert_eq!((callback, counted, blocks), (RESPONSE, 3, 1));
}
