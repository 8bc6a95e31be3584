//! What becomes of a request and its response.

use super::*;
use crate::decision::{Nobody, decide};
use crate::hash::{Hash, first_word, prefix};
use crate::policy;

const POLICY: &str = r#"{"version": 1, "key": [{"header": "u"}], "splits": [
    {"name": "a", "match": [{"path": {"prefix": "/a"}}], "baseline": "on",
     "variants": [{"name": "on", "weight": 100}]},
    {"name": "b", "match": [{"path": {"prefix": "/a"}}, {"path": {"prefix": "/b"}}], "baseline": "on",
     "variants": [{"name": "on", "cluster": "b-on", "weight": 100}]},
    {"name": "c", "match": [{"path": {"prefix": "/a"}}], "baseline": "on",
     "variants": [{"name": "on", "cluster": "c-on", "weight": 100}]}]}"#;

/// A header and its new value (`+` before one that is added); `None` = removed.
type Edit = (String, Option<String>);

fn edits(headers: &[HeaderEdit]) -> Vec<Edit> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let edit = |edit: &HeaderEdit| match edit {
        HeaderEdit::Set { name, value } => ((*name).to_owned(), Some(text(value))),
        HeaderEdit::Add { name, value } => ((*name).to_owned(), Some(format!("+{}", text(value)))),
        HeaderEdit::Remove { name } => ((*name).to_owned(), None),
    };
    headers.iter().map(edit).collect()
}

fn plan(text: &str) -> Plan {
    let checked = policy::from_json(text.as_bytes());
    Plan::new(checked.policy.unwrap_or_else(|| panic!("{:?}", checked.diagnostics)))
}

/// Edits, filter state, number of counters.
fn headers_for(request: &[(&str, &str)]) -> (Vec<Edit>, Option<String>, usize) {
    let plan = plan(POLICY);
    let facts = plan.facts(request);
    let decisions = decide(&plan, &facts, &Context::default(), &mut Nobody);
    let effects = on_request(&plan, &facts, &decisions);
    let counters = Metrics::new(&plan).decided(&decisions).count();
    (edits(&effects.headers), effects.state.map(Cow::into_owned), counters)
}

fn set(name: &str, value: &str) -> Edit {
    (name.into(), Some(value.into()))
}

#[test]
fn the_first_split_that_names_a_cluster_sets_it_and_all_are_tagged() {
    let (headers, state, counters) = headers_for(&[(":path", "/a"), ("u", "ada")]);
    assert_eq!(
        headers,
        [set("x-split-cluster", "b-on"), set("x-split-variant", "a=on, b=on, c=on")]
    );
    assert_eq!((state, counters), (None, 3), "nobody asked for the filter state");
    let asking = POLICY.replacen("\"version\": 1", "\"version\": 1, \"filter_state\": true", 1);
    let plan = plan(&asking);
    let request = [(":path", "/a"), ("u", "ada")];
    let facts = plan.facts(request.as_slice());
    let decisions = decide(&plan, &facts, &Context::default(), &mut Nobody);
    let state = on_request(&plan, &facts, &decisions).state;
    assert_eq!(state.as_deref(), Some("a=on, b=on, c=on"));
}

#[test]
fn evidence_says_of_each_split_why_and_the_number_of_the_user_where_there_is_one() {
    let text =
        POLICY.replacen("\"version\": 1", "\"version\": 1, \"filter_state\": \"evidence\"", 1);
    let plan = plan(&text);
    let left = |request: &[(&str, &str)]| {
        let facts = plan.facts(request);
        let decisions = decide(&plan, &facts, &Context::default(), &mut Nobody);
        let effects = on_request(&plan, &facts, &decisions);
        (effects.state.map(Cow::into_owned), effects.evidence)
    };
    let number = |salt: &str| Hash::new(&prefix(salt), b"ada").bucket().number();
    let of = |split| format!("{split}=on;reason=split;bucket={}", number(split));
    let wanted = ["a", "b", "c"].map(of).join(", ");
    let variants = Some("a=on, b=on, c=on".to_owned());
    assert_eq!(left(&[(":path", "/a"), ("u", "ada")]), (variants, Some(wanted)));
    let wanted = "b=on;reason=no_key".to_owned();
    assert_eq!(left(&[(":path", "/b")]), (Some("b=on".to_owned()), Some(wanted)));
    assert_eq!(left(&[(":path", "/"), ("u", "ada")]), (None, None));
}

