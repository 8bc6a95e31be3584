//! Rollouts against a real Envoy: by a real Prometheus and by the proxy's own statistics, healthy and not, killed and begun
//! again, with orders from elsewhere and somebody else's edit.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use harness::wait_for;
use serde_json::Value;

use crate::dashboards::watch;
use crate::serve::Kit;
use crate::tools::{Running, output, read, splitctl};

/// What a rollout may take on a machine with much to do.
const LONG: Duration = Duration::from_secs(120);

struct Scene {
    kit: Kit,
    file: PathBuf,
    _load: Running,
}

impl Scene {
    /// A canary at 0, one service in ten failing on both sides, and a rollout of these lines.
    fn new(more: impl FnOnce(&Kit) -> String) -> Self {
        let policy = read("envoy/policy.yaml")
            .replace("weight: 95", "weight: 100")
            .replace("weight: 5, max_weight: 50", "weight: 0");
        let kit = Kit::of_policy(&policy, &[]);
        for service in ["checkout-v1", "checkout-v2"] {
            fail(&kit, service, 10);
        }
        let mut load = splitctl();
        load.args(["demo", "load", &kit.listener.to_string(), "--rate", "300"]);
        let load = Running::start("load", kit.folder.path(), &load);
        let file = kit.folder.path().join("rollout.yaml");
        let text = format!(
            "version: 1\npolicy: policy.yaml\nsplit: checkout\nchallenger: canary\n{}\n",
            more(&kit)
        );
        std::fs::write(&file, text).unwrap();
        Self { kit, file, _load: load }
    }

    fn command(&self, action: &str) -> Command {
        let mut command = splitctl();
        command.args(["rollout", action]).arg(&self.file);
        command
    }

    fn start(&self) -> Child {
        let mut start = self.command("start");
        let log = std::fs::File::create(self.kit.folder.path().join("start.err")).unwrap();
        start.stdout(Stdio::piped()).stderr(log).spawn().unwrap()
    }

    /// Waits for its end: the exit code, and the decisions that were told.
    fn end(&self, mut child: Child) -> (Option<i32>, Vec<Value>) {
        wait_for("the rollout ends", LONG, || child.try_wait().unwrap());
        let Output { status, stdout, .. } = child.wait_with_output().unwrap();
        let text = String::from_utf8(stdout).unwrap();
        let decisions = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (status.code(), decisions)
    }

    /// Where it stands.
    fn status(&self) -> Value {
        let done = self.command("status").args(["--format", "json"]).output().unwrap();
        serde_json::from_slice(&done.stdout).unwrap_or_default()
    }

    fn wait(&self, what: &str, is: impl Fn(&Value) -> bool) {
        wait_for(what, LONG, || is(&self.status()).then_some(()));
    }

    fn replays(&self) {
        let log = self.file.with_file_name("rollout.yaml.log");
        let replayed = output(splitctl().args(["rollout", "replay"]).arg(log));
        assert!(replayed.contains("every decision is the same again"), "{replayed}");
    }

    fn policy(&self) -> String {
        std::fs::read_to_string(&self.kit.policy).unwrap()
    }
}

fn fail(kit: &Kit, service: &str, percent: u8) {
    let at = kit.services[service].to_string();
    output(splitctl().args(["demo", "set", &at, "--failing", &percent.to_string()]));
}

/// The weights that were gone to, in order.
fn weights(decisions: &[Value]) -> Vec<u64> {
    decisions.iter().filter_map(|one| one["to"]["weight"].as_u64()).map(|w| w / 10_000).collect()
}

const STEPS: &str = "\
steps:
- {weight: 5, for: 1s}
- {weight: 25, for: 1s}
- {weight: 50, for: 1s, approval: true}
- {weight: 100, for: 0s}
gates: {errors: {ratio: 3}}";

#[test]
fn a_healthy_canary_gets_everybody_by_a_real_prometheus() {
    let scene = Scene::new(|_| String::new());
    let prometheus = watch(&scene.kit);
    let text = std::fs::read_to_string(&scene.file).unwrap();
    let counts = format!("counts: {{prometheus: \"http://{}\", every: 1s}}\n", prometheus.1);
    let events = scene.kit.folder.path().join("events");
    let on_event = format!("on_event: [sh, -c, 'cat >> {0}; echo >> {0}']\n", events.display());
    std::fs::write(&scene.file, format!("{text}{STEPS}\n{counts}{on_event}")).unwrap();

    let running = scene.start();
    scene.wait("it waits for an approval", |status| {
        status["decision"] == "hold: waits for an approval"
    });
    output(scene.command("approve").args(["--why", "looks well", "--by", "ada"]));
    let (code, decisions) = scene.end(running);
    assert_eq!(code, Some(0), "{decisions:?}");
    assert_eq!(weights(&decisions), [5, 25, 50, 100]);
    assert!(scene.policy().contains("weight: 100"), "{}", scene.policy());
    scene.wait("status says so", |status| status["ended"] == "done");
    scene.replays();
    let events = std::fs::read_to_string(events).unwrap();
    let kinds: Vec<String> = events
        .lines()
        .map(|line| {
            let event: Value = serde_json::from_str(line).unwrap();
            assert!(event["text"].as_str().unwrap().starts_with("checkout/canary: "), "{event}");
            event["event"].as_str().unwrap().to_owned()
        })
        .collect();
    for kind in ["started", "advance", "held", "done"] {
        assert!(kinds.iter().any(|known| known == kind), "{kind}: {kinds:?}");
    }
    // It has ended: nobody begins it again by mistake.
    let again = scene.command("start").output().unwrap();
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&again.stderr).contains("has ended (done)"));
}

