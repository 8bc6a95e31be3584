//! Where the programs and the module are that a lab needs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// The Envoy to run: `$ENVOY_BIN`, else the one that scripts/get/envoy provides.
///
/// # Errors
/// When neither is there, with what to do.
pub fn find_envoy() -> Result<PathBuf> {
    find("ENVOY_BIN", "get/envoy")
}

/// The filter's module: `$TRAFFIC_SPLIT_WASM`, else the one that scripts/build-wasm builds.
///
/// # Errors
/// When neither is there, with what to do.
pub fn find_module() -> Result<PathBuf> {
    find("TRAFFIC_SPLIT_WASM", "build-wasm")
}

/// The Prometheus to run: `$PROMETHEUS_BIN`, else the one that scripts/get/prometheus provides.
///
/// # Errors
/// When neither is there, with what to do.
pub fn find_prometheus() -> Result<PathBuf> {
    find("PROMETHEUS_BIN", "get/prometheus")
}

fn find(variable: &str, script: &str) -> Result<PathBuf> {
    if let Some(given) = std::env::var_os(variable).filter(|given| !given.is_empty()) {
        let path = PathBuf::from(given);
        ensure!(path.is_file(), "`{variable}` names `{}`, which is not a file", path.display());
        return Ok(std::path::absolute(path)?);
    }
    let Some(script) = repository().map(|root| root.join("scripts").join(script)) else {
        bail!(
            "set `{variable}`, or run inside the repository, where `scripts/{script}` provides it"
        );
    };
    let output = Command::new(&script)
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run `{}`", script.display()))?;
    ensure!(output.status.success(), "`{}` failed; what it wrote is above", script.display());
    let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    ensure!(
        path.is_file(),
        "`{}` named `{}`, which is not a file",
        script.display(),
        path.display()
    );
    Ok(path)
}

/// The root of the repository: above the package that cargo runs, the current folder, or this program.
fn repository() -> Option<PathBuf> {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let places = [package, std::env::current_dir().ok(), std::env::current_exe().ok()];
    places.into_iter().flatten().find_map(|place| {
        place
            .ancestors()
            .find(|folder| folder.join("scripts/build-wasm").is_file())
            .map(Path::to_owned)
    })
}
