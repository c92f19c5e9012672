//! Having the kernel's controllers at work in a directory of ours, so that limits can be written there.
//!
//! A controller comes down to a cgroup only through `cgroup.subtree_control` of each one above it, and a cgroup that
//! holds processes itself cannot hand it down (`admin-guide/cgroup-v2`, "No Internal Process Constraint"). Then this
//! process moves into a leaf beside its runs: unasked only where nobody else is moved by it. It refuses to go on with
//! less than was asked for.

use super::Refusal;
use super::knobs::{Controller, Controllers, Setting, parse_list};
use pinfold_os::linux::cgroup::Cgroup;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What the leaf of a process is called that moved out of the way: this, then what its owner's directory is called by.
pub(super) const SELF: &str = "pinfold-self";
const SUBTREE: &str = "cgroup.subtree_control";
/// Lets it move strangers too.
const VARIABLE: &str = "PINFOLD_TAKE_OVER_CGROUP";

/// Who may be moved out of the way.
#[derive(Clone, Debug, Default)]
pub(super) struct Movable {
    /// All that are in our cgroup.
    pub(super) all: bool,
    /// Processes of ours that go with us.
    pub(super) helpers: Vec<u32>,
    /// What our leaf is called.
    pub(super) leaf: String,
}

/// Whether the environment lets us move all processes of our cgroup.
pub(crate) fn environment_says_so() -> bool {
    std::env::var_os(VARIABLE).is_some_and(|value| !value.is_empty() && value != "0")
}

/// What would keep these controllers from being handed down by `base`, the cgroup that we are in, as far as that shows
/// without doing it.
pub(super) fn check(base: &Path, wanted: Controllers, movable: &Movable) -> Result<(), Refusal> {
    let base = open(base)?;
    let missing = missing(&base, wanted)?;
    if missing.is_empty() {
        return Ok(());
    }
    let writable = std::fs::File::options().write(true).open(base.path().join(SUBTREE));
    writable.map_err(|error| refused(&base, missing, SUBTREE, "cannot be opened for writing", error))?;
    if !base.is_top() { occupants(&base, missing, movable).map(drop) } else { Ok(()) }
}

/// Whether the hierarchy that a cgroup is in has these controllers at all.
pub(super) fn exist(cgroup: &Path, wanted: Controllers) -> bool {
    const FILE: &str = "cgroup.controllers";
    let top = cgroup.ancestors().take_while(|path| path.join(FILE).exists()).last();
    let text = top.and_then(|top| std::fs::read_to_string(top.join(FILE)).ok());
    text.is_some_and(|text| wanted.without(Controllers::parse(&text)).is_empty())
}

/// That we have stepped aside, and what for.
#[derive(Debug)]
pub(super) struct Aside {
    leaf: PathBuf,
    controllers: Controllers,
}

impl Aside {
    /// Two steps as one.
    pub(super) fn after(self, earlier: Option<Aside>) -> Aside {
        let controllers = self.controllers.with(earlier.map(|aside| aside.controllers).unwrap_or_default());
        Aside { controllers, ..self }
    }

    /// Leaves `base` as we found it, once nothing of ours is in it any more; not while others rely on what it hands down.
    pub(super) fn step_back(self, base: &Path) {
        let (Ok(base), Ok(leaf)) = (Cgroup::open(base), Cgroup::open(&self.leaf)) else { return };
        if base.set(SUBTREE, &self.controllers.order('-')).is_err() {
            return;
        }
        let pids = leaf.processes().unwrap_or_default();
        take_in(&base, &pids.iter().map(|pid| pid.get()).collect::<Vec<_>>());
        // A helper of ours that is just ending cannot be moved any more, and is there until it has ended.
        super::cgroup::wait_until_empty(&leaf, Instant::now() + Duration::from_secs(1));
        let _ = leaf.remove();
    }
}

