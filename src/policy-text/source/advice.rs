//! What people are told beyond what the engine says: in the words of the format that they write, with what to write in the
//! place of the commonest slips, and one mistake once. It is here because the filter has no room for it.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use engine::policy::{Code, Diagnostic, Value};

use super::{to_flow, to_json};
use crate::schema::schema;

/// What is said of a text without anything in it.
pub(super) const EMPTY: &str = "the file is empty";
const BEGIN: &str = "a policy begins with `version: 1`, and has a list of `splits`; `splits: []` is one that splits nothing";
/// The same for JSON.
pub(super) const BEGIN_JSON: &str = "the smallest policy is `{\"version\": 1, \"splits\": []}`";
/// An example longer than this is no help.
const LONGEST: usize = 160;

/// The fields of a policy, of a split and of a variant, each with where they belong.
static LEVELS: LazyLock<[(BTreeSet<String>, &str); 3]> = LazyLock::new(|| {
    let schema = schema();
    let fields = |of: &str| {
        let properties = schema.pointer(&format!("{of}/properties"));
        let names = properties.and_then(serde_json::Value::as_object).into_iter().flatten();
        names.map(|(name, _)| name.clone()).collect()
    };
    [
        (fields(""), "is for all splits: write it at the top of the policy, beside `splits`"),
        (fields("/$defs/split"), "belongs to a split: write it below `splits`"),
        (fields("/$defs/variant"), "belongs to a variant: write it in one of `variants`"),
    ]
});

/// Drops what follows from another mistake, and says the others better.
pub(super) fn improve(all: &mut Vec<Diagnostic>, document: &Value, is_json: bool) {
    let misspelt: Vec<(String, String)> = all.iter().filter_map(meant).collect();
    all.retain(|diagnostic| !follows(diagnostic, &misspelt));
    for diagnostic in all.iter_mut() {
        if diagnostic.code == Code::WrongType {
            if diagnostic.path.is_empty() && *document == Value::Null {
                EMPTY.clone_into(&mut diagnostic.message);
                diagnostic.help = Some(BEGIN.to_owned());
                continue;
            }
            let value = at(document, &diagnostic.path);
            let example =
                value.and_then(|value| example(&diagnostic.path, value, &diagnostic.message));
            if let (None, Some(example)) = (&diagnostic.help, example) {
                let field = last_name(&diagnostic.path);
                let written =
                    if is_json { to_json(&example).ok() } else { Some(to_flow(&example)) };
                let written = written.filter(|written| written.len() <= LONGEST);
                diagnostic.help = written.map(|text| match (field, is_json) {
                    (Some(field), false) => format!("write `{field}: {text}`"),
                    (Some(field), true) => format!("write `\"{field}\": {text}`"),
                    (None, _) => format!("write `{text}`"),
                });
            }
            if !is_json {
                diagnostic.message = in_yaml_words(&diagnostic.message);
            }
        }
        if let Some(help) = misplaced(diagnostic) {
            diagnostic.help = Some(help);
        }
    }
}

/// Of a misspelt field the object that it is in, and the name that was meant.
fn meant(diagnostic: &Diagnostic) -> Option<(String, String)> {
    let name = diagnostic.help.as_deref()?.strip_prefix("did you mean `")?.strip_suffix("`?")?;
    (diagnostic.code == Code::UnknownField)
        .then(|| (parent(&diagnostic.path).to_owned(), name.to_owned()))
}

/// Whether a field is missing because its name is misspelt.
fn follows(diagnostic: &Diagnostic, misspelt: &[(String, String)]) -> bool {
    let is_meant = |object: &str, field: &str| {
        misspelt.iter().any(|(inside, name)| inside == object && name == field)
    };
    match diagnostic.code {
        Code::MissingField => {
            let named = diagnostic.message.rsplit('`').nth(1);
            named.is_some_and(|field| is_meant(&diagnostic.path, field))
        }
        Code::MissingKey => is_meant(&diagnostic.path, "key") || is_meant("", "key"),
        _ => false,
    }
}

