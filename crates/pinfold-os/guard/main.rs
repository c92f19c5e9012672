//! The guard: outlives its owner by a moment, to end what the owner can no longer end.
//!
//! It is a program of its own, started once for each owner that has a cgroup directory. It waits for the owner's end,
//! kills what lives in the directory, removes it and exits. It shares nothing with the owner but three descriptors:
//! 3 becomes readable at the owner's end (a pidfd of it), 4 is the directory, 5 the one above. Its one argument is the
//! name of the one in the other.
//!
//! No standard library, no libc, no allocation: a few pages, most of them shared by all guards of a host.
#![no_std]
#![no_main]
// The functions below must not be compiled into calls of themselves.
#![no_builtins]

use core::arch::{asm, global_asm};
use core::ffi::{CStr, c_char};

const OWNER: usize = 3;
const DIRECTORY: usize = 4;
const ABOVE: usize = 5;

/// How often a directory that is still busy is tried again, a millisecond apart.
const TRIES: u32 = 10_000;
/// No cgroup of ours lies deeper; what a program made below its own may, up to this.
const DEPTH: u32 = 16;

#[cfg(target_arch = "x86_64")]
mod number {
    pub const PRCTL: usize = 157;
    pub const READ: usize = 0;
    pub const WRITE: usize = 1;
    pub const CLOSE: usize = 3;
    pub const SIGPROCMASK: usize = 14;
    pub const GETDENTS: usize = 217;
    pub const EXIT: usize = 231;
    pub const OPENAT: usize = 257;
    pub const UNLINKAT: usize = 263;
    pub const PPOLL: usize = 271;
}
#[cfg(target_arch = "aarch64")]
mod number {
    pub const PRCTL: usize = 167;
    pub const UNLINKAT: usize = 35;
    pub const OPENAT: usize = 56;
    pub const CLOSE: usize = 57;
    pub const GETDENTS: usize = 61;
    pub const READ: usize = 63;
    pub const WRITE: usize = 64;
    pub const PPOLL: usize = 73;
    pub const EXIT: usize = 94;
    pub const SIGPROCMASK: usize = 135;
}
/// The same everywhere.
const PIDFD_SEND_SIGNAL: usize = 424;
const PIDFD_OPEN: usize = 434;

#[cfg(target_arch = "x86_64")]
global_asm!(".globl _start", "_start:", "xor ebp, ebp", "mov rdi, rsp", "and rsp, -16", "call {}", "ud2", sym start);
#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "mov x29, xzr", "mov x0, sp", "bl {}", "brk 1", sym start);

/// What the compiler calls for copies and comparisons, and libc would have.
mod memory {
    /// # Safety
    /// As in C.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn memset(to: *mut u8, byte: i32, length: usize) -> *mut u8 {
        for at in 0..length {
            // SAFETY: the caller's, as in C.
            unsafe { *to.add(at) = byte as u8 };
        }
        to
    }

    /// # Safety
    /// As in C.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, length: usize) -> *mut u8 {
        for at in 0..length {
            // SAFETY: the caller's, as in C.
            unsafe { *to.add(at) = *from.add(at) };
        }
        to
    }

    /// # Safety
    /// As in C.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn memcmp(one: *const u8, other: *const u8, length: usize) -> i32 {
        for at in 0..length {
            // SAFETY: the caller's, as in C.
            let (one, other) = unsafe { (*one.add(at), *other.add(at)) };
            if one != other {
                return i32::from(one) - i32::from(other);
            }
        }
        0
    }

    /// # Safety
    /// As in C.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn bcmp(one: *const u8, other: *const u8, length: usize) -> i32 {
        // SAFETY: the caller's, as in C.
        unsafe { memcmp(one, other, length) }
    }

    /// # Safety
    /// As in C.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn strlen(text: *const u8) -> usize {
        let mut length = 0;
        // SAFETY: the caller's, as in C.
        while unsafe { *text.add(length) } != 0 {
            length += 1;
        }
        length
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(70)
}

