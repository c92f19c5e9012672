//! `cargo xtask test`: the steps of the one test command, in the order in which they are run.
//!
//! A step that a missing tool prevents says so and never passes. Every step is run, whatever the others say.

use std::process::{Command, ExitCode};
use std::{env, fs};

use crate::elf;
use crate::house::{House, ask};
use crate::step::{Tally, Verdict, run};
use crate::{docs, python, surface, tidy, vm};

struct Step {
    name: &'static str,
    /// Whether it belongs to the inner loop.
    fast: bool,
    work: fn(&House) -> Result<Verdict, Verdict>,
}

const fn step(name: &'static str, work: fn(&House) -> Result<Verdict, Verdict>) -> Step {
    Step { name, fast: false, work }
}

const fn fast(name: &'static str, work: fn(&House) -> Result<Verdict, Verdict>) -> Step {
    Step { name, fast: true, work }
}

const STEPS: [Step; 21] = [
    fast("fmt", fmt),
    fast("clippy", |house| clippy(house, &["--workspace"])),
    step("clippy-all", |house| clippy(house, &["--workspace", "--all-features"])),
    step("clippy-none", |house| clippy(house, &["--package", "pinfold", "--no-default-features"])),
    fast("tidy", tidy_tree),
    // What the trials run is built here, and not by the tests of another crate.
    fast("build", build),
    fast("tests", tests),
    step("doctests", doctests),
    step("docs", console_blocks),
    step("rustdoc", rustdoc),
    step("api", surface::verdict),
    step("check-windows", |house| check(house, "x86_64-pc-windows-gnu")),
    step("check-macos", |house| check(house, "aarch64-apple-darwin")),
    step("check-freebsd", |house| check(house, "x86_64-unknown-freebsd")),
    step("oldest", oldest),
    step("static", static_program),
    step("python", python::verdict),
    step("aarch64", aarch64),
    step("vm", vm::verdict),
    step("deny", |house| deny(house, &["licenses", "bans", "sources"])),
    step("advisories", |house| deny(house, &["advisories"])),
];

/// What the command-line tool may weigh, in bytes.
const MOST_BYTES: usize = 2 << 20;

pub(crate) fn main(house: &House, args: &[&str]) -> ExitCode {
    let steps = match chosen(args) {
        Ok(steps) => steps,
        Err(wrong) => {
            eprintln!("xtask: {wrong}");
            return ExitCode::from(2);
        }
    };
    let mut tally = Tally::default();
    for step in steps {
        tally.step(step.name, house.strict, || (step.work)(house).unwrap_or_else(|verdict| verdict));
    }
    println!("{}", tally.summary());
    if tally.has_failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// The steps that the arguments ask for, in their own order.
fn chosen(args: &[&str]) -> Result<Vec<&'static Step>, String> {
    let names: Vec<&str> = args.iter().copied().filter(|arg| *arg != "--fast").collect();
    if let Some(unknown) = names.iter().find(|name| STEPS.iter().all(|step| step.name != **name)) {
        let known: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        return Err(format!("there is no step `{unknown}`; the steps are {}", known.join(", ")));
    }
    let quick = names.len() < args.len();
    let wanted = |step: &&Step| (names.is_empty() || names.contains(&step.name)) && (!quick || step.fast);
    Ok(STEPS.iter().filter(wanted).collect())
}

fn fmt(house: &House) -> Result<Verdict, Verdict> {
    need(house, "fmt", "rustup component add rustfmt")?;
    run(house.cargo(["fmt", "--all", "--check", "--", "--color", "never"]))?;
    Ok(Verdict::passed(""))
}

fn clippy(house: &House, what: &[&str]) -> Result<Verdict, Verdict> {
    need(house, "clippy", "rustup component add clippy")?;
    let args = [&["clippy", "--all-targets"], what, &["--", "-D", "warnings"]].concat();
    run(house.cargo(args))?;
    Ok(Verdict::passed(""))
}

fn tidy_tree(house: &House) -> Result<Verdict, Verdict> {
    let report = tidy::report(house.root()).map_err(Verdict::Failed)?;
    if report.findings.is_empty() {
        Ok(Verdict::Passed { remark: String::new(), closing: report.notes })
    } else {
        Err(Verdict::Failed(report.findings))
    }
}

/// The fixture program and the command-line tool, with the features with which the tests are built.
fn build(house: &House) -> Result<Verdict, Verdict> {
    run(house.cargo(["build", "--workspace", "--all-features", "--bins"]))?;
    Ok(Verdict::passed(""))
}

fn tests(house: &House) -> Result<Verdict, Verdict> {
    runner(house, "default", &["--workspace", "--all-features"], &[])
}

fn doctests(house: &House) -> Result<Verdict, Verdict> {
    let output = run(house.cargo(["test", "--doc", "--workspace", "--all-features"]))?;
    Ok(Verdict::Passed { remark: String::new(), closing: closing_lines(&output) })
}