/// Where a field belongs that is known, and not here.
fn misplaced(diagnostic: &Diagnostic) -> Option<String> {
    let inside = parent(&diagnostic.path);
    let level = match inside.matches('[').count() {
        0 if inside.is_empty() => 0,
        1 if inside.starts_with("splits[") && inside.ends_with(']') => 1,
        2 if inside.contains("].variants[") && inside.ends_with(']') => 2,
        _ => return None,
    };
    let name = last_name(&diagnostic.path)?;
    let known = |(at, (fields, _)): &(usize, &(BTreeSet<String>, &str))| {
        *at != level && fields.contains(name)
    };
    let (_, (_, place)) = LEVELS.iter().enumerate().find(known)?;
    (diagnostic.code == Code::UnknownField).then(|| format!("`{name}` {place}"))
}

/// What was most likely meant, where a list or an object is expected and something else is there.
fn example(path: &str, value: &Value, message: &str) -> Option<Value> {
    let name = last_name(path).unwrap_or_else(|| parent_list(path));
    let inside_list = last_name(path).is_none();
    let list = |items: Vec<Value>| Some(Value::List(items));
    if message.starts_with("expected an array") {
        return match (name, value) {
            ("variants" | "splits" | "layers", Value::Object(fields)) => {
                list(fields.iter().map(named).collect::<Option<_>>()?)
            }
            ("headers" | "cookies" | "query", Value::Object(fields)) => {
                list(fields.iter().map(tested).collect::<Option<_>>()?)
            }
            ("key", Value::String(header)) => list(vec![source(header)]),
            (_, Value::Null) => None,
            (_, value) => list(vec![value.clone()]),
        };
    }
    match (name, value) {
        ("path", Value::String(path)) => Some(object([("prefix", Value::String(path.clone()))])),
        ("key", Value::String(header)) if inside_list => Some(source(header)),
        ("holdout", Value::Integer(_) | Value::Float(_)) => {
            Some(object([("percent", value.clone())]))
        }
        _ => None,
    }
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Object(fields.map(|(name, value)| (name.to_owned(), value)).to_vec())
}

fn source(header: &str) -> Value {
    object([("header", Value::String(header.to_owned()))])
}

/// `stable: 99` or `stable: {weight: 99}` as an entry of a list.
fn named((name, value): &(String, Value)) -> Option<Value> {
    let name = ("name".to_owned(), Value::String(name.clone()));
    match value {
        Value::Integer(_) | Value::Float(_) => {
            Some(Value::Object(vec![name, ("weight".to_owned(), value.clone())]))
        }
        Value::Object(fields) => Some(Value::Object([&[name], fields.as_slice()].concat())),
        _ => None,
    }
}

/// `x-canary: "true"` as a test.
fn tested((name, value): &(String, Value)) -> Option<Value> {
    let name = ("name".to_owned(), Value::String(name.clone()));
    match value {
        Value::Object(fields) => Some(Value::Object([&[name], fields.as_slice()].concat())),
        Value::List(_) | Value::Null => None,
        scalar => {
            let exact = ("exact".to_owned(), Value::String(scalar.to_string()));
            Some(Value::Object(vec![name, exact]))
        }
    }
}

/// The same message with YAML's words for an object and an array; what the document says is left alone.
fn in_yaml_words(message: &str) -> String {
    let parts = message.split('`').enumerate().map(|(index, part)| {
        if index % 2 == 0 {
            part.replace("an object", "a mapping").replace("an array", "a list")
        } else {
            part.to_owned()
        }
    });
    parts.collect::<Vec<_>>().join("`")
}

/// What is at a path of a document.
fn at<'v>(document: &'v Value, path: &str) -> Option<&'v Value> {
    path.split(['.', '[']).filter(|step| !step.is_empty()).try_fold(document, |value, step| match (
        value,
        step.strip_suffix(']'),
    ) {
        (Value::List(items), Some(index)) => items.get(index.parse::<usize>().ok()?),
        (_, None) => value.field(step),
        _ => None,
    })
}

