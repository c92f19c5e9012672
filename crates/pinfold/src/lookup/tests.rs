#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::process::Command;
use tempfile::TempDir;

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

fn put(path: &Path, content: impl AsRef<[u8]>, mode: u32) -> PathBuf {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    path.to_owned()
}

fn program(path: impl AsRef<Path>) -> PathBuf {
    put(path.as_ref(), "#!/bin/sh\n", 0o755)
}

fn find(name: &str, path: &str, cwd: &Path) -> Result<PathBuf, LookupError> {
    resolve(OsStr::new(name), Some(OsStr::new(path)), cwd)
}

fn hint(name: &str, path: &str, cwd: &Path) -> Option<Hint> {
    match find(name, path, cwd) {
        Err(LookupError::NotFound { hint, .. }) => hint.map(|hint| *hint),
        other => panic!("{other:?}"),
    }
}

/// What the kernel says of this file, and what is said of that.
fn explained(path: &Path) -> ExecFailure {
    let error = unless_busy(|| Command::new(path).spawn().map(drop)).unwrap_err();
    explain_exec_failure(path, error.raw_os_error().unwrap())
}

/// A child that another test has just forked holds the files that this one was writing until it execs, and for so long
/// they cannot be executed.
fn unless_busy<T>(mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
            other => return other,
        }
    }
}

#[test]
fn path_entries_are_taken_in_order_and_relative_to_the_child() {
    let folder = folder();
    let root = folder.path();
    let first = program(root.join("first/tool"));
    let second = program(root.join("second/tool"));
    let own = program(root.join("work/tool"));
    let work = root.join("work");
    let (a, b) = (root.join("first"), root.join("second"));
    let both = format!("/nowhere:{}:{}", a.display(), b.display());
    assert_eq!(find("tool", &both, &work).unwrap(), first);
    assert_eq!(find("tool", "../second:../first", &work).unwrap().canonicalize().unwrap(), second);
    for path in ["", ":/nowhere", "/nowhere:", "/nowhere::/nowhere", "."] {
        assert_eq!(find("tool", path, &work).unwrap().canonicalize().unwrap(), own, "{path:?}");
    }
    assert!(matches!(find("tool", "/nowhere", &work), Err(LookupError::NotFound { .. })));
    assert_eq!(resolve(OsStr::new("sh"), None, &work).unwrap(), Path::new("/bin/sh"));
}

#[test]
fn a_name_with_a_slash_is_relative_to_the_child_and_ignores_path() {
    let folder = folder();
    let tool = program(folder.path().join("bin/tool"));
    let path = folder.path().join("bin").display().to_string();
    for name in ["bin/tool", "./bin/tool", "bin//tool", tool.to_str().unwrap()] {
        assert_eq!(find(name, "/nowhere", folder.path()).unwrap().canonicalize().unwrap(), tool);
    }
    for name in ["./tool", "tool/", "bin/tool/", "/tool"] {
        let Err(LookupError::NotFound { searched, .. }) = find(name, &path, folder.path()) else {
            panic!("{name} is found");
        };
        assert_eq!(searched, [folder.path().join(name)]);
    }
    assert!(matches!(find("./bin", "", folder.path()), Err(LookupError::IsDirectory { .. })));
}

#[test]
fn what_cannot_be_executed_is_passed_over_and_remembered() {
    let folder = folder();
    let root = folder.path();
    let plain = put(&root.join("plain/tool"), "#!/bin/sh\n", 0o644);
    fs::create_dir_all(root.join("dir/tool")).unwrap();
    let good = program(root.join("good/tool"));
    assert_eq!(find("tool", "plain:dir:good", root).unwrap(), good);
    let error = find("tool", "plain:dir", root).unwrap_err();
    assert!(error.to_string().contains("(mode 0644)"), "{error}");
    let LookupError::NotExecutable { path, because } = error else { panic!("{error:?}") };
    assert_eq!(path, plain);
    assert_eq!(*because, ExecFailure::NotExecutable { path: plain, mode: Some(0o644) });
    assert!(
        matches!(find("tool", "dir:plain", root), Err(LookupError::IsDirectory { path }) if path == root.join("dir/tool"))
    );
    assert!(matches!(find("./plain/tool", "", root), Err(LookupError::NotExecutable { .. })));
}

