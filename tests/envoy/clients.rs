//! Users known by what only the host can tell: their address, or a token that was checked.

use lab::{Options, Request};
use serde_json::{Value, json};

use crate::bench::{Bench, HOST_ERRORS, checkout, user};
use crate::native::Native;

fn with_key(key: Value) -> Value {
    let mut policy = checkout(50.0);
    policy["splits"][0]["key"] = key;
    policy
}

/// The cluster of a key, wherever it comes from: that of the header `x-user-id`.
fn cluster_of(key: &str) -> String {
    let request = Request::get("/").header("x-user-id", key);
    Native::new(&checkout(50.0)).cluster(&request)
}

#[test]
fn the_connections_address_is_a_key_and_a_condition() {
    let mut policy = with_key(json!([{"client_ip": true}]));
    policy["splits"][0]["match"] = json!([{"source_ip": ["127.0.0.0/8"]}]);
    let bench = Bench::start(&policy);
    for request in [Request::get("/"), Request::get("/").http2(), user(7)] {
        let answer = bench.send(&request).unwrap();
        assert_eq!(answer.cluster(), Some(cluster_of("127.0.0.1").as_str()));
    }
    policy["splits"][0]["match"] = json!([{"source_ip": ["10.0.0.0/8", "::1"]}]);
    bench.put(&policy);
    assert_eq!(bench.send(&user(7)).unwrap().cluster(), Some("default"));
}

#[test]
fn with_trusted_hops_a_proxys_word_counts_and_no_other() {
    let mut policy = with_key(json!([{"client_ip": true}]));
    policy["client_ip"] = json!({"trusted_hops": 1});
    let bench = Bench::start(&policy);
    for n in 1..40 {
        let address = format!("203.0.113.{n}");
        let forged = format!("198.51.100.{n}, {address}");
        let request = Request::get("/").header("x-forwarded-for", forged);
        for request in [request.clone(), request.http2()] {
            let answer = bench.send(&request).unwrap();
            assert_eq!(answer.cluster(), Some(cluster_of(&address).as_str()), "{address}");
        }
    }
}

/// Tokens with the claims `{"sub": <user>, "iss": "test"}`, HS256 under the key of [`jwks`].
const TOKENS: [(&str, &str); 4] = [
    (
        "cyd",
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InRlc3QifQ.eyJzdWIiOiJjeWQiLCJpc3MiOiJ0ZXN0In0.5RRCBvvoJe14hLEJ2I-yFZz3BTACtvOJmW5u8QwSRqA",
    ),
    (
        "dan",
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InRlc3QifQ.eyJzdWIiOiJkYW4iLCJpc3MiOiJ0ZXN0In0.b4npXBm-_6ls4Tw4H7Kf8Bz_RwuWu4bm54A1VGWeL6c",
    ),
    (
        "ada",
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InRlc3QifQ.eyJzdWIiOiJhZGEiLCJpc3MiOiJ0ZXN0In0.f4iv_cx_rJrN1ltKWpTFnGjQ8_yNVHHNF4FKmSk4ny4",
    ),
    (
        "bob",
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InRlc3QifQ.eyJzdWIiOiJib2IiLCJpc3MiOiJ0ZXN0In0.a3KEvuSFNWfeYDHzbjpAO6EOuyPu3wkCf7H4lP1qREE",
    ),
];

