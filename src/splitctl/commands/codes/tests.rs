//! What `splitctl codes` prints, and that its examples are ones.

use insta::assert_snapshot;
use policy_text::source::Source;

use super::*;
use crate::policy_file::PolicyFile;

fn codes(code: Option<&str>, format: Format) -> String {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let args = Args { code: code.map(str::to_owned), format };
    match run(&args, &mut Console { out: &mut out, err: &mut err }) {
        Ok(_) => anstream::adapter::strip_str(&String::from_utf8(out).unwrap()).to_string(),
        Err(error) => format!("error: {error}"),
    }
}

/// The whole file of an example.
fn source_of(example: Example) -> Source {
    use engine::policy::Value;
    let (text, in_split) = match example {
        Example::File(text) => {
            return Source::new(if text.starts_with('{') { "a.json" } else { "a.yaml" }, text);
        }
        Example::Long(text) => {
            let users: Vec<String> = (0..30_000).map(|user| format!("user-{user}")).collect();
            return Source::new("a.yaml", &text.replace("USERS", &users.join(", ")));
        }
        Example::Policy(text) => (text, false),
        Example::Split(text) => (text, true),
    };
    const SPLIT: &str = "name: checkout\nbaseline: stable\nvariants: [{name: stable, weight: 100}]";
    const POLICY: &str = "version: 1\nkey: [{header: x-user-id}]\nsplits: []";
    let fields = |text: &str| match Source::new("a.yaml", text).policy().unwrap().value {
        Value::Object(fields) => fields,
        other => panic!("{other:?}"),
    };
    let with = |base: &str, more: Vec<(String, Value)>| {
        let mut all = fields(base);
        all.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
        all.extend(more);
        Value::Object(all)
    };
    let split = with(SPLIT, if in_split { fields(text) } else { Vec::new() });
    let own = if in_split { Vec::new() } else { fields(text) };
    let has_splits = own.iter().any(|(name, _)| name == "splits");
    let mut policy = with(POLICY, own);
    if let (Value::Object(fields), false) = (&mut policy, has_splits) {
        fields.retain(|(name, _)| name != "splits");
        fields.push(("splits".to_owned(), Value::List(vec![split])));
    }
    Source::new("a.json", &policy_text::source::to_json(&policy).unwrap())
}

#[test]
fn every_example_shows_its_code_with_its_severity() {
    for entry in entries::all() {
        assert!(entry.explanation.len() > 10, "{} has no explanation", entry.code);
        // What is said of one policy, or of all of a file together.
        let source = source_of(entry.example);
        let mut files = vec![PolicyFile::check(source.clone())];
        files.extend(PolicyFile::check_all(source));
        let findings = |file: &PolicyFile| {
            file.findings.iter().map(|f| (f.code, f.severity)).collect::<Vec<_>>()
        };
        let shows = |file: &&PolicyFile| findings(file).contains(&(entry.code, entry.severity));
        let file = files.iter().find(shows);
        let file = file.unwrap_or_else(|| panic!("{}: {:?}", entry.code, files[0].findings));
        if entry.severity == Severity::Warning {
            assert!(file.valid.is_some(), "{}: {:?}", entry.code, file.findings);
        }
    }
}

#[test]
fn all_codes_are_listed() {
    assert_snapshot!(codes(None, Format::Human));
}

#[test]
fn one_code_is_explained() {
    let both = [codes(Some("weight_sum"), Format::Human), codes(Some("slice_gap"), Format::Human)];
    assert_snapshot!(both.join("---\n"));
}

#[test]
fn json_says_the_same() {
    assert_snapshot!(codes(Some("no_policy"), Format::Json));
}

#[test]
fn an_unknown_code_is_an_error() {
    let text = codes(Some("weight_summ"), Format::Human);
    assert_eq!(text, "error: there is no code `weight_summ`; `splitctl codes` lists all");
}
