//! A runner, and what one caller of it says besides.

use super::Runner;
use crate::cancel::CancelToken;
use crate::command::Command;
use crate::error::{Error, Result};
use crate::listener::Listener;
use crate::observe::{Happening, Observer, RunEvent};
use crate::output::Output;
use crate::plan::prepare;
use crate::retry::RetryIf;
use crate::running::Running;
use crate::settings::Stream;

/// Any runner, with a token and listeners of a caller who was given no more than that: `&dyn Runner` will do.
///
/// Its token, its listener to lines and its judge of retries take the place of those that the runner has; listeners to
/// events are told besides those.
///
/// ```
/// use pinfold::testing::{Reply, ScriptedRunner};
/// use pinfold::{CancelToken, Command, ErrorKind, Runner, With};
///
/// fn build(runner: &dyn Runner, stop: &CancelToken) -> pinfold::Result<String> {
///     With::new(runner).cancel_on(stop).run(&Command::new("make"))
/// }
///
/// let stop = CancelToken::new();
/// stop.cancel();
/// let error = build(&ScriptedRunner::new().fallback(Reply::pending()), &stop).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Cancelled);
/// ```
#[derive(Clone, Debug)]
pub struct With<R> {
    inner: R,
    cancel: Option<CancelToken>,
    listener: Option<Listener>,
    retry_if: Option<RetryIf>,
    /// Those who are told by us.
    own: Observer,
    /// They, and those whom the runner tells.
    all: Observer,
}

impl<R: Runner> With<R> {
    /// This runner, and nothing besides so far.
    pub fn new(inner: R) -> With<R> {
        let all = inner.observer().cloned().unwrap_or_default();
        With { inner, cancel: None, listener: None, retry_if: None, own: Observer::default(), all }
    }

    /// Ties every run to a token, as [`Host::cancel_on`](crate::Host::cancel_on) does.
    #[must_use]
    pub fn cancel_on(mut self, token: &CancelToken) -> With<R> {
        self.cancel = Some(token.clone());
        self
    }

    /// Calls this with each captured line while a verb waits, as [`Host::on_line`](crate::Host::on_line) does.
    #[must_use]
    pub fn on_line(mut self, listener: impl Fn(Stream, &str) + Send + Sync + 'static) -> With<R> {
        self.listener = Some(Listener::new(listener));
        self
    }

    /// Calls this, too, with what happens to runs, as [`Host::on_event`](crate::Host::on_event) does.
    #[must_use]
    pub fn on_event(mut self, told: impl Fn(&RunEvent) + Send + Sync + 'static) -> With<R> {
        let mut one = Observer::default();
        one.add(told);
        self.own.join(&one);
        self.all.join(&one);
        self
    }

    /// Asks this whether a command is tried again, as [`Host::retry_if`](crate::Host::retry_if) does.
    #[must_use]
    pub fn retry_if(
        mut self,
        judge: impl Fn(std::result::Result<&Output<Vec<u8>>, &Error>) -> bool + Send + Sync + 'static,
    ) -> With<R> {
        self.retry_if = Some(RetryIf::new(judge));
        self
    }

    /// The runner behind it.
    pub fn inner(&self) -> &R {
        &self.inner
    }

    /// Refuses a run that was cancelled beforehand, and makes sure that it can be cancelled from here on.
    fn tie(&self, command: &Command) -> Result<()> {
        let tied = prepare(command, self.cancel.as_ref());
        if let Err(error) = &tied {
            self.all.tell_of(&command.program, Happening::NotStarted { kind: error.kind() });
        }
        tied
    }

    /// What the runner starts, with what is said of it here.
    fn started(&self, command: &Command, start: impl FnOnce() -> Result<Running>) -> Result<Running> {
        self.tie(command)?;
        match start() {
            Ok(mut running) => {
                if let Some(token) = &self.cancel {
                    running.cancel_on(token);
                }
                running.watch_too(&self.own, command);
                Ok(running)
            }
            Err(error) => {
                let kind = error.kind();
                self.own.tell_ours_of(error.program(), Happening::NotStarted { kind });
                Err(error)
            }
        }
    }
}

impl<R: Runner> Runner for With<R> {
    fn launch(&self, command: &Command) -> Result<Running> {
        self.started(command, || self.inner.launch(command))
    }

    fn launch_piped(&self, stages: &[Command], whole: &Command) -> Result<Running> {
        self.started(whole, || self.inner.launch_piped(stages, whole))
    }

    fn listener(&self) -> Option<&Listener> {
        self.listener.as_ref().or_else(|| self.inner.listener())
    }

    fn retries(&self) -> Option<&RetryIf> {
        self.retry_if.as_ref().or_else(|| self.inner.retries())
    }

    fn cancel_token(&self) -> Option<&CancelToken> {
        self.cancel.as_ref().or_else(|| self.inner.cancel_token())
    }

