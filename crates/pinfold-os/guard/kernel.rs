//! What the kernel offers to a program without a libc: the system call, and the few uses of it that there are here.

use core::arch::asm;
use core::ffi::CStr;

#[cfg(target_arch = "x86_64")]
pub mod number {
    pub const READ: usize = 0;
    pub const WRITE: usize = 1;
    pub const CLOSE: usize = 3;
    pub const SIGPROCMASK: usize = 14;
    pub const PREAD: usize = 17;
    pub const PRCTL: usize = 157;
    pub const GETDENTS: usize = 217;
    pub const EXIT: usize = 231;
    pub const WAITID: usize = 247;
    pub const OPENAT: usize = 257;
    pub const UNLINKAT: usize = 263;
    pub const PPOLL: usize = 271;
    pub const SIGNALFD: usize = 289;
}
#[cfg(target_arch = "aarch64")]
pub mod number {
    pub const UNLINKAT: usize = 35;
    pub const OPENAT: usize = 56;
    pub const CLOSE: usize = 57;
    pub const GETDENTS: usize = 61;
    pub const READ: usize = 63;
    pub const WRITE: usize = 64;
    pub const PREAD: usize = 67;
    pub const PPOLL: usize = 73;
    pub const SIGNALFD: usize = 74;
    pub const EXIT: usize = 94;
    pub const WAITID: usize = 95;
    pub const SIGPROCMASK: usize = 135;
    pub const PRCTL: usize = 167;
}
/// The same everywhere.
const PIDFD_SEND_SIGNAL: usize = 424;
const PIDFD_OPEN: usize = 434;

#[cfg(target_arch = "x86_64")]
pub const DIRECTORY_FLAG: usize = 0x10000;
#[cfg(target_arch = "aarch64")]
pub const DIRECTORY_FLAG: usize = 0x4000;

/// `openat(2)`: the current directory, which an absolute path does not ask for.
pub const ANYWHERE: usize = -100_isize as usize;

pub fn call(number: usize, args: [usize; 5]) -> isize {
    let result: isize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the callers pass what each call asks for; the kernel changes rax, rcx and r11.
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

pub fn exit(code: usize) -> ! {
    loop {
        call(number::EXIT, [code, 0, 0, 0, 0]);
    }
}

/// What `ps` and the like show.
pub fn set_name(name: &CStr) {
    const PR_SET_NAME: usize = 15;
    call(number::PRCTL, [PR_SET_NAME, name.as_ptr() as usize, 0, 0, 0]);
}

pub fn open(directory: usize, name: &CStr, flags: usize) -> Option<usize> {
    const CLOSE_ON_EXEC: usize = 0x80000;
    let file = call(number::OPENAT, [directory, name.as_ptr() as usize, flags | CLOSE_ON_EXEC, 0, 0]);
    (file >= 0).then_some(file as usize)
}

pub fn read(file: usize, buffer: &mut [u8]) -> isize {
    call(number::READ, [file, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0])
}

pub fn write_file(directory: usize, name: &CStr, bytes: &[u8]) -> bool {
    const WRITE_ONLY: usize = 1;
    let Some(file) = open(directory, name, WRITE_ONLY) else { return false };
    let written = call(number::WRITE, [file, bytes.as_ptr() as usize, bytes.len(), 0, 0]);
    close(file);
    written > 0
}

pub fn close(file: usize) {
    call(number::CLOSE, [file, 0, 0, 0, 0]);
}

/// The process of this pid is killed through a handle of it; 0 and 1 are none.
pub fn kill(pid: usize) {
    const KILL: usize = 9;
    if pid < 2 {
        return;
    }
    let handle = call(PIDFD_OPEN, [pid, 0, 0, 0, 0]);
    if handle >= 0 {
        call(PIDFD_SEND_SIGNAL, [handle as usize, KILL, 0, 0, 0]);
        close(handle as usize);
    }
}

/// Calls back with each number of a file, whatever divides them.
pub fn each_number(file: usize, mut each: impl FnMut(usize)) {
    let mut buffer = [0u8; 512];
    let (mut number, mut inside, mut offset) = (0usize, false, 0usize);
    loop {
        let at = [file, buffer.as_mut_ptr() as usize, buffer.len(), offset, 0];
        let length = call(number::PREAD, at);
        if length <= 0 {
            break;
        }
        offset += length as usize;
        for byte in &buffer[..(length as usize).min(512)] {
            if byte.is_ascii_digit() {
                number = number.wrapping_mul(10).wrapping_add(usize::from(byte - b'0'));
                inside = true;
            } else if inside {
                each(number);
                (number, inside) = (0, false);
            }
        }
    }
    if inside {
        each(number);
    }
}

/// `struct pollfd`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Wait {
    pub file: u32,
    pub events: u16,
    pub came: u16,
}

/// Something can be read.
pub const INPUT: u16 = 1;
/// Something out of the ordinary.
pub const PRIORITY: u16 = 2;

/// Waits for one of these, for so many nanoseconds at most.
pub fn poll(waits: &mut [Wait], nanoseconds: Option<u64>) -> isize {
    let time = [0, nanoseconds.unwrap_or(0)];
    let limit = if nanoseconds.is_some() { time.as_ptr() as usize } else { 0 };
    call(number::PPOLL, [waits.as_mut_ptr() as usize, waits.len(), limit, 0, 8])
}

pub fn pause(nanoseconds: u64) {
    poll(&mut [], Some(nanoseconds));
}

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

