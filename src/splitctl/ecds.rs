//! A file for Envoy's extension config discovery (ECDS): the filter with its policy.

use std::path::Path;

use anyhow::Context as _;
use lab::xds::{self, PolicyForm};
use policy_text::source::to_json;

use crate::policy_file::Valid;

/// Where the module is, where nothing else is known.
pub(crate) const MODULE: &str = "/etc/envoy/traffic_split.wasm";

/// The path of the module in a file that was rendered before.
pub(crate) fn module_in(path: &Path) -> anyhow::Result<String> {
    let read = std::fs::read_to_string(path);
    let text = read.with_context(|| format!("cannot read {}", path.display()))?;
    let document: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let module = document
        .pointer("/resources/0/typed_config/config/vm_config/code/local/filename")
        .and_then(serde_json::Value::as_str);
    module.map(str::to_owned).with_context(|| {
        format!("{} is there and names no module to keep: say `--module PATH`", path.display())
    })
}

/// The content of an ECDS file. The version is the policy's hash, so that Envoy shows which one it has.
pub(crate) fn render(module: &str, valid: &Valid) -> anyhow::Result<String> {
    let policy = to_json(&valid.document)?;
    let filter = xds::extension_config(module, &policy, PolicyForm::String)?;
    let response = xds::discovery_response(&valid.hash_text(), &[filter]);
    Ok(serde_json::to_string_pretty(&response)? + "\n")
}
