//! The emergency brake: one command, no edit of a file, and it says when Envoy has it.

use std::process::Command;

use crate::serve::Kit;
use crate::tools::splitctl;

/// `render ecds` over the file that Envoy watches, waiting until it is in force: whether it is, and what it says.
fn render(kit: &Kit, more: &[&str]) -> (bool, String) {
    let mut command: Command = splitctl();
    command.args(["render", "ecds"]).arg(&kit.policy);
    command.arg("--output").arg(kit.folder.path().join("ecds/filter.json"));
    let done = command.args(["--wait", "--admin", &format!("http://{}", kit.admin)]).args(more);
    let done = done.output().unwrap();
    (done.status.success(), String::from_utf8(done.stderr).unwrap())
}

#[test]
fn a_kill_is_in_force_when_the_command_ends_and_so_is_its_end() {
    let kit = Kit::start();
    assert!(kit.canaries(300) > 0);
    for kill in [&["--kill"][..], &["--kill", "checkout"]] {
        let (done, said) = render(&kit, kill);
        assert!(done && said.contains("in force policy"), "{said}");
        assert_eq!(kit.canaries(300), 0, "{kill:?}");
        let (done, said) = render(&kit, &[]);
        assert!(done, "{said}");
        assert!(kit.canaries(300) > 0);
    }
    // The kit's module stayed where it was, though nobody named it.
    assert_eq!(kit.number("traffic_split_policy_refused{}"), Some(0.0));
}

#[test]
fn whoever_does_not_run_it_in_time_is_named() {
    let kit = Kit::start();
    let (done, said) = render(&kit, &["--admin", "http://127.0.0.1:1", "--timeout", "1"]);
    assert!(!done && said.contains("not in force http://127.0.0.1:1:"), "{said}");
    assert!(!said.contains(&format!("not in force http://{}", kit.admin)), "{said}");
}

#[test]
fn a_cluster_that_envoy_has_not_is_refused_and_holds_no_kill_up() {
    let kit = Kit::start();
    let canaries = kit.canaries(300);
    let text = std::fs::read_to_string(&kit.policy).unwrap();
    // The kit's own watcher would write it: it was asked for no Envoy's clusters.
    let output = kit.folder.path().join("elsewhere.json");
    let other = kit.folder.path().join("other.yaml");
    std::fs::write(&other, text.replace("cluster: checkout-v2", "cluster: checkout-v3")).unwrap();
    let render = |more: &[&str]| {
        let mut command = splitctl();
        command.args(["render", "ecds"]).arg(&other).arg("--output").arg(&output);
        let done = command.args(["--admin", &kit.admin.to_string()]).args(more).output().unwrap();
        (done.status.code(), String::from_utf8(done.stderr).unwrap())
    };
    let (code, said) = render(&[]);
    assert_eq!((code, output.exists()), (Some(1), false), "{said}");
    assert!(said.contains("there is no cluster `checkout-v3`"), "{said}");
    let (code, said) = render(&["--kill"]);
    assert_eq!((code, output.exists()), (Some(0), true), "{said}");
    // Nor does an Envoy that does not answer.
    let done = render(&["--kill", "--admin", "127.0.0.1:1"]);
    assert!(done.0 == Some(0) && done.1.contains("was not asked for its clusters"), "{}", done.1);
    assert_eq!(kit.canaries(300), canaries);
}
