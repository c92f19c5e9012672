//! Tests on real kernels: Debian's, with every controller in cgroup v2, in machines that qemu emulates.
//!
//! A machine has a kernel, and in memory a busybox and our static test programs; its init runs them, a process each, as
//! root and as a user, and tells how each ended over a serial port. It is emulated in software even where the processor
//! could do it: a `/dev/kvm` that can be opened is no promise that a kernel boots.

mod apt;
mod cpio;
mod kernel;
mod programs;
mod python;
mod report;
mod suites;
mod system;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use std::{env, fs, io};

use crate::house::{House, ask};
use crate::step::{Tally, Verdict, capture};

use cpio::Archive;
use programs::{Programs, Test};
use report::Report;
use suites::{Init, MACHINES, Machine, Suite, Who};

/// No machine needs longer, by far, unless the processors that emulate it have other work to do.
const LIMIT: Duration = Duration::from_secs(1200);
/// How much of what a kernel said is shown where its machine failed.
const LAST_LINES: usize = 15;
const INIT: &str = include_str!("init.sh");
const USERS: &str = "root:x:0:0::/:/bin/sh\nmessagebus:x:100:100::/:/bin/sh\nuser:x:1000:1000::/tmp:/bin/sh\n\
                     nobody:x:65534:65534::/tmp:/bin/sh\n";
const GROUPS: &str = "root:x:0:\nmessagebus:x:100:\nuser:x:1000:\nnogroup:x:65534:\n";

/// The step of the test command.
pub(crate) fn verdict(house: &House) -> Result<Verdict, Verdict> {
    tests_in(house, &MACHINES)
}

