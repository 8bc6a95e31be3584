//! Every kind of problem, where it is and what there is to do; and the schema against the reader.

use std::collections::BTreeSet;

use engine::policy;
use serde_json::{Value, json};

use super::{Code, Problem, Rollout, check_against, read, schema};

fn valid() -> Value {
    json!({"version": 1, "policy": "policy.yaml", "split": "checkout", "challenger": "canary",
        "steps": [{"weight": 5, "for": "10m"}, {"weight": 50, "for": "30m", "approval": true}],
        "counts": {"prometheus": "http://127.0.0.1:9090", "matching": "job=\"edge\"", "every": "10s"}})
}

/// The same with other fields at the top.
fn with(fields: Value) -> Value {
    let mut document = valid();
    let (Value::Object(all), Value::Object(more)) = (&mut document, fields) else {
        return document;
    };
    all.extend(more);
    document
}

fn problems(document: &Value) -> Vec<Problem> {
    let document: policy::Value = serde_json::from_value(document.clone()).unwrap();
    read(&document).err().unwrap_or_default()
}

#[test]
fn each_mistake_in_a_file_has_one_problem_with_its_place_and_help() {
    let step = |step: Value| json!({"steps": [step]});
    let gates = |gates: Value| json!({"gates": gates});
    let counts = |counts: Value| json!({"counts": counts});
    let of = |code: Code, path: &str, help: &str, fields: Value| {
        let found = problems(&with(fields.clone()));
        let [one] = found.as_slice() else { panic!("{fields}: {found:?}") };
        assert_eq!((one.code, one.path.as_str()), (code, path), "{one}");
        assert!(one.help.contains(help), "{one}");
        let [first, ..] = one.message.as_bytes() else { panic!("no message: {one:?}") };
        assert!(!first.is_ascii_uppercase(), "{one}");
    };
    use Code::*;
    of(UnknownField, "polcy", "did you mean `policy`?", json!({"polcy": "a"}));
    of(UnknownField, "zzz", "known here: ", json!({"zzz": 1}));
    of(WrongType, "policy", "a text", json!({"policy": 5}));
    of(WrongType, "split", "not empty", json!({"split": ""}));
    of(WrongType, "steps", "weight: 5", json!({"steps": 5}));
    of(OutOfRange, "steps", "write 1 to 100", json!({"steps": []}));
    of(WrongType, "steps[0]", "its fields are `weight`", step(json!(5)));
    of(MissingField, "steps[0].weight", "weight: 5", step(json!({"for": "1m"})));
    of(MissingField, "steps[0].for", "for: 10m", step(json!({"weight": 5})));
    of(OutOfRange, "steps[0].weight", "four decimals", step(json!({"weight": -5, "for": "1m"})));
    of(OutOfRange, "steps[0].for", "", step(json!({"weight": 5, "for": "soon"})));
    of(
        WrongType,
        "steps[0].approval",
        "`true`",
        step(json!({"weight": 5, "for": "1m", "approval": "yes"})),
    );
    of(NotRising, "steps[0].weight", "above 0", step(json!({"weight": 0, "for": "1m"})));
    let falls = json!({"steps": [{"weight": 5, "for": "1m"}, {"weight": 5, "for": "1m"}]});
    of(NotRising, "steps[1].weight", "rise", falls);
    of(OutOfRange, "max_step", "four decimals", json!({"max_step": 0.000_01}));
    of(OutOfRange, "gates.alpha", "0.5", gates(json!({"alpha": 0.7})));
    of(WrongType, "gates.alpha", "a number", gates(json!({"alpha": "5%"})));
    of(OutOfRange, "gates.errors.ratio", "1.01", gates(json!({"errors": {"ratio": 1}})));
    of(OutOfRange, "gates.errors.slo", "99.9", gates(json!({"errors": {"slo": 5}})));
    of(MissingField, "gates.slow.over", "500ms", gates(json!({"slow": {}})));
    of(WrongType, "gates.responses", "500", gates(json!({"responses": -1})));
    of(WrongType, "gates.queries", "conversions", gates(json!({"queries": "up"})));
    let unbounded = gates(json!({"queries": [{"name": "a", "query": "b"}]}));
    of(MissingField, "gates.queries[0]", "at_least: 0.95", unbounded);
    of(MissingField, "inconclusive.after", "2h", json!({"inconclusive": {"then": "hold"}}));
    let then = json!({"inconclusive": {"after": "2h", "then": "promote"}});
    of(OutOfRange, "inconclusive.then", "`retreat`", then);
    of(MissingField, "counts", "prometheus: URL", counts(json!({})));
    let both = counts(json!({"prometheus": "http://a", "proxies": ["http://b"]}));
    of(Conflict, "counts", "one of them", both);
    let matching = counts(json!({"proxies": ["http://b"], "matching": "a=\"b\""}));
    of(Conflict, "counts.matching", "leave it out", matching);
    of(OutOfRange, "counts.every", "10s", counts(json!({"proxies": ["http://b"], "every": "1ms"})));
    of(OutOfRange, "proxies", "leave it out", json!({"proxies": []}));
    let apply = json!({"apply": {"ecds": "a", "command": ["b"]}});
    of(Conflict, "apply", "one of them", apply);
    let mut queries = gates(json!({"queries": [{"name": "a", "query": "b", "at_least": 1}]}));
    queries["counts"] = json!({"proxies": ["http://b"]});
    of(Conflict, "gates.queries", "prometheus: URL", queries);
}

