//! Carrying out an order on Linux: laying out the script, cloning, reading the report.

use super::child::{self, Keep, PID_DIGITS, Report, Script};
use super::clone::{self, Cloned, Stack, demote};
use super::handles;
use super::sys::call;
use crate::deny::{Feature, denied};
use crate::fault::{self, Fault};
use crate::handle::{Pid, Process};
use crate::order::{Directory, Env, Grouping, Identity, Order, SpawnError, Step};
use crate::sandbox;
use crate::spawn::Route;
use std::convert::Infallible;
use std::ffi::{CStr, CString, c_char};
use std::io::Read;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) use super::clone::host_path as chosen;

/// Enough for the deepest of the child's calls, in a build without optimisation too.
const STACK: usize = 16 * 1024;
/// The same, with the stack of a second child inside.
const STACK_FOR_TWO: usize = 48 * 1024;

pub(crate) fn spawn(order: &Order<'_>, forced: Option<Route>) -> Result<Process, SpawnError> {
    let (cloned, report) = make(order, forced, None)?;
    adopt(cloned, report, order.detach)
}

/// Makes a keeper and the program below it: the keeper, and the program's pid as the keeper sees it.
pub(super) fn spawn_kept(
    order: &Order<'_>,
    forced: Option<Route>,
    keep: &mut KeepLayout<'_>,
) -> Result<(Process, i32), SpawnError> {
    let (cloned, report) = make(order, forced, Some(keep))?;
    Ok((adopt(cloned, Report::default(), false)?, report.detached))
}

fn make(
    order: &Order<'_>,
    forced: Option<Route>,
    mut keep: Option<&mut KeepLayout<'_>>,
) -> Result<(Cloned, Report), SpawnError> {
    let mut route = forced.unwrap_or_else(chosen);
    let mut may_share =
        keep.is_none() && !(order.detach || order.pass_descriptors || denied(Feature::CloseRange));
    loop {
        let mut layout = Layout::new(order)?;
        layout.shares_table = may_share && route != Route::Fork && handles::are_many();
        let keep = keep.as_deref_mut().map(KeepLayout::script);
        let outcome = if order.detach || keep.is_some() {
            start::<STACK_FOR_TWO>(order, &mut layout, route, keep)
        } else {
            start::<STACK>(order, &mut layout, route, None)
        };
        match outcome {
            // Older than 5.7, or a filter that looked at the flags.
            Err(SpawnError { step: Step::Clone, source })
                if route == Route::Clone3
                    && forced.is_none()
                    && matches!(source.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS | libc::E2BIG)) =>
            {
                route = demote(route);
            }
            // What it was to find may be named by a descriptor of ours (`/proc/self/fd/N`), which it had not.
            Err(error) if layout.shares_table && error.step != Step::Clone => may_share = false,
            other => return other,
        }
    }
}

/// A child was killed before its first instruction, which is what Linux 6.14 and later do to a birth in a cgroup whose
/// count of kills differs from that of the maker's cgroup (see GOTCHAS.md): children enter by themselves from then on.
static BIRTHS_ARE_KILLED: AtomicBool = AtomicBool::new(false);

