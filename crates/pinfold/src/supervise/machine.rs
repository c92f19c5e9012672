//! Supervision as a machine over runs: it never blocks, never sleeps and never looks at a clock of its own.
//!
//! Its states are the phases of docs/supervision.md, and every change from one to another is made here.

use super::backoff::{Chance, Failures};
use super::files::Files;
use super::health::Finding;
use super::outcome::{PastRun, Reason, Stopped, SupervisionEvent, SupervisionOutcome};
use super::phase::{Phase, Status};
use super::run::{Look, Question, Run};
use super::{Restart, Rules};
use crate::cancel::CancelToken;
use crate::command::Command;
use crate::error::{Error, ErrorKind, Result};
use crate::machine::{Interest, Machine};
use crate::outcome::{Cause, Outcome};
use crate::output::Output;
use crate::runner::Runner;
use crate::settings::StopRule;
use crate::verbs::Attempt;
use pinfold_os::signal::Signal;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Events that nobody takes are forgotten from here on, the oldest first.
const UNTAKEN: usize = 256;

/// A command that is supervised, as a machine whose answer is what that came to.
///
/// It is told to stop, to restart and to signal between two advances, and is to be advanced soon after. Dropping it kills
/// what runs.
pub struct Supervision {
    command: Command,
    runner: Arc<dyn Runner>,
    rules: Rules,
    state: State,
    begun: Option<Instant>,
    files: Option<Files>,
    chance: Chance,
    failures: Failures,
    /// Runs that crashed one after the other, as far as pauses grow by them.
    in_a_row: u32,
    /// When it was restarted by its policy, as far as that counts against a bound within a window.
    recent: VecDeque<Instant>,
    runs: u64,
    restarts: u32,
    restarts_asked: u32,
    storm_pauses: u32,
    history: VecDeque<PastRun>,
    last: Option<Output>,
    events: VecDeque<SupervisionEvent>,
}

/// The phases, and what belongs to each.
enum State {
    Due,
    /// Starting, up or stopping, as it says itself.
    Running(Box<Run>),
    Pausing {
        until: Option<Instant>,
        storm: bool,
    },
    /// Told to stop while nothing ran.
    Stopped,
    Over,
}

/// How a run came to its end, or to nothing.
struct End {
    reason: Option<Reason>,
    crashed: bool,
    /// How long it ran.
    lasted: Duration,
}

type Answer = Result<SupervisionOutcome>;

/// What comes of going on.
pub(super) enum Step {
    Answer(Box<Answer>),
    /// Somebody is to be asked, and that to be told to [`Supervision::answered`], before it goes on.
    Ask(Question),
    Rest,
}

impl Step {
    fn of(answer: Option<Answer>) -> Step {
        answer.map_or(Step::Rest, |answer| Step::Answer(Box::new(answer)))
    }
}

impl Supervision {
    pub(super) fn new(command: Command, runner: Arc<dyn Runner>, rules: Rules) -> Supervision {
        Supervision {
            chance: Chance::new(rules.seed),
            command,
            runner,
            rules,
            state: State::Due,
            begun: None,
            files: None,
            failures: Failures::default(),
            in_a_row: 0,
            recent: VecDeque::new(),
            runs: 0,
            restarts: 0,
            restarts_asked: 0,
            storm_pauses: 0,
            history: VecDeque::new(),
            last: None,
            events: VecDeque::new(),
        }
    }

    /// What it is at.
    pub fn phase(&self) -> Phase {
        match &self.state {
            State::Due => Phase::Due,
            State::Running(run) if run.reason.is_some() => Phase::Stopping,
            State::Running(run) if run.ready.is_some() => Phase::Up,
            State::Running(_) => Phase::Starting,
            State::Pausing { storm: false, .. } => Phase::Backoff,
            State::Pausing { storm: true, .. } => Phase::StormPause,
            // Nothing of it is left to be done but to say so.
            State::Stopped | State::Over => Phase::Over,
        }
    }

    /// How it stands.
    pub fn status(&self) -> Status {
        let run = self.run();
        Status {
            phase: self.phase(),
            pid: run.map(|run| run.attempt.running.pid()),
            since: run.map(|run| run.began),
            ready: run.and_then(|run| run.ready),
            next: if let State::Pausing { until, .. } = self.state { until } else { None },
            runs: self.runs,
            restarts: self.restarts,
            restarts_asked: self.restarts_asked,
            storm_pauses: self.storm_pauses,
            last: self.last.as_ref().map(|output| output.outcome.clone()),
        }
    }

    /// What happened since this was last asked; of more than 256 events the last.
    pub fn take_events(&mut self) -> Vec<SupervisionEvent> {
        std::mem::take(&mut self.events).into()
    }

