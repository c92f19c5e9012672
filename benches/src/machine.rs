//! What the numbers were taken on, in one line, and when.

use crate::Result;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Kernel, architecture, processor, cores and load.
pub(crate) fn line() -> String {
    let kernel = read("/proc/sys/kernel/osrelease");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = read("/proc/loadavg").split_whitespace().take(3).collect::<Vec<_>>().join(" ");
    let processor = read("/proc/cpuinfo");
    let model = processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("processor unknown", |(_, model)| model.trim());
    format!("Linux {kernel}, {}, {model}, {cores} cores, load {load}", std::env::consts::ARCH)
}

fn read(path: &str) -> String {
    fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default()
}

/// The directory of the cgroup v2 that this process is in.
pub(crate) fn cgroup() -> Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let mount = mounts.lines().find(|line| line.contains(" - cgroup2 ")).ok_or("no cgroup v2")?;
    let own = fs::read_to_string("/proc/self/cgroup")?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::/")).ok_or("no cgroup v2")?;
    Ok(Path::new(mount.split(' ').nth(4).ok_or("no cgroup v2")?).join(own))
}

/// Today as `YYYY-MM-DD`, UTC.
pub(crate) fn date() -> String {
    date_of(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn date_of(since_epoch: Duration) -> String {
    let mut days = since_epoch.as_secs() / 86_400;
    let mut year = 1970;
    while days >= 365 + leap(year) {
        days -= 365 + leap(year);
        year += 1;
    }
    let lengths = [31, 28 + leap(year), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    format!("{year}-{:02}-{:02}", month + 1, days + 1)
}

fn leap(year: u64) -> u64 {
    u64::from(year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        for (days, date) in [
            (0, "1970-01-01"),
            (58, "1970-02-28"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (20_454, "2026-01-01"),
        ] {
            assert_eq!(date_of(Duration::from_secs(days * 86_400 + 86_399)), date);
        }
    }
}
