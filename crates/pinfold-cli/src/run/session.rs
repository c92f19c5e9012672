//! One run of the program, from its start to the end of all of it: the machine, our signals and the terminal.

use super::job::Job;
use super::letters::{self, Answer, Situation, answer};
use super::words;
use crate::args::RunArgs;
use crate::out;
use pinfold::{
    Command, Host, Interest, Mechanism, Outcome, Progress, Runner, Running, Signal, StopRule, Stream,
};
use pinfold_os::inbox::{Inbox, Letter, Sender};
use pinfold_os::poll::{self, Woken};
use pinfold_os::terminal;
use pinfold_proc::Proc;
use std::io;
use std::time::{Duration, Instant};

/// A second request to stop after this long is impatience; one before is the same request, sent to a process and then
/// to its group, as `timeout` does it.
const PATIENCE: Duration = Duration::from_millis(500);

/// A run that has ended.
pub(crate) struct Finished {
    pub(crate) outcome: Outcome,
    /// Why some of its output was lost, if it was.
    pub(crate) failure: Option<io::Error>,
    /// Whether somebody asked for its end, by a signal or by a key.
    pub(crate) interrupted: bool,
    /// The signal by which pinfold was told to stop it, if it was, and not by a key.
    pub(crate) told_to_stop: Option<Signal>,
}

/// A run that goes on.
pub(crate) struct Session<'a> {
    running: Running,
    inbox: &'a Inbox,
    job: Job,
    has_keeper: bool,
    stop: StopRule,
    stop_asked: Option<(Signal, Instant)>,
    interrupted: bool,
    /// What is said where the program cannot be ended, unless it was.
    withstands: Option<String>,
}

impl<'a> Session<'a> {
    /// Starts the program.
    pub(crate) fn start(
        args: &RunArgs,
        host: &Host,
        command: &Command,
        inbox: &'a Inbox,
    ) -> pinfold::Result<Session<'a>> {
        let in_front = terminal::stdin_is_ours();
        let reads_terminal =
            in_front && !args.setsid && matches!(args.stdin, None | Some(pinfold::Stdin::Inherit));
        let running =
            if reads_terminal { host.launch(&command.clone().foreground())? } else { host.launch(command)? };
        let apart = matches!(running.mechanism(), Mechanism::ProcessGroup | Mechanism::PidNamespace);
        let shares_group = !apart && !args.setsid;
        let defaults = StopRule::default();
        let stop = StopRule {
            signal: args.signal.unwrap_or(defaults.signal),
            grace: args.grace.unwrap_or(defaults.grace),
        };
        let has_keeper = matches!(running.mechanism(), Mechanism::Subreaper | Mechanism::PidNamespace);
        let job = Job::new(shares_group, in_front, !shares_group && reads_terminal, has_keeper);
        // Also where a record is to stand in place of words: it comes after the end, for which somebody has to do something.
        let withstands = Some(words::withstands(args, running.pid()));
        Ok(Session {
            running,
            inbox,
            job,
            has_keeper,
            stop,
            stop_asked: None,
            interrupted: false,
            withstands,
        })
    }

    /// The machine.
    pub(crate) fn running(&self) -> &Running {
        &self.running
    }

    /// Goes on until all of it has ended; `early` came before the start.
    pub(crate) fn finish(mut self, early: Vec<Letter>) -> io::Result<Finished> {
        // What came while the program was being made may have been too early for it.
        for letter in early {
            self.answer(letter, true);
        }
        self.answer_pending(true)?;
        while self.running.advance(Instant::now()) == Progress::Pending {
            // The child of a keeper is none of ours, so that no letter tells of its stops; advancing has learnt of them.
            if self.has_keeper {
                self.job.look(&self.running);
            }
            if self.running.withstands_kill()
                && let Some(what) = self.withstands.take()
            {
                out::fail(&what, None);
            }
            let Interest { mut waitables, deadline } = self.running.interest();
            waitables.push(self.inbox.waitable());
            poll::wait(&waitables, deadline)?;
            self.answer_pending(false)?;
        }
        self.job.end();
        let failure = self.running.failure().map(|error| io::Error::new(error.kind(), error.to_string()));
        let mut outcome = self.running.outcome().cloned().ok_or(io::ErrorKind::NotFound)?;
        // Nothing is retained here: what counts is whether all of it was passed on.
        for (stream, seen) in [(Stream::Stdout, &mut outcome.stdout), (Stream::Stderr, &mut outcome.stderr)] {
            if let Some(seen) = seen {
                seen.truncated = self.running.was_cut(stream);
            }
        }
        // Whoever presses a key sees what it does.
        let told_to_stop =
            self.stop_asked.map(|(signal, _)| signal).filter(|signal| !letters::is_key(*signal));
        Ok(Finished { outcome, failure, interrupted: self.interrupted, told_to_stop })
    }

    /// One by one: while an answer stops us with the program, the kernel takes back letters that are no longer true.
    fn answer_pending(&mut self, early: bool) -> io::Result<()> {
        while let Some(letter) = self.inbox.take()? {
            self.answer(letter, early);
        }
        Ok(())
    }

    fn answer(&mut self, letter: Letter, early: bool) {
        // A program that has ended by now would be sent what is meant for all that it left.
        self.running.advance(Instant::now());
        let situation = Situation {
            shares_group: self.job.shares_group(),
            program_ended: self.running.ending().is_some(),
            early,
        };
        self.interrupted |= letters::is_deadly(letter.signal);
        let running = &self.running;
        match answer(letter, situation, |pid| running.members().contains(&pid)) {
            Answer::Nothing => {}
            Answer::LookForStop => {
                self.job.look(running);
            }
            Answer::GoOn => self.job.go_on(running),
            // What cannot be told, since it has ended, need not be.
            Answer::Program => drop(running.signal(letter.signal)),
            Answer::MissedByProgram if catches(running, letter.signal) => {}
            Answer::MissedByProgram => drop(running.signal(letter.signal)),
            Answer::Everyone => drop(running.signal_all(letter.signal)),
            Answer::Stop => self.stop(letter.signal, Instant::now()),
        }
    }

    fn stop(&mut self, signal: Signal, now: Instant) {
        match self.stop_asked {
            None => {
                self.stop_asked = Some((signal, now));
                self.running.stop(self.stop, now);
            }
            Some((_, before)) if now.saturating_duration_since(before) >= PATIENCE => {
                self.running.stop(StopRule::KILL, now);
            }
            Some(_) => {}
        }
    }
}

/// Whether the program has a handler for it. One that has none and lives has not got it, or does not mind it.
fn catches(running: &Running, signal: Signal) -> bool {
    let mut proc = Proc::new("/proc");
    let signals = proc.status(running.pid().get()).ok().and_then(|status| status.signals);
    signals.is_some_and(|signals| signals.caught.contains(signal.number() as u32))
}

/// The pause between two attempts; a signal that would have ended a program ends it, and is given back.
pub(crate) fn rest(inbox: &Inbox, pause: Duration) -> Option<Signal> {
    let deadline = Instant::now().checked_add(pause);
    loop {
        while let Ok(Some(letter)) = inbox.take() {
            match letter {
                Letter { signal, .. } if letters::is_deadly(signal) => return Some(signal),
                Letter { signal: Signal::TSTP, sender: Sender::Kernel } => terminal::stop_by(Signal::TSTP),
                _ => {}
            }
        }
        match poll::wait(&[inbox.waitable()], deadline) {
            Ok(Woken::Deadline) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}