#[test]
fn headers_that_a_client_forged_are_removed_where_nothing_matched() {
    let forged = [
        (":path", "/"),
        ("x-split-cluster", "secret"),
        ("x-split-variant", "a=on"),
        ("x-split-mirror", "elsewhere"),
    ];
    let (headers, state, counters) = headers_for(&forged);
    let removed = ["x-split-cluster", "x-split-variant", "x-split-mirror"];
    assert_eq!(headers, removed.map(|name| (name.to_owned(), None)));
    assert_eq!((state, counters), (None, 0));
}

#[test]
fn a_request_that_nothing_matched_is_left_alone() {
    assert_eq!(headers_for(&[(":path", "/"), ("u", "ada")]), (vec![], None, 0));
}

#[test]
fn a_variant_edits_request_and_response() {
    let plan = plan(
        r#"{"version": 1, "key": [{"header": "u"}], "baggage": true, "vary": true, "response_variant_header": "x-variant",
        "splits": [{"name": "a", "baseline": "on", "mirror": {"cluster": "shadow", "percent": 100},
          "variants": [{"name": "on", "cluster": "c", "weight": 100,
            "request_headers": {"set": [{"name": "X-Stage", "value": "canary"}], "add": [{"name": "x-more", "value": "1"}], "remove": ["x-old"]},
            "response_headers": {"set": [{"name": "server", "value": "new"}]},
            "rewrite": {"host": "new.example.com", "path_prefix": {"from": "/a", "to": "/b"}}}]}]}"#,
    );
    let request = [(":path", "/a/x?y"), ("u", "ada"), ("baggage", "k=v")];
    let facts = plan.facts(request.as_slice());
    let decisions = decide(&plan, &facts, &Context::default(), &mut Nobody);
    let effects = on_request(&plan, &facts, &decisions);
    assert_eq!(
        edits(&effects.headers),
        [
            ("x-old".to_owned(), None),
            set("x-stage", "canary"),
            set("x-more", "+1"),
            set(":authority", "new.example.com"),
            set(":path", "/b/x?y"),
            set("x-split-cluster", "c"),
            set("x-split-variant", "a=on"),
            set("x-split-mirror", "shadow"),
            set("baggage", "k=v,split.a=on"),
        ]
    );
    let caching = &effects.caching;
    assert!(edits_response(&plan, &decisions, caching));
    let context = &Context::default();
    let answered = Answered { decisions: &decisions, context, caching, status: Some(200) };
    assert_eq!(
        edits(&on_response(&plan, &answered)),
        [set("server", "new"), set("x-variant", "a=on"), set("vary", "+u")]
    );
}

#[test]
fn a_generated_key_is_kept_by_one_cookie_and_a_variant_by_its_own() {
    let split = |name: &str| {
        format!(
            r#"{{"name": "{name}", "baseline": "on", "variants": [{{"name": "on", "weight": 100}}],
            "key": [{{"cookie": "uid"}}, {{"generate": {{"cookie": "uid"}}}}],
            "sticky": {{"secret": "0123456789abcdef"}}}}"#
        )
    };
    let plan = plan(&format!(r#"{{"version": 1, "splits": [{}, {}]}}"#, split("a"), split("b")));
    let context = Context { random: [1, 2], ..Context::default() };
    let request = [(":path", "/")];
    let decisions = decide(&plan, &plan.facts(request.as_slice()), &context, &mut Nobody);
    assert!(decisions.list().iter().all(|d| d.new_key && d.hold));
    let (decisions, context) = (&decisions, &context);
    let caching = &Caching::default();
    assert!(reads_status(decisions));
    let with_status = |status| {
        let answered = Answered { decisions, context, caching, status };
        edits(&on_response(&plan, &answered))
    };
    let headers = with_status(Some(200));
    assert_eq!(headers.last(), Some(&set("cache-control", "+private")));
    assert_eq!(with_status(Some(404)), headers);
    assert_eq!(with_status(None), headers);
    let mut kept = with_status(Some(503));
    kept.retain(|(name, _)| name == "set-cookie");
    assert_eq!(kept, headers[..1], "the id stays, and no variant is held");
    let cookies = headers.iter().filter(|(name, _)| name == "set-cookie");
    let cookies: Vec<_> = cookies.filter_map(|(_, value)| value.as_deref()).collect();
    assert_eq!(cookies.len(), 3, "{cookies:?}");
    let id = String::from_utf8(generated_id(first_word(b"uid"), context).to_vec()).unwrap();
    assert!(cookies[0].starts_with(&format!("+uid={id};")), "{cookies:?}");
    assert!(cookies[1].starts_with("+split-a="), "{cookies:?}");
    assert!(cookies[2].starts_with("+split-b="), "{cookies:?}");
}

/// A later leg, with what the one before it left.
struct Leg<'l>(&'l [(&'l str, &'l str)], &'l [u8]);

impl Host for Leg<'_> {
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()))
    }

    fn earlier_leg(&self) -> Option<Cow<'_, [u8]>> {
        (!self.1.is_empty()).then_some(self.1.into())
    }
}

