//! Limits that the kernel enforces, and refusals where it cannot.
//!
//! A test target of its own that needs nothing but the fixture (`PINFOLD_FIXTURE`), so that it can be run inside a virtual
//! machine that has every controller. Elsewhere each trial says which controller it misses; with `PINFOLD_LIMITS=all` in the
//! environment, as that machine has it, what is missing is a failure.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "library/part.rs"]
mod part;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pinfold::{
    BlockDevice, Cause, Command, Enforcement, ErrorKind, GroupEvent, Handle, Host, IoLimit, Isolation,
    Limits, Mechanism, ProcessGroup, Runner, Signal,
};
use pinfold_trials::{Trial, cgroup2_dir, controllers, has_controllers as has, is_root};

use part::Part;

const LONG: Duration = Duration::from_secs(30);
const MIB: u64 = 1 << 20;

fn fixture(trial: &Trial, arguments: &str) -> Command {
    let (name, value) = trial.env();
    Command::new(pinfold_trials::fixture()).args(arguments.split_whitespace()).env(name, value).timeout(LONG)
}

/// A trial that lets the library keep its empty cgroups open.
fn begin() -> Trial {
    let mut trial = Trial::new();
    trial.allow_fds(|descriptor| {
        let target = descriptor.target.to_string_lossy();
        target.contains("/pinfold.") || target.contains("pidfd")
    });
    trial
}

/// Where the cgroup of a process of ours is.
fn place(pid: impl std::fmt::Display) -> PathBuf {
    let own = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let own = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap().to_owned();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mount = mounts.lines().find(|line| line.contains(" - cgroup2 ")).unwrap();
    Path::new(mount.split(' ').nth(4).unwrap()).join(own)
}

fn file(handle: &Handle, name: &str) -> String {
    fs::read_to_string(place(handle.pid()).join(name)).unwrap().trim_end().to_owned()
}

/// Major and minor number of this kernel.
fn kernel() -> (u32, u32) {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split('.').map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap(), numbers.next().unwrap())
}

fn ready(handle: &Handle) {
    let is_up = |line: &str| line.starts_with("ready") || line.starts_with("peak");
    assert!(handle.stdout_lines().unwrap().map(Result::unwrap).any(|line| is_up(&line)));
}

#[test]
fn a_run_killed_for_memory_says_so() {
    let trial = begin();
    if !has(&["memory"]) {
        return;
    }
    let limits = Limits::new().memory_max(32 * MIB);
    let swapless = || {
        if place("self").join("memory.swap.max").exists() {
            limits.clone().swap_max(0)
        } else {
            limits.clone()
        }
    };
    let output = fixture(&trial, "alloc 128M --hold").limits(swapless()).output().unwrap();
    assert_eq!((output.outcome.cause, output.outcome.signal()), (Cause::Itself, Some(Signal::KILL)));
    let hit = output.outcome.limits_hit;
    assert_eq!(hit.oom_kills, Some(1));
    assert!(hit.memory_max.unwrap() > 0 && hit.out_of_memory());
    assert!(output.outcome.to_string().contains("for want of memory"), "{}", output.outcome);
    let peak = output.outcome.usage.peak_memory.unwrap();
    // Where the kernel does not tell it of a cgroup (before 5.19) it is what the process had resident, its file included.
    let exact = kernel() >= (5, 19);
    assert!((16 * MIB..=if exact { 32 } else { 40 } * MIB).contains(&peak), "{peak}");
    // A run that keeps within it was not hit, and its peak is its own whoever made it.
    let output = fixture(&trial, "alloc 8M").limits(limits).output().unwrap();
    assert_eq!((output.outcome.code(), output.outcome.limits_hit.oom_kills), (Some(0), Some(0)));
    let peak = output.outcome.usage.peak_memory.unwrap();
    assert!((8 * MIB..32 * MIB).contains(&peak), "{peak}");
    // One without limits knows nothing of any.
    let outcome = fixture(&trial, "exit 0").output().unwrap().outcome;
    assert_eq!(outcome.limits_hit, pinfold::LimitsHit::default());
}

