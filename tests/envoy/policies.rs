//! The ready policies in `envoy/policies`: each is valid, and does in real Envoy what its comments
//! promise.

use std::collections::{BTreeMap, BTreeSet};

use engine::policy::{self, Policy, Severity};
use lab::{Request, Response};
use policy_text::source::{Source, to_json};
use serde_json::{Value, json};

use crate::bench::{Bench, HOST_ERRORS};
use crate::native::Native;

/// A ready policy.
struct Ready {
    text: String,
    document: Value,
    policy: Policy,
    /// As `shared_salt`.
    warnings: BTreeSet<&'static str>,
}

/// All of them, by the name of their file.
fn all() -> BTreeMap<String, Ready> {
    let folder = harness::root().join("envoy/policies");
    let files = std::fs::read_dir(folder).expect("the folder is there");
    let paths = files.map(|file| file.expect("a file").path());
    let policies = paths.filter(|path| path.extension().is_some_and(|e| e == "yaml"));
    policies
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            let source = Source::read(&path).expect("the file can be read");
            let document = source.policy().unwrap_or_else(|syntax| panic!("{name}: {syntax:?}"));
            let checked = policy::check(&document.value);
            let said: Vec<_> = checked.diagnostics.iter().map(ToString::to_string).collect();
            let policy = checked.policy.unwrap_or_else(|| panic!("{name}: {said:#?}"));
            let warnings = checked.diagnostics.iter().filter(|d| d.severity == Severity::Warning);
            let warnings = warnings.map(|d| d.code.as_str()).collect();
            let document = serde_json::from_str(&to_json(&document.value).unwrap()).unwrap();
            (name, Ready { text: source.text, document, policy, warnings })
        })
        .collect()
}

#[test]
fn every_ready_policy_is_valid_and_warns_of_nothing_but_what_it_says() {
    for (name, ready) in all() {
        let announced: BTreeSet<&str> = ready
            .text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("# warning["))
            .filter_map(|rest| rest.split(']').next())
            .collect();
        assert_eq!(ready.warnings, announced, "{name}");
        assert!(ready.text.starts_with("# "), "{name} begins with what it is for");
        assert!(!ready.policy.splits.is_empty(), "{name}");
    }
}

#[test]
fn the_page_of_ready_policies_names_every_one() {
    let page = std::fs::read_to_string(harness::root().join("envoy/policies/README.md")).unwrap();
    for name in all().keys() {
        assert!(page.contains(&format!("[{name}.yaml]({name}.yaml)")), "{name}");
    }
}

/// What is to be seen of a policy: requests of many users, and the clusters that answer them.
struct Use {
    file: &'static str,
    /// The header that has the user's key.
    key: &'static str,
    request: Request,
    /// All clusters that answer; `403` for a response of the proxy itself.
    answered_by: &'static [&'static str],
}

fn uses() -> Vec<Use> {
    let at = |host: &str, path: &str| Request::get(path).host(host);
    let of = |file, key, request, answered_by| Use { file, key, request, answered_by };
    let user = "x-user-id";
    let shop = || at("shop.example.com", "/checkout/pay");
    let search = || at("api.example.com", "/search?q=tea");
    let billing = || at("billing.example.com", "/");
    let region = || at("acme.app.example.com", "/");
    vec![
        of("canary", user, shop(), &["checkout-v1", "checkout-v2"]),
        of("canary", user, shop().header("x-canary", "true"), &["checkout-v2"]),
        of("canary", user, at("shop.example.com", "/"), &["default"]),
        of("blue-green", user, at("shop.example.com", "/"), &["shop-blue"]),
        of(
            "blue-green",
            user,
            at("shop.example.com", "/").header("cookie", "preview=green"),
            &["shop-green"],
        ),
        of(
            "dead-variant",
            user,
            at("shop.example.com", "/search?q=tea"),
            &["search-v1", "search-v2"],
        ),
        of("dead-variant", user, at("shop.example.com", "/search").method("POST"), &["default"]),
        of("guard", user, at("shop.example.com", "/api/cart"), &["checkout-v1", "checkout-v2"]),
        of("guard", user, at("shop.example.com", "/"), &["default"]),
        of("dark-launch-by-header", user, search(), &["search-v1"]),
        of("dark-launch-by-header", user, search().header("x-search", "Dark"), &["search-v2"]),
        of(
            "dark-launch-by-header",
            user,
            at("api.example.com", "/search?search=dark"),
            &["search-v2"],
        ),
        of(
            "dark-launch-by-header",
            user,
            search()
                .header("x-split-force", "search=dark")
                .header("x-split-secret", "change-me-0123456789abcdef"),
            &["search-v2"],
        ),
        of(
            "dark-launch-by-header",
            user,
            search().header("x-split-force", "search=dark"),
            &["search-v1"],
        ),
        of("protected-cohort", "x-account-id", billing(), &["billing-v1", "billing-v2"]),
        of(
            "protected-cohort",
            "x-account-id",
            billing().header("x-contract", "gold-2026"),
            &["billing-v1"],
        ),
        of("protected-cohort", user, billing().header("x-account-id", "globex"), &["billing-v1"]),
        of(
            "protected-cohort",
            "x-account-id",
            billing().header("user-agent", "GoogleBot/2"),
            &["default"],
        ),
        of(
            "region-migration",
            "x-tenant",
            region().header("x-country", "de"),
            &["app-eu-central", "app-us-east"],
        ),
        of(
            "region-migration",
            "x-tenant",
            region().header("x-forwarded-for", "198.51.100.9"),
            &["app-eu-central", "app-us-east"],
        ),
        of("region-migration", "x-tenant", region().header("x-country", "us"), &["default"]),
        of(
            "provider-migration",
            "x-customer",
            at("pay.example.com", "/v1/charges"),
            &["provider-new", "provider-old"],
        ),
        of(
            "cost-migration",
            user,
            Request::get("/thumbnails/1").header("x-plan", "free"),
            &["thumbs-on-demand", "thumbs-spot"],
        ),
        of(
            "cost-migration",
            user,
            Request::get("/thumbnails/1").header("x-plan", "pro"),
            &["thumbs-on-demand", "thumbs-spot"],
        ),
        of("kill-switch", user, shop(), &["checkout-v1"]),
        of("kill-switch", user, shop().header("x-canary", "true"), &["checkout-v1"]),
        of(
            "emergency-mitigation",
            user,
            Request::get("/login").header("user-agent", "evil-bot/1.0"),
            &["403"],
        ),
        of("emergency-mitigation", user, Request::get("/login"), &["default"]),
        of("emergency-mitigation", user, Request::get("/export"), &["503", "export"]),
        of("emergency-mitigation", user, Request::get("/articles/1"), &["articles-replica"]),
        of("sticky-drain", user, at("editor.example.com", "/"), &["editor-v2"]),
        // The schedule of the example is in the past: all users have moved.
        of("ramp", user, search(), &["search-v2"]),
        of("mirror", user, at("api.example.com", "/orders"), &["orders-v1"]),
        of("mirror", user, at("api.example.com", "/prices"), &["prices-v1"]),
        of("health-checks-and-bots", user, at("www.example.com", "/healthz"), &["default"]),
        of(
            "health-checks-and-bots",
            user,
            at("www.example.com", "/").header("user-agent", "ExampleBot/2.1"),
            &["home-v1"],
        ),
        of("layers-and-holdout", user, Request::get("/"), &["search-bm25", "search-neural"]),
        // Variants without clusters: the application is told.
        of("ab-test", user, at("www.example.com", "/"), &["default"]),
        of("multivariate", user, at("www.example.com", "/"), &["default"]),
    ]
}