#[test]
fn names_that_can_be_no_file_are_refused() {
    let root = Path::new("/");
    assert!(matches!(find("", "/bin", root), Err(LookupError::Empty)));
    assert!(matches!(find("s\0h", "/bin", root), Err(LookupError::Nul { .. })));
    let odd = OsStr::from_bytes(b"tool-\xff");
    let error = resolve(odd, Some(OsStr::new("/nowhere")), root).unwrap_err();
    assert_eq!(error.to_string(), "program \"tool-\\xFF\" not found: looked at /nowhere/tool-\u{fffd}");
    let folder = folder();
    symlink("loop", folder.path().join("loop")).unwrap();
    assert!(matches!(find("loop", "", folder.path()), Err(LookupError::Unreadable { .. })));
}

#[test]
fn a_hint_names_what_may_have_been_meant() {
    let folder = folder();
    let root = folder.path();
    for name in ["bin/git", "bin/make", "bin/python3", "bin/touch", "bin/optipng", "work/script"] {
        program(root.join(name));
    }
    put(&root.join("bin/mako"), "", 0o644);
    let close = |name: &str| Some(Hint::CloseName { program: name.into() });
    let work = root.join("work");
    assert_eq!(hint("gti", "../bin", &work), close("git"));
    assert_eq!(hint("gitt", "../bin", &work), close("git"));
    assert_eq!(hint("giit", "../bin", &work), close("git"));
    assert_eq!(hint("makk", "/nowhere:../bin", &work), close("make"), "mako is as close and no program");
    for chance in ["gut", "it", "get", "gif"] {
        assert_eq!(hint(chance, "../bin", &work), None, "short names are close to many by chance");
    }
    for far in ["nosuch", "couch2", "maketo", "mkae2", "optimizer"] {
        assert_eq!(hint(far, "../bin", &work), None, "{far} is more than a slip away from all of them");
    }
    assert_eq!(hint("pyhton", "../bin", &work), close("python3"), "a version is no slip");
    assert_eq!(hint("pyhton2", "../bin", &work), None);
    assert_eq!(hint("optpng", "../bin", &work), close("optipng"));
    assert_eq!(hint("optippngg", "../bin", &work), close("optipng"), "two slips in a long name");
    assert_eq!(hint("../bin/gti", "", &work), close("git"));
    assert_eq!(hint("ruby", "../bin", &work), None);
    assert_eq!(hint(&"g".repeat(100), "../bin", &work), None);
    assert_eq!(hint("script", "../bin", &work), Some(Hint::InCwd { program: "script".into() }));
    let arguments = |name: &str| Some(Hint::HasArguments { program: name.into() });
    assert_eq!(hint("git status -s", "../bin", &work), arguments("git"));
    assert_eq!(hint("../bin/git status", "../bin", &work), arguments("../bin/git"));
    for line in ["git log | wc", "git log >out", "git add && git status", "git -C $HOME status"] {
        assert_eq!(hint(line, "../bin", &work), Some(Hint::NeedsShell), "{line}");
    }
    assert_eq!(hint("work status", "../bin", &work), None);
    let variable = Hint::Variable { name: "FOO_2".into() };
    for assignment in ["FOO_2=secret", "FOO_2=", "FOO_2=a/b", "FOO_2=secret git", "FOO_2=a=b"] {
        assert_eq!(hint(assignment, "../bin", &work), Some(variable.clone()), "{assignment}");
    }
    assert!(!variable.to_string().contains("secret"));
    for none in ["2FOO=a", "=a", "a-b=c", "./FOO=a"] {
        assert_eq!(hint(none, "../bin", &work), None, "{none}");
    }
    symlink("gone", root.join("bin/tool")).unwrap();
    let link = work.join("../bin/tool");
    assert_eq!(hint("tool", "../bin", &work), Some(Hint::DanglingLink { link, target: "gone".into() }));
    let error = find("gti", "../bin", Path::new("/x")).unwrap_err();
    assert_eq!(error.to_string(), "program \"gti\" not found: looked at /x/../bin/gti");
}

