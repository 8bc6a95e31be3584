//! envoy/docker-compose.yml brought up, with images that scripts/compose-images makes on this machine.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use harness::wait_for;
use tempfile::TempDir;

use crate::tools::{
    SOON, at, docker_answers, free_port, get, output, query, say_skipped, script, works,
};

/// Project names begin so; the rest is the process that made it.
const PROJECT: &str = "traffic-split-kit-";

/// A project of Compose that is gone when this is dropped, with its images.
struct Project {
    name: String,
    environment: Vec<(String, String)>,
    policy: PathBuf,
    envoy: SocketAddr,
    prometheus: SocketAddr,
    alertmanager: SocketAddr,
    _folder: TempDir,
}

/// `docker compose` or `docker-compose`, or why there is neither.
fn compose_command() -> Result<&'static [&'static str], String> {
    docker_answers()?;
    [&["docker", "compose"][..], &["docker-compose"]]
        .into_iter()
        .find(|words| works(&[*words, &["version"]].concat()))
        .ok_or_else(|| "neither `docker compose` nor `docker-compose` is installed".to_owned())
}

impl Project {
    fn up() -> Self {
        let name = format!("{PROJECT}{}", std::process::id());
        let images = script("compose-images", &["--prefix", &format!("{name}/")]);
        let mut environment: Vec<(String, String)> = images
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(variable, image)| (variable.to_owned(), image.to_owned()))
            .collect();
        assert_eq!(environment.len(), 4, "{images}");
        let folder = tempfile::tempdir().unwrap();
        let policy = folder.path().join("policy.yaml");
        std::fs::copy(at("envoy/policy.yaml"), &policy).unwrap();
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let ports = [free_port(), free_port(), free_port(), free_port()];
        let variables = ["ENVOY_PORT", "ADMIN_PORT", "PROMETHEUS_PORT", "ALERTMANAGER_PORT"];
        for (variable, port) in variables.iter().zip(ports) {
            environment.push(((*variable).to_owned(), port.to_string()));
        }
        for (variable, path) in
            [("POLICY_FOLDER", folder.path()), ("TRAFFIC_SPLIT_WASM", &harness::module::path())]
        {
            environment.push((variable.to_owned(), path.to_str().unwrap().to_owned()));
        }
        let [envoy, _, prometheus, alertmanager] = ports.map(address);
        let project =
            Self { name, environment, policy, envoy, prometheus, alertmanager, _folder: folder };
        output(&mut project.compose(&["config", "--quiet"]));
        output(&mut project.compose(&["--profile", "alertmanager", "up", "-d", "--no-build"]));
        project
    }

    fn compose(&self, words: &[&str]) -> Command {
        let program = compose_command().unwrap();
        let mut command = Command::new("timeout");
        command.arg("300").args(program).args(["-p", &self.name]);
        command.arg("-f").arg(at("envoy/docker-compose.yml")).args(words);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    fn logs(&self, service: &str) -> String {
        output(&mut self.compose(&["logs", "--no-color", "--tail", "40", service]))
    }

    /// How many of 400 users get the canary; nothing where a request fails, as while Envoy starts.
    fn canaries(&self) -> Option<usize> {
        let cluster = |user: u32| {
            let user = format!("user-{user}");
            let headers = [("host", "shop.example.com"), ("x-user-id", user.as_str())];
            let answer = get(self.envoy, "/api/cart", &headers).ok().filter(|a| a.status == 200)?;
            answer.headers.get("x-lab-cluster").cloned()
        };
        let clusters = (1..=400).map(cluster).collect::<Option<Vec<_>>>()?;
        Some(clusters.iter().filter(|cluster| *cluster == "checkout-v2").count())
    }

    fn edit(&self, old: &str, new: &str) {
        let text = std::fs::read_to_string(&self.policy).unwrap();
        assert!(text.contains(old), "`{old}` is not in\n{text}");
        // As many editors do: a new file in the old one's place.
        let beside = self.policy.with_extension("new");
        std::fs::write(&beside, text.replace(old, new)).unwrap();
        std::fs::rename(&beside, &self.policy).unwrap();
    }

    fn wait_for_rows(&self, promql: &str) -> f64 {
        wait_for(promql, Duration::from_secs(60), || {
            query(self.prometheus, promql).ok()?.first().map(|(_, value)| *value)
        })
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        if thread::panicking() {
            let logs = self.compose(&["logs", "--no-color", "--tail", "30"]).output();
            eprintln!(
                "{}",
                logs.map_or_else(
                    |e| e.to_string(),
                    |o| String::from_utf8_lossy(&o.stdout).into_owned()
                )
            );
        }
        let _down = self
            .compose(&["--profile", "alertmanager", "down", "--volumes", "--timeout", "2"])
            .output();
        let images = self.environment.iter().filter(|(name, _)| name.ends_with("_IMAGE"));
        let _gone = Command::new("docker")
            .args(["image", "rm", "--force"])
            .args(images.map(|(_, image)| image))
            .output();
    }
}

