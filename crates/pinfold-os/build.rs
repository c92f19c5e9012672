//! Builds the guard, a freestanding program, for the target and leaves it where the crate includes it from.
//!
//! Where that cannot be done the crate is built without a guard: what needs one is then refused at run time, and what
//! can do without says that it does.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=guard");
    println!("cargo::rustc-check-cfg=cfg(guard)");
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let supported = variable("CARGO_CFG_TARGET_OS") == "linux"
        && matches!(variable("CARGO_CFG_TARGET_ARCH").as_str(), "x86_64" | "aarch64");
    if !supported {
        return;
    }
    let out = PathBuf::from(variable("OUT_DIR")).join("guard");
    // The linker that comes with Rust links for every target; a compiler driver only for its own.
    let attempts: [&[&str]; 2] = [
        &["-Clinker=rust-lld", "-Clinker-flavor=ld.lld", "-Clink-self-contained=no"],
        &["-Clink-args=-nostartfiles -nostdlib -static", "-Clink-self-contained=no"],
    ];
    if attempts.iter().any(|attempt| build(&variable("RUSTC"), &variable("TARGET"), attempt, &out)) {
        println!("cargo::rustc-cfg=guard");
    } else {
        println!("cargo::warning=the guard could not be built: this build has no guarantee 'guarded'");
    }
}

fn build(rustc: &str, target: &str, linking: &[&str], out: &Path) -> bool {
    let output = Command::new(rustc)
        .args(["--edition=2024", "--crate-name=guard", "--crate-type=bin", "--target", target])
        .args(["-Copt-level=s", "-Cpanic=abort", "-Crelocation-model=static", "-Cstrip=symbols"])
        .args(["-Cforce-unwind-tables=no", "-Clink-arg=-znoseparate-code", "-Cdebug-assertions=off"])
        .args(linking)
        .args(["-o".as_ref(), out.as_os_str(), "guard/main.rs".as_ref()])
        // Flags of the build around us are for another kind of program.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output();
    output.is_ok_and(|output| output.status.success())
}
