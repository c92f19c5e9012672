//! Bad input: one line each, which names what is wrong, says why and what to do; and the code that belongs to it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use pinfold_trials::{Trial, as_nobody, given, is_root};

use crate::{pinfold, text};

/// Runs `pinfold run WORDS` and checks the code and that the one line holds these parts.
#[track_caller]
fn refused(words: &[&str], code: i32, parts: &[&str]) {
    let trial = Trial::new();
    let output = pinfold(&trial, "").args(words).output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{words:?}: {said}");
    assert!(said.starts_with("pinfold: ") && said.ends_with('\n') && said.lines().count() == 1, "{said:?}");
    for part in parts {
        assert!(said.contains(part), "{words:?}: `{part}` is not in {said}");
    }
    assert!(output.stdout.is_empty());
    trial.finish();
}

#[test]
fn what_is_to_be_hidden_and_is_no_feature() {
    let output =
        pinfold(&Trial::new(), "").args(["true"]).env("PINFOLD_DENY", "cgroup,cgroop").output().unwrap();
    assert_eq!(output.status.code(), Some(125));
    let said = text(&output.stderr);
    assert!(said.starts_with("pinfold: PINFOLD_DENY: 'cgroop' is none of clone3,"), "{said}");
    let hidden = pinfold(&Trial::new(), "")
        .args(["--explain", "true"])
        .env("PINFOLD_DENY", "cgroup_v2")
        .output()
        .unwrap();
    assert!(hidden.status.success() && !text(&hidden.stdout).contains("cgroup_v2 (guarantee"), "{hidden:?}");
}

#[test]
fn programs_that_cannot_be_had() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str, mode: u32| {
        let path = directory.path().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.display().to_string()
    };
    let plain = file("plain", "text", 0o644);
    let stranger = file("stranger", "#!/no/such/interpreter\n", 0o755);
    let from_windows = file("from-windows", "#!/bin/sh\r\n", 0o755);
    let for_plain = file("for-plain", &format!("#!{plain}\n"), 0o755);
    let garbage = file("garbage", "\u{1}\u{2}\u{3}", 0o755);
    let folder = directory.path().display().to_string();
    refused(&["no-such-program"], 127, &["no-such-program: not found in "]);
    refused(&["shh"], 127, &["shh: not found", "did you mean"]);
    refused(&["FOO=2", "env"], 127, &["FOO=2: not found", "set it by -e FOO=...\n"]);
    refused(&["./nothing-here"], 127, &["./nothing-here", "there is no"]);
    refused(&[&plain], 126, &["plain", "execute permission", "chmod"]);
    refused(&[&folder], 126, &[&folder, "directory"]);
    refused(&[&stranger], 127, &["stranger", "/no/such/interpreter"]);
    refused(&[&from_windows], 127, &["from-windows", "carriage return"]);
    refused(&[&for_plain], 126, &["for-plain", "needs", "execute permission"]);
    refused(&[&garbage], 126, &["garbage", "cannot be executed"]);
    refused(&["-i", "no-such-program"], 127, &["not found", "/usr/local/bin"]);
    refused(&["--", ""], 125, &["pinfold: the program's name is empty"]);
    refused(&["/no/such/place"], 127, &["/no/such/place: not found: there is no such file"]);
    refused(&["-C", "/usr/bin", "././nope"], 127, &["././nope: not found: there is no /usr/bin/nope"]);
    let long = file("long", &format!("A={}", "x".repeat(200_000)), 0o644);
    refused(&["--env-file", &long, "true"], 126, &["true: cannot be executed", "too long", "in a file"]);
}

#[test]
fn a_long_path_is_counted_and_listed_to_who_asks() {
    let trial = Trial::new();
    let said = |words: &[&str]| {
        let path = "/usr/bin:/bin:/nowhere/a:/nowhere/b:/bin";
        let output = pinfold(&trial, "").args(words).env("PATH", path).output().unwrap();
        assert_eq!(output.status.code(), Some(127), "{words:?}");
        text(&output.stderr)
    };
    let counted = "pinfold: shh: not found in any of the 4 directories of PATH; did you mean \"sh\"?\n";
    assert_eq!(said(&["shh"]), counted);
    let listed = "pinfold: shh was looked for in /usr/bin:/bin:/nowhere/a:/nowhere/b:/bin\n";
    for asked in ["-v", "--explain"] {
        assert_eq!(said(&[asked, "shh"]), format!("{counted}{listed}"), "{asked}");
    }
    trial.finish();
}

