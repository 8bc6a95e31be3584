//! What nobody would see is an alert: a real Envoy whose module is missing, a real Prometheus that watches it.

use std::path::Path;
use std::time::Duration;

use harness::wait_for;

use crate::dashboards::watch;
use crate::serve::Kit;
use crate::tools::{get, query, splitctl};

#[test]
fn a_module_that_is_missing_is_an_alert_until_it_is_there_and_so_is_a_proxy_that_goes_dark() {
    let kit = Kit::of_module(Path::new("/nowhere/traffic_split.wasm"));
    let prometheus = watch(&kit);
    let alert = |name: &str, wanted: bool| {
        let promql = format!("ALERTS{{alertname=\"{name}\"}}");
        wait_for(&format!("{promql} is {wanted}"), Duration::from_secs(30), || {
            let rows = query(prometheus.1, &promql).ok()?;
            (rows.is_empty() != wanted).then_some(())
        });
    };
    assert_eq!(get(kit.listener, "/", &[]).unwrap().status, 500, "everybody is turned away");
    alert("TrafficSplitNotLoaded", true);

    // Mended: the module is where the file says.
    let module = harness::module::path();
    let output = kit.folder.path().join("ecds/filter.json");
    let mut render = splitctl();
    render.args(["render", "ecds"]).arg(&kit.policy).arg("--module").arg(&module);
    render.arg("--output").arg(&output).args(["--wait", "--admin", &kit.admin.to_string()]);
    assert!(render.status().unwrap().success());
    assert_eq!(get(kit.listener, "/", &[]).unwrap().status, 200);
    alert("TrafficSplitNotLoaded", false);
    alert("TrafficSplitNotScraped", false);

    let Kit { envoy, .. } = kit;
    drop(envoy);
    alert("TrafficSplitNotScraped", true);
}
