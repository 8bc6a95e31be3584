//! Every diagnostic has a file in `tests/vectors/invalid` that shows it, with the exact text at its
//! head, and a section in `src/docs/diagnostics.md`. `UPDATE=1` writes both; then read what changed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use engine::policy::{self, Code, Diagnostic, Severity};
use splitctl::source::Source;

/// A policy with something wrong.
struct Invalid {
    path: PathBuf,
    /// The comment lines at its head: what must be said of it.
    head: Vec<String>,
    /// The policy.
    body: String,
    /// What is said of it.
    found: Vec<Diagnostic>,
}

/// By the name of the file, which is the code that it shows.
fn all() -> BTreeMap<String, Invalid> {
    let folder = harness::root().join("tests/vectors/invalid");
    let files = fs::read_dir(folder).expect("the folder is there");
    let paths = files.map(|file| file.expect("a file").path());
    paths.filter(|path| path.extension().is_some_and(|e| e == "yaml")).map(read).collect()
}

fn read(path: PathBuf) -> (String, Invalid) {
    let code = path.file_stem().expect("a name").to_string_lossy().into_owned();
    let text = fs::read_to_string(&path).expect("the file can be read");
    let is_head = |line: &&str| line.starts_with("# error[") || line.starts_with("# warning[");
    let head: Vec<String> =
        text.lines().take_while(is_head).map(|line| line[2..].to_owned()).collect();
    let body: String = text.lines().skip(head.len()).flat_map(|line| [line, "\n"]).collect();
    let found = if code == Code::InvalidJson.as_str() {
        policy::from_json(body.as_bytes()).diagnostics
    } else {
        let document = Source::new(&format!("{code}.yaml"), &body).policy();
        let document = document.unwrap_or_else(|syntax| panic!("{code}: {syntax:?}"));
        policy::check(&document.value).diagnostics
    };
    (code, Invalid { path, head, body, found })
}

/// Whether files are to be written rather than compared.
fn updates() -> bool {
    std::env::var_os("UPDATE").is_some()
}

/// Puts a text in the place of a file at once: other tests read it meanwhile.
fn replace(path: &Path, text: &str) {
    if fs::read_to_string(path).is_ok_and(|there| there == text) {
        return;
    }
    let beside = path.with_extension("new");
    fs::write(&beside, text).and_then(|()| fs::rename(&beside, path)).expect("it can be written");
}

#[test]
fn every_invalid_policy_is_told_exactly_what_its_head_says() {
    for (code, invalid) in all() {
        let said: Vec<String> = invalid.found.iter().map(ToString::to_string).collect();
        if updates() {
            let head: String = said.iter().map(|line| format!("# {line}\n")).collect();
            replace(&invalid.path, &(head + &invalid.body));
        } else {
            assert_eq!(said, invalid.head, "{code}");
        }
        assert!(invalid.found.iter().any(|d| d.code.as_str() == code), "{code}: {said:#?}");
        assert!(said.iter().all(|line| !line.contains('\n')), "one line each: {said:#?}");
    }
}

#[test]
fn every_code_has_its_file_and_every_file_its_code() {
    let mut files: Vec<String> = all().into_keys().collect();
    let mut codes: Vec<String> = Code::ALL.iter().map(|code| code.as_str().to_owned()).collect();
    files.sort();
    codes.sort();
    assert_eq!(files, codes);
}

#[test]
fn what_is_wrong_is_in_lower_case_and_says_what_to_do_where_that_is_known() {
    for (code, invalid) in all() {
        for diagnostic in &invalid.found {
            let first = diagnostic.message.chars().next().expect("a message");
            assert!(!first.is_uppercase(), "{code}: {diagnostic}");
            assert!(!diagnostic.message.ends_with('.'), "{code}: {diagnostic}");
            assert!(diagnostic.help.as_ref().is_none_or(|help| !help.ends_with('.')), "{code}");
        }
    }
}

#[test]
fn an_error_refuses_a_policy_and_a_warning_does_not() {
    for (code, invalid) in all() {
        let refused = invalid.found.iter().any(|d| d.severity == Severity::Error);
        if code != Code::InvalidJson.as_str() {
            let document = Source::new("a.yaml", &invalid.body).policy().unwrap();
            assert_eq!(policy::check(&document.value).policy.is_none(), refused, "{code}");
        }
    }
}

#[test]
fn the_page_of_diagnostics_lists_every_code_with_an_example() {
    let (path, page) = (harness::root().join("src/docs/diagnostics.md"), page(&all()));
    if updates() {
        replace(&path, &page);
    }
    let there = fs::read_to_string(&path).expect("the page is there");
    assert!(there == page, "{} is not as it should be: UPDATE=1 writes it", path.display());
}

fn page(files: &BTreeMap<String, Invalid>) -> String {
    let mut page = String::from(
        "# Diagnostics\n\n\
        Whoever reads a policy (the filter in Envoy's log, `splitctl validate`) reports every problem in one run,\n\
        each in one line with a stable code:\n\n\
        ```\n\
        error[weight_sum] splits[0].variants: the weights sum to 110, not 100; help: ...\n\
        ```\n\n\
        An **error** refuses the policy, and the one before stays in force. With a **warning** it works, but\n\
        perhaps not as meant. This page is generated from the code and from the policies in\n\
        `tests/vectors/invalid`, where each code has one that shows it.\n\n\
        | code | severity | meaning |\n|---|---|---|\n",
    );
    let severity = |code: &Code| {
        let invalid = files.get(code.as_str())?;
        invalid.found.iter().find(|d| d.code == *code).map(|d| d.severity.as_str())
    };
    for code in Code::ALL {
        let (name, meaning) = (code.as_str(), code.meaning());
        let severity = severity(code).unwrap_or("?");
        let _ = writeln!(page, "| [`{name}`](#{name}) | {severity} | {meaning} |");
    }
    for code in Code::ALL {
        let Some(invalid) = files.get(code.as_str()) else { continue };
        let _ = writeln!(
            page,
            "\n## {}\n\n{}\n\n```yaml\n{}```\n",
            code.as_str(),
            code.meaning(),
            invalid.body
        );
        let lines: String = invalid.found.iter().map(|d| format!("{d}\n")).collect();
        let _ = writeln!(page, "```\n{lines}```");
    }
    page
}