    fn observer(&self) -> Option<&Observer> {
        Some(&self.all)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::error::ErrorKind;
    use crate::testing::{RecordingRunner, Reply, ScriptedRunner};
    use crate::{Cause, DryRunner, Retry, Signal};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    fn tool() -> Command {
        Command::new("tool")
    }

    /// What was told, and what tells.
    fn notes() -> (Arc<Mutex<Vec<&'static str>>>, impl Fn(&RunEvent) + Send + Sync + 'static) {
        let notes = Arc::new(Mutex::new(Vec::new()));
        let told = notes.clone();
        (notes, move |event: &RunEvent| told.lock().unwrap().push(event.what.name()))
    }

    #[test]
    fn a_token_ends_runs_of_any_runner() {
        let token = CancelToken::new();
        let doubles: [Box<dyn Runner>; 2] = [
            Box::new(ScriptedRunner::new().fallback(Reply::pending())),
            Box::new(RecordingRunner::replying(Reply::pending())),
        ];
        let handles =
            doubles.each_ref().map(|double| With::new(double).cancel_on(&token).start(&tool()).unwrap());
        token.cancel();
        for handle in handles {
            let outcome = handle.wait().unwrap();
            assert_eq!((outcome.cause, outcome.signal()), (Cause::Cancelled, Some(Signal::TERM)));
        }
        let (told, tell) = notes();
        let late = With::new(&doubles[0]).cancel_on(&token).on_event(tell).run(&tool()).unwrap_err();
        assert_eq!(
            (late.kind(), late.to_string().contains("before it was started")),
            (ErrorKind::Cancelled, true)
        );
        assert_eq!(*told.lock().unwrap(), ["not_started"]);
    }

    #[test]
    fn listeners_to_events_come_besides_those_to_lines_instead() {
        let (theirs, tell_them) = notes();
        let (ours, tell_us) = notes();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let fails = Reply::fail(1, "no\n");
        let runner = ScriptedRunner::new()
            .sequence(["tool"], [fails, Reply::ok("yes\n")])
            .on_event(tell_them)
            .on_line(|_, line| panic!("{line} was told to whom it was taken from"));
        let said = lines.clone();
        let with = With::new(runner).on_event(tell_us).on_line(move |stream, line| {
            said.lock().unwrap().push(format!("{stream} {line}"));
        });
        let twice = tool().retry(Retry { pause: Duration::ZERO, ..Retry::times(2) });
        assert_eq!(with.run(&twice).unwrap(), "yes");
        assert_eq!(with.run(&tool()).unwrap_err().kind(), ErrorKind::NoReply);
        let expected = ["started", "ended", "retrying", "started", "ended", "not_started"];
        assert_eq!(*theirs.lock().unwrap(), expected);
        assert_eq!(*ours.lock().unwrap(), expected);
        assert_eq!(*lines.lock().unwrap(), ["stderr no", "stdout yes"]);
    }

    #[test]
    fn who_judges_retries_is_asked_through_a_spy() {
        let spy = RecordingRunner::new(
            With::new(RecordingRunner::replying(Reply::fail(1, "no\n")))
                .retry_if(|result| result.is_ok_and(|output| output.stderr == b"no\n")),
        );
        let patient =
            tool().retry(Retry { pause: Duration::ZERO, on: crate::RetryOn::Timeout, ..Retry::times(3) });
        assert_eq!(spy.exit_code(&patient).unwrap(), 1);
        assert_eq!(spy.calls().len(), 3);
    }

    #[test]
    fn a_dry_run_is_told_of_too() {
        let (told, tell) = notes();
        let dry = With::new(DryRunner::telling(|_| ())).on_event(tell);
        dry.run(&Command::new("/bin/sh")).unwrap();
        dry.run(&Command::new("/no/such/program")).unwrap_err();
        assert_eq!(*told.lock().unwrap(), ["started", "ended", "not_started"]);
    }

    #[test]
    fn a_pipeline_is_told_of_stage_by_stage_and_ended_by_the_token() {
        let token = CancelToken::new();
        let endless = || tool() | tool();
        let scripted: Box<dyn Runner> = Box::new(ScriptedRunner::new().fallback(Reply::pending()));
        let (told, tell) = notes();
        let handle = endless().on(With::new(&scripted).cancel_on(&token).on_event(tell)).start().unwrap();
        token.cancel();
        assert_eq!(handle.wait().unwrap().cause, Cause::Cancelled);
        drop(handle);
        let mut told = told.lock().unwrap().clone();
        told.sort_unstable();
        assert_eq!(told, ["ended", "ended", "started", "started", "stopping", "stopping"]);
        let late = endless().on(With::new(&scripted).cancel_on(&token)).run().unwrap_err();
        assert_eq!(late.kind(), ErrorKind::Cancelled);
    }

    #[test]
    fn everywhere_is_every_runner() {
        let (told, tell) = notes();
        let (other, tell_other) = notes();
        let named = |tell: Box<dyn Fn(&RunEvent) + Send + Sync>| {
            move |event: &RunEvent| {
                if event.program == "everywhere" {
                    tell(event);
                }
            }
        };
        Observer::everywhere(named(Box::new(tell)));
        Observer::everywhere(named(Box::new(tell_other)));
        let command = Command::new("everywhere");
        RecordingRunner::replying(Reply::ok("")).run(&command).unwrap();
        command.run().unwrap_err();
        With::new(crate::Host::new()).run(&command).unwrap_err();
        let expected = ["started", "ended", "not_started", "not_started"];
        assert_eq!(*told.lock().unwrap(), expected);
        assert_eq!(*other.lock().unwrap(), expected);
    }

    #[test]
    fn what_a_reply_is_refused_by_is_the_source_of_the_error() {
        let source = std::io::Error::from_raw_os_error(5);
        let runner =
            ScriptedRunner::new().fallback(Reply::refused_by(ErrorKind::Io, "is on a broken disk", source));
        for _ in 0..2 {
            let error = runner.run(&tool()).unwrap_err();
            assert_eq!(
                (error.kind(), error.to_string().as_str()),
                (ErrorKind::Io, "tool: is on a broken disk")
            );
            let within =
                std::error::Error::source(&error).and_then(|error| error.downcast_ref::<std::io::Error>());
            let within = within.and_then(std::io::Error::get_ref).unwrap();
            let shared = within.downcast_ref::<Arc<dyn std::error::Error + Send + Sync>>().unwrap();
            assert_eq!(shared.downcast_ref::<std::io::Error>().unwrap().raw_os_error(), Some(5));
        }
    }
}
