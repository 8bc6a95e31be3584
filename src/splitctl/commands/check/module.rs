//! What has to be right in the module's file before an Envoy is given it.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use wasmparser::{Encoding, Parser, Payload};

use super::points::{Point, point};

/// The versions of proxy-wasm that Envoy speaks, as the exports that tell them.
const ABIS: [&str; 3] =
    ["proxy_abi_version_0_1_0", "proxy_abi_version_0_2_0", "proxy_abi_version_0_2_1"];

/// Where Envoy has what a module imports.
const HOSTS: [&str; 3] = ["env", "wasi_unstable", "wasi_snapshot_preview1"];

/// How to get a good one.
const BUILD: &str = "scripts/build-wasm builds it and prints where it is";

/// What is wrong, and what to do about it.
type Fault = (String, &'static str);

/// The one point of a module's file.
pub(super) fn judge(path: &Path) -> Point {
    let fault = fault(path).err();
    let help = fault.as_ref().map_or("", |(_, help)| help);
    point("module", fault.as_ref().map(|(missing, _)| missing.clone()), help)
}

fn fault(path: &Path) -> Result<(), Fault> {
    let name = path.display();
    let found = fs::metadata(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => (format!("there is no file `{name}`"), BUILD),
        _ => (format!("`{name}` cannot be read: {error}"), "let whoever runs Envoy read it"),
    })?;
    if found.is_dir() {
        return Err((
            format!("`{name}` is a folder"),
            "Docker makes an empty folder where a file that it is to mount is missing: remove it (`sudo rmdir`, it is\n\
            root's), build the module with scripts/build-wasm, and start again",
        ));
    }
    let bytes = fs::read(path).map_err(|error| {
        (format!("`{name}` cannot be read: {error}"), "let whoever runs Envoy read it")
    })?;
    of_bytes(&bytes).map_err(|(what, help)| (format!("`{name}` {what}"), help))
}

fn of_bytes(bytes: &[u8]) -> Result<(), Fault> {
    if bytes.is_empty() {
        return Err(("is empty".to_owned(), BUILD));
    }
    if !bytes.starts_with(b"\0asm") {
        return Err(("is no WebAssembly".to_owned(), BUILD));
    }
    let (mut abi, mut strange) = (None, None);
    for payload in Parser::new(0).parse_all(bytes) {
        let damaged = |error| (format!("is damaged, or cut off: {error}"), BUILD);
        match payload.map_err(damaged)? {
            Payload::Version { encoding: Encoding::Component, .. } => {
                let help = "build it with `--target wasm32-wasip1`: wasip2 makes components";
                return Err(("is a component, and Envoy loads modules".to_owned(), help));
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let import = import.map_err(damaged)?;
                    if !HOSTS.contains(&import.module) {
                        strange =
                            strange.or(Some(format!("`{}` of `{}`", import.name, import.module)));
                    }
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    let name = export.map_err(damaged)?.name;
                    abi = abi.or(name.starts_with("proxy_abi_version_").then(|| name.to_owned()));
                }
            }
            _ => {}
        }
    }
    if let Some(strange) = strange {
        let help = "it was built for another host: build it with `--target wasm32-wasip1`";
        return Err((format!("imports {strange}, which Envoy has not"), help));
    }
    match abi {
        None => Err((
            "is built for another runtime: it exports no `proxy_abi_version_...`".to_owned(),
            "is it this project's module? scripts/build-wasm builds it and prints where it is",
        )),
        Some(abi) if !ABIS.contains(&abi.as_str()) => {
            let help = "Envoy speaks versions 0.1.0, 0.2.0 and 0.2.1 of proxy-wasm";
            Err((format!("is built for `{abi}`, which Envoy does not speak"), help))
        }
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module with sections, each with an id and a body that is shorter than 128 bytes.
    fn module(sections: &[(u8, &[u8])]) -> Vec<u8> {
        let mut bytes = b"\0asm\x01\0\0\0".to_vec();
        for (id, body) in sections {
            bytes.extend([*id, u8::try_from(body.len()).unwrap()]);
            bytes.extend_from_slice(body);
        }
        bytes
    }

    /// One memory, imported from a module under a name.
    fn import(module: &str) -> Vec<u8> {
        let length = u8::try_from(module.len()).unwrap();
        [&[1, length], module.as_bytes(), b"\x01m\x02\x00\x01"].concat()
    }

    /// That memory, exported under a name.
    fn export(name: &str) -> Vec<u8> {
        let length = u8::try_from(name.len()).unwrap();
        [&[1, length], name.as_bytes(), b"\x02\x00"].concat()
    }

    #[test]
    fn a_module_is_one_that_envoy_can_load() {
        let fault = |bytes: &[u8]| of_bytes(bytes).err().map(|(what, _)| what).unwrap_or_default();
        let built = |host: &str, abi: &str| module(&[(2, &import(host)), (7, &export(abi))]);
        assert_eq!(fault(&built("env", "proxy_abi_version_0_2_1")), "");
        for (bytes, said) in [
            (vec![], "is empty"),
            (b"#!/bin/sh\n".to_vec(), "is no WebAssembly"),
            (b"\0asm\x0d\0\x01\0".to_vec(), "is a component"),
            (module(&[]), "exports no `proxy_abi_version_...`"),
            (
                built("__wbindgen_placeholder__", "proxy_abi_version_0_2_1"),
                "imports `m` of `__wbindgen_placeholder__`",
            ),
            (built("env", "proxy_abi_version_9_9_9"), "is built for `proxy_abi_version_9_9_9`"),
        ] {
            assert!(fault(&bytes).contains(said), "{said}: {}", fault(&bytes));
        }
        let mut cut = built("env", "proxy_abi_version_0_2_1");
        cut.truncate(19);
        assert!(fault(&cut).starts_with("is damaged, or cut off: "), "{}", fault(&cut));
    }

    #[test]
    fn a_folder_in_its_place_is_explained() {
        let folder = tempfile::tempdir().unwrap();
        let found = judge(folder.path());
        assert!(found.missing.unwrap().ends_with("is a folder"));
        assert!(found.help.unwrap().contains("`sudo rmdir`"));
        let missing = judge(&folder.path().join("traffic_split.wasm"));
        assert!(missing.missing.unwrap().starts_with("there is no file `"));
    }
}