fn start<const SIZE: usize>(
    order: &Order<'_>,
    layout: &mut Layout,
    route: Route,
    keep: Option<Keep>,
) -> Result<(Cloned, Report), SpawnError> {
    fault::at(Fault::Clone).map_err(|source| SpawnError { step: Step::Clone, source })?;
    // A child with its own memory reports through a pipe, which must not lie where a descriptor is to be placed.
    let pipe = if route == Route::Fork { Some(report_pipe(layout.free_descriptor)?) } else { None };
    let mut script = layout.script(order, route, pipe.as_ref().map_or(-1, |(_, write)| write.as_raw_fd()));
    script.keep = keep;
    if layout.shares_table {
        script.shared_table = layout.end_of_needed(order);
    }
    let script: *mut Script = &raw mut script;
    let mut stack = MaybeUninit::<Stack<SIZE>>::uninit();
    let born_in = route == Route::Clone3 && !BIRTHS_ARE_KILLED.load(Ordering::Relaxed);
    let cgroup = order.cgroup.filter(|_| born_in && !order.detach).map(|fd| fd.as_raw_fd());
    let kinds = keep.map_or(0, |keep| keep.namespaces)
        | if layout.shares_table { libc::CLONE_FILES as u64 } else { 0 };
    // What changes no credentials takes nothing of ours.
    let stays_who_it_is =
        order.identity == Identity::default() && order.capabilities.is_none() && keep.is_none();
    let dumpable = (route != Route::Fork && !stays_who_it_is).then(dumpable);
    let blocked = BlockedSignals::new();
    // SAFETY: `child::main` keeps to raw system calls; signals are blocked; script, stack and what the script points
    // to live in this frame and in `layout`, which outlive a child that shares our memory.
    let cloned = unsafe {
        if order.mask.is_none() {
            (*script).mask = blocked.before;
        }
        clone::clone(route, &mut stack, cgroup, kinds, child::main, script.cast())
    };
    drop(blocked);
    stay_dumpable(dumpable.flatten());
    let cloned = cloned.map_err(|errno| SpawnError::new(Step::Clone, errno))?;

    // SAFETY: the child has executed or ended, or has a copy of its own; it wrote plain numbers.
    let mut report = unsafe { (&raw const (*script).report).read_volatile() };
    if let Some((read, write)) = pipe {
        drop(write);
        report = read_report(read);
    }
    if cgroup.is_some() && report.began == 0 && report.step == 0 {
        discard(cloned);
        BIRTHS_ARE_KILLED.store(true, Ordering::Relaxed);
        return start::<SIZE>(order, layout, route, keep);
    }
    if report.step != 0 {
        if let (Some(_), Some(pid)) = (keep, Pid::new(cloned.pid.into())) {
            // The keeper of what failed may have become one, and waits for us.
            // SAFETY: a child of ours that was not waited for, so that its pid is still its own.
            let _ = unsafe { call!(libc::SYS_kill, pid.get(), libc::SIGKILL) };
        }
        discard(cloned);
        let step = Step::ALL.get(report.step as usize - 1).copied().unwrap_or(Step::Exec);
        return Err(SpawnError::new(step, report.errno));
    }
    Ok((cloned, report))
}

/// Whether this process may be traced and leave core dumps, if it may.
fn dumpable() -> Option<rustix::process::DumpableBehavior> {
    use rustix::process::{DumpableBehavior, dumpable_behavior};
    dumpable_behavior().ok().filter(|now| *now == DumpableBehavior::Dumpable)
}

/// A child that became another user took that from the memory that it shared with us: see GOTCHAS.md.
fn stay_dumpable(before: Option<rustix::process::DumpableBehavior>) {
    if let Some(before) = before
        && dumpable().is_none()
    {
        let _ = rustix::process::set_dumpable_behavior(before);
    }
}

/// Makes a handle of what was cloned; a process that cannot be named is not left running.
fn adopt(cloned: Cloned, report: Report, detach: bool) -> Result<Process, SpawnError> {
    let failed = |source| SpawnError { step: Step::Clone, source };
    if detach {
        discard(cloned);
        let pid =
            Pid::new(report.detached.into()).ok_or_else(|| failed(std::io::ErrorKind::NotFound.into()))?;
        return Process::open(pid).map_err(failed);
    }
    // SAFETY: the kernel has just made this descriptor for us.
    let pidfd = (cloned.pidfd >= 0).then(|| handles::place(unsafe { OwnedFd::from_raw_fd(cloned.pidfd) }));
    let Some(pid) = Pid::new(cloned.pid.into()) else {
        return Err(failed(std::io::Error::other("the kernel gave a child no usable pid")));
    };
    Process::child(pid, pidfd).map_err(|error| {
        // SAFETY: a child of ours that was not waited for, so that its pid is still its own.
        let _ = unsafe { call!(libc::SYS_kill, pid.get(), libc::SIGKILL) };
        discard(Cloned { pid: cloned.pid, pidfd: -1 });
        failed(error)
    })
}

/// Waits for a child that is known to be ending and forgets it.
pub(super) fn discard(child: Cloned) {
    if child.pidfd >= 0 {
        // SAFETY: made for us by the clone, and handed to nobody.
        drop(unsafe { OwnedFd::from_raw_fd(child.pidfd) });
    }
    if child.pid > 1 {
        const STOPPED: i32 = 0x7f;
        let mut status = 0i32;
        // SAFETY: waits for this one child, past its stop if it is traced; __WALL since a clone that failed early may not
        // be of the usual kind.
        while unsafe { call!(libc::SYS_wait4, child.pid, &raw mut status, libc::__WALL, 0) }
            == Err(libc::EINTR)
            || status & 0xff == STOPPED
        {
            status = 0;
        }
    }
}

