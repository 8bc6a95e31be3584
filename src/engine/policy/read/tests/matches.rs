//! What match lists mean, and an invalid one for each diagnostic about them.

use crate::matching::{Form, Match, Pattern, ValueTest};
use crate::policy::cursor::{Cursor, Sink};
use crate::policy::limits;
use crate::policy::read::matches::read_matches;
use crate::policy::*;

/// An entry with every field and every form of a test.
const VALID: &str = r#"[{"hosts": ["Shop.example.com", "*.example.org"], "path": {"prefix": "/api/"}, "methods": ["GET", "PUT"],
    "headers": [{"name": "X-Tier", "exact": "premium"}, {"name": "x-region", "prefix": "eu-", "ignore_case": true},
                {"name": "x-debug", "present": false}, {"name": "user-agent", "contains": "bot ", "not": true}],
    "cookies": [{"name": "uid", "in": ["u1", "u2", "u3"]}, {"name": "uid", "suffix": "@example.com", "not": true}],
    "query": [{"name": "age", "range": {"from": 18, "to": 65.0}}, {"name": "v", "regex": "v[12]", "ignore_case": true}],
    "source_ip": ["10.0.0.0/8", "2001:db8::/32", "192.0.2.1"]}]"#;

fn read(text: &str) -> (Option<Vec<Match>>, Vec<Diagnostic>) {
    let document = document_from_json(text.as_bytes()).unwrap();
    let sink = Sink::new(None);
    let found = read_matches(&Cursor::root(&document, &sink).at_field("match", &document));
    (found, sink.into_diagnostics())
}

/// A list of one entry with one field.
fn one(field: &str) -> String {
    format!("[{{{field}}}]")
}

fn valid(text: &str) -> Vec<Match> {
    let (found, diagnostics) = read(text);
    assert_eq!(diagnostics, [], "{text}");
    found.unwrap()
}

/// Code and path of each problem.
fn problems(text: &str) -> Vec<(&'static str, String)> {
    let (found, diagnostics) = read(text);
    let refused = diagnostics.iter().any(|d| d.severity == Severity::Error);
    assert!(found.is_some() || refused, "nothing was read and nothing said why: {text}");
    diagnostics.iter().map(|d| (d.code.as_str(), d.path.clone())).collect()
}

#[test]
fn every_field_and_form_is_read() {
    let entry = &valid(VALID)[0];
    let shown = |tests: &[crate::matching::NamedTest]| -> Vec<String> {
        tests.iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        shown(&entry.headers),
        [
            "`x-tier` exact `premium`",
            "`x-region` prefix `eu-` (ignoring case)",
            "`x-debug` not present",
            "`user-agent` not contains `bot `"
        ]
    );
    assert_eq!(
        shown(&entry.cookies),
        ["`uid` in `u1`, `u2`, `u3`", "`uid` not suffix `@example.com`"]
    );
    assert_eq!(
        shown(&entry.query),
        ["`age` range from 18 to 65", "`v` regex `v[12]` (ignoring case)"]
    );
    assert_eq!(entry.path.as_ref().unwrap().to_string(), "prefix `/api/`");
    assert_eq!((entry.hosts.len(), entry.methods.len(), entry.source_ip.len()), (2, 2, 3));
}

