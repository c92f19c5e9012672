//! The end of this very process.

/// Has `last` called when this process ends in an orderly way: by returning from `main` or by `exit(3)`. Not when a
/// signal ends it. Each
/// registration is one call.
pub fn at_exit(last: fn()) {
    #[cfg(unix)]
    {
        use std::sync::Mutex;
        static WANTED: Mutex<Vec<fn()>> = Mutex::new(Vec::new());
        extern "C" fn run() {
            let Ok(wanted) = WANTED.try_lock().map(|wanted| wanted.clone()) else { return };
            for last in wanted {
                last();
            }
        }
        let Ok(mut wanted) = WANTED.lock() else { return };
        wanted.push(last);
        if wanted.len() == 1 {
            // SAFETY: a function of the C ABI that does not unwind: the callbacks are ours and do not panic.
            unsafe { libc::atexit(run) };
        }
    }
    #[cfg(not(unix))]
    let _ = last;
}
