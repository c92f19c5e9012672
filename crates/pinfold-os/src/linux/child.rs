//! The only code that runs between clone and exec.
//!
//! It may share its parent's memory: no allocation, no lock, no libc, no panic. A straight list of steps, each a raw
//! system call on data that the parent laid out; the first that fails is reported and the child ends.

mod keeper;
mod sandbox;

pub(super) use keeper::{Keep, PID_DIGITS};
pub(super) use sandbox::Sandbox;

use super::clone::{self, Cloned, Stack};
use super::sys::call;
use crate::order::{Capabilities, Grouping, Step};
use crate::spawn::Route;
use core::ffi::{c_char, c_void};
use core::mem::MaybeUninit;

/// An order in the form that the child can use: plain numbers, pointers to what the parent keeps alive, and room
/// that the parent set aside.
pub(super) struct Script {
    pub(super) route: Route,
    pub(super) program: *const c_char,
    pub(super) argv: *const *const c_char,
    pub(super) env: *const *const c_char,
    /// (source, target); sources are rewritten when they have to be moved out of the way.
    pub(super) descriptors: *mut (i32, i32),
    pub(super) descriptor_count: usize,
    pub(super) pass_descriptors: bool,
    /// Above 0, the table of descriptors is still the parent's own, and from this number on nothing in it is needed.
    pub(super) shared_table: i32,
    /// The first number that is neither a target nor the report pipe.
    pub(super) free_descriptor: i32,
    pub(super) directory: *const c_char,
    pub(super) umask: Option<u32>,
    pub(super) grouping: Grouping,
    pub(super) groups: *const u32,
    /// -1 keeps the groups.
    pub(super) group_count: isize,
    pub(super) gid: Option<u32>,
    pub(super) uid: Option<u32>,
    pub(super) no_new_privs: bool,
    pub(super) sandbox: Sandbox,
    pub(super) capabilities: Option<Capabilities>,
    pub(super) limits: *const crate::order::Limit,
    pub(super) limit_count: usize,
    pub(super) nice: Option<i32>,
    pub(super) affinity: *const u64,
    pub(super) affinity_bytes: usize,
    pub(super) io_priority: Option<u32>,
    pub(super) oom_score_adj: Option<i32>,
    pub(super) parent_death: i32,
    pub(super) parent_pid: u32,
    pub(super) mask: u64,
    pub(super) default_signals: u64,
    pub(super) cgroup: i32,
    /// It was not born in there.
    pub(super) enters_cgroup: bool,
    pub(super) close_range: bool,
    pub(super) detach: bool,
    /// Who is to stand between us and the program.
    pub(super) keep: Option<Keep>,
    /// Execute, but come to a stop before the program's first instruction; or only check that it could be, and exit 0.
    pub(super) trial: bool,
    /// Where a child that has its own memory reports; -1 when memory is shared.
    pub(super) report_pipe: i32,
    pub(super) report: Report,
}

/// What a child has to say to its parent: the failure, or the pid of a grandchild that stays.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub(super) struct Report {
    /// The step that failed, plus one; 0 is none.
    pub(super) step: u32,
    pub(super) errno: i32,
    pub(super) detached: i32,
    /// 1 once the child has run at all.
    pub(super) began: u32,
}

type Done = Result<(), (Step, i32)>;

/// The whole life of a child that was just cloned.
pub(super) extern "C" fn main(arg: *mut c_void) -> ! {
    let script = arg.cast::<Script>();
    // SAFETY: the parent passes its script, and either waits for us (shared memory) or left us a copy of it.
    unsafe {
        if (*script).detach {
            hand_over(script);
        }
        if let Some(keep) = (*script).keep {
            keeper::become_keeper(script, &keep);
        }
        live(script)
    }
}

/// Makes the process that will really run, and ends this one, so that the system adopts it.
///
/// # Safety
/// As [`main`].
unsafe fn hand_over(script: *mut Script) -> ! {
    // SAFETY: as in `main`.
    unsafe {
        match bear(script) {
            Ok(_) => exit(0),
            Err(errno) => fail(script, Step::Clone, errno),
        }
    }
}

