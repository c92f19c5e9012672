//! What cannot be done as it was asked: each is a typed error that names the program, the reason and, where there is one,
//! the remedy; nothing is started and nothing is left.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pinfold::{
    Command, Encoding, Error, ErrorKind, Guarantee, Isolation, Limit, Resource, Stdin, Stdio, Stream,
};
use pinfold_trials::{Trial, given, is_root};
use tempfile::TempDir;

use crate::part::Part;
use crate::{Of, begin, fixture, sh};

/// A command that is refused: as what, in which words, and whether it is said what to do.
pub(crate) struct Refusal {
    pub(crate) name: &'static str,
    pub(crate) command: Command,
    kind: ErrorKind,
    words: Vec<String>,
    hint: bool,
}

/// Files that are no programs, each in its own way.
pub(crate) struct Junk(TempDir);

impl Junk {
    pub(crate) fn new() -> Junk {
        let junk = Junk(tempfile::tempdir().unwrap());
        // Other users are to reach it.
        fs::set_permissions(junk.0.path(), fs::Permissions::from_mode(0o755)).unwrap();
        junk.file("not-executable", "#!/bin/sh\n", 0o644);
        junk.file("bad-interpreter", "#!/no/such/interpreter\n", 0o755);
        junk.file("from-windows", "#!/bin/sh\r\necho hello\r\n", 0o755);
        junk.file("no-interpreter", "echo hello\n", 0o755);
        junk.file("empty", "", 0o755);
        junk.file("frobnicate", "#!/bin/sh\n", 0o755);
        junk.file("private", "#!/bin/sh\n", 0o700);
        std::os::unix::fs::symlink("/no/such/target", junk.path("dangling")).unwrap();
        fs::create_dir(junk.path("closed")).unwrap();
        fs::set_permissions(junk.path("closed"), fs::Permissions::from_mode(0o700)).unwrap();
        junk
    }