/// Claims of other types, the key that each is, and a token of each: `{"id":CLAIM,"iss":"test"}`.
/// (Envoy itself takes no `sub` but a text.)
const TYPED: [(&str, Option<&str>, &str); 8] = [
    (
        "42",
        Some("42"),
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InRlc3QifQ.eyJpZCI6NDIsImlzcyI6InRlc3QifQ.IYRm6G71Hcykr44Wrm5g6dXd7UeUZmZvQAvqpnWaZjE",
    ),
    (
        "9007199254740993",
        Some("9007199254740992"),
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InRlc3QifQ.eyJpZCI6OTAwNzE5OTI1NDc0MDk5MywiaXNzIjoidGVzdCJ9.gmTvFdQE2mPXk64pArTKVRTyaxAH4-_Vm-A4zRVZttM",
    ),
    (
        "1.5",
        Some("1.5"),
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InRlc3QifQ.eyJpZCI6MS41LCJpc3MiOiJ0ZXN0In0.Sy8mgZDYgC0beRkcroVwiTsPNshlquyehYVDXi3HtmI",
    ),
    (
        "true",
        Some("true"),
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InRlc3QifQ.eyJpZCI6dHJ1ZSwiaXNzIjoidGVzdCJ9.kSSFvGZl45JSNC_N84B2pl7fss2ArDLu25aJIPyfNYk",
    ),
    (
        r#""12345678""#,
        Some("12345678"),
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InRlc3QifQ.eyJpZCI6IjEyMzQ1Njc4IiwiaXNzIjoidGVzdCJ9.gcux_7e-4eaElSNRU5jADMqyvXZDuAXvfRSgzhNCbfA",
    ),
    (
        r#"{"id":"77","org":"acme","plan":"gold","tz":"utc","lang":"de"}"#,
        None,
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InRlc3QifQ.eyJpZCI6eyJpZCI6Ijc3Iiwib3JnIjoiYWNtZSIsInBsYW4iOiJnb2xkIiwidHoiOiJ1dGMiLCJsYW5nIjoiZGUifSwiaXNzIjoidGVzdCJ9.WwtS2WirPbO9Pm--O_HsyC1tpHeu9HBzx2oqCKIOU6U",
    ),
    (
        r#"["77"]"#,
        None,
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InRlc3QifQ.eyJpZCI6WyI3NyJdLCJpc3MiOiJ0ZXN0In0.OYbShGAQ1g_ZH188JDGwX2xJkf5jGOOlDma-8Ozcr98",
    ),
    (
        "null",
        None,
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InRlc3QifQ.eyJpZCI6bnVsbCwiaXNzIjoidGVzdCJ9.ahbHeSoHCDqRDGDPZFWPuzZp_RhcIYMBZjSN3XSaH6A",
    ),
];

fn jwks() -> String {
    let key = "c3BsaXR0ZXItdGVzdC1rZXktb2YtMzItYnl0ZXMtISE";
    json!({"keys": [{"kty": "oct", "alg": "HS256", "kid": "test", "k": key}]}).to_string()
}

/// Checks tokens where there is one, and leaves their claims in the metadata.
fn authentication() -> Value {
    json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": {"test": {
                "issuer": "test",
                "local_jwks": {"inline_string": jwks()},
                "payload_in_metadata": "payload",
            }},
            "rules": [{"match": {"prefix": "/"}, "requires": {"requires_any": {"requirements": [
                {"provider_name": "test"}, {"allow_missing": {}},
            ]}}}],
        },
    })
}

#[test]
fn a_claim_of_a_token_that_was_checked_is_a_key() {
    let policy = with_key(json!([{"jwt": {"provider": "payload", "claim": "sub"}}]));
    let options = Options { filters_before: vec![authentication()], ..Options::default() };
    let bench = Bench::with(&policy, options);
    for (sub, token) in TOKENS {
        let request = Request::get("/").header("authorization", format!("Bearer {token}"));
        for request in [request.clone(), request.http2()] {
            let answer = bench.send(&request).unwrap();
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(answer.cluster(), Some(cluster_of(sub).as_str()), "{sub}");
        }
    }
    let clusters: std::collections::BTreeSet<_> =
        TOKENS.iter().map(|(sub, _)| cluster_of(sub)).collect();
    assert_eq!(clusters.len(), 2, "the users are of both variants");
    let nobody = bench.send(&Request::get("/")).unwrap();
    assert_eq!(nobody.cluster(), Some("checkout-v1"), "without a token the baseline");
    let forged = Request::get("/").header("authorization", format!("Bearer {}x", TOKENS[0].1));
    assert_eq!(bench.send(&forged).unwrap().status, 401);
}

#[test]
fn a_claim_of_any_type_is_the_key_that_a_header_would_be_or_none() {
    let keys = json!([{"jwt": {"provider": "payload", "claim": "id"}}, {"header": "x-user-id"}]);
    let options = Options { filters_before: vec![authentication()], ..Options::default() };
    let bench = Bench::with(&with_key(keys), options);
    // Users of both variants, so that a claim that is no key shows.
    for user in ["ada", "bob", "cyd", "dan"] {
        for (claim, key, token) in TYPED {
            let request = Request::get("/")
                .header("authorization", format!("Bearer {token}"))
                .header("x-user-id", user);
            let wanted = cluster_of(key.unwrap_or(user));
            for _ in 0..5 {
                let answer = bench.send(&request).unwrap();
                assert_eq!(answer.cluster(), Some(wanted.as_str()), "{claim} of {user}");
            }
        }
    }
    assert_eq!(bench.stats_after(160).sum(HOST_ERRORS, &[]), 0);
}