/// Makes the process that will really run from one that stays in between, and tells its pid.
///
/// # Safety
/// As [`main`].
unsafe fn bear(script: *mut Script) -> Result<Cloned, i32> {
    extern "C" fn second(arg: *mut c_void) -> ! {
        // SAFETY: as in `main`.
        unsafe { live(arg.cast::<Script>()) }
    }
    // SAFETY: as in `main`; the stack lies in our own frame, which outlives a child that shares memory with us.
    unsafe {
        let mut stack = MaybeUninit::<Stack<{ 16 * 1024 }>>::uninit();
        let born_in = (*script).cgroup >= 0 && !(*script).enters_cgroup;
        let cgroup = if born_in { Some((*script).cgroup) } else { None };
        let born = clone::clone((*script).route, &mut stack, cgroup, 0, second, script.cast())?;
        (*script).report.detached = born.pid;
        if (*script).report_pipe >= 0 {
            send_report(script);
        }
        Ok(born)
    }
}

/// # Safety
/// As [`main`].
unsafe fn live(script: *mut Script) -> ! {
    // SAFETY: as in `main`.
    unsafe {
        (&raw mut (*script).report.began).write_volatile(1);
        let outcome = prepare(script).and_then(|()| execute(&*script));
        match outcome {
            Ok(()) => exit(0),
            Err((step, errno)) => fail(script, step, errno),
        }
    }
}

/// # Safety
/// As [`main`].
unsafe fn fail(script: *mut Script, step: Step, errno: i32) -> ! {
    // SAFETY: as in `main`; the write is volatile since another process reads it.
    unsafe {
        let report = &raw mut (*script).report;
        (&raw mut (*report).errno).write_volatile(errno);
        (&raw mut (*report).step).write_volatile(step as u32 + 1);
        if (*script).report_pipe >= 0 {
            send_report(script);
        }
        exit(127)
    }
}

/// # Safety
/// The report pipe must be open.
unsafe fn send_report(script: *const Script) {
    // SAFETY: a write of plain bytes, whole or not at all since it is shorter than PIPE_BUF.
    let _ = unsafe {
        call!(libc::SYS_write, (*script).report_pipe, &raw const (*script).report, size_of::<Report>())
    };
}

fn exit(code: i32) -> ! {
    loop {
        // SAFETY: ends this process.
        let _ = unsafe { call!(libc::SYS_exit_group, code) };
    }
}

/// Every step up to the execution, in the one order in which all of them can work: what needs privilege comes before
/// the user is switched, what the switch would undo comes after it.
///
/// # Safety
/// `script` must be laid out by the parent; this process is changed by every step.
pub(super) unsafe fn prepare(script: *mut Script) -> Done {
    // SAFETY: the parent's layout; every call below is given what it asks for.
    unsafe {
        let s = &*script;
        if s.shared_table > 0 {
            leave_table(s.shared_table)?;
        }
        reset_signals(s)?;
        if s.cgroup >= 0 && s.enters_cgroup {
            enter_cgroup(s.cgroup)?;
        }
        if !s.pass_descriptors {
            close_others(s)?;
        }
        place_descriptors(s)?;
        take_group(s)?;
        if let Some(umask) = s.umask {
            let _ = call!(libc::SYS_umask, umask);
        }
        if let Some(score) = s.oom_score_adj {
            write_number(c"/proc/self/oom_score_adj".as_ptr(), score).map_err(at(Step::OomScore))?;
        }
        if let Some(nice) = s.nice {
            call!(libc::SYS_setpriority, libc::PRIO_PROCESS, 0, nice).map_err(at(Step::Nice))?;
        }
        if let Some(value) = s.io_priority {
            const IOPRIO_WHO_PROCESS: i32 = 1;
            call!(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, value).map_err(at(Step::IoPriority))?;
        }
        if !s.affinity.is_null() {
            call!(libc::SYS_sched_setaffinity, 0, s.affinity_bytes, s.affinity)
                .map_err(at(Step::Affinity))?;
        }
        for index in 0..s.limit_count {
            let limit = *s.limits.add(index);
            let pair = [limit.soft, limit.hard];
            call!(libc::SYS_prlimit64, 0, limit.resource, pair.as_ptr(), 0).map_err(at(Step::Limits))?;
        }
        sandbox::enter_namespaces(&s.sandbox)?;
        become_user(s)?;
        if !s.directory.is_null() {
            call!(libc::SYS_chdir, s.directory).map_err(at(Step::Directory))?;
        }
        if s.no_new_privs {
            prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0).map_err(at(Step::NoNewPrivs))?;
        }
        if s.parent_death != 0 {
            prctl(libc::PR_SET_PDEATHSIG, s.parent_death as usize, 0).map_err(at(Step::ParentDeath))?;
            // The parent may have ended before it could be watched.
            if call!(libc::SYS_getppid).unwrap_or(0) != s.parent_pid as usize {
                return Err((Step::ParentDeath, libc::ESRCH));
            }
        }
        sandbox::restrict(&s.sandbox)?;
        let mask = s.mask;
        call!(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const mask, 0, size_of::<u64>())
            .map_err(at(Step::Mask))?;
        Ok(())
    }
}

