//! A client never chooses a cluster, and what it says about clusters and variants never reaches an
//! upstream. Envoy is not told to remove these headers early: the filter protects itself.

use lab::{DEFAULT_CLUSTER, Lab, Options, Request, Response};
use serde_json::{Value, json};

use crate::bench::{Bench, Shared, checkout, lab, split_for, user};
use crate::native::Native;
use crate::wire;

fn policy() -> Value {
    let tags =
        json!({"variants": [{"name": "stable", "weight": 50}, {"name": "canary", "weight": 50}]});
    json!({"version": 1, "splits": [
        split_for("shop.test", 50.0, json!({})),
        // Variants without clusters: the default route serves them all.
        split_for("tags.test", 50.0, tags),
        split_for("keyless.test", 50.0, json!({"key": [{"header": "x-nobody"}], "on_missing_key": "skip"})),
    ]})
}

static ENVOY: Shared = Shared::new(|| lab(&policy().to_string(), with_a_secret_cluster()));

fn with_a_secret_cluster() -> Options {
    Options { clusters: vec!["secret".to_owned()], ..Options::default() }
}

/// Lines that a client may forge, as sent.
const FORGED: [&[&str]; 10] = [
    &["x-split-cluster: secret"],
    &["x-split-cluster: no-such-cluster"],
    &["X-Split-Cluster: secret"],
    &["X-SPLIT-CLUSTER: secret", "x-Split-Variant: shop=canary"],
    &["x-split-cluster: secret", "x-split-cluster: secret", "X-Split-Cluster: shop-v2"],
    &["x-split-cluster: shop-v2", "x-split-variant: shop=canary", "x-split-variant: tags=canary"],
    &["x-split-cluster:", "x-split-variant:"],
    &["x-split-cluster: shop-v1, secret"],
    &["x-split-cluster: secret", "connection: keep-alive, x-split-cluster, x-split-variant"],
    &["x-split-variant: \u{ff}=\u{1f600}"],
];

/// What comes back for a user of a host who forges these lines.
fn forge(lab: &Lab, host: &str, forged: &[&str]) -> Response {
    let host = format!("host: {host}");
    let mut lines = vec!["GET /cart HTTP/1.1", &host, "x-user-id: user-1", "x-lab-echo: 1"];
    lines.extend(forged);
    let lines: Vec<&[u8]> = lines.into_iter().map(str::as_bytes).collect();
    wire::ask(lab, &lines)
}

/// Checks who answered and the control headers that reached it: one line each, or none.
fn assert_reached(
    response: &Response,
    cluster: &str,
    cluster_header: Option<&str>,
    variant: Option<&str>,
    case: &str,
) {
    assert_eq!(response.status, 200, "{case}: {}", response.text());
    let echo = response.echo().unwrap();
    assert_eq!(echo.cluster, cluster, "{case}");
    let one = |value: Option<&str>| {
        value.map(|value| value.as_bytes().to_vec()).into_iter().collect::<Vec<_>>()
    };
    assert_eq!(echo.all("x-split-cluster"), one(cluster_header), "{case}");
    assert_eq!(echo.all("x-split-variant"), one(variant), "{case}");
}

#[test]
fn forged_headers_have_no_effect_where_a_split_decides() {
    let bench = ENVOY.bench();
    let expected = Native::new(&policy()).expect(&user(1).host("shop.test"));
    let cluster = expected.cluster.as_deref().unwrap();
    for forged in FORGED {
        let response = forge(&bench, "shop.test", forged);
        assert_reached(
            &response,
            cluster,
            Some(cluster),
            expected.state.as_deref(),
            &format!("{forged:?}"),
        );
    }
}

#[test]
fn forged_headers_have_no_effect_where_no_split_matches() {
    let bench = ENVOY.bench();
    for forged in FORGED {
        let response = forge(&bench, "other.test", forged);
        assert_reached(&response, DEFAULT_CLUSTER, None, None, &format!("{forged:?}"));
    }
}

#[test]
fn forged_headers_have_no_effect_where_a_split_skips_the_user() {
    let bench = ENVOY.bench();
    for forged in FORGED {
        let response = forge(&bench, "keyless.test", forged);
        assert_reached(&response, DEFAULT_CLUSTER, None, None, &format!("{forged:?}"));
    }
}

#[test]
fn a_forged_cluster_has_no_effect_where_variants_have_no_clusters() {
    let bench = ENVOY.bench();
    let expected = Native::new(&policy()).expect(&user(1).host("tags.test"));
    assert_eq!(expected.cluster, None);
    for forged in FORGED {
        let response = forge(&bench, "tags.test", forged);
        assert_reached(
            &response,
            DEFAULT_CLUSTER,
            None,
            expected.state.as_deref(),
            &format!("{forged:?}"),
        );
    }
}

#[test]
fn forged_headers_have_no_effect_over_http_2() {
    let bench = ENVOY.bench();
    let native = Native::new(&policy());
    for host in ["shop.test", "other.test"] {
        let plain = user(1).host(host).http2().echo();
        let forged = plain
            .clone()
            .header("x-split-cluster", "secret")
            .header("x-split-variant", "shop=canary");
        let expected = native.expect(&plain);
        for request in [plain, forged.clone(), forged.header("x-split-cluster", "secret")] {
            let response = bench.send(&request).unwrap();
            let (header, state) = (expected.cluster.as_deref(), expected.state.as_deref());
            assert_reached(
                &response,
                header.unwrap_or(DEFAULT_CLUSTER),
                header,
                state,
                &format!("{request:?}"),
            );
        }
    }
}

#[test]
fn headers_with_names_of_the_operators_own_are_guarded_too() {
    let mut policy = checkout(50.0);
    policy["cluster_header"] = json!("X-To");
    policy["variant_header"] = json!("x-which");
    policy["splits"][0]["match"] = json!([{"hosts": ["shop.test"]}]);
    let (bench, native) = (Bench::with(&policy, with_a_secret_cluster()), Native::new(&policy));
    for host in ["shop.test", "other.test"] {
        let request =
            user(1).host(host).header("x-to", "secret").header("x-which", "checkout=canary").echo();
        let expected = native.expect(&request);
        let echo = bench.send(&request).unwrap().echo().unwrap();
        assert_eq!(echo.cluster, native.cluster(&request));
        assert_eq!(
            echo.all("x-to"),
            expected.cluster.iter().map(String::as_bytes).collect::<Vec<_>>()
        );
        assert_eq!(
            echo.all("x-which"),
            expected.state.iter().map(String::as_bytes).collect::<Vec<_>>()
        );
    }
}

#[test]
fn an_empty_configuration_guards_the_headers_as_well() {
    let bench = Bench::of_text("", with_a_secret_cluster());
    for forged in FORGED {
        let response = forge(&bench, "shop.test", forged);
        assert_reached(&response, DEFAULT_CLUSTER, None, None, &format!("{forged:?}"));
    }
    let forged = Request::get("/").header("x-split-cluster", "secret").http2().echo();
    assert_reached(&bench.send(&forged).unwrap(), DEFAULT_CLUSTER, None, None, "HTTP/2");
}
