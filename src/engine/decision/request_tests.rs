//! What a request tells.

use std::borrow::Cow;
use std::cell::Cell;

use super::*;
use crate::host::Claim;
use crate::ids::Id as _;
use crate::policy;

/// A request over a connection from some address, that counts what it is asked.
struct From<'r> {
    client: &'r str,
    headers: &'r [(&'r str, &'r str)],
    asked: Cell<u32>,
}

impl<'r> From<'r> {
    fn new(client: &'r str, headers: &'r [(&'r str, &'r str)]) -> Self {
        Self { client, headers, asked: Cell::new(0) }
    }

    fn count(&self) {
        self.asked.set(self.asked.get().saturating_add(1));
    }
}

impl Host for From<'_> {
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.headers.headers()
    }

    fn source_address(&self) -> Option<Cow<'_, [u8]>> {
        self.count();
        Some(self.client.as_bytes().into())
    }

    fn claim(&self, claim: &Claim) -> Option<Cow<'_, [u8]>> {
        self.count();
        (claim.name == "sub").then(|| b"ada".into())
    }
}

/// A plan of splits that have these fields.
fn plan(policy: &str, splits: &[&str]) -> Plan {
    let split = |(n, fields): (usize, &&str)| {
        format!(
            r#"{{"name": "s{n}", {fields}, "baseline": "b", "variants": [{{"name": "b", "weight": 100}}]}}"#
        )
    };
    let splits: Vec<_> = splits.iter().enumerate().map(split).collect();
    let text = format!(r#"{{"version": 1{policy}, "splits": [{}]}}"#, splits.join(", "));
    let checked = policy::from_json(text.as_bytes());
    Plan::new(checked.policy.unwrap_or_else(|| panic!("{:?}", checked.diagnostics)))
}

const API_OF_THE_SHOP: &str = r#""key": [{"header": "u"}], "match": [{
    "hosts": ["shop.example.com"], "path": {"prefix": "/api/"}, "methods": ["GET", "HEAD"],
    "headers": [{"name": "x-tier", "exact": "premium"}], "cookies": [{"name": "beta", "exact": "on"}],
    "query": [{"name": "lang", "exact": "de AT"}], "source_ip": ["10.0.0.0/8"]}]"#;

const MET: [(&str, &str); 5] = [
    (":method", "GET"),
    (":authority", "SHOP.example.com:8443"),
    (":path", "/api/cart?x=1&lang=de+AT&lang=en"),
    ("x-tier", "premium"),
    ("cookie", "a=1; beta=on; beta=off"),
];

