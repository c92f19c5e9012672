//! A child that is a script: it has no process, no descriptor and no clock, and does what is due when it is looked at.

use super::Intake;
use super::script::{End, Reaction, Script, Step};
use crate::outcome::{Cause, Ending, Outcome};
use crate::settings::Stream;
use pinfold_os::handle::Pid;
use pinfold_os::signal::Signal;
use pinfold_os::wait::{Exit, ExitStatus};
use std::fs::File;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// No kernel gives a pid from here on to a process (Linux stops at 4 194 304), so that a made-up one never names any.
const MADE_UP: u32 = 1 << 30;

/// A scripted child.
#[derive(Debug)]
pub(crate) struct Scripted {
    pid: Pid,
    script: Arc<Script>,
    /// The index of its next step.
    next: usize,
    /// When it was done with the step before that.
    at: Instant,
    outlets: [Outlet; 2],
    intake: Option<Intake>,
    /// Signals that it was sent without being looked at.
    letters: Mutex<Vec<Letter>>,
    /// Since when it is stopped, and what it was sent meanwhile.
    frozen: Option<Instant>,
    held_back: Vec<Signal>,
    ended: Option<Exit>,
    cause: Cause,
    record: Option<Arc<Outcome>>,
    /// When it was looked at last, and whether it was.
    looked: Instant,
    began: bool,
}

/// Where one of its output streams goes.
#[derive(Debug)]
pub(crate) enum Outlet {
    /// To whoever captures this stream.
    Captured(Stream),
    /// To this process's own.
    Own(Stream),
    File(File),
    Nowhere,
}

impl Outlet {
    /// Another one to the same place.
    pub(crate) fn share(&self) -> io::Result<Outlet> {
        Ok(match self {
            Outlet::Captured(stream) => Outlet::Captured(*stream),
            Outlet::Own(stream) => Outlet::Own(*stream),
            Outlet::File(file) => Outlet::File(file.try_clone()?),
            Outlet::Nowhere => Outlet::Nowhere,
        })
    }
}

#[derive(Clone, Copy, Debug)]
enum Letter {
    Signal(Signal),
    Freeze(bool),
}

/// What it says to whoever captures it.
pub(super) struct Said {
    pub(super) stream: Stream,
    pub(super) bytes: Arc<[u8]>,
}

impl Scripted {
    pub(crate) fn new(
        script: Arc<Script>,
        outlets: [Outlet; 2],
        intake: Option<Intake>,
        started: Instant,
    ) -> Scripted {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = MADE_UP | (COUNT.fetch_add(1, Ordering::Relaxed) & (MADE_UP - 1));
        // Every number from there on is one.
        let pid = Pid::new(number.into()).or(Pid::new(MADE_UP.into()));
        Scripted {
            pid: pid.expect("a number above 1 and below 2^31 is a pid"),
            script,
            next: 0,
            at: started,
            outlets,
            intake,
            letters: Mutex::default(),
            frozen: None,
            held_back: Vec::new(),
            ended: None,
            cause: Cause::Itself,
            record: None,
            looked: started,
            began: false,
        }
    }

    /// Moves its beginning, if it has done nothing yet: whether it did.
    pub(super) fn begin_at(&mut self, now: Instant) -> bool {
        if !self.began {
            (self.at, self.looked) = (now, now);
        }
        !self.began
    }

    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// How it ended, if it has.
    pub(super) fn exit(&self) -> Option<Exit> {
        self.ended
    }

    /// Why, as its script has it.
    pub(super) fn cause(&self) -> Cause {
        self.cause
    }

    /// The outcome that its script has it end with.
    pub(super) fn record(&self) -> Option<&Outcome> {
        self.record.as_deref()
    }

    /// Reads the letters that came since it was looked at.
    pub(super) fn look(&mut self, now: Instant) {
        let letters = std::mem::take(self.letters.get_mut().unwrap_or_else(PoisonError::into_inner));
        for letter in letters {
            match letter {
                Letter::Signal(signal) => self.take_signal(signal, self.looked),
                Letter::Freeze(frozen) => self.freeze(frozen, self.looked),
            }
        }
        self.looked = now;
        self.began = true;
    }

    /// Does what is due, up to the next thing that it says.
    pub(super) fn go_on(&mut self, now: Instant) -> io::Result<Option<Said>> {
        while self.ended.is_none() && self.frozen.is_none() {
            let Some(step) = self.script.steps.get(self.next) else {
                self.come_to_end();
                break;
            };
            match step {
                Step::Pause(pause) => match self.at.checked_add(*pause) {
                    Some(over) if over <= now => self.at = over,
                    _ => break,
                },
                Step::AwaitLine if self.intake.as_ref().is_none_or(Intake::take_line) => {
                    self.at = now.max(self.at);
                }
                Step::AwaitEnd if self.intake.as_ref().is_none_or(Intake::is_ended) => {
                    self.at = now.max(self.at);
                }
                Step::AwaitLine | Step::AwaitEnd => break,
                Step::Write(stream, bytes) => {
                    let bytes = bytes.clone();
                    let outlet = &mut self.outlets[*stream as usize];
                    self.next += 1;
                    match outlet {
                        Outlet::Captured(stream) => return Ok(Some(Said { stream: *stream, bytes })),
                        Outlet::Own(Stream::Stdout) => io::stdout().write_all(&bytes)?,
                        Outlet::Own(Stream::Stderr) => io::stderr().write_all(&bytes)?,
                        Outlet::File(file) => file.write_all(&bytes)?,
                        Outlet::Nowhere => {}
                    }
                    continue;
                }
            }
            self.next += 1;
        }
        Ok(None)
    }

