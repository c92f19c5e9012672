//! What each option of a sandbox stops, seen from inside, and what it leaves. As root, and as nobody.

use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Command as StdCommand, Stdio};
use std::time::Duration;

use pinfold::{Access, Command, ErrorKind, Isolation, Sandbox};
use pinfold_trials::{as_nobody, is_root};

use crate::part::Part;
use crate::{Of, begin, sh};

/// Whether a tool of the system that does the same can do it here, as the user in question. What the kernel of this host
/// does not have, or a container bars, is no failure of ours.
fn can(command: &str, nobody: bool, what: &str) -> bool {
    let mut probe = StdCommand::new("sh");
    probe.args(["-c", command]).stdout(Stdio::null()).stderr(Stdio::null());
    let probe = if nobody { as_nobody(&mut probe) } else { &mut probe };
    let can = probe.status().is_ok_and(|status| status.success());
    if !can {
        eprintln!("skipped: this host has no {what}");
    }
    can
}

fn has_namespaces(nobody: bool) -> bool {
    let privileged = is_root() && !nobody;
    can(if privileged { "unshare -mn true" } else { "unshare -Umn true" }, nobody, "namespaces for this user")
}

/// Landlock of at least this version.
fn has_landlock(version: u32) -> bool {
    let has = pinfold_os::linux::landlock::version().is_ok_and(|has| has >= version);
    if !has {
        eprintln!("skipped: this kernel has no Landlock ABI {version}");
    }
    has
}

/// A directory that a private `/tmp` does not hide, with the fixture in it, for everybody to use.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        let open = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        open(folder.path(), 0o777);
        fs::copy(pinfold_trials::fixture(), folder.path().join("fixture")).unwrap();
        for name in ["file", "free/file"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, name).unwrap();
            open(&path, 0o666);
            open(path.parent().unwrap(), 0o777);
        }
        Folder(folder)
    }

    fn text(&self) -> &str {
        self.0.path().to_str().unwrap()
    }
}

/// The fixture's attempts, in a sandbox: a line each.
fn attempt(folder: &str, sandbox: Sandbox, attempts: &[String]) -> Vec<String> {
    let command = Command::new(Path::new(folder).join("fixture")).arg("attempt").args(attempts.to_vec());
    let output = command.cwd("/").sandbox(sandbox).output().unwrap();
    assert_eq!((output.outcome.code(), output.stderr.as_str()), (Some(0), ""));
    output.stdout.lines().map(str::to_owned).collect()
}

/// Runs a part as root, if that is what we are, and as nobody.
#[track_caller]
fn as_both(mut part: Part, mut unprivileged: Part, case: &str, possible: impl Fn(bool) -> bool) {
    let trial = begin();
    if is_root() && possible(false) {
        part.pass(&trial, case);
    }
    if possible(true) {
        unprivileged = unprivileged.unprivileged();
        unprivileged.pass(&trial, case);
    }
}

/// A part for both, told of a folder that is made for it. The test begins again in each, so that a folder has to come after.
macro_rules! both {
    ($body:expr, $possible:expr) => {{
        let body = $body;
        let (part, again) = (Part::new(body), Part::new(body));
        let folder = Folder::new();
        as_both(part, again, folder.text(), $possible);
    }};
}

#[test]
fn without_a_network_a_listener_of_ours_is_not_there() {
    both!(
        |folder: &str| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let name = format!("pinfold-{}", std::process::id());
            let address = SocketAddr::from_abstract_name(OsStr::new(&name).as_encoded_bytes()).unwrap();
            let _local = UnixListener::bind_addr(&address).unwrap();
            let connect = format!("connect={}", listener.local_addr().unwrap());
            let attempts = [connect, format!("abstract={name}")];
            assert_eq!(attempt(folder, Sandbox::new(), &attempts), ["connect ok", "abstract ok"]);
            let inside = attempt(folder, Sandbox::new().no_network(), &attempts);
            assert_eq!(inside, ["connect ECONNREFUSED", "abstract ECONNREFUSED"]);
            // What it starts within itself it can reach.
            let interfaces = sh("sed 1,2d /proc/net/dev").sandbox(Sandbox::new().no_network()).run().unwrap();
            assert!(interfaces.trim().starts_with("lo:") && interfaces.lines().count() == 1, "{interfaces}");
        },
        has_namespaces
    );
}

