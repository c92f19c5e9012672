//! The other Pythons of this machine: which there are, and whether the suite passes on them with the same wheel.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::{env, fs, thread};

use super::{fresh_environment, install};
use crate::house::{House, ask};
use crate::step::{Verdict, run};

/// The versions that the wheel is for: 3.10, and so on.
const MINORS: std::ops::RangeInclusive<u8> = 10..=14;

/// Says which version it is, if one wheel for all can be installed for it: by CPython with the lock, which makes environments.
const CHECK: &str = "
import platform, sys, sysconfig, venv, ensurepip
sys.exit(platform.python_implementation() != 'CPython' or bool(sysconfig.get_config_var('Py_GIL_DISABLED')) or
    print(*sys.version_info[:2], platform.python_version()))";

/// An interpreter that answers.
pub(super) struct Other {
    minor: u8,
    version: String,
    path: PathBuf,
}

/// What became of them.
pub(super) struct Told {
    pub(super) remark: String,
    pub(super) closing: Vec<String>,
}

/// Runs the shortened suite on every one of them but the one that has run all of it; as many at a time as there are CPUs.
pub(super) fn verdict(house: &House, home: &Path, wheel: &Path, done: &Path) -> Result<Told, Verdict> {
    let done = look(house, done).map(|python| python.minor);
    let (mut others, mut missing) = (Vec::new(), Vec::new());
    for minor in MINORS.filter(|minor| Some(*minor) != done) {
        match candidates(minor)
            .iter()
            .filter_map(|path| look(house, path))
            .find(|python| python.minor == minor)
        {
            Some(python) => others.push(python),
            None => missing.push(format!("3.{minor}")),
        }
    }
    let versions: Vec<_> = others.iter().map(|python| python.version.clone()).collect();
    let queue = Mutex::new(others.into_iter());
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let next = || queue.lock().ok()?.next();
    let work =
        || std::iter::from_fn(next).map(|python| suite(house, home, wheel, &python)).collect::<Vec<_>>();
    let closings = thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_default())
            .collect::<Result<Vec<_>, _>>()
    })?;
    let mut remark = match &versions[..] {
        [] => "no other Python here".to_owned(),
        versions => format!("shortened on {}", versions.join(", ")),
    };
    if !missing.is_empty() {
        remark += &format!("; not here: {}", missing.join(", "));
    }
    Ok(Told { remark, closing: closings })
}

fn suite(house: &House, home: &Path, wheel: &Path, python: &Other) -> Result<String, Verdict> {
    let place = fresh_environment(house, &python.path, &home.join(format!("installed-3.{}", python.minor)))?;
    install(house, &place, wheel, false)?;
    let said = run(house.command(&place, ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--short"]))?;
    Ok(said.lines().rev().find(|line| line.contains(" passed")).unwrap_or_default().to_owned())
}

fn look(house: &House, path: &Path) -> Option<Other> {
    let said = ask(house.command(path, ["-c", CHECK]))?;
    let [_, minor, version] = said.split_whitespace().collect::<Vec<_>>()[..] else { return None };
    Some(Other { minor: minor.parse().ok()?, version: version.to_owned(), path: path.to_owned() })
}

/// By the name that PATH has it by, and where pyenv keeps those that it does not put there; the newest first.
fn candidates(minor: u8) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from(format!("python3.{minor}"))];
    let root = env::var_os("PYENV_ROOT").map(PathBuf::from);
    let root = root.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".pyenv")));
    let entries = root.and_then(|root| fs::read_dir(root.join("versions")).ok());
    let mut kept: Vec<(u32, PathBuf)> = entries
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let patch = entry.file_name().to_str()?.strip_prefix(&format!("3.{minor}."))?.parse().ok()?;
            Some((patch, entry.path().join("bin/python3")))
        })
        .collect();
    kept.sort_unstable_by(|one, other| other.cmp(one));
    found.extend(kept.into_iter().map(|(_, path)| path));
    found
}