#[test]
fn a_missing_interpreter_is_named() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let missing = |path: &Path, interpreter: PathBuf, loader| ExecFailure::Interpreter {
        path: path.to_owned(),
        because: Box::new(ExecFailure::Missing { path: interpreter.clone() }),
        interpreter,
        loader,
    };
    let script = put(&at("script"), "#! \t/no/such/shell -e\necho", 0o755);
    assert_eq!(explained(&script), missing(&script, "/no/such/shell".into(), Loader::Shebang));
    let crlf = put(&at("crlf"), "#!/bin/sh\r\necho\r\n", 0o755);
    assert_eq!(explained(&crlf), ExecFailure::CarriageReturn { path: crlf.clone() });
    let nested = put(&at("nested"), format!("#!{}\n", script.display()), 0o755);
    assert_eq!(explained(&nested).interpreter(), Some(Path::new("/no/such/shell")));
    assert_eq!(explained(&crlf).interpreter(), None);
    let ExecFailure::Interpreter { because, .. } = explained(&nested) else { panic!() };
    assert_eq!(*because, missing(&script, "/no/such/shell".into(), Loader::Shebang));
    assert_eq!(explained(&at("none")), ExecFailure::Missing { path: at("none") });
    symlink("none", at("link")).unwrap();
    assert_eq!(explained(&at("link")), ExecFailure::DanglingLink { path: at("link"), target: "none".into() });
    let target = put(&at("target"), "", 0o755);
    assert_eq!(
        explain_exec_failure(&target, 2),
        ExecFailure::Other { path: target, errno: 2 },
        "nothing is missing"
    );
}

/// A 64-bit ELF program of this byte order whose only program header names a loader.
fn elf(machine: u16, loader: &str) -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes[5] = if cfg!(target_endian = "little") { 1 } else { 2 };
    bytes.resize(64 + 56, 0);
    let mut field = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    field(16, &2u16.to_ne_bytes());
    field(18, &machine.to_ne_bytes());
    field(20, &1u32.to_ne_bytes());
    field(32, &64u64.to_ne_bytes());
    field(54, &56u16.to_ne_bytes());
    field(56, &1u16.to_ne_bytes());
    field(64, &3u32.to_ne_bytes());
    field(64 + 8, &120u64.to_ne_bytes());
    field(64 + 32, &(loader.len() as u64 + 1).to_ne_bytes());
    bytes.extend_from_slice(loader.as_bytes());
    bytes.push(0);
    bytes
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
#[test]
fn a_missing_loader_and_a_strange_machine_are_named() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let other_libc = put(&at("other-libc"), elf(Machine::HOST.0, "/lib/ld-none.so.1"), 0o755);
    let why = explained(&other_libc);
    let ExecFailure::Interpreter { loader: Loader::Elf, interpreter, .. } = &why else { panic!("{why:?}") };
    assert_eq!(interpreter, Path::new("/lib/ld-none.so.1"));
    assert!(why.to_string().ends_with("it was built for a system with another C library"), "{why}");
    let strange = put(&at("strange"), elf(22, "/lib/ld64.so.1"), 0o755);
    assert_eq!(
        explained(&strange),
        ExecFailure::WrongMachine { path: strange.clone(), machine: Machine(22) }
    );
    assert!(explained(&strange).to_string().contains("is built for s390x, and this is"));
    let cut = put(&at("cut"), &elf(Machine::HOST.0, "")[..60], 0o755);
    assert_eq!(explained(&cut), ExecFailure::BadElf { path: cut });
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_no_program_is_named() {
    let folder = folder();
    let long = format!("#!/{}\n", "x".repeat(300));
    type Expected = fn(PathBuf) -> ExecFailure;
    let cases: [(&str, &[u8], Expected); 6] = [
        ("empty", b"", |path| ExecFailure::Empty { path }),
        ("text", b"echo hello\n", |path| ExecFailure::NoShebang { path }),
        ("marked", b"\xef\xbb\xbf#!/bin/sh\n", |path| ExecFailure::ByteOrderMark { path }),
        ("nameless", b"#! \n/bin/sh\n", |path| ExecFailure::BadShebang { path }),
        ("long", long.as_bytes(), |path| ExecFailure::BadShebang { path }),
        ("setup.exe", b"MZ\x90\0", |path| ExecFailure::Foreign { path, system: "Windows" }),
    ];
    for (name, content, expected) in cases {
        let path = put(&folder.path().join(name), content, 0o755);
        assert_eq!(explained(&path), expected(path.clone()), "{name}");
    }
}

