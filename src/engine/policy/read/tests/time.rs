//! What cookies, `sticky` and `ramp` mean, and an invalid one for each diagnostic about them.

use crate::ids::{Id as _, SplitId};
use crate::policy::cursor::{Cursor, Sink};
use crate::policy::read::cookie::read_generated_cookie;
use crate::policy::read::ramp::read_ramp;
use crate::policy::read::sticky::read_sticky;
use crate::policy::*;
use crate::units::{Millis, Moment, Seconds};

const COOKIE: &str = r#"{"cookie": "uid", "ttl": "7d", "domain": "Shop.Example.com", "secure": true,
    "http_only": true, "same_site": "none", "partitioned": true}"#;
const STICKY: &str =
    r#"{"cookie": "held", "ttl": "90s", "epoch": 7.0, "secret": "0123456789abcdef"}"#;
const RAMP: &str = r#"{"start": "2026-11-20T12:00:00Z", "linear": true, "pause": "2026-11-20T15:00:00+01:00",
    "steps": [{"after": "0s", "weights": {"stable": 95, "canary": 5.0}},
              {"after": "1h", "weights": {"canary": 10, "stable": 90}},
              {"after": "1d", "weights": {"stable": 50, "canary": 50}}]}"#;

/// What was read, and every problem.
type Outcome<T> = (Option<T>, Vec<Diagnostic>);

fn run<T>(text: &str, read: impl FnOnce(&Cursor) -> Option<T>) -> Outcome<T> {
    let document = document_from_json(text.as_bytes()).unwrap();
    let sink = Sink::new(None);
    let found = read(&Cursor::root(&document, &sink).at_field("here", &document));
    (found, sink.into_diagnostics())
}

fn variants() -> [Variant; 2] {
    let variant =
        |name: &str, max| Variant { name: name.into(), max_weight: max, ..Variant::default() };
    [variant("stable", None), variant("canary", Weight::from_units(500_000))]
}

fn cookie(text: &str) -> Outcome<CookieOptions> {
    run(text, read_generated_cookie)
}

fn sticky(text: &str) -> Outcome<Sticky> {
    run(text, |at| read_sticky(at, Some("checkout")))
}

fn ramp(text: &str) -> Outcome<Ramp> {
    run(text, |at| read_ramp(at, Some(&variants()), WeightTotal::default()))
}

/// A text to replace, what with, and the code and path of every problem that makes.
type Case<'c> = (&'c str, &'c str, &'c [(&'c str, &'c str)]);

/// Reads the valid text with one part replaced; expects exactly these problems.
fn expect<T>(read: impl Fn(&str) -> Outcome<T>, valid: &str, cases: &[Case]) {
    for (from, to, expected) in cases {
        assert!(valid.contains(from), "{from}");
        let (_, diagnostics) = read(&valid.replacen(from, to, 1));
        let found: Vec<_> =
            diagnostics.iter().map(|d| (d.code.as_str(), d.path.as_str())).collect();
        assert_eq!(found, *expected, "{from} -> {to}: {diagnostics:?}");
    }
}

