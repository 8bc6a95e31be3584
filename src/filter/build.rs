//! Has the linker write the module's addresses as short as they are. It leaves room for the largest
//! number in each of them otherwise, which is 7 % of the module.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    // It cannot be had together with debug information, which the release profile strips.
    if is("CARGO_CFG_TARGET_FAMILY", "wasm") && is("PROFILE", "release") {
        println!("cargo::rustc-link-arg-cdylib=--compress-relocations");
        println!("cargo::rustc-link-arg-cdylib=--strip-all");
    }
}
