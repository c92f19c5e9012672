//! Starting a second flow of control: the few instructions that no language can express, and the choice of route.

use super::sys::{answer, call};
use crate::deny::{Feature, denied};
use crate::spawn::Route;
use core::arch::asm;
use core::ffi::c_void;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// What a child runs. It ends in exec or exit, never by returning.
pub(super) type Entry = extern "C" fn(*mut c_void) -> !;

/// Room for the child's few calls. Lives in the frame of whoever clones: with `CLONE_VFORK` that frame cannot go away
/// before the child has executed, and no mapping has to be made and unmade for each process.
#[repr(align(16))]
pub(super) struct Stack<const SIZE: usize>([u8; SIZE]);

/// `struct clone_args` up to `cgroup`: `CLONE_ARGS_SIZE_VER2`, Linux 5.7.
#[repr(C)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// What a clone gave its parent.
#[derive(Clone, Copy)]
pub(super) struct Cloned {
    pub(super) pid: i32,
    /// -1 where the kernel made none.
    pub(super) pidfd: i32,
}

/// Makes a process by `route` which runs `entry(arg)` on `stack`, in new namespaces of the kinds given (`CLONE_NEW*`), or with
/// our own table of descriptors (`CLONE_FILES`).
///
/// # Safety
/// `entry` and all it does with `arg` must be fit for a child of this route: while memory is shared, no libc call,
/// no allocation, no lock. All signals must be blocked. For the routes that share memory, this returns only after
/// the child has executed or ended, so whatever `arg` points to need not live longer than this call.
pub(super) unsafe fn clone<const SIZE: usize>(
    route: Route,
    stack: &mut MaybeUninit<Stack<SIZE>>,
    cgroup: Option<i32>,
    kinds: u64,
    entry: Entry,
    arg: *mut c_void,
) -> Result<Cloned, i32> {
    let bottom = stack.as_mut_ptr() as usize;
    let mut pidfd: i32 = -1;
    let pidfd_flag = if asks_for_pidfd() { libc::CLONE_PIDFD as u64 } else { 0 };
    let pid = if route == Route::Clone3 {
        let args = CloneArgs {
            flags: (libc::CLONE_VM | libc::CLONE_VFORK) as u64
                | pidfd_flag
                | CLONE_CLEAR_SIGHAND
                | kinds
                | if cgroup.is_some() { CLONE_INTO_CGROUP } else { 0 },
            pidfd: &raw mut pidfd as u64,
            child_tid: 0,
            parent_tid: 0,
            exit_signal: libc::SIGCHLD as u64,
            stack: bottom as u64,
            stack_size: SIZE as u64,
            tls: 0,
            set_tid: 0,
            set_tid_size: 0,
            cgroup: cgroup.unwrap_or(0) as u64,
        };
        let args = [&raw const args as usize, size_of::<CloneArgs>(), 0, 0, 0];
        // SAFETY: a whole clone_args whose pointers outlive the call, and a stack of its own for the child.
        answer(unsafe { enter(libc::SYS_clone3, args, entry, arg) })?
    } else {
        let share = if route == Route::Clone { libc::CLONE_VM | libc::CLONE_VFORK } else { 0 };
        let flags = (share | libc::SIGCHLD) as usize | (pidfd_flag | kinds) as usize;
        let top = bottom + SIZE;
        // CLONE_PIDFD stores where CLONE_PARENT_SETTID would: the third argument on both architectures.
        let args = [flags, top, &raw mut pidfd as usize, 0, 0];
        // SAFETY: as above; without CLONE_VM the child works on its copy of this very stack.
        match answer(unsafe { enter(libc::SYS_clone, args, entry, arg) }) {
            // A user-mode emulator that does not know the flag: the process can be opened by its pid instead.
            Err(libc::EINVAL) if pidfd_flag != 0 => {
                NO_PIDFD.store(true, Ordering::Relaxed);
                let args = [flags & !(libc::CLONE_PIDFD as usize), top, 0, 0, 0];
                // SAFETY: as above.
                answer(unsafe { enter(libc::SYS_clone, args, entry, arg) })?
            }
            answer => answer?,
        }
    };
    Ok(Cloned { pid: pid as i32, pidfd })
}

