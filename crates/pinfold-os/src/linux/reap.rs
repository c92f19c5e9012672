//! Process handles on Linux: a pidfd, or what stands in for one.

use super::reports::{Reports, Told};
use super::sys::call;
use crate::deny::{Feature, denied};
use crate::handle::Pid;
use crate::signal::Signal;
use crate::wait::{Exit, ExitStatus, Usage};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Handle {
    name: Name,
    /// Our child, not waited for yet: its pid cannot be given away.
    unreaped_child: bool,
    /// Where the keeper that it is a child of tells of it.
    reports: Option<Reports>,
}

#[derive(Debug)]
enum Name {
    Pidfd(OwnedFd),
    /// For kernels without pidfds: an eventfd that one waiting thread feeds, and the start time.
    Watched {
        ended: OwnedFd,
        start: u64,
    },
}

fn errno(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}

impl Handle {
    pub(crate) fn open(pid: Pid) -> io::Result<Handle> {
        match open_pidfd(pid) {
            Ok(fd) => Ok(Handle { name: Name::Pidfd(fd), unreaped_child: false, reports: None }),
            Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => {
                Ok(Handle { name: watch(pid, false)?, unreaped_child: false, reports: None })
            }
            Err(error) => Err(error),
        }
    }

    pub(crate) fn child(pid: Pid, pidfd: Option<OwnedFd>) -> io::Result<Handle> {
        let name = match pidfd.map_or_else(|| open_pidfd(pid), Ok) {
            Ok(fd) => Name::Pidfd(fd),
            Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => watch(pid, true)?,
            Err(error) => return Err(error),
        };
        Ok(Handle { name, unreaped_child: true, reports: None })
    }

    pub(crate) fn kept(pidfd: OwnedFd, reports: OwnedFd) -> Handle {
        Handle { name: Name::Pidfd(pidfd), unreaped_child: false, reports: Some(Reports::new(reports)) }
    }

