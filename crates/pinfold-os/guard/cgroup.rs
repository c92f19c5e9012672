//! The guard of a cgroup directory: at its owner's end it kills what lives there and removes it.
//!
//! It shares nothing with the owner but three descriptors: 3 becomes readable at the owner's end (a pidfd of it), 4 is the
//! directory, 5 the one above. The name of the one in the other is its one argument.

use crate::kernel::{
    DIRECTORY_FLAG, INPUT, PRIORITY, Wait, call, close, each_number, exit, kill, number, open, pause, poll, read,
    write_file,
};
use core::ffi::CStr;

const OWNER: u32 = 3;
const DIRECTORY: usize = 4;
const ABOVE: usize = 5;

/// How often a directory that is still busy is tried again, a millisecond apart.
const TRIES: u32 = 10_000;
const MILLISECOND: u64 = 1_000_000;
/// No cgroup of ours lies deeper; what a program made below its own may, up to this.
const DEPTH: u32 = 16;

pub fn guard(name: &CStr) -> ! {
    while poll(&mut [Wait { file: OWNER, events: INPUT, came: 0 }], None) < 0 {}
    end_all();
    for _ in 0..TRIES {
        if remove(ABOVE, name, DEPTH) {
            exit(0);
        }
        kill_one_by_one(DIRECTORY, DEPTH);
        pause(MILLISECOND);
    }
    exit(1)
}

/// Kills all that lives in the directory, and waits until the kernel says that nothing does.
fn end_all() {
    if !write_file(DIRECTORY, c"cgroup.kill", b"1") {
        // Before Linux 5.14: nothing can fork away while it is frozen, and the kill still acts.
        write_file(DIRECTORY, c"cgroup.freeze", b"1");
        kill_one_by_one(DIRECTORY, DEPTH);
        write_file(DIRECTORY, c"cgroup.freeze", b"0");
    }
    let Some(events) = open(DIRECTORY, c"cgroup.events", 0) else { return };
    let mut text = [0u8; 128];
    for _ in 0..TRIES {
        let mut length = 0;
        if let Some(fresh) = open(DIRECTORY, c"cgroup.events", 0) {
            length = read(fresh, &mut text).max(0) as usize;
            close(fresh);
        }
        let text = &text[..length.min(128)];
        if !text.windows(11).any(|window| window == b"populated 1") {
            break;
        }
        poll(&mut [Wait { file: events as u32, events: PRIORITY, came: 0 }], Some(MILLISECOND));
    }
    close(events);
}

/// Kills the processes of a directory and of those below it through handles of theirs.
fn kill_one_by_one(directory: usize, depth: u32) {
    if let Some(procs) = open(directory, c"cgroup.procs", 0) {
        each_number(procs, kill);
        close(procs);
    }
    if depth > 0 {
        each_below(directory, |below, _| kill_one_by_one(below, depth - 1));
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
