//! The program as a job of the terminal: who is in the foreground, and stopping and going on together.
//!
//! Where the program shares our process group, the shell that started us treats both as one job, and only one thing is
//! left to do: to stop when the program has stopped, so that the shell sees it. Where it has a group of its own, pinfold
//! hands the foreground on and takes it back, as a shell would.

use pinfold::{Running, Signal};
use pinfold_os::terminal::{Terminal, stop_by};

/// The program's part in job control.
#[derive(Debug)]
pub(crate) struct Job {
    shares_group: bool,
    /// We were in the foreground when it was started.
    began_in_front: bool,
    /// Its own group has the foreground from us.
    lent: bool,
}

impl Job {
    pub(crate) fn new(shares_group: bool, began_in_front: bool, lent: bool) -> Job {
        Job { shares_group, began_in_front, lent }
    }

    /// Whether the program is in our process group.
    pub(crate) fn shares_group(&self) -> bool {
        self.shares_group
    }

    /// The program was stopped by this signal: stops with it, and helps it on when the job goes on.
    pub(crate) fn stopped(&mut self, running: &Running, signal: Signal) {
        // Without a terminal there is no shell that would look after us, and nobody to wake us.
        let Ok(terminal) = Terminal::controlling() else { return };
        let wants_foreground =
            matches!(signal, Signal::TTIN | Signal::TTOU) && !self.shares_group && !self.lent;
        if !(wants_foreground && terminal.is_ours()) {
            if std::mem::take(&mut self.lent) {
                let _ = terminal.take();
            }
            // SIGSTOP would stop us even where nobody can wake us.
            stop_by(if signal == Signal::STOP { Signal::TSTP } else { signal });
        }
        // In the background it is woken by the SIGCONT that woke us, which is passed on.
        if !self.shares_group && terminal.is_ours() {
            self.lent = terminal.give(running.pid()).is_ok();
            let _ = running.signal_all(Signal::CONT);
        }
    }

    /// The run is over: takes the foreground back, from its own group or from one that it left to nobody.
    pub(crate) fn end(&mut self) {
        if !self.lent && !self.began_in_front {
            return;
        }
        let Ok(terminal) = Terminal::controlling() else { return };
        if std::mem::take(&mut self.lent) || terminal.is_abandoned() {
            let _ = terminal.take();
        }
    }
}
