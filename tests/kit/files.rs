//! The files in envoy/ that splitctl renders.

use crate::tools::{at, read, script};

#[test]
fn what_lies_in_envoy_is_what_splitctl_renders() {
    let folder = tempfile::tempdir().unwrap();
    script("render", &[folder.path().to_str().unwrap()]);
    for name in ["envoy.yaml", "prometheus/rules.yml"] {
        let rendered = std::fs::read_to_string(folder.path().join(name)).unwrap();
        let kept = read(&format!("envoy/{name}"));
        assert!(rendered == kept, "envoy/{name} is not what scripts/render makes; run it");
    }
    assert!(at("envoy/policy.yaml").is_file());
}