#[test]
fn a_private_tmp_is_seen_from_nowhere_else() {
    both!(
        |_: &str| {
            let mine = tempfile::Builder::new().prefix("pinfold-mine").tempdir_in("/tmp").unwrap();
            let theirs = format!("/tmp/pinfold-theirs-{}", std::process::id());
            let script = format!("ls -A /tmp; echo x > {theirs} && ls -A /tmp");
            let command = sh(&script).cwd("/").sandbox(Sandbox::new().private_tmp());
            assert_eq!(command.run().unwrap(), theirs.strip_prefix("/tmp/").unwrap());
            assert!(!Path::new(&theirs).exists());
            // By staying where it is, it would go on to see the one that it must not see.
            let error = command.cwd(mine.path()).run().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains("private /tmp would hide"), "{error}");
            assert_eq!(sh("pwd").sandbox(Sandbox::new().private_tmp()).cwd("/tmp").run().unwrap(), "/tmp");
            std::env::set_current_dir(mine.path()).unwrap();
            let here = sh("pwd").sandbox(Sandbox::new().private_tmp()).run().unwrap_err();
            assert_eq!(here.kind(), ErrorKind::InvalidInput, "{here}");
        },
        has_namespaces
    );
}

#[test]
fn files_open_where_a_path_allows_it() {
    both!(
        |folder: &str| {
            let place = |what: &str, name: &str| format!("{what}={folder}/{name}");
            let pid = std::process::id();
            let attempts = [
                place("read", "file"),
                place("write", "file"),
                place("create", &format!("new-{pid}")),
                place("list", ""),
                place("write", "free/file"),
                place("create", &format!("free/new-{pid}")),
                "read=/etc/passwd".to_owned(),
                "list=/home".to_owned(),
            ];
            let free = PathBuf::from(folder).join("free");
            let read_only = Sandbox::new().read_only("/").read_write(&free);
            assert_eq!(
                attempt(folder, read_only, &attempts),
                [
                    "read ok",
                    "write EACCES",
                    "create EACCES",
                    "list ok",
                    "write ok",
                    "create ok",
                    "read ok",
                    "list ok"
                ]
            );
            let mut few = Sandbox::new().read_write(&free);
            for system in ["/usr", "/lib", "/lib64", "/etc/ld.so.cache"].map(PathBuf::from) {
                if system.exists() {
                    few = few.read_only(system);
                }
            }
            fs::remove_file(free.join(format!("new-{pid}"))).unwrap();
            assert_eq!(
                attempt(folder, few.clone(), &attempts),
                [
                    "read EACCES",
                    "write EACCES",
                    "create EACCES",
                    "list EACCES",
                    "write ok",
                    "create ok",
                    "read EACCES",
                    "list EACCES"
                ]
            );
            fs::remove_file(free.join(format!("new-{pid}"))).unwrap();
            // Which is so of all that it starts.
            let script = "sh -c 'cat /etc/passwd' 2>&1; echo x > /dev/null";
            let said = sh(script).sandbox(few.clone()).output().unwrap();
            assert!(
                said.stdout.contains("ermission denied") && said.outcome.code() != Some(0),
                "{}",
                said.stdout
            );
            let missing = sh("true").sandbox(few.read_only("/no-such-directory")).run().unwrap_err();
            assert!(missing.to_string().contains("allows /no-such-directory, which is not there"));
        },
        |_| has_landlock(3)
    );
}

#[test]
fn a_program_whose_loader_is_not_allowed_is_refused_with_what_to_do() {
    if !has_landlock(3) {
        return;
    }
    let trial = begin();
    let error = sh("true").sandbox(Sandbox::new().read_only("/etc")).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(error.to_string().contains("the paths that its sandbox allows"), "{error}");
    // The loader that it names, which may be a link into what is allowed.
    assert!(error.to_string().contains("(its dynamic loader)"), "{error}");
    trial.finish();
}

