//! Which modules of a crate need which, read from their `use` lines.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// `commands::render` as its parts.
pub(crate) type Module = Vec<String>;

/// For each module: which of its parts need which others.
pub(crate) type Needs = BTreeMap<Module, BTreeSet<(String, String)>>;

pub(crate) fn parts(path: &str) -> Module {
    path.split("::").map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Which modules need which in a crate below `src/`.
pub(crate) fn of_crate(name: &str) -> Needs {
    let mut files = BTreeMap::new();
    sources(&harness::root().join("src").join(name), &Module::new(), &mut files);
    needs(&files)
}

/// The files of a crate by their modules, without tests.
fn sources(folder: &Path, module: &Module, into: &mut BTreeMap<Module, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let inner = [module.clone(), vec![name.to_owned()]].concat();
        if name.ends_with("tests") {
            continue;
        }
        if path.is_dir() {
            sources(&path, &inner, into);
        } else if path.extension().is_some_and(|end| end == "rs") {
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
pub(crate) fn needs(files: &BTreeMap<Module, String>) -> Needs {
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
pub(crate) fn circles(mut edges: BTreeSet<(String, String)>) -> BTreeSet<(String, String)> {
    loop {
        let needing: BTreeSet<String> = edges.iter().map(|(from, _)| from.clone()).collect();
        let before = edges.len();
        edges.retain(|(_, to)| needing.contains(to));
        if edges.len() == before {
            return edges;
        }
    }
}
