//! The child takes away from itself what its order says: namespaces while it has privileges, then the rest at the end.
//!
//! As all of `child.rs`: raw system calls on what the parent laid out.

use super::{Done, Step, at, call};
use crate::sandbox::Instruction;
use core::ffi::c_char;
use core::ptr;

/// The sandbox of an order in the form that the child can use.
pub(in crate::linux) struct Sandbox {
    pub(in crate::linux) no_network: bool,
    pub(in crate::linux) private_tmp: bool,
    /// What is written to `uid_map` and `gid_map`, with its length; null for no user namespace.
    pub(in crate::linux) maps: [(*const c_char, usize); 2],
    /// -1 for none. Above every target of a descriptor.
    pub(in crate::linux) ruleset: i32,
    /// (path, rights) of what is added to it.
    pub(in crate::linux) inside: *const (*const c_char, u64),
    pub(in crate::linux) inside_count: usize,
    pub(in crate::linux) filter: *const Instruction,
    pub(in crate::linux) filter_length: u16,
}

/// The kernel's `struct sock_fprog`.
#[repr(C)]
struct Program {
    length: u16,
    instructions: *const Instruction,
}

/// The kernel's `struct landlock_path_beneath_attr`.
#[repr(C, packed)]
struct PathBeneath {
    rights: u64,
    place: i32,
}

/// The namespaces, while whoever made us has what that takes.
pub(super) unsafe fn enter_namespaces(s: &Sandbox) -> Done {
    // SAFETY: namespaces of this process alone, even while it shares memory; NUL-terminated strings.
    unsafe {
        if !s.maps[0].0.is_null() {
            let failed = at(Step::SandboxUser);
            call!(libc::SYS_unshare, libc::CLONE_NEWUSER).map_err(&failed)?;
            // Who may set groups could leave those that bar it from something: the kernel asks for this first.
            write(c"/proc/self/setgroups".as_ptr(), c"deny".as_ptr(), 4).map_err(&failed)?;
            let [uid, gid] = s.maps;
            write(c"/proc/self/uid_map".as_ptr(), uid.0, uid.1).map_err(&failed)?;
            write(c"/proc/self/gid_map".as_ptr(), gid.0, gid.1).map_err(&failed)?;
        }
        if s.no_network {
            call!(libc::SYS_unshare, libc::CLONE_NEWNET).map_err(at(Step::Network))?;
            raise_loopback().map_err(at(Step::Network))?;
        }
        if s.private_tmp {
            let failed = at(Step::PrivateTmp);
            let none = ptr::null::<c_char>();
            call!(libc::SYS_unshare, libc::CLONE_NEWNS).map_err(&failed)?;
            // What is mounted outside still comes in; nothing goes out.
            let flags = libc::MS_REC | libc::MS_SLAVE;
            call!(libc::SYS_mount, none, c"/".as_ptr(), none, flags, none).map_err(&failed)?;
            let (kind, options) = (c"tmpfs".as_ptr(), c"mode=1777".as_ptr());
            let flags = libc::MS_NOSUID | libc::MS_NODEV;
            call!(libc::SYS_mount, kind, c"/tmp".as_ptr(), kind, flags, options).map_err(&failed)?;
        }
    }
    Ok(())
}

/// A new network namespace has its loopback device down, and with it 127.0.0.1.
unsafe fn raise_loopback() -> Result<(), i32> {
    const SIOCSIFFLAGS: u32 = 0x8914;
    // struct ifreq: the name in 16 bytes, then the flags.
    let mut request = [0u8; 40];
    request[..2].copy_from_slice(b"lo");
    request[16] = libc::IFF_UP as u8;
    // SAFETY: a socket of our own, and a request of the size that the kernel reads.
    unsafe {
        let socket = call!(libc::SYS_socket, libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0)?;
        let raised = call!(libc::SYS_ioctl, socket, SIOCSIFFLAGS, request.as_ptr());
        let _ = call!(libc::SYS_close, socket);
        raised.map(drop)
    }
}

/// Landlock, when nothing is left to be done that it would bar.
pub(super) unsafe fn restrict(s: &Sandbox) -> Done {
    const LANDLOCK_RULE_PATH_BENEATH: u32 = 1;
    if s.ruleset < 0 {
        return Ok(());
    }
    let failed = at(Step::Landlock);
    // SAFETY: a ruleset that the parent made for us, and a rule of the kernel's layout.
    unsafe {
        for index in 0..s.inside_count {
            let (path, rights) = *s.inside.add(index);
            let flags = libc::O_PATH | libc::O_CLOEXEC;
            let place = call!(libc::SYS_openat, libc::AT_FDCWD, path, flags).map_err(&failed)?;
            let rule = PathBeneath { rights, place: place as i32 };
            let rule = &raw const rule;
            call!(libc::SYS_landlock_add_rule, s.ruleset, LANDLOCK_RULE_PATH_BENEATH, rule, 0)
                .map_err(&failed)?;
            let _ = call!(libc::SYS_close, place);
        }
        call!(libc::SYS_landlock_restrict_self, s.ruleset, 0).map(drop).map_err(failed)
    }
}

/// The filter: from here on only what it allows.
pub(super) unsafe fn load_filter(s: &Sandbox) -> Done {
    const SECCOMP_SET_MODE_FILTER: u32 = 1;
    if s.filter.is_null() {
        return Ok(());
    }
    let program = Program { length: s.filter_length, instructions: s.filter };
    // SAFETY: a program of that length, which the kernel checks and copies.
    unsafe { call!(libc::SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &raw const program) }
        .map(drop)
        .map_err(at(Step::Seccomp))
}

unsafe fn write(path: *const c_char, text: *const c_char, length: usize) -> Result<(), i32> {
    // SAFETY: NUL-terminated strings, the second of that length.
    unsafe {
        let file = call!(libc::SYS_openat, libc::AT_FDCWD, path, libc::O_WRONLY | libc::O_CLOEXEC)?;
        let written = call!(libc::SYS_write, file, text, length);
        let _ = call!(libc::SYS_close, file);
        written.map(drop)
    }
}