fn call(number: usize, args: [usize; 5]) -> isize {
    let result: isize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the callers below pass what each call asks for; the kernel changes rax, rcx and r11.
    unsafe {
        asm!("syscall", inlateout("rax") number as isize => result, in("rdi") args[0], in("rsi") args[1],
            in("rdx") args[2], in("r10") args[3], in("r8") args[4], lateout("rcx") _, lateout("r11") _);
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above; the kernel changes x0.
    unsafe {
        asm!("svc 0", in("x8") number, inlateout("x0") args[0] => result, in("x1") args[1],
            in("x2") args[2], in("x3") args[3], in("x4") args[4]);
    }
    result
}

fn exit(code: usize) -> ! {
    loop {
        call(number::EXIT, [code, 0, 0, 0, 0]);
    }
}

/// The stack as the kernel left it: the count of arguments, then pointers to them.
extern "C" fn start(stack: *const usize) -> ! {
    let all = u64::MAX;
    // SIG_BLOCK: whatever ends the owner's session or group is not meant for us.
    call(number::SIGPROCMASK, [0, &raw const all as usize, 0, 8, 0]);
    // SAFETY: execve(2) lays out the stack so, and its strings end in NUL.
    let name = unsafe {
        if *stack < 2 {
            exit(64);
        }
        CStr::from_ptr(*stack.add(2) as *const c_char)
    };
    // PR_SET_NAME: executed through a descriptor, it would be called by that's number.
    call(number::PRCTL, [15, c"pinfold-guard".as_ptr() as usize, 0, 0, 0]);
    // It is small and has work to do just when memory runs out. Only root may ask for that, and not every root.
    write(ABOVE, c"/proc/self/oom_score_adj", b"-900");
    while poll(OWNER, 1, None) < 0 {}
    end_all();
    for _ in 0..TRIES {
        if remove(ABOVE, name, DEPTH) {
            exit(0);
        }
        kill_one_by_one(DIRECTORY, DEPTH);
        pause();
    }
    exit(1)
}

/// Kills all that lives in the directory, and waits until the kernel says that nothing does.
fn end_all() {
    if !write(DIRECTORY, c"cgroup.kill", b"1") {
        // Before Linux 5.14: nothing can fork away while it is frozen, and the kill still acts.
        write(DIRECTORY, c"cgroup.freeze", b"1");
        kill_one_by_one(DIRECTORY, DEPTH);
        write(DIRECTORY, c"cgroup.freeze", b"0");
    }
    let Some(events) = open(DIRECTORY, c"cgroup.events", 0) else { return };
    let mut text = [0u8; 128];
    for _ in 0..TRIES {
        let mut length = 0;
        if let Some(fresh) = open(DIRECTORY, c"cgroup.events", 0) {
            length = call(number::READ, [fresh, text.as_mut_ptr() as usize, text.len(), 0, 0]).max(0) as usize;
            close(fresh);
        }
        let text = &text[..length.min(128)];
        if !text.windows(11).any(|window| window == b"populated 1") {
            break;
        }
        // POLLPRI, for as long as a millisecond.
        poll(events, 2, Some(1_000_000));
    }
    close(events);
}

/// Kills the processes of a directory and of those below it through handles of theirs.
fn kill_one_by_one(directory: usize, depth: u32) {
    if let Some(procs) = open(directory, c"cgroup.procs", 0) {
        let mut buffer = [0u8; 512];
        let mut pid = 0usize;
        loop {
            let length = call(number::READ, [procs, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0]);
            if length <= 0 {
                break;
            }
            for byte in &buffer[..(length as usize).min(512)] {
                if byte.is_ascii_digit() {
                    pid = pid * 10 + usize::from(byte - b'0');
                } else {
                    kill(pid);
                    pid = 0;
                }
            }
        }
        close(procs);
    }
    if depth > 0 {
        each_below(directory, |below, _| kill_one_by_one(below, depth - 1));
    }
}

fn kill(pid: usize) {
    if pid < 2 {
        return;
    }
    let handle = call(PIDFD_OPEN, [pid, 0, 0, 0, 0]);
    if handle >= 0 {
        call(PIDFD_SEND_SIGNAL, [handle as usize, 9, 0, 0, 0]);
        close(handle as usize);
    }
}

/// Removes a directory and those below it; whether it is gone.
fn remove(above: usize, name: &CStr, depth: u32) -> bool {
    const REMOVE_DIRECTORY: usize = 0x200;
    const NOT_THERE: isize = -2;
    let removed = || call(number::UNLINKAT, [above, name.as_ptr() as usize, REMOVE_DIRECTORY, 0, 0]);
    if matches!(removed(), 0 | NOT_THERE) {
        return true;
    }
    if depth > 0
        && let Some(directory) = open(above, name, DIRECTORY_FLAG)
    {
        each_below(directory, |_, name| {
            remove(directory, name, depth - 1);
        });
        close(directory);
    }
    matches!(removed(), 0 | NOT_THERE)
}

#[cfg(target_arch = "x86_64")]
const DIRECTORY_FLAG: usize = 0x10000;
#[cfg(target_arch = "aarch64")]
const DIRECTORY_FLAG: usize = 0x4000;

/// Calls back with each directory in one, opened, and its name.
fn each_below(directory: usize, mut each: impl FnMut(usize, &CStr)) {
    let Some(listing) = open(directory, c".", DIRECTORY_FLAG) else { return };
    let mut buffer = [0u64; 128];
    let size = size_of_val(&buffer);
    loop {
        let length = call(number::GETDENTS, [listing, buffer.as_mut_ptr() as usize, size, 0, 0]);
        if length <= 0 {
            break;
        }
        let mut offset = 0;
        while offset < length as usize {
            // SAFETY: struct linux_dirent64: ino u64, off i64, reclen u16, type u8, name up to a NUL.
            let (step, kind, name) = unsafe {
                let entry = buffer.as_ptr().cast::<u8>().add(offset);
                let step = entry.add(16).cast::<u16>().read_unaligned();
                (usize::from(step), *entry.add(18), CStr::from_ptr(entry.add(19).cast()))
            };
            const IS_DIRECTORY: u8 = 4;
            if kind == IS_DIRECTORY && name != c"." && name != c".." {
                if let Some(below) = open(directory, name, DIRECTORY_FLAG) {
                    each(below, name);
                    close(below);
                }
            }
            offset += step.max(1);
        }
    }
    close(listing);
}

fn open(directory: usize, name: &CStr, flags: usize) -> Option<usize> {
    const CLOSE_ON_EXEC: usize = 0x80000;
    let file = call(number::OPENAT, [directory, name.as_ptr() as usize, flags | CLOSE_ON_EXEC, 0, 0]);
    (file >= 0).then_some(file as usize)
}

fn write(directory: usize, name: &CStr, bytes: &[u8]) -> bool {
    const WRITE_ONLY: usize = 1;
    let Some(file) = open(directory, name, WRITE_ONLY) else { return false };
    let written = call(number::WRITE, [file, bytes.as_ptr() as usize, bytes.len(), 0, 0]);
    close(file);
    written > 0
}

fn close(file: usize) {
    call(number::CLOSE, [file, 0, 0, 0, 0]);
}

/// Waits for a descriptor, for so many nanoseconds at most.
fn poll(file: usize, events: u16, nanoseconds: Option<u64>) -> isize {
    let mut entry = [file as u32, u32::from(events)];
    let time = [0, nanoseconds.unwrap_or(0)];
    let limit = if nanoseconds.is_some() { time.as_ptr() as usize } else { 0 };
    call(number::PPOLL, [entry.as_mut_ptr() as usize, 1, limit, 0, 8])
}

fn pause() {
    let time = [0u64, 1_000_000];
    call(number::PPOLL, [0, 0, time.as_ptr() as usize, 0, 8]);
}