pub(crate) fn exec(order: &Order<'_>) -> Result<Infallible, SpawnError> {
    let mut layout = Layout::new(order)?;
    // The kernel refuses it, after other steps were taken.
    if order.sandbox.user_namespace && !is_single() {
        return Err(SpawnError::new(Step::SandboxUser, libc::EINVAL));
    }
    try_out(order, &mut layout)?;
    let mut script = layout.script(order, Route::Fork, -1);
    if order.mask.is_none() {
        script.mask = current_mask();
    }
    // SAFETY: every pointer of the script is into `order` and `layout`, which are alive.
    let failure = unsafe { child::prepare(&raw mut script).and_then(|()| child::execute(&script)) };
    let (step, errno) = failure.err().unwrap_or((Step::Exec, libc::EIO));
    Err(SpawnError::new(step, errno))
}

/// The whole order, in a child that is thrown away before the program's first instruction.
fn try_out(order: &Order<'_>, layout: &mut Layout) -> Result<(), SpawnError> {
    let (read, write) = report_pipe(layout.free_descriptor)?;
    let mut script = layout.script(order, Route::Fork, write.as_raw_fd());
    script.trial = true;
    // What only its leader or its own parent can do is no question to put to a throw-away child.
    script.grouping = crate::order::Grouping::Inherit;
    script.parent_death = 0;
    script.detach = false;
    script.cgroup = -1;
    let mut stack = MaybeUninit::<Stack<STACK>>::uninit();
    let blocked = BlockedSignals::new();
    // Blocked, the signal that stops the child after its execution would not.
    script.mask = blocked.before & !(1 << (libc::SIGTRAP - 1));
    // SAFETY: as in `start`.
    let cloned =
        unsafe { clone::clone(Route::Fork, &mut stack, None, 0, child::main, (&raw mut script).cast()) }
            .map_err(|errno| SpawnError::new(Step::Clone, errno))?;
    drop(blocked);
    drop(write);
    let report = read_report(read);
    if let Some(pid) = Pid::new(cloned.pid.into()) {
        // SAFETY: a child of ours that was not waited for, so that its pid is still its own.
        let _ = unsafe { call!(libc::SYS_kill, pid.get(), libc::SIGKILL) };
    }
    discard(cloned);
    match Step::ALL.get((report.step as usize).wrapping_sub(1)) {
        Some(step) => Err(SpawnError::new(*step, report.errno)),
        None => Ok(()),
    }
}

/// A close-on-exec pipe whose writing end has a number of at least `free`.
fn report_pipe(free: i32) -> Result<(OwnedFd, OwnedFd), SpawnError> {
    let failed = |errno: rustix::io::Errno| SpawnError::new(Step::Clone, errno.raw_os_error());
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(failed)?;
    let write = if write.as_raw_fd() < free { above(&write, free)? } else { write };
    Ok((read, write))
}

/// The same under a number of at least `free`.
fn above(descriptor: &impl AsFd, free: i32) -> Result<OwnedFd, SpawnError> {
    let failed = |errno: rustix::io::Errno| SpawnError::new(Step::Clone, errno.raw_os_error());
    rustix::io::fcntl_dupfd_cloexec(descriptor, free).map_err(failed)
}

/// Our own user and group, each under its own number (`user_namespaces(7)`).
fn own_maps() -> [CString; 2] {
    let map = |id: u32| CString::new(format!("{id} {id} 1")).unwrap_or_default();
    [map(rustix::process::geteuid().as_raw()), map(rustix::process::getegid().as_raw())]
}

/// Whether this process has one thread only, as far as can be told.
fn is_single() -> bool {
    std::fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() == 1)
}

/// The last report that came before every copy of the writing end was closed.
fn read_report(read: OwnedFd) -> Report {
    let mut bytes = Vec::new();
    let _ = std::fs::File::from(read).read_to_end(&mut bytes);
    let mut report = Report::default();
    for chunk in bytes.chunks_exact(size_of::<Report>()) {
        let number = |at: usize| [chunk[at], chunk[at + 1], chunk[at + 2], chunk[at + 3]];
        let read = Report {
            step: u32::from_ne_bytes(number(0)),
            errno: i32::from_ne_bytes(number(4)),
            detached: i32::from_ne_bytes(number(8)),
            began: 1,
        };
        report.step = report.step.max(read.step);
        report.errno = if read.step != 0 { read.errno } else { report.errno };
        report.detached = report.detached.max(read.detached);
    }
    report
}