    pub(crate) fn twin(&self) -> io::Result<Handle> {
        match &self.name {
            Name::Pidfd(fd) => Ok(Handle {
                name: Name::Pidfd(fd.try_clone()?),
                unreaped_child: self.unreaped_child,
                reports: None,
            }),
            Name::Watched { .. } => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    pub(crate) fn waitable(&self) -> BorrowedFd<'_> {
        if let Some(reports) = self.reports.as_ref().and_then(Reports::waitable) {
            return reports;
        }
        match &self.name {
            Name::Pidfd(fd) => fd.as_fd(),
            Name::Watched { ended, .. } => ended.as_fd(),
        }
    }

    pub(crate) fn signal(&self, pid: Pid, signal: Option<Signal>) -> io::Result<()> {
        let number = signal.map_or(0, Signal::number);
        match &self.name {
            // SAFETY: a descriptor of ours and numbers.
            Name::Pidfd(fd) => unsafe { call!(libc::SYS_pidfd_send_signal, fd.as_raw_fd(), number, 0, 0) },
            Name::Watched { start, .. } => {
                if !self.unreaped_child && start_time(pid)? != *start {
                    return Err(errno(libc::ESRCH));
                }
                // SAFETY: `Pid` is never 0, 1 or negative.
                unsafe { call!(libc::SYS_kill, pid.get(), number) }
            }
        }
        .map(drop)
        .map_err(errno)
    }

    pub(crate) fn signal_group(&self, pid: Pid, signal: Option<Signal>) -> io::Result<()> {
        const PIDFD_SIGNAL_PROCESS_GROUP: u32 = 1 << 2;
        let number = signal.map_or(0, Signal::number);
        if let Name::Pidfd(fd) = &self.name
            && pidfds_name_groups(fd.as_fd())
        {
            let flag = PIDFD_SIGNAL_PROCESS_GROUP;
            // SAFETY: a descriptor of ours and numbers.
            let sent = unsafe { call!(libc::SYS_pidfd_send_signal, fd.as_raw_fd(), number, 0, flag) };
            return sent.map(drop).map_err(errno);
        }
        if !self.unreaped_child {
            return Err(errno(libc::ESRCH));
        }
        // SAFETY: the group of a child that still holds its pid; `Pid` is at least 2, so this is never -1 or 0.
        unsafe { call!(libc::SYS_kill, -i64::from(pid.get()), number) }.map(drop).map_err(errno)
    }

    pub(crate) fn names_group(&self) -> bool {
        self.unreaped_child || self.group_outlives_leader()
    }

    pub(crate) fn group_outlives_leader(&self) -> bool {
        matches!(&self.name, Name::Pidfd(fd) if pidfds_name_groups(fd.as_fd()))
    }

    pub(crate) fn peek(&self, pid: Pid) -> io::Result<Option<Exit>> {
        if let Some(reports) = &self.reports {
            return Ok(self.reported(reports, false));
        }
        let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        let seen = wait(&self.name, pid, flags).map_err(errno)?;
        Ok(seen.map(|(info, usage)| Exit { status: ExitStatus::of_child(info.code, info.status), usage }))
    }

    pub(crate) fn reap(&mut self, pid: Pid, block: bool) -> io::Result<Option<Exit>> {
        if let Some(reports) = &self.reports {
            return Ok(self.reported(reports, block));
        }
        if !self.unreaped_child {
            return Err(errno(libc::ECHILD));
        }
        let flags = libc::WEXITED | if block { 0 } else { libc::WNOHANG };
        match wait(&self.name, pid, flags) {
            Ok(None) => Ok(None),
            Ok(Some((info, usage))) => {
                self.unreaped_child = false;
                Ok(Some(Exit { status: ExitStatus::of_child(info.code, info.status), usage }))
            }
            Err(libc::ECHILD) => {
                self.unreaped_child = false;
                Ok(Some(Exit { status: self.kept_status(), usage: Usage::default() }))
            }
            Err(number) => Err(errno(number)),
        }
    }

    /// How a program ended, as its keeper told.
    fn reported(&self, reports: &Reports, block: bool) -> Option<Exit> {
        match reports.exit(block) {
            Told::Exit(exit) => Some(exit),
            Told::Nothing => None,
            // The keeper was killed. Nobody else may stay to run what it kept.
            Told::Lost => {
                let Name::Pidfd(fd) = &self.name else { return None };
                // SAFETY: a descriptor of ours and numbers.
                let _ = unsafe { call!(libc::SYS_pidfd_send_signal, fd.as_raw_fd(), libc::SIGKILL, 0, 0) };
                let mut ended = [rustix::event::PollFd::new(fd, rustix::event::PollFlags::IN)];
                let patience = rustix::time::Timespec { tv_sec: 0, tv_nsec: 0 };
                let limit = (!block).then_some(&patience);
                let has_ended = rustix::event::poll(&mut ended, limit) == Ok(1);
                has_ended.then(|| Exit { status: self.kept_status(), usage: Usage::default() })
            }
        }
    }

    pub(crate) fn take_stop(&self, pid: Pid) -> io::Result<Option<Signal>> {
        if let Some(reports) = &self.reports {
            return Ok(reports.take_stop());
        }
        if !self.unreaped_child {
            return Ok(None);
        }
        let stopped = wait(&self.name, pid, libc::WSTOPPED | libc::WNOHANG).map_err(errno)?;
        Ok(stopped.and_then(|(info, _)| Signal::from_number(info.status)))
    }

    /// The status of a child that someone else waited for: Linux 6.15 keeps it with the pidfd.
    fn kept_status(&self) -> ExitStatus {
        /// `struct pidfd_info` as of its first version.
        #[repr(C)]
        #[derive(Default)]
        struct PidfdInfo {
            mask: u64,
            cgroupid: u64,
            ids: [u32; 11],
            exit_code: i32,
        }
        const PIDFD_INFO_EXIT: u64 = 1 << 3;
        const PIDFD_GET_INFO: u32 = 3 << 30 | (size_of::<PidfdInfo>() as u32) << 16 | 0xFF << 8 | 11;
        let Name::Pidfd(fd) = &self.name else { return ExitStatus::Lost };
        let mut info = PidfdInfo { mask: PIDFD_INFO_EXIT, ..PidfdInfo::default() };
        // SAFETY: the kernel writes at most the size that the request number carries.
        let asked = unsafe { call!(libc::SYS_ioctl, fd.as_raw_fd(), PIDFD_GET_INFO, &raw mut info) };
        if asked.is_err() || info.mask & PIDFD_INFO_EXIT == 0 {
            return ExitStatus::Lost;
        }
        match Signal::from_number(info.exit_code & 0x7f) {
            Some(signal) => ExitStatus::Signal { signal, core_dumped: info.exit_code & 0x80 != 0 },
            None => ExitStatus::Code(info.exit_code >> 8 & 0xff),
        }
    }
}

fn open_pidfd(pid: Pid) -> io::Result<OwnedFd> {
    if denied(Feature::Pidfd) {
        return Err(errno(libc::ENOSYS));
    }
    // SAFETY: a pid and no flags; the descriptor is new and ours.
    unsafe { call!(libc::SYS_pidfd_open, pid.get(), 0).map(|fd| OwnedFd::from_raw_fd(fd as i32)) }
        .map_err(errno)
}

/// Whether this kernel signals groups through pidfds; asked once, with no signal.
fn pidfds_name_groups(fd: BorrowedFd<'_>) -> bool {
    const UNKNOWN: u8 = 0;
    static ANSWER: AtomicU8 = AtomicU8::new(UNKNOWN);
    match ANSWER.load(Ordering::Relaxed) {
        UNKNOWN => {
            let known = !denied(Feature::PidfdGroup) && {
                // SAFETY: signal 0 only asks; an unknown flag is EINVAL.
                unsafe {
                    call!(libc::SYS_pidfd_send_signal, fd.as_raw_fd(), 0, 0, 1u32 << 2) != Err(libc::EINVAL)
                }
            };
            ANSWER.store(1 + u8::from(known), Ordering::Relaxed);
            known
        }
        answer => answer == 2,
    }
}

/// The fields of a `siginfo_t` that a wait fills, in its first version's layout.
#[repr(C)]
struct WaitInfo {
    signo: i32,
    errno: i32,
    code: i32,
    _padding: i32,
    pid: i32,
    uid: u32,
    status: i32,
    _rest: [i32; 25],
}

/// `waitid(2)` as the kernel has it: with the usage that libc's wrapper leaves out.
fn wait(name: &Name, pid: Pid, flags: i32) -> Result<Option<(WaitInfo, Usage)>, i32> {
    // SAFETY: both are plain numbers, for which zero is a value.
    let (mut info, mut usage) = unsafe { std::mem::zeroed::<(WaitInfo, libc::rusage)>() };
    let mut ask = |kind: u32, id: u32| {
        // SAFETY: both structures are at least as large as the kernel's.
        unsafe { call!(libc::SYS_waitid, kind, id, &raw mut info, flags, &raw mut usage) }
    };
    match name {
        // P_PIDFD came after pidfds, in 5.4.
        Name::Pidfd(fd) => match ask(libc::P_PIDFD, fd.as_raw_fd() as u32) {
            Err(libc::EINVAL) => ask(libc::P_PID, pid.get()),
            answer => answer,
        },
        Name::Watched { .. } => ask(libc::P_PID, pid.get()),
    }?;
    if info.pid == 0 {
        return Ok(None);
    }
    let time = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000);
    let usage = Usage {
        user: time(usage.ru_utime),
        system: time(usage.ru_stime),
        max_rss: usage.ru_maxrss as u64 * 1024,
    };
    Ok(Some((info, usage)))
}

