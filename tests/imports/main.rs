//! Who may need whom inside a crate: no circles, and in the engine nothing that comes later.

mod read;

use std::collections::BTreeSet;

use read::{Needs, circles, needs, of_crate, parts};

/// The edges between the parts of a module.
fn inside(needs: &Needs, module: &str) -> BTreeSet<(String, String)> {
    needs.get(&parts(module)).cloned().unwrap_or_default()
}

fn edges(list: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[test]
fn no_modules_of_a_crate_need_each_other() {
    for name in ["engine", "filter", "lab", "policy-text", "rollout", "splitctl"] {
        let needs = of_crate(name);
        assert!(!needs.is_empty(), "{name} was not read");
        for (module, edges) in needs {
            let circle = circles(edges);
            assert!(circle.is_empty(), "a circle in `{name}::{}`: {circle:?}", module.join("::"));
        }
    }
}

#[test]
fn no_stage_of_the_engine_needs_a_later_one() {
    let text = std::fs::read_to_string(harness::root().join("src/engine/lib.rs")).unwrap();
    // What is declared without an empty line between is one stage.
    let stages: Vec<Vec<&str>> = text
        .split("\n\n")
        .map(|block| {
            let declared = block.lines().map(|line| line.strip_prefix("pub ").unwrap_or(line));
            declared.filter_map(|line| line.strip_prefix("mod ")).collect()
        })
        .filter(|stage: &Vec<&str>| !stage.is_empty())
        .collect();
    let stage = |module: &str| {
        let declared =
            |stage: &Vec<&str>| stage.iter().any(|m| m.strip_suffix(';') == Some(module));
        stages.iter().position(declared).unwrap_or_else(|| panic!("`{module}` is in no stage"))
    };
    let order = ["hash", "matching", "policy", "plan", "decision", "metrics", "effects"];
    assert!(order.map(stage).is_sorted_by(|a, b| a < b), "{stages:?}");
    for (from, to) in inside(&of_crate("engine"), "") {
        assert!(stage(&to) <= stage(&from), "`{from}` needs `{to}`, which comes after it");
    }
}

#[test]
fn no_command_of_splitctl_needs_another() {
    let needs = of_crate("splitctl");
    assert!(inside(&needs, "").contains(&("cli".to_owned(), "commands".to_owned())), "{needs:?}");
    assert_eq!(inside(&needs, "commands"), edges(&[]), "what two need is not a command's");
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
    assert_eq!(inside(&needs, "b"), edges(&[("other", "inner")]));
    let all = inside(&needs, "");
    assert_eq!(circles(all), edges(&[("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")]));
}