/// What the child needs in a form of pointers and null-terminated arrays, owned here.
struct Layout {
    argv: Vec<*const c_char>,
    /// `None` is our own environment.
    env: Option<Vec<*const c_char>>,
    descriptors: Vec<(i32, i32)>,
    /// Above every target, and above the standard three.
    free_descriptor: i32,
    /// What is written to `uid_map` and `gid_map`.
    maps: Option<[CString; 2]>,
    /// The order's ruleset under a number that no descriptor is placed at.
    ruleset: Option<OwnedFd>,
    /// What is added to it.
    inside: Vec<(*const c_char, u64)>,
    parent_pid: u32,
    /// The child begins with our own table of descriptors.
    shares_table: bool,
}

impl Layout {
    fn new(order: &Order<'_>) -> Result<Layout, SpawnError> {
        let terminated = |strings: &[CString]| {
            let mut pointers = Vec::with_capacity(strings.len() + 1);
            pointers.extend(strings.iter().map(|string| string.as_ptr()));
            pointers.push(ptr::null());
            pointers
        };
        let targets = order.descriptors.iter().map(|map| map.target);
        let free_descriptor = targets.max().map_or(3, |last| last + 1).max(3);
        let inside = order.sandbox.landlock.map_or(&[][..], |landlock| landlock.inside);
        Ok(Layout {
            argv: terminated(&order.argv),
            env: match &order.env {
                Env::Ours => None,
                Env::Exactly(variables) => Some(terminated(variables)),
            },
            descriptors: order.descriptors.iter().map(|map| (map.source.as_raw_fd(), map.target)).collect(),
            free_descriptor,
            maps: order.sandbox.user_namespace.then(own_maps),
            ruleset: order.sandbox.landlock.map(|it| above(&it.ruleset, free_descriptor)).transpose()?,
            inside: inside.iter().map(|it| (it.path.as_ptr(), it.rights)).collect(),
            parent_pid: std::process::id(),
            shares_table: false,
        })
    }

    /// The number above every descriptor of ours that the child asks for.
    fn end_of_needed(&self, order: &Order<'_>) -> i32 {
        let sources = self.descriptors.iter().map(|(source, _)| *source);
        let others = [order.cgroup.map(|fd| fd.as_raw_fd()), self.ruleset.as_ref().map(|fd| fd.as_raw_fd())];
        let terminal = match order.grouping {
            Grouping::OwnForeground(terminal) | Grouping::SessionTerminal(terminal) => Some(terminal),
            _ => None,
        };
        // At least the standard three.
        sources.chain(others.into_iter().flatten()).chain(terminal).max().map_or(3, |last| last + 1).max(3)
    }

    fn sandbox(&self, order: &sandbox::Sandbox<'_>) -> child::Sandbox {
        let filter = order.filter.map(|filter| filter.instructions());
        let map = |at: usize| {
            let text = self.maps.as_ref().map(|maps| &maps[at]);
            text.map_or((ptr::null(), 0), |text| (text.as_ptr(), text.as_bytes().len()))
        };
        child::Sandbox {
            no_network: order.no_network,
            private_tmp: order.private_tmp,
            maps: [map(0), map(1)],
            ruleset: self.ruleset.as_ref().map_or(-1, |fd| fd.as_raw_fd()),
            inside: self.inside.as_ptr(),
            inside_count: self.inside.len(),
            filter: filter.map_or(ptr::null(), |filter| filter.as_ptr()),
            // A filter is never as long as that (see its tests).
            filter_length: filter.map_or(0, |filter| u16::try_from(filter.len()).unwrap_or(u16::MAX)),
        }
    }

