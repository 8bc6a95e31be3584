//! Every fault is told of: each is made in a real Envoy, a real Prometheus watches with the rendered rules, the alert fires
//! within the promised time, and ends when the fault is mended.

mod scene;
mod table;

use std::path::Path;

use harness::module;

use crate::serve::Kit;
use crate::tools::{Running, at, get, splitctl};
use scene::{Scene, change, half, render, set};

/// The proxy has this file for a module until it gets the right one.
fn module_is(row: &str, file: &Path) {
    let kit = Kit::of_module(file);
    assert_eq!(get(kit.listener, "/", &[]).unwrap().status, 500);
    let mend = |scene: &mut Scene| render(scene.kit(), &module::path(), &[]);
    Scene::of(vec![kit]).tells_from_the_start(row, mend);
}

#[test]
fn module_missing() {
    module_is("module_missing", Path::new("/nowhere/traffic_split.wasm"));
}

#[test]
fn module_not_wasm() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("traffic_split.wasm");
    std::fs::write(&file, "<html>404</html>").unwrap();
    module_is("module_not_wasm", &file);
}

#[test]
fn module_of_another_abi() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("traffic_split.wasm");
    let text = "(module (memory (export \"memory\") 1) (func (export \"_start\")))";
    std::fs::write(&file, wat::parse_str(text).unwrap()).unwrap();
    module_is("module_of_another_abi", &file);
}

#[test]
fn module_on_some_proxies_only() {
    let kits = vec![Kit::start(), Kit::of_module(Path::new("/nowhere/traffic_split.wasm"))];
    let mend = |scene: &mut Scene| render(&scene.kits[1], &module::path(), &[]);
    Scene::of(kits).tells_from_the_start("module_on_some_proxies_only", mend);
}

const MISTAKE: &str = "{\"version\": 1, \"splits\": [{}]}";
const POLICY: &str = "/configuration/value";

#[test]
fn refused_at_the_start() {
    Scene::of_policy(&half()).tells(
        "refused_at_the_start",
        |scene| {
            scene.end(0);
            scene.start_again(|folder| change(folder, POLICY, MISTAKE));
        },
        |scene| render(scene.kit(), &module::path(), &[]),
    );
}

#[test]
fn refused_at_an_update() {
    Scene::of_policy(&half()).tells(
        "refused_at_an_update",
        |scene| change(scene.kit().folder.path(), POLICY, MISTAKE),
        |scene| render(scene.kit(), &module::path(), &[]),
    );
}

#[test]
fn rejected_at_an_update() {
    let path = "/vm_config/code/local/filename";
    Scene::of_policy(&half()).tells(
        "rejected_at_an_update",
        |scene| change(scene.kit().folder.path(), path, "/nowhere/traffic_split.wasm"),
        |scene| render(scene.kit(), &module::path(), &[]),
    );
}

#[test]
fn policies_differ() {
    let edit = |kit: &Kit| kit.edit("max_weight: 50", "max_weight: 60");
    Scene::of(vec![Kit::start(), Kit::start()]).tells(
        "policies_differ",
        |scene| edit(&scene.kits[0]),
        |scene| edit(&scene.kits[1]),
    );
}

#[test]
fn proxy_dark() {
    let scene = Scene::of(vec![Kit::start(), Kit::start()]);
    scene.minutes(1.0);
    scene.tells("proxy_dark", |scene| scene.end(1), |scene| scene.start_again(|_| ()));
}

#[test]
fn all_dark() {
    let scene = Scene::of(vec![Kit::start()]);
    scene.minutes(1.0);
    scene.tells("all_dark", |scene| scene.end(0), |scene| scene.start_again(|_| ()));
}

const CANARY: &[&str] = &["checkout-v2"];
const BOTH: &[&str] = &["checkout-v1", "checkout-v2"];

/// Services behave otherwise, after a while in which all was well.
fn services_are(row: &str, services: &[&str], how: &[&str]) {
    let scene = Scene::of_policy(&half());
    scene.minutes(6.0);
    scene.tells(
        row,
        |scene| set(scene.kit(), services, how),
        |scene| set(scene.kit(), services, &["--delay", "2"]),
    );
}

#[test]
fn canary_fails() {
    services_are("canary_fails", CANARY, &["--failing", "100"]);
}

#[test]
fn canary_slow() {
    services_are("canary_slow", CANARY, &["--delay", "200"]);
}

