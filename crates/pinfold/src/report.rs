//! What this host offers for containment, as data: each rung of the ladder with what it would guarantee or why it cannot be
//! had, and the facts that this rests on.

use crate::containment::{Lack, guarantee, rung};
use crate::outcome::{Guarantee, Mechanism};
use std::fmt;
use std::path::PathBuf;

/// What this host offers to this process.
///
/// ```
/// let report = pinfold::HostReport::examine();
/// for rung in &report.rungs {
///     match (&rung.guarantee, &rung.lacking) {
///         (Some(guarantee), _) => println!("{} guarantees {guarantee}", rung.mechanism),
///         (None, why) => println!("{} cannot be had: {}", rung.mechanism, why.as_deref().unwrap_or("?")),
///     }
/// }
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct HostReport {
    /// The kernel's release; `None` where it does not say.
    pub kernel: Option<String>,
    /// How processes are made: `clone3`, `clone` or `fork`.
    pub spawn_route: &'static str,
    /// Every mechanism of this platform, in the order in which they are tried; the last but one is only taken on request.
    pub rungs: Vec<Rung>,
    /// What a run gets that asks for nothing.
    pub best: Mechanism,
    /// The cgroup v2 hierarchy.
    pub cgroup: CgroupReport,
    /// Whether this build holds the guard's program, which is the keeper's too.
    pub guard_built: bool,
    /// Whether processes have handles (`pidfd_open(2)`).
    pub pidfds: bool,
    /// Why there can be no user namespaces; `None` where nothing is known to forbid them.
    pub user_namespaces_lacking: Option<String>,
    /// The registry of owners.
    pub registry: RegistryReport,
}

/// One mechanism.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Rung {
    /// Which.
    pub mechanism: Mechanism,
    /// What it would guarantee; `None` if it cannot be had.
    pub guarantee: Option<Guarantee>,
    /// Why it cannot be had.
    pub lacking: Option<String>,
    /// How it, or more from it, could be had.
    pub remedy: Option<String>,
}

/// The cgroup v2 hierarchy.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CgroupReport {
    /// The directory that this process is in.
    pub place: Option<PathBuf>,
    /// The controllers there are in it; without them runs can be contained and not limited.
    pub controllers: Vec<String>,
    /// How those could be had that limits are made of and that are missing there; `None` where none is, or nothing is known.
    pub remedy: Option<String>,
    /// Whether all of a cgroup can be killed in one word (`cgroup.kill`, Linux 5.14).
    pub kill: bool,
}

/// The registry of owners.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RegistryReport {
    /// Its directory.
    pub directory: Option<PathBuf>,
    /// Why nothing can be noted there: runs are then found by nobody but their owner.
    pub lacking: Option<String>,
}

/// The ladder, and before its last rung what is only taken when the kernel's own guarantee is asked for.
const RUNGS: [Mechanism; 4] =
    [Mechanism::CgroupV2, Mechanism::Subreaper, Mechanism::PidNamespace, Mechanism::ProcessGroup];

/// The controllers that limits are made of.
const LIMITING: [&str; 5] = ["memory", "pids", "cpu", "cpuset", "io"];

/// Those that are not among these.
fn missing(controllers: &[String]) -> Vec<&'static str> {
    LIMITING.into_iter().filter(|name| !controllers.iter().any(|have| have == name)).collect()
}

impl HostReport {
    /// Looks, and tries what only trying tells: it starts a few processes, which end at once, and makes a cgroup.
    pub fn examine() -> HostReport {
        let rungs: Vec<Rung> = RUNGS.into_iter().map(examine).collect();
        let had = |mechanism: &Rung| mechanism.guarantee.is_some();
        let default =
            rungs.iter().filter(|rung| rung.mechanism != Mechanism::PidNamespace).find(|rung| had(rung));
        HostReport {
            kernel: facts::kernel(),
            spawn_route: pinfold_os::spawn::chosen().name(),
            best: default.map_or(Mechanism::ProcessGroup, |rung| rung.mechanism),
            cgroup: facts::cgroup(),
            guard_built: facts::guard_built(),
            pidfds: facts::pidfds(),
            user_namespaces_lacking: facts::user_namespaces_lacking(),
            registry: facts::registry(),
            rungs,
        }
    }

    /// Whether there is anything better than a process group.
    pub fn contains(&self) -> bool {
        let better = |rung: &Rung| rung.mechanism != Mechanism::ProcessGroup && rung.guarantee.is_some();
        self.rungs.iter().any(better)
    }
}