/// Has `base` hand these controllers down to `directory`, our own one in it: the step aside that it took, if one.
pub(super) fn hand_down(
    base: &Path,
    directory: &Path,
    wanted: Controllers,
    movable: &Movable,
) -> Result<Option<Aside>, Refusal> {
    let base = open(base)?;
    let missing = missing(&base, wanted)?;
    if missing.is_empty() {
        return Ok(None);
    }
    let moved = if base.is_top() { None } else { Some(step_aside(&base, missing, movable)?) };
    let enabled = enable_in(&base, missing).and_then(|()| {
        // Had somebody come into `base` just now, what is below would be no domain any more and take no processes.
        match open(directory)?.read("cgroup.type") {
            Ok(kind) if kind.trim() != "domain" => {
                let _ = base.set(SUBTREE, &missing.order('-'));
                Err(lasting(missing, &format!("a process came into {}", base.path().display())))
            }
            _ => Ok(()),
        }
    });
    match (enabled, moved) {
        (Ok(()), moved) => {
            Ok(moved.map(|(leaf, _)| Aside { leaf: leaf.path().to_owned(), controllers: missing }))
        }
        (Err(refusal), Some((leaf, pids))) => {
            take_in(&base, &pids);
            let _ = leaf.remove();
            Err(refusal)
        }
        (Err(refusal), None) => Err(refusal),
    }
}

/// Has a cgroup without processes of its own hand controllers down to what is below it.
pub(super) fn enable(cgroup: &Cgroup, wanted: Controllers) -> Result<(), Refusal> {
    enable_in(cgroup, missing(cgroup, wanted)?)
}

fn enable_in(cgroup: &Cgroup, missing: Controllers) -> Result<(), Refusal> {
    if missing.is_empty() {
        return Ok(());
    }
    let order = missing.order('+');
    cgroup
        .set(SUBTREE, &order)
        .map_err(|error| refused(cgroup, missing, SUBTREE, &format!("does not take \"{order}\""), error))
}

/// Those that a cgroup does not hand down yet; a refusal if it has not got them itself.
fn missing(cgroup: &Cgroup, wanted: Controllers) -> Result<Controllers, Refusal> {
    let read = |file| {
        let text =
            cgroup.read(file).map_err(|error| refused(cgroup, wanted, file, "cannot be read", error))?;
        Ok(Controllers::parse(&text))
    };
    let absent = wanted.without(read("cgroup.controllers")?);
    if absent.is_empty() { Ok(wanted.without(read(SUBTREE)?)) } else { Err(not_here(cgroup, absent)) }
}

/// Moves all that is in `base` into a leaf below it: that, and who was moved.
fn step_aside(base: &Cgroup, missing: Controllers, movable: &Movable) -> Result<(Cgroup, Vec<u32>), Refusal> {
    const ROUNDS: usize = 16;
    let path = base.path().join(&movable.leaf);
    let leaf = match Cgroup::create(&path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Cgroup::open(&path),
        other => other,
    };
    let leaf = leaf.map_err(|error| refused(base, missing, &movable.leaf, "cannot be made", error))?;
    let mut moved = Vec::new();
    let mut aside = || {
        for _ in 0..ROUNDS {
            let occupants = occupants(base, missing, movable)?;
            if occupants.is_empty() {
                return Ok(());
            }
            for pid in occupants {
                match leaf.set("cgroup.procs", &pid.to_string()) {
                    Ok(()) => moved.push(pid),
                    // It has ended meanwhile.
                    Err(error) if error.raw_os_error() == Some(ESRCH) => {}
                    Err(error) => {
                        let what = format!("does not take process {pid}");
                        return Err(refused(&leaf, missing, "cgroup.procs", &what, error));
                    }
                }
            }
        }
        Err(lasting(missing, &format!("processes keep coming into {}", base.path().display())))
    };
    match aside() {
        Ok(()) => Ok((leaf, moved)),
        Err(refusal) => {
            take_in(base, &moved);
            let _ = leaf.remove();
            Err(refusal)
        }
    }
}

const ESRCH: i32 = 3;

fn take_in(cgroup: &Cgroup, pids: &[u32]) {
    for pid in pids {
        let _ = cgroup.set("cgroup.procs", &pid.to_string());
    }
}

/// The processes in `base` itself; a refusal if they are not all ours to move.
fn occupants(base: &Cgroup, missing: Controllers, movable: &Movable) -> Result<Vec<u32>, Refusal> {
    let text = base.read("cgroup.procs");
    let text = text.map_err(|error| refused(base, missing, "cgroup.procs", "cannot be read", error))?;
    let pids: Vec<u32> = text.lines().filter_map(|line| line.parse().ok()).collect();
    // Who is in no PID namespace that we see is shown as 0.
    let ours = |pid: &u32| *pid == std::process::id() || movable.helpers.contains(pid);
    let strangers = pids.iter().filter(|pid| !(ours(pid) || movable.all && **pid != 0)).count();
    if strangers == 0 {
        return Ok(pids);
    }
    let (place, them) = (base.path().display(), if strangers == 1 { "process is" } else { "processes are" });
    let why = format!(
        "{strangers} other {them} in {place}, and the kernel hands nothing down from among processes"
    );
    let mut refusal = lasting(missing, &why);
    refusal.instead = format!(
        "start this program in a cgroup of its own, or let it move the others into a leaf beside its runs: Host::take_over_cgroup(), or {VARIABLE}=1"
    );
    Err(refusal)
}