#[test]
fn all_fail() {
    services_are("all_fail", BOTH, &["--failing", "100"]);
}

#[test]
fn all_fail_a_little() {
    services_are("all_fail_a_little", BOTH, &["--failing", "1"]);
}

#[test]
fn one_user_too_many() {
    let scene = Scene::of_policy(&half());
    scene.minutes(31.0);
    scene.tells(
        "one_user_too_many",
        |scene| scene.load.push(scene.load_of(1, 400)),
        |scene| drop(scene.load.pop()),
    );
}

#[test]
fn one_key_for_all() {
    let scene = Scene::of_policy(&half());
    scene.minutes(16.0);
    scene.tells(
        "one_key_for_all",
        |scene| {
            scene.load.clear();
            scene.load.push(scene.load_of(1, 80));
        },
        |scene| scene.load.push(scene.load_of(4_000, 80)),
    );
}

#[test]
fn nobody_meets_it() {
    let scene = Scene::of_policy(&half());
    // As long as somebody must have been there until an hour ago.
    scene.minutes(125.0);
    let hosts = ["hosts: [shop.example.com]", "hosts: [shop.example.org]"];
    scene.tells(
        "nobody_meets_it",
        |scene| scene.kit().edit(hosts[0], hosts[1]),
        |scene| scene.kit().edit(hosts[1], hosts[0]),
    );
}

#[test]
fn guard_trips() {
    let weights = "weight: 50, max_weight: 50}";
    let policy = half();
    assert!(policy.contains(weights));
    let policy = policy.replace(weights, &format!("{weights}\n  guard: {{errors: {{}}}}"));
    let scene = Scene::of_policy(&policy);
    scene.tells(
        "guard_trips",
        |scene| set(scene.kit(), CANARY, &["--failing", "100"]),
        |scene| {
            set(scene.kit(), CANARY, &[]);
            // Another policy starts afresh.
            scene.kit().edit("max_weight: 50", "max_weight: 60");
        },
    );
}

#[test]
fn canary_dead() {
    let policy = half().replace("max_weight: 50}", "max_weight: 50, fallback: baseline}");
    let scene = Scene::of_policy(&policy);
    scene.minutes(6.0);
    scene.tells(
        "canary_dead",
        |scene| drop(scene.kits[0].running.remove("checkout-v2")),
        |scene| {
            let address = scene.kit().services["checkout-v2"].to_string();
            let mut service = splitctl();
            service.args(["demo", "upstream", "--name", "checkout-v2", "--listen", &address]);
            let folder = scene.kit().folder.path();
            let service = Running::start("checkout-v2-again", folder, &service);
            scene.kits[0].running.insert("checkout-v2", service);
        },
    );
}

#[test]
fn panic() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trap.wasm");
    std::fs::write(&file, wat::parse_file(at("tests/kit/panics.wat")).unwrap()).unwrap();
    let scene = Scene::of(vec![Kit::of_module(&file)]);
    // A VM that is younger than a second is not loaded again at once.
    scene.minutes(2.0);
    scene.tells(
        "panic",
        |scene| {
            let answer = get(scene.kit().listener, "/", &[("x-panic", "now")]).unwrap();
            assert_eq!(answer.status, 503);
        },
        |_| (),
    );
}

/// The brake is pulled, and let go.
fn kill_is(row: &str) {
    Scene::of_policy(&half()).tells(
        row,
        |scene| render(scene.kit(), &module::path(), &["--kill"]),
        |scene| render(scene.kit(), &module::path(), &[]),
    );
}

#[test]
fn kill() {
    kill_is("kill");
}

#[test]
fn kill_left_on() {
    kill_is("kill_left_on");
}

#[test]
fn forcing() {
    let force = "force: {secret: {header: x-secret, value: only-for-this-test}}";
    let policy = half().replace("version: 1\n", &format!("version: 1\n{force}\n"));
    let scene = Scene::of_policy(&policy);
    scene.tells(
        "forcing",
        |scene| {
            for user in 1..=40 {
                scene.kit().ask(user, &[("x-split-force", "checkout=canary")]);
            }
        },
        |_| (),
    );
}

#[test]
fn weight_jumps() {
    let scene = Scene::of_policy(&half());
    scene.minutes(3.0);
    scene.tells(
        "weight_jumps",
        |scene| {
            scene.kit().edit("weight: 50, max", "weight: 40, max");
            scene.kit().edit("weight: 50}", "weight: 60}");
        },
        |_| (),
    );
}