/// A namespace, or a keeper, inside of a cgroup: the stronger guarantee and the limits hold together.
#[test]
fn what_is_kept_has_limits_too() {
    let trial = begin();
    if !has(&["memory", "pids"]) {
        return;
    }
    for (isolation, mechanism) in
        [(Isolation::PidNamespace, Mechanism::PidNamespace), (Isolation::Subreaper, Mechanism::Subreaper)]
    {
        let can = fixture(&trial, "exit 0").isolation(isolation).plan().is_ok();
        if !pinfold_trials::given(can, &format!("{isolation:?}")) {
            continue;
        }
        let limits = Limits::new().memory_max(32 * MIB).processes(8);
        let swap = place("self").join("memory.swap.max").exists();
        let limits = if swap { limits.swap_max(0) } else { limits };
        let limited =
            |arguments: &str| fixture(&trial, arguments).isolation(isolation).limits(limits.clone());
        let handle = limited("escape setsid --stay").start().unwrap();
        ready(&handle);
        assert_eq!(handle.mechanism(), mechanism);
        assert_eq!(file(&handle, "pids.max"), "8");
        assert!(handle.usage().cpu_time() > Duration::ZERO);
        drop(handle);
        trial.wait_until_gone(LONG);
        let outcome = limited("alloc 128M --hold").output().unwrap().outcome;
        assert!(outcome.limits_hit.out_of_memory(), "{isolation:?}: {outcome:?}");
        assert_eq!((outcome.signal(), outcome.mechanism), (Some(Signal::KILL), mechanism));
    }
}

#[test]
fn no_more_processes_than_allowed() {
    let trial = begin();
    if !has(&["pids"]) {
        return;
    }
    let output = fixture(&trial, "spawn-storm 40").max_processes(10).start().unwrap();
    ready(&output);
    assert!(output.members().len() <= 10);
    assert!(output.limits_hit().processes.unwrap() > 0);
    let outcome = output.kill().unwrap();
    assert!(outcome.limits_hit.processes.unwrap() > 0);
}

#[test]
fn a_quota_of_cpus_is_kept() {
    let trial = begin();
    if !has(&["cpu"]) {
        return;
    }
    let began = Instant::now();
    let outcome = fixture(&trial, "burn 0.3").cpu_quota(0.25).output().unwrap().outcome;
    // 0.3 s of work at a quarter of a CPU; a period of 0.1 s at either end.
    assert!(began.elapsed() >= Duration::from_millis(900), "{:?}", began.elapsed());
    assert!(outcome.limits_hit.throttled.unwrap() > Duration::from_millis(300), "{outcome:?}");
}