#[test]
fn what_may_not_be_executed_is_told_apart() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let plain = put(&at("plain"), "#!/bin/sh\n", 0o600);
    assert_eq!(explained(&plain), ExecFailure::NotExecutable { path: plain.clone(), mode: Some(0o600) });
    let script = put(&at("script"), format!("#!{}\n", plain.display()), 0o755);
    let ExecFailure::Interpreter { because, .. } = explained(&script) else { panic!() };
    assert_eq!(*because, ExecFailure::NotExecutable { path: plain, mode: Some(0o600) });
    let directory = folder.path().to_owned();
    assert_eq!(explained(&directory), ExecFailure::NotRegular { path: directory });
    let fine = put(&at("fine"), "#!/bin/sh\n", 0o755);
    assert_eq!(explain_exec_failure(&fine, 13), ExecFailure::Denied { path: fine.clone() });
    let writer = fs::OpenOptions::new().append(true).open(&fine).unwrap();
    let error = Command::new(&fine).spawn().unwrap_err();
    assert_eq!(explain_exec_failure(&fine, error.raw_os_error().unwrap()), ExecFailure::Busy { path: fine });
    drop(writer);
    let error = Command::new("/bin/true").arg("x".repeat(4 << 20)).spawn().unwrap_err();
    let long = explain_exec_failure(Path::new("/bin/true"), error.raw_os_error().unwrap());
    assert!(matches!(long, ExecFailure::TooLong { .. }), "{long}");
}

/// Root may search every directory, so as root this test runs itself again as nobody.
#[test]
fn a_directory_that_may_not_be_searched_is_named() {
    const NOBODY: u32 = 65_534;
    let folder = folder();
    if fs::metadata(folder.path()).unwrap().uid() == 0 {
        let copy = folder.path().join("tests");
        fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
        let name = "lookup::tests::a_directory_that_may_not_be_searched_is_named";
        let mut again = Command::new(copy);
        again.args(["--exact", name, "--nocapture"]).uid(NOBODY).gid(NOBODY).env_remove("TMPDIR");
        let output = unless_busy(|| again.current_dir("/").output()).unwrap();
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let root = folder.path();
    let closed = root.join("closed");
    let tool = program(closed.join("inner/tool"));
    symlink(&tool, root.join("link")).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o600)).unwrap();
    let why = explained(&tool);
    let unsearchable = find("tool", "closed/inner:/nowhere", root);
    let through_link = explained(&root.join("link"));
    let slash = find("closed/inner/tool", "", root);
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(why, ExecFailure::Unsearchable { path: tool, directory: closed.clone() });
    assert_eq!(
        through_link,
        ExecFailure::Unsearchable { path: root.join("link"), directory: closed.clone() }
    );
    for result in [unsearchable, slash] {
        let Err(LookupError::NotFound { unsearchable, .. }) = result else { panic!("{result:?}") };
        assert_eq!(unsearchable, [closed.as_path()]);
    }
}
