//! A container of another owner: who is in it, and acting on it. Nothing here is our child, and nothing is believed to be
//! what the owner meant before it was proven.

use crate::containment::{below, is_childless, is_empty_group, members_of_group, tell_all};
use crate::outcome::Mechanism;
use crate::registry::entry::{Entry, Line};
use crate::registry::identity::{Identity, start_of};
use pinfold_os::handle::{Pid, Process};
use pinfold_os::linux::cgroup::{self, Cgroup};
use pinfold_os::poll::{Direction, Waitable, Woken};
use pinfold_os::signal::Signal;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A place where something of an owner may live.
#[derive(Debug)]
pub(super) enum Container {
    /// A cgroup with a name that only its owner gives.
    Cgroup(PathBuf, Option<Cgroup>),
    /// A keeper, or the leader of a process group; with a handle if it is still that very process.
    Process(Line, Option<Process>),
}

/// All containers of an owner, each with the name of its run.
pub(super) fn of(entry: &Entry) -> Vec<(String, Container)> {
    let mut all = Vec::new();
    if let Some(directory) = &entry.cgroup {
        // Its only run has the directory itself, and then what lies below it is what that made.
        if has_members(directory) {
            all.push((ONLY.to_owned(), Container::cgroup(directory.clone())));
        } else {
            leaves(directory, "", &mut all);
        }
    }
    // The cgroup that holds a keeper to its limits is told by the keeper.
    all.retain(|(_, container)| {
        let members = container.members();
        !entry.runs.iter().any(|line| members.iter().any(|pid| pid.get() == line.pid))
    });
    all.extend(entry.runs.iter().map(|line| (line.pid.to_string(), Container::process(*line))));
    all
}

/// What a run is called that is all that its owner has.
const ONLY: &str = "1";

/// Whether processes live in a cgroup itself, and not just below it.
fn has_members(directory: &Path) -> bool {
    fs::read(directory.join("cgroup.procs")).is_ok_and(|listed| !listed.is_empty())
}

/// The runs below an owner's directory, and below the groups in it.
fn leaves(directory: &Path, prefix: &str, all: &mut Vec<(String, Container)>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let name = format!("{prefix}{}", name.to_string_lossy());
        let mut is_group = name.rsplit('/').next().unwrap_or_default().chars();
        // What a program made below its own run belongs to that run.
        if is_group.next() == Some('g') && is_group.all(|char| char.is_ascii_digit()) {
            leaves(&path, &format!("{name}/"), all);
        } else {
            all.push((name, Container::cgroup(path)));
        }
    }
}

impl Container {
    /// The whole directory of an owner, or a run in it.
    pub(super) fn cgroup(path: PathBuf) -> Container {
        let opened = Cgroup::open(&path).ok().filter(|cgroup| cgroup.is_populated().is_ok());
        Container::Cgroup(path, opened)
    }

    pub(super) fn process(line: Line) -> Container {
        Container::Process(line, prove(line))
    }

    pub(super) fn mechanism(&self) -> Mechanism {
        match self {
            Container::Cgroup(..) => Mechanism::CgroupV2,
            Container::Process(line, _) => line.mechanism,
        }
    }

    /// Who lives in it, keepers not counted.
    pub(super) fn members(&self) -> Vec<Pid> {
        match self {
            Container::Cgroup(_, Some(cgroup)) => cgroup.processes().unwrap_or_default(),
            Container::Process(line, Some(process)) if start_of(line.pid) == Some(line.start) => {
                match line.mechanism {
                    Mechanism::ProcessGroup => members_of_group(process.pid()),
                    _ => below(process.pid()),
                }
            }
            _ => Vec::new(),
        }
    }

    /// Has its owner give a cgroup to no other run once it is empty, for as long as the claim lives: owners put by only what
    /// nothing lies below. A keeper has one run and ends with it.
    pub(super) fn claim(&self) -> Option<Claim> {
        static CLAIMS: AtomicU64 = AtomicU64::new(0);
        let Container::Cgroup(path, Some(_)) = self else { return None };
        let (pid, number) = (std::process::id(), CLAIMS.fetch_add(1, Ordering::Relaxed));
        let claim = path.join(format!("stopping.{pid}.{number}"));
        // Where none can be made here, the next run of its owner may be stopped with this one.
        fs::create_dir(&claim).is_ok().then_some(Claim(claim))
    }

    /// Sends a signal to all of it; those that may not be signalled are passed over.
    pub(super) fn signal(&self, signal: Signal) {
        match self {
            Container::Cgroup(_, Some(cgroup)) => drop(cgroup.signal(signal)),
            Container::Process(..) => tell_all(signal, || self.members()),
            Container::Cgroup(_, None) => {}
        }
    }

