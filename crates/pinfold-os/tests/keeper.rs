//! Keepers: what they keep ends with them, and what is told of it is exact.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(unsafe_code, reason = "an escape that only a system call of its own makes")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use pinfold_os::handle::Process;
use pinfold_os::linux::keeper::{Keeper, Keeping, available, spawn_by};
use pinfold_os::order::{Env, Order, SpawnError, Step};
use pinfold_os::poll::{Direction, Waitable, wait};
use pinfold_os::signal::Signal;
use pinfold_os::spawn::Route;
use pinfold_os::wait::ExitStatus;
use std::ffi::CString;
use std::time::{Duration, Instant};

const BOTH: [Keeping; 2] = [Keeping::Subreaper, Keeping::PidNamespace];

fn order(program: &str, args: &[&str]) -> Order<'static> {
    let words = std::iter::once(program).chain(args.iter().copied());
    let argv: Vec<CString> = words.map(|word| CString::new(word).unwrap()).collect();
    Order::new(CString::new(program).unwrap(), argv, Env::Ours)
}

fn sh(script: &str) -> Order<'static> {
    order("/bin/sh", &["-c", script])
}

/// The ways that this host has, with every route.
fn ways() -> Vec<(Keeping, Route)> {
    let here = BOTH.into_iter().filter(|keeping| match available(*keeping) {
        Ok(()) => true,
        Err(why) => {
            eprintln!("skipped: {keeping:?} cannot be had: {why:?}");
            false
        }
    });
    here.flat_map(|keeping| Route::ALL.map(|route| (keeping, route))).collect()
}

fn ends_soon(keeper: &Keeper) -> bool {
    let waitable = Waitable { descriptor: keeper.waitable(), direction: Direction::Read };
    wait(&[waitable], Some(Instant::now() + Duration::from_secs(20))).unwrap();
    keeper.has_ended()
}

fn start(way: (Keeping, Route), order: &Order<'_>) -> Result<(Process, Keeper), SpawnError> {
    spawn_by(Some(way.1), order, way.0)
}

#[test]
fn the_end_of_the_program_is_told_as_it_was() {
    for way in ways() {
        let (mut process, keeper) = start(way, &sh("exit 7")).unwrap();
        assert_eq!(process.reap().unwrap().status, ExitStatus::Code(7), "{way:?}");
        assert!(ends_soon(&keeper), "{way:?}");
        let (mut process, keeper) = start(way, &sh("kill -9 $$")).unwrap();
        let killed = ExitStatus::Signal { signal: Signal::KILL, core_dumped: false };
        // The first process of a namespace is immune to what is sent from inside, which the program is not.
        assert_eq!(process.reap().unwrap().status, killed, "{way:?}");
        assert!(ends_soon(&keeper), "{way:?}");
        let (mut process, keeper) = start(way, &order("/bin/sleep", &["100"])).unwrap();
        assert_eq!(process.try_reap().unwrap(), None);
        process.signal(Signal::TERM).unwrap();
        let ended = ExitStatus::Signal { signal: Signal::TERM, core_dumped: false };
        assert_eq!(process.reap().unwrap().status, ended, "{way:?}");
        assert!(ends_soon(&keeper), "{way:?}");
    }
}

/// The processes that have this in their environment, but for this one.
fn marked(mark: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let others = processes.filter(|entry| *entry.file_name() != *std::process::id().to_string());
    let environments = others.filter_map(|entry| std::fs::read(entry.path().join("environ")).ok());
    environments
        .filter(|variables| variables.split(|byte| *byte == 0).any(|one| one == mark.as_bytes()))
        .count()
}

#[test]
fn a_child_that_was_given_to_the_keeper_ends_with_it() {
    const VARIABLE: &str = "PINFOLD_TEST_CLONE_PARENT";
    const NAME: &str = "a_child_that_was_given_to_the_keeper_ends_with_it";
    if std::env::var_os(VARIABLE).is_some() {
        let flags = libc::c_long::from(libc::CLONE_PARENT | libc::SIGCHLD);
        // SAFETY: without a stack of its own and without CLONE_VM this is a fork; the copy does nothing but wait.
        let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
        if pid == 0 {
            loop {
                // SAFETY: takes nothing and gives nothing.
                unsafe { libc::pause() };
            }
        }
        std::process::exit(if pid > 0 { 5 } else { 6 });
    }
    for (number, way) in ways().into_iter().enumerate() {
        let mark = format!("{VARIABLE}={}-{number}", std::process::id());
        let mut order = order("/proc/self/exe", &["--exact", NAME, "--nocapture"]);
        order.env = vec![CString::new(mark.clone()).unwrap()].into();
        let (mut process, keeper) = start(way, &order).unwrap();
        let status = process.reap().unwrap().status;
        if status == ExitStatus::Code(6) && cfg!(not(target_arch = "x86_64")) {
            eprintln!("skipped: what emulates this processor knows no CLONE_PARENT");
            return;
        }
        assert_eq!(status, ExitStatus::Code(5), "{way:?}");
        assert_eq!((marked(&mark), keeper.has_ended()), (1, false), "{way:?}: it is there, and kept");
        keeper.hang_up();
        assert!(ends_soon(&keeper), "{way:?}");
        assert_eq!(marked(&mark), 0, "{way:?}");
    }
}

#[test]
fn an_orphan_keeps_the_keeper_and_ends_with_it() {
    for way in ways() {
        // The orphan has left the session and the group.
        let (mut process, keeper) = start(way, &sh("setsid sleep 100 & exit 0")).unwrap();
        assert_eq!(process.reap().unwrap().status, ExitStatus::Code(0));
        assert!(!keeper.has_ended(), "{way:?}");
        keeper.hang_up();
        assert!(ends_soon(&keeper), "{way:?}");
    }
}

#[test]
fn what_fails_is_named_and_leaves_nothing() {
    for way in ways() {
        let missing = start(way, &order("/no/such/program", &[])).unwrap_err();
        assert_eq!((missing.step, missing.source.raw_os_error()), (Step::Exec, Some(2)), "{way:?}");
        let mut elsewhere = sh("exit 0");
        elsewhere.directory = Some(pinfold_os::order::Directory::Path(c"/no/such".to_owned()));
        assert_eq!(start(way, &elsewhere).unwrap_err().step, Step::Directory, "{way:?}");
    }
}

#[test]
fn a_namespace_has_pids_and_a_proc_of_its_own() {
    for way in ways().into_iter().filter(|(keeping, _)| *keeping == Keeping::PidNamespace) {
        // The first process becomes what it is to be once it has made this one.
        let script = "test $$ = 2 && test \"$(readlink /proc/self)\" != '' && test -d /proc/1 && test ! -d /proc/4000000 && \
                      until test \"$(cat /proc/1/comm)\" = pinfold-init; do sleep 0.01; done";
        let (mut process, _keeper) = start(way, &sh(script)).unwrap();
        assert_eq!(process.reap().unwrap().status, ExitStatus::Code(0), "{way:?}");
    }
}
