//! What the controllers of a cgroup have counted.

#[cfg(target_os = "linux")]
use super::knobs::{Controller, Controllers, keyed};
use crate::outcome::LimitsHit;
#[cfg(target_os = "linux")]
use pinfold_os::linux::cgroup::Cgroup;
#[cfg(target_os = "linux")]
use std::time::Duration;

/// Counted since the cgroup was made, or since its controllers came to it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Counters {
    pub(crate) hit: LimitsHit,
    /// The most memory that was in use at once, in bytes.
    pub(crate) peak_memory: Option<u64>,
}

impl Counters {
    /// Asks those of these controllers.
    #[cfg(target_os = "linux")]
    pub(crate) fn read(cgroup: &Cgroup, controllers: Controllers) -> Counters {
        let mut counters = Counters::default();
        let read =
            |controller, file| controllers.contains(controller).then(|| cgroup.read(file).ok()).flatten();
        if let Some(events) = read(Controller::Memory, "memory.events") {
            counters.hit.oom_kills = keyed(&events, "oom_kill");
            counters.hit.memory_max = keyed(&events, "max");
        }
        if let Some(peak) = read(Controller::Memory, "memory.peak") {
            counters.peak_memory = peak.trim().parse().ok();
        }
        if let Some(events) = read(Controller::Pids, "pids.events") {
            counters.hit.processes = keyed(&events, "max");
        }
        if let Some(stat) = read(Controller::Cpu, "cpu.stat") {
            counters.hit.throttled = keyed(&stat, "throttled_usec").map(Duration::from_micros);
        }
        counters
    }

    /// What came since `before`.
    pub(crate) fn since(self, before: Counters) -> Counters {
        let count = |now: Option<u64>, then: Option<u64>| Some(now?.saturating_sub(then.unwrap_or(0)));
        let throttled =
            self.hit.throttled.map(|now| now.saturating_sub(before.hit.throttled.unwrap_or_default()));
        let hit = LimitsHit {
            oom_kills: count(self.hit.oom_kills, before.hit.oom_kills),
            memory_max: count(self.hit.memory_max, before.hit.memory_max),
            processes: count(self.hit.processes, before.hit.processes),
            throttled,
        };
        Counters { hit, ..self }
    }

    /// What is known here, or else there.
    #[cfg(target_os = "linux")]
    pub(crate) fn or(self, other: Counters) -> Counters {
        let hit = LimitsHit {
            oom_kills: self.hit.oom_kills.or(other.hit.oom_kills),
            memory_max: self.hit.memory_max.or(other.hit.memory_max),
            processes: self.hit.processes.or(other.hit.processes),
            throttled: self.hit.throttled.or(other.hit.throttled),
        };
        Counters { hit, peak_memory: self.peak_memory.or(other.peak_memory) }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_before_is_not_ours() {
        let with = |processes, throttled: u64| {
            let throttled = Some(Duration::from_micros(throttled));
            Counters { hit: LimitsHit { processes, throttled, ..LimitsHit::default() }, peak_memory: Some(1) }
        };
        assert_eq!(with(Some(7), 9).since(with(Some(5), 4)), with(Some(2), 5));
        assert_eq!(with(Some(7), 9).since(Counters::default()), with(Some(7), 9));
        assert_eq!(with(None, 9).or(with(Some(3), 4)), with(Some(3), 9));
    }
}