fn examine(mechanism: Mechanism) -> Rung {
    let remedy = |guarantee| remedy(mechanism, guarantee).map(str::to_owned);
    let (guarantee, lacking) = match rung(mechanism) {
        Ok(()) => (Some(guarantee(mechanism)), None),
        Err(Lack::Lasting(why)) => (None, Some(why)),
        Err(Lack::Passing(error)) => (None, Some(format!("something had run out: {error}"))),
    };
    Rung { mechanism, guarantee, lacking, remedy: remedy(guarantee) }
}

/// How it, or more of it, could be had.
fn remedy(mechanism: Mechanism, guarantee: Option<Guarantee>) -> Option<&'static str> {
    match (mechanism, guarantee) {
        (Mechanism::CgroupV2, None) => Some(
            "run as root, or in a cgroup that is delegated to your user: `systemd-run --user --scope -p Delegate=yes`, or a \
             container whose /sys/fs/cgroup is writable (`docker run --security-opt writable-cgroups=true`, `podman run \
             --security-opt unmask=/sys/fs/cgroup`)",
        ),
        (Mechanism::CgroupV2, Some(Guarantee::WhileOwnerLives)) => {
            Some("the guard is missing: build pinfold where rustc and its linker can make it")
        }
        (Mechanism::Subreaper, None) => {
            Some("Linux 5.3 with CONFIG_PROC_CHILDREN, and a build that holds the guard")
        }
        (Mechanism::PidNamespace, None) => {
            Some("run as root, or allow user namespaces (sysctl user.max_user_namespaces)")
        }
        _ => None,
    }
}

impl fmt::Display for HostReport {
    /// A line for each fact, the rungs first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "What can hold a run together here, in the order tried:")?;
        for rung in &self.rungs {
            let name = rung.mechanism.as_str();
            match (rung.guarantee, &rung.lacking) {
                (Some(guarantee), _) => {
                    let note = match rung.mechanism {
                        mechanism if mechanism == self.best => ", taken where nothing is asked for",
                        Mechanism::PidNamespace => ", taken on request",
                        _ => "",
                    };
                    writeln!(f, "  {name:<14} guarantees {guarantee}: {}{note}", meaning(guarantee))?;
                }
                (None, why) => {
                    writeln!(f, "  {name:<14} cannot be had: {}", why.as_deref().unwrap_or("unknown"))?;
                }
            }
            if let Some(remedy) = &rung.remedy {
                writeln!(f, "  {:<14} to have it: {remedy}", "")?;
            }
        }
        writeln!(f, "\nWhat this rests on:")?;
        let mut line = |name: &str, value: &str| writeln!(f, "  {name:<16} {value}");
        let or_unknown = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".to_owned());
        let yes = |yes: bool| if yes { "yes" } else { "no" };
        line("kernel", &or_unknown(&self.kernel))?;
        line("spawned by", self.spawn_route)?;
        let place = self.cgroup.place.as_ref().map(|place| place.display().to_string());
        line("cgroup v2", &place.unwrap_or_else(|| "none".to_owned()))?;
        let controllers = match self.cgroup.controllers.as_slice() {
            [] => "none: runs are contained there, and cannot be limited together".to_owned(),
            some => {
                let lack = match &missing(some)[..] {
                    [] => String::new(),
                    missing => format!(" (limits that need {} are refused)", missing.join(", ")),
                };
                some.join(" ") + &lack
            }
        };
        line("controllers", &controllers)?;
        if let Some(remedy) = &self.cgroup.remedy {
            line("", &format!("to have them: {remedy}"))?;
        }
        line("cgroup.kill", yes(self.cgroup.kill))?;
        line("guard built", yes(self.guard_built))?;
        line("pidfds", yes(self.pidfds))?;
        line("user namespaces", self.user_namespaces_lacking.as_deref().unwrap_or("yes"))?;
        let directory = self.registry.directory.as_ref().map(|path| path.display().to_string());
        let registry = match (directory, &self.registry.lacking) {
            (Some(directory), None) => directory,
            (Some(directory), Some(why)) => {
                format!("{directory} cannot be written to: {why}; name another with PINFOLD_REGISTRY")
            }
            (None, why) => why.clone().unwrap_or_else(|| "none".to_owned()),
        };
        line("registry", &registry)
    }
}

fn meaning(guarantee: Guarantee) -> &'static str {
    match guarantee {
        Guarantee::BestEffort => "descendants that try can get away",
        Guarantee::WhileOwnerLives => "none gets away unless pinfold itself is killed",
        Guarantee::Guarded => "none gets away, even when pinfold itself is killed",
        Guarantee::Kernel => "the kernel itself ends them all",
    }
}