#[test]
fn what_is_missing_or_written_twice_is_said_and_all_mistakes_at_once() {
    assert_eq!(problems(&valid()), vec![]);
    for field in ["version", "policy", "split", "challenger", "steps", "counts"] {
        let mut document = valid();
        document.as_object_mut().unwrap().remove(field);
        let found = problems(&document);
        assert!(
            found.iter().any(|one| one.path == field && one.code == Code::MissingField),
            "{found:?}"
        );
    }
    let twice: policy::Value =
        serde_json::from_str(r#"{"version": 1, "split": "a", "split": "b"}"#).unwrap();
    let found = read(&twice).unwrap_err();
    let codes: BTreeSet<Code> = found.iter().map(|one| one.code).collect();
    assert_eq!(codes, BTreeSet::from([Code::DuplicateField, Code::MissingField]), "{found:?}");
    assert!(found.len() > 3);
}

const POLICY: &str = r#"{"version": 1, "key": [{"header": "u"}], "splits": [{"name": "checkout", "baseline": "stable",
    "variants": [{"name": "stable", "weight": 80}, {"name": "canary", "weight": 0, "max_weight": 60},
    {"name": "other", "weight": 20}]}]}"#;

#[test]
fn each_mistake_against_the_policy_has_its_place_and_help() {
    let of = |code: Code, path: &str, help: &str, policy: &str, fields: Value| {
        let checked = policy::from_json(policy.as_bytes());
        let policy = checked.policy.unwrap_or_else(|| panic!("{:?}", checked.diagnostics));
        let document: policy::Value = serde_json::from_value(with(fields)).unwrap();
        let found = check_against(&read(&document).unwrap(), &policy, true).unwrap_err();
        let [one] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((one.code, one.path.as_str()), (code, path), "{one}");
        assert!(one.help.contains(help), "{one}");
    };
    let at = |weight: u64| json!({"steps": [{"weight": weight, "for": "1m"}]});
    use Code::*;
    of(UnknownSplit, "split", "did you mean `checkout`?", POLICY, json!({"split": "chekout"}));
    of(
        UnknownVariant,
        "challenger",
        "did you mean `canary`?",
        POLICY,
        json!({"challenger": "canry"}),
    );
    of(IsBaseline, "challenger", "rises", POLICY, json!({"challenger": "stable"}));
    of(OverMaxWeight, "steps[0].weight", "rollouts, too", POLICY, at(70));
    let without = POLICY.replace(r#", "max_weight": 60"#, "");
    of(NoRoom, "steps[0].weight", "at most 80", &without, at(90));
    let mut large = at(30);
    large["max_step"] = json!(10);
    of(OverMaxStep, "steps[0].weight", "in between", POLICY, large);
    let begun = POLICY
        .replace("\"weight\": 80", "\"weight\": 70")
        .replace("\"weight\": 0", "\"weight\": 10");
    of(StartsAbove, "steps[0].weight", "a step of 10", &begun, at(5));
    let off = POLICY.replace("\"baseline\"", "\"enabled\": false, \"baseline\"");
    of(Unsteady, "split", "take that back", &off, at(5));
    let killed = POLICY.replace("\"key\"", "\"kill\": true, \"key\"");
    of(Unsteady, "split", "take that back", &killed, at(5));
}

#[test]
fn what_the_reader_accepts_is_valid_by_the_schema_and_what_the_schema_refuses_is_refused() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let fields = [
        json!({}),
        json!({"max_step": 25.5, "proxies": ["http://a:1"], "on_event": ["./notify.sh", "x"]}),
        json!({"gates": {"alpha": 0.01, "errors": {"ratio": 2, "slo": 99.9}, "slow": {"over": "1s", "slo": 0.99},
            "sample_ratio": false, "responses": 5000, "queries": [{"name": "a", "query": "b", "at_most": 1.1}]}}),
        json!({"inconclusive": {"after": "2h30m", "then": "retreat"}, "apply": {"command": ["kubectl"]}}),
        json!({"counts": {"proxies": ["http://a:1"]}, "apply": {"ecds": "split.yaml"}}),
    ];
    for fields in fields {
        let document = with(fields);
        assert_eq!(problems(&document), vec![], "{document}");
        assert!(
            validator.is_valid(&document),
            "{document}: {:?}",
            validator.iter_errors(&document).next()
        );
    }
    for fields in [
        json!({"version": 2}),
        json!({"policy": ""}),
        json!({"steps": []}),
        json!({"zzz": 1}),
        json!({"proxies": []}),
        json!({"gates": {"alpha": 0.7}}),
        json!({"gates": {"errors": {"ratio": 1}}}),
        json!({"gates": {"slow": {}}}),
        json!({"inconclusive": {"after": "soon"}}),
        json!({"inconclusive": {"after": "1h", "then": "x"}}),
        json!({"apply": {"ecds": 5}}),
        json!({"on_event": "x"}),
        json!({"max_step": -1}),
        json!({"gates": {"responses": 1.5}}),
        json!({"steps": vec![json!({"weight": 5, "for": "1m"}); Rollout::MOST_STEPS + 1]}),
    ] {
        let document = with(fields);
        assert!(!validator.is_valid(&document), "{document}");
        assert_ne!(problems(&document), vec![], "{document}");
    }
}
