//! The same user always gets the same variant, whichever proxy, worker, connection or version of
//! HTTP carries the request.

use lab::{Options, Request};

use crate::bench::{Bench, checkout, user};
use crate::native::Native;

const USERS: u32 = 400;

/// The clusters that answer, in the order of the requests.
fn clusters(bench: &Bench, requests: Vec<Request>, connections: usize) -> Vec<String> {
    let answers = bench.load(requests, connections).unwrap();
    answers
        .iter()
        .map(|answer| answer.cluster().expect("an upstream's answer").to_owned())
        .collect()
}

#[test]
fn two_envoys_and_two_versions_of_http_serve_a_user_the_same_variant() {
    let policy = checkout(50.0);
    let native = Native::new(&policy);
    let wanted: Vec<String> = (0..USERS).map(|number| native.cluster(&user(number))).collect();
    let one = Bench::start(&policy);
    let other = Bench::with(&policy, Options { concurrency: 1, ..Options::default() });
    assert_ne!(one.listener(), other.listener());
    for bench in [&one, &other] {
        for connections in [1, 6] {
            let first: Vec<Request> = (0..USERS).map(user).collect();
            let second = first.iter().cloned().map(Request::http2).collect();
            assert_eq!(
                clusters(bench, first, connections),
                wanted,
                "HTTP/1.1, {connections} connections"
            );
            assert_eq!(
                clusters(bench, second, connections),
                wanted,
                "HTTP/2, {connections} connections"
            );
        }
    }
}

#[test]
fn a_user_known_by_header_or_by_cookie_gets_the_same_variant() {
    let policy = checkout(50.0);
    let (bench, native) = (Bench::start(&policy), Native::new(&policy));
    let wanted: Vec<String> = (0..USERS).map(|number| native.cluster(&user(number))).collect();
    let by_cookie = |number: u32, text: &str| {
        Request::get("/cart").header("cookie", text.replace("UID", &format!("user-{number}")))
    };
    for text in
        ["uid=UID", "a=1; uid=UID; b=2", "a=1;uid=\"UID\"", "uid=; uid=UID", "UID; uid = UID "]
    {
        let first: Vec<Request> = (0..USERS).map(|number| by_cookie(number, text)).collect();
        let second = first.iter().cloned().map(Request::http2).collect();
        assert_eq!(clusters(&bench, first, 4), wanted, "HTTP/1.1, {text}");
        assert_eq!(clusters(&bench, second, 4), wanted, "HTTP/2, {text}");
    }
    // The first key source that is present decides, so a second one changes nothing.
    let both =
        (0..USERS).map(|number| user(number).header("cookie", "uid=somebody-else")).collect();
    assert_eq!(clusters(&bench, both, 4), wanted);
}
