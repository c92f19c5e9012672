//! Limits on all processes of a run together: refusals with a way out where the kernel has no controllers, and what is said
//! of limits that were hit where it has.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use pinfold_trials::{
    Trial, as_nobody, can_write_cgroup2, cgroup2_dir, controllers, has_controllers, is_root,
};
use serde_json::{Value, json};

use crate::{Live, pinfold, result, run, text};

/// A word for each controller, and the options that ask for it.
const OPTIONS: [(&str, &[&str]); 5] = [
    ("memory", &["--memory 64M", "--memory-high 64M", "--swap 0"]),
    ("pids", &["--processes 5"]),
    ("cpu", &["--cpus 0.5", "--cpu-weight 50"]),
    ("cpuset", &["--cpuset 0"]),
    ("io", &["--io-weight 50", "--io-max 8:0:rbps=1M"]),
];

/// `pinfold run --take-over-cgroup OPTIONS -- fixture ARGUMENTS`: in a machine this test is in the cgroup with it.
#[track_caller]
fn limited(options: &str, arguments: &str) -> std::process::Output {
    result(&format!("--take-over-cgroup {options}"), arguments)
}

#[test]
fn a_limit_that_cannot_be_enforced_is_refused_and_nothing_runs() {
    let here = controllers();
    for (controller, options) in OPTIONS {
        if here.iter().any(|here| here == controller) {
            continue;
        }
        for option in options.iter().flat_map(|option| [option.to_string(), format!("{option} --explain")]) {
            let output = result(&option, "lines 1");
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(125), "{option}: {said}");
            assert!(output.stdout.is_empty() && said.lines().count() == 1, "{option}: {output:?}");
            assert!(said.contains("its limits cannot be enforced"), "{option}: {said}");
            assert!(said.contains("--limits-per-process") && !said.contains("::"), "{option}: {said}");
            if can_write_cgroup2() {
                assert!(said.contains(&format!("the {controller} controller")), "{option}: {said}");
                assert!(said.contains("/cgroup.controllers"), "{option}: {said}");
            }
        }
        let output = result(&format!("--json {}", options[0]), "lines 1");
        let record: Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!(
            (&record["exit_code"], &record["error"]["kind"], &record["outcome"]),
            (&json!(125), &json!("unsupported"), &json!(null))
        );
    }
}

#[test]
fn without_a_cgroup_no_limit_is_had() {
    let trial = Trial::new();
    let words = "--memory 64M --processes 9";
    for (variable, isolation) in [("cgroup", ""), ("", "--isolation process-group")] {
        let mut command = run(&trial, &format!("{words} {isolation}"), "lines 1");
        let output = command.env("PINFOLD_DENY", variable).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), &output.stdout[..]), (Some(125), &b""[..]), "{said}");
        assert!(said.contains("no cgroup v2 can be had") && said.contains("--limits-per-process"), "{said}");
    }
    trial.finish();
}

#[test]
fn limits_that_mean_nothing() {
    for (options, part) in [
        ("--memory lots", "--memory: 'lots' is no size"),
        ("--memory 0", "zero bytes of memory"),
        ("--processes 0", "zero processes"),
        ("--cpus 0", "at least 0.001"),
        ("--cpus half", "--cpus: 'half'"),
        ("--cpu-weight 0", "from 1 to 10000"),
        ("--cpuset 0-", "--cpuset: '0-'"),
        ("--io-weight 10001", "from 1 to 10000"),
        ("--io-max /dev/sda", "DEVICE:rbps=SIZE"),
        ("--io-max /dev/null:rbps=1M", "no block device"),
        ("--io-max /no/such:rbps=1M", "/no/such"),
        ("--io-max 8:0:rbps=0", "would block for ever"),
        ("--pids-limit 5", "--processes"),
        ("--cpu-shares 5", "--cpu-weight"),
        ("--limits-per-process --cpus 2", "leave --limits-per-process out"),
        ("--limits-per-process --swap 0", "leave --limits-per-process out"),
    ] {
        let output = result(options, "lines 1");
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), &output.stdout[..]), (Some(125), &b""[..]), "{options}: {said}");
        assert!(said.contains(part) && said.lines().count() == 1, "{options}: {said}");
    }
}

