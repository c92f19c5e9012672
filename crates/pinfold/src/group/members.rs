//! Who is in a group.

use pinfold_os::handle::Pid;
use pinfold_proc::Proc;
use std::time::Duration;

/// What a process is doing, by the letter of `/proc/PID/stat`.
pub use pinfold_proc::parse::stat::State as ProcessState;

/// A process of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct MemberInfo {
    /// Its pid.
    #[cfg_attr(feature = "serde", serde(with = "crate::wire::pid"))]
    pub pid: Pid,
    /// Its parent's pid; 0 for one outside of our PID namespace.
    pub ppid: u32,
    /// Its name (`/proc/PID/comm`), with what is no UTF-8 replaced.
    pub name: String,
    /// When it started, since the boot of this host.
    #[cfg_attr(feature = "serde", serde(rename = "started_seconds", with = "crate::wire::seconds"))]
    pub started: Duration,
    /// What it is doing. What the cgroup freezer holds sleeps, by this.
    #[cfg_attr(feature = "serde", serde(with = "crate::wire::state"))]
    pub state: ProcessState,
}

pub(super) fn describe(pids: &[Pid]) -> Vec<MemberInfo> {
    /// A tick of `USER_HZ`, on every architecture of ours.
    const TICK: Duration = Duration::from_millis(10);
    let mut proc = Proc::new("/proc");
    let mut member = |pid: &Pid| {
        let stat = proc.stat(pid.get()).ok()?;
        let ticks = stat.starttime;
        Some(MemberInfo {
            pid: *pid,
            ppid: stat.ppid.unwrap_or(0),
            name: String::from_utf8_lossy(stat.comm).into_owned(),
            started: Duration::from_secs(ticks / 100) + TICK * (ticks % 100) as u32,
            state: stat.state,
        })
    };
    pids.iter().filter_map(&mut member).collect()
}
