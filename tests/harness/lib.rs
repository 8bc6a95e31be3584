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
pub mod wire;

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// Looks again and again until there is something.
///
/// # Panics
/// When there is nothing for longer than the limit.
pub fn wait_for<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begin.elapsed() < limit, "waited {limit:?} in vain: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