#[test]
fn limits_of_each_process_are_had_by_name() {
    let said = |output: &std::process::Output| text(&output.stdout);
    let output = result("--limits-per-process --memory 1G", "alloc 8M");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let output = result("--limits-per-process --memory 1G", "alloc 4G");
    assert!(!output.status.success(), "{output:?}");
    let trial = Trial::new();
    let limits = "--limits-per-process --memory 512M --cpuset 0";
    let mut command = pinfold(&trial, limits);
    command.args(["grep", "-h", "Cpus_allowed_list\\|Max address"]);
    let output = command.args(["/proc/self/status", "/proc/self/limits"]).output().unwrap();
    assert!(
        said(&output).contains("Cpus_allowed_list:\t0\n") && said(&output).contains(" 536870912 "),
        "{output:?}"
    );
    let output = pinfold(&trial, &format!("{limits} --explain true")).output().unwrap();
    let plan = said(&output);
    for line in ["limits       each process by itself", "536870912 bytes at most (RLIMIT_AS)", "0 (affinity)"]
    {
        assert!(plan.contains(line), "{line} is not in {plan}");
    }
    let mut command = pinfold(&trial, "--limits-per-process --processes 400 true");
    let output = command.output().unwrap();
    if is_root() {
        assert!(text(&output.stderr).contains("does not bind root"), "{output:?}");
        let mut command = pinfold(&trial, "--limits-per-process --processes 400 true");
        assert_eq!(as_nobody(&mut command).output().unwrap().status.code(), Some(0));
    } else {
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    trial.finish();
}

#[test]
fn a_run_killed_for_memory_says_so() {
    if !has_controllers(&["memory"]) {
        return;
    }
    // Swap is not there in every kernel that limits memory.
    let output = limited("--memory 32M", "alloc 128M --hold");
    let said = text(&output.stderr);
    assert_eq!(output.status.signal(), Some(9), "{output:?}");
    let words = " ran out of memory: 1 process killed by the kernel (limit 32 MiB)\n";
    assert!(said.starts_with("pinfold: ") && said.ends_with(words) && said.lines().count() == 1, "{said}");
    assert_eq!(text(&limited("--memory 32M --quiet", "alloc 128M --hold").stderr), "");

    let output = limited("--json --memory 32M", "alloc 128M --hold");
    let record: Value = serde_json::from_slice(&output.stderr).unwrap();
    let hit = &record["outcome"]["limits_hit"];
    assert_eq!((&record["exit_signal"], &hit["oom_kills"]), (&json!("KILL"), &json!(1)), "{record}");
    assert!(hit["memory_max"].as_u64().unwrap() > 0, "{record}");

    // The kernel killed a process of it and not the program: the exit code is the program's.
    let trial = Trial::new();
    let mut command = pinfold(&trial, "--take-over-cgroup --memory 32M -- sh -c");
    command.arg("\"$0\" alloc 128M --hold; exit 3").arg(pinfold_trials::fixture());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(text(&output.stderr).contains("sh ran out of memory: 1 process killed"), "{output:?}");
    trial.finish();

    let within = limited("--memory 64M", "alloc 8M");
    assert_eq!((within.status.code(), text(&within.stderr)), (Some(0), String::new()));
}

#[test]
fn processes_that_were_refused_are_told() {
    if !has_controllers(&["pids"]) {
        return;
    }
    let trial = Trial::new();
    let mut command = run(&trial, "--take-over-cgroup --processes 10", "spawn-storm 40");
    let mut live = Live::start(command.stderr(Stdio::piped()));
    let mut line = live.line();
    while !line.starts_with("ready") {
        assert_ne!(line, "", "it ended too early");
        line = live.line();
    }
    let mut errors = live.child.stderr.take().unwrap();
    live.signal(15);
    let (_, status) = live.end();
    let mut said = String::new();
    errors.read_to_string(&mut said).unwrap();
    drop(errors);
    assert_eq!(status.signal(), Some(15), "{said}");
    let line = said.lines().find(|line| line.contains(" was refused a process or thread ")).unwrap();
    assert!(line.starts_with("pinfold: ") && line.ends_with(" by the kernel (limit 10)"), "{said}");
    trial.finish();
}

#[test]
fn every_limit_is_enforced_at_once_and_explained() {
    if !has_controllers(&["memory", "pids", "cpu", "cpuset"]) {
        return;
    }
    let options = "--memory 64M --memory-high 48M --processes 20 --cpus 0.5 --cpu-weight 50 --cpuset 0";
    let output = limited(&format!("--explain {options}"), "exit 0");
    let plan = text(&output.stdout);
    for line in [
        "limits       all of it together, by its cgroup",
        "67108864 bytes at most (memory.max)",
        "slowed down above 50331648 bytes (memory.high)",
        "20 at most (pids.max)",
        "0.5 (cpu.max)",
        "50 (cpu.weight)",
        "0 (cpuset.cpus)",
    ] {
        assert!(plan.contains(line), "{line} is not in {plan}");
    }
    let before = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    let trial = Trial::new();
    let own = "cd \"$(sed -n 's/^0:://p' /proc/self/cgroup | sed \"s|^|$0|\")\" && cat memory.max memory.high \
               pids.max cpu.max cpu.weight cpuset.cpus";
    let mount = cgroup_mount();
    let mut command = pinfold(&trial, &format!("--take-over-cgroup {options} -- sh -c"));
    let output = command.arg(own).arg(mount).output().unwrap();
    let files = "67108864\n50331648\n20\n50000 100000\n50\n0\n";
    assert_eq!((text(&output.stdout).as_str(), output.status.code()), (files, Some(0)), "{output:?}");
    trial.finish();
    assert_eq!(std::fs::read_to_string("/proc/self/cgroup").unwrap(), before, "it is back where it was");

    let spent = limited("--cpus 0.1 --verbose", "burn 0.3");
    assert!(text(&spent.stderr).contains("held back by its limit of CPUs for "), "{spent:?}");
}

/// Where cgroup v2 is mounted.
fn cgroup_mount() -> String {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mount = mounts.lines().find(|line| line.contains(" - cgroup2 ")).unwrap();
    mount.split(' ').nth(4).unwrap().to_owned()
}

#[test]
fn others_in_its_cgroup_are_moved_only_when_that_is_asked_for() {
    if !has_controllers(&["pids"]) {
        return;
    }
    if !cgroup2_dir().is_some_and(|own| own.join("cgroup.type").exists()) {
        eprintln!("skipped: needs a cgroup that is not the root of all");
        return;
    }
    for options in ["--processes 10", "--processes 10 --explain"] {
        let output = result(options, "lines 1");
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), &output.stdout[..]), (Some(125), &b""[..]), "{said}");
        let parts = ["the pids controller: ", " other process", "--take-over-cgroup", "Delegate=yes"];
        assert!(parts.iter().all(|part| said.contains(part)) && !said.contains("::"), "{said}");
    }
    assert_eq!(limited("--processes 10", "lines 1").status.code(), Some(0));
}
