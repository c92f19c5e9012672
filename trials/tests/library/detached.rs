//! The two ways out of a container: a process that is nobody's child, and becoming the program.

use std::fs::File;
use std::process::Stdio as StdStdio;

use pinfold::{Command, ErrorKind, Isolation, Resource, Stdin, Stdio};
use pinfold_trials::descriptors::Descriptor;
use pinfold_trials::proc::{Stat, Status};
use pinfold_trials::{given, is_root, wait_until};

use crate::owner::directories_of;
use crate::part::Part;
use crate::{LONG, Of, begin, fixture, mechanisms, sh};

/// Commands that cannot be started, with the kind of the refusal.
fn impossible() -> Vec<(&'static str, Command, ErrorKind)> {
    let program = || fixture("exit 0");
    vec![
        ("unknown program", Command::new("pinfold-no-such-program"), ErrorKind::NotFound),
        ("directory as program", Command::new("/"), ErrorKind::PermissionDenied),
        ("cwd missing", program().cwd("/no/such/directory"), ErrorKind::NotFound),
        ("stdin missing", program().stdin_file("/no/such/file"), ErrorKind::NotFound),
        ("output nowhere", program().stdout(Stdio::file("/no/such/directory/file")), ErrorKind::NotFound),
        ("fed by us", program().stdin_text("x"), ErrorKind::InvalidInput),
        ("kept open", program().stdin(Stdin::Open), ErrorKind::InvalidInput),
        ("no such user", program().user("pinfold-no-such-user"), ErrorKind::InvalidInput),
        ("nice out of range", program().nice(77), ErrorKind::InvalidInput),
        ("no such processor", program().affinity([8191]), ErrorKind::InvalidInput),
        ("too long", program().arg("x".repeat(256 << 10)), ErrorKind::InvalidInput),
    ]
}

#[test]
fn a_detached_process_is_nobodys_child_in_no_container_and_stays() {
    let mut owner = Part::new(|_| {
        let command = fixture("trap USR1").stdout(Stdio::Null).stderr(Stdio::Null);
        let pid = command.spawn_detached().unwrap();
        // One that is contained, to have an owner that tidies up at its end.
        drop(fixture("sleep 100").start().unwrap());
        eprintln!("detached {pid}");
    });
    let mut trial = begin();
    let said = owner.pass(&trial, "");
    let pid: u32 = said.lines().find_map(|line| line.strip_prefix("detached ")).unwrap().parse().unwrap();
    trial.expect_survivor(pid);
    let stat = Stat::of(&pid.to_string()).unwrap();
    assert_eq!((stat.session, stat.group), (stat.pid, stat.pid), "a session of its own");
    assert_ne!(stat.ppid, i32::try_from(std::process::id()).unwrap());
    let cgroup = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    assert_eq!(cgroup, std::fs::read_to_string("/proc/self/cgroup").unwrap());
    assert_eq!(trial.survivors().len(), 1, "and nothing else is left");
}

#[test]
fn a_detached_process_is_given_what_its_command_says() {
    let mut trial = begin();
    let folder = tempfile::tempdir().unwrap();
    let [input, output, errors] = ["input", "output", "errors"].map(|name| folder.path().join(name));
    std::fs::write(&input, "read").unwrap();
    let script = "cat; pwd; umask; echo \"$MARK\" >&2; echo done >&2";
    let command = sh(script).of(&trial).cwd(folder.path()).umask(0o27).env("MARK", "here").stdin_file(&input);
    let command = command.stdout(Stdio::file(&output)).stderr(Stdio::append(&errors));
    let pid = command.spawn_detached().unwrap();
    trial.expect_survivor(pid.get());
    wait_until("its last word", LONG, || {
        std::fs::read_to_string(&errors).is_ok_and(|text| text == "here\ndone\n")
    });
    let folder = folder.path().canonicalize().unwrap();
    assert_eq!(std::fs::read_to_string(&output).unwrap(), format!("read{}\n0027\n", folder.display()));
    trial.wait_until_gone(LONG);
}

#[test]
fn what_cannot_be_detached_leaves_nothing() {
    let trial = begin();
    for (name, command, kind) in impossible() {
        let error = command.of(&trial).spawn_detached().unwrap_err();
        assert_eq!(error.kind(), kind, "{name}: {error}");
    }
}

#[test]
fn exec_becomes_the_program() {
    let mut part = Part::new(|case| {
        eprintln!("pid {}", std::process::id());
        let command = sh("echo pid $$ >&2; cat; exit 7");
        let command = if case == "stdin" { command } else { command.stdin_file("/dev/null") };
        let failed = command.exec();
        panic!("{:?}", failed.map(drop));
    });
    let trial = begin();
    for case in ["stdin", "none"] {
        let (read, mut write) = std::io::pipe().unwrap();
        std::io::Write::write_all(&mut write, b"mine").unwrap();
        drop(write);
        let output = part.command(&trial, case).stdin(read).output().unwrap();
        part.command(&trial, case).stdin(StdStdio::null());
        let (out, err) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert_eq!(output.status.code(), Some(7), "{err}");
        let pids: Vec<_> = err.lines().filter(|line| line.starts_with("pid ")).collect();
        assert!(pids.len() == 2 && pids[0] == pids[1], "{err}");
        let pid = pids[0].trim_start_matches("pid ").parse().unwrap();
        assert_eq!(directories_of(pid), [""; 0], "what has become another program tidies nothing up");
        assert_eq!(out.ends_with("mine"), case == "stdin", "{out}");
    }
}