#[test]
fn every_limit_is_in_its_file_and_can_be_changed_while_it_runs() {
    let trial = begin();
    if !has(&["memory", "pids", "cpu", "cpuset"]) {
        return;
    }
    let limits = Limits::new().memory_max(64 * MIB).memory_high(48 * MIB).processes(20);
    let limits = limits.cpu_quota(0.5).cpu_weight(50).cpus([0]);
    let handle = fixture(&trial, "tree 1 2").limits(limits).start().unwrap();
    ready(&handle);
    let says = |expected: [&str; 6]| {
        let files = ["memory.max", "memory.high", "pids.max", "cpu.max", "cpu.weight", "cpuset.cpus"];
        assert_eq!(files.map(|name| file(&handle, name)), expected);
    };
    says(["67108864", "50331648", "20", "50000 100000", "50", "0"]);
    handle.set_limits(&Limits::new().memory_max(96 * MIB).cpu_quota(2.0).processes(20)).unwrap();
    // Without a list of its own it has that of the cgroup above; either way of saying so is the kernel's.
    let all = file(&handle, "cpuset.cpus");
    let above = fs::read_to_string(place(handle.pid()).join("../cpuset.cpus.effective")).unwrap();
    assert!(all.is_empty() || all == above.trim_end(), "{all}");
    assert_eq!(file(&handle, "cpuset.cpus.effective"), above.trim_end());
    says(["100663296", "max", "20", "200000 100000", "100", &all]);
    handle.set_limits(&Limits::new()).unwrap();
    says(["max", "max", "max", "max 100000", "100", &all]);
    let error = handle.set_limits(&Limits::new().cpu_weight(0)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    handle.kill().unwrap();

    // Memory that was taken before anybody counted cannot be limited afterwards.
    let handle = fixture(&trial, "tree 1 1").start().unwrap();
    ready(&handle);
    handle.set_limits(&Limits::new().processes(9)).unwrap();
    assert_eq!(file(&handle, "pids.max"), "9");
    let error = handle.set_limits(&Limits::new().memory_max(MIB)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    handle.kill().unwrap();
}

#[test]
fn cpus_that_are_not_there_are_refused() {
    let trial = begin();
    if !has(&["cpuset"]) {
        return;
    }
    let error = fixture(&trial, "exit 0").cpus([0, 4000]).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("cpuset"), "{error}");
}

#[test]
fn when_a_file_takes_no_limit_nothing_runs_and_nothing_is_left() {
    let trial = begin();
    if !has(&["io"]) {
        return;
    }
    let (base, has_pids) = (cgroup2_dir().unwrap(), has(&["pids"]));
    // A device that is none: the directory is made by then, and other limits are written.
    let none = BlockDevice::Number { major: 4095, minor: 77 };
    let limit = IoLimit { read_bytes: Some(1), ..IoLimit::new(none) };
    let limits = if has_pids { Limits::new().processes(9) } else { Limits::new() };
    let error = fixture(&trial, "exit 0").limits(limits.io_max(limit)).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("io.max"), "{error}");
    fixture(&trial, "exit 0").run().unwrap();
    let own = fs::read_dir(base).unwrap().flatten().map(|entry| entry.path());
    let prefix = format!(".{}.", std::process::id());
    let own = own
        .filter(|path| path.to_string_lossy().contains(&prefix))
        .flat_map(|path| fs::read_dir(path).unwrap());
    assert_eq!(own.flatten().filter(|entry| entry.path().is_dir()).count(), 1, "that of the run that did");
}

#[test]
fn a_groups_limits_hold_for_all_of_it_together_and_its_events_tell() {
    let trial = begin();
    if !has(&["pids", "memory"]) {
        return;
    }
    let group =
        ProcessGroup::builder().limits(Limits::new().processes(6).memory_max(256 * MIB)).make().unwrap();
    let mut events = group.events().unwrap();
    let first = group.start(&fixture(&trial, "tree 1 3")).unwrap();
    ready(&first);
    let second = group.start(&fixture(&trial, "spawn-storm 20")).unwrap();
    ready(&second);
    assert!(group.members().len() <= 6);
    // Kernels before 6.11 tell that of each run alone.
    if place(first.pid()).join("pids.events.local").exists() {
        let told = events.next(Some(LONG)).unwrap();
        assert!(matches!(told[..], [GroupEvent::ProcessesRefused { count: 1.. }]), "{told:?}");
        assert!(group.limits_hit().processes.unwrap() > 0);
    } else {
        assert!(second.limits_hit().processes.unwrap() > 0);
        assert_eq!(group.limits_hit().processes, None);
    }
    let stats = group.stats();
    assert!(stats.memory.unwrap() > 0 && stats.processes <= 6);
    group.set_limits(&Limits::new().processes(60).memory_max(256 * MIB)).unwrap();
    let third = group.start(&fixture(&trial, "tree 1 9")).unwrap();
    ready(&third);
    group.kill_all().unwrap();
    assert!(events.next(Some(LONG)).unwrap().contains(&GroupEvent::Emptied));
    // A run inside has limits of its own below those of the group, and knows what hit it.
    let inner = fixture(&trial, "spawn-storm 20").max_processes(3);
    let handle = group.start(&inner).unwrap();
    ready(&handle);
    assert!(handle.members().len() <= 3 && handle.kill().unwrap().limits_hit.processes.unwrap() > 0);
    let output = group.output(&fixture(&trial, "alloc 512M --hold")).unwrap();
    assert!(output.outcome.limits_hit.out_of_memory(), "{:?}", output.outcome);
    assert!(events.take_events().unwrap().contains(&GroupEvent::OutOfMemory { kills: 1 }));
}

