//! Filters of system calls (`seccomp(2)`), made from names.
//!
//! A call that is denied fails with `EPERM`, and `clone3(2)` with `ENOSYS`, upon which C libraries use `clone(2)`, whose
//! flags a filter can see. Calls by another architecture's table end the process: their numbers mean something else.

mod table;

use super::sys::call;
use crate::deny::{Feature, denied};
use crate::sandbox::{Filter, Instruction};
use table::TABLE;

/// What a list of system calls is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// These, and those without which no program could be started and ended.
    Allow,
    /// All but these.
    Deny,
}

/// Why a name cannot stand in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No system call is called so.
    Unknown,
    /// Without it no program could be started, ended or found wanting.
    Needed,
    /// A part of a system call can only be denied.
    Part,
}

/// What the child itself still does when the filter is on: execute, or tell why it could not, and end.
pub const NEEDED: [&str; 3] = ["execve", "exit_group", "write"];

/// Parts of system calls that have a name of their own: which call, which argument, what about it.
const PARTS: [(&str, &str, u32, Test); 4] = [
    ("clone:namespaces", "clone", 0, Test::AnyOf(NEW_NAMESPACES)),
    ("ioctl:tioclinux", "ioctl", 1, Test::Equals(libc::TIOCLINUX as u32)),
    ("ioctl:tiocsti", "ioctl", 1, Test::Equals(libc::TIOCSTI as u32)),
    ("prlimit64:others", "prlimit64", 0, Test::NotZero),
];

/// Every flag of `clone(2)` that makes a namespace.
const NEW_NAMESPACES: u32 = (libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWUTS) as u32;

#[derive(Clone, Copy)]
enum Test {
    NotZero,
    Equals(u32),
    AnyOf(u32),
}

/// Whether this kernel filters system calls.
pub fn available() -> bool {
    const SECCOMP_GET_ACTION_AVAIL: u32 = 2;
    let action = RET_ERRNO;
    // SAFETY: a pointer to a number of ours.
    let answer = unsafe { call!(libc::SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &raw const action) };
    !denied(Feature::Seccomp) && answer.is_ok()
}

/// Every name that can stand in a list on this architecture.
pub fn names() -> impl Iterator<Item = &'static str> {
    let calls = TABLE.iter().filter(|(_, number)| number.is_some()).map(|(name, _)| *name);
    calls.chain(PARTS.iter().map(|(name, ..)| *name))
}

/// A filter from a list of names. A call that only the other architecture has cannot be made here, and is passed over.
///
/// # Errors
/// The first name that cannot stand in such a list, and why.
pub fn filter<'n>(list: List, names: &[&'n str]) -> Result<Filter, (&'n str, Refusal)> {
    let mut program = beginning();
    for name in names {
        if let Some((_, call, argument, test)) = PARTS.iter().find(|(part, ..)| part == name) {
            if list == List::Allow {
                return Err((*name, Refusal::Part));
            }
            if let Some(number) = number(call).flatten() {
                part(&mut program, number, *argument, *test);
            }
            continue;
        }
        let Some(number) = number(name) else { return Err((*name, Refusal::Unknown)) };
        if list == List::Deny && NEEDED.contains(name) {
            return Err((*name, Refusal::Needed));
        }
        if let Some(number) = number {
            let answer = if list == List::Allow { RET_ALLOW } else { denial(name) };
            program.extend([jump(JEQ, number, 0, 1), ret(answer)]);
        }
    }
    match list {
        List::Deny => program.push(ret(RET_ALLOW)),
        List::Allow => {
            for name in NEEDED {
                if let Some(number) = number(name).flatten() {
                    program.extend([jump(JEQ, number, 0, 1), ret(RET_ALLOW)]);
                }
            }
            // A call that is newer than our table is one that the program has to do without on other kernels too.
            let last = TABLE.iter().filter_map(|(_, number)| *number).max().unwrap_or(0);
            program.extend([jump(JGT, last, 0, 1), ret(RET_ERRNO | libc::ENOSYS as u32)]);
            if let Some(number) = number("clone3").flatten() {
                program.extend([jump(JEQ, number, 0, 1), ret(denial("clone3"))]);
            }
            program.push(ret(denial("")));
        }
    }
    Ok(Filter(program))
}

/// Its number here; `Some(None)` for a call of the other architecture.
fn number(name: &str) -> Option<Option<u32>> {
    TABLE.binary_search_by(|(known, _)| known.cmp(&name)).ok().map(|at| TABLE[at].1)
}

fn denial(name: &str) -> u32 {
    RET_ERRNO | if name == "clone3" { libc::ENOSYS } else { libc::EPERM } as u32
}

// Classic BPF, and the offsets of `struct seccomp_data`.
const LOAD: u16 = 0x20;
const RET: u16 = 0x06;
const JEQ: u16 = 0x15;
const JGT: u16 = 0x25;
const JSET: u16 = 0x45;
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;
const RET_ALLOW: u32 = 0x7fff_0000;
const RET_ERRNO: u32 = 0x0005_0000;
const RET_KILL_PROCESS: u32 = 0x8000_0000;
#[cfg(target_arch = "x86_64")]
const OURS: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const OURS: u32 = 0xc000_00b7;

fn jump(code: u16, k: u32, jt: u8, jf: u8) -> Instruction {
    Instruction { code, jt, jf, k }
}

fn ret(k: u32) -> Instruction {
    jump(RET, k, 0, 0)
}

fn load(offset: u32) -> Instruction {
    jump(LOAD, offset, 0, 0)
}

