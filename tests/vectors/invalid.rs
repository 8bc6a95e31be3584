//! Every diagnostic has a file in `tests/vectors/invalid` that shows it, with the exact text at its
//! head, and a section in `docs/diagnostics.md`. `UPDATE=1` writes both; then read what changed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use engine::policy::{self, Code, Diagnostic, Severity};
use harness::vectors::same;
use libtest_mimic::Trial;
use policy_text::source::Source;

/// A policy with something wrong.
struct Invalid {
    /// The name of its file, which is the code that it shows.
    code: String,
    path: PathBuf,
    /// The comment lines at its head: what must be said of it.
    head: Vec<String>,
    /// The policy.
    body: String,
    /// What is said of it.
    found: Vec<Diagnostic>,
    /// Whether there is a policy all the same.
    accepted: bool,
}

/// One test for each file, and those of the whole folder.
pub(crate) fn trials() -> Vec<Trial> {
    let test = |name: &str, run: fn() -> Result<()>| crate::test(format!("invalid::{name}"), run);
    let mut trials = vec![
        test("every_code_has_its_file_and_every_file_its_code", every_code_has_its_file),
        test("the_page_lists_every_code_with_an_example", the_page_lists_every_code),
    ];
    trials.extend(paths().into_iter().map(|path| {
        let name = format!("invalid::{}", code(&path));
        crate::test(name, move || is_told_exactly(&read(path)?))
    }));
    trials
}

fn is_told_exactly(invalid: &Invalid) -> Result<()> {
    let Invalid { code, found, .. } = invalid;
    let said: Vec<String> = found.iter().map(ToString::to_string).collect();
    if updates() {
        let head: String = said.iter().map(|line| format!("# {line}\n")).collect();
        replace(&invalid.path, &(head + &invalid.body))?;
    } else {
        let place = invalid.path.file_name().unwrap_or_default().display();
        ensure!(
            said == invalid.head,
            "{place}: what is said\n  {}\nis not its head\n  {}",
            said.join("\n  "),
            invalid.head.join("\n  ")
        );
    }
    ensure!(found.iter().any(|d| d.code.as_str() == code), "`{code}` is not said: {said:#?}");
    ensure!(said.iter().all(|line| !line.contains('\n')), "one line each: {said:#?}");
    for Diagnostic { message, help, .. } in found {
        ensure!(!message.starts_with(char::is_uppercase), "lower case: {message}");
        let texts = [Some(message), help.as_ref()];
        ensure!(!texts.into_iter().flatten().any(|t| t.ends_with('.')), "no full stop: {said:#?}");
    }
    // An error refuses a policy and a warning does not.
    let refused = found.iter().any(|d| d.severity == Severity::Error);
    same("accepted", &invalid.accepted, &!refused)
}

fn every_code_has_its_file() -> Result<()> {
    let mut files: Vec<String> = paths().iter().map(|path| code(path)).collect();
    let mut codes: Vec<String> = Code::ALL.iter().map(|code| code.as_str().to_owned()).collect();
    files.sort();
    codes.sort();
    same("files", &files, &codes)
}

fn the_page_lists_every_code() -> Result<()> {
    let files = paths().into_iter().map(|path| Ok((code(&path), read(path)?)));
    let page = page(&files.collect::<Result<_>>()?);
    let path = harness::root().join("docs/diagnostics.md");
    if updates() {
        replace(&path, &page)?;
    }
    let there = fs::read_to_string(&path).context("the page is there")?;
    ensure!(there == page, "{} is not as it should be: UPDATE=1 writes it", path.display());
    Ok(())
}

fn paths() -> Vec<PathBuf> {
    let files = fs::read_dir(harness::root().join("tests/vectors/invalid"));
    let paths = files.expect("the folder is there").map(|file| file.expect("a file").path());
    let mut paths: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|e| e == "yaml")).collect();
    paths.sort();
    paths
}

fn code(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn read(path: PathBuf) -> Result<Invalid> {
    let code = code(&path);
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let is_head = |line: &&str| line.starts_with("# error[") || line.starts_with("# warning[");
    let head: Vec<String> =
        text.lines().take_while(is_head).map(|line| line[2..].to_owned()).collect();
    let body: String = text.lines().skip(head.len()).flat_map(|line| [line, "\n"]).collect();
    let checked = if code == Code::InvalidJson.as_str() {
        policy::from_json(body.as_bytes())
    } else {
        let document = Source::new(&format!("{code}.yaml"), &body).policy();
        let document = document.map_err(|syntax| anyhow!("{code}: {syntax:?}"))?;
        document.check()
    };
    let (accepted, found) = (checked.policy.is_some(), checked.diagnostics);
    Ok(Invalid { code, path, head, body, found, accepted })
}

/// Whether files are to be written rather than compared.
fn updates() -> bool {
    std::env::var_os("UPDATE").is_some()
}

/// Puts a text in the place of a file at once: other tests read it meanwhile.
fn replace(path: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    let beside = path.with_extension("new");
    fs::write(&beside, text).and_then(|()| fs::rename(&beside, path)).context("it can be written")
}

fn page(files: &BTreeMap<String, Invalid>) -> String {
    let mut page = String::from(
        "# Diagnostics\n\n\
        Whoever reads a policy (the filter in Envoy's log, `splitctl validate`) reports every problem in one run,\n\
        each in one line with a stable code:\n\n\
        ```\n\
        error[weight_sum] splits[0].variants: the weights sum to 110, not 100; help: ...\n\
        ```\n\n\
        So `splitctl` says it, in the order of lines. The filter's log says the same in JSON's words (object, array), without the\n\
        examples of what to write, and also what only follows from another mistake.\n\n\
        An **error** refuses the policy, and the last good one serves on. With a **warning** it works, but\n\
        perhaps not as meant. This page is generated from the code and from the policies in\n\
        `tests/vectors/invalid`, where each code has one that shows it.\n\n\
        | code | severity | meaning |\n|---|---|---|\n",
    );
    for code in Code::ALL {
        let (name, meaning) = (code.as_str(), code.meaning());
        let severity = code.severity().as_str();
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