/// The path without its last part.
fn parent(path: &str) -> &str {
    path.rfind(['.', '[']).and_then(|end| path.get(..end)).unwrap_or_default()
}

/// The name of the field that a path ends with; `None` for an entry of a list.
fn last_name(path: &str) -> Option<&str> {
    let name = path.rsplit('.').next()?;
    (!name.is_empty() && !name.ends_with(']')).then_some(name)
}

/// The name of the list that a path ends in.
fn parent_list(path: &str) -> &str {
    last_name(parent(path)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::source::Source;

    fn said(name: &str, text: &str) -> Vec<String> {
        let document = Source::new(name, text).policy().unwrap();
        document.check().diagnostics.iter().map(ToString::to_string).collect()
    }

    /// What is said of a split with these lines more, without what it needs anyway.
    fn said_of(lines: &str) -> Vec<String> {
        said("a.yaml", &format!("version: 1\nsplits:\n- name: checkout\n{lines}"))
    }

    const KEY: &str = "  key: [{header: x-user-id}]\n";
    const REST: &str = "  baseline: stable\n  variants: [{name: stable, weight: 100}]\n";

    #[test]
    fn variants_as_a_mapping_are_one_mistake_with_what_to_write() {
        let lines = format!(
            "{KEY}  baseline: stable\n  variants: {{stable: 99, canary: 1}}\n  overrides: [{{match: [{{path: {{prefix: /}}}}], variant: canary}}]\n"
        );
        assert_eq!(
            said_of(&lines),
            [
                "error[wrong_type] splits[0].variants: expected a list, found a mapping; help: write `variants: [{name: stable, weight: 99}, {name: canary, weight: 1}]`"
            ]
        );
        let lines = format!("{KEY}  baseline: stable\n  variants: {{stable: {{weight: 99}}}}\n");
        assert_eq!(
            said_of(&lines),
            [
                "error[wrong_type] splits[0].variants: expected a list, found a mapping; help: write `variants: [{name: stable, weight: 99}]`"
            ]
        );
    }

    #[test]
    fn a_match_without_its_dash_is_shown_with_it() {
        assert_eq!(
            said_of(&format!("  match: {{path: {{prefix: /api}}}}\n{KEY}{REST}")),
            [
                "error[wrong_type] splits[0].match: expected a list, found a mapping; help: write `match: [{path: {prefix: /api}}]`"
            ]
        );
        assert_eq!(
            said_of(&format!(
                "  match: [{{headers: {{x-canary: true}}, hosts: a.test, path: /api}}]\n{KEY}{REST}"
            )),
            [
                "error[wrong_type] splits[0].match[0].headers: expected a list, found a mapping; help: write `headers: [{name: x-canary, exact: \"true\"}]`",
                "error[wrong_type] splits[0].match[0].hosts: expected a list, found a string `a.test`; help: write `hosts: [a.test]`",
                "error[wrong_type] splits[0].match[0].path: expected a mapping, found a string `/api`; help: write `path: {prefix: /api}`",
            ]
        );
    }

    #[test]
    fn a_key_that_is_no_list_or_misspelt_is_one_mistake() {
        assert_eq!(
            said_of(&format!("  key: x-user-id\n{REST}")),
            [
                "error[wrong_type] splits[0].key: expected a list, found a string `x-user-id`; help: write `key: [{header: x-user-id}]`"
            ]
        );
        assert_eq!(
            said_of(&format!("  key: [x-user-id]\n{REST}")),
            [
                "error[wrong_type] splits[0].key[0]: expected a mapping, found a string `x-user-id`; help: write `{header: x-user-id}`"
            ]
        );
        assert_eq!(
            said_of(&format!("  keys: [{{header: x-user-id}}]\n{REST}")),
            [
                "error[unknown_field] splits[0].keys: unknown field `keys`; help: did you mean `key`?"
            ]
        );
        let top = format!("version: 1\nkeys: [{{header: u}}]\nsplits:\n- name: a\n{REST}");
        assert_eq!(
            said("a.yaml", &top),
            ["error[unknown_field] keys: unknown field `keys`; help: did you mean `key`?"]
        );
    }

    #[test]
    fn a_misspelt_field_is_not_missing_and_one_that_is_missing_is() {
        let lines =
            format!("{KEY}  baselin: stable\n  variants: [{{nmae: stable, weight: 100}}]\n");
        assert_eq!(
            said_of(&lines),
            [
                "error[unknown_field] splits[0].baselin: unknown field `baselin`; help: did you mean `baseline`?",
                "error[unknown_field] splits[0].variants[0].nmae: unknown field `nmae`; help: did you mean `name`?",
            ]
        );
        let lines = format!("{KEY}  baselin: stable\n  variants: [{{weight: 100}}]\n");
        assert!(said_of(&lines)[1].starts_with("error[missing_field] splits[0].variants[0]: "));
    }

    #[test]
    fn a_field_of_another_level_is_shown_to_its_place() {
        assert_eq!(
            said_of(&format!("  holdout: {{percent: 5}}\n{KEY}{REST}")),
            [
                "error[unknown_field] splits[0].holdout: unknown field `holdout`; help: `holdout` is for all splits: write it at the top of the policy, beside `splits`"
            ]
        );
        let top = "version: 1\nvariants: []\nsplits: []\n";
        assert_eq!(
            said("a.yaml", top),
            [
                "error[unknown_field] variants: unknown field `variants`; help: `variants` belongs to a split: write it below `splits`"
            ]
        );
        let lines = format!("{KEY}  weight: 5\n{REST}");
        assert_eq!(
            said_of(&lines),
            [
                "error[unknown_field] splits[0].weight: unknown field `weight`; help: `weight` belongs to a variant: write it in one of `variants`"
            ]
        );
    }

    #[test]
    fn problems_are_in_the_order_of_lines() {
        let text =
            "vresion: 1\nkil: true\nsplits:\n- baseline: b\n  weights: 1\n  name: A\nlayers: 5\n";
        let paths: Vec<_> = said("a.yaml", text)
            .iter()
            .map(|line| line.split(['[', ' ', ':']).nth(2).unwrap_or_default().to_owned())
            .collect();
        assert_eq!(
            paths,
            ["vresion", "kil", "splits", "splits", "splits", "splits", "layers"],
            "{:#?}",
            said("a.yaml", text)
        );
    }

    #[test]
    fn yaml_and_json_have_their_own_words() {
        assert_eq!(
            said("a.yaml", "- 1\n"),
            ["error[wrong_type]: expected a mapping, found a list"]
        );
        assert_eq!(said("a.json", "[]"), ["error[wrong_type]: expected an object, found an array"]);
        let quoted = said_of(&format!("  match: an object\n{KEY}{REST}"));
        assert!(quoted[0].contains("expected a list, found a string `an object`"), "{quoted:?}");
        let json = r#"{"version": 1, "splits": [{"name": "a", "key": "u", "baseline": "a", "variants": [{"name": "a", "weight": 100}]}]}"#;
        assert_eq!(
            said("a.json", json),
            [
                "error[wrong_type] splits[0].key: expected an array, found a string `u`; help: write `\"key\": [{\"header\":\"u\"}]`"
            ]
        );
    }

    #[test]
    fn an_empty_file_is_called_so() {
        for text in ["", "\n", "# nothing yet\n"] {
            let said = said("a.yaml", text);
            assert!(
                said[0].starts_with(
                    "error[wrong_type]: the file is empty; help: a policy begins with"
                ),
                "{said:?}"
            );
        }
        let syntax = Source::new("a.json", " \n").policy().unwrap_err();
        assert_eq!(syntax.message, "the file is empty");
    }
}
