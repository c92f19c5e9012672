//! Carrying out several commands at once, each reading what the one before it writes.

use super::launch::ran_out;
use super::{Extras, Plan};
use crate::cancel::CancelToken;
use crate::capture::{Capture, Keep};
use crate::command::Command;
use crate::containment::{Demand, Nest};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::Limits;
use crate::observe::{Happening, Observer};
use crate::outcome::Guarantee;
use crate::output::Terms;
use crate::running::{Chain, Channel, Feed, Inlet, Link, Parts, Rules, Running, Source};
use crate::settings::{Containment, Isolation, Stdin, Stdio, Stream};
use crate::text::LineCounter;
use pinfold_os::descriptor::Owned;
use pinfold_os::pipe;
use pinfold_os::sink::Sink;
use std::sync::Arc;

/// Ends of pipes that a stage is given for its streams.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    pub(super) stdin: Option<Owned>,
    pub(super) stdout: Option<Owned>,
}

/// The stages of a pipeline, and what holds for them together.
pub(crate) struct Stages<'a> {
    commands: &'a [Command],
    whole: &'a Command,
    /// As each is started.
    fitted: Vec<Command>,
}

impl<'a> Stages<'a> {
    /// Refuses what cannot be joined.
    pub(crate) fn new(commands: &'a [Command], whole: &'a Command) -> Result<Stages<'a>> {
        let count = commands.len();
        if count == 0 {
            return Err(whole.error(ErrorKind::InvalidInput, "a pipeline without a stage runs nothing"));
        }
        let fit = |(index, command): (usize, &Command)| {
            fit(command, index, count).map_err(|error| error.at_stage(index, count))
        };
        let fitted = commands.iter().enumerate().map(fit).collect::<Result<_>>()?;
        Ok(Stages { commands, whole, fitted })
    }

    /// Starts them in one container, joined by the kernel's pipes.
    pub(crate) fn launch(
        &self,
        cancel: Option<CancelToken>,
        group: Option<&Arc<Nest>>,
        take_over: bool,
        observer: &Observer,
        extras: impl Fn() -> Extras,
    ) -> Result<Running> {
        let whole = self.whole;
        prepare(whole, cancel.as_ref())?;
        let limits = Limits::default();
        let demand = Demand { limits: Some(&limits), group, take_over, ..Demand::default() };
        let nest = Nest::make(self.containment(), demand).map_err(|refusal| refusal.into_error(whole))?;
        let extras = || Extras { group: Some(nest.clone()), ..extras() };
        // All of them are looked at before the first is started.
        let refused = |index: usize, command: &Command, error: Error| {
            observer.tell_of(&command.program, Happening::NotStarted { kind: error.kind() });
            self.naming(index)(error)
        };
        let plan = |(index, command)| {
            Plan::new(command, true, &extras()).map_err(|error| refused(index, command, error))
        };
        let plans = self.fitted.iter().enumerate().map(plan).collect::<Result<Vec<_>>>()?;
        let mut links = Vec::with_capacity(plans.len());
        let mut stdin = None;
        for (index, plan) in plans.iter().enumerate() {
            let (read, write) = if index + 1 < plans.len() {
                let failed = |error| self.naming(index)(ran_out(plan.command, "make a pipe", error));
                let (read, write) = pipe::between().map_err(failed)?;
                (Some(read), Some(write))
            } else {
                (None, None)
            };
            let ends = Ends { stdin: stdin.take(), stdout: write };
            let launched = plan.launch(Extras { ends, ..extras() });
            let mut running = launched.map_err(|error| refused(index, plan.command, error))?;
            running.watch(observer, plan.command);
            links.push(Link { running, command: self.commands[index].clone() });
            stdin = read;
        }
        let (chain, channels, feed) = Chain::joined(links, nest, self.terms());
        Ok(self.running(chain, channels, feed, cancel))
    }

    /// Starts them one by one by whatever starts a command; what each writes is then carried to the next.
    pub(crate) fn launch_each(
        &self,
        cancel: Option<CancelToken>,
        mut launch: impl FnMut(&Command) -> Result<Running>,
    ) -> Result<Running> {
        let whole = self.whole;
        prepare(whole, cancel.as_ref())?;
        let mut links = Vec::with_capacity(self.fitted.len());
        let last = self.fitted.len() - 1;
        for (index, command) in self.fitted.iter().enumerate() {
            let mut command = command.clone();
            if index > 0 {
                command.stdin = Stdin::Open;
            }
            // What is captured of the last is so by the whole.
            command.tee = [false; 2];
            if index == last {
                command.limit = Default::default();
            }
            let running = launch(&command).map_err(self.naming(index))?;
            links.push(Link { running, command: self.commands[index].clone() });
        }
        let channels = self.channels(&self.fitted[last])?;
        let (chain, feed) = Chain::carried(links, self.terms());
        Ok(self.running(chain, channels, feed, cancel))
    }

    fn running(
        &self,
        chain: Chain,
        channels: [Channel; 2],
        feed: Feed,
        cancel: Option<CancelToken>,
    ) -> Running {
        let started = chain.started();
        let source = Source::Chain(Box::new(chain));
        Running::new(Parts { rules: Rules::of(self.whole), source, channels, feed, cancel, started })
    }

    /// Channels that we write to ourselves what the last stage wrote.
    fn channels(&self, last: &Command) -> Result<[Channel; 2]> {
        let mut channels = [Channel::default(), Channel::default()];
        for (stream, stdio) in Stream::BOTH.into_iter().zip([&last.stdout, &last.stderr]) {
            let index = stream as usize;
            if *stdio == Stdio::Pipe {
                let counter = LineCounter::new(&last.encodings[index], last.lines);
                let sink = last.tee[index].then(|| Sink::standard(index as i32 + 1)).transpose();
                let sink = sink.map_err(|error| ran_out(last, "pass on its output", error))?;
                let keep: Keep = last.keep.unwrap_or_default();
                channels[index] =
                    Channel::new(Inlet::script(), Capture::new(last.limit, keep, counter), sink);
            }
        }
        Ok(channels)
    }

    /// The container that all of them can be in: what one of them asks for, all get.
    fn containment(&self) -> Containment {
        let mut containment = Containment::default();
        for command in self.commands {
            let guarded = command.process.kill_on_parent_death.then_some(Guarantee::Guarded);
            containment.require = containment.require.max(command.containment.require).max(guarded);
            if containment.isolation == Isolation::Best {
                containment.isolation = command.containment.isolation;
            }
        }
        containment
    }

    fn terms(&self) -> Terms {
        Terms::of(self.whole)
    }

    fn naming(&self, index: usize) -> impl Fn(Error) -> Error {
        let count = self.commands.len();
        move |error| error.at_stage(index, count)
    }
}