/// Shims of version managers are such scripts.
#[test]
fn a_script_whose_interpreter_is_not_allowed_is_refused_by_its_name() {
    if !has_landlock(3) {
        return;
    }
    let trial = begin();
    let folder = Folder::new();
    let at = |name: &str| Path::new(folder.text()).join(name);
    let script = |name: &str, interpreter: &str| {
        fs::write(at(name), format!("#!{interpreter}\n")).unwrap();
        fs::set_permissions(at(name), fs::Permissions::from_mode(0o755)).unwrap();
        at(name)
    };
    let own = at("fixture").display().to_string();
    let system = || Sandbox::new().read_only("/bin").read_only("/lib").read_only("/lib64").read_only("/usr");
    let refusal = |program: &Path, sandbox: Sandbox| {
        let error = Command::new(program).cwd("/").sandbox(sandbox).run().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
        error
    };
    let (direct, indirect) =
        (script("direct", &own), script("indirect", &at("direct").display().to_string()));
    for program in [&direct, &indirect] {
        let error = refusal(program, system());
        let named = if *program == direct { own.clone() } else { direct.display().to_string() };
        let message = error.message();
        assert!(message.contains(&format!("it needs {named:?} (its \"#!\" line)")), "{message}");
        assert!(message.contains("outside of the paths that its sandbox allows"), "{message}");
        assert!(error.what_to_do().unwrap().contains("allow that as well"), "{error}");
    }
    // Only the interpreter of the interpreter.
    let error = refusal(&indirect, system().read_only(&direct));
    assert!(error.message().contains(&format!("it needs {own:?} (")), "{error}");
    // What is allowed is not blamed: by another name, or in a directory.
    std::os::unix::fs::symlink(folder.text(), at("link")).unwrap();
    let by_link = script("by-link", &at("link/fixture").display().to_string());
    let run = |program: &Path, sandbox: Sandbox| Command::new(program).cwd("/").sandbox(sandbox).output();
    assert!(run(&by_link, system().read_only(folder.text())).is_ok());
    fs::set_permissions(at("fixture"), fs::Permissions::from_mode(0o644)).unwrap();
    let error = refusal(&direct, system().read_only(folder.text()));
    assert!(error.message().contains("no execute permission"), "{error}");
    assert!(!error.to_string().contains("sandbox allows"), "{error}");
    trial.finish();
}

#[test]
fn a_failure_is_told_with_what_the_sandbox_may_have_to_do_with_it() {
    let trial = begin();
    if !has_landlock(1) {
        return;
    }
    let said = |sandbox: Sandbox, script: &str| {
        let error = sh(script).of(&trial).sandbox(sandbox).run().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NonZeroExit, "{error}");
        error.what_to_do().unwrap_or_default().to_owned()
    };
    let denied = "echo 'x: Permission denied' >&2; exit 3";
    let may_be = "it last wrote: x: Permission denied; its sandbox may be what denies that";
    let read_only = || Sandbox::new().read_only("/");
    assert_eq!(said(read_only(), denied), may_be);
    assert_eq!(said(Sandbox::new(), denied), "it last wrote: x: Permission denied");
    assert_eq!(said(read_only(), "echo broken >&2; exit 3"), "it last wrote: broken");
    assert!(
        said(read_only(), "echo x >/var/tmp/pinfold-barred").ends_with(may_be.rsplit_once("; ").unwrap().1)
    );
    let code = said(read_only(), "exit 126");
    assert!(
        code.starts_with("that code mostly means") && code.ends_with("the paths that its sandbox allows"),
        "{code}"
    );
    let barred = sh(denied).of(&trial).sandbox(read_only()).pipe(sh("cat").of(&trial));
    assert_eq!(barred.run().unwrap_err().what_to_do(), Some(may_be));
    let other = sh("exit 0").of(&trial).sandbox(read_only()).pipe(sh(denied).of(&trial));
    assert_eq!(other.run().unwrap_err().what_to_do(), Some("it last wrote: x: Permission denied"));
}

#[test]
fn signals_stay_inside() {
    both!(
        |folder: &str| {
            let attempts = [format!("signal={}", std::process::id())];
            assert_eq!(attempt(folder, Sandbox::new(), &attempts), ["signal ok"]);
            let sandbox = Sandbox::new().no_outside_signals();
            assert_eq!(attempt(folder, sandbox.clone(), &attempts), ["signal EPERM"]);
            let inside = sh("sleep 60 & kill $! && wait $!; echo $?").sandbox(sandbox);
            assert_eq!(inside.run().unwrap(), "143");
        },
        |_| has_landlock(6)
    );
}

