//! What is written reads as it was.

use crate::ids::SplitId;
use crate::policy::{
    CookieOptions, Decoding, Ramp, RampStep, SameSite, Steps, Sticky, Value, check, from_json,
};
use crate::units::{Millis, Moment, Seconds};
use proptest::prelude::*;

use super::*;

/// An entry with every field and every form of a test.
const VALID_MATCH: &str = r#"[{"hosts": ["Shop.example.com", "*.example.org"], "path": {"prefix": "/api/"}, "methods": ["GET", "PUT"],
    "headers": [{"name": "X-Tier", "exact": "premium"}, {"name": "x-region", "prefix": "eu-", "ignore_case": true},
                {"name": "x-debug", "present": false}, {"name": "user-agent", "contains": "bot ", "not": true}],
    "cookies": [{"name": "uid", "in": ["u1", "u2", "u3"]}, {"name": "uid", "suffix": "@example.com", "not": true}],
    "query": [{"name": "age", "range": {"from": 18, "to": 65.0}}, {"name": "v", "regex": "v[12]", "ignore_case": true}],
    "source_ip": ["10.0.0.0/8", "2001:db8::/32", "192.0.2.1"]}]"#;

fn read(text: &str) -> Policy {
    let checked = from_json(text.as_bytes());
    checked.policy.unwrap_or_else(|| panic!("{text}: {:#?}", checked.diagnostics))
}

/// A policy of one split with two variants and more fields.
fn policy(in_split: &str) -> String {
    format!(
        r#"{{"version": 1, "splits": [{{"name": "checkout", "key": [{{"header": "u"}}], "baseline": "stable", "weight_total": "any",
            "variants": [{{"name": "stable", "weight": 60}}, {{"name": "canary", "weight": 40}}]{in_split}}}]}}"#
    )
}

/// The split of such a policy.
fn first(policy: &mut Policy) -> &mut Split {
    &mut policy.splits[SplitId::FIRST]
}

/// A list of one entry with one field.
fn one(field: &str) -> String {
    format!("[{{{field}}}]")
}

fn assert_reads_as_it_was(policy: &Policy) {
    let written = to_value(policy);
    let again = check(&written);
    let again = again.policy.unwrap_or_else(|| panic!("{written:#?}: {:#?}", again.diagnostics));
    assert_eq!(again, *policy, "{written:#?}");
    assert_eq!(to_value(&again), written);
}

#[test]
fn a_policy_that_is_written_reads_as_the_same_policy() {
    let text = r#"{"version": 1, "cluster_header": "x-c", "variant_header": null, "response_variant_header": "x-v",
        "mirror_header": "x-m", "baggage": true, "client_ip": {"trusted_hops": 2}, "kill": true,
        "force": {"secret": {"cookie": "f", "value": "0123456789abcdef"}}, "key": [{"header": "u"}],
        "layers": [{"name": "ui"}, {"name": "api", "salt": "other"}], "holdout": {"percent": 1.25},
        "splits": [
          {"name": "one", "layer": "ui", "slice": {"from": 0, "to": 50.5}, "baseline": "a", "weight_total": "any", "salt": "old",
           "match": [{"hosts": ["*.a.example"], "path": {"regex": "/x.*"}}, {"headers": [{"name": "h", "in": ["b", "a"], "not": true}]}],
           "key": [{"query": "q"}, {"jwt": {"provider": "p", "claim": "sub"}}, {"client_ip": true}, {"cookie": "uid"}, {"generate": {"cookie": "uid"}}],
           "on_missing_key": "skip", "mirror": {"cluster": "m", "percent": 5, "by": "request"},
           "sticky": {"secret": "0123456789abcdef", "epoch": 3},
           "ramp": {"start": "2026-11-20T12:00:00Z", "linear": true, "steps": [{"after": "1h", "weights": {"a": 1, "b": 2.5}}]},
           "variants": [{"name": "a", "weight": 1, "max_weight": 2, "respond": {"status": 404, "body": "no"}},
             {"name": "b", "cluster": "c", "weight": 0.5, "drain": true, "fallback": "baseline", "rewrite": {"host": "h.example", "path_prefix": {"from": "/a", "to": "/b"}},
              "request_headers": {"set": [{"name": "x", "value": "y"}], "remove": ["z"]}, "response_headers": {"add": [{"name": "x", "value": "y"}]}}],
           "overrides": [{"match": [{"cookies": [{"name": "c", "present": true}]}], "skip": true}, {"match": [{"query": [{"name": "q", "range": {"from": 1, "to": 9}}]}], "variant": "b"}]},
          {"name": "two", "assignment": "random", "enabled": false, "layer": "api", "baseline": "a", "variants": [{"name": "a", "weight": 100}],
           "requires": [{"split": "one", "variant": "b"}]}]}"#;
    assert_reads_as_it_was(&read(text));
}

