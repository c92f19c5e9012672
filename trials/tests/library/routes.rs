//! One command by every route: what the child sees must not depend on how it was made, nor on what the kernel lacks.

use std::fs;
use std::path::Path;
use std::process::Stdio as StdStdio;

use pinfold::{Command, IoPriority, Resource, Stdio};
use pinfold_trials::{can_write_cgroup2, given, is_root};

use crate::bad_input::{Junk, refusals};
use crate::part::Part;
use crate::{begin, fixture, sh};

/// What hides what, for one process.
const ROUTES: [(&str, &str); 9] = [
    ("PINFOLD_SPAWN", "clone3"),
    ("PINFOLD_SPAWN", "clone"),
    ("PINFOLD_SPAWN", "fork"),
    ("PINFOLD_DENY", "pidfd"),
    ("PINFOLD_DENY", "clone3"),
    ("PINFOLD_DENY", "clone3,vfork"),
    ("PINFOLD_DENY", "pidfd_group,cgroup_kill"),
    ("PINFOLD_DENY", "close_range"),
    ("PINFOLD_DENY", "clone3,vfork,pidfd,pidfd_group,close_range,cgroup_kill,guard"),
];

/// What the part says in each of these; all are to say the same.
#[track_caller]
fn everywhere(part: Part, case: &str) -> String {
    let trial = begin();
    let mut part = part;
    let mut first: Option<String> = None;
    for (name, value) in ROUTES {
        for other in ["PINFOLD_SPAWN", "PINFOLD_DENY"] {
            part = part.env(other, if other == name { value } else { "" });
        }
        let output = part.command(&trial, case).stdin(StdStdio::null()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{name}={value}: {said}");
        match &first {
            None => first = Some(said),
            Some(first) => assert_eq!(&said, first, "{name}={value}"),
        }
    }
    first.unwrap()
}

/// Everything about a process that a command can say, as far as this user may say it.
fn with_everything(program: &Path, folder: &Path) -> Command {
    let command = Command::new(program)
        .arg0("another name")
        .cwd(folder)
        .env_clear()
        .env("B", "2")
        .env("A", "1=\u{e9}")
        .env("C", "x")
        .env_remove("C")
        .inherit_env(["MARK", "NOT_SET"])
        .umask(0o31)
        .nice(19)
        .affinity([0])
        .io_priority(IoPriority::Idle)
        .oom_score_adj(700)
        .rlimit(Resource::Core, Some(0), Some(0))
        .rlimit(Resource::OpenFiles, Some(77), Some(99))
        .rlimit(Resource::Stack, Some(4 << 20), None)
        .no_new_privs()
        .setsid();
    if is_root() { command.uid(12_345).gid(23_456).groups([1, 2, 34_567]) } else { command }
}

#[test]
fn a_command_with_every_setting_makes_the_same_process() {
    let part = Part::new(|folder| {
        let folder = Path::new(folder);
        // A descriptor that any child would inherit, and one that is in the way of those that it is given.
        let file = fs::File::open("/dev/zero").unwrap();
        let _loose = rustix::io::dup(&file).unwrap();
        let program = folder.join("fixture");
        for mode in ["state", "env", "echo-args", "cwd", "ids"] {
            for stdin in ["null", "bytes", "file"] {
                let command = with_everything(&program, folder).arg(mode);
                let command = match stdin {
                    "bytes" => command.stdin_text("x"),
                    "file" => command.stdin_file(&program),
                    _ => command,
                };
                let command =
                    if mode == "echo-args" { command.args(["", "two words", "\u{e9}"]) } else { command };
                let command = if stdin == "file" { command.stderr(Stdio::Stdout) } else { command };
                let output = command.output().unwrap();
                assert_eq!(output.outcome.code(), Some(0), "{}", output.stderr);
                eprintln!("{mode} {stdin} {}{}", output.stdout, output.stderr);
            }
        }
    })
    .env("MARK", "inherited");
    // Where the user that it becomes can execute it.
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    fs::copy(pinfold_trials::fixture(), folder.path().join("fixture")).unwrap();
    let said = everywhere(part, folder.path().to_str().unwrap());
    for word in [
        "\"argv0\":\"another name\"",
        "\"umask\":\"0031\"",
        "\"nice\":19",
        "\"affinity\":\"0\"",
        "\"oom_score_adj\":\"700\"",
        "\"core\":\"0 0\"",
        "\"nofile\":\"77 99\"",
        "\"stack\":\"4194304 unlimited\"",
        "\"no_new_privs\":\"1\"",
        "\"session\":\"self\"",
        "\"group\":\"self\"",
        "MARK=inherited\nB=2\nA=1=\\xc3\\xa9\n",
        "\"two words\"",
    ] {
        assert!(said.contains(word), "{word} is not in {said}");
    }
    assert!(!said.contains("/dev/zero") && !said.contains("\"3\":"), "{said}");
    if is_root() {
        assert!(
            said.contains("\"uid\":\"12345 12345 12345 12345\"") && said.contains("\"groups\":\"1 2 34567\"")
        );
    }
}

#[test]
fn a_plain_command_makes_the_same_process() {
    let part = Part::new(|_| {
        for _ in 0..3 {
            eprintln!("{}", fixture("state").run().unwrap());
        }
        // SIGPIPE is ignored here and not there; only a program without a runtime of its own can say so.
        let grep = Command::new("grep").args(["-E", "Sig(Ign|Blk|Cgt)", "/proc/self/status"]);
        eprintln!("{}", grep.run().unwrap());
    });
    let said = everywhere(part, "");
    let ignored = said.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap().trim();
    let ignored = u64::from_str_radix(ignored, 16).unwrap();
    assert_eq!(ignored & 1 << (libc::SIGPIPE - 1), 0, "{said}");
}

#[test]
fn endings_are_told_the_same() {
    let part = Part::new(|_| {
        for command in [
            fixture("exit 0"),
            fixture("exit 255"),
            fixture("signal KILL"),
            fixture("abort"),
            fixture("escape ignore-term").timeout_grace(std::time::Duration::from_millis(50)),
            fixture("lines 3"),
            fixture("both 1").stderr(Stdio::Stdout),
            sh("exit 3").setsid(),
        ] {
            let output = command.output().unwrap();
            let strays = &output.outcome.strays;
            let said = if strays.count > 0 { "" } else { &output.stdout };
            eprintln!("{} {} {} {said}", output.outcome, strays.count, strays.killed);
        }
        let handle = fixture("trap USR1 --exit-on TERM:9").start().unwrap();
        handle.stdout_lines().unwrap().next().unwrap().unwrap();
        handle.suspend().unwrap();
        handle.signal(pinfold::Signal::USR1).unwrap();
        eprintln!("{} {}", handle.members().len(), handle.stop().unwrap());
    });
    let said = everywhere(part, "");
    assert!(
        said.contains("exited with code 0 1 true \n")
            && said.ends_with("1 was stopped and exited with code 9\n"),
        "{said}"
    );
}

#[test]
fn refusals_are_told_the_same() {
    let part = Part::new(|junk| {
        for refusal in refusals(junk.as_ref()) {
            // What a kernel lacks is told of a guarantee, and differs as it should.
            if refusal.name != "guarantee" {
                eprintln!("{}: {}", refusal.name, refusal.command.output().unwrap_err());
            }
        }
    });
    let junk = Junk::new();
    let said = everywhere(part, junk.root().to_str().unwrap());
    assert!(said.lines().count() > 30, "{said}");
}

#[test]
fn without_cgroups_the_process_is_the_same_but_for_its_group() {
    let part = || Part::new(|_| eprintln!("{}", fixture("state").run().unwrap()));
    let (mut with, mut without) = (part(), part().env("PINFOLD_DENY", "cgroup,subreaper"));
    let trial = begin();
    let without = without.pass(&trial, "");
    assert!(without.contains("\"group\":\"self\""), "{without}");
    if given(can_write_cgroup2(), "a cgroup v2 directory that can be written to") {
        let with = with.pass(&trial, "");
        assert_eq!(without.replace("\"group\":\"self\"", "\"group\":\"parent\""), with);
    }
}

#[test]
fn a_sandboxed_command_makes_the_same_process() {
    let part = Part::new(|_| {
        let script = "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status; sed 1,2d /proc/net/dev | cut -d: -f1; \
                      ls -A /tmp; id -u; ls /root; ls -l /proc/self/fd | wc -l; cat /proc/self/uid_map | tr -s ' '";
        let said = sh(script).cwd("/").sandbox(pinfold::Sandbox::untrusted()).output().unwrap();
        eprintln!("{}{}{}", said.outcome, said.stdout, said.stderr);
        let mut nothing = pinfold::Sandbox::new();
        nothing.paths = Some(Vec::new());
        eprintln!("{}", sh("true").sandbox(nothing).run().unwrap_err());
    });
    let needs = "Landlock of Linux 6.12";
    let has = pinfold_os::linux::landlock::version().is_ok_and(|version| version >= 6);
    let mut unshare = std::process::Command::new("unshare");
    let unshare = unshare.args([if is_root() { "-mn" } else { "-Umn" }, "true"]).status();
    if !has || !unshare.is_ok_and(|status| status.success()) {
        eprintln!("skipped: needs namespaces and {needs}");
        return;
    }
    let said = everywhere(part, "");
    assert!(said.contains("NoNewPrivs:\t1\nSeccomp:\t2\n"), "{said}");
    assert!(said.contains("lo\n") && said.contains("cannot be executed"), "{said}");
}