    fn come_to_end(&mut self) {
        if !self.script.end.comes() {
            return;
        }
        match self.script.end.clone() {
            End::Never => {}
            End::As(ending, cause) => {
                self.cause = cause;
                self.ended = Some(exit_of(ending));
            }
            End::Recorded(outcome) => {
                self.cause = outcome.cause;
                self.ended = Some(exit_of(outcome.ending));
                self.record = Some(outcome);
            }
        }
    }

    /// When something is due next, whatever happens until then; its end is, until that has been noticed.
    pub(super) fn deadline(&self, exited: bool) -> Option<Instant> {
        if self.ended.is_some() {
            return (!exited).then_some(self.looked);
        }
        if !self.letters.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
            return Some(self.looked);
        }
        if self.frozen.is_some() {
            return None;
        }
        match self.script.steps.get(self.next) {
            Some(Step::Pause(pause)) => self.at.checked_add(*pause),
            Some(Step::Write(..)) => Some(self.looked),
            Some(Step::AwaitLine | Step::AwaitEnd) => None,
            None => self.script.end.comes().then_some(self.looked),
        }
    }

    /// It wrote where nobody reads any more.
    pub(super) fn break_pipe(&mut self) {
        self.take_signal(Signal::PIPE, self.looked);
    }

    /// Sends it a signal, of which it learns when it is looked at.
    pub(super) fn post(&self, signal: Signal) -> io::Result<()> {
        self.send(Letter::Signal(signal))
    }

    /// Stops it or lets it run on, likewise.
    pub(super) fn post_freeze(&self, frozen: bool) -> io::Result<()> {
        self.send(Letter::Freeze(frozen))
    }

    fn send(&self, letter: Letter) -> io::Result<()> {
        if self.ended.is_some() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "it has ended"));
        }
        self.letters.lock().unwrap_or_else(PoisonError::into_inner).push(letter);
        Ok(())
    }

    /// Does what a process does about a signal, unless its script says otherwise.
    pub(super) fn take_signal(&mut self, signal: Signal, now: Instant) {
        if self.ended.is_some() {
            return;
        }
        match signal {
            Signal::KILL => return self.die_of(signal),
            Signal::STOP => return self.freeze(true, now),
            // Whatever else it does about this one, it runs on.
            Signal::CONT => self.freeze(false, now),
            _ if self.frozen.is_some() => return self.held_back.push(signal),
            _ => {}
        }
        match self.script.reaction(signal).cloned() {
            Some(Reaction::Ignore) => {}
            Some(Reaction::Turn(script)) => {
                self.script = script;
                self.next = 0;
                self.at = now;
            }
            None => match signal {
                Signal::CONT | Signal::CHLD | Signal::WINCH => {}
                #[cfg(unix)]
                Signal::URG => {}
                Signal::TSTP | Signal::TTIN | Signal::TTOU => self.freeze(true, now),
                _ => self.die_of(signal),
            },
        }
    }

    fn die_of(&mut self, signal: Signal) {
        // One that was stopped in its recording ends as it did there.
        let ending = match &self.script.end {
            End::Recorded(outcome) if self.is_at_end() => outcome.ending,
            _ => Ending::Signalled { signal, core_dumped: false },
        };
        self.frozen = None;
        self.ended = Some(exit_of(ending));
    }

    fn is_at_end(&self) -> bool {
        self.next >= self.script.steps.len()
    }

    fn freeze(&mut self, frozen: bool, now: Instant) {
        match (frozen, self.frozen) {
            (true, None) => self.frozen = Some(now),
            (false, Some(since)) => {
                self.frozen = None;
                self.at += now.saturating_duration_since(since.max(self.at));
                for signal in std::mem::take(&mut self.held_back) {
                    self.take_signal(signal, now);
                }
            }
            _ => {}
        }
    }
}

/// The end of a process, as the kernel would record it.
fn exit_of(ending: Ending) -> Exit {
    let status = match ending {
        Ending::Exited { code } => ExitStatus::Code(code),
        Ending::Signalled { signal, core_dumped } => ExitStatus::Signal { signal, core_dumped },
        Ending::Lost => ExitStatus::Lost,
    };
    Exit { status, usage: Default::default() }
}