#[cfg(target_os = "linux")]
mod facts {
    use super::{CgroupReport, LIMITING, RegistryReport, missing};
    use crate::containment::{cgroup_place, controllers_remedy};
    use crate::registry;
    use pinfold_os::deny::{Feature, denied};
    use std::fs;

    fn read(path: &str) -> Option<String> {
        fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
    }

    pub(super) fn kernel() -> Option<String> {
        read("/proc/sys/kernel/osrelease")
    }

    pub(super) fn guard_built() -> bool {
        pinfold_os::linux::guard::is_built()
    }

    pub(super) fn pidfds() -> bool {
        let own = pinfold_os::handle::Pid::new(std::process::id().into());
        // As PID 1 we have no name for ourselves, on a kernel that has containers, which came later.
        let opened = |pid| pinfold_os::handle::Process::open(pid).is_ok();
        !denied(Feature::Pidfd) && own.is_none_or(opened)
    }

    pub(super) fn cgroup() -> CgroupReport {
        let Ok(place) = cgroup_place() else {
            return CgroupReport { remedy: controllers_remedy(None, &LIMITING), ..CgroupReport::default() };
        };
        let controllers = fs::read_to_string(place.join("cgroup.controllers")).unwrap_or_default();
        let controllers: Vec<String> = controllers.split_whitespace().map(str::to_owned).collect();
        // The root of the hierarchy has no such file, and what is made in it has.
        let below = fs::read_dir(&place).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut directories =
            crate::containment::cgroup_directory().into_iter().chain([place.clone()]).chain(below);
        CgroupReport {
            remedy: controllers_remedy(Some(&place), &missing(&controllers)),
            controllers,
            kill: !denied(Feature::CgroupKill) && directories.any(|path| path.join("cgroup.kill").exists()),
            place: Some(place),
        }
    }

    pub(super) fn user_namespaces_lacking() -> Option<String> {
        let is = |path: &str, value: &str| read(path).as_deref() == Some(value);
        let is_root = pinfold_os::users::effective() == 0;
        if !fs::exists("/proc/self/ns/user").unwrap_or(false) {
            return Some("no: the kernel has none (CONFIG_USER_NS)".to_owned());
        }
        if is("/proc/sys/user/max_user_namespaces", "0") {
            return Some("no: user.max_user_namespaces is 0".to_owned());
        }
        if !is_root && is("/proc/sys/kernel/unprivileged_userns_clone", "0") {
            return Some("for root only: kernel.unprivileged_userns_clone is 0".to_owned());
        }
        if !is_root && is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1") {
            let why = "for root only: kernel.apparmor_restrict_unprivileged_userns is 1";
            return Some(why.to_owned());
        }
        None
    }

    pub(super) fn registry() -> RegistryReport {
        match registry::place::directory() {
            Err(why) => RegistryReport { directory: None, lacking: Some(why) },
            Ok(directory) => {
                let lacking = registry::try_out(&directory).err().map(|error| error.to_string());
                RegistryReport { directory: Some(directory), lacking }
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod facts {
    use super::{CgroupReport, RegistryReport};

    pub(super) fn kernel() -> Option<String> {
        None
    }

    pub(super) fn guard_built() -> bool {
        false
    }

    pub(super) fn pidfds() -> bool {
        false
    }

    pub(super) fn cgroup() -> CgroupReport {
        CgroupReport::default()
    }

    pub(super) fn user_namespaces_lacking() -> Option<String> {
        Some("no: only Linux has them".to_owned())
    }

    pub(super) fn registry() -> RegistryReport {
        RegistryReport { directory: None, lacking: Some("only on Linux yet".to_owned()) }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn each_rung_is_had_or_its_lack_explained() {
        let report = HostReport::examine();
        assert_eq!(report.rungs.len(), RUNGS.len());
        for rung in &report.rungs {
            assert_ne!(rung.guarantee.is_some(), rung.lacking.is_some(), "{rung:?}");
            assert!(rung.lacking.is_none() || rung.remedy.is_some(), "{rung:?}");
            assert!(report.to_string().contains(rung.mechanism.as_str()));
        }
        // What the plan of a run says is the same.
        let plan = crate::Command::new("true");
        let Ok(plan) = plan.plan() else { return };
        assert_eq!(plan.mechanism(), report.best);
        let promised = report.rungs.iter().find(|rung| rung.mechanism == report.best);
        assert_eq!(promised.and_then(|rung| rung.guarantee), Some(plan.guarantee()));
    }
}
