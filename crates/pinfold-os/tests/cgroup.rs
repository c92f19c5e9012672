//! Births and deaths in a cgroup, in a directory of our own.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it skips"
)]

use pinfold_os::linux::cgroup::Cgroup;
use pinfold_os::order::Order;
use pinfold_os::poll::wait;
use pinfold_os::signal::Signal;
use pinfold_os::spawn::{Route, chosen, spawn, spawn_by};
use pinfold_os::wait::ExitStatus;
use std::ffi::CString;
use std::path::PathBuf;

/// A new cgroup beside us, or `None` where this user can make none.
fn own_cgroup(name: &str) -> Option<Cgroup> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let mount = mounts.lines().find(|line| line.contains(" - cgroup2 "))?.split(' ').nth(4)?.to_owned();
    let own = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?.to_owned();
    let path = PathBuf::from(mount).join(own).join(format!("pinfold-test.{name}.{}", std::process::id()));
    let made = Cgroup::create(&path);
    if let Err(error) = &made {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "CI has a cgroup v2 to write to: {error}");
        eprintln!("skipped: no cgroup can be made at {}: {error}", path.display());
    }
    made.ok()
}

fn shell(script: &str) -> Order<'static> {
    let c = |text: &str| CString::new(text).unwrap();
    Order::new(c("/bin/sh"), vec![c("sh"), c("-c"), c(script)], vec![c("PATH=/usr/bin:/bin")])
}

fn wait_until_empty(cgroup: &Cgroup) {
    while cgroup.is_populated().unwrap() {
        wait(&[cgroup.waitable().unwrap()], None).unwrap();
    }
}

#[test]
fn every_route_puts_the_child_inside_and_a_kill_ends_all_of_it() {
    let Some(cgroup) = own_cgroup("routes") else { return };
    let first = Route::ALL.iter().position(|route| *route == chosen()).unwrap();
    for route in &Route::ALL[first..] {
        let mut order = shell("sleep 60 & setsid sleep 60 & wait");
        order.cgroup = Some(cgroup.directory().unwrap());
        let mut child = spawn_by(*route, &order).unwrap();
        assert!(cgroup.processes().unwrap().contains(&child.pid()), "{route:?}");
        assert!(cgroup.is_populated().unwrap());
        cgroup.kill().unwrap();
        wait_until_empty(&cgroup);
        let killed = ExitStatus::Signal { signal: Signal::KILL, core_dumped: false };
        assert_eq!(child.reap().unwrap().status, killed);
    }
    cgroup.remove().unwrap();
}

#[test]
fn a_cgroup_that_was_killed_still_takes_births() {
    let Some(cgroup) = own_cgroup("births") else { return };
    cgroup.kill().unwrap();
    for code in [3, 4] {
        let mut order = shell(&format!("exit {code}"));
        order.cgroup = Some(cgroup.directory().unwrap());
        assert_eq!(spawn(&order).unwrap().reap().unwrap().status, ExitStatus::Code(code));
    }
    cgroup.remove().unwrap();
}

#[test]
fn a_signal_reaches_every_member_and_nobody_else() {
    let Some(cgroup) = own_cgroup("signal") else { return };
    let outside = spawn(&shell("exec sleep 60")).unwrap();
    let mut inside: Vec<_> = (0..5)
        .map(|_| {
            let mut order = shell("exec sleep 60");
            order.cgroup = Some(cgroup.directory().unwrap());
            spawn(&order).unwrap()
        })
        .collect();
    assert_eq!(cgroup.signal(Signal::TERM).unwrap(), 5);
    wait_until_empty(&cgroup);
    for child in &mut inside {
        assert!(matches!(child.reap().unwrap().status, ExitStatus::Signal { signal: Signal::TERM, .. }));
    }
    let mut outside = outside;
    assert!(outside.try_reap().unwrap().is_none());
    outside.signal(Signal::KILL).unwrap();
    outside.reap().unwrap();
    cgroup.remove().unwrap();
}