    /// Sends a signal to all of it, and has what is stopped or frozen run on, which could not act on it: with `and_groups` also
    /// where the group that it is in was frozen, and others with it.
    pub(super) fn tell_to_stop(&self, signal: Signal, and_groups: bool) {
        self.signal(signal);
        if let Container::Cgroup(path, Some(cgroup)) = self {
            let _ = cgroup.thaw();
            let owners =
                |path: &Path| path.file_name().and_then(|name| Identity::parse(name.to_str()?)).is_some();
            let levels = path.ancestors().position(owners).filter(|_| and_groups).unwrap_or(0);
            for group in path.ancestors().skip(1).take(levels) {
                let _ = Cgroup::open(group).and_then(|group| group.freeze(false));
            }
        }
        self.signal(Signal::CONT);
    }

    /// Ends all of it, and leaves to its owner what that has for it.
    pub(super) fn kill(&self) {
        match self {
            Container::Cgroup(_, Some(cgroup)) => drop(cgroup.kill()),
            Container::Process(..) => {
                // Stopped, nothing makes new processes any more.
                tell_all(Signal::STOP, || self.members());
                tell_all(Signal::KILL, || self.members());
            }
            Container::Cgroup(_, None) => {}
        }
    }

    /// Ends a keeper whose owner is gone. What it kept may be the next init's by then, so this comes last.
    pub(super) fn end_keeper(&self) {
        if let Container::Process(line, Some(process)) = self
            && line.mechanism != Mechanism::ProcessGroup
        {
            /// How long the kernel may take over it.
            const PATIENCE: Duration = Duration::from_secs(2);
            let _ = process.signal(Signal::KILL);
            let gone = Waitable { descriptor: process.waitable(), direction: Direction::Read };
            let _ = pinfold_os::poll::wait(&[gone], Some(Instant::now() + PATIENCE));
        }
    }

    /// Whether nothing lives in it, a keeper not counted.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            // Where it cannot be read any more, it was removed.
            Container::Cgroup(_, Some(cgroup)) => !cgroup.is_populated().unwrap_or(false),
            Container::Process(line, Some(process)) if start_of(line.pid) == Some(line.start) => {
                match line.mechanism {
                    Mechanism::ProcessGroup => is_empty_group(process),
                    _ => is_childless(process.pid()),
                }
            }
            _ => true,
        }
    }

    /// Whether there is anything left of it, be it empty.
    pub(super) fn exists(&self) -> bool {
        match self {
            Container::Cgroup(path, _) => path.is_dir(),
            Container::Process(line, process) => {
                let keeps = line.mechanism != Mechanism::ProcessGroup;
                let is_at_work =
                    |process: &Process| !has_ended(process) && start_of(line.pid) == Some(line.start);
                process.as_ref().is_some_and(|process| keeps && is_at_work(process) || !self.is_empty())
            }
        }
    }

    /// Removes what is left of it when it is empty.
    ///
    /// # Errors
    /// `EBUSY` if it is not.
    pub(super) fn remove(&self) -> io::Result<()> {
        match self {
            Container::Cgroup(path, _) => match cgroup::remove(path) {
                // Somebody else was first.
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                other => other,
            },
            Container::Process(..) => Ok(()),
        }
    }

    /// What tells that [`Container::is_empty`] may have changed; `None` where it has to be asked again and again.
    pub(super) fn waitable(&self) -> Option<Waitable<'_>> {
        match self {
            Container::Cgroup(_, cgroup) => cgroup.as_ref()?.waitable().ok(),
            // A keeper ends with the last of those below it.
            Container::Process(line, Some(process)) if line.mechanism != Mechanism::ProcessGroup => {
                Some(Waitable { descriptor: process.waitable(), direction: Direction::Read })
            }
            Container::Process(..) => None,
        }
    }
}

/// A directory below somebody's cgroup.
#[derive(Debug)]
pub(super) struct Claim(PathBuf);

impl Drop for Claim {
    fn drop(&mut self) {
        // Its owner has removed it with the cgroup, as a rule.
        let _ = fs::remove_dir(&self.0);
    }
}

/// Whether a process is no more than an entry that nobody has taken off the table of processes yet.
fn has_ended(process: &Process) -> bool {
    let end = Waitable { descriptor: process.waitable(), direction: Direction::Read };
    matches!(pinfold_os::poll::wait(&[end], Some(Instant::now())), Ok(Woken::Ready))
}

/// A handle of the process that a line names. Opened first and compared then: had another got the pid in between, its start
/// would be a later one.
fn prove(line: Line) -> Option<Process> {
    let process = Process::open(Pid::new(line.pid.into())?).ok()?;
    (start_of(line.pid) == Some(line.start)).then_some(process)
}