    /// Ends supervision: what runs is stopped, by the command's stop rule, and nothing is started any more.
    pub fn stop(&mut self, now: Instant) {
        self.stop_by(self.command.stop, now);
    }

    /// [`Supervision::stop`] by another rule. A second word that gives no grace kills at once.
    pub fn stop_by(&mut self, rule: StopRule, now: Instant) {
        match self.state {
            State::Running(_) => self.stop_run(Reason::Stop, rule, now),
            State::Due | State::Pausing { .. } => self.state = State::Stopped,
            State::Stopped | State::Over => {}
        }
    }

    /// Has it run anew: what runs is stopped first, by the command's stop rule, and a pause is over at once. That is counted
    /// against no bound.
    pub fn restart(&mut self, now: Instant) {
        self.begin_anew(Reason::Restart, now);
    }

    /// Sends a signal to the program of the run that goes on.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if none does, or it has just ended; [`ErrorKind::PermissionDenied`] if it has become another
    /// user.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let Some(run) = self.run() else {
            return Err(self.command.error(ErrorKind::NotFound, "cannot be signalled: it does not run now"));
        };
        self.command.acted("signalled", run.attempt.running.signal(signal))
    }

    /// The last run that has ended: what is retained of its output, and how it ended.
    pub fn last_result(&self) -> Option<&Output> {
        self.last.as_ref()
    }

    fn run(&self) -> Option<&Run> {
        if let State::Running(run) = &self.state { Some(run) } else { None }
    }

    fn tell(&mut self, event: SupervisionEvent) {
        if self.events.len() == UNTAKEN {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    fn stop_run(&mut self, reason: Reason, rule: StopRule, now: Instant) {
        let State::Running(run) = &mut self.state else { return };
        let news = run.reason != Some(reason);
        run.stop(reason, rule, now);
        if news {
            self.tell(SupervisionEvent::Stopping { reason });
        }
    }

    fn begin_anew(&mut self, reason: Reason, now: Instant) {
        match &self.state {
            // Whatever it is stopped for, what comes after it is new; or nothing does.
            State::Running(run)
                if matches!(run.reason, Some(Reason::Stop | Reason::Restart | Reason::Change)) => {}
            State::Running(_) => self.stop_run(reason, self.command.stop, now),
            State::Pausing { .. } => self.start_anew(),
            State::Due | State::Stopped | State::Over => {}
        }
    }

    /// The next run begins at once and counts as asked for.
    fn start_anew(&mut self) {
        self.in_a_row = 0;
        self.restarts_asked += 1;
        self.state = State::Due;
        self.tell(SupervisionEvent::Restarting { after: Duration::ZERO, number: self.runs + 1 });
    }

    /// Begins a run.
    fn launch(&mut self, now: Instant) -> Option<Answer> {
        let first = self.runs == 0;
        self.runs += 1;
        let launched = self.runner.launch(&self.command);
        match launched {
            Ok(mut running) => {
                running.begin_at(now);
                let pid = running.pid();
                let attempt = Attempt::new(running, &self.command, self.runner.listener().cloned());
                let mut run = Run::new(attempt, self.runs, &self.rules, now);
                self.tell(SupervisionEvent::Started { number: self.runs, pid });
                if self.rules.readiness.is_none() {
                    let after = run.become_ready(&self.rules, now);
                    self.tell(SupervisionEvent::Ready { after });
                }
                self.state = State::Running(Box::new(run));
                None
            }
            Err(error) if error.kind() == ErrorKind::Cancelled || first && is_for_good(&error) => {
                Some(self.fail(error))
            }
            Err(error) => {
                let message = error.message();
                self.remember(PastRun {
                    number: self.runs,
                    began: self.since_begin(now),
                    ready: None,
                    reason: None,
                    outcome: None,
                    error: Some(message.clone()),
                });
                self.tell(SupervisionEvent::NotStarted { number: self.runs, error: message });
                self.decide(&End { reason: None, crashed: true, lasted: Duration::ZERO }, now)
            }
        }
    }

    fn since_begin(&self, at: Instant) -> Duration {
        self.begun.map_or(Duration::ZERO, |begun| at.saturating_duration_since(begun))
    }

    fn remember(&mut self, past: PastRun) {
        self.history.push_back(past);
        while self.history.len() > self.rules.remembered {
            self.history.pop_front();
        }
    }

    /// What was found out about the run that goes on.
    fn found(&mut self, finding: Finding, now: Instant) {
        match finding {
            Finding::Ready => {
                let State::Running(run) = &mut self.state else { return };
                let after = run.become_ready(&self.rules, now);
                self.tell(SupervisionEvent::Ready { after });
            }
            Finding::Failed { reason, failures, too_often } => {
                self.tell(SupervisionEvent::Unhealthy { reason, failures, ending: too_often });
                if too_often {
                    self.stop_run(Reason::Unhealthy, self.command.stop, now);
                }
            }
        }
    }

    /// Takes in a run that has ended.
    fn ended(&mut self, run: Run, now: Instant) -> Option<Answer> {
        let (number, began, ready, reason) = (run.number, run.began, run.ready, run.reason);
        let output = match run.finish(&self.command) {
            Ok(output) => output.into_text(&self.command.encodings),
            Err(error) => return Some(self.fail(error)),
        };
        let outcome = output.outcome.clone();
        let (success, cancelled) = (output.is_success(), outcome.cause == Cause::Cancelled);
        self.last = Some(output);
        let began_after = self.since_begin(began);
        self.remember(PastRun {
            number,
            began: began_after,
            ready,
            reason,
            outcome: Some(outcome.clone()),
            error: None,
        });
        self.tell(SupervisionEvent::Ended(Box::new(outcome)));
        if cancelled {
            return Some(self.cancelled());
        }
        // What it did by itself before it could be stopped is a crash like any other.
        let crashed = reason == Some(Reason::Unhealthy) || !success;
        let lasted = now.saturating_duration_since(began);
        self.decide(&End { reason, crashed, lasted }, now)
    }

    /// What comes after a run.
    fn decide(&mut self, end: &End, now: Instant) -> Option<Answer> {
        match end.reason {
            Some(Reason::Stop) => return Some(self.over(Stopped::Stopped)),
            Some(Reason::Restart | Reason::Change) => {
                self.start_anew();
                return None;
            }
            Some(Reason::Unhealthy) | None => {}
        }
        let ended_so = self.history.back().is_none_or(|past| past.outcome.is_some());
        if let (Some(stop_when), Some(last), None, true) =
            (&self.rules.stop_when, &self.last, end.reason, ended_so)
            && stop_when(last)
        {
            return Some(self.over(Stopped::Predicate));
        }
        match self.rules.restart {
            Restart::Never if end.reason.is_some() => return Some(self.over(Stopped::Unhealthy)),
            Restart::Never => return Some(self.over(Stopped::PolicySatisfied)),
            Restart::OnCrash if !end.crashed => return Some(self.over(Stopped::PolicySatisfied)),
            Restart::OnCrash | Restart::Always => {}
        }
        if !self.may_restart(now) {
            return Some(self.over(Stopped::RestartsExhausted));
        }
        self.pause(end, now)
    }

    /// Whether it may be restarted once more; and then that counts.
    fn may_restart(&mut self, now: Instant) -> bool {
        if let (Some(most), Some(window)) = (self.rules.max_restarts, self.rules.window) {
            self.recent.retain(|at| now.saturating_duration_since(*at) < window);
            if self.recent.len() >= most as usize {
                return false;
            }
            self.recent.push_back(now);
        } else if self.rules.max_restarts.is_some_and(|most| self.restarts >= most) {
            return false;
        }
        self.restarts = self.restarts.saturating_add(1);
        true
    }

    /// The pause before a restart.
    fn pause(&mut self, end: &End, now: Instant) -> Option<Answer> {
        if end.lasted >= self.rules.reset_after {
            self.in_a_row = 0;
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        let mut after = self.rules.backoff.pause(self.in_a_row, &mut self.chance);
        let mut storm = false;
        if let Some(rule) = self.rules.storm.filter(|_| end.crashed)
            && self.failures.add(&rule, now)
        {
            (storm, after) = (true, after.max(rule.pause));
            self.storm_pauses = self.storm_pauses.saturating_add(1);
            self.tell(SupervisionEvent::StormPause { pause: after });
        }
        self.tell(SupervisionEvent::Restarting { after, number: self.runs + 1 });
        if let Some(token) = self.runner.cancel_token()
            && let Err(error) = token.prepare()
        {
            let error = self
                .command
                .error(ErrorKind::ResourceLimit, format!("cannot be paused: {error}"))
                .because(error);
            return Some(self.fail(error));
        }
        self.state = State::Pausing { until: now.checked_add(after), storm };
        None
    }

    fn cancelled(&mut self) -> Answer {
        let error = self.command.error(ErrorKind::Cancelled, "was cancelled while it was supervised");
        self.fail(error)
    }

    /// It cannot go on, since the kernel does not say what it has to be told.
    pub(super) fn unwaitable(&self, error: io::Error) -> Error {
        self.command.error(ErrorKind::Io, format!("cannot be supervised: {error}")).because(error)
    }

    fn fail(&mut self, error: Error) -> Answer {
        self.state = State::Over;
        self.tell(SupervisionEvent::failed(&error));
        Err(error)
    }

    fn over(&mut self, stopped: Stopped) -> Answer {
        self.state = State::Over;
        self.tell(SupervisionEvent::Stopped(stopped));
        Ok(SupervisionOutcome {
            final_result: self.last.take(),
            restarts: self.restarts,
            restarts_asked: self.restarts_asked,
            stopped,
            storm_pauses: self.storm_pauses,
            history: std::mem::take(&mut self.history).into(),
        })
    }

    /// Goes on, and asks nobody itself: whoever shares it with others does so while it is not locked, once in a round.
    pub(super) fn step(&mut self, now: Instant, may_ask: bool) -> io::Result<Step> {
        if matches!(self.state, State::Over) {
            return Err(io::Error::other("advanced after its answer"));
        }
        self.begun.get_or_insert(now);
        self.watch(now)?;
        loop {
            match &mut self.state {
                State::Over => return Ok(Step::Rest),
                State::Stopped => return Ok(Step::of(Some(self.over(Stopped::Stopped)))),
                // It waits after each start, whether that failed or a process was made that has not done anything yet.
                State::Due => return Ok(Step::of(self.launch(now))),
                State::Pausing { until, .. } => {
                    let until = *until;
                    if self.runner.cancel_token().is_some_and(CancelToken::is_cancelled) {
                        return Ok(Step::of(Some(self.cancelled())));
                    }
                    if until.is_none_or(|until| until > now) {
                        return Ok(Step::Rest);
                    }
                    self.state = State::Due;
                }
                State::Running(run) => match run.advance(&self.command, &self.rules, now, may_ask)? {
                    Look::Nothing => return Ok(Step::Rest),
                    Look::Ask(question) => return Ok(Step::Ask(question)),
                    Look::Ended => {
                        let State::Running(run) = std::mem::replace(&mut self.state, State::Over) else {
                            return Ok(Step::Rest);
                        };
                        if let Some(answer) = self.ended(*run, now) {
                            return Ok(Step::of(Some(answer)));
                        }
                    }
                },
            }
        }
    }

    /// What came of a question.
    pub(super) fn answered(&mut self, question: Question) -> io::Result<()> {
        let State::Running(run) = &mut self.state else { return Ok(()) };
        let at = question.at;
        if let Some(finding) = run.answered(question, &self.command, &self.rules)? {
            self.found(finding, at);
        }
        Ok(())
    }

    /// Looks at the files, which are watched from the beginning on.
    fn watch(&mut self, now: Instant) -> io::Result<()> {
        if self.rules.watched.is_empty() {
            return Ok(());
        }
        let (paths, quiet) = (&self.rules.watched, self.rules.quiet);
        let files = self.files.get_or_insert_with(|| Files::new(paths, quiet, now));
        if let Some(path) = files.advance(now)? {
            self.tell(SupervisionEvent::Changed { path });
            self.begin_anew(Reason::Change, now);
        }
        Ok(())
    }
}

/// Whether trying again would show the same.
fn is_for_good(error: &Error) -> bool {
    use ErrorKind::{InvalidInput, NoReply, NotFound, PermissionDenied, Unsupported};
    matches!(error.kind(), NotFound | PermissionDenied | InvalidInput | Unsupported | NoReply)
}

impl Machine for Supervision {
    type Answer = Answer;

    fn advance(&mut self, now: Instant) -> io::Result<Option<Answer>> {
        let mut step = self.step(now, true)?;
        if let Step::Ask(mut question) = step {
            question.ask()?;
            self.answered(question)?;
            step = self.step(now, false)?;
        }
        Ok(if let Step::Answer(answer) = step { Some(*answer) } else { None })
    }

    fn interest(&self, now: Instant) -> Interest<'_> {
        let mut interest = match &self.state {
            State::Over => return Interest { waitables: Vec::new(), deadline: None },
            State::Due | State::Stopped => Interest { waitables: Vec::new(), deadline: Some(now) },
            State::Running(run) => run.interest(now),
            State::Pausing { until, .. } => {
                let token = self.runner.cancel_token().and_then(CancelToken::prepared);
                Interest { waitables: token.into_iter().collect(), deadline: *until }
            }
        };
        match &self.files {
            Some(files) => files.add_interest(&mut interest),
            None if !self.rules.watched.is_empty() => interest.deadline = Some(now),
            None => {}
        }
        interest
    }
}

/// Not what the command says: it may hold secrets.
impl std::fmt::Debug for Supervision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Supervision")
            .field("program", &self.command.program)
            .field("phase", &self.phase())
            .field("runs", &self.runs)
            .finish_non_exhaustive()
    }
}

impl SupervisionOutcome {
    /// How the last run ended, if there was one.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.final_result.as_ref().map(|output| &output.outcome)
    }
}