/// # Safety
/// As [`prepare`], which must have succeeded. Returns success only in a trial that may not be traced.
pub(super) unsafe fn execute(s: &Script) -> Done {
    // SAFETY: NUL-terminated strings and null-terminated arrays of the parent's.
    unsafe {
        // A traced process stops when it has executed and before its first instruction (`ptrace(2)`): its maker finds it
        // there and kills it. Where tracing is refused, only what can be asked is tried.
        if s.trial && call!(libc::SYS_ptrace, libc::PTRACE_TRACEME, 0, 0, 0).is_err() {
            const X_OK: i32 = 1;
            return call!(libc::SYS_faccessat2, libc::AT_FDCWD, s.program, X_OK, libc::AT_EACCESS)
                .map(drop)
                .or_else(|errno| if errno == libc::ENOSYS { Ok(()) } else { Err((Step::Exec, errno)) });
        }
        sandbox::load_filter(&s.sandbox)?;
        call!(libc::SYS_execve, s.program, s.argv, s.env).map(drop).map_err(at(Step::Exec))
    }
}

fn at(step: Step) -> impl Fn(i32) -> (Step, i32) {
    move |errno| (step, errno)
}

unsafe fn prctl(option: i32, a: usize, b: usize) -> Result<usize, i32> {
    // SAFETY: the options used here take plain numbers, and want unused arguments to be 0.
    unsafe { call!(libc::SYS_prctl, option, a, b) }
}

/// The kernel's `struct sigaction`: not libc's.
#[repr(C)]
struct KernelSigaction {
    handler: usize,
    flags: usize,
    restorer: usize,
    mask: u64,
}

/// A handler of the parent must never run in the child, which may be in the parent's memory.
unsafe fn reset_signals(s: &Script) -> Done {
    // SAFETY: default actions for numbers in range.
    unsafe {
        for signal in 1..=64 {
            let wanted = s.default_signals & (1 << (signal - 1)) != 0;
            // clone3 was asked to clear every handler already.
            if !wanted && s.route == Route::Clone3 {
                continue;
            }
            if signal == libc::SIGKILL || signal == libc::SIGSTOP {
                continue;
            }
            let mut action = KernelSigaction { handler: 0, flags: 0, restorer: 0, mask: 0 };
            if !wanted {
                let read = call!(libc::SYS_rt_sigaction, signal, 0, &raw mut action, size_of::<u64>());
                read.map_err(at(Step::Signals))?;
                if action.handler == libc::SIG_DFL || action.handler == libc::SIG_IGN {
                    continue;
                }
                action = KernelSigaction { handler: 0, flags: 0, restorer: 0, mask: 0 };
            }
            call!(libc::SYS_rt_sigaction, signal, &raw const action, 0, size_of::<u64>())
                .map_err(at(Step::Signals))?;
        }
    }
    Ok(())
}

unsafe fn enter_cgroup(directory: i32) -> Done {
    // SAFETY: a path and two bytes of our own.
    unsafe {
        let flags = libc::O_WRONLY | libc::O_CLOEXEC;
        let file =
            call!(libc::SYS_openat, directory, c"cgroup.procs".as_ptr(), flags).map_err(at(Step::Cgroup))?;
        let written = call!(libc::SYS_write, file, c"0".as_ptr(), 1).map_err(at(Step::Cgroup));
        let _ = call!(libc::SYS_close, file);
        written.map(drop)
    }
}