/// Containers, networks and volumes of a project.
fn leftovers(project: &str) -> String {
    let label = format!("label=com.docker.compose.project={project}");
    let list = |words: &[&str]| {
        output(Command::new("docker").args(words).args(["--quiet", "--filter", &label]))
    };
    [list(&["ps", "--all"]), list(&["network", "ls"]), list(&["volume", "ls"])].concat()
}

#[test]
fn compose_brings_everything_up_and_the_policy_can_be_edited() {
    if let Err(why) = compose_command() {
        say_skipped("docker-compose.yml is not brought up", &why);
        return;
    }
    let project = Project::up();
    let canaries =
        wait_for("every request is answered", Duration::from_secs(60), || project.canaries());
    assert!((5..=40).contains(&canaries), "{canaries} of 400 at 5 %");
    let elsewhere = get(project.envoy, "/", &[]).unwrap();
    assert_eq!(elsewhere.headers["x-lab-cluster"], "website");
    assert!(project.logs("envoy").contains(r#""split":"checkout="#));

    // A policy with a mistake changes nothing, and says why.
    project.edit("baseline: stable", "baseline: stabel");
    wait_for("the mistake is told", SOON, || {
        project.logs("policy").contains("did you mean `stable`").then_some(())
    });
    assert_eq!(project.canaries(), Some(canaries));
    project.edit("baseline: stabel", "baseline: stable");

    // So does a cluster that Envoy has not.
    project.edit("cluster: checkout-v2", "cluster: checkout-v3");
    wait_for("the cluster that is missing is named", SOON, || {
        project.logs("policy").contains("there is no cluster `checkout-v3`").then_some(())
    });
    assert_eq!(project.canaries(), Some(canaries));
    project.edit("cluster: checkout-v3", "cluster: checkout-v2");

    // A good one does, and nothing is started again for it.
    let started = project.logs("envoy").matches("starting main dispatch loop").count();
    project.edit("weight: 95", "weight: 50");
    project.edit("weight: 5,", "weight: 50,");
    wait_for("half of the users get the canary", SOON, || {
        project.canaries().filter(|canaries| (150..=250).contains(canaries))
    });
    assert_eq!(project.logs("envoy").matches("starting main dispatch loop").count(), started);

    // Prometheus has it all by its rules.
    assert_eq!(project.wait_for_rows(r#"up{job="envoy"}"#), 1.0);
    assert_eq!(
        project.wait_for_rows(r#"traffic_split:share:configured{variant="canary"} == 0.5"#),
        0.5
    );
    project
        .wait_for_rows(r#"traffic_split:requests:rate5m{split="checkout", variant="canary"} > 1"#);
    output(project.compose(&["exec", "-T", "load", "splitctl"]).args([
        "demo",
        "set",
        "checkout-v2:8080",
        "--failing",
        "50",
        "--delay",
        "100",
    ]));
    project.wait_for_rows(r#"traffic_split:errors:ratio_rate5m{variant="canary"} > 0.01"#);
    project.wait_for_rows(
        r#"traffic_split:request_duration_milliseconds:p95_5m{variant="canary"} > 75"#,
    );
    project.wait_for_rows(r#"ALERTS{alertname="TrafficSplitWeightChanged"}"#);
    wait_for("the alert reaches Alertmanager", Duration::from_secs(60), || {
        let alerts = get(project.alertmanager, "/api/v2/alerts", &[]).ok()?;
        alerts.body.contains("TrafficSplitWeightChanged").then_some(())
    });

    // A folder in the module's place, as Docker makes one where the file is missing: nothing starts, and it is explained.
    output(&mut project.compose(&["--profile", "alertmanager", "down", "--timeout", "2"]));
    let mut project = project;
    let folder = project.policy.with_file_name("module.wasm");
    std::fs::create_dir(&folder).unwrap();
    let module = |project: &mut Project, path: &str| {
        let found = project.environment.iter_mut().find(|(name, _)| name == "TRAFFIC_SPLIT_WASM");
        path.clone_into(&mut found.unwrap().1);
    };
    module(&mut project, folder.to_str().unwrap());
    let up = project.compose(&["up", "-d", "--no-build"]).output().unwrap();
    assert!(!up.status.success());
    let said = project.logs("policy-check");
    assert!(said.contains("is a folder") && said.contains("sudo rmdir"), "{said}");
    assert!(!project.logs("envoy").contains("starting"), "nothing starts");
    // A file that is missing is said as well, and no folder comes in its place.
    std::fs::remove_dir(&folder).unwrap();
    let up = project.compose(&["up", "-d", "--no-build"]).output().unwrap();
    let said = String::from_utf8_lossy(&up.stderr).into_owned() + &project.logs("policy-check");
    assert!(!up.status.success() && said.contains("module.wasm"), "{said}");

    let name = project.name.clone();
    drop(project);
    assert_eq!(leftovers(&name), "");
}
