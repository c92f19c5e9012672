//! The raw system call: nothing between us and the kernel.
//!
//! The child between clone and exec may share its parent's memory, so it must not touch libc's `errno`, nor anything
//! of libc that locks or allocates. rustix would do for most calls, but any crate of the final program can switch it
//! to its libc backend (`use-libc`), behind our back; so these few instructions are our own.

use core::arch::asm;

/// Makes system call `number` with up to six arguments. The kernel's answer: a value, or a negated errno.
///
/// # Safety
/// The arguments must be what that system call asks for; pointers must be good for what it does with them.
#[inline(always)]
pub(crate) unsafe fn syscall(number: libc::c_long, args: [usize; 6]) -> isize {
    let result: isize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the kernel preserves all registers but rax, rcx and r11; the caller vouches for the arguments.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") args[0], in("rsi") args[1], in("rdx") args[2],
            in("r10") args[3], in("r8") args[4], in("r9") args[5],
            lateout("rcx") _, lateout("r11") _,
            options(nostack)
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: the kernel preserves all registers but x0; the caller vouches for the arguments.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") args[0] => result,
            in("x1") args[1], in("x2") args[2], in("x3") args[3], in("x4") args[4], in("x5") args[5],
            options(nostack)
        );
    }
    result
}

/// The kernel's answer as a `Result`: the value, or the errno.
#[inline(always)]
pub(crate) fn answer(result: isize) -> Result<usize, i32> {
    if result < 0 { Err(-(result as i32)) } else { Ok(result as usize) }
}

/// Arguments filled up with zeros.
#[inline(always)]
pub(crate) fn padded<const GIVEN: usize>(given: [usize; GIVEN]) -> [usize; 6] {
    std::array::from_fn(|at| given.get(at).copied().unwrap_or(0))
}

/// `call!(number, a, b, ...)`: [`syscall`] with the arguments cast and the rest zero, as a `Result<usize, i32>`.
macro_rules! call {
    ($number:expr $(, $arg:expr)* $(,)?) => {
        $crate::linux::sys::answer($crate::linux::sys::syscall(
            $number,
            $crate::linux::sys::padded([$($arg as usize),*]),
        ))
    };
}
pub(crate) use call;