    fn file(&self, name: &str, text: &str, mode: u32) {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn root(&self) -> &Path {
        self.0.path()
    }
}

/// Everything that anybody is refused.
pub(crate) fn refusals(junk: &Path) -> Vec<Refusal> {
    use ErrorKind::{InvalidInput, NotFound, PermissionDenied, Unsupported};
    let mut all = Vec::new();
    let mut add = |name, command, kind, words: &[&str], hint| {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        all.push(Refusal { name, command, kind, words, hint });
    };
    let program = || fixture("exit 0");
    let file = |name: &str| Command::new(junk.join(name));
    let nowhere = "/no/such/place";

    let unknown = || Command::new("pinfold-no-such-program");
    add(
        "unknown program",
        unknown().env("PATH", "/bin:/usr/bin"),
        NotFound,
        &["not found in /bin:/usr/bin"],
        false,
    );
    add(
        "no PATH",
        unknown().env("PATH", nowhere),
        NotFound,
        &["there is no /no/such/place/pinfold-no"],
        false,
    );
    add(
        "long PATH",
        unknown().env("PATH", "/bin:/usr/bin:/a:/b:/a:/c"),
        NotFound,
        &["not found in any of the 5 directories of PATH"],
        false,
    );
    add(
        "variable as program",
        Command::new("FOO=2"),
        NotFound,
        &["to a shell that would set a variable; set it by env, as FOO=..."],
        true,
    );
    add("unknown path", Command::new(nowhere), NotFound, &["not found: there is no such file"], false);
    let close = Command::new("frobnicat").env("PATH", junk);
    add("mistyped program", close, NotFound, &["not found", "did you mean \"frobnicate\"?"], true);
    let here = Command::new("frobnicate").env("PATH", "/bin").cwd(junk);
    add("program in the directory", here, NotFound, &["did you mean \"./frobnicate\"?"], true);
    let words = Command::new("frobnicate --fast").env("PATH", junk);
    add("arguments in the program", words, NotFound, &["pass the words after it as arguments"], true);
    add("dangling link", file("dangling"), NotFound, &["/no/such/target"], true);
    add("empty name", Command::new(""), InvalidInput, &["the program's name is empty"], false);
    add(
        "directory as program",
        Command::new(junk),
        PermissionDenied,
        &["is a directory, not a program"],
        false,
    );
    add(
        "not executable",
        file("not-executable"),
        PermissionDenied,
        &["has no execute permission", "chmod"],
        false,
    );
    add(
        "bad interpreter",
        file("bad-interpreter"),
        NotFound,
        &["needs \"/no/such/interpreter\"", "does not exist"],
        false,
    );
    add("bad line end", file("from-windows"), NotFound, &["carriage return"], false);
    add("no interpreter", file("no-interpreter"), PermissionDenied, &["has no \"#!\" line"], false);
    add("empty program", file("empty"), PermissionDenied, &["is empty"], false);

    add(
        "directory missing",
        program().cwd(nowhere),
        NotFound,
        &["started in /no/such/place: it does not exist"],
        false,
    );
    let not_a_directory = program().cwd(junk.join("empty"));
    add("directory a file", not_a_directory, NotFound, &["it is not a directory"], false);
    let both_missing = Command::new("./tool").cwd(nowhere);
    add("nothing is there", both_missing, NotFound, &["started in /no/such/place: it does not exist"], false);

    add("NUL in the program", Command::new("a\0b"), InvalidInput, &["NUL"], false);
    add(
        "NUL in an argument",
        program().args(["x", "secret\0"]),
        InvalidInput,
        &["argument 4 holds a NUL"],
        false,
    );
    add(
        "NUL in a variable",
        program().env("A", "secret\0"),
        InvalidInput,
        &["variable A holds a NUL"],
        false,
    );
    add("NUL in the directory", program().cwd("\0"), InvalidInput, &["NUL"], false);
    add("NUL in the name", program().arg0("\0"), InvalidInput, &["argv[0] holds a NUL"], false);
    add("bad variable", program().env("A=B", "x"), InvalidInput, &["'A=B'"], true);
    add("too long", program().arg("x".repeat(256 << 10)), InvalidInput, &["too long", "in a file"], true);

    let limit = |soft, hard| program().rlimit(Resource::OpenFiles, soft, hard);
    add("soft above hard", limit(Some(2), Some(1)), InvalidInput, &["soft limit of nofile"], true);
    add(
        "no soft limit below a hard one",
        limit(None, Some(1)),
        InvalidInput,
        &["soft limit of nofile"],
        true,
    );
    let silent = || program().stdout(Stdio::Null).stderr(Stdio::Null);
    add("idle and not captured", silent().idle_timeout(Duration::MAX), InvalidInput, &["idle timeout"], true);
    let bounded = silent().output_limit(Limit { max_bytes: Some(1), ..Limit::default() });
    add("bounded and not captured", bounded, InvalidInput, &["output limit"], true);
    let teed = program().stdout(Stdio::Null).tee(Stream::Stdout);
    add("teed and not captured", teed, InvalidInput, &["stdout is teed"], true);
    add("no time", program().timeout(Duration::ZERO), InvalidInput, &["timeout of zero"], true);
    add("no success", program().success_codes([]), InvalidInput, &["success"], true);
    add("user twice", program().user("root").uid(0), InvalidInput, &["both"], true);
    add("unknown user", program().user("pinfold-nobody"), InvalidInput, &["pinfold-nobody"], false);
    add("no such processor", program().affinity([8191]), InvalidInput, &["CPU"], true);

    let missing = Stdin::File(nowhere.into());
    add("stdin missing", program().stdin(missing), NotFound, &["standard input", nowhere], false);
    let below = Stdio::file("/no/such/place/file");
    add("output nowhere", program().stdout(below), NotFound, &["output", "/no/such/place/file"], false);
    add(
        "output a directory",
        program().stderr(Stdio::append(junk)),
        InvalidInput,
        &["output", "directory"],
        false,
    );

    let kernel = program().isolation(Isolation::Subreaper).require(Guarantee::Kernel);
    add("guarantee", kernel, Unsupported, &["guarantee kernel was required", "subreaper"], true);
    let group = program().isolation(Isolation::ProcessGroup).kill_on_parent_death();
    add("no guard for a group", group, Unsupported, &["process_group"], true);
    all
}

/// Everything that somebody without rights is refused besides.
fn refusals_without_rights(junk: &Path) -> Vec<Refusal> {
    use ErrorKind::{NotFound, PermissionDenied};
    let mut all = Vec::new();
    let mut add = |name, command, kind, words: &[&str], hint| {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        all.push(Refusal { name, command, kind, words, hint });
    };
    let program = || sh("exit 0");
    add("another user", program().uid(0), PermissionDenied, &["user", "only root"], true);
    add("another group", program().gid(0), PermissionDenied, &["group", "only root"], true);
    add("other groups", program().groups([0]), PermissionDenied, &["groups", "only root"], true);
    add("root by name", program().user("root"), PermissionDenied, &["only root"], true);
    add("more priority", program().nice(-5), PermissionDenied, &["nice", "only root"], true);
    let safer = program().oom_score_adj(-900);
    add("spared by the kernel", safer, PermissionDenied, &["only root"], true);
    let limit = program().rlimit(Resource::RealtimePriority, None, None);
    add("a higher limit", limit, PermissionDenied, &["the resource limit rtprio", "only root"], true);
    let closed = junk.join("closed");
    let refused = ["started in", "permission denied"];
    add("closed directory", program().cwd(&closed), PermissionDenied, &refused[..1], true);
    let hidden = Command::new(closed.join("tool"));
    add("hidden program", hidden, NotFound, &["may not be searched"], true);
    let private = Command::new(junk.join("private"));
    add("private program", private, PermissionDenied, &["no execute permission for this user"], false);
    let unreadable = program().stdin_file(junk.join("private"));
    add("unreadable stdin", unreadable, PermissionDenied, &["standard input"], false);
    let elsewhere = program().stdout(Stdio::file(junk.join("new")));
    add("unwritable output", elsewhere, PermissionDenied, &["output"], false);
    add("cgroup", program().isolation(Isolation::Cgroup), ErrorKind::Unsupported, &["cgroup_v2"], true);
    all
}

impl Refusal {
    #[track_caller]
    fn check(&self, error: &Error, by: &str) {
        let name = self.name;
        assert_eq!(error.kind(), self.kind, "{name}, {by}: {error}");
        let text = error.to_string();
        let program = self.command.program().display().to_string();
        // What has no name is not named.
        let names_it = program.is_empty() || text.starts_with(&format!("{program}: "));
        assert!(names_it && !text.starts_with(':'), "{name}, {by}: {text}");
        for word in &self.words {
            assert!(text.contains(word), "{name}, {by}: `{word}` is not in: {text}");
        }
        assert_eq!(error.what_to_do().is_some(), self.hint, "{name}, {by}: {text}");
        assert!(!text.contains("secret"), "{name}: {text}");
        assert!(error.output().is_none(), "{name}: nothing ran");
        assert!(text.len() < 1000 && !text.contains('\n'), "{name}: {text}");
    }
}

fn all_are_refused(trial: &Trial, refusals: Vec<Refusal>) {
    for refusal in refusals {
        let command = refusal.command.clone().of(trial);
        refusal.check(&command.output().unwrap_err(), "output");
        refusal.check(&command.run().unwrap_err(), "run");
        refusal.check(&command.start().unwrap_err(), "start");
    }
    assert!(trial.survivors().is_empty());
}

#[test]
fn each_bad_input_is_refused_for_what_it_is() {
    let trial = begin();
    let junk = Junk::new();
    all_are_refused(&trial, refusals(junk.root()));
}

#[test]
fn what_needs_rights_is_refused_to_who_has_none() {
    let mut part =
        Part::new(|junk| all_are_refused(&begin(), refusals_without_rights(junk.as_ref()))).unprivileged();
    let trial = begin();
    if given(is_root(), "root, to become somebody without its rights") {
        let junk = Junk::new();
        part.pass(&trial, junk.root().to_str().unwrap());
    }
}

#[test]
fn an_unknown_encoding_is_refused_where_it_is_named() {
    let _trial = begin();
    let error = Encoding::named("klingon").unwrap_err();
    assert!(error.to_string().contains("klingon") && error.to_string().contains("utf-8"), "{error}");
    let json = serde_json::to_string(&fixture("exit 0")).unwrap();
    let json = json.replace("\"UTF-8\"", "\"klingon\"");
    let error = serde_json::from_str::<Command>(&json).unwrap_err();
    assert!(error.to_string().contains("klingon"), "{error}");
}
