//! A scope from systemd, where no cgroup can be written.
//!
//! A test target of its own, run inside a virtual machine as a user in a cgroup that was not handed over to him. With
//! `PINFOLD_SCOPE=all` in the environment, as that machine has it, what is missing there is a failure.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it skips"
)]

#[path = "library/part.rs"]
mod part;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command as Program, Stdio};
use std::time::{Duration, Instant};

use pinfold::{Command, Guarantee, Limits, Mechanism, Signal};
use pinfold_trials::{Trial, can_write_cgroup2, is_root, pinfold_bin, wait_until};

use part::Part;

const LONG: Duration = Duration::from_secs(30);
const MIB: u64 = 1 << 20;

fn fixture(arguments: &str) -> Command {
    Command::new(pinfold_trials::fixture()).args(arguments.split_whitespace()).timeout(LONG)
}

/// Where the user's manager listens.
fn runtime_dir() -> PathBuf {
    format!("/run/user/{}", rustix::process::geteuid().as_raw()).into()
}

/// Whether systemd can be asked, and has to be.
fn at_systemds_mercy() -> bool {
    let lacks = if !Path::new("/run/systemd/system").is_dir() {
        "systemd does not run here"
    } else if is_root() || can_write_cgroup2() {
        "this cgroup can be written without it"
    } else if !runtime_dir().join("bus").exists() {
        "this user has no manager"
    } else {
        return true;
    };
    assert!(std::env::var_os("PINFOLD_SCOPE").is_none(), "{lacks}");
    eprintln!("skipped: needs a user of systemd in a cgroup that is not his: {lacks}");
    false
}

/// The cgroup of this process, as the kernel writes it.
fn own() -> String {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap();
    own.lines().find_map(|line| line.strip_prefix("0::")).unwrap().to_owned()
}

/// Whether this process is in a scope that was made for it.
fn is_in_scope() -> bool {
    let mine = format!("pinfold-{}-", std::process::id());
    own().split('/').any(|name| name.starts_with(&mine) && name.ends_with(".scope"))
}

