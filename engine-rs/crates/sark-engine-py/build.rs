//! Tells the crate the name of the cargo profile it is built with, which cargo itself keeps from it.
//!
//! `cfg!(debug_assertions)` and the variable PROFILE know `debug` and `release` only: every profile that inherits from
//! `release` would pass for it.

use std::{env, path::Path};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let folder = env::var_os("OUT_DIR").unwrap_or_default();
    println!("cargo::rustc-env=SARK_BUILD_PROFILE={}", profile(Path::new(&folder)));
}

/// The profile in `.../PROFILE/build/CRATE-HASH/out`; `unknown` when the folder is laid out otherwise.
fn profile(folder: &Path) -> String {
    let names: Vec<_> = folder.iter().map(|name| name.to_string_lossy()).collect();
    let build = names.iter().rposition(|name| name == "build");
    let name = build.and_then(|at| at.checked_sub(1)).and_then(|at| names.get(at));
    name.map_or_else(|| "unknown".to_owned(), ToString::to_string)
}
