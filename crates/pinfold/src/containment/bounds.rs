//! Limits held against this host: which mechanism can enforce them, and what is to be written for them.

use super::ladder::{Choice, rung};
use super::refusal::{Lack, Refusal};
use super::{Container, Nest};
use crate::limits::{Enforcement, Limits};
use crate::outcome::{Guarantee, Mechanism};
use crate::settings::{Containment, Isolation};
use std::sync::Arc;

#[cfg(target_os = "linux")]
use super::knobs::{self, Setting};
#[cfg(target_os = "linux")]
use crate::limits::BlockDevice;

/// What a container is to be beside its mechanism.
#[derive(Clone, Copy, Default)]
pub(crate) struct Demand<'a> {
    pub(crate) limits: Option<&'a Limits>,
    pub(crate) group: Option<&'a Arc<Nest>>,
    /// Strangers in our cgroup may be moved for it.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux has cgroups"))]
    pub(crate) take_over: bool,
    /// This process runs nothing else meanwhile.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux has cgroups"))]
    pub(crate) alone: bool,
    /// The guard is to be a child of ours.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux has guards"))]
    pub(crate) guard_as_child: bool,
}

/// Chooses the mechanism for a command with these limits, or its group's.
pub(crate) fn choose_for(mut wanted: Containment, demand: Demand<'_>) -> Result<Choice, Refusal> {
    let choice = match demand.group {
        Some(group) => Choice { mechanism: group.admit(wanted)?, missed: None },
        None => {
            // The strongest guarantee and limits go together: a namespace inside of a cgroup.
            let best = wanted.isolation == Isolation::Best && wanted.require != Some(Guarantee::Kernel);
            if takes_cgroup(demand.limits) && best {
                if let Err(Lack::Lasting(why)) = rung(Mechanism::CgroupV2) {
                    return Err(Refusal::no_cgroup(&why));
                }
                wanted.isolation = Isolation::Cgroup;
            }
            super::choose(wanted)?
        }
    };
    if takes_cgroup(demand.limits) {
        check(choice.mechanism, demand)?;
    }
    Ok(choice)
}

fn takes_cgroup(limits: Option<&Limits>) -> bool {
    limits.is_some_and(|limits| !limits.is_empty() && limits.enforcement == Enforcement::Cgroup)
}

/// Whether limits can be enforced, as far as that shows without changing anything.
fn check(mechanism: Mechanism, demand: Demand<'_>) -> Result<(), Refusal> {
    #[cfg(target_os = "linux")]
    if mechanism != Mechanism::ProcessGroup {
        if let Err(Lack::Lasting(why)) = rung(Mechanism::CgroupV2) {
            return Err(Refusal::no_cgroup(&why));
        }
        let wanted = knobs::controllers(&settings(demand.limits)?);
        return super::cgroup::could_provide(wanted, demand.take_over);
    }
    let _ = demand;
    Err(Refusal::no_cgroup(&format!("it is to be held together by {mechanism}")))
}

/// What is to be written for them.
#[cfg(target_os = "linux")]
pub(super) fn settings(limits: Option<&Limits>) -> Result<Vec<Setting>, Refusal> {
    let Some(limits) = limits.filter(|_| takes_cgroup(limits)) else { return Ok(Vec::new()) };
    let devices = limits.io.iter().map(|limit| numbers(&limit.device)).collect::<Result<Vec<_>, _>>()?;
    Ok(knobs::settings(limits, &devices))
}

#[cfg(target_os = "linux")]
fn numbers(device: &BlockDevice) -> Result<(u32, u32), Refusal> {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    let path = match device {
        BlockDevice::Number { major, minor } => return Ok((*major, *minor)),
        BlockDevice::Path(path) => path,
    };
    let refused = |why: String| Refusal {
        what: format!("its I/O limit cannot be set on {}: {why}", path.display()),
        instead: "name a block device, such as /dev/sda".to_owned(),
        passing: None,
        limits: true,
    };
    let found = std::fs::metadata(path).map_err(|error| refused(error.to_string()))?;
    if !found.file_type().is_block_device() {
        return Err(refused("it is no block device".to_owned()));
    }
    // makedev(3), as glibc and musl have it.
    let number = found.rdev();
    let major = (number >> 8 & 0xfff | number >> 32 & !0xfff) as u32;
    Ok((major, (number & 0xff | number >> 12 & !0xff) as u32))
}

impl Container {
    /// An empty one, as it is demanded. Its limits are in force before anything can be in it.
    pub(crate) fn make_for(
        mechanism: Mechanism,
        required: Option<Guarantee>,
        demand: Demand<'_>,
    ) -> Result<Container, Refusal> {
        #[cfg(target_os = "linux")]
        if mechanism == Mechanism::CgroupV2 {
            let guarded = required >= Some(Guarantee::Guarded);
            let leaf = super::cgroup::Leaf::bound(settings(demand.limits)?, demand, guarded)?;
            return Ok(Container::Cgroup(leaf));
        }
        #[cfg(target_os = "linux")]
        if takes_cgroup(demand.limits) && matches!(mechanism, Mechanism::Subreaper | Mechanism::PidNamespace)
        {
            let leaf = super::cgroup::Leaf::bound(
                settings(demand.limits)?,
                Demand { group: None, ..demand },
                false,
            )?;
            return Ok(Container::Kept(super::kept::Kept::new(mechanism, Some(leaf))));
        }
        let _ = demand;
        Container::make(mechanism, required)
            .map_err(|error| Refusal::at(&format!("make its {mechanism}"), error))
    }

    /// Changes its limits to these.
    pub(crate) fn set_limits(&self, limits: &Limits) -> Result<(), Refusal> {
        if limits.enforcement == Enforcement::PerProcess {
            return Err(Refusal {
                what: "limits of each process cannot be changed once it runs".to_owned(),
                instead: "use limits that a cgroup enforces".to_owned(),
                passing: None,
                limits: true,
            });
        }
        match self {
            #[cfg(target_os = "linux")]
            Container::Cgroup(leaf) => leaf.bind(settings(Some(limits))?),
            #[cfg(target_os = "linux")]
            Container::Kept(kept) if kept.leaf().is_some() => {
                kept.leaf().map_or(Ok(()), |leaf| leaf.bind(settings(Some(limits))?))
            }
            _ => Err(Refusal::no_cgroup(&format!("it is held together by {}", self.mechanism()))),
        }
    }

    /// What its controllers have counted.
    pub(crate) fn counters(&self) -> super::Counters {
        match self {
            #[cfg(target_os = "linux")]
            Container::Cgroup(leaf) => leaf.counters(),
            #[cfg(target_os = "linux")]
            Container::Kept(kept) => kept.leaf().map(super::cgroup::Leaf::counters).unwrap_or_default(),
            _ => super::Counters::default(),
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::limits::IoLimit;

    #[test]
    fn a_device_is_told_by_its_file_or_refused() {
        let null = BlockDevice::Path("/dev/null".into());
        let refusal =
            settings(Some(&Limits::new().io_max(IoLimit { read_bytes: Some(1), ..IoLimit::new(null) })));
        assert!(refusal.is_err_and(|refusal| refusal.what.contains("no block device")));
        let number = BlockDevice::Number { major: 259, minor: 300 };
        assert_eq!(numbers(&number).ok(), Some((259, 300)));
    }
}