#[test]
fn a_canary_that_fails_at_25_percent_goes_back_to_0_without_a_prometheus() {
    let scene = Scene::new(|kit| {
        format!("{STEPS}\ncounts: {{proxies: [\"http://{}\"], every: 500ms}}", kit.admin)
    });
    let running = scene.start();
    scene.wait("a quarter has the canary", |status| status["weight"] == "25");
    fail(&scene.kit, "checkout-v2", 60);
    let (code, decisions) = scene.end(running);
    assert_eq!(code, Some(1), "{decisions:?}");
    assert_eq!(weights(&decisions).last(), Some(&0));
    assert_eq!(weights(&decisions)[..2], [5, 25]);
    assert!(decisions.iter().any(|one| one["decision"]["rollback"]["why"] == "errors"));
    wait_for("nobody gets it", LONG, || (scene.kit_canaries() == 0).then_some(()));
    scene.replays();
}

impl Scene {
    fn kit_canaries(&self) -> usize {
        let clusters =
            (1..=200).map(|user| self.kit.ask(user, &[]).headers["x-lab-cluster"].clone());
        clusters.filter(|cluster| cluster == "checkout-v2").count()
    }
}

#[test]
fn it_goes_on_after_a_kill_takes_orders_and_is_alone() {
    let scene = Scene::new(|kit| {
        format!("{STEPS}\ncounts: {{proxies: [\"http://{}\"], every: 300ms}}", kit.admin)
    });
    let mut running = scene.start();
    scene.wait("a step was taken", |status| status["step"] == 1);
    // A second one is refused.
    let second = scene.command("start").args(["--log", "/dev/null"]).output().unwrap();
    assert_eq!(second.status.code(), Some(2));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("another rollout of split `checkout` runs"), "{said}");
    running.kill().unwrap();
    running.wait().unwrap();

    let running = scene.start();
    scene.wait("it waits for an approval", |status| {
        status["decision"] == "hold: waits for an approval"
    });
    output(&mut scene.command("pause"));
    scene.wait("it is paused", |status| status["decision"] == "hold: paused");
    output(&mut scene.command("approve"));
    output(scene.command("abort").args(["--why", "lunch"]));
    let (code, decisions) = scene.end(running);
    assert_eq!(code, Some(5), "{decisions:?}");
    assert_eq!(weights(&decisions).last(), Some(&0));
    scene.replays();
    let after = scene.command("pause").output().unwrap();
    assert_eq!(after.status.code(), Some(2));
}

#[test]
fn it_goes_on_when_nobody_reads_it_and_its_command_finds_the_policy() {
    let scene = Scene::new(|kit| {
        format!(
            "steps: [{{weight: 5, for: 1s}}, {{weight: 100, for: 0s}}]\ngates: {{errors: {{ratio: 3}}}}\n\
            counts: {{proxies: [\"http://{}\"], every: 300ms}}\n\
            apply: {{command: [sh, -c, 'grep -q checkout \"$SPLIT_POLICY\" && echo \"$SPLIT_POLICY_HASH\" >> applied']}}",
            kit.admin
        )
    });
    let folder = scene.kit.folder.path();
    // Named from another folder, whose paths are not those of the command.
    let mut start = splitctl();
    start.args(["rollout", "start"]).current_dir(folder.parent().unwrap());
    start.arg(Path::new(folder.file_name().unwrap()).join("rollout.yaml"));
    let mut running = start.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(running.stdout.take());
    let status = wait_for("the rollout ends", LONG, || running.try_wait().unwrap());
    let said = running.wait_with_output().unwrap().stderr;
    let said = String::from_utf8_lossy(&said).into_owned();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains("nobody reads the decisions any more"), "{said}");
    assert_eq!(read_lines(&folder.join("applied")), 2, "{said}");
    assert!(scene.policy().contains("weight: 100"));
    scene.replays();
}

fn read_lines(path: &Path) -> usize {
    std::fs::read_to_string(path).unwrap().lines().count()
}

#[test]
fn looks_of_many_processes_are_one_rollout() {
    let scene = Scene::new(|kit| {
        format!(
            "steps: [{{weight: 50, for: 1s}}]\ngates: {{errors: {{ratio: 3}}}}\n\
            counts: {{proxies: [\"http://{}\"], every: 1s}}",
            kit.admin
        )
    });
    let code = wait_for("the rollout ends", LONG, || {
        let done = scene.command("start").arg("--once").output().unwrap();
        (done.status.code() != Some(3)).then_some(done.status.code())
    });
    assert_eq!(code, Some(0));
    scene.replays();
}