/// A controller that comes to processes which are there already: memory that they took before is not counted.
pub(super) fn refuse_uncounted(fresh: Controllers, in_use: bool) -> Result<(), Refusal> {
    if !in_use || !fresh.contains(Controller::Memory) {
        return Ok(());
    }
    let mut refusal = lasting(
        [Controller::Memory].into_iter().collect(),
        "what they took before it came to them is not counted",
    );
    refusal.instead = "give it a memory limit at its start, as large as you like, and change that".to_owned();
    Err(refusal)
}

/// Writes limits, all of them or none that is relied on.
pub(super) fn apply(cgroup: &Cgroup, settings: &[Setting]) -> Result<(), Refusal> {
    for setting in settings {
        let controllers = [setting.controller].into_iter().collect();
        let failed = |error| {
            let what = format!("does not take \"{}\"", setting.value.trim_end());
            refused(cgroup, controllers, setting.file, &what, error)
        };
        match cgroup.set(setting.file, &setting.value) {
            // Among processes the kernel takes no empty list; that of the cgroup above comes to the same.
            Err(error) if setting.file == "cpuset.cpus" && error.kind() == io::ErrorKind::StorageFull => {
                let above = cgroup.path().parent().map(|above| above.join("cpuset.cpus.effective"));
                let all = std::fs::read_to_string(above.unwrap_or_default()).map_err(failed)?;
                cgroup.set(setting.file, all.trim_end()).map_err(failed)?;
            }
            set => set.map_err(failed)?,
        }
        if setting.file == "cpuset.cpus" {
            hold_to_cpus(cgroup, setting)?;
        }
    }
    Ok(())
}

/// The kernel takes CPUs that are not there, and then lets them run on those of the cgroup above.
fn hold_to_cpus(cgroup: &Cgroup, setting: &Setting) -> Result<(), Refusal> {
    const FILE: &str = "cpuset.cpus.effective";
    let controllers = [setting.controller].into_iter().collect();
    let wanted = parse_list(&setting.value).unwrap_or_default();
    if wanted.is_empty() {
        return Ok(());
    }
    let text = cgroup.read(FILE);
    let text = text.map_err(|error| refused(cgroup, controllers, FILE, "cannot be read", error))?;
    let has = parse_list(&text).unwrap_or_default();
    if wanted.iter().all(|cpu| has.contains(cpu)) {
        return Ok(());
    }
    let mut refusal = lasting(controllers, &format!("of these CPUs it may use {:?}", text.trim()));
    refusal.instead = "name CPUs that are there and that this process may use".to_owned();
    Err(refusal)
}

fn open(path: &Path) -> Result<Cgroup, Refusal> {
    Cgroup::open(path).map_err(|error| Refusal {
        what: format!("its limits cannot be set: {} cannot be opened: {error}", path.display()),
        instead: "see ulimit -n for descriptors".to_owned(),
        passing: Some(error),
        limits: true,
    })
}

/// A controller that is not there at all.
fn not_here(cgroup: &Cgroup, absent: Controllers) -> Refusal {
    let path = cgroup.path().join("cgroup.controllers");
    let own = std::fs::read_to_string(OWN).unwrap_or_default();
    let names = absent.iter().map(|controller| controller.name());
    let first = names.into_iter().find_map(|name| Some((name, version_1(&own, name)?)));
    let mut refusal = lasting(absent, &format!("{} does not name it", path.display()));
    match first {
        Some((name, at)) => {
            refusal
                .what
                .push_str(&format!("; the {name} controller belongs to a cgroup v1 hierarchy ({at})"));
            refusal.instead = "boot this host with cgroup v2 alone (systemd.unified_cgroup_hierarchy=1), or ask for limits of each process: Enforcement::PerProcess".to_owned();
        }
        None if cgroup.is_top() => {
            refusal.instead = "this kernel is built or booted without it (cgroup_disable=)".to_owned();
        }
        None => {}
    }
    refusal
}