/// Refuses what was cancelled beforehand, and makes sure that it can be cancelled from here on.
pub(crate) fn prepare(whole: &Command, cancel: Option<&CancelToken>) -> Result<()> {
    let Some(token) = cancel else { return Ok(()) };
    if token.is_cancelled() {
        return Err(whole.error(ErrorKind::Cancelled, "was cancelled before it was started"));
    }
    token.prepare().map_err(|error| ran_out(whole, "make an event", error))
}

/// A command as a stage, or why it cannot be one.
fn fit(command: &Command, index: usize, count: usize) -> Result<Command> {
    let no = |what: &str, instead: &str| Err(command.error(ErrorKind::InvalidInput, what).hint(instead));
    let mut fitted = command.clone();
    if command.retry.is_some() {
        let what = "a stage cannot be tried again: what it read is gone by then";
        return no(what, "retry the pipeline as a whole");
    }
    if index > 0 && command.stdin != Stdin::Null {
        let what = "it reads what the stage before it writes, and has another standard input as well";
        return no(what, "give that to the first stage");
    }
    if index + 1 == count {
        // That of the whole, which sees its output.
        fitted.idle_timeout = None;
        return Ok(fitted);
    }
    if command.stdout != Stdio::Pipe {
        let what = "its standard output goes to the next stage, and is to go elsewhere as well";
        return no(what, "give that to the last stage");
    }
    if command.tee[0] {
        return no("its standard output goes to the next stage and cannot be teed", "tee the last stage");
    }
    if command.idle_timeout.is_some() {
        let what = "its standard output goes to the next stage, where no idle timeout watches it";
        return no(what, "give the idle timeout to the last stage");
    }
    Ok(fitted)
}