#[test]
fn every_problem_of_a_match_has_its_code_and_place() {
    for (field, code, path) in [
        (r#""path": {"prefix": "/", "regex": "/.*"}"#, "invalid_test", "match[0].path"),
        (r#""path": {"raw_prefix": "v"}"#, "invalid_path", "match[0].path.raw_prefix"),
        (r#""path": {"regex": "/("}"#, "invalid_regex", "match[0].path.regex"),
        (r#""path": {"regex": ["/a"]}"#, "wrong_type", "match[0].path.regex"),
        (r#""headers": [{"name": "a"}]"#, "invalid_test", "match[0].headers[0]"),
        (r#""headers": [{"name": "a", "not": true}]"#, "invalid_test", "match[0].headers[0]"),
        (
            r#""headers": [{"name": "a", "exact": "x", "in": ["x"]}]"#,
            "invalid_test",
            "match[0].headers[0]",
        ),
        (
            r#""headers": [{"name": "a", "present": true, "not": true}]"#,
            "invalid_test",
            "match[0].headers[0]",
        ),
        (
            r#""headers": [{"name": "a", "present": true, "ignore_case": true}]"#,
            "invalid_test",
            "match[0].headers[0]",
        ),
        (
            r#""headers": [{"name": "a", "range": {"to": 1}, "ignore_case": true}]"#,
            "invalid_test",
            "match[0].headers[0]",
        ),
        (
            r#""headers": [{"name": "a", "exact": "x", "not": "yes"}]"#,
            "wrong_type",
            "match[0].headers[0].not",
        ),
        (
            r#""headers": [{"name": "a", "regex": "a)|(b"}]"#,
            "invalid_regex",
            "match[0].headers[0].regex",
        ),
        (
            r#""headers": [{"name": "a", "regex": "a{9999}"}]"#,
            "limit_exceeded",
            "match[0].headers[0].regex",
        ),
        (
            r#""headers": [{"name": "a", "prefix": ""}]"#,
            "invalid_value",
            "match[0].headers[0].prefix",
        ),
        (
            r#""headers": [{"name": "a", "exact": "x "}]"#,
            "invalid_value",
            "match[0].headers[0].exact",
        ),
        (
            r#""headers": [{"name": "a", "prefix": " x"}]"#,
            "invalid_value",
            "match[0].headers[0].prefix",
        ),
        (
            r#""headers": [{"name": "a", "suffix": "x\t"}]"#,
            "invalid_value",
            "match[0].headers[0].suffix",
        ),
        (
            r#""headers": [{"name": "a", "contains": "\n"}]"#,
            "invalid_value",
            "match[0].headers[0].contains",
        ),
        (r#""headers": [{"name": "a", "in": []}]"#, "empty_list", "match[0].headers[0].in"),
        (
            r#""headers": [{"name": "a", "in": ["x", 7]}]"#,
            "wrong_type",
            "match[0].headers[0].in[1]",
        ),
        (
            r#""headers": [{"name": "a", "in": ["x", "x"]}]"#,
            "duplicate_value",
            "match[0].headers[0].in",
        ),
        (
            r#""headers": [{"name": "a", "in": ["x", "X"], "ignore_case": true}]"#,
            "duplicate_value",
            "match[0].headers[0].in",
        ),
        (
            r#""headers": [{"name": "a", "range": {}}]"#,
            "invalid_range",
            "match[0].headers[0].range",
        ),
        (
            r#""headers": [{"name": "a", "range": {"from": 5, "to": 5}}]"#,
            "invalid_range",
            "match[0].headers[0].range",
        ),
        (
            r#""headers": [{"name": "a", "range": {"from": 1.5}}]"#,
            "wrong_type",
            "match[0].headers[0].range.from",
        ),
        (
            r#""headers": [{"name": "a", "range": {"from": "5"}}]"#,
            "wrong_type",
            "match[0].headers[0].range.from",
        ),
        (
            r#""headers": [{"name": "a", "range": {"to": 1e17}}]"#,
            "invalid_range",
            "match[0].headers[0].range.to",
        ),
        (
            r#""headers": [{"name": "a", "range": {"to": 1, "form": 1}}]"#,
            "unknown_field",
            "match[0].headers[0].range.form",
        ),
        (
            r#""headers": [{"name": "a b", "exact": "x"}]"#,
            "invalid_header_name",
            "match[0].headers[0].name",
        ),
        (
            r#""headers": [{"name": "Host", "exact": "x"}]"#,
            "pseudo_header",
            "match[0].headers[0].name",
        ),
        (
            r#""headers": [{"name": ":authority", "exact": "x"}]"#,
            "pseudo_header",
            "match[0].headers[0].name",
        ),
        (
            r#""headers": [{"name": ":path", "exact": "/"}]"#,
            "pseudo_header",
            "match[0].headers[0].name",
        ),
        (
            r#""headers": [{"name": "Cookie", "contains": "uid=1"}]"#,
            "prefer_cookies",
            "match[0].headers[0].name",
        ),
        (
            r#""cookies": [{"name": "a b", "exact": "x"}]"#,
            "invalid_cookie_name",
            "match[0].cookies[0].name",
        ),
        (
            r#""cookies": [{"name": "a", "exact": "x;y"}]"#,
            "invalid_value",
            "match[0].cookies[0].exact",
        ),
        (
            r#""cookies": [{"name": "a", "exact": "\"x\""}]"#,
            "invalid_value",
            "match[0].cookies[0].exact",
        ),
        (r#""query": [{"name": "", "exact": "x"}]"#, "invalid_value", "match[0].query[0].name"),
        (r#""source_ip": ["10.1.2.3/8"]"#, "invalid_cidr", "match[0].source_ip[0]"),
        (r#""source_ip": ["10.0.0.0/33"]"#, "invalid_cidr", "match[0].source_ip[0]"),
        (r#""source_ip": ["localhost"]"#, "invalid_cidr", "match[0].source_ip[0]"),
        (r#""source_ip": ["10.0.0.1", "10.0.0.1/32"]"#, "duplicate_value", "match[0].source_ip"),
        (r#""hosts": ["a.example", "A.example"]"#, "duplicate_value", "match[0].hosts"),
        (r#""methods": ["GET", "PUT", "GET"]"#, "duplicate_value", "match[0].methods"),
        (
            r#""headers": [{"name": "a", "present": false}, {"name": "A", "exact": "x"}]"#,
            "never_matches",
            "match[0].headers[1]",
        ),
        (
            r#""query": [{"name": "a", "exact": "x"}, {"name": "b", "exact": "x"}, {"name": "a", "exact": "y"}]"#,
            "never_matches",
            "match[0].query[2]",
        ),
    ] {
        assert_eq!(problems(&one(field)), [(code, path.to_owned())], "{field}");
    }
}

#[test]
fn warnings_do_not_refuse_a_match() {
    for field in [
        r#""hosts": ["a.example", "a.example"]"#,
        r#""headers": [{"name": "cookie", "present": true}]"#,
        r#""cookies": [{"name": "a", "exact": "x"}, {"name": "a", "exact": "y"}]"#,
    ] {
        let (found, diagnostics) = read(&one(field));
        assert!(found.is_some() && diagnostics.len() == 1, "{field}: {diagnostics:?}");
        assert_eq!(diagnostics[0].severity, Severity::Warning);
    }
}

#[test]
fn a_problem_says_what_to_do_about_it() {
    for (field, line) in [
        (
            r#""source_ip": ["10.1.2.3/8"]"#,
            "error[invalid_cidr] match[0].source_ip[0]: `10.1.2.3/8` has bits beyond its prefix; help: write `10.0.0.0/8` for the whole network",
        ),
        (
            r#""headers": [{"name": "host", "exact": "a.example"}]"#,
            "error[pseudo_header] match[0].headers[0].name: `host` is not among the headers of a request; help: use `hosts` of the match",
        ),
        (
            r#""headers": [{"name": ":path", "prefix": "/a"}]"#,
            "error[pseudo_header] match[0].headers[0].name: `:path` is not among the headers of a request; help: use `path` or `query` of the match",
        ),
        (
            r#""path": {"regex": "/(a"}"#,
            "error[invalid_regex] match[0].path.regex: `/(a` is not a regular expression: found open group without closing ')'; help: the syntax is that of Rust's crate `regex-lite`: no look-around, no back-references, ASCII classes",
        ),
        (
            r#""headers": [{"name": "a", "exact": "x"}, {"name": "a", "prefix": "y"}]"#,
            "warning[never_matches] match[0].headers[1]: no request meets this and `match[0].headers[0]`: header `a` cannot be both exact `x` and prefix `y`; help: all tests of an entry must hold; alternatives are entries of their own, or values of `in`",
        ),
        (
            r#""headers": [{"name": "a", "in": ["x", "y", "x", "x"]}]"#,
            "warning[duplicate_value] match[0].headers[0].in: 2 values are in the list already; help: each value counts once: remove the others",
        ),
        (
            r#""headers": [{"name": "a", "exat": "x"}]"#,
            "error[unknown_field] match[0].headers[0].exat: unknown field `exat`; help: did you mean `exact`?",
        ),
    ] {
        let (_, diagnostics) = read(&one(field));
        let lines: Vec<_> = diagnostics.iter().map(ToString::to_string).collect();
        assert!(lines.contains(&line.to_owned()), "{lines:#?}");
    }
}

#[test]
fn sizes_are_limited() {
    let many = |count: usize, item: &str| vec![item; count].join(",");
    let hosts = |count| one(&format!(r#""hosts": [{}]"#, many(count, r#""a.example""#)));
    assert_eq!(
        problems(&hosts(limits::CONDITIONS)),
        [("duplicate_value", "match[0].hosts".into())]
    );
    assert_eq!(
        problems(&hosts(limits::CONDITIONS + 1)),
        [("limit_exceeded", "match[0].hosts".into())]
    );
    let entries = format!("[{}]", many(limits::CONDITIONS + 1, r#"{"methods": ["GET"]}"#));
    assert_eq!(problems(&entries), [("limit_exceeded", "match".into())]);

    let values =
        |values: &str| one(&format!(r#""cookies": [{{"name": "uid", "in": [{values}]}}]"#));
    let too_many = values(&many(limits::COHORT + 1, r#""u""#));
    assert_eq!(problems(&too_many), [("limit_exceeded", "match[0].cookies[0].in".into())]);
    let long = "u".repeat(limits::VALUE + 1);
    let too_long = values(&format!(r#""u", "{long}""#));
    assert_eq!(problems(&too_long), [("limit_exceeded", "match[0].cookies[0].in[1]".into())]);
    let regex = one(&format!(r#""path": {{"regex": "{long}"}}"#));
    assert_eq!(problems(&regex), [("limit_exceeded", "match[0].path.regex".into())]);
}

#[test]
fn a_cohort_of_a_hundred_thousand_users_is_read_in_its_order() {
    let users: Vec<_> = (0..100_000).map(|n| format!("\"user-{n}\"")).collect();
    let text = one(&format!(r#""headers": [{{"name": "u", "in": [{}]}}]"#, users.join(",")));
    let list = valid(&text);
    let met =
        |user: &str| list.iter().any(|entry| entry.headers[0].test.holds(Some(user.as_bytes())));
    assert!(met("user-0") && met("user-99999") && !met("user-100000") && !met("User-0"));
    let ValueTest::Is(Form::In(cohort)) = &list[0].headers[0].test else { panic!("a cohort") };
    assert_eq!((cohort.len(), cohort.iter().last()), (100_000, Some("user-99999")));
}

#[test]
fn a_cloned_match_shares_what_is_large() {
    let list = valid(VALID);
    let again = list.clone();
    assert_eq!(list, again);
    // A pattern that is written alike is equal, compiled anew or not.
    assert_eq!(valid(VALID), list);
    assert_eq!(Pattern::parse("a", false), Pattern::parse("a", false));
}

#[test]
fn values_at_an_end_may_have_spaces_on_the_other_side() {
    valid(&one(
        r#""headers": [{"name": "a", "prefix": "Mozilla "}, {"name": "a", "suffix": " Safari"}]"#,
    ));
    valid(&one(r#""query": [{"name": "a", "exact": " x\n"}]"#));
}