/// From here on descriptors are our own: those below `end`. Where the kernel cannot copy that few it copies all.
unsafe fn leave_table(end: i32) -> Done {
    const CLOSE_RANGE_UNSHARE: u32 = 1 << 1;
    // SAFETY: plain numbers; until this has worked nothing of ours changes a descriptor.
    unsafe {
        call!(libc::SYS_close_range, end, u32::MAX, CLOSE_RANGE_UNSHARE)
            .or_else(|_| call!(libc::SYS_unshare, libc::CLONE_FILES))
            .map(drop)
            .map_err(at(Step::CloseDescriptors))
    }
}

/// Everything above 2 is marked close-on-exec; what is mapped is then put in place without that mark. Descriptors
/// that other threads of the parent were just opening are caught too, since the table was copied by the clone.
unsafe fn close_others(s: &Script) -> Done {
    const CLOSE_RANGE_CLOEXEC: u32 = 1 << 2;
    // SAFETY: marks descriptors of this process only.
    unsafe {
        if s.close_range {
            match call!(libc::SYS_close_range, 3, u32::MAX, CLOSE_RANGE_CLOEXEC) {
                Ok(_) => return Ok(()),
                Err(libc::ENOSYS | libc::EINVAL | libc::EPERM) => {}
                Err(errno) => return Err((Step::CloseDescriptors, errno)),
            }
        }
        let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
        let directory = call!(libc::SYS_openat, libc::AT_FDCWD, c"/proc/self/fd".as_ptr(), flags)
            .map_err(at(Step::CloseDescriptors))?;
        let mut buffer = [0u64; 128];
        loop {
            let bytes = call!(libc::SYS_getdents64, directory, buffer.as_mut_ptr(), size_of_val(&buffer))
                .map_err(at(Step::CloseDescriptors))?;
            if bytes == 0 {
                break;
            }
            let base = buffer.as_ptr().cast::<u8>();
            let mut offset = 0;
            while offset < bytes {
                // struct linux_dirent64: ino u64, off i64, reclen u16, type u8, name.
                let entry = base.add(offset);
                let length = usize::from(entry.add(16).cast::<u16>().read_unaligned());
                if let Some(number) = decimal(entry.add(19))
                    && number > 2
                {
                    let _ = call!(libc::SYS_fcntl, number, libc::F_SETFD, libc::FD_CLOEXEC);
                }
                offset += length.max(1);
            }
        }
        let _ = call!(libc::SYS_close, directory);
    }
    Ok(())
}

/// The number that a NUL-terminated name consists of.
unsafe fn decimal(mut name: *const u8) -> Option<i32> {
    let mut number = 0i32;
    // SAFETY: the kernel terminates names with NUL.
    unsafe {
        if *name == 0 {
            return None;
        }
        while *name != 0 {
            let digit = (*name).wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            number = number.wrapping_mul(10).wrapping_add(i32::from(digit));
            name = name.add(1);
        }
    }
    Some(number)
}

unsafe fn place_descriptors(s: &Script) -> Done {
    // SAFETY: `descriptors` is an array of that many pairs which nobody else uses now.
    unsafe {
        let pairs = core::slice::from_raw_parts_mut(s.descriptors, s.descriptor_count);
        // A source whose number is another one's target would be overwritten before its turn.
        for index in 0..pairs.len() {
            let (source, target) = pairs[index];
            if source != target && pairs.iter().any(|(_, other)| *other == source) {
                pairs[index].0 = call!(libc::SYS_fcntl, source, libc::F_DUPFD_CLOEXEC, s.free_descriptor)
                    .map_err(at(Step::Descriptors))? as i32;
            }
        }
        for (source, target) in pairs.iter() {
            let placed = if source == target {
                call!(libc::SYS_fcntl, *source, libc::F_SETFD, 0)
            } else {
                call!(libc::SYS_dup3, *source, *target, 0)
            };
            placed.map_err(at(Step::Descriptors))?;
        }
    }
    Ok(())
}