#[test]
fn capabilities_are_those_that_are_named() {
    both!(
        |_: &str| {
            if !is_root() {
                let error = sh("true").sandbox(Sandbox::new().capabilities::<&str>([])).run().unwrap_err();
                assert_eq!(error.kind(), ErrorKind::PermissionDenied);
                assert!(error.to_string().contains("CAP_SETPCAP"), "{error}");
                return;
            }
            let sets = |command: Command, names: &[&str]| {
                let command = command.sandbox(Sandbox::new().capabilities(names.iter().copied()));
                let said = command.run().unwrap();
                let set =
                    |line: &str| u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap();
                said.lines().map(set).collect::<Vec<_>>()
            };
            let grep = || Command::new("grep").args(["-h", "^Cap", "/proc/self/status"]);
            assert_eq!(sets(grep(), &[]), [0; 5]);
            assert_eq!(sets(grep(), &["net_bind_service"]), [1 << 10; 5]);
            assert_eq!(sets(grep().uid(65_534).gid(65_534).groups([]), &["CAP_CHOWN"]), [1; 5]);
        },
        |_| true
    );
}

#[test]
fn system_calls_fail_by_the_list() {
    both!(
        |folder: &str| {
            let attempts = [format!("chmod={folder}/fixture"), format!("read={folder}/file")];
            let owned = if is_root() { "ok" } else { "EPERM" };
            let chmod = |said: &str| vec![format!("chmod {said}"), "read ok".to_owned()];
            assert_eq!(attempt(folder, Sandbox::new(), &attempts), chmod(owned));
            let deny = Sandbox::new().deny_syscalls(["chmod", "fchmodat", "fchmodat2", "ptrace"]);
            assert_eq!(attempt(folder, deny.clone(), &attempts), chmod("EPERM"));
            let status = sh("grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status").sandbox(deny);
            assert_eq!(status.run().unwrap(), "NoNewPrivs:\t1\nSeccomp:\t2");
            // All of them but one, as an allow list.
            let names = pinfold_os::linux::seccomp::names().filter(|name| !name.contains(':'));
            let allow = Sandbox::new().allow_syscalls(names.filter(|name| !name.contains("chmod")));
            assert_eq!(attempt(folder, allow, &attempts), chmod("EPERM"));
        },
        |_| pinfold_os::linux::seccomp::available()
    );
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let trial = begin();
    let refused = |sandbox: Sandbox, words: &str| {
        let error = sh("true").sandbox(sandbox).plan().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    };
    refused(Sandbox::new().capabilities(["net_amdin"]), "did you mean 'net_admin'?");
    refused(Sandbox::new().capabilities(["everything"]), "capabilities(7)");
    if pinfold_os::linux::seccomp::available() {
        refused(Sandbox::new().deny_syscalls(["ptarce"]), "did you mean 'ptrace'?");
        refused(Sandbox::new().deny_syscalls(["execve"]), "without execve no program is started");
        refused(Sandbox::new().allow_syscalls(["ioctl:tiocsti"]), "can only be denied");
        refused(Sandbox::new().allow_syscalls(["read"]).deny_syscalls(["write"]), "one list is enough");
    }
    trial.finish();
}

#[test]
fn without_privileges_a_sandbox_with_namespaces_leaves_the_user_as_it_is() {
    let mut part = Part::new(|_| {
        for sandbox in [Sandbox::new().no_network(), Sandbox::new().private_tmp()] {
            let error = sh("true").cwd("/").uid(65_533).sandbox(sandbox).run().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
            assert!(error.to_string().contains("user namespace"), "{error}");
        }
    })
    .unprivileged();
    part.pass(&begin(), "");
}