/// How controllers could be had that are not in the cgroup that we are in; without that one, as far as it can be told.
pub(crate) fn remedy(place: Option<&Path>, missing: &[&str]) -> Option<String> {
    remedy_by(&std::fs::read_to_string(OWN).unwrap_or_default(), place, missing)
}

fn remedy_by(own: &str, place: Option<&Path>, missing: &[&str]) -> Option<String> {
    let in_version_1 = missing.iter().find_map(|name| Some((*name, version_1(own, name)?)));
    let is_top = || place.and_then(|place| Cgroup::open(place).ok()).is_some_and(|place| place.is_top());
    match in_version_1 {
        _ if missing.is_empty() => None,
        Some((name, at)) => Some(format!(
            "boot this host with cgroup v2 alone (systemd.unified_cgroup_hierarchy=1): the {name} controller belongs to a \
             cgroup v1 hierarchy ({at}). Until then there is --limits-per-process"
        )),
        None if is_top() => Some("this kernel is built or booted without them (cgroup_disable=)".to_owned()),
        None => place.map(|_| DELEGATED.to_owned()),
    }
}

/// For a cgroup of a system that has the controllers and does not hand them down so far.
const DELEGATED: &str = "have them delegated: start pinfold by `systemd-run --user --scope -p Delegate=yes`, without --user as root. The \
     systemd of a user has those that Delegate= of user@.service names (`systemctl edit user@.service`), and a container \
     those that its engine has";

/// The cgroups of this process, a line for each hierarchy (cgroups(7)).
const OWN: &str = "/proc/self/cgroup";

/// Where a version 1 hierarchy has a controller at work.
fn version_1(own: &str, controller: &str) -> Option<String> {
    let controller = if controller == "io" { "blkio" } else { controller };
    own.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (number, names) = (parts.next()?, parts.next()?);
        (number != "0" && names.split(',').any(|name| name == controller)).then(|| line.to_owned())
    })
}

fn lasting(controllers: Controllers, why: &str) -> Refusal {
    let (names, s) = (controllers.names(), if controllers.iter().count() == 1 { "" } else { "s" });
    Refusal {
        what: format!("its limits cannot be enforced by the {names} controller{s}: {why}"),
        instead: "run it in a cgroup that is delegated with these controllers (systemd-run --user --scope -p Delegate=yes), or ask for limits of each process: Enforcement::PerProcess".to_owned(),
        passing: None,
        limits: true,
    }
}

/// A file that the kernel refused.
fn refused(cgroup: &Cgroup, controllers: Controllers, file: &str, what: &str, error: io::Error) -> Refusal {
    let path: PathBuf = cgroup.path().join(file);
    let mut refusal = lasting(controllers, &format!("{} {what}: {error}", path.display()));
    match error.kind() {
        io::ErrorKind::NotFound => refusal.instead = "this kernel has no such limit".to_owned(),
        io::ErrorKind::InvalidInput => refusal.instead = "choose another value".to_owned(),
        _ => {}
    }
    if pinfold_os::wait::is_exhaustion(&error) {
        refusal.passing = Some(error);
    }
    refusal
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn who_lacks_controllers_is_told_what_has_them_or_hands_them_down() {
        let cgroup = tempfile::tempdir().unwrap();
        let (unified, hybrid) = ("0::/user.slice\n", "9:cpu,cpuacct:/a\n4:blkio:/b\n0::/\n");
        let place = Some(cgroup.path());
        let said = |own, place, missing: &[&str]| remedy_by(own, place, missing);
        let holds =
            |said: Option<String>, part: &str| assert!(said.clone().unwrap().contains(part), "{said:?}");
        // Without a type it is the root of the hierarchy.
        holds(said(unified, place, &["memory"]), "cgroup_disable=");
        std::fs::write(cgroup.path().join("cgroup.type"), "domain\n").unwrap();
        holds(said(unified, place, &["cpuset", "io"]), "systemd-run --user --scope -p Delegate=yes");
        holds(
            said(hybrid, place, &["memory", "io"]),
            "the io controller belongs to a cgroup v1 hierarchy (4:blkio:/b)",
        );
        holds(said(hybrid, None, &["cpu"]), "unified_cgroup_hierarchy=1");
        holds(said(hybrid, place, &["memory"]), "Delegate=yes");
        assert_eq!(said(hybrid, place, &[]), None);
        // Why there is no cgroup v2 at all is told elsewhere.
        assert_eq!(said(unified, None, &["memory"]), None);
    }
}