    fn script(&mut self, order: &Order<'_>, route: Route, report_pipe: i32) -> Script {
        let groups = order.identity.groups.as_ref();
        let affinity = order.affinity.as_ref();
        Script {
            route,
            program: order.program.as_ptr(),
            argv: self.argv.as_ptr(),
            env: self.env.as_ref().map_or_else(own_environment, |env| env.as_ptr()),
            descriptors: self.descriptors.as_mut_ptr(),
            descriptor_count: self.descriptors.len(),
            pass_descriptors: order.pass_descriptors,
            shared_table: 0,
            free_descriptor: self.free_descriptor,
            directory: match &order.directory {
                Some(Directory::Path(path)) => path.as_ptr(),
                None => ptr::null(),
            },
            umask: order.umask,
            grouping: order.grouping,
            groups: groups.map_or(ptr::null(), |groups| groups.as_ptr()),
            group_count: groups.map_or(-1, |groups| groups.len() as isize),
            gid: order.identity.gid,
            uid: order.identity.uid,
            no_new_privs: order.no_new_privs,
            sandbox: self.sandbox(&order.sandbox),
            capabilities: order.capabilities,
            limits: order.limits.as_ptr(),
            limit_count: order.limits.len(),
            nice: order.nice,
            affinity: affinity.map_or(ptr::null(), |words| words.as_ptr()),
            affinity_bytes: affinity.map_or(0, |words| words.len() * size_of::<u64>()),
            io_priority: order.io_priority,
            oom_score_adj: order.oom_score_adj,
            parent_death: order.parent_death.map_or(0, |signal| signal.number()),
            parent_pid: self.parent_pid,
            mask: order.mask.map_or(0, |mask| mask.0),
            default_signals: order.default_signals.0,
            cgroup: order.cgroup.map_or(-1, |fd| fd.as_raw_fd()),
            enters_cgroup: route != Route::Clone3 || BIRTHS_ARE_KILLED.load(Ordering::Relaxed),
            close_range: !denied(Feature::CloseRange),
            detach: order.detach,
            keep: None,
            trial: false,
            report_pipe,
            report: Report::default(),
        }
    }
}

/// What a keeper needs, owned here as [`Layout`] owns what its program needs.
pub(super) struct KeepLayout<'a> {
    /// The path of the guard's program.
    pub(super) program: &'a CStr,
    /// The keeper's end of the socket, a handle of ours, and `/dev/null`.
    pub(super) descriptors: [BorrowedFd<'a>; 3],
    /// Its name, and the trade that it is to follow.
    pub(super) words: [&'a CStr; 2],
    pub(super) namespaces: u64,
    /// `uid_map` and `gid_map`.
    pub(super) user_maps: Option<[CString; 2]>,
    pid: [u8; PID_DIGITS + 1],
    argv: [*const c_char; 4],
}

impl<'a> KeepLayout<'a> {
    pub(super) fn new(
        program: &'a CStr,
        descriptors: [BorrowedFd<'a>; 3],
        words: [&'a CStr; 2],
    ) -> KeepLayout<'a> {
        KeepLayout {
            program,
            descriptors,
            words,
            namespaces: 0,
            user_maps: None,
            pid: [0; PID_DIGITS + 1],
            argv: [ptr::null(); 4],
        }
    }

    fn script(&mut self) -> Keep {
        let [control, owner, null] = self.descriptors.map(|descriptor| descriptor.as_raw_fd());
        let pid = self.pid.as_mut_ptr();
        self.argv = [self.words[0].as_ptr(), self.words[1].as_ptr(), pid.cast_const().cast(), ptr::null()];
        let maps = self.user_maps.as_ref();
        Keep {
            program: self.program.as_ptr(),
            control,
            owner,
            null,
            argv: self.argv.as_ptr(),
            pid,
            namespaces: self.namespaces,
            user_maps: maps.map_or([ptr::null(); 2], |[users, groups]| [users.as_ptr(), groups.as_ptr()]),
        }
    }
}

/// Our environment as the kernel takes it.
fn own_environment() -> *const *const c_char {
    unsafe extern "C" {
        static environ: *const *const c_char;
    }
    // SAFETY: libc's own pointer, read once. What it leads to is read by the kernel alone, which answers EFAULT for memory
    // that somebody has freed meanwhile.
    unsafe { (&raw const environ).read_volatile() }
}

fn current_mask() -> u64 {
    let mut mask = 0u64;
    // SAFETY: reads this thread's mask into our own variable.
    let _ = unsafe { call!(libc::SYS_rt_sigprocmask, libc::SIG_BLOCK, 0, &raw mut mask, size_of::<u64>()) };
    mask
}

/// Every signal of this thread blocked, libc's internal ones too, for as long as this lives.
pub(super) struct BlockedSignals {
    before: u64,
}

impl BlockedSignals {
    pub(super) fn new() -> BlockedSignals {
        let (all, mut before) = (u64::MAX, 0u64);
        // SAFETY: a kernel mask is 8 bytes on every architecture that this is built for.
        let _ = unsafe {
            call!(
                libc::SYS_rt_sigprocmask,
                libc::SIG_SETMASK,
                &raw const all,
                &raw mut before,
                size_of::<u64>()
            )
        };
        BlockedSignals { before }
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        // SAFETY: as above, with what was there before.
        let _ = unsafe {
            call!(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const self.before, 0, size_of::<u64>())
        };
    }
}