#[test]
fn what_the_kernel_lacks_is_a_refusal_that_names_it() {
    let mut part = Part::new(|_| {
        for (sandbox, words) in [
            (Sandbox::new().read_only("/"), "Landlock ABI 3 (Linux 6.2)"),
            (Sandbox::new().no_outside_signals(), "Landlock ABI 6 (Linux 6.12)"),
            (Sandbox::new().deny_syscalls(["ptrace"]), "seccomp"),
            (Sandbox::untrusted(), "leave"),
        ] {
            let error = sh("true").cwd("/").sandbox(sandbox).plan().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
    })
    .env("PINFOLD_DENY", "landlock,seccomp");
    part.pass(&begin(), "");
}

/// The claims of docs/sandbox.md, each tried with and without.
#[test]
fn an_untrusted_program_gets_at_what_the_page_says_and_no_further() {
    both!(
        |folder: &str| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let pid = std::process::id();
            let socket = format!("{folder}/socket-{pid}");
            let _service = UnixListener::bind(&socket).unwrap();
            let own = format!("{folder}/own-{pid}");
            fs::write(&own, "").unwrap();
            let attempts: Vec<(String, &str)> = vec![
                (format!("connect={}", listener.local_addr().unwrap()), "EPERM"),
                (format!("unix={socket}"), "EPERM"),
                (format!("signal={pid}"), "EPERM"),
                (format!("read=/proc/{pid}/environ"), "EACCES"),
                (format!("list=/proc/{pid}/root/tmp"), "EACCES"),
                (format!("read={own}"), "EACCES"),
                (format!("write={own}"), "EACCES"),
                (format!("create={folder}/new-{pid}"), "EACCES"),
                (format!("list={folder}"), "EACCES"),
                (format!("chmod={own}"), "EPERM"),
                (format!("xattr={own}"), "EPERM"),
                (format!("limit={pid}"), "EPERM"),
                ("list=/home".to_owned(), "EACCES"),
                ("list=/sys".to_owned(), "EACCES"),
                ("write=/proc/self/oom_score_adj".to_owned(), "EACCES"),
                // And what it does get at.
                (format!("stat={own}"), "ok"),
                (format!("touch={own}"), "ok"),
                (format!("create=/tmp/pinfold-new-{pid}"), "ok"),
                ("list=/usr".to_owned(), "ok"),
                ("read=/etc/passwd".to_owned(), "ok"),
                ("read=/proc/self/status".to_owned(), "ok"),
                ("read=/proc/1/cmdline".to_owned(), "ok"),
                ("write=/dev/null".to_owned(), "ok"),
                ("exec=/bin/true".to_owned(), "ok"),
            ];
            let (tried, expected): (Vec<String>, Vec<&str>) = attempts.into_iter().unzip();
            // Without a sandbox all of it can be done.
            for (tried, seen) in tried.iter().zip(attempt(folder, Sandbox::new(), &tried)) {
                assert!(!seen.contains(" E"), "{tried}: {seen}");
            }
            for made in [format!("{folder}/new-{pid}"), format!("/tmp/pinfold-new-{pid}")] {
                fs::remove_file(made).unwrap();
            }
            let seen = attempt(folder, Sandbox::untrusted(), &tried);
            for ((tried, expected), seen) in tried.iter().zip(expected).zip(&seen) {
                assert!(seen.ends_with(&format!(" {expected}")), "{tried}: {seen}");
            }
            let sandboxed = |script: &str| sh(script).cwd("/").sandbox(Sandbox::untrusted());
            // Nothing brings back what was taken.
            for script in [
                "unshare -U true",
                "unshare -Ur true",
                "umount /tmp",
                "mount -t tmpfs none /tmp",
                "su -c true",
                "chroot / true",
                "nsenter -t 1 -n true",
                "dmesg",
            ] {
                let output = sandboxed(script).output().unwrap();
                assert!(output.outcome.code() != Some(0), "{script}");
            }
            let status = sandboxed("grep -E '^(CapBnd|CapEff|NoNewPrivs|Seccomp):' /proc/self/status");
            let zero = "0000000000000000";
            let expected = format!("CapEff:\t{zero}\nCapBnd:\t{zero}\nNoNewPrivs:\t1\nSeccomp:\t2");
            assert_eq!(status.run().unwrap(), expected);
            // Ordinary work goes on.
            let work = sandboxed(
                "cd /tmp && seq 3 | sort -r > a && mkdir d && mv a d/b && cat d/b | (read x; echo $x) && ls -l /usr >/dev/null",
            );
            assert_eq!(work.run().unwrap(), "3");
            fs::remove_file(own).unwrap();
            fs::remove_file(socket).unwrap();
        },
        |nobody| has_landlock(6) && has_namespaces(nobody)
    );
}

