//! The real module under test, built when it is not there yet.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::wasm_host::{Program, WasmHost};

/// Where the module is: `TRAFFIC_SPLIT_WASM`, else what `scripts/build-wasm` builds.
///
/// # Panics
/// When the module cannot be built; what the script said is on stderr.
pub fn path() -> PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| match std::env::var_os("TRAFFIC_SPLIT_WASM") {
        Some(path) => path.into(),
        None => build(&[]),
    })
    .clone()
}

/// The bytes of the module.
///
/// # Panics
/// When it cannot be built or read.
pub fn bytes() -> Vec<u8> {
    std::fs::read(path()).expect("the module can be read")
}

/// A fresh VM with the module in it.
///
/// # Panics
/// When the module cannot be built, read or started.
pub fn host() -> WasmHost {
    program().start().unwrap_or_else(|failure| panic!("{failure}"))
}

/// Another VM with the module in it, which shares data with this one.
///
/// # Panics
/// When the module cannot be started.
pub fn host_beside(other: &WasmHost) -> WasmHost {
    program().start_beside(other).unwrap_or_else(|failure| panic!("{failure}"))
}

/// A fresh VM with the same module, built with an allocator that counts (`WasmHost::recorded`).
///
/// # Panics
/// When it cannot be built, read or started.
pub fn counting_host() -> WasmHost {
    static PROGRAM: OnceLock<Program> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| {
        let wasm = std::fs::read(build(&["--count-allocations"])).expect("the module can be read");
        Program::compile(&wasm).expect("the module is wasm")
    });
    program.start().unwrap_or_else(|failure| panic!("{failure}"))
}

fn program() -> &'static Program {
    static PROGRAM: OnceLock<Program> = OnceLock::new();
    PROGRAM.get_or_init(|| Program::compile(&bytes()).expect("the module is wasm"))
}

/// A fresh VM that runs a policy.
///
/// # Panics
/// When the module refuses it.
pub fn running(policy: &Value) -> WasmHost {
    let mut host = host();
    let accepted =
        host.configure(policy.to_string().as_bytes()).unwrap_or_else(|failure| panic!("{failure}"));
    assert!(accepted, "{:#?}", host.logs());
    host
}

fn build(arguments: &[&str]) -> PathBuf {
    let output = Command::new(super::root().join("scripts/build-wasm"))
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .expect("scripts/build-wasm can be started");
    assert!(output.status.success(), "scripts/build-wasm failed: {}", output.status);
    String::from_utf8(output.stdout).expect("a path is text").trim().into()
}