/// Only calls by our own table go on, with the number loaded.
fn beginning() -> Vec<Instruction> {
    let mut program = vec![load(ARCHITECTURE), jump(JEQ, OURS, 1, 0), ret(RET_KILL_PROCESS), load(NUMBER)];
    if cfg!(target_arch = "x86_64") {
        // The x32 numbering is a second name for every call.
        const X32: u32 = 0x4000_0000;
        program.extend([jump(JSET, X32, 0, 1), ret(RET_ERRNO | libc::ENOSYS as u32)]);
    }
    program
}

/// Denies a call when the test holds of the low half of an argument, which is all that the kernel reads of it.
fn part(program: &mut Vec<Instruction>, number: u32, argument: u32, test: Test) {
    let test = match test {
        Test::NotZero => jump(JEQ, 0, 1, 0),
        Test::Equals(value) => jump(JEQ, value, 0, 1),
        Test::AnyOf(bits) => jump(JSET, bits, 0, 1),
    };
    program.extend([
        jump(JEQ, number, 0, 4),
        load(ARGUMENTS + 8 * argument),
        test,
        ret(denial("")),
        load(NUMBER),
    ]);
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn the_table_is_sorted_and_has_libcs_numbers() {
        assert!(TABLE.is_sorted_by(|(a, _), (b, _)| a < b));
        for (name, number) in [
            ("read", libc::SYS_read),
            ("openat", libc::SYS_openat),
            ("ptrace", libc::SYS_ptrace),
            ("clone3", libc::SYS_clone3),
            ("io_uring_setup", libc::SYS_io_uring_setup),
            ("landlock_restrict_self", libc::SYS_landlock_restrict_self),
            ("mount_setattr", libc::SYS_mount_setattr),
        ] {
            assert_eq!(super::number(name).flatten(), Some(number as u32), "{name}");
        }
        assert!(names().any(|name| name == "ioctl:tiocsti"));
    }

    #[test]
    fn names_that_cannot_stand_in_a_list_are_refused() {
        use List::{Allow, Deny};
        assert_eq!(filter(Deny, &["ptrace", "ptarce"]).unwrap_err(), ("ptarce", Refusal::Unknown));
        for name in NEEDED {
            assert_eq!(filter(Deny, &[name]).unwrap_err(), (name, Refusal::Needed));
        }
        assert_eq!(filter(Allow, &["ioctl:tiocsti"]).unwrap_err(), ("ioctl:tiocsti", Refusal::Part));
        // The longest list there can be is short enough for the kernel.
        let all: Vec<&str> = names().filter(|name| !NEEDED.contains(name)).collect();
        assert!(filter(Deny, &all).unwrap().0.len() < 4096);
    }

    /// What the kernel would make of a call.
    fn judge(filter: &Filter, arch: u32, number: u32, arguments: [u32; 2]) -> u32 {
        let (mut at, mut value) = (0, 0);
        loop {
            let Instruction { code, jt, jf, k } = filter.0[at];
            at += 1;
            let jump_if = |condition: bool| usize::from(if condition { jt } else { jf });
            match (code, k) {
                (LOAD, NUMBER) => value = number,
                (LOAD, ARCHITECTURE) => value = arch,
                (LOAD, _) => value = arguments[(k - ARGUMENTS) as usize / 8],
                (RET, _) => return k,
                (JEQ, _) => at += jump_if(value == k),
                (JGT, _) => at += jump_if(value > k),
                (JSET, _) => at += jump_if(value & k != 0),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_filter_says_what_its_list_says() {
        let (eperm, enosys) = (RET_ERRNO | libc::EPERM as u32, RET_ERRNO | libc::ENOSYS as u32);
        let at = |name: &str| super::number(name).flatten().unwrap();
        let deny = filter(
            List::Deny,
            &["ptrace", "clone3", "clone:namespaces", "ioctl:tiocsti", "prlimit64:others"],
        )
        .unwrap();
        let sti = libc::TIOCSTI as u32;
        let thread = libc::CLONE_THREAD as u32;
        let user = libc::CLONE_NEWUSER as u32;
        for (number, arguments, answer) in [
            (at("ptrace"), [0, 0], eperm),
            (at("clone3"), [0, 0], enosys),
            (at("clone"), [thread, 0], RET_ALLOW),
            (at("clone"), [thread | user, 0], eperm),
            (at("ioctl"), [sti, 0], RET_ALLOW),
            (at("ioctl"), [0, sti], eperm),
            (at("prlimit64"), [0, 7], RET_ALLOW),
            (at("prlimit64"), [7, 0], eperm),
            (at("read"), [user, sti], RET_ALLOW),
            (5000, [0, 0], RET_ALLOW),
        ] {
            assert_eq!(judge(&deny, OURS, number, arguments), answer, "{number} {arguments:?}");
        }
        assert_eq!(judge(&deny, 0x4000_0003, at("read"), [0, 0]), RET_KILL_PROCESS);
        if cfg!(target_arch = "x86_64") {
            assert_eq!(judge(&deny, OURS, 0x4000_0000 | at("ptrace"), [0, 0]), enosys);
        }
        let allow = filter(List::Allow, &["read", "clone3"]).unwrap();
        for (number, answer) in [
            (at("read"), RET_ALLOW),
            (at("clone3"), RET_ALLOW),
            (at("execve"), RET_ALLOW),
            (at("openat"), eperm),
            (5000, enosys),
        ] {
            assert_eq!(judge(&allow, OURS, number, [0, 0]), answer, "{number}");
        }
        assert_eq!(judge(&filter(List::Allow, &[]).unwrap(), OURS, at("clone3"), [0, 0]), enosys);
    }
}