unsafe fn take_group(s: &Script) -> Done {
    // SAFETY: plain numbers; the terminal's foreground group is passed by reference to our own variable. Every
    // signal is blocked, so that taking the foreground from the background does not stop us.
    unsafe {
        match s.grouping {
            Grouping::Inherit => {}
            Grouping::Own => {
                call!(libc::SYS_setpgid, 0, 0).map_err(at(Step::ProcessGroup))?;
            }
            Grouping::Join(group) => {
                call!(libc::SYS_setpgid, 0, group).map_err(at(Step::ProcessGroup))?;
            }
            Grouping::OwnForeground(terminal) => {
                call!(libc::SYS_setpgid, 0, 0).map_err(at(Step::ProcessGroup))?;
                let group = call!(libc::SYS_getpid).map_err(at(Step::Terminal))? as i32;
                call!(libc::SYS_ioctl, terminal, libc::TIOCSPGRP, &raw const group)
                    .map_err(at(Step::Terminal))?;
            }
            Grouping::Session => {
                call!(libc::SYS_setsid).map_err(at(Step::Session))?;
            }
            Grouping::SessionTerminal(terminal) => {
                call!(libc::SYS_setsid).map_err(at(Step::Session))?;
                call!(libc::SYS_ioctl, terminal, libc::TIOCSCTTY, 0).map_err(at(Step::Terminal))?;
            }
        }
    }
    Ok(())
}

unsafe fn become_user(s: &Script) -> Done {
    // SAFETY: numbers, and a list of groups of the length given. These are the kernel's calls, which change this
    // thread alone; libc's would send signals to every thread of the parent.
    unsafe {
        if let Some(wanted) = s.capabilities {
            for capability in 0..64 {
                if wanted.bounding & (1 << capability) != 0 {
                    continue;
                }
                match prctl(libc::PR_CAPBSET_DROP, capability, 0) {
                    Ok(_) => {}
                    // Past the last capability that this kernel knows.
                    Err(libc::EINVAL) => break,
                    Err(errno) => return Err((Step::Capabilities, errno)),
                }
            }
            if wanted.ambient != 0 && s.uid.is_some() {
                prctl(libc::PR_SET_KEEPCAPS, 1, 0).map_err(at(Step::Capabilities))?;
            }
        }
        if s.group_count >= 0 {
            call!(libc::SYS_setgroups, s.group_count, s.groups).map_err(at(Step::Groups))?;
        }
        if let Some(gid) = s.gid {
            call!(libc::SYS_setresgid, gid, gid, gid).map_err(at(Step::Gid))?;
        }
        if let Some(uid) = s.uid {
            call!(libc::SYS_setresuid, uid, uid, uid).map_err(at(Step::Uid))?;
        }
        if let Some(wanted) = s.capabilities {
            set_capabilities(wanted.ambient).map_err(at(Step::Capabilities))?;
        }
    }
    Ok(())
}

unsafe fn set_capabilities(ambient: u64) -> Result<(), i32> {
    const LINUX_CAPABILITY_VERSION_3: u32 = 0x2008_0522;
    let header = [LINUX_CAPABILITY_VERSION_3, 0];
    let (low, high) = (ambient as u32, (ambient >> 32) as u32);
    // Effective, permitted, inheritable; low words, then high words.
    let data = [low, low, low, high, high, high];
    // SAFETY: the header and data of version 3 (capset(2)).
    unsafe {
        prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as usize, 0)?;
        call!(libc::SYS_capset, header.as_ptr(), data.as_ptr())?;
        for capability in (0..64).filter(|capability| ambient & (1 << capability) != 0) {
            prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE as usize, capability)?;
        }
    }
    Ok(())
}

unsafe fn write_number(path: *const c_char, number: i32) -> Result<(), i32> {
    let mut digits = [0u8; 12];
    let mut start = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        start -= 1;
        digits[start] = b'-';
    }
    // SAFETY: a path of the caller's, bytes of our own.
    unsafe { write_bytes(path, digits.as_ptr().add(start), digits.len() - start) }
}

unsafe fn write_string(path: *const c_char, text: *const c_char) -> Result<(), i32> {
    let mut length = 0;
    // SAFETY: NUL-terminated strings of the caller's.
    unsafe {
        while *text.add(length) != 0 {
            length += 1;
        }
        write_bytes(path, text.cast(), length)
    }
}

unsafe fn write_bytes(path: *const c_char, bytes: *const u8, length: usize) -> Result<(), i32> {
    // SAFETY: a path and bytes of the caller's.
    unsafe {
        let file = call!(libc::SYS_openat, libc::AT_FDCWD, path, libc::O_WRONLY | libc::O_CLOEXEC)?;
        let written = call!(libc::SYS_write, file, bytes, length);
        let _ = call!(libc::SYS_close, file);
        written.map(drop)
    }
}