#[test]
fn what_somebody_else_wrote_is_never_written_over() {
    let scene = Scene::new(|kit| {
        format!("{STEPS}\ncounts: {{proxies: [\"http://{}\"], every: 300ms}}", kit.admin)
    });
    let running = scene.start();
    scene.wait("a step was taken", |status| status["step"] == 1);
    let text = scene.policy();
    let edited = text.replace("  baseline: stable", "  salt: other\n  baseline: stable");
    assert_ne!(text, edited);
    // It may have taken another step in between: then that one is written over by the edit, which is the same to it.
    std::fs::write(&scene.kit.policy, &edited).unwrap();
    let (code, decisions) = scene.end(running);
    assert_eq!(code, Some(6), "{decisions:?}");
    assert_eq!(scene.policy(), edited);
    scene.replays();
}

#[test]
fn a_policy_in_a_manifest_of_istio_is_applied_by_a_command_and_users_are_counted() {
    let scene = Scene::new(|_| String::new());
    // Proxies count users of a guard from the first weight above 0 on.
    scene.kit.edit("  baseline: stable", "  guard: {errors: {}}\n  baseline: stable");
    let indented: Vec<String> = scene.policy().lines().map(|line| format!("    {line}")).collect();
    let manifest = format!(
        "# Ours\napiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {{name: split}}\nspec:\n  \
         url: oci://images.example.com/split:1\n  pluginConfig:\n{}\n",
        indented.join("\n")
    );
    let plugin = scene.kit.folder.path().join("plugin.yaml");
    std::fs::write(&plugin, &manifest).unwrap();
    let splitctl = splitctl().get_program().to_string_lossy().into_owned();
    let text = std::fs::read_to_string(&scene.file).unwrap().replace("policy.yaml", "plugin.yaml");
    let more = format!(
        "steps: [{{weight: 20, for: 1s}}, {{weight: 100, for: 0s}}]\ngates: {{errors: {{ratio: 3}}, responses: 20}}\n\
         counts: {{proxies: [\"http://{}\"], every: 500ms}}\n\
         apply: {{command: [\"{splitctl}\", render, ecds, plugin.yaml, --output, ecds/filter.json]}}\n",
        scene.kit.admin
    );
    std::fs::write(&scene.file, text + &more).unwrap();

    let (code, decisions) = scene.end(scene.start());
    assert_eq!(code, Some(0), "{decisions:?}");
    assert_eq!(weights(&decisions), [20, 100]);
    let second = decisions.iter().find(|one| one["decision"]["advance"]["step"] == 1).unwrap();
    assert_eq!(second["seen"]["counted"]["counts"]["users"], true, "{second}");
    let changed =
        manifest.replace("weight: 100}", "weight: 0.}").replace("weight: 0}", "weight: 100}");
    assert_eq!(
        std::fs::read_to_string(&plugin).unwrap(),
        changed.replace("weight: 0.}", "weight: 0}")
    );
    scene.replays();
}

#[test]
fn a_guard_that_trips_for_what_no_gate_judges_takes_the_rollout_back() {
    let scene = Scene::new(|kit| {
        format!(
            "steps: [{{weight: 20, for: 1s, approval: true}}, {{weight: 100, for: 0s}}]\n\
             gates: {{errors: {{ratio: 3}}, responses: 20}}\n\
             counts: {{proxies: [\"http://{}\"], every: 500ms}}",
            kit.admin
        )
    });
    scene.kit.edit("  baseline: stable", "  guard: {slow: {over: 300ms}}\n  baseline: stable");
    let running = scene.start();
    scene.wait("it waits for an approval", |status| {
        status["decision"] == "hold: waits for an approval"
    });
    let canary = scene.kit.services["checkout-v2"].to_string();
    output(splitctl().args(["demo", "set", &canary, "--failing", "10", "--delay", "2000"]));
    let (code, decisions) = scene.end(running);
    assert_eq!(code, Some(1), "{decisions:?}");
    assert!(decisions.iter().any(|one| one["decision"]["rollback"]["why"] == "guard"));
    assert_eq!(weights(&decisions), [20, 0]);
    scene.replays();
}

#[test]
fn a_prometheus_that_goes_away_holds_and_never_advances() {
    let scene = Scene::new(|kit| {
        let steps = STEPS.replace("for: 1s", "for: 3s");
        format!(
            "{steps}\ncounts: {{prometheus: \"http://127.0.0.1:9\", every: 300ms}}\nproxies: [\"http://{}\"]",
            kit.admin
        )
    });
    let running = scene.start();
    scene.wait("it holds", |status| {
        status["decision"].as_str().is_some_and(|told| told.starts_with("hold: no data"))
    });
    std::thread::sleep(Duration::from_secs(2));
    output(&mut scene.command("abort"));
    let (code, decisions) = scene.end(running);
    assert_eq!((code, weights(&decisions)), (Some(5), vec![0]), "{decisions:?}");
    assert!(decisions.len() > 3);
}
