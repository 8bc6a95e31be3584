//! docs/rollout.md against the code: its first file, every field with its default, every problem, decision and exit code.

use std::path::Path;

use rollout::course::{Back, Decision, End, Held};
use rollout::file::{Code, Rollout, check_against, read, schema};
use serde_json::Value;
use splitctl::outcome::EXIT_CODES;

fn text(path: &str) -> String {
    std::fs::read_to_string(harness::root().join(path)).unwrap()
}

fn page() -> String {
    text("docs/rollout.md")
}

/// Rows of tables, by their first cell without its backticks.
fn row<'p>(page: &'p str, name: &str) -> Option<Vec<&'p str>> {
    let rows = page.lines().filter_map(|line| line.strip_prefix('|'));
    let mut cells = rows.map(|line| line.split('|').map(str::trim));
    cells.find_map(|mut cells| {
        (cells.next()?.trim_matches('`') == name).then(|| cells.collect::<Vec<_>>())
    })
}

#[test]
fn the_page_begins_with_the_file_of_the_demo() {
    let file = text("envoy/rollout/rollout.yaml");
    let page = page();
    let first = page.split("```").nth(1).unwrap();
    assert_eq!(first, format!("yaml\n{file}"));
}

/// The fields below a schema that have no fields of their own.
fn leaves(schema: &Value, path: &str, found: &mut Vec<(String, Option<Value>)>) {
    if let Some(fields) = schema["properties"].as_object() {
        for (name, field) in fields {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            leaves(field, &path, found);
        }
    } else if schema["items"]["properties"].is_object() {
        leaves(&schema["items"], &format!("{path}[]"), found);
    } else {
        found.push((path.to_owned(), schema.get("default").cloned()));
    }
}

#[test]
fn every_field_has_a_row_with_its_default() {
    let mut fields = Vec::new();
    leaves(&schema(), "", &mut fields);
    assert_eq!(fields.len(), 30, "{fields:?}");
    let page = page();
    for (path, default) in &fields {
        let cells = row(&page, path).unwrap_or_else(|| panic!("docs/rollout.md lacks `{path}`"));
        let default = match default {
            Some(Value::String(word)) => format!("`{word}`"),
            Some(other) => format!("`{other}`"),
            None if path == "counts.every" => format!("`{}s`", Rollout::EVERY / 1000),
            None => String::new(),
        };
        assert_eq!(cells[0], default, "the default of `{path}`");
    }
    // And none that is not there.
    let begin = page.find("| field | default | meaning |").unwrap();
    let table = page[begin..].lines().take_while(|line| line.starts_with('|')).skip(2);
    let rows: Vec<_> = table.filter_map(|line| line.split('`').nth(1)).collect();
    assert_eq!(rows.len(), fields.len());
    for name in rows {
        assert!(fields.iter().any(|(path, _)| path == name), "`{name}` is no field");
    }
}

/// The reader's own list of what may stand where is what the schema has: a field that the schema forgets is found by
/// the reader's help.
#[test]
fn the_reader_knows_the_fields_of_the_schema_and_no_other() {
    let object = |value: Value| serde_json::from_value(value).unwrap();
    let known = |document: Value, path: &str| -> Vec<String> {
        let problems = read(&object(document)).unwrap_err();
        let path = format!("{path}zzzzzzzzzzzz").trim_start_matches('.').to_owned();
        let found = problems.iter().find(|problem| problem.path == path);
        let help = &found.unwrap_or_else(|| panic!("{path}: {problems:?}")).help;
        let mut names: Vec<_> = help.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        names.sort();
        names
    };
    let fields = |schema: &Value| -> Vec<String> {
        let mut names: Vec<_> = schema["properties"].as_object().unwrap().keys().cloned().collect();
        names.sort();
        names
    };
    let odd = serde_json::json!({"zzzzzzzzzzzz": 1});
    let schema = schema();
    let of = |pointer: &str| {
        schema.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is not in the schema"))
    };
    let json = |name: &str, value: &Value| serde_json::json!({ name: value });
    assert_eq!(known(odd.clone(), ""), fields(&schema));
    for name in ["gates", "inconclusive", "counts", "apply"] {
        let found = known(json(name, &odd), &format!("{name}."));
        assert_eq!(found, fields(of(&format!("/properties/{name}"))), "{name}");
    }
    for name in ["errors", "slow"] {
        let found = known(json("gates", &json(name, &odd)), &format!("gates.{name}."));
        assert_eq!(found, fields(of(&format!("/properties/gates/properties/{name}"))), "{name}");
    }
    let list = serde_json::json!([odd]);
    assert_eq!(known(json("steps", &list), "steps[0]."), fields(of("/properties/steps/items")));
    let queries = known(json("gates", &json("queries", &list)), "gates.queries[0].");
    assert_eq!(queries, fields(of("/properties/gates/properties/queries/items")));
}