/// A cgroup of the test's own, with these controllers.
struct Own(PathBuf);

impl Own {
    fn new(name: &str, controllers: &str) -> Own {
        let mut base = cgroup2_dir().unwrap();
        if base.join("cgroup.type").exists() {
            // Not at the root: nothing is handed down from among processes, but from above it is.
            base.pop();
        } else {
            fs::write(base.join("cgroup.subtree_control"), controllers).unwrap();
        }
        let path = base.join(format!("pinfold-trial-{}-{name}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Own(path)
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            pinfold_trials::wait_until("the cgroup to be empty", LONG, || {
                for entry in fs::read_dir(&self.0).into_iter().flatten().flatten() {
                    let _ = fs::remove_dir(entry.path());
                }
                fs::remove_dir(&self.0).is_ok()
            });
        }
    }
}

#[test]
fn below_the_root_it_steps_aside_where_it_is_alone_and_else_asks() {
    let mut part = Part::new(|case| {
        let (case, own) = case.split_once(' ').unwrap();
        let own = Path::new(own);
        let limited = || Command::new(pinfold_trials::fixture()).args(["exit", "0"]).max_processes(5);
        // Held open, so that who is in there with us can be told to go.
        let mut other =
            std::process::Command::new(pinfold_trials::fixture()).args(["sleep", "30"]).spawn().unwrap();
        if case == "alone" {
            other.kill().unwrap();
            other.wait().unwrap();
        }
        fs::write(own.join("cgroup.procs"), "0").unwrap();
        if case != "alone" {
            fs::write(own.join("cgroup.procs"), other.id().to_string()).unwrap();
        }
        match case {
            "alone" => assert_eq!(limited().exit_code().unwrap(), 0),
            _ => {
                let error = limited().exit_code().unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
                assert!(error.to_string().contains("1 other process is in"), "{error}");
                assert!(error.what_to_do().unwrap().contains("take_over_cgroup"), "{error}");
                assert_eq!(Host::new().take_over_cgroup().exit_code(&limited()).unwrap(), 0);
            }
        }
        let here = place("self");
        assert_eq!(here.parent(), Some(own), "in a leaf beside the runs");
        assert!(here.file_name().unwrap().to_str().unwrap().starts_with("pinfold-self."));
        // Again, and now without a move; without limits; and in a group.
        assert_eq!(limited().exit_code().unwrap(), 0);
        let group = ProcessGroup::builder().limits(Limits::new().processes(9)).make().unwrap();
        assert_eq!(group.exit_code(&limited().limits(Limits::new())).unwrap(), 0);
        let _ = other.kill();
        other.wait().unwrap();
    })
    // It would have a cgroup without others to offer.
    .env("PINFOLD_DENY", "systemd");
    let trial = begin();
    if !has(&["pids"]) || !is_root() {
        return;
    }
    for case in ["alone", "crowded"] {
        let own = Own::new(case, "+pids");
        part.pass(&trial, &format!("{case} {}", own.0.display()));
        // Its end left it as it was found.
        let left = fs::read_dir(&own.0).unwrap().flatten().filter(|entry| entry.path().is_dir()).count();
        assert_eq!(
            (left, fs::read_to_string(own.0.join("cgroup.subtree_control")).unwrap()),
            (0, String::new())
        );
    }
}

#[test]
fn the_environment_can_let_it_move_others_out_of_its_way() {
    let mut part = Part::new(|own| {
        let own = Path::new(own);
        let mut other =
            std::process::Command::new(pinfold_trials::fixture()).args(["sleep", "30"]).spawn().unwrap();
        fs::write(own.join("cgroup.procs"), other.id().to_string()).unwrap();
        fs::write(own.join("cgroup.procs"), "0").unwrap();
        let limited = Command::new(pinfold_trials::fixture()).args(["exit", "0"]).max_processes(5);
        assert_eq!(limited.exit_code().unwrap(), 0);
        assert_eq!(place(other.id()), place("self"));
        other.kill().unwrap();
        other.wait().unwrap();
    })
    .env("PINFOLD_TAKE_OVER_CGROUP", "1");
    let trial = begin();
    if !has(&["pids"]) || !is_root() {
        return;
    }
    let own = Own::new("told", "+pids");
    part.pass(&trial, own.0.to_str().unwrap());
}

#[test]
fn what_cannot_be_enforced_is_refused_with_the_reason_before_anything_runs() {
    let trial = begin();
    let here = controllers();
    for (name, limits) in [
        ("memory", Limits::new().memory_max(64 * MIB)),
        ("pids", Limits::new().processes(5)),
        ("cpu", Limits::new().cpu_quota(0.5)),
        ("cpuset", Limits::new().cpus([0])),
        ("io", Limits::new().io_weight(50)),
    ] {
        if here.iter().any(|here| here == name) {
            continue;
        }
        let command = fixture(&trial, "exit 0").limits(limits.clone());
        let group = ProcessGroup::builder().limits(limits).make().unwrap_err();
        for error in [command.run().unwrap_err(), command.plan().unwrap_err(), group] {
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            assert!(error.to_string().contains("limits cannot be enforced"), "{error}");
            assert!(error.what_to_do().unwrap().contains("PerProcess"), "{error}");
            if cgroup2_dir().is_some() && pinfold_trials::can_write_cgroup2() {
                assert!(error.to_string().contains(&format!("{name} controller")), "{error}");
            }
        }
    }
    // Nothing but a cgroup can do it.
    let command = fixture(&trial, "exit 0").max_processes(5).isolation(Isolation::ProcessGroup);
    assert_eq!(command.run().unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn limits_of_each_process_are_only_had_by_name() {
    let mut part = Part::new(|_| {
        let each = |limits: Limits| limits.enforce(Enforcement::PerProcess);
        let alloc = || Command::new(pinfold_trials::fixture()).args(["alloc", "256M"]);
        assert!(alloc().limits(each(Limits::new().memory_max(2048 * MIB))).run().is_ok());
        assert!(alloc().limits(each(Limits::new().memory_max(128 * MIB))).run().is_err());
        let error = alloc().limits(each(Limits::new().cpu_quota(0.5))).run().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        let status = Command::new("cat").arg("/proc/self/status").limits(each(Limits::new().cpus([0])));
        assert!(status.run().unwrap().contains("Cpus_allowed_list:\t0\n"));
        let limits = Command::new("cat").arg("/proc/self/limits").limits(each(Limits::new().processes(400)));
        if !is_root() {
            assert!(
                limits
                    .run()
                    .unwrap()
                    .lines()
                    .any(|line| line.starts_with("Max processes") && line.contains("400"))
            );
        }
        let handle =
            Command::new("cat").keep_stdin_open().limits(each(Limits::new().cpus([0]))).start().unwrap();
        assert_eq!(
            handle.set_limits(&each(Limits::new().cpus([0]))).unwrap_err().kind(),
            ErrorKind::Unsupported
        );
    })
    .unprivileged();
    let trial = begin();
    part.pass(&trial, "");
}
