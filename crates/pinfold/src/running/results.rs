//! What is known of a run, and what it wrote.

use super::{Channel, Running, Source, ending};
use crate::capture::{Capture, Cut, Journal, Keep, Segment};
use crate::command::Command;
use crate::error::{Error, ErrorKind, Result};
use crate::outcome::{Ending, Guarantee, Mechanism, Outcome, Seen};
use crate::output::Output;
use crate::settings::Stream;
use pinfold_os::handle::Pid;
use std::ffi::OsStr;
use std::io;
use std::time::{Duration, Instant};

impl Running {
    /// The program's pid. Good for showing: signals go through [`Running::signal`].
    pub fn pid(&self) -> Pid {
        self.source.pid()
    }

    /// What holds the run together.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// What that is good for.
    pub fn guarantee(&self) -> Guarantee {
        self.guarantee
    }

    /// How the run ended, once it has.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// How the program itself ended, once it has; the run may still be waiting for its output or its descendants.
    pub fn ending(&self) -> Option<Ending> {
        self.exit.map(|(exit, _)| ending(exit.status))
    }

    /// When it was started.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Since the start; for a run that has ended, until its end.
    pub fn elapsed(&self) -> Duration {
        self.outcome.as_ref().map_or_else(|| self.started.elapsed(), |outcome| outcome.duration)
    }

    /// Grows whenever something happened that someone may be waiting for.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// What is retained of a stream; `None` if it is not captured.
    pub fn capture(&self, stream: Stream) -> Option<&Capture> {
        self.channels[stream as usize].capture.as_ref()
    }

    /// [`Capture::drain`] of a stream that is captured.
    pub fn drain(&mut self, stream: Stream, take: impl FnOnce(&[u8]) -> usize) {
        if let Some(capture) = &mut self.channels[stream as usize].capture {
            capture.drain(take);
        }
    }

    /// The order in which the two streams came.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The failure of one of its streams, if one failed: the run goes on without it.
    pub fn failure(&self) -> Option<&io::Error> {
        self.failure.as_ref()
    }

    /// Verbs that return output return all of it, unless the command says otherwise.
    pub(crate) fn keep_for_verb(&mut self, command: &Command) {
        if command.keep.is_none() {
            for capture in self.channels.iter_mut().filter_map(|channel| channel.capture.as_mut()) {
                capture.set_keep(Keep(u64::MAX));
            }
        }
    }

    /// The output, or an error with it if one of the streams failed, so that some of it may be missing.
    pub(crate) fn unless_failed(
        &self,
        output: Output<Vec<u8>>,
        command: &Command,
    ) -> Result<Output<Vec<u8>>> {
        if self.failure.is_none() {
            return Ok(output);
        }
        Err(self.stream_error(&command.program).with_output(output))
    }

    /// What is said where a stream ended before its time.
    pub(crate) fn stream_error(&self, program: &OsStr) -> Error {
        let Some(failure) = &self.failure else {
            return Error::new(ErrorKind::Io, program, "its streams failed");
        };
        let source = match failure.raw_os_error() {
            Some(number) => io::Error::from_raw_os_error(number),
            None => failure.kind().into(),
        };
        let out_of_memory = failure.kind() == io::ErrorKind::OutOfMemory;
        let exhausted = out_of_memory || pinfold_os::wait::is_exhaustion(failure);
        let kind = if exhausted { ErrorKind::ResourceLimit } else { ErrorKind::Io };
        let error = Error::new(kind, program, format!("its streams failed: {failure}")).because(source);
        if out_of_memory { error.hint("bound what is kept with output_limit(), or stream it") } else { error }
    }

    /// Takes what was captured, once the run has ended.
    pub(crate) fn take_output(&mut self, command: &Command) -> Option<Output<Vec<u8>>> {
        // Before the end there is nothing to take, and what is there must stay.
        self.outcome.as_ref()?;
        let (segments, cut) = (self.segments(), self.cut());
        let take =
            |channel: &mut Channel| channel.capture.take().map(Capture::into_bytes).unwrap_or_default();
        let streams = self.channels.each_mut().map(take);
        self.make_output(command, segments, cut, streams)
    }

    /// Copies what was captured, once the run has ended.
    pub(crate) fn copy_output(&self, command: &Command) -> Option<Output<Vec<u8>>> {
        self.outcome.as_ref()?;
        let copy = |channel: &Channel| {
            channel.capture.as_ref().map(|capture| capture.retained().to_vec()).unwrap_or_default()
        };
        let streams = self.channels.each_ref().map(copy);
        self.make_output(command, self.segments(), self.cut(), streams)
    }

    fn make_output(
        &self,
        command: &Command,
        segments: Vec<Segment>,
        cut: [Cut; 2],
        [stdout, stderr]: [Vec<u8>; 2],
    ) -> Option<Output<Vec<u8>>> {
        let mut output = Output {
            stdout,
            stderr,
            outcome: self.outcome.clone()?,
            program: command.program.clone(),
            success_codes: command.success_codes.clone(),
            unchecked: command.unchecked,
            segments,
            cut,
            stages: Vec::new(),
        };
        if let Source::Chain(chain) = &self.source {
            chain.attribute(&mut output);
        }
        Some(output)
    }

    fn cut(&self) -> [Cut; 2] {
        let cut = |channel: &Channel| channel.capture.as_ref().map(Capture::cut).unwrap_or_default();
        self.channels.each_ref().map(cut)
    }

    /// The order of what is retained of both streams.
    fn segments(&self) -> Vec<Segment> {
        if let [Channel { capture: Some(stdout), .. }, Channel { capture: Some(stderr), .. }] = &self.channels
        {
            return self.journal.segments(stdout, stderr);
        }
        let whole = |(stream, channel): (Stream, &Channel)| {
            let len = channel.capture.as_ref()?.retained().len();
            Some(Segment { stream, len })
        };
        Stream::BOTH.into_iter().zip(&self.channels).filter_map(whole).collect()
    }

    /// Whether the output limit kept some of a teed stream from being passed on.
    pub fn was_cut(&self, stream: Stream) -> bool {
        self.channels[stream as usize].was_cut()
    }

    /// What was seen of a stream so far.
    pub fn seen(&self, stream: Stream) -> Option<Seen> {
        self.channels[stream as usize].capture.as_ref().map(|capture| Seen {
            bytes: capture.bytes_seen(),
            lines: capture.lines_seen(),
            truncated: capture.truncated(),
        })
    }
}