/// Stands in for a pidfd: a thread that waits for the process to end and then feeds an eventfd.
fn watch(pid: Pid, child: bool) -> io::Result<Name> {
    let ended = rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC)?;
    let feed = ended.try_clone()?;
    let start = start_time(pid)?;
    crate::signal::start_thread("pinfold-wait", move || {
        if child {
            // SAFETY: waits for one child and leaves its record in place.
            while unsafe {
                call!(libc::SYS_waitid, libc::P_PID, pid.get(), 0, libc::WEXITED | libc::WNOWAIT, 0)
            } == Err(libc::EINTR)
            {}
        } else {
            // No other event exists on such a kernel for a process that is not our child.
            while start_time(pid).is_ok_and(|now| now == start) {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        let _ = rustix::io::write(&feed, &1u64.to_ne_bytes());
    })?;
    Ok(Name::Watched { ended, start })
}

/// When the process was started, in clock ticks since boot: field 22 of `/proc/PID/stat`.
fn start_time(pid: Pid) -> io::Result<u64> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).map_err(|_| errno(libc::ESRCH))?;
    let after_name = stat.iter().rposition(|byte| *byte == b')').map_or(0, |at| at + 2);
    let fields = String::from_utf8_lossy(stat.get(after_name..).unwrap_or_default()).into_owned();
    fields.split(' ').nth(19).and_then(|field| field.parse().ok()).ok_or_else(|| errno(libc::ESRCH))
}
