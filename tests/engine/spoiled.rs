//! Valid policies with something in them spoilt: refused with words, or understood; never a panic,
//! and nothing accepted that is not written back the same.

use engine::decision::Context;
use engine::plan::Plan;
use engine::policy::{self, Severity};
use engine::units::Moment;
use harness::native::on_request;
use harness::vectors;
use policy_text::canonical::to_value;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use crate::written::EVERY_FIELD;

/// What takes the place of a part.
fn anything() -> impl Strategy<Value = Value> {
    prop_oneof![
        select(vec![
            Value::Null,
            json!(true),
            json!(-1),
            json!(0),
            json!(1),
            json!(100),
            json!(1e308),
            json!(0.00001),
            json!(9_007_199_254_740_993_i64),
            json!(""),
            json!("a"),
            json!(" "),
            json!("x-user"),
            json!("*"),
            json!("/"),
            json!("("),
            json!("v0"),
            json!("1h"),
            json!("0s"),
            json!("10.0.0.0/8"),
            json!("any"),
            json!("2026-11-20T12:00:00Z"),
            json!("\u{1f}"),
            json!("é"),
            json!([]),
            json!({}),
            json!([[]]),
            json!([{}]),
            json!("x".repeat(5_000)),
            json!(":path"),
            json!("set-cookie"),
            json!("stay"),
            json!("random"),
        ]),
        "[ -~]{0,6}".prop_map(Value::from),
        any::<f64>()
            .prop_filter("JSON has no other numbers", |n| n.is_finite())
            .prop_map(|n| json!(n)),
    ]
}

/// The places of all parts of a document, as JSON pointers.
fn places(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, item)| places(item, &format!("{at}/{n}"), all));
        }
        Value::Object(fields) => {
            let escaped = |name: &str| name.replace('~', "~0").replace('/', "~1");
            fields.iter().for_each(|(n, v)| places(v, &format!("{at}/{}", escaped(n)), all));
        }
        _ => {}
    }
}

/// What happens to a part.
#[derive(Debug, Clone)]
enum Spoil {
    Replace(Value),
    /// Another part of the same document comes in its place.
    Copy(Index),
    /// A field goes, or the last item of a list.
    Shorten,
    /// A field comes, or an item twice.
    Lengthen,
}

fn spoil(document: &mut Value, at: &Index, how: &Spoil) {
    let mut all = Vec::new();
    places(document, "", &mut all);
    let other = match how {
        Spoil::Copy(from) => document.pointer(&all[from.index(all.len())]).cloned(),
        _ => None,
    };
    let Some(part) = document.pointer_mut(&all[at.index(all.len())]) else { return };
    match (how, part) {
        (Spoil::Replace(value), part) => *part = value.clone(),
        (Spoil::Copy(_), part) => *part = other.unwrap_or_default(),
        (Spoil::Shorten, Value::Array(items)) => drop(items.pop()),
        (Spoil::Shorten, Value::Object(fields)) => {
            let name = fields.keys().nth(at.index(fields.len().max(1))).cloned();
            name.map(|name| fields.remove(&name));
        }
        (Spoil::Lengthen, Value::Array(items)) => items.extend(items.last().cloned()),
        (Spoil::Lengthen, Value::Object(fields)) => drop(fields.insert("wieght".into(), json!(1))),
        (Spoil::Shorten | Spoil::Lengthen, part) => *part = Value::Null,
    }
}

fn spoils() -> impl Strategy<Value = Vec<(Index, Spoil)>> {
    let how = prop_oneof![
        3 => anything().prop_map(Spoil::Replace),
        2 => any::<Index>().prop_map(Spoil::Copy),
        1 => Just(Spoil::Shorten),
        1 => Just(Spoil::Lengthen),
    ];
    prop::collection::vec((any::<Index>(), how), 1..4)
}

fn documents() -> Vec<Value> {
    let vectors = vectors::all().into_iter().map(|vector| vector.policy);
    vectors.chain([serde_json::from_str(EVERY_FIELD).unwrap()]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_spoilt_policy_is_refused_with_words_or_understood(which in any::<Index>(), spoils in spoils()) {
        // Read once: proptest runs this for each case.
        static DOCUMENTS: std::sync::OnceLock<Vec<Value>> = std::sync::OnceLock::new();
        let documents = DOCUMENTS.get_or_init(documents);
        let mut document = documents[which.index(documents.len())].clone();
        for (at, how) in &spoils {
            spoil(&mut document, at, how);
        }
        let checked = policy::from_json(document.to_string().as_bytes());
        let refused = checked.diagnostics.iter().any(|d| d.severity == Severity::Error);
        prop_assert_eq!(checked.policy.is_none(), refused, "refused without a word, or accepted with an error");
        for diagnostic in &checked.diagnostics {
            prop_assert!(!diagnostic.to_string().contains('\n'), "{}", diagnostic);
        }
        let Some(policy) = checked.policy else { return Ok(()) };
        let again = policy::check(&to_value(&policy));
        prop_assert_eq!(again.policy.as_ref(), Some(&policy), "{:#?}", again.diagnostics);
        let plan = Plan::new(policy);
        let request = [(":path", "/shop?u=1"), (":authority", "a.example"), ("x-user-id", "ada"), ("cookie", "uid=1")];
        let decisions = crate::decide(&plan, &request[..], &Context { now: Moment::new(1_795_176_000_000), random: [1, 2] });
        on_request(&plan, &request[..], &decisions);
    }
}
