//! The child that stays between us and the program: it makes the program's process and then executes the guard's program.
//!
//! The same rules hold as for all that runs between clone and exec.

use super::{
    Done, KernelSigaction, Script, at, bear, call, close_others, enter_cgroup, exit, fail, prctl,
    write_string,
};
use crate::order::Step;
use core::ffi::{c_char, c_void};
use core::mem::MaybeUninit;

/// The keeper of a program: a process that makes the program and then executes the guard's.
#[derive(Clone, Copy)]
pub(in crate::linux) struct Keep {
    /// The guard's program: `/proc/self/fd/N`, with N above the places of all that the keeper is given beside it. Not by
    /// `execveat(2)`, of which TOMOYO on older kernels makes a path below `/dev/fd`, which may not be there.
    pub(in crate::linux) program: *const c_char,
    pub(in crate::linux) control: i32,
    pub(in crate::linux) owner: i32,
    pub(in crate::linux) null: i32,
    pub(in crate::linux) argv: *const *const c_char,
    /// Room for the program's pid within `argv`: [`PID_DIGITS`] and a NUL.
    pub(in crate::linux) pid: *mut u8,
    /// The namespaces that it is born in.
    pub(in crate::linux) namespaces: u64,
    /// Contents of `uid_map` and `gid_map` where it is born in a user namespace; else null.
    pub(in crate::linux) user_maps: [*const c_char; 2],
}

/// Enough for every pid.
pub(in crate::linux) const PID_DIGITS: usize = 10;

/// Makes the program's process as a child of this one, hands a handle of it to the owner, and becomes the keeper.
///
/// # Safety
/// As [`main`].
pub(super) unsafe fn become_keeper(script: *mut Script, keep: &Keep) -> ! {
    // SAFETY: as in `main`.
    unsafe {
        if let Err((step, errno)) = take_post(&*script, keep) {
            fail(script, step, errno);
        }
        // The program is born where its keeper is.
        (*script).cgroup = -1;
        let born = match bear(script) {
            Ok(born) => born,
            Err(errno) => fail(script, Step::Clone, errno),
        };
        // It has said why.
        if (&raw const (*script).report.step).read_volatile() != 0 {
            exit(127);
        }
        write_pid(born.pid, keep.pid);
        let done = send_descriptor(keep.control, born.pidfd)
            .map_err(at(Step::Keeper))
            .and_then(|()| execute_keeper(&*script, keep));
        let (step, errno) = done.err().unwrap_or((Step::Keeper, libc::EIO));
        // Not waited for, so that its pid is still its own.
        if born.pid > 1 {
            let _ = call!(libc::SYS_kill, born.pid, libc::SIGKILL);
        }
        fail(script, step, errno)
    }
}

/// What must hold before there is a program: orphans come to this process, and it can be told of them.
unsafe fn take_post(s: &Script, keep: &Keep) -> Done {
    // SAFETY: as in `prepare`; strings and mounts of a mount namespace of our own.
    unsafe {
        let action = KernelSigaction { handler: libc::SIG_DFL, flags: 0, restorer: 0, mask: 0 };
        // Ignored, it would have the kernel throw away the records of our children.
        call!(libc::SYS_rt_sigaction, libc::SIGCHLD, &raw const action, 0, size_of::<u64>())
            .map_err(at(Step::Signals))?;
        if s.cgroup >= 0 && s.enters_cgroup {
            enter_cgroup(s.cgroup)?;
        }
        if keep.namespaces == 0 {
            return prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0).map(drop).map_err(at(Step::Keeper));
        }
        let [users, groups] = keep.user_maps;
        if !users.is_null() {
            write_string(c"/proc/self/setgroups".as_ptr(), c"deny".as_ptr())
                .map_err(at(Step::UserNamespace))?;
            write_string(c"/proc/self/gid_map".as_ptr(), groups).map_err(at(Step::UserNamespace))?;
            write_string(c"/proc/self/uid_map".as_ptr(), users).map_err(at(Step::UserNamespace))?;
        }
        // What is mounted in here is nobody else's to see, and the processes that /proc shows are those in here.
        let (none, root, proc) = (c"none".as_ptr(), c"/".as_ptr(), c"/proc".as_ptr());
        call!(libc::SYS_mount, none, root, 0, libc::MS_REC | libc::MS_SLAVE, 0).map_err(at(Step::Proc))?;
        let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
        call!(libc::SYS_mount, c"proc".as_ptr(), proc, c"proc".as_ptr(), flags, 0)
            .map(drop)
            .map_err(at(Step::Proc))
    }
}

/// Sends a descriptor through a socket (`unix(7)`).
unsafe fn send_descriptor(socket: i32, descriptor: i32) -> Result<(), i32> {
    #[repr(C)]
    struct Message {
        length: usize,
        level: i32,
        kind: i32,
        descriptor: i32,
        _padding: i32,
    }
    let message = Message {
        length: size_of::<usize>() + 3 * size_of::<i32>(),
        level: libc::SOL_SOCKET,
        kind: libc::SCM_RIGHTS,
        descriptor,
        _padding: 0,
    };
    let byte = [0u8; 1];
    // SAFETY: a header of plain pointers to the variables above.
    unsafe {
        let part = libc::iovec { iov_base: byte.as_ptr() as *mut c_void, iov_len: byte.len() };
        let mut header = MaybeUninit::<libc::msghdr>::zeroed().assume_init();
        header.msg_iov = (&raw const part).cast_mut();
        header.msg_iovlen = 1;
        header.msg_control = (&raw const message).cast_mut().cast();
        header.msg_controllen = size_of::<Message>() as _;
        call!(libc::SYS_sendmsg, socket, &raw const header, libc::MSG_NOSIGNAL).map(drop)
    }
}

/// Executes the guard's program with what it needs and nothing else.
unsafe fn execute_keeper(s: &Script, keep: &Keep) -> Done {
    /// Above every number that a descriptor is placed at.
    const FREE: i32 = 10;
    // SAFETY: descriptors of this process alone, and an array that the parent laid out.
    unsafe {
        let failed = at(Step::Keeper);
        let aside = |descriptor: i32| call!(libc::SYS_fcntl, descriptor, libc::F_DUPFD_CLOEXEC, FREE);
        let [null, owner, control] = [keep.null, keep.owner, keep.control];
        let places = [aside(null), aside(null), aside(null), aside(owner), aside(control)];
        close_others(s)?;
        for (target, source) in places.into_iter().enumerate() {
            call!(libc::SYS_dup3, source.map_err(&failed)?, target, 0).map_err(&failed)?;
        }
        // Not among those that a key of the terminal reaches, but in their session: the program's group is no orphan.
        call!(libc::SYS_setpgid, 0, 0).map_err(&failed)?;
        call!(libc::SYS_chdir, c"/".as_ptr()).map_err(&failed)?;
        let environment = [core::ptr::null::<c_char>()];
        call!(libc::SYS_execve, keep.program, keep.argv, environment.as_ptr()).map(drop).map_err(&failed)
    }
}

/// The decimal digits of a pid, with zeros in front.
unsafe fn write_pid(pid: i32, to: *mut u8) {
    let mut rest = pid.unsigned_abs();
    for at in (0..PID_DIGITS).rev() {
        // SAFETY: the parent set aside that much room.
        unsafe { to.add(at).write(b'0' + (rest % 10) as u8) };
        rest /= 10;
    }
}
