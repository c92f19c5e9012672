//! The attempts of a probe, one after the other, and of several side by side.

use super::output::Reading;
use super::trial::{Trial, Verdict, plain};
use super::{ATTEMPT, COMMAND_INTERVAL, INTERVAL, Kind, Probe};
use crate::command::Command;
use crate::machine::Interest;
use crate::running::Running;
use pinfold_os::connect::Connection;
use std::io;
use std::time::{Duration, Instant};

/// A probe that is being tried. What has held once is not tried again.
pub(crate) enum Check {
    One(Box<Leaf>),
    All(Vec<Check>),
    Any(Vec<Check>),
}

/// One that consists of no others.
pub(crate) struct Leaf {
    probe: Probe,
    state: State,
    /// Why the last attempt failed.
    reason: Option<String>,
}

enum State {
    Due,
    Under { trial: Trial, until: Option<Instant> },
    Resting { until: Option<Instant> },
    Reading(Reading),
    Held,
}

/// The run that a probe is of, if it is of one.
pub(crate) struct Of<'a> {
    pub(crate) running: &'a mut Running,
    pub(crate) command: &'a Command,
    /// Whether it is over: then only what it wrote still counts.
    pub(crate) over: bool,
    /// Whether whoever is to be asked was asked already, without the run, so that nobody is asked now.
    pub(crate) asked: bool,
}

impl Check {
    pub(crate) fn new(probe: &Probe) -> Check {
        match &probe.kind {
            Kind::All(probes) => Check::All(probes.iter().map(Check::new).collect()),
            Kind::Any(probes) => Check::Any(probes.iter().map(Check::new).collect()),
            kind => {
                let state = match kind {
                    Kind::Line { stream, holds } => {
                        State::Reading(Reading::new(*stream, holds.clone(), false))
                    }
                    Kind::Prompt { stream, holds } => {
                        State::Reading(Reading::new(*stream, holds.clone(), true))
                    }
                    _ => State::Due,
                };
                Check::One(Box::new(Leaf { probe: probe.clone(), state, reason: None }))
            }
        }
    }

    /// Does all that can be done without waiting: whether it holds.
    pub(crate) fn advance(&mut self, now: Instant, mut of: Option<Of<'_>>) -> io::Result<bool> {
        self.step(now, &mut of)
    }

    /// Reads what a run wrote, for [`Check::ask`].
    pub(crate) fn collect(&mut self, running: &mut Running, command: &Command) {
        match self {
            Check::All(checks) | Check::Any(checks) => {
                checks.iter_mut().for_each(|check| check.collect(running, command));
            }
            Check::One(leaf) => {
                if let State::Reading(reading) = &mut leaf.state {
                    reading.read(running, command);
                }
            }
        }
    }

    /// Whether something that a run wrote is to be judged.
    pub(crate) fn has_news(&self) -> bool {
        match self {
            Check::All(checks) | Check::Any(checks) => checks.iter().any(Check::has_news),
            Check::One(leaf) => matches!(&leaf.state, State::Reading(reading) if reading.has_news()),
        }
    }

    /// Asks whoever is to be asked, without the run; whether that makes it hold is seen when it is advanced.
    pub(crate) fn ask(&mut self, now: Instant, over: bool) -> io::Result<()> {
        match self {
            Check::All(checks) | Check::Any(checks) => {
                checks.iter_mut().try_for_each(|check| check.ask(now, over))
            }
            Check::One(leaf) => match &mut leaf.state {
                State::Reading(reading) => {
                    reading.judge();
                    Ok(())
                }
                _ if over => Ok(()),
                _ => leaf.step(now, &mut None).map(drop),
            },
        }
    }