#[test]
fn every_ready_policy_does_in_envoy_what_it_is_for() {
    const USERS: usize = 120;
    let bench = Bench::start(&json!({"version": 1, "splits": []}));
    let ready = all();
    let mut seen = BTreeSet::new();
    for Use { file, key, request, answered_by } in uses() {
        let policy = &ready[file];
        if seen.insert(file) {
            bench.put(&policy.document);
        }
        let users: Vec<Request> =
            (0..USERS).map(|user| request.clone().header(key, format!("user-{user}"))).collect();
        let answers = bench.load(users.clone(), 4).unwrap();
        let clusters: BTreeSet<String> = answers.iter().map(answered).collect();
        let wanted = answered_by.iter().map(|cluster| (*cluster).to_owned()).collect();
        assert_eq!(clusters, wanted, "{file}, {request:?}");
        let by_chance = policy.policy.splits.iter().any(|split| split.ramp.is_some());
        let native = Native::new(&policy.document);
        for (user, answer) in users.iter().zip(&answers).filter(|_| !by_chance) {
            let cluster = answered(answer);
            if cluster.parse::<u16>().is_err() {
                assert_eq!(cluster, native.cluster(user), "{file}, {user:?}");
            }
        }
        assert_eq!(bench.stats().unwrap().sum(HOST_ERRORS, &[]), 0, "{file}");
    }
    assert_eq!(seen, ready.keys().map(String::as_str).collect(), "every file is used");
}

/// The cluster that answered, or the status of the proxy's own response.
fn answered(answer: &Response) -> String {
    answer.cluster().map_or_else(|| answer.status.to_string(), str::to_owned)
}

#[test]
fn ready_policies_show_their_variants_where_they_say_so() {
    let ready = all();
    let bench = Bench::start(&ready["ab-test"].document);
    let page = Request::get("/").host("www.example.com").echo();
    let first = bench.send(&page).unwrap();
    let cookie = String::from_utf8(first.header("set-cookie").unwrap().to_vec()).unwrap();
    assert!(cookie.starts_with("visitor=") && cookie.contains("Max-Age=7776000"), "{cookie}");
    assert_eq!(first.header("vary"), Some(&b"cookie"[..]));
    assert_eq!(first.header("cache-control"), Some(&b"private"[..]));
    let told = first.header("x-split-variant").unwrap().to_vec();
    assert_eq!(first.echo().unwrap().all("x-split-variant"), [told.as_slice()]);
    let again = page.header("cookie", cookie.split(';').next().unwrap());
    assert_eq!(bench.send(&again).unwrap().header("x-split-variant"), Some(told.as_slice()));

    bench.put(&ready["layers-and-holdout"].document);
    let user = Request::get("/").header("x-user-id", "ada").header("baggage", "tenant=7").echo();
    let echo = bench.send(&user).unwrap().echo().unwrap();
    let baggage = String::from_utf8(echo.all("baggage")[0].to_vec()).unwrap();
    assert!(baggage.starts_with("tenant=7,split."), "{baggage}");

    bench.put(&ready["provider-migration"].document);
    let customers = (0..60).map(|n| {
        Request::get("/v1/charges?x=1")
            .host("pay.example.com")
            .header("x-customer", format!("c{n}"))
            .echo()
    });
    let answers = bench.load(customers.collect(), 4).unwrap();
    let moved = answers.iter().find(|answer| answer.cluster() == Some("provider-new")).unwrap();
    let echo = moved.echo().unwrap();
    assert_eq!(echo.path, "/2026-11/payments/charges?x=1");
    assert_eq!(echo.all("host"), [&b"api.new-provider.example"[..]]);
    assert!(moved.header("set-cookie").unwrap().starts_with(b"split-payments=v1.0.new."));
}
