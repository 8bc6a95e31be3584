//! Which modules need which, read from their `use` lines: no circles, and no command that needs another.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// `commands::render` as its parts.
type Module = Vec<String>;

/// For each module: which of its parts need which others.
type Needs = BTreeMap<Module, BTreeSet<(String, String)>>;

fn parts(path: &str) -> Module {
    path.split("::").map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// The files of a crate by their modules, without tests.
fn sources(folder: &Path, module: &Module, into: &mut BTreeMap<Module, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let inner = [module.clone(), vec![name.to_owned()]].concat();
        if path.is_dir() {
            sources(&path, &inner, into);
        } else if path.extension().is_some_and(|end| end == "rs") && !name.ends_with("tests") {
            let module = if ["lib", "mod"].contains(&name) { module.clone() } else { inner };
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
            let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            into.insert(module, lines.collect::<Vec<_>>().join("\n"));
        }
    }
}

/// The paths in a text that begin in this way, with those in braces one by one.
fn paths(text: &str, begin: &str) -> Vec<Module> {
    let mut found = Vec::new();
    let begins = text.match_indices(begin).map(|(at, _)| text.split_at(at));
    // The second of two `super::` is no begin.
    for (_, rest) in begins.filter(|(before, _)| !before.ends_with("::")) {
        let in_path = |c: char| c.is_alphanumeric() || "_:".contains(c);
        let (path, rest) = rest.split_at(rest.find(|c| !in_path(c)).unwrap_or(rest.len()));
        match rest.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some((inner, _)) => {
                assert!(!inner.contains('{'), "braces in braces are not read here: {inner}");
                found.extend(inner.split(',').map(|one| parts(&format!("{path}{one}"))));
            }
            None => found.push(parts(path)),
        }
    }
    found
}

/// What is needed: `crate::` begins at the root, and each `super::` is one up.
fn needs(files: &BTreeMap<Module, String>) -> Needs {
    let mut needs = Needs::new();
    for (module, text) in files {
        for path in paths(text, "crate::").into_iter().chain(paths(text, "super::")) {
            let up = path.iter().filter(|part| *part == "super").count();
            let base = if up == 0 { &[] } else { &module[..module.len().saturating_sub(up)] };
            let path = [base, &path[up.max(1)..]].concat();
            let known = (0..=path.len()).rev().find(|end| files.contains_key(&path[..*end]));
            let wanted = &path[..known.unwrap_or(0)];
            let common = module.iter().zip(wanted).take_while(|(a, b)| a == b).count();
            // A module and what is inside it are one.
            if let (Some(from), Some(to)) = (module.get(common), wanted.get(common)) {
                let inside = needs.entry(module[..common].to_vec()).or_default();
                inside.insert((from.clone(), to.clone()));
            }
        }
    }
    needs
}

/// Those that are left when whoever needs nobody is taken away, again and again.
fn circles(mut edges: BTreeSet<(String, String)>) -> BTreeSet<(String, String)> {
    loop {
        let needing: BTreeSet<String> = edges.iter().map(|(from, _)| from.clone()).collect();
        let before = edges.len();
        edges.retain(|(_, to)| needing.contains(to));
        if edges.len() == before {
            return edges;
        }
    }
}

#[test]
fn no_modules_need_each_other_and_no_command_needs_another() {
    let mut files = BTreeMap::new();
    sources(&harness::root().join("src/splitctl"), &Module::new(), &mut files);
    let needs = needs(&files);
    assert!(needs[&parts("")].contains(&("cli".to_owned(), "commands".to_owned())), "{needs:?}");
    assert_eq!(needs.get(&parts("commands")), None, "what two commands need is not a command's");
    for (module, edges) in needs {
        assert_eq!(circles(edges), BTreeSet::new(), "a circle in `{}`", module.join("::"));
    }
}

#[test]
fn a_circle_is_found_however_deep_its_ends_are() {
    let files = [
        ("a", "use crate::b::{C, inner::D};"),
        ("b", ""),
        ("b::inner", "use super::C;\nfn f() -> crate::c::E {}"),
        ("b::other", "use super::inner::D;"),
        ("c", "use std::fmt;\nuse crate::a;"),
        ("d", "use crate::a::X;"),
    ];
    let files = files.iter().map(|(module, text)| (parts(module), (*text).to_owned())).collect();
    let needs = needs(&files);
    let edges = |list: &[(&str, &str)]| -> BTreeSet<_> {
        list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    };
    assert_eq!(needs[&parts("b")], edges(&[("other", "inner")]));
    let all = needs[&parts("")].clone();
    assert_eq!(circles(all), edges(&[("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")]));
}
