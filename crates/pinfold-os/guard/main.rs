//! The guard: a program of its own that outlives its owner by a moment, to end what the owner can no longer end.
//!
//! It has two trades, told by its first argument: `guard NAME` looks after a cgroup directory, `keeper PID` and `init PID`
//! after one program and all that it starts.
//!
//! No standard library, no libc, no allocation: a few pages, most of them shared by all guards of a host.
#![no_std]
#![no_main]
// The memory functions must not be compiled into calls of themselves.
#![no_builtins]

mod cgroup;
mod keeper;
mod kernel;

use core::arch::global_asm;
use core::ffi::{CStr, c_char};
use kernel::{ANYWHERE, call, exit, number, set_name, write_file};

#[cfg(target_arch = "x86_64")]
global_asm!(".globl _start", "_start:", "xor ebp, ebp", "mov rdi, rsp", "and rsp, -16", "call {}", "ud2", sym start);
#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "mov x29, xzr", "mov x0, sp", "bl {}", "brk 1", sym start);

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(70)
}

/// The stack as the kernel left it: the count of arguments, then pointers to them.
extern "C" fn start(stack: *const usize) -> ! {
    let all = u64::MAX;
    // SIG_BLOCK: whatever ends the owner's session or group is not meant for us.
    call(number::SIGPROCMASK, [0, &raw const all as usize, 0, 8, 0]);
    // SAFETY: execve(2) lays out the stack so, and its strings end in NUL.
    let (trade, subject) = unsafe {
        if *stack < 3 {
            exit(64);
        }
        (CStr::from_ptr(*stack.add(2) as *const c_char), CStr::from_ptr(*stack.add(3) as *const c_char))
    };
    // Executed through a descriptor, it would be called by that's number.
    match trade.to_bytes() {
        b"guard" => {
            set_name(c"pinfold-guard");
            // It is small and has work to do just when memory runs out. Only root may ask for that, and not every root.
            write_file(ANYWHERE, c"/proc/self/oom_score_adj", b"-900");
            cgroup::guard(subject)
        }
        b"keeper" => {
            set_name(c"pinfold-keeper");
            keeper::keep(decimal(subject), false)
        }
        b"init" => {
            set_name(c"pinfold-init");
            keeper::keep(decimal(subject), true)
        }
        _ => exit(64),
    }
}

fn decimal(text: &CStr) -> usize {
    let digits = text.to_bytes().iter().filter(|byte| byte.is_ascii_digit());
    digits.fold(0, |number: usize, byte| number.wrapping_mul(10).wrapping_add(usize::from(byte - b'0')))
}
