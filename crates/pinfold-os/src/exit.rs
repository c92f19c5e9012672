//! The end of this very process.

use crate::signal::Signal;
use std::sync::Mutex;

/// What is to be called at the end, once.
static LAST: Mutex<Vec<fn()>> = Mutex::new(Vec::new());

/// Has `last` called when this process ends in an orderly way: by returning from `main`, by `exit(3)` or by
/// [`by_signal`]. Not when a signal ends it. Each registration is one call.
pub fn at_exit(last: fn()) {
    let Ok(mut wanted) = LAST.lock() else { return };
    wanted.push(last);
    #[cfg(unix)]
    {
        static REGISTERED: std::sync::Once = std::sync::Once::new();
        extern "C" fn run() {
            run_last();
        }
        REGISTERED.call_once(|| {
            // SAFETY: a function of the C ABI that does not unwind: the callbacks are ours and do not panic.
            unsafe { libc::atexit(run) };
        });
    }
}

fn run_last() {
    let Ok(wanted) = LAST.try_lock().map(|mut wanted| std::mem::take(&mut *wanted)) else { return };
    for last in wanted {
        last();
    }
}

/// Ends this process as if this signal had ended it, by its default action, so that whoever waits for it sees just
/// that; no core is dumped. What [`at_exit`] was told is called first.
///
/// A signal that ends nobody by default, or one sent by the init process of a PID namespace to itself, has no effect;
/// then it exits with 128 plus the signal's number, as shells put it.
pub fn by_signal(signal: Signal) -> ! {
    run_last();
    #[cfg(unix)]
    imp::raise_default(signal);
    std::process::exit(128 + signal.number())
}

#[cfg(unix)]
mod imp {
    use crate::signal::{Signal, with_unblocked};
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    pub(super) fn raise_default(signal: Signal) {
        let maximum = getrlimit(Resource::Core).maximum;
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum });
        // Where cores are piped to a program the limit is not asked, but this is.
        #[cfg(target_os = "linux")]
        let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
        if signal != Signal::KILL && signal != Signal::STOP {
            // SAFETY: the default action runs no code of ours.
            unsafe { libc::signal(signal.number(), libc::SIG_DFL) };
        }
        if signal != Signal::STOP {
            // SAFETY: a signal to this thread, which ends the process.
            with_unblocked(signal, || unsafe { libc::raise(signal.number()) });
        }
    }
}