#[test]
fn the_filter_state_is_written_where_it_is_not_what_nothing_means() {
    for (header, state, written) in [
        ("", "", None),
        ("", ", \"filter_state\": false", None),
        ("", ", \"filter_state\": true", Some(Value::Bool(true))),
        ("", ", \"filter_state\": \"evidence\"", Some(Value::String("evidence".into()))),
        (", \"variant_header\": null", "", None),
        (", \"variant_header\": null", ", \"filter_state\": true", None),
        (", \"variant_header\": null", ", \"filter_state\": false", Some(Value::Bool(false))),
    ] {
        let policy = read(&format!(r#"{{"version": 1{header}{state}, "splits": []}}"#));
        assert_reads_as_it_was(&policy);
        assert_eq!(to_value(&policy).field("filter_state").cloned(), written, "{header}{state}");
    }
}

#[test]
fn matches_that_are_written_read_as_they_were() {
    let others = [
        one(r#""path": {"exact": "/cart"}"#),
        one(r#""path": {"raw_prefix": "/v"}"#),
        one(r#""path": {"regex": "/v[12]/.*"}"#),
        one(r#""headers": [{"name": "a", "range": {"from": -9223372036854775808}}]"#),
        one(r#""headers": [{"name": "a", "range": {"to": 0}, "not": true}]"#),
        one(r#""headers": [{"name": "a", "exact": ""}, {"name": "b", "present": true}]"#),
        one(
            r#""query": [{"name": "a b", "in": ["ü", "\u0000", " x "], "ignore_case": true, "not": true}]"#,
        ),
        one(r#""source_ip": ["::ffff:10.0.0.0/104", "0.0.0.0/0", "::/0"], "hosts": ["*"]"#),
        format!("[{}, {}]", &VALID_MATCH[1..VALID_MATCH.len() - 1], r#"{"methods": ["GET"]}"#),
    ];
    for text in others.iter().map(String::as_str).chain([VALID_MATCH]) {
        assert_reads_as_it_was(&read(&policy(&format!(r#", "match": {text}"#))));
    }
}

/// What is written at a place in the first split.
fn written(policy: &Policy, place: &[&str]) -> Value {
    let mut document = &to_value(policy);
    for name in ["splits"].iter().chain(place) {
        document = document.field(name).unwrap();
        if let [first, ..] = document.items() {
            document = first;
        }
    }
    document.clone()
}

#[test]
fn defaults_are_left_out() {
    let text = |text: &str| Value::String(text.into());
    let mut policy = read(&policy(""));
    let uid = CookieOptions::new("uid".into(), CookieOptions::GENERATE_TTL);
    first(&mut policy).key = vec![KeySource::Generate(uid)];
    let cookie = CookieOptions::new("split-checkout".into(), CookieOptions::STICKY_TTL);
    let sticky = Sticky { cookie, epoch: 0, secret: "0123456789abcdef".into() };
    first(&mut policy).sticky = Some(sticky);
    let fields = vec![("cookie".to_owned(), text("uid"))];
    assert_eq!(written(&policy, &["key", "generate"]), Value::Object(fields));
    let fields = vec![("secret".to_owned(), text("0123456789abcdef"))];
    assert_eq!(written(&policy, &["sticky"]), Value::Object(fields));
}

#[test]
fn weights_are_written_as_short_as_they_are() {
    let mut policy = read(&policy(""));
    for (weight, value) in [
        (Weight::from_units(50_000).unwrap(), Value::Integer(5)),
        (Weight::from_units(1).unwrap(), Value::Float(0.0001)),
        (Weight::MAX, Value::Integer(1_000_000_000)),
    ] {
        let split = first(&mut policy);
        split.variants[split.baseline].weight = weight;
        assert_eq!(written(&policy, &["variants", "weight"]), value);
    }
}

fn cookies() -> impl Strategy<Value = CookieOptions> {
    let name = "(split-checkout|uid|__Secure-u|[A-Za-z!#$~]{1,12})";
    let ttl = prop_oneof![
        Just(CookieOptions::GENERATE_TTL),
        Just(CookieOptions::STICKY_TTL),
        (1..=3_650 * 86_400_u32).prop_map(|ttl| Seconds::new(ttl).unwrap())
    ];
    let domain = prop::option::of("[a-z]{1,5}(\\.[a-z0-9]{1,5}){0,2}\\.[a-z]{2,3}");
    let same_site = prop::sample::select(vec![SameSite::Lax, SameSite::Strict, SameSite::None]);
    let all = (name, ttl, domain, any::<(bool, bool, bool)>(), same_site);
    all.prop_map(|(name, ttl, domain, (secure, http_only, partitioned), same_site)| {
        // Only combinations that may be written.
        let needs = partitioned || same_site == SameSite::None || name.starts_with("__");
        let secure = secure || needs;
        CookieOptions { name, ttl, domain, secure, http_only, same_site, partitioned }
    })
}

fn ramps() -> impl Strategy<Value = Ramp> {
    let weights = prop::collection::vec(0..=Weight::MAX.units(), 2);
    let weights = weights.prop_map(|all| all.into_iter().flat_map(Weight::from_units).collect());
    let after =
        prop_oneof![0..=crate::policy::duration::MAX, (0..=3_650_u64).prop_map(|d| d * 86_400_000)];
    let steps = prop::collection::btree_map(after, weights, 1..5);
    let all = (0..=253_402_300_799_999_u64, steps, any::<bool>(), prop::option::of(any::<u32>()));
    all.prop_map(|(start, steps, linear, pause)| {
        let step = |(after, weights)| RampStep { after: Millis::new(after), weights };
        let steps = Steps::new(steps.into_iter().map(step).collect()).unwrap();
        let pause = pause.map(|later| (start + u64::from(later)).min(253_402_300_799_999));
        Ramp { start: Moment::new(start), steps, linear, pause: pause.map(Moment::new) }
    })
}

proptest! {
    #[test]
    fn any_cookie_is_read_as_it_was(cookie in cookies()) {
        let mut policy = read(&policy(""));
        let name = cookie.name.clone();
        first(&mut policy).key = vec![KeySource::Cookie { name, decoding: Decoding::default() }, KeySource::Generate(cookie)];
        assert_reads_as_it_was(&policy);
    }

    #[test]
    fn any_sticky_is_read_as_it_was(
        cookie in cookies(), epoch in prop_oneof![0..3_u32, any::<u32>()], secret in "[!-~]{16,40}",
    ) {
        let mut policy = read(&policy(""));
        first(&mut policy).sticky = Some(Sticky { cookie, epoch, secret: secret.as_str().into() });
        assert_reads_as_it_was(&policy);
    }

    #[test]
    fn any_ramp_is_read_as_it_was(ramp in ramps()) {
        let mut policy = read(&policy(""));
        first(&mut policy).ramp = Some(ramp);
        assert_reads_as_it_was(&policy);
    }
}
