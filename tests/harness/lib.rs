//! What the tests share: golden values, conformance vectors, random policies, a naive model of the
//! policy, and a small host for the real module. Empty for wasm, so that the workspace builds there.
#![cfg(not(target_family = "wasm"))]

pub mod generate;
pub mod golden;
pub mod model;
pub mod module;
pub mod native;
pub mod vectors;
pub mod wasm_host;

use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}
