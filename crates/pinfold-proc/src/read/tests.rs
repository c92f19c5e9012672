#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;
use crate::parse::Problem;
use tempfile::TempDir;

const STAT: &str = "7 (sh) S 1 7 7 0 -1 4194304 0 0 0 0 3 4 0 0 20 0 1 0 99 4096 12 0\n";

fn host(files: &[(&str, &[u8])]) -> (TempDir, Proc) {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let proc = Proc::new(folder.path());
    (folder, proc)
}

#[test]
fn processes_are_the_numbers_below_the_root() {
    let files = [
        "10/stat",
        "9/stat",
        "self/stat",
        "01x/stat",
        "0/stat",
        "-4/stat",
        "+4/stat",
        "99999999999/stat",
        "stat",
    ];
    let (_folder, proc) = host(&files.map(|name| (name, &b""[..])));
    assert_eq!(proc.pids().unwrap(), [9, 10]);
    assert!(matches!(Proc::new("/no/such/root").pids(), Err(ReadError::Other { .. })));
}

#[test]
fn one_buffer_serves_files_of_any_length() {
    let long = [b"x".repeat(3 * BUFFER), b"\0".to_vec()].concat();
    let (_folder, mut proc) =
        host(&[("7/stat", STAT.as_bytes()), ("7/cmdline", &long), ("self/cmdline", b"me\0")]);
    for _ in 0..2 {
        assert_eq!(proc.stat(7).unwrap().comm, b"sh");
        assert_eq!(proc.cmdline(7).unwrap().arguments().next().unwrap().len(), 3 * BUFFER);
        assert_eq!(proc.cmdline(Target::Own).unwrap().arguments().collect::<Vec<_>>(), [b"me"]);
    }
}

#[test]
fn gone_is_told_from_absent_and_malformed() {
    let (_folder, mut proc) = host(&[("7/stat", b"7 (sh) S x")]);
    assert_eq!(proc.stat(8).unwrap_err().to_string(), "process 8 is gone");
    let error = proc.stat(7).unwrap_err();
    assert_eq!(error.to_string(), "cannot understand process 7: field ppid of stat is malformed");
    let Err(ReadError::Malformed { target: Target::Pid(7), source }) = proc.stat(7) else { panic!() };
    assert_eq!(source.problem, Problem::Malformed);
    assert!(matches!(proc.io(7), Err(ReadError::Unsupported { what: "io", .. })));
    assert!(matches!(Proc::new("/no/such/root").stat(7), Err(ReadError::Other { .. })));
    let late = proc.explain(Target::Pid(7), "stat", io::Error::from_raw_os_error(ESRCH));
    assert!(late.is_gone(), "it ended between open and read");
}

/// Root may read everything, so as root this test runs itself again as nobody.
#[cfg(unix)]
#[test]
fn denied_is_told_from_gone() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 65_534;
    let (folder, mut proc) = host(&[("7/stat", STAT.as_bytes())]);
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    if fs::metadata(folder.path()).unwrap().uid() == 0 {
        let copy = folder.path().join("tests");
        fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
        mode(folder.path(), 0o755);
        mode(&copy, 0o755);
        let mut again = std::process::Command::new(copy);
        again.args(["--exact", "read::tests::denied_is_told_from_gone"]).uid(NOBODY).gid(NOBODY);
        again.env_remove("TMPDIR").current_dir("/");
        let output = loop {
            match again.output() {
                // A child that another test has just forked holds the copy open for writing until it execs.
                Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
                other => break other.unwrap(),
            }
        };
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    mode(&folder.path().join("7/stat"), 0o000);
    let error = proc.stat(7).unwrap_err();
    assert!(error.is_denied() && !error.is_gone());
    assert_eq!(error.to_string(), "not permitted to read stat of process 7; root is");
}

#[cfg(not(target_os = "linux"))]
#[test]
fn another_system_says_so() {
    assert!(matches!(Proc::host(), Err(ReadError::Unsupported { .. })));
}

#[cfg(target_os = "linux")]
mod linux {
    use super::*;
    use crate::parse::stat::State;
    use std::process::{Command, Stdio};