    fn step(&mut self, now: Instant, of: &mut Option<Of<'_>>) -> io::Result<bool> {
        match self {
            Check::One(leaf) => leaf.step(now, of),
            Check::All(checks) => {
                let mut all = true;
                for check in checks {
                    all &= check.step(now, of)?;
                }
                Ok(all)
            }
            Check::Any(checks) => {
                for check in checks {
                    if check.step(now, of)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }

    pub(crate) fn interest(&self, now: Instant) -> Interest<'_> {
        let mut interest = Interest { waitables: Vec::new(), deadline: None };
        self.gather(now, &mut interest);
        interest
    }

    fn gather<'a>(&'a self, now: Instant, all: &mut Interest<'a>) {
        match self {
            Check::All(checks) | Check::Any(checks) => checks.iter().for_each(|check| check.gather(now, all)),
            Check::One(leaf) => {
                let deadline = match &leaf.state {
                    State::Due => Some(now),
                    State::Under { trial, until } => {
                        let own = trial.interest(now);
                        all.waitables.extend(own.waitables);
                        [own.deadline, *until].into_iter().flatten().min()
                    }
                    State::Resting { until } => *until,
                    State::Reading(_) | State::Held => None,
                };
                all.deadline = [all.deadline, deadline].into_iter().flatten().min();
            }
        }
    }

    /// Whether an attempt of each that would have had to hold has failed.
    pub(crate) fn has_failed(&self) -> bool {
        match self {
            Check::One(leaf) => !matches!(leaf.state, State::Held) && leaf.reason.is_some(),
            Check::All(checks) => checks.iter().any(Check::has_failed),
            Check::Any(checks) => checks.iter().all(Check::has_failed),
        }
    }

    /// Whether it needs output that nobody captures.
    pub(crate) fn is_blind(&self) -> bool {
        match self {
            Check::One(leaf) => matches!(&leaf.state, State::Reading(reading) if reading.is_blind()),
            Check::All(checks) => checks.iter().any(Check::is_blind),
            Check::Any(checks) => checks.iter().all(Check::is_blind),
        }
    }

    /// Why it does not hold.
    pub(crate) fn reason(&self) -> String {
        match self {
            Check::One(leaf) => leaf.reason(),
            Check::All(checks) | Check::Any(checks) => {
                let mut reasons = Vec::new();
                checks.iter().for_each(|check| check.name_reasons(&mut reasons));
                reasons.join("; ")
            }
        }
    }

    fn name_reasons(&self, reasons: &mut Vec<String>) {
        match self {
            Check::One(leaf) if matches!(leaf.state, State::Held) => {}
            Check::One(leaf) => reasons.push(format!("{}: {}", leaf.probe, leaf.reason())),
            Check::All(checks) | Check::Any(checks) => {
                checks.iter().for_each(|check| check.name_reasons(reasons));
            }
        }
    }

    /// Lets go of what it has a run keep.
    pub(crate) fn close(&mut self, running: &mut Running) {
        match self {
            Check::All(checks) | Check::Any(checks) => {
                checks.iter_mut().for_each(|check| check.close(running));
            }
            Check::One(leaf) => {
                if let State::Reading(reading) = &mut leaf.state {
                    reading.close(running);
                }
            }
        }
    }
}

impl Leaf {
    fn step(&mut self, now: Instant, of: &mut Option<Of<'_>>) -> io::Result<bool> {
        if let State::Reading(reading) = &mut self.state {
            let Some(of) = of else { return Ok(false) };
            let holds = if of.asked { reading.has_found() } else { reading.look(of.running, of.command) };
            if holds {
                reading.close(of.running);
                self.state = State::Held;
            }
            return Ok(holds);
        }
        if of.as_ref().is_some_and(|of| of.asked) {
            return Ok(matches!(self.state, State::Held));
        }
        let over = of.as_ref().is_some_and(|of| of.over);
        loop {
            match &mut self.state {
                State::Held => return Ok(true),
                State::Reading(_) => return Ok(false),
                // Whoever answers now is somebody else.
                _ if over => return Ok(false),
                State::Due => match self.begin() {
                    Ok(None) => self.conclude(Ok(()), now),
                    Ok(Some(trial)) => {
                        let longest = self.probe.attempt.unwrap_or(ATTEMPT);
                        let until = if trial.is_bounded() { None } else { now.checked_add(longest) };
                        self.state = State::Under { trial, until };
                    }
                    Err(reason) => self.conclude(Err(reason), now),
                },
                State::Under { trial, until } => match trial.advance(now)? {
                    Some(verdict) => self.conclude(verdict, now),
                    None if until.is_some_and(|until| until <= now) => {
                        let longest = self.probe.attempt.unwrap_or(ATTEMPT);
                        self.conclude(Err(format!("no answer within {longest:?}")), now);
                    }
                    None => return Ok(false),
                },
                State::Resting { until } => {
                    if until.is_none_or(|until| until > now) {
                        return Ok(false);
                    }
                    self.state = State::Due;
                }
            }
        }
    }

    /// An attempt: nothing where it has held at once.
    fn begin(&self) -> Result<Option<Trial>, String> {
        match &self.probe.kind {
            Kind::Tcp(address) => Trial::connect(address).map(Some),
            Kind::Http { url, good } => Trial::http(url, good.clone()).map(Some),
            Kind::Unix(path) => match Connection::unix(path) {
                Ok(_) => Ok(None),
                // Somebody does, and has much to do.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    Err("its backlog is full".to_owned())
                }
                Err(error) => Err(plain(&error)),
            },
            Kind::File { path, filled } => match std::fs::metadata(path) {
                Ok(file) if *filled && file.len() == 0 => Err("it is empty".to_owned()),
                Ok(_) => Ok(None),
                Err(error) => Err(plain(&error)),
            },
            Kind::Command { runner, command } => {
                let mut command = (**command).clone();
                if command.timeout.is_none() {
                    command = command.timeout(self.probe.attempt.unwrap_or(ATTEMPT));
                }
                Ok(Some(Trial::command(runner.clone(), command)))
            }
            Kind::Asked(asked) => asked().map(|()| None),
            // These are no leaves, or read along.
            Kind::Line { .. } | Kind::Prompt { .. } | Kind::All(_) | Kind::Any(_) => Ok(None),
        }
    }

    fn conclude(&mut self, verdict: Verdict, now: Instant) {
        match verdict {
            Ok(()) => self.state = State::Held,
            Err(reason) => {
                self.reason = Some(reason);
                self.state = State::Resting { until: now.checked_add(self.interval()) };
            }
        }
    }

    fn interval(&self) -> Duration {
        let usual = match self.probe.kind {
            Kind::Command { .. } => COMMAND_INTERVAL,
            _ => INTERVAL,
        };
        // Without a pause nobody else would have a turn.
        self.probe.interval.unwrap_or(usual).max(Duration::from_millis(1))
    }

    fn reason(&self) -> String {
        match (&self.state, &self.reason) {
            (State::Reading(reading), _) => reading.reason(),
            (_, Some(reason)) => reason.clone(),
            (_, None) => "no answer yet".to_owned(),
        }
    }
}