#[test]
fn a_visitor_keeps_what_the_first_leg_gave_also_where_the_last_leads_elsewhere() {
    let plan = plan(
        r#"{"version": 1, "splits": [{"name": "a", "match": [{"path": {"exact": "/start"}}], "baseline": "on",
        "variants": [{"name": "on", "weight": 100}], "key": [{"cookie": "uid"}, {"generate": {"cookie": "uid"}}],
        "sticky": {"secret": "0123456789abcdef"}}]}"#,
    );
    let context = &Context { random: [1, 2], ..Context::default() };
    let first = Leg(&[(":path", "/start")], &[]);
    let decisions = decide(&plan, &plan.facts(&first), context, &mut Nobody);
    let note = crate::decision::Earlier::note(&plan, &decisions, context, 0, 0).unwrap();
    let next = [(":path", "/final"), ("x-split-variant", "a=on")];
    let decisions = &decide(&plan, &plan.facts(&Leg(&next, &note)), context, &mut Nobody);
    assert_eq!((decisions.list().len(), decisions.elsewhere().len()), (0, 1));
    let caching = &Caching::default();
    assert!(edits_response(&plan, decisions, caching) && reads_status(decisions));
    let names = |status| {
        let answered = Answered { decisions, context, caching, status: Some(status) };
        let edits = edits(&on_response(&plan, &answered));
        let starts = |text: String| text.split(['=', ';']).next().unwrap_or_default().to_owned();
        edits.into_iter().filter_map(|(_, value)| value.map(starts)).collect::<Vec<_>>()
    };
    assert_eq!(names(200), ["+uid", "+split-a", "+private"]);
    assert_eq!(names(503), ["+uid", "+private"]);
}

#[test]
fn a_page_behind_a_redirect_that_the_proxy_follows_is_private_to_caches() {
    let plan = plan(
        r#"{"version": 1, "vary": true, "splits": [{"name": "a", "match": [{"path": {"exact": "/start"}}], "key": [{"header": "u"}],
        "baseline": "on", "variants": [{"name": "on", "weight": 100}]}]}"#,
    );
    let caching = |request: &[(&str, &str)]| {
        let facts = plan.facts(request);
        let decisions = decide(&plan, &facts, &Context::default(), &mut Nobody);
        on_request(&plan, &facts, &decisions).caching
    };
    let none = Caching::default();
    assert_eq!(caching(&[(":path", "/final")]), none);
    let start = caching(&[(":path", "/start")]);
    assert_eq!(start, Caching { vary: Some("u".to_owned()), private: false });
    let redirected = [(":path", "/final"), ("x-envoy-original-url", "http://shop/start")];
    assert_eq!(caching(&redirected), Caching { private: true, ..none });
}

#[test]
fn a_response_by_the_proxy_itself_is_an_effect() {
    let plan = plan(
        r#"{"version": 1, "key": [{"header": "u"}], "splits": [{"name": "a", "baseline": "off",
        "variants": [{"name": "off", "weight": 100, "respond": {"status": 503, "body": "back soon"}}]}]}"#,
    );
    let request = [("u", "ada")];
    let facts = plan.facts(request.as_slice());
    let decisions = decide(&plan, &facts, &Context::default(), &mut Nobody);
    let effects = on_request(&plan, &facts, &decisions);
    assert_eq!(effects.respond, Some(&Respond { status: 503, body: "back soon".into() }));
}