#[test]
fn a_cookie_is_read_with_all_its_attributes() {
    let (found, diagnostics) = cookie(COOKIE);
    assert_eq!(diagnostics, []);
    let expected = CookieOptions {
        name: "uid".into(),
        ttl: Seconds::new(7 * 86_400).unwrap(),
        domain: Some("shop.example.com".into()),
        secure: true,
        http_only: true,
        same_site: SameSite::None,
        partitioned: true,
    };
    assert_eq!(found, Some(expected));
    let (found, diagnostics) = cookie(r#"{"cookie": "uid"}"#);
    assert_eq!(diagnostics, []);
    assert_eq!(found, Some(CookieOptions::new("uid".into(), Seconds::new(365 * 86_400).unwrap())));
}

#[test]
fn a_cookie_that_browsers_would_drop_is_refused() {
    expect(
        cookie,
        COOKIE,
        &[
            ("\"cookie\": \"uid\", ", "", &[("missing_field", "here")]),
            ("\"uid\"", "\"u;d\"", &[("invalid_cookie_name", "here.cookie")]),
            ("\"ttl\"", "\"tll\"", &[("unknown_field", "here.tll")]),
            ("\"7d\"", "7", &[("wrong_type", "here.ttl")]),
            ("\"7d\"", "\"7 days\"", &[("invalid_duration", "here.ttl")]),
            ("\"7d\"", "\"11y\"", &[("invalid_duration", "here.ttl")]),
            ("\"7d\"", "\"3651d\"", &[("invalid_duration", "here.ttl")]),
            ("\"7d\"", "\"0s\"", &[("invalid_duration", "here.ttl")]),
            ("\"7d\"", "\"1500ms\"", &[("invalid_duration", "here.ttl")]),
            ("\"7d\"", "\"400d\"", &[]),
            ("\"7d\"", "\"401d\"", &[("cookie_ttl_capped", "here.ttl")]),
            ("\"none\"", "\"None\"", &[("invalid_value", "here.same_site")]),
            ("Shop.Example.com", ".example.com", &[("invalid_domain", "here.domain")]),
            ("Shop.Example.com", "example.com;", &[("invalid_domain", "here.domain")]),
            ("Shop.Example.com", "example..com", &[("invalid_domain", "here.domain")]),
            ("Shop.Example.com", "-a.example.com", &[("invalid_domain", "here.domain")]),
            ("Shop.Example.com", "192.168.0.1", &[("invalid_domain", "here.domain")]),
            ("Shop.Example.com", "", &[("invalid_domain", "here.domain")]),
            ("\"uid\"", "\"__Secure-uid\"", &[]),
            ("\"uid\"", "\"__host-uid\"", &[("invalid_cookie", "here.cookie")]),
            ("\"http_only\": true", "\"http_only\": false", &[]),
            (
                "\"secure\": true",
                "\"secure\": false",
                &[("invalid_cookie", "here.same_site"), ("invalid_cookie", "here.partitioned")],
            ),
        ],
    );
    let (_, diagnostics) = cookie(r#"{"cookie": "__Secure-a", "secure": false}"#);
    assert_eq!(diagnostics[0].message, "browsers drop a cookie with this prefix without `secure`");
    let (_, diagnostics) = cookie(r#"{"cookie": "__Http-a", "http_only": false}"#);
    assert_eq!(
        diagnostics[0].message,
        "browsers drop a cookie with this prefix without `http_only`"
    );
    let (_, diagnostics) = cookie(r#"{"cookie": "a", "domain": ".example.com"}"#);
    assert_eq!(
        diagnostics[0].help.as_deref(),
        Some("write `example.com`: its subdomains are included")
    );
}

#[test]
fn sticky_has_a_default_for_everything_but_its_secret() {
    let (found, diagnostics) = sticky(STICKY);
    assert_eq!(diagnostics, []);
    let cookie = CookieOptions::new("held".into(), Seconds::new(90).unwrap());
    assert_eq!(found, Some(Sticky { cookie, epoch: 7, secret: "0123456789abcdef".into() }));

    let (found, diagnostics) = sticky(r#"{"secret": "0123456789abcdef"}"#);
    assert_eq!(diagnostics, []);
    let cookie = CookieOptions::new("split-checkout".into(), Seconds::new(30 * 86_400).unwrap());
    assert_eq!(found, Some(Sticky { cookie, epoch: 0, secret: "0123456789abcdef".into() }));
}

#[test]
fn an_invalid_sticky_is_refused() {
    expect(
        sticky,
        STICKY,
        &[
            ("\"held\"", "\"h d\"", &[("invalid_cookie_name", "here.cookie")]),
            ("90s", "500d", &[("cookie_ttl_capped", "here.ttl")]),
            ("7.0", "4294967295", &[]),
            ("7.0", "4294967296", &[("invalid_value", "here.epoch")]),
            ("7.0", "-1", &[("invalid_value", "here.epoch")]),
            ("7.0", "1.5", &[("invalid_value", "here.epoch")]),
            ("7.0", "\"7\"", &[("wrong_type", "here.epoch")]),
            (", \"secret\": \"0123456789abcdef\"", "", &[("missing_field", "here")]),
            ("0123456789abcdef", "0123456789abcde", &[("weak_secret", "here.secret")]),
            ("0123456789abcdef", "", &[("weak_secret", "here.secret")]),
        ],
    );
    let run = |text| run(text, |at| read_sticky(at, None));
    let (found, diagnostics) = run(r#"{"secret": "0123456789abcdef"}"#);
    assert_eq!((found, diagnostics), (None, Vec::new()), "the split's name has its own problem");
}

#[test]
fn no_diagnostic_shows_a_secret() {
    for secret in
        ["\"hunter2\"", "20261120", "true", "[\"hunter2\"]", "\"hunter2 hunter2 hunter2\""]
    {
        let text = STICKY.replace("\"0123456789abcdef\"", secret);
        let (found, diagnostics) = sticky(&text);
        assert_eq!((found, diagnostics.len()), (None, 1), "{secret}");
        let printed = diagnostics[0].to_string();
        let inner = secret.trim_matches(['"', '[', ']']);
        assert!(!printed.contains(inner) || secret == "true", "{printed}");
    }
}

#[test]
fn a_ramp_is_read_in_the_order_of_the_variants() {
    let (found, diagnostics) = ramp(RAMP);
    assert_eq!(diagnostics, []);
    let step = |after, weights: [u64; 2]| RampStep {
        after: Millis::new(after),
        weights: weights.map(|weight| Weight::from_units(weight * 10_000).unwrap()).to_vec().into(),
    };
    let start = Moment::new(1_795_176_000_000);
    let steps = vec![step(0, [95, 5]), step(3_600_000, [90, 10]), step(86_400_000, [50, 50])];
    let steps = Steps::new(steps).unwrap();
    let pause = Some(start.after(Millis::new(7_200_000)));
    assert_eq!(found, Some(Ramp { start, steps, linear: true, pause }));
}

#[test]
fn an_invalid_ramp_is_refused() {
    let weights = "{\"canary\": 10, \"stable\": 90}";
    expect(
        ramp,
        RAMP,
        &[
            ("\"start\": \"2026-11-20T12:00:00Z\", ", "", &[("missing_field", "here")]),
            ("2026-11-20T12:00:00Z", "2026-11-20", &[("invalid_time", "here.start")]),
            ("\"2026-11-20T12:00:00Z\"", "1795176000", &[("wrong_type", "here.start")]),
            ("15:00:00+01:00", "15:00:00", &[("invalid_time", "here.pause")]),
            ("15:00:00+01:00", "12:59:59+01:00", &[("ramp_order", "here.pause")]),
            ("15:00:00+01:00", "13:00:00+01:00", &[]),
            ("\"linear\": true", "\"linear\": 1", &[("wrong_type", "here.linear")]),
            ("\"1h\"", "\"1.5h\"", &[("invalid_duration", "here.steps[1].after")]),
            ("\"1h\"", "\"0s\"", &[("ramp_order", "here.steps[1].after")]),
            ("\"1h\"", "\"25h\"", &[("ramp_order", "here.steps[2].after")]),
            (weights, "[90, 10]", &[("wrong_type", "here.steps[1].weights")]),
            (weights, "{\"stable\": 90}", &[("missing_field", "here.steps[1].weights")]),
            (
                weights,
                "{\"stable\": 90, \"canary\": 10, \"green\": 0}",
                &[("unknown_variant", "here.steps[1].weights.green")],
            ),
            (
                weights,
                "{\"stable\": 90, \"canary\": 10, \"canary\": 10}",
                &[("duplicate_field", "here.steps[1].weights.canary")],
            ),
            (
                weights,
                "{\"stable\": -90, \"canary\": 10}",
                &[("invalid_weight", "here.steps[1].weights.stable")],
            ),
            (
                weights,
                "{\"stable\": 90, \"canary\": 9}",
                &[("weight_sum", "here.steps[1].weights")],
            ),
            (
                weights,
                "{\"stable\": 40, \"canary\": 60}",
                &[("weight_over_max", "here.steps[1].weights.canary")],
            ),
            (
                weights,
                "{\"stable\": 40, \"canary\": 61}",
                &[
                    ("weight_over_max", "here.steps[1].weights.canary"),
                    ("weight_sum", "here.steps[1].weights"),
                ],
            ),
        ],
    );
    let (_, diagnostics) = ramp(&RAMP.replacen("\"canary\": 10", "\"canari\": 10", 1));
    assert_eq!(diagnostics[0].help.as_deref(), Some("did you mean `canary`?"));
}

#[test]
fn a_ramp_has_1_to_100_steps() {
    let of = |count: u64| {
        let step =
            |n| format!("{{\"after\": \"{n}m\", \"weights\": {{\"stable\": 90, \"canary\": 10}}}}");
        let steps: Vec<_> = (0..count).map(step).collect();
        ramp(&format!("{{\"start\": \"2026-11-20T12:00:00Z\", \"steps\": [{}]}}", steps.join(",")))
    };
    let codes = |outcome: Outcome<Ramp>| -> Vec<_> { outcome.1.iter().map(|d| d.code).collect() };
    assert_eq!(codes(of(0)), [Code::EmptyList]);
    assert_eq!(codes(of(101)), [Code::LimitExceeded]);
    let (found, diagnostics) = of(100);
    assert_eq!(diagnostics, []);
    let found = found.unwrap();
    assert_eq!((found.steps.count(), found.linear, found.pause), (100, false, None));
}

#[test]
fn where_the_variants_are_unknown_a_ramp_is_checked_as_far_as_possible() {
    let run = |text: &str| run(text, |at| read_ramp(at, None, WeightTotal::Any));
    assert_eq!(run(RAMP), (None, Vec::new()));
    let (_, diagnostics) = run(&RAMP.replacen("95", "\"95\"", 1));
    assert_eq!(diagnostics[0].path, "here.steps[0].weights.stable");
}

#[test]
fn a_cookie_that_outlives_the_ramp_is_warned_about() {
    let found = |fields: &str| {
        from_json(format!(
            r#"{{"version": 1, "splits": [{{"name": "checkout", "key": [{{"header": "u"}}], "baseline": "stable"{fields},
                "variants": [{{"name": "stable", "weight": 100}}, {{"name": "canary", "weight": 0}}]}}]}}"#
        ).as_bytes()).diagnostics
    };
    let lives = |ttl: &str| format!(r#", "sticky": {{"secret": "0123456789abcdef"{ttl}}}"#);
    let ramp = format!(r#", "ramp": {RAMP}"#);
    assert_eq!(found(&(lives(r#", "ttl": "1d""#) + &ramp)), []);
    assert_eq!(found(&ramp), []);
    assert_eq!(found(&lives("")), []);
    for (ttl, shown) in [(r#", "ttl": "86401s""#, "86401s"), ("", "30d")] {
        let diagnostics = found(&(lives(ttl) + &ramp));
        assert_eq!(diagnostics.len(), 1);
        assert_eq!(diagnostics[0].severity, Severity::Warning);
        assert_eq!(diagnostics[0].code.as_str(), "sticky_outlives_ramp");
        assert_eq!(diagnostics[0].path, "splits[0].sticky");
        let message = format!(
            "the cookie keeps users on their first variant for `{shown}`, but the ramp takes only `1d`"
        );
        assert_eq!(diagnostics[0].message, message);
    }
}

#[test]
fn a_whole_policy_has_them_where_they_belong() {
    let text = format!(
        r#"{{"version": 1, "splits": [{{
            "name": "checkout", "key": [{{"cookie": "uid"}}, {{"generate": {COOKIE}}}],
            "baseline": "stable", "sticky": {{"secret": "0123456789abcdef", "ttl": "1d"}}, "ramp": {RAMP},
            "variants": [{{"name": "stable", "weight": 100}},
                         {{"name": "canary", "weight": 0, "max_weight": 50}}]}}]}}"#
    );
    let checked = from_json(text.as_bytes());
    assert_eq!(checked.diagnostics, []);
    let split = &checked.policy.unwrap().splits[SplitId::at(0)];
    assert_eq!(split.key[1], KeySource::Generate(cookie(COOKIE).0.unwrap()));
    assert_eq!(split.sticky.as_ref().unwrap().cookie.name, "split-checkout");
    assert_eq!(split.ramp, ramp(RAMP).0);

    let bad = text.replacen("\"canary\": 10", "\"canary\": 60", 1).replacen("\"1d\"", "\"2d\"", 1);
    let found: Vec<_> = from_json(bad.as_bytes()).diagnostics;
    let found: Vec<_> = found.iter().map(|d| (d.code.as_str(), d.path.as_str())).collect();
    assert_eq!(
        found,
        [
            ("weight_over_max", "splits[0].ramp.steps[1].weights.canary"),
            ("weight_sum", "splits[0].ramp.steps[1].weights"),
            ("sticky_outlives_ramp", "splits[0].sticky"),
        ]
    );
}