/// Makes the system call, and in the child calls `entry(arg)` on the new stack.
///
/// # Safety
/// As [`clone`]; the system call must be one that gives the child a stack of its own.
#[inline(never)]
unsafe fn enter(number: libc::c_long, args: [usize; 5], entry: Entry, arg: *mut c_void) -> isize {
    let result: isize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: in the parent only rax, rcx and r11 change. The child finds a fresh stack, aligned by its type to what
    // the ABI asks before a call, and never comes back from `entry`.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r13",
            "call r12",
            "ud2",
            "2:",
            inlateout("rax") number as isize => result,
            in("rdi") args[0], in("rsi") args[1], in("rdx") args[2], in("r10") args[3], in("r8") args[4],
            in("r12") entry, in("r13") arg,
            lateout("rcx") _, lateout("r11") _,
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above; in the parent only x0 changes.
    unsafe {
        asm!(
            "svc 0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x0, x22",
            "blr x21",
            "brk 1",
            "2:",
            in("x8") number,
            inlateout("x0") args[0] => result,
            in("x1") args[1], in("x2") args[2], in("x3") args[3], in("x4") args[4],
            in("x21") entry, in("x22") arg,
        );
    }
    result
}

/// `clone(2)` was seen to refuse `CLONE_PIDFD`.
static NO_PIDFD: AtomicBool = AtomicBool::new(false);

fn asks_for_pidfd() -> bool {
    !denied(Feature::Pidfd) && !NO_PIDFD.load(Ordering::Relaxed)
}

static CHOSEN: AtomicU8 = AtomicU8::new(u8::MAX);

/// The route of this host, found at the first call.
///
/// A route is found by asking the kernel, not by its version: container profiles refuse `clone3(2)` on new kernels,
/// and user-mode emulators turn `CLONE_VM` into a copy, in which a child's report would be lost.
pub fn host_path() -> Route {
    let known = CHOSEN.load(Ordering::Relaxed);
    if let Some(route) = Route::ALL.get(usize::from(known)) {
        return *route;
    }
    let forced = std::env::var("PINFOLD_SPAWN").ok();
    let route = match Route::ALL.into_iter().find(|route| Some(route.name()) == forced.as_deref()) {
        Some(route) => route,
        None if !denied(Feature::Clone3) && clone3_answers() => Route::Clone3,
        None if !denied(Feature::Vfork) && memory_is_shared() => Route::Clone,
        None => Route::Fork,
    };
    CHOSEN.store(route as u8, Ordering::Relaxed);
    route
}

/// Remembers that the kernel refused what `route` needs, and says which one to take instead.
pub(super) fn demote(route: Route) -> Route {
    let next = match route {
        Route::Clone3 if memory_is_shared() => Route::Clone,
        _ => Route::Fork,
    };
    CHOSEN.store(next as u8, Ordering::Relaxed);
    next
}

/// Whether `clone3(2)` exists and no filter refuses it: an argument block that is too small is `EINVAL` by contract.
fn clone3_answers() -> bool {
    // SAFETY: the kernel rejects the size before it looks at the pointer.
    unsafe { call!(libc::SYS_clone3, 0, 0) == Err(libc::EINVAL) }
}

/// Whether `CLONE_VM` is what it says: a child that writes to our memory and ends.
fn memory_is_shared() -> bool {
    extern "C" fn mark(arg: *mut c_void) -> ! {
        // SAFETY: `arg` is the flag below, which outlives this child; exit_group ends it at once.
        unsafe {
            arg.cast::<u32>().write_volatile(1);
            loop {
                let _ = call!(libc::SYS_exit_group, 0);
            }
        }
    }
    let mut flag = 0u32;
    let mut stack = MaybeUninit::<Stack<4096>>::uninit();
    let _blocked = super::spawn::BlockedSignals::new();
    // SAFETY: `mark` makes one store and one system call; signals are blocked.
    let Ok(child) = (unsafe { clone(Route::Clone, &mut stack, None, 0, mark, (&raw mut flag).cast()) })
    else {
        return false;
    };
    super::spawn::discard(child);
    // SAFETY: our own variable, read as memory that another process may have written.
    unsafe { (&raw const flag).read_volatile() == 1 }
}