/// Waits until nothing is left of a scope: neither its cgroup nor its unit.
fn expect_gone(said: &str) {
    let scope = said.lines().find_map(|line| line.strip_prefix("scope ")).unwrap();
    let end = scope.find(".scope").unwrap() + ".scope".len();
    let cgroup = Path::new("/sys/fs/cgroup").join(scope[..end].trim_start_matches('/'));
    wait_until("the scope's cgroup to be gone", LONG, || !cgroup.exists());
    let unit = cgroup.file_name().unwrap();
    wait_until("the scope's unit to be gone", LONG, || {
        let mut systemctl = Program::new("systemctl");
        systemctl.args(["--user", "show", "--property=LoadState", "--value"]).arg(unit);
        let output = systemctl.env("XDG_RUNTIME_DIR", runtime_dir()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout == b"not-found\n"
    });
}

#[test]
fn a_run_is_guarded_in_a_scope_that_is_gone_at_the_end() {
    let mut part = Part::new(|_| {
        assert!(!is_in_scope());
        let handle = fixture("escape setsid --stay").start().unwrap();
        assert_eq!((handle.mechanism(), handle.guarantee()), (Mechanism::CgroupV2, Guarantee::Guarded));
        assert!(is_in_scope(), "{}", own());
        eprintln!("scope {}", own());
        assert_eq!(handle.stop().unwrap().mechanism, Mechanism::CgroupV2);
        let before = own();
        assert_eq!(fixture("exit 3").exit_code().unwrap(), 3);
        assert_eq!(own(), before, "it is asked once");
    });
    let trial = Trial::new();
    if at_systemds_mercy() {
        expect_gone(&part.pass(&trial, ""));
    }
}

#[test]
fn limits_are_enforced_there() {
    let mut part = Part::new(|_| {
        let limits = Limits::new().memory_max(32 * MIB);
        let output = fixture("alloc 128M --hold").limits(limits).output().unwrap();
        assert_eq!(output.outcome.signal(), Some(Signal::KILL));
        assert_eq!(output.outcome.limits_hit.oom_kills, Some(1));
        let handle = fixture("spawn-storm 40").max_processes(10).start().unwrap();
        assert!(handle.stdout_lines().unwrap().map(Result::unwrap).any(|line| line.starts_with("ready")));
        assert!(handle.members().len() <= 10 && handle.limits_hit().processes.unwrap() > 0);
        handle.kill().unwrap();
        assert!(is_in_scope(), "{}", own());
        eprintln!("scope {}", own());
    });
    let trial = Trial::new();
    if at_systemds_mercy() {
        expect_gone(&part.pass(&trial, ""));
    }
}

#[test]
fn nothing_is_left_of_an_owner_that_was_killed() {
    let mut part = Part::new(|_| {
        let handle = fixture("escape setsid --stay").require(Guarantee::Guarded).start().unwrap();
        assert!(handle.stdout_lines().unwrap().next().unwrap().unwrap().starts_with("ready"));
        eprintln!("scope {}", own());
        // Until it is killed.
        let _ = std::io::stdin().read_line(&mut String::new());
    });
    let trial = Trial::new();
    if !at_systemds_mercy() {
        return;
    }
    let command = part.command(&trial, "").stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut owner = command.spawn().unwrap();
    let mut lines = BufReader::new(owner.stderr.take().unwrap()).lines().map(Result::unwrap);
    let said = lines.find(|line| line.starts_with("scope ")).unwrap();
    owner.kill().unwrap();
    owner.wait().unwrap();
    trial.wait_until_gone(LONG);
    expect_gone(&said);
}

#[test]
fn where_others_are_in_the_way_of_a_limit_a_scope_is_asked_for_before_anything_runs() {
    const NAME: &str = "where_others_are_in_the_way_of_a_limit_a_scope_is_asked_for_before_anything_runs";
    let _part = Part::new(|case| {
        // systemd makes the user's scopes as the user: it can be written, handed over or not.
        assert!(can_write_cgroup2(), "{}", own());
        let before = own();
        let limited = fixture("exit 0").max_processes(5);
        if case == "plain" {
            assert_eq!(fixture("exit 3").exit_code().unwrap(), 3);
            assert_eq!(own(), before, "nothing but a limit takes another cgroup");
            let error = limited.run().unwrap_err();
            assert!(error.to_string().contains("other processes are in"), "{error}");
        } else {
            assert_eq!(limited.exit_code().unwrap(), 0);
            assert!(is_in_scope(), "{}", own());
            eprintln!("scope {}", own());
        }
    });
    let trial = Trial::new();
    if !at_systemds_mercy() {
        return;
    }
    for case in ["plain", "limits"] {
        let mut shell = Program::new("systemd-run");
        // Two others, and with what the shell is still doing at its end nothing is left.
        shell.args(["--user", "--scope", "--quiet", "--", "sh", "-c"]);
        shell.arg("sleep 60 & \"$@\"; code=$?; kill $!; exit $code").arg("sh");
        shell.arg(std::env::current_exe().unwrap()).args(["--exact", NAME, "--nocapture"]);
        shell.envs([trial.env(), ("PINFOLD_PART", case)]).env("XDG_RUNTIME_DIR", runtime_dir());
        let output = shell.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{case}: {said}\n{}", String::from_utf8_lossy(&output.stdout));
        if case == "limits" {
            expect_gone(&said);
        }
    }
}

#[test]
fn the_tool_has_one_too() {
    let trial = Trial::new();
    if !at_systemds_mercy() {
        return;
    }
    let mut pinfold = Program::new(pinfold_bin());
    pinfold.args(["run", "--json", "--"]).arg(pinfold_trials::fixture()).args(["exit", "3"]);
    let output = pinfold.envs([trial.env()]).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let record = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(record.contains("\"mechanism\":\"cgroup_v2\""), "{record}");
    assert!(record.contains("\"guarantee\":\"guarded\""), "{record}");
}

#[test]
fn a_manager_that_cannot_be_asked_is_told_and_holds_nobody_up() {
    let mut part = Part::new(|case| {
        let before = own();
        let began = Instant::now();
        let missed = || fixture("exit 0").plan().unwrap().missed().unwrap().to_owned();
        let told = missed();
        assert!(told.contains("; systemd gave no scope: "), "{told}");
        assert!(told.contains(case), "{told}");
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        let began = Instant::now();
        assert_eq!(missed(), told);
        assert!(began.elapsed() < Duration::from_secs(1), "it is remembered");
        assert_eq!(own(), before);
        assert_eq!(fixture("exit 3").output().unwrap().mechanism, Mechanism::Subreaper);
        let error = fixture("exit 0").max_processes(5).run().unwrap_err();
        assert!(error.to_string().contains(case), "{error}");
    });
    let trial = Trial::new();
    if !at_systemds_mercy() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    part = part.env("XDG_RUNTIME_DIR", home.path().to_str().unwrap());
    part.pass(&trial, "No such file");
    let _silent = UnixListener::bind(home.path().join("bus")).unwrap();
    part.pass(&trial, "it does not answer in time");
}

#[test]
fn who_hides_systemd_is_told_so() {
    let mut part = Part::new(|_| {
        if can_write_cgroup2() {
            eprintln!("skipped: needs a cgroup that nobody can write");
            return;
        }
        let before = own();
        let command = fixture("exit 0");
        let missed = command.plan().unwrap().missed().unwrap().to_owned();
        assert!(missed.contains("cannot be written to: "), "{missed}");
        assert!(missed.contains("; systemd gave no scope: hidden by PINFOLD_DENY"), "{missed}");
        assert_eq!(own(), before);
    })
    .unprivileged()
    .env("PINFOLD_DENY", "systemd");
    let trial = Trial::new();
    eprint!("{}", part.pass(&trial, ""));
}