fn console_blocks(house: &House) -> Result<Verdict, Verdict> {
    if cfg!(not(unix)) {
        return Err(Verdict::excused("the blocks are written for a Unix shell"));
    }
    build(house)?;
    Ok(docs::verdict(house, house.bin()))
}

fn rustdoc(house: &House) -> Result<Verdict, Verdict> {
    // Only libraries: the tool and the engine are both called pinfold, and their pages would overwrite each other.
    let mut command = house.cargo(["doc", "--workspace", "--all-features", "--no-deps", "--lib"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    run(command)?;
    Ok(Verdict::passed(""))
}

/// Type-checks for another system. The benches stay out: they measure this machine, beside peers that are not ours
/// to port.
fn check(house: &House, target: &str) -> Result<Verdict, Verdict> {
    have_target(house, target)?;
    run(house.cargo([
        "check",
        "--workspace",
        "--exclude",
        "pinfold-benches",
        "--all-features",
        "--target",
        target,
    ]))?;
    Ok(Verdict::passed(target))
}

/// Type-checks with the oldest Rust that the manifests promise. The benches stay out, since their peers promise other ones.
fn oldest(house: &House) -> Result<Verdict, Verdict> {
    let manifest = fs::read_to_string(house.root().join("Cargo.toml")).unwrap_or_default();
    let Some(version) = promised(&manifest) else {
        return Err(Verdict::Failed("Cargo.toml promises no rust-version\n".to_owned()));
    };
    let toolchain = have_toolchain(house, version)?;
    let mut command =
        house.command("rustup", ["run", &toolchain, "cargo", "check", "--locked", "--workspace"]);
    // Beside what the tests are built of, which would be built anew after it.
    command.args(["--exclude", "pinfold-benches", "--all-features", "--target-dir"]);
    command.arg(house.target().join("oldest")).env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN");
    run(command)?;
    Ok(Verdict::passed(format!("Rust {version}")))
}

fn promised(manifest: &str) -> Option<&str> {
    let line = manifest.lines().find_map(|line| line.strip_prefix("rust-version = \""))?;
    line.split('"').next()
}

/// The command-line tool as it ships: static, and small.
fn static_program(house: &House) -> Result<Verdict, Verdict> {
    on_linux()?;
    let target = format!("{}-unknown-linux-musl", env::consts::ARCH);
    have_target(house, &target)?;
    let args =
        ["build", "--profile", "dist", "--package", "pinfold-cli", "--target", &target, "--target-dir"];
    let mut command = house.cargo(args);
    command.arg(house.target());
    run(without_flags(command))?;
    let path = house.target().join(&target).join("dist/pinfold");
    let at = |why: &dyn std::fmt::Display| Verdict::Failed(format!("{}: {why}\n", path.display()));
    let program = fs::read(&path).map_err(|error| at(&error))?;
    if elf::wants_loader(&program).map_err(|wrong| at(&wrong))? {
        return Err(at(&"it is not static: it asks for a dynamic loader (PT_INTERP)"));
    }
    if program.len() >= MOST_BYTES {
        let why = format!("it has {} bytes, and fewer than {MOST_BYTES} were promised", program.len());
        return Err(at(&why));
    }
    Ok(Verdict::passed(format!("{} KiB, no loader", program.len() / 1024)))
}

/// The lowest floor's tests, on the other architecture that it has code for.
fn aarch64(house: &House) -> Result<Verdict, Verdict> {
    on_linux()?;
    if env::consts::ARCH == "aarch64" {
        return Err(Verdict::excused("this machine is aarch64, and the tests above ran on it"));
    }
    let emulators = ["qemu-aarch64-static", "qemu-aarch64"];
    let Some(emulator) = emulators.into_iter().find(|name| ask(house.command(name, ["--version"])).is_some())
    else {
        return Err(Verdict::missing("qemu-aarch64-static is missing (apt-get install qemu-user-static)"));
    };
    let target = "aarch64-unknown-linux-musl";
    have_target(house, target)?;
    // The linker of the toolchain itself: no cross compiler is needed.
    let variables = [
        ("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER", "rust-lld"),
        ("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_RUNNER", emulator),
    ];
    runner(house, "emulated", &["--package", "pinfold-os", "--target", target], &variables)
}

fn deny(house: &House, what: &[&str]) -> Result<Verdict, Verdict> {
    if ask(house.cargo(["deny", "--version"])).is_none() {
        let why = "cargo-deny is missing (cargo install --locked cargo-deny); it may be, since not every machine \
                   can have its advisory database";
        return Err(Verdict::excused(why));
    }
    match run(house.cargo([&["deny", "check"], what].concat())) {
        Ok(_) => Ok(Verdict::passed("")),
        Err(Verdict::Failed(output)) if output.contains("failed to fetch advisory database") => {
            Err(Verdict::excused("the advisory database is out of reach"))
        }
        Err(verdict) => Err(verdict),
    }
}

/// Runs tests in a process each, by a profile of nextest, or says that they shared one.
fn runner(
    house: &House,
    profile: &str,
    what: &[&str],
    variables: &[(&str, &str)],
) -> Result<Verdict, Verdict> {
    let nextest = ask(house.cargo(["nextest", "--version"])).is_some();
    let mut remark = "";
    let mut command = if nextest {
        house.cargo(
            [&["nextest", "run", "--no-fail-fast", "--status-level", "slow", "--profile", profile], what]
                .concat(),
        )
    } else if house.strict {
        return Err(Verdict::missing("cargo-nextest is missing (cargo install --locked cargo-nextest)"));
    } else {
        remark = "by cargo test, one after the other: cargo-nextest is missing (cargo install --locked cargo-nextest)";
        house.cargo([&["test", "--tests", "--no-fail-fast"], what, &["--", "--test-threads=1"]].concat())
    };
    if !variables.is_empty() {
        command = without_flags(command);
        command.envs(variables.iter().copied());
    }
    let output = run(command)?;
    Ok(Verdict::Passed { remark: remark.to_owned(), closing: closing_lines(&output) })
}

/// The lines with which nextest and libtest close; a library without tests has nothing to say.
fn closing_lines(output: &str) -> Vec<String> {
    let closes = |line: &&str| {
        let line = line.trim_start();
        line.starts_with("Summary [")
            || (line.starts_with("test result:") && !line.contains(" 0 passed; 0 failed"))
    };
    output.lines().filter(closes).map(str::to_owned).collect()
}

/// Flags that somebody set for their own processor or linker are not meant for another target.
pub(crate) fn without_flags(mut command: Command) -> Command {
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    command
}

fn need(house: &House, subcommand: &str, how: &str) -> Result<(), Verdict> {
    let there = ask(house.cargo([subcommand, "--version"])).is_some();
    if there { Ok(()) } else { Err(Verdict::missing(format!("cargo {subcommand} is missing ({how})"))) }
}

fn on_linux() -> Result<(), Verdict> {
    if cfg!(target_os = "linux") { Ok(()) } else { Err(Verdict::excused("this machine does not run Linux")) }
}

/// Sees to it that the standard library for a target is there.
pub(crate) fn have_target(house: &House, target: &str) -> Result<(), Verdict> {
    let there = || {
        let library = ask(house.command("rustc", ["--print", "target-libdir", "--target", target]));
        library.is_some_and(|dir| fs::read_dir(dir).is_ok_and(|mut files| files.next().is_some()))
    };
    if there() || (ask(house.command("rustup", ["target", "add", target])).is_some() && there()) {
        return Ok(());
    }
    Err(Verdict::missing(format!("the target {target} cannot be had (rustup target add {target})")))
}

/// Sees to it that a Rust of this version is there: what rustup calls it.
fn have_toolchain(house: &House, version: &str) -> Result<String, Verdict> {
    let names = [version.to_owned(), format!("{version}.0")];
    let there = |name: &&String| {
        let mut command = house.command("rustup", ["run", name, "cargo", "--version"]);
        // Asking is not to have it fetched: that is done below, with as little as it takes.
        command.env("RUSTUP_AUTO_INSTALL", "0");
        ask(command).is_some()
    };
    let install = ["toolchain", "install", version, "--profile", "minimal"];
    let found = names.iter().find(there).or_else(|| {
        ask(house.command("rustup", install))?;
        names.iter().find(there)
    });
    found.cloned().ok_or_else(|| {
        Verdict::missing(format!("Rust {version} cannot be had (rustup {})", install.join(" ")))
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn names(args: &[&str]) -> Vec<&'static str> {
        chosen(args).unwrap().iter().map(|step| step.name).collect()
    }

    #[test]
    fn steps_are_chosen_by_name_and_by_speed() {
        assert_eq!(names(&[]).len(), STEPS.len());
        assert_eq!(names(&["--fast"]), ["fmt", "clippy", "tidy", "build", "tests"]);
        assert_eq!(names(&["static", "fmt"]), ["fmt", "static"]);
        assert!(chosen(&["--slow"]).is_err_and(|wrong| wrong.contains("no step `--slow`")));
    }

    #[test]
    fn the_oldest_rust_is_the_one_that_the_manifest_promises() {
        assert_eq!(promised("[workspace.package]\nrust-version = \"1.88\" # why\n"), Some("1.88"));
        assert_eq!(promised("edition = \"2024\"\n"), None);
        let ours = fs::read_to_string(House::here().root().join("Cargo.toml")).unwrap();
        assert!(promised(&ours).is_some());
    }

    #[test]
    fn the_closing_lines_of_runners_are_kept() {
        let output = "    PASS x\n     Summary [  0.1s] 3 tests run: 3 passed\ntest result: ok. 0 passed; 0 failed; 0 \
                      ignored\ntest result: ok. 2 passed; 0 failed\n";
        let closing = closing_lines(output);
        assert_eq!(
            closing,
            ["     Summary [  0.1s] 3 tests run: 3 passed", "test result: ok. 2 passed; 0 failed"]
        );
    }
}
