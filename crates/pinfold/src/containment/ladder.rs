//! The ladder: what can hold a run together here, what that is good for, and which of it a command gets.

use super::refusal::{Lack, Refusal};
use crate::outcome::{Guarantee, Mechanism};
use crate::settings::{Containment, Isolation};

/// What is tried, best first, where nothing is asked for by name.
const LADDER: [Mechanism; 3] = [Mechanism::CgroupV2, Mechanism::Subreaper, Mechanism::ProcessGroup];
/// The only one that the kernel itself ends.
const STRONGEST: [Mechanism; 1] = [Mechanism::PidNamespace];

/// What was chosen.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub(crate) mechanism: Mechanism,
    /// What would have been better and cannot be had, with why.
    pub(crate) missed: Option<String>,
}

/// Chooses the mechanism for a command on this host.
pub(crate) fn choose(wanted: Containment) -> Result<Choice, Refusal> {
    let candidates: &[Mechanism] = match wanted.isolation {
        Isolation::Best if wanted.require == Some(Guarantee::Kernel) => &STRONGEST,
        Isolation::Best => &LADDER,
        Isolation::Cgroup => &[Mechanism::CgroupV2],
        Isolation::Subreaper => &[Mechanism::Subreaper],
        Isolation::PidNamespace => &[Mechanism::PidNamespace],
        Isolation::ProcessGroup => &[Mechanism::ProcessGroup],
    };
    let mut lacking = Vec::new();
    for mechanism in candidates.iter().copied() {
        match rung(mechanism) {
            Ok(()) if wanted.require.is_some_and(|required| guarantee(mechanism) < required) => {
                lacking.push(format!("{mechanism} guarantees {}", guarantee(mechanism)));
            }
            Ok(()) => {
                let missed = (!lacking.is_empty()).then(|| lacking.join("; "));
                return Ok(Choice { mechanism, missed });
            }
            Err(Lack::Lasting(why)) => lacking.push(format!("{mechanism} cannot be had: {why}")),
            Err(Lack::Passing(error)) => {
                return Err(Refusal {
                    what: format!("failed to find a container for it: {error}"),
                    instead: "see ulimit -n for descriptors, ulimit -u for processes".to_owned(),
                    passing: Some(error),
                    limits: false,
                });
            }
        }
    }
    let asked = match wanted.require {
        Some(required) => format!("the guarantee {required} was required"),
        None => format!("isolation by {} was asked for", candidates[0]),
    };
    let instead = match (wanted.isolation, wanted.require) {
        (_, Some(_)) => "require less, or nothing",
        (Isolation::Cgroup, _) => "run as root, or in a cgroup that is delegated to your user",
        (Isolation::PidNamespace, _) => "run as root, or allow user namespaces (user.max_user_namespaces)",
        _ => "use isolation cgroup or best",
    };
    Err(Refusal {
        what: format!("{asked}, and {}", lacking.join("; ")),
        instead: instead.to_owned(),
        passing: None,
        limits: false,
    })
}

/// Whether this host has a mechanism, and if not, why not. What was found is remembered.
pub(crate) fn rung(mechanism: Mechanism) -> Result<(), Lack> {
    #[cfg(target_os = "linux")]
    match mechanism {
        Mechanism::CgroupV2 => return super::cgroup::available(),
        Mechanism::Subreaper => return linux::kept(pinfold_os::linux::keeper::Keeping::Subreaper),
        Mechanism::PidNamespace => return linux::kept(pinfold_os::linux::keeper::Keeping::PidNamespace),
        _ => {}
    }
    match mechanism {
        Mechanism::ProcessGroup => Ok(()),
        Mechanism::JobObject => Err(Lack::lasting("only Windows has them")),
        _ => Err(Lack::lasting("only Linux has them")),
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use super::Lack;
    use pinfold_os::linux::keeper::{Keeping, available};
    use std::sync::OnceLock;

    /// Whether there can be keepers: found out by making one, once.
    pub(super) fn kept(keeping: Keeping) -> Result<(), Lack> {
        static SUBREAPER: OnceLock<Option<String>> = OnceLock::new();
        static NAMESPACE: OnceLock<Option<String>> = OnceLock::new();
        let known = match keeping {
            Keeping::Subreaper => &SUBREAPER,
            Keeping::PidNamespace => &NAMESPACE,
        };
        let found = match known.get() {
            Some(found) => found,
            None => {
                let found = match available(keeping) {
                    Ok(()) => None,
                    Err(lack) => match lack.source {
                        Some(error) if pinfold_os::wait::is_exhaustion(&error) => {
                            return Err(Lack::Passing(error));
                        }
                        _ => Some(lack.why),
                    },
                };
                known.get_or_init(|| found)
            }
        };
        found.as_ref().map_or(Ok(()), |why| Err(Lack::lasting(why.as_str())))
    }
}

/// What a mechanism is good for on this host, as far as that can be told before a run.
pub(crate) fn guarantee(mechanism: Mechanism) -> Guarantee {
    match mechanism {
        #[cfg(target_os = "linux")]
        Mechanism::CgroupV2 if super::cgroup::promises_guard() => Guarantee::Guarded,
        Mechanism::CgroupV2 => Guarantee::WhileOwnerLives,
        Mechanism::PidNamespace | Mechanism::JobObject => Guarantee::Kernel,
        Mechanism::Subreaper => Guarantee::Guarded,
        Mechanism::ProcessGroup => Guarantee::BestEffort,
        // It goes with the memory of its owner.
        Mechanism::Scripted => Guarantee::Kernel,
    }
}
