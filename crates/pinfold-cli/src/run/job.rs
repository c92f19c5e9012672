//! The program as a job of the terminal: who is in the foreground, and stopping and going on together.
//!
//! Where the program shares our process group, the shell that started us treats both as one job, and only one thing is
//! left to do: to stop when the program has stopped, so that the shell sees it. Where it has a group of its own, pinfold
//! hands the foreground on and takes it back, as a shell would.

use pinfold::{Running, Signal};
use pinfold_os::poll;
use pinfold_os::terminal::{Terminal, stop_by};
use pinfold_proc::Proc;
use pinfold_proc::parse::stat::State;
use std::time::{Duration, Instant};

/// The program's part in job control.
#[derive(Debug)]
pub(crate) struct Job {
    shares_group: bool,
    /// We were in the foreground when a shell last started us or had us go on.
    in_front: bool,
    /// Its own group has the foreground from us.
    lent: bool,
    /// We were stopped with it, and were not told to go on yet.
    slept: bool,
    /// The program is the child of a keeper.
    has_keeper: bool,
}

/// How long a keeper may take to tell of a stop.
const NEWS_TAKE: Duration = Duration::from_millis(100);

impl Job {
    pub(crate) fn new(shares_group: bool, in_front: bool, lent: bool, has_keeper: bool) -> Job {
        Job { shares_group, in_front, lent, slept: false, has_keeper }
    }

    /// Whether the program is in our process group.
    pub(crate) fn shares_group(&self) -> bool {
        self.shares_group
    }

    /// Stops with the program if it was stopped, and helps it on when the job goes on. Whether it was.
    pub(crate) fn look(&mut self, running: &Running) -> bool {
        let Some(signal) = running.take_stop() else { return false };
        // Without a terminal there is no shell that would look after us, and nobody to wake us.
        let Ok(terminal) = Terminal::controlling() else { return true };
        let wants_foreground =
            matches!(signal, Signal::TTIN | Signal::TTOU) && !self.shares_group && !self.lent;
        if !(wants_foreground && terminal.is_ours()) {
            if std::mem::take(&mut self.lent) {
                let _ = terminal.take();
            }
            self.slept = true;
            // SIGSTOP would stop us even where nobody can wake us.
            stop_by(if signal == Signal::STOP { Signal::TSTP } else { signal });
            // A shell gives the foreground before it wakes a job. The program can end before we are told that we go on.
            self.in_front = terminal.is_ours();
        }
        // In the background it is woken by the SIGCONT that woke us, which is passed on.
        if !self.shares_group && terminal.is_ours() {
            self.lent = terminal.give(running.pid()).is_ok();
            let _ = running.signal_all(Signal::CONT);
        }
        true
    }

    /// We were told to go on, by a shell as a rule, in the foreground or in the background.
    pub(crate) fn go_on(&mut self, running: &Running) {
        if !self.lent {
            self.in_front = Terminal::controlling().is_ok_and(|terminal| terminal.is_ours());
        }
        // Whoever woke us woke it too: telling it again could undo the next ^Z.
        let has_been_woken = std::mem::take(&mut self.slept) && !is_stopped(running);
        if !has_been_woken && !self.look(running) && !self.look_for_news(running) {
            let _ = if self.shares_group {
                running.signal(Signal::CONT)
            } else {
                running.signal_all(Signal::CONT)
            };
        }
    }

    /// A keeper tells of a stop a moment after it: the program may have been stopped anew since it was woken. Whether it was.
    fn look_for_news(&mut self, running: &Running) -> bool {
        if !self.has_keeper || !is_stopped(running) {
            return false;
        }
        let deadline = Instant::now() + NEWS_TAKE;
        while Instant::now() < deadline {
            if self.look(running) {
                return true;
            }
            if poll::wait(&running.interest().waitables, Some(deadline)).is_err() {
                return false;
            }
        }
        self.look(running)
    }

    /// The run is over: takes the foreground back, be it lent or taken by a program that is no more.
    pub(crate) fn end(&mut self) {
        if !self.lent && !self.in_front {
            return;
        }
        let Ok(terminal) = Terminal::controlling() else { return };
        if std::mem::take(&mut self.lent) || !terminal.is_ours() {
            let _ = terminal.take();
        }
    }
}

/// Whether the program is stopped at this moment.
fn is_stopped(running: &Running) -> bool {
    Proc::new("/proc").stat(running.pid().get()).is_ok_and(|stat| stat.state == State::Stopped)
}