    #[test]
    fn a_child_is_seen_alive_then_a_zombie_then_gone() {
        let mut proc = Proc::host().unwrap();
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", "echo; read line", "", "two words", ""])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let pid = child.id();
        // In the midst of its exec it has no arguments; once it speaks it has.
        child.stdout.take().unwrap().read_exact(&mut [0]).unwrap();
        let arguments: Vec<_> = proc.cmdline(pid).unwrap().arguments().map(<[u8]>::to_vec).collect();
        assert_eq!(arguments, [&b"/bin/sh"[..], b"-c", b"echo; read line", b"", b"two words", b""]);
        assert!(proc.pids().unwrap().contains(&pid));
        let stat = proc.stat(pid).unwrap();
        assert_eq!((stat.pid, stat.ppid), (pid, Some(std::process::id())));
        assert!(stat.starttime > 0 && stat.vsize > 0 && !stat.is_kernel_thread());
        drop(child.stdin.take());
        while !proc.stat(pid).unwrap().state.has_ended() {
            std::thread::yield_now();
        }
        assert_eq!(proc.stat(pid).unwrap().state, State::Zombie);
        assert!(proc.cmdline(pid).unwrap().is_empty());
        assert_eq!(proc.status(pid).unwrap().memory, None);
        child.wait().unwrap();
        assert!(proc.stat(pid).unwrap_err().is_gone());
        assert!(proc.io(pid).unwrap_err().is_gone());
    }

    #[test]
    fn the_files_of_this_process_agree() {
        let mut proc = Proc::host().unwrap();
        let own = std::process::id();
        let stat_parent = proc.stat(Target::Own).unwrap().ppid;
        let status = proc.status(Target::Own).unwrap();
        assert_eq!((status.pid, status.tgid, status.ppid), (own, own, stat_parent));
        assert_eq!(status.ppid, Some(std::os::unix::process::parent_id()));
        let memory = status.memory.unwrap();
        assert!(memory.peak_resident.unwrap() > 0 && memory.size > memory.resident);
        let arguments: Vec<_> = proc.cmdline(own).unwrap().arguments().map(<[u8]>::to_vec).collect();
        let expected: Vec<_> = std::env::args_os().map(std::ffi::OsString::into_encoded_bytes).collect();
        assert_eq!(arguments, expected);
        assert!(proc.io(Target::Own).unwrap().rchar > 0);
        let root = proc
            .mountinfo(own)
            .unwrap()
            .iter()
            .map(Result::unwrap)
            .any(|mount| &*mount.mount_point == b"/proc");
        assert!(root, "/proc is a mount");
    }

    #[test]
    fn the_own_control_group_is_found() {
        let mut proc = Proc::host().unwrap();
        let Some(own) = proc.cgroup(Target::Own).unwrap().v2().unwrap().map(|cgroup| cgroup.path.to_vec())
        else {
            return assert!(proc.mountinfo(Target::Own).unwrap().cgroup2().unwrap().is_none());
        };
        let mounts = proc.mountinfo(Target::Own).unwrap();
        let Some(directory) = mounts.cgroup2().unwrap().and_then(|mount| mount.locate(&own)) else {
            return;
        };
        let directory =
            PathBuf::from(<std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(directory));
        let members = fs::read_to_string(directory.join("cgroup.procs")).unwrap();
        assert!(members.lines().any(|pid| pid == std::process::id().to_string()), "{directory:?}: {members}");
    }

    #[test]
    fn every_process_of_this_host_is_understood() {
        let mut proc = Proc::host().unwrap();
        let mut understood = 0;
        for pid in proc.pids().unwrap() {
            let answers = [
                proc.stat(pid).map(drop),
                proc.status(pid).map(drop),
                proc.cmdline(pid).map(drop),
                proc.cgroup(pid).map(|cgroups| assert!(cgroups.iter().all(|line| line.is_ok()))),
                proc.io(pid).map(drop),
                proc.mountinfo(pid).map(|mounts| assert!(mounts.iter().all(|line| line.is_ok()))),
            ];
            for answer in answers {
                match answer {
                    Ok(()) => understood += 1,
                    Err(ReadError::Gone { .. } | ReadError::Denied { .. }) => {}
                    // A zombie has no mounts.
                    Err(ReadError::Other { source, .. }) => {
                        assert_eq!(source.kind(), io::ErrorKind::InvalidInput);
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        }
        assert!(understood > 5);
    }
}