#[test]
fn what_it_needs_and_what_is_not_there() {
    refused(&["-C", "/no/such", "true"], 125, &["true", "/no/such", "does not exist"]);
    refused(&["-C", "/etc/passwd", "true"], 125, &["true", "/etc/passwd", "not a directory"]);
    refused(&["--stdin", "/no/such", "true"], 125, &["true", "standard input", "/no/such"]);
    refused(&["--stdout", "/no/such/file", "true"], 125, &["true", "output", "/no/such/file"]);
    refused(&["--env-file", "/no/such", "true"], 125, &["--env-file /no/such", "NAME=VALUE"]);
    refused(&["--json=77", "true"], 125, &["--json=77", "77>record.json"]);
    refused(&["--user", "no-such-user", "true"], 125, &["true", "no-such-user"]);
    refused(&["--capabilities=net_amdin", "true"], 125, &["true", "did you mean 'net_admin'"]);
    refused(&["--cap-drop=all", "true"], 125, &["--cap-drop", "--capabilities"]);
}

#[test]
fn what_means_nothing() {
    refused(&[], 125, &["no program", "pinfold run"]);
    refused(&["--tiemout", "3", "true"], 125, &["--tiemout", "--timeout"]);
    refused(&["-t", "soon", "true"], 125, &["--timeout", "'soon'", "500ms"]);
    refused(&["--nice", "20", "true"], 125, &["true", "20", "-20 to 19"]);
    refused(&["--umask", "9", "true"], 125, &["--umask", "'9'", "octal"]);
    refused(&["--umask", "1777", "true"], 125, &["true", "umask", "octal"]);
    refused(&["--rlimit", "nofile=9:3", "true"], 125, &["true", "nofile", "hard limit"]);
    refused(&["--rlimit", "files=9", "true"], 125, &["'files'", "nofile"]);
    refused(&["--signal", "NOSIG", "true"], 125, &["'NOSIG'", "TERM"]);
    refused(&["--allow-path", ".:r", "true"], 125, &["--allow-path", "'.:r'", ":ro (", ":rw ("]);
    refused(&["--env", "=x", "true"], 125, &["--env", "NAME=VALUE"]);
    refused(&["--ionice", "best-effort:9", "true"], 125, &["true", "0 to 7"]);
    refused(&["--affinity", "99999", "true"], 125, &["--affinity: '99999'", "above 65535"]);
    refused(&["--affinity", "9999", "true"], 125, &["true", "CPU"]);
    refused(&["--idle-timeout", "1", "--stdout", "null", "--stderr", "null", "true"], 125, &["idle timeout"]);
    refused(&["--user", "root", "--uid", "0", "true"], 125, &["true", "user"]);
    refused(&["--explain", "--setsid", "/no/such/program"], 127, &["/no/such/program"]);
    refused(&["--explain", "--cwd", "/nope", "true"], 125, &["true", "/nope", "does not exist"]);
    refused(&["--explain", "--cwd", "/etc/passwd", "/bin/true"], 125, &["not a directory"]);
    refused(&["--explain", "--stdin", "/nope", "true"], 125, &["true", "standard input", "/nope"]);
}

#[test]
fn what_cannot_be_had_here() {
    refused(
        &["--isolation", "subreaper", "--require", "kernel", "true"],
        125,
        &["true", "kernel", "require less"],
    );
    refused(
        &["--isolation", "process-group", "--require", "while-owner-lives", "true"],
        125,
        &["best_effort"],
    );
}

#[test]
fn what_nobody_may_do() {
    let parts = ["true", "the resource limit nofile: ", "/proc/sys/fs/nr_open"];
    refused(&["--rlimit", "core=0", "--rlimit", "nofile=unlimited", "true"], 125, &parts);
}

#[test]
fn what_only_root_may_do() {
    if !given(is_root(), "root, to be somebody else") {
        return;
    }
    for (words, part) in [
        (&["--uid", "0", "true"][..], "only root"),
        (&["--nice", "-5", "true"], "only root"),
        (&["--rlimit", "core=0", "--rlimit", "nofile=1:900000", "true"], "the resource limit nofile"),
    ] {
        let trial = Trial::new();
        let mut command = pinfold(&trial, "");
        let output = as_nobody(&mut command).args(words).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(125), "{words:?}: {said}");
        assert!(said.starts_with("pinfold: true: failed to ") && said.contains(part), "{said}");
        trial.finish();
    }
}