/// `cargo xtask vm [--systemd] DEBIAN root|user|undelegated SOURCE [WORD..]`: some tests of one test program, in one machine.
pub(crate) fn main(house: &House, args: &[&str]) -> ExitCode {
    let (init, args) = match args {
        ["--systemd", rest @ ..] => (Init::Systemd, rest),
        rest => (Init::Script, rest),
    };
    let [debian, who, source, only @ ..] = args else {
        eprintln!("xtask: vm needs a release of Debian, who runs it, and the source file of a test program");
        return ExitCode::from(2);
    };
    let Some(who) = Who::ALL.into_iter().find(|known| known.name() == *who) else {
        eprintln!("xtask: tests run as root, user or undelegated, and not as {who}");
        return ExitCode::from(2);
    };
    let suites = [Suite { who, source, only, skip: &[] }];
    let machine = Machine { debian, init, needed: true, suites: &suites };
    let mut tally = Tally::default();
    tally.step("vm", true, || tests_in(house, &[machine]).unwrap_or_else(|verdict| verdict));
    if tally.has_failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn tests_in(house: &House, machines: &[Machine<'_>]) -> Result<Verdict, Verdict> {
    let busybox = tools(house)?;
    let mut closing = Vec::new();
    let mut ready = Vec::new();
    for machine in machines {
        match kernel::kernel(house, machine.debian) {
            Ok(image) => ready.push((machine, image)),
            Err(Verdict::Skipped { why, .. }) if !machine.needed => closing.push(format!("skipped: {why}")),
            Err(verdict) => return Err(verdict),
        }
    }
    let programs = Programs::build(house)?;
    let mut wrong = String::new();
    for (machine, image) in ready {
        match boot(house, &programs, &busybox, machine, &image)? {
            Ok(line) => closing.push(line),
            Err(text) => wrong.push_str(&text),
        }
    }
    if !wrong.is_empty() {
        return Err(Verdict::Failed(wrong));
    }
    Ok(Verdict::Passed { remark: String::new(), closing })
}

/// What a machine is made with; gives the static busybox.
fn tools(house: &House) -> Result<PathBuf, Verdict> {
    if env::consts::OS != "linux" || env::consts::ARCH != "x86_64" {
        return Err(Verdict::excused(
            "the machines are x86_64 ones, and their tests are listed by running them here",
        ));
    }
    if ask(house.command("qemu-system-x86_64", ["--version"])).is_none() {
        return Err(Verdict::missing("qemu-system-x86_64 is missing (apt-get install qemu-system-x86)"));
    }
    let places = ["/bin/busybox", "/usr/bin/busybox"].map(PathBuf::from);
    let is_static = |path: &PathBuf| {
        fs::read(path).is_ok_and(|program| crate::elf::wants_loader(&program).is_ok_and(|wants| !wants))
    };
    places
        .into_iter()
        .find(is_static)
        .ok_or_else(|| Verdict::missing("a static busybox is missing (apt-get install busybox-static)"))
}

/// Runs the tests of a machine: its line, or all that is wrong with it.
fn boot(
    house: &House,
    programs: &Programs,
    busybox: &Path,
    machine: &Machine<'_>,
    image: &Path,
) -> Result<Result<String, String>, Verdict> {
    let mut tests = BTreeSet::new();
    let (scripts, suites): (Vec<_>, Vec<_>) =
        machine.suites.iter().partition(|suite| python::is_script(suite));
    for suite in suites {
        tests.extend(programs.tests(house, suite)?);
    }
    let home = house.target().join("vm");
    let failed = |error: io::Error| Verdict::Failed(format!("{}: {error}\n", home.display()));
    let packages = match machine.init {
        Init::Script => None,
        Init::Systemd => Some(system::packages(house, machine.debian)?),
    };
    let mut remark = String::new();
    let extension = match &packages {
        Some(packages) if !scripts.is_empty() => {
            let extension = python::build(house)?;
            match python::lacking(&extension, packages).map_err(failed)? {
                Some(why) => {
                    remark = format!("; skipped: {why}");
                    None
                }
                None => Some(extension),
            }
        }
        _ => None,
    };
    if extension.is_some() {
        for suite in &scripts {
            tests.extend(python::tests(house, suite)?);
        }
    }
    let name = format!("{}-{:?}", machine.debian, machine.init).to_lowercase();
    let (initramfs, console) = (home.join(format!("{name}.cpio")), home.join(format!("{name}.log")));
    let mut archive = archive(house, programs, busybox, packages.as_deref(), &tests).map_err(failed)?;
    if let Some(extension) = &extension {
        let sources: BTreeSet<_> = scripts.iter().map(|suite| suite.source).collect();
        let sources: Vec<_> = sources.into_iter().collect();
        python::add(&mut archive, house, extension, &sources).map_err(failed)?;
    }
    fs::write(&initramfs, archive.finish()).map_err(failed)?;
    // It bounds the time of the machine even when we are killed ourselves.
    let mut command = house.command("timeout", ["--foreground", "--signal=KILL"]);
    command.arg(LIMIT.as_secs().to_string()).arg("qemu-system-x86_64");
    command.args([
        "-accel",
        "tcg,thread=multi",
        "-smp",
        "2",
        "-m",
        "1024",
        "-nodefaults",
        "-display",
        "none",
    ]);
    command.args(["-no-reboot", "-append", "console=ttyS0 panic=-1 quiet", "-serial"]);
    command.arg(format!("file:{}", console.display())).args(["-serial", "stdio", "-kernel"]);
    command.arg(image).arg("-initrd").arg(&initramfs);
    let (status, said) = capture(command).map_err(failed)?;
    // A report that ends with all of it done is all that counts, but how the machine ended explains one that does not.
    let ended = format!("-- qemu: {status}, of at most {}s\n", LIMIT.as_secs());
    let judged = Report::read(&said).judged(&tests);
    Ok(judged.map(|line| line + &remark).map_err(|wrong| {
        let log = fs::read(&console).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n");
        format!(
            "the machine {name}:\n{wrong}{ended}-- the last that its kernel said, of {}:\n{last}\n",
            console.display()
        )
    }))
}

/// The whole system of a machine.
fn archive(
    house: &House,
    programs: &Programs,
    busybox: &Path,
    packages: Option<&Path>,
    tests: &BTreeSet<Test>,
) -> io::Result<Archive> {
    let mut archive = Archive::new();
    for path in ["busybox", "dev", "etc", "proc", "run", "sys", "tests", "usr", "usr/bin"] {
        archive.directory(path);
    }
    // The kernel opens it for init before anything is mounted.
    archive.device("dev/console", 5, 1);
    if let Some(packages) = packages {
        system::add(&mut archive, packages)?;
    } else {
        archive.link("bin", "busybox");
        archive.link("init", "tests/init.sh");
    }
    archive.shared_directory("tmp");
    archive.file("busybox/busybox", 0o755, &fs::read(busybox)?);
    for applet in ask(house.command(busybox, ["--list"])).unwrap_or_default().lines() {
        if applet != "busybox" {
            archive.link(&format!("busybox/{applet}"), "busybox");
        }
    }
    archive.file("etc/passwd", 0o644, USERS.as_bytes());
    archive.file("etc/group", 0o644, GROUPS.as_bytes());
    archive.file("tests/init.sh", 0o755, INIT.as_bytes());
    let list: String =
        tests.iter().map(|test| format!("{} {} {}\n", test.who, test.program, test.name)).collect();
    archive.file("tests/list", 0o644, list.as_bytes());
    for (name, path) in programs.files() {
        archive.file(&format!("tests/{name}"), 0o755, &fs::read(path)?);
    }
    Ok(archive)
}