#[test]
fn exec_takes_over_nothing_that_was_ours_alone() {
    let mut part = Part::new(|_| {
        // Without the mark by which a descriptor is closed on exec.
        let file = File::open("/dev/zero").unwrap();
        let _kept = rustix::io::dup(&file).unwrap();
        // A run that is still going on goes on, and is ended by the guard when the program has ended.
        let handle = fixture("sleep 100").start().unwrap();
        let command = fixture("state").env("PINFOLD_FIXTURE_LIFE", "60");
        let failed = command.exec();
        panic!("{:?} {:?}", failed.map(drop), handle.pid());
    });
    let trial = begin();
    let output = part.command(&trial, "").stdin(StdStdio::null()).output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    let state = out.lines().find(|line| line.starts_with('{')).unwrap();
    let descriptors = &state[state.find("\"descriptors\"").unwrap()..];
    assert!(!descriptors.contains("/dev/zero") && !descriptors.contains("\"3\":"), "{descriptors}");
    if mechanisms().contains(&Isolation::Cgroup) {
        trial.wait_until_gone(LONG);
    }
    trial.kill_survivors();
}

/// All of this process that a half-done exec could have changed.
fn self_portrait() -> String {
    let status = Status::of("self").unwrap();
    let fields = [
        "Uid",
        "Gid",
        "Groups",
        "Umask",
        "SigBlk",
        "SigIgn",
        "SigCgt",
        "CapEff",
        "CapBnd",
        "NoNewPrivs",
        "Seccomp",
        "Cpus_allowed_list",
        "Threads",
    ];
    let fields: Vec<_> =
        fields.iter().map(|name| format!("{name} {}", status.field(name).unwrap())).collect();
    let stat = Stat::of("self").unwrap();
    let read = |name: &str| std::fs::read_to_string(format!("/proc/self/{name}")).unwrap();
    let limits = read("limits");
    format!(
        "{fields:?} {} {} {} {:?} {limits} {} {} {:?}",
        stat.group,
        stat.session,
        rustix::process::getpriority_process(None).unwrap(),
        std::env::current_dir().unwrap(),
        read("oom_score_adj"),
        read("cgroup"),
        Descriptor::all().unwrap(),
    )
}

#[test]
fn an_exec_that_fails_leaves_the_process_as_it_was() {
    let mut part = Part::new(|case| {
        // With many settings, so that much could be left half done.
        let trial = begin();
        let folder = tempfile::tempdir().unwrap();
        let bad = folder.path().join("bad");
        std::fs::write(&bad, "#!/no/such/interpreter\n").unwrap();
        let denied = folder.path().join("denied");
        std::fs::write(&denied, "").unwrap();
        for path in [&bad, &denied] {
            let mode = if path == &bad { 0o755 } else { 0o644 };
            std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        }
        let mut all = impossible();
        all.push(("not executable", Command::new(&denied), ErrorKind::PermissionDenied));
        all.push(("bad interpreter", Command::new(&bad), ErrorKind::NotFound));
        if case == "nobody" {
            all.push(("another user", fixture("exit 0").uid(0), ErrorKind::PermissionDenied));
            all.push(("another group", fixture("exit 0").gid(0), ErrorKind::PermissionDenied));
            all.push(("other groups", fixture("exit 0").groups([0]), ErrorKind::PermissionDenied));
            all.push(("more priority", fixture("exit 0").nice(-5), ErrorKind::PermissionDenied));
        }
        let before = self_portrait();
        for (name, command, kind) in all {
            let settings = |command: Command| {
                let command = command.umask(0o31).env("A", "1").oom_score_adj(900).no_new_privs().setsid();
                let command = command.rlimit(Resource::Core, Some(0), Some(0)).rlimit(
                    Resource::OpenFiles,
                    Some(99),
                    Some(99),
                );
                if name == "nice out of range" || name == "more priority" {
                    command
                } else {
                    command.nice(19)
                }
            };
            let Err(error) = settings(command).exec();
            assert_eq!(error.kind(), kind, "{name}: {error}");
            assert_eq!(self_portrait(), before, "{name}: {error}");
        }
        drop(folder);
        drop(trial);
    });
    let trial = begin();
    part.pass(&trial, "");
    if given(is_root(), "root, to be somebody without its rights") {
        part.unprivileged().pass(&trial, "nobody");
    }
    assert!(trial.survivors().is_empty());
}