fn unmet(client: &str, headers: &[(&str, &str)]) -> Vec<String> {
    let plan = plan("", &[API_OF_THE_SHOP]);
    let host = From::new(client, headers);
    let explanation = explain(&plan, &plan.facts(&host), &Context::default());
    match explanation.of(SplitId::at(0)) {
        [Step::Match(tried), ..] => tried.unmet.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_entry_holds_when_all_its_fields_hold() {
    assert_eq!(unmet("10.1.2.3:4711", &MET), [""; 0]);
}

#[test]
fn the_first_field_that_fails_is_named() {
    for (name, value, words) in [
        (":authority", "other.example.com", "hosts `shop.example.com`"),
        (":path", "/web?lang=de+AT", "path prefix `/api/`"),
        (":method", "POST", "methods `GET`, `HEAD`"),
        ("x-tier", "basic", "header `x-tier` exact `premium`"),
        ("cookie", "beta=off; beta=on", "cookie `beta` exact `on`"),
        (":path", "/api/?lang=en&lang=de+AT", "query `lang` exact `de AT`"),
        (":path", "/api/", "query `lang` exact `de AT`"),
    ] {
        let request = MET.map(|(n, v)| if n == name { (n, value) } else { (n, v) });
        assert_eq!(unmet("10.1.2.3:4711", &request), [words]);
    }
    assert_eq!(unmet("192.0.2.1:4711", &MET), ["source_ip `10.0.0.0/8`"]);
    assert_eq!(unmet("pipe", &MET), ["source_ip `10.0.0.0/8`"]);
}

#[test]
fn the_client_s_address_is_found_as_the_policy_says() {
    let headers = [("x-forwarded-for", "10.6.6.6, 10.1.2.3, 192.0.2.1"), ("u", "ada")];
    for (hops, met) in [(0, false), (1, false), (2, true), (3, true), (4, false)] {
        let split = r#""key": [{"header": "u"}], "match": [{"source_ip": ["10.0.0.0/8"]}]"#;
        let plan = plan(&format!(r#", "client_ip": {{"trusted_hops": {hops}}}"#), &[split]);
        let host = From::new("192.0.2.1:4711", &headers);
        let decisions = decide(&plan, &plan.facts(&host), &Context::default(), &mut Nobody);
        assert_eq!(decisions.list().len() == 1, met, "{hops}");
    }
}

#[test]
fn the_first_source_that_is_present_and_not_empty_gives_the_key() {
    let plan =
        plan("", &[r#""key": [{"header": "x-user-id"}, {"cookie": "uid"}, {"query": "u"}]"#]);
    let key = plan.splits[SplitId::at(0)].key;
    for (request, found) in [
        (vec![("x-user-id", "ada"), ("cookie", "uid=bob")], Some((0, "ada"))),
        (vec![("cookie", "a=1"), ("cookie", "uid=bob")], Some((1, "bob"))),
        (vec![("x-user-id", ""), ("cookie", "uid=; uid=bob")], Some((1, "bob"))),
        (vec![("x-user-id", ""), ("x-user-id", "eve")], Some((0, "eve"))),
        (vec![("cookie", "uid="), (":path", "/?u=&u=c%61t")], Some((2, "cat"))),
        (vec![("cookie", "uid")], None),
        (vec![], None),
    ] {
        let facts = plan.facts(request.as_slice());
        let source_and_text = |key: &Key| (key.source, String::from_utf8_lossy(key.bytes()).into());
        let asked = facts.key(key, &Context::default()).this().map(source_and_text);
        let found = found.map(|(source, key): (usize, &str)| (source, key.to_owned()));
        assert_eq!(asked, found, "{request:?}");
    }
}

#[test]
fn the_host_is_asked_once_however_many_splits_want_to_know() {
    let address = r#""match": [{"source_ip": ["10.0.0.0/8"]}, {"source_ip": ["11.0.0.0/8"]}], "key": [{"client_ip": true}]"#;
    let claim = r#""key": [{"jwt": {"provider": "idp", "claim": "sub"}}]"#;
    for (splits, calls) in [
        (vec![address; 4], 1),
        (vec![claim; 4], 1),
        (vec![address, claim, address, claim], 2),
        (vec![r#""key": [{"header": "u"}, {"client_ip": true}]"#], 0),
        (
            vec![
                r#""match": [{"methods": ["PUT"], "source_ip": ["10.0.0.0/8"]}], "key": [{"header": "u"}]"#,
            ],
            0,
        ),
    ] {
        let (plan, host) = (plan("", &splits), From::new("10.1.2.3:4711", &[("u", "ada")]));
        decide(&plan, &plan.facts(&host), &Context::default(), &mut Nobody);
        assert_eq!(host.asked.get(), calls, "{splits:?}");
    }
}

/// A line of an access log that tells the host alone.
struct Record;

impl Host for Record {
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        [(b":authority".as_slice(), b"a.example".as_slice())].into_iter()
    }

    fn is_a_record(&self) -> bool {
        true
    }
}

#[test]
fn what_a_record_does_not_tell_is_unknown_and_so_is_what_depends_on_it() {
    let key = r#""key": [{"header": "u"}]"#;
    let on_b = r#""key": [{"header": "u"}], "match": [{"hosts": ["b.example"]}]"#;
    let always = r#""key": [{"header": "u"}], "match": [{"hosts": ["a.example"]}], "overrides": [{"match": [{"path": {"prefix": "/"}}], "variant": "b"}]"#;
    let layered = |fields: &str| format!(r#"{fields}, "layer": "l""#);
    let requires =
        |split: &str| format!(r#"{key}, "requires": [{{"split": "{split}", "variant": "b"}}]"#);
    for (splits, decided, unknown) in [
        (vec![key.to_owned()], 0, 1),
        (vec![on_b.to_owned()], 0, 0),
        (vec![always.to_owned()], 1, 0),
        (vec![r#""assignment": "random""#.to_owned()], 0, 1),
        (vec![r#""key": [{"cookie": "c"}, {"generate": {"cookie": "c"}}]"#.to_owned()], 0, 1),
        (vec![key.to_owned(), requires("s0")], 0, 2),
        (vec![on_b.to_owned(), requires("s0")], 0, 0),
        (vec![always.to_owned(), requires("s0")], 1, 1),
        (vec![layered(key), layered(always)], 0, 2),
        (vec![layered(always), layered(key)], 1, 0),
    ] {
        let splits: Vec<&str> = splits.iter().map(String::as_str).collect();
        let plan = plan(r#", "layers": [{"name": "l"}]"#, &splits);
        let decisions = decide(&plan, &plan.facts(&Record), &Context::default(), &mut Nobody);
        let found = (decisions.list().len(), decisions.unknown().len());
        assert_eq!(found, (decided, unknown), "{splits:?}");
    }
}
