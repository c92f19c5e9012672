//! The keeper: stands between an owner and a program, adopts every orphan of the program's, and ends with the last of
//! them.
//!
//! It tells its owner through a socket how the program ended. When the owner hangs up or ends, the keeper ends what it
//! keeps: as the first process of a PID namespace by its own end, at which the kernel kills all the others; as a subreaper
//! by killing its children until none is left, those of the dead becoming its own.
//!
//! Descriptor 3 becomes readable at the owner's end (a pidfd of it), 4 is the socket.

use crate::kernel::{
    ANYWHERE, INPUT, Wait, call, each_number, exit, kill, number, open, poll, read, write_file,
};

const OWNER: u32 = 3;
const CONTROL: u32 = 4;

/// What the owner is told: `crates/pinfold-os/src/linux/keeper.rs` reads it.
const ENDED: i64 = 1;
const STOPPED: i64 = 2;

/// A millisecond; and the pause after so many of them, when something refuses to die.
const SOON: u64 = 1_000_000;
const LATER: u64 = 100_000_000;
const PATIENCE: u32 = 10_000;

/// Keeps the program of this pid, which is a child by now.
pub fn keep(program: usize, is_init: bool) -> ! {
    write_file(ANYWHERE, c"/proc/self/oom_score_adj", b"-900");
    let children = open(ANYWHERE, c"/proc/thread-self/children", 0);
    let Some(deaths) = deaths() else { exit(71) };
    let wait = |file: u32| Wait { file, events: INPUT, came: 0 };
    // The owner has learnt the program's pid, which a program that was waited for has no more.
    let mut greeted = false;
    let mut has_ended = false;
    loop {
        if greeted {
            match reap(program) {
                Left::None => exit(0),
                Left::NotTheProgram => has_ended = true,
                Left::Some => {}
            }
        }
        let mut waits = [wait(OWNER), wait(CONTROL), wait(deaths)];
        if poll(&mut waits[..if greeted { 3 } else { 2 }], None) < 0 {
            continue;
        }
        if waits[2].came != 0 {
            take(deaths);
        }
        let hung_up = waits[1].came != 0 && {
            greeted = true;
            read(CONTROL as usize, &mut [0u8; 8]) <= 0
        };
        if hung_up || waits[0].came != 0 {
            if is_init {
                if !has_ended {
                    end_program(program, deaths, children);
                }
                exit(0);
            }
            end_all(program, deaths, children);
        }
    }
}

/// A descriptor that becomes readable when a child ends; the signal itself is blocked.
fn deaths() -> Option<u32> {
    const CHILD: u64 = 1 << 16;
    const NON_BLOCKING_CLOSE_ON_EXEC: usize = 0x80800;
    let set = CHILD;
    let file = call(number::SIGNALFD, [usize::MAX, &raw const set as usize, 8, NON_BLOCKING_CLOSE_ON_EXEC, 0]);
    u32::try_from(file).ok()
}

fn take(deaths: u32) {
    let mut letters = [0u8; 512];
    while read(deaths as usize, &mut letters) > 0 {}
}

/// Which children are left.
#[derive(PartialEq)]
enum Left {
    /// The program may be among them.
    Some,
    /// Others than the program, if any, since it has just ended.
    NotTheProgram,
    None,
}

/// Takes the records of children that have ended, and tells the owner of the program: which are left.
fn reap(program: usize) -> Left {
    const NO_HANG: usize = 1;
    const STOPS: usize = 2;
    const ENDS: usize = 4;
    const LEAVE_IT: usize = 0x0100_0000;
    const ANY_KIND: usize = 0x4000_0000;
    const EVERY: usize = 0;
    const ONE: usize = 1;
    const NO_CHILD: isize = -10;
    const INTERRUPTED: isize = -4;
    const CODE_STOPPED: i32 = 5;
    const CODE_CONTINUED: i32 = 6;
    let mut left = Left::Some;
    loop {
        // struct siginfo: signal, error, code, -, pid, user, status; struct rusage: two times, then the peak.
        let mut info = [0i32; 32];
        let mut usage = [0i64; 18];
        let options = ENDS | STOPS | NO_HANG | ANY_KIND;
        let (info_at, usage_at) = (info.as_mut_ptr() as usize, usage.as_mut_ptr() as usize);
        match call(number::WAITID, [EVERY, 0, info_at, options | LEAVE_IT, usage_at]) {
            NO_CHILD => return Left::None,
            INTERRUPTED => continue,
            failed if failed < 0 => return left,
            _ => {}
        }
        let (code, pid, status) = (info[2], info[4], info[6]);
        if pid == 0 {
            return left;
        }
        // Told before it is taken: once the program's pid is gone, its end is known.
        let take = || call(number::WAITID, [ONE, pid as usize, 0, options, 0]);
        if pid as usize != program || code == CODE_CONTINUED {
            take();
            continue;
        }
        let kind = if code == CODE_STOPPED { STOPPED } else { ENDED };
        if kind == ENDED {
            left = Left::NotTheProgram;
        } else {
            // Taken before it is told: what is told can be answered, and the next stop must not be taken for this one.
            take();
        }
        let record = [
            kind,
            i64::from(code),
            i64::from(status),
            usage[0] * 1_000_000 + usage[1],
            usage[2] * 1_000_000 + usage[3],
            usage[4],
        ];
        call(number::WRITE, [CONTROL as usize, record.as_ptr() as usize, size_of_val(&record), 0, 0]);
        if kind == ENDED {
            take();
        }
    }
}

/// Kills the program itself, so that its end is told before the kernel kills all the others, and us. That can take it long:
/// memory is given back by the dying, in their own time on a CPU. Nobody lives on meanwhile.
fn end_program(program: usize, deaths: u32, children: Option<usize>) {
    kill(program);
    for _ in 0..PATIENCE {
        if reap(program) != Left::Some {
            return;
        }
        if let Some(children) = children {
            each_number(children, kill);
        }
        poll(&mut [Wait { file: deaths, events: INPUT, came: 0 }], Some(SOON));
        take(deaths);
    }
}

/// Kills children until there are none: those of each one that dies are ours next.
fn end_all(program: usize, deaths: u32, children: Option<usize>) -> ! {
    let mut rounds = 0;
    loop {
        if let Some(children) = children {
            each_number(children, kill);
        }
        if reap(program) == Left::None {
            exit(0);
        }
        rounds += 1;
        let pause = if rounds < PATIENCE { SOON } else { LATER };
        poll(&mut [Wait { file: deaths, events: INPUT, came: 0 }], Some(pause));
        take(deaths);
    }
}