#[test]
fn every_problem_every_end_and_every_exit_code_is_told() {
    let page = page();
    for code in Code::ALL {
        assert!(row(&page, code.as_str()).is_some(), "docs/rollout.md lacks `{}`", code.as_str());
    }
    for end in End::ALL {
        let name = format!("`{}`", end.as_str());
        assert!(page.contains(&name), "docs/rollout.md lacks {name}");
    }
    for (code, ..) in EXIT_CODES {
        let found = row(&page, &code.to_string());
        assert!(found.is_some(), "docs/rollout.md lacks exit code {code}");
    }
}

#[test]
fn the_runs_on_the_page_speak_as_the_tool_does() {
    let page = page();
    let hold = |why| Decision::Hold { why }.to_string();
    let told = [
        Decision::Advance { step: 2 }.to_string(),
        Decision::Rollback { why: Back::Errors }.to_string(),
        Decision::Ended { end: End::Done }.to_string(),
        Decision::Ended { end: End::RolledBack }.to_string(),
        hold(Held::Proxies { current: 0, all: 1 }),
    ];
    for line in told {
        assert!(page.contains(&format!(" %  {line}\n")), "docs/rollout.md lacks: {line}");
    }
}

/// What an operator copies can be carried out: rollout and policy fit each other.
#[test]
fn the_files_of_the_kits_are_valid_with_their_policies() {
    let value =
        |text: &str| policy_text::source::Source::new("rollout.yaml", text).plain().unwrap().0;
    let check = |rollout: &str, policy: &str| {
        let rollout = read(&value(rollout)).unwrap();
        let source = policy_text::source::Source::new(&rollout.policy, policy);
        let policy = source.policy().unwrap().check().policy.unwrap();
        check_against(&rollout, &policy, true).unwrap();
        assert!(policy.splits.iter().all(|split| split.name == rollout.split));
        rollout
    };
    check(&text("envoy/rollout/rollout.yaml"), &text("envoy/rollout/policy.yaml"));

    let files: Value = serde_json::from_str(
        &policy_text::source::to_json(&value(&text("istio/rollout/files.yaml"))).unwrap(),
    )
    .unwrap();
    let file = |name: &str| files["data"][name].as_str().unwrap().to_owned();
    let rollout = check(&file("rollout.yaml"), &file("traffic-split.yaml"));
    assert_eq!(Path::new(&rollout.policy), Path::new("traffic-split.yaml"));
}

/// A service or Job that began again after a rollback would only be told that it is over; one that stayed down after a kill
/// would leave a rollout where it is.
#[test]
fn services_stay_down_after_the_exit_codes_that_are_an_end() {
    let service = text("envoy/rollout/traffic-split-rollout.service");
    for line in ["Restart=on-failure", "RestartPreventExitStatus=1 4 5 6", "SuccessExitStatus=3"] {
        assert!(service.lines().any(|found| found == line), "{line}");
    }
    let names: Vec<_> = EXIT_CODES
        .iter()
        .filter(|(code, ..)| [1, 4, 5, 6].contains(code))
        .map(|(_, name, _)| *name)
        .collect();
    assert_eq!(names, ["no", "not valid", "aborted", "drifted"]);
    let job = text("istio/rollout/job.yaml");
    for rule in [
        "- action: FailJob\n      onExitCodes: {containerName: rollout, operator: In, values: [1, 4, 5, 6]}",
        "- action: Ignore\n      onExitCodes: {containerName: rollout, operator: In, values: [3]}",
    ] {
        assert!(job.contains(rule), "{rule}");
    }
}