#[test]
fn a_sandboxed_run_is_contained_and_stopped_as_any_other() {
    both!(
        |_: &str| {
            let trial = begin();
            let (name, value) = trial.env();
            let command = |script: &str| {
                let command = sh(script).cwd("/").env(name, value).sandbox(Sandbox::untrusted());
                command.timeout_grace(Duration::from_millis(200))
            };
            let stray = command("sleep 1000 & echo started").output().unwrap();
            assert_eq!((stray.stdout.as_str(), stray.outcome.strays.count), ("started\n", 1));
            let late =
                command("trap '' TERM; sleep 1000 & wait; sleep 1000").timeout(Duration::from_millis(300));
            assert_eq!(late.run().unwrap_err().kind(), ErrorKind::Timeout);
            let isolation = if is_root() { Isolation::Best } else { Isolation::ProcessGroup };
            let handle = command("echo up; sleep 1000").isolation(isolation).start().unwrap();
            assert_eq!(handle.stdout_lines().unwrap().next().unwrap().unwrap(), "up");
            assert!(handle.stop().unwrap().signal().is_some());
            trial.wait_until_gone(crate::LONG);
        },
        |nobody| has_landlock(6) && has_namespaces(nobody)
    );
}

#[test]
fn becoming_a_program_takes_the_same_away() {
    let body = |_: &str| {
        let script = "grep -E '^(Seccomp|CapBnd):' /proc/self/status >&2; ls -A /tmp >&2; exit 7";
        let error = sh(script).cwd("/").sandbox(Sandbox::untrusted()).exec().unwrap_err();
        panic!("{error}");
    };
    let (mut root, mut nobody) = (Part::new(body), Part::new(body));
    if !has_landlock(6) {
        return;
    }
    let trial = begin();
    let said = |part: &mut Part| {
        let output = part.output(&trial, "");
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    if is_root() && has_namespaces(false) {
        let taken = (Some(7), "CapBnd:\t0000000000000000\nSeccomp:\t2\n".to_owned());
        assert_eq!(said(&mut root), taken);
    }
    if has_namespaces(true) {
        // The tests' own harness has a second thread.
        nobody = nobody.unprivileged();
        let refused = said(&mut nobody).1;
        assert!(refused.contains("from a process with one thread"), "{refused}");
    }
}

#[test]
fn what_is_detached_is_shut_off_all_the_same() {
    both!(
        |folder: &str| {
            let trial = begin();
            let (name, value) = trial.env();
            let told = format!("{folder}/told-{}", std::process::id());
            let script = "grep -E '^(Seccomp|CapBnd):' /proc/self/status; ls -A /tmp; echo done";
            let command = sh(script).cwd("/").env(name, value).sandbox(Sandbox::untrusted());
            command.stdout(pinfold::Stdio::file(&told)).spawn_detached().unwrap();
            trial.wait_until_gone(crate::LONG);
            let said = fs::read_to_string(&told).unwrap();
            assert_eq!(said, "CapBnd:\t0000000000000000\nSeccomp:\t2\ndone\n");
            fs::remove_file(told).unwrap();
        },
        |nobody| has_landlock(6) && has_namespaces(nobody)
    );
}

#[test]
fn a_sandbox_goes_over_the_wire() {
    let mut sandbox = Sandbox::untrusted().read_write("/srv").capabilities(["kill"]);
    sandbox.allow_syscalls = Some(vec!["read".to_owned()]);
    let command = sh("true").sandbox(sandbox.clone());
    let json = serde_json::to_string(&command).unwrap();
    assert_eq!(serde_json::from_str::<Command>(&json).unwrap(), command);
    assert!(json.contains(r#"{"path":"/srv","access":"read_write","may_be_missing":false}"#), "{json}");
    assert_eq!(
        serde_json::from_str::<Sandbox>(r#"{"no_network":true}"#).unwrap(),
        Sandbox::new().no_network()
    );
    let writes = sandbox.paths.unwrap().into_iter().filter(|allowed| allowed.access == Access::ReadWrite);
    assert_eq!(writes.count(), 3);
}
