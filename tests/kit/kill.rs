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
