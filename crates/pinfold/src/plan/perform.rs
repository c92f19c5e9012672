//! A command carried out by a script: held against what holds on every host, and nothing is looked for or started.

use super::launch::{file_error, ran_out};
use super::{c_string, contradictions};
use crate::cancel::CancelToken;
use crate::capture::Capture;
use crate::command::Command;
use crate::error::{ErrorKind, Result};
use crate::running::{
    Channel, Feed, Inlet, Intake, Outlet, Outward, Parts, Reads, Rules, Running, Script, Scripted, Source,
};
use crate::settings::{Stdin, Stdio, Stream};
use crate::text::LineCounter;
use pinfold_os::sink::Sink;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

impl Command {
    /// Refuses what no host could run: what a plan would refuse before it looks at this one.
    pub(crate) fn must_be_sound(&self) -> Result<()> {
        contradictions::refuse(self)?;
        c_string(self, &self.program, "its name")?;
        for (index, arg) in self.args.iter().enumerate() {
            c_string(self, arg, format_args!("argument {}", index + 1))?;
        }
        Ok(())
    }

    /// Starts a script in its place, and gives what the script reads.
    pub(crate) fn perform(
        &self,
        script: Arc<Script>,
        cancel: Option<CancelToken>,
    ) -> Result<(Running, Option<Intake>)> {
        if cancel.as_ref().is_some_and(CancelToken::is_cancelled) {
            return Err(self.error(ErrorKind::Cancelled, "was cancelled before it was started"));
        }
        self.must_be_sound()?;
        if let Some(token) = &cancel {
            token.prepare().map_err(|error| ran_out(self, "make an event", error))?;
        }
        let (feed, intake) = self.stage_stdin(script.reads)?;
        let (channels, outlets) = self.stage_outputs()?;
        let started = Instant::now();
        let scripted = Scripted::new(script, outlets, intake.clone(), started);
        let source = Source::Scripted(Box::new(scripted));
        Ok((Running::new(Parts { rules: Rules::of(self), source, channels, feed, cancel, started }), intake))
    }

    fn stage_stdin(&self, reads: Reads) -> Result<(Feed, Option<Intake>)> {
        let bytes = match &self.stdin {
            Stdin::Null | Stdin::Inherit => return Ok((Feed::default(), None)),
            Stdin::Open => None,
            Stdin::Bytes(bytes) => Some(bytes.clone()),
            Stdin::File(path) => {
                let read = std::fs::read(path);
                Some(read.map_err(|error| file_error(self, "read", path, error))?.into())
            }
        };
        let intake = Intake::new(reads);
        let outward = Outward::Script(intake.clone());
        let feed = match bytes {
            Some(bytes) => Feed::whole(outward, bytes),
            None => Feed::open(outward),
        };
        Ok((feed, Some(intake)))
    }

    fn stage_outputs(&self) -> Result<([Channel; 2], [Outlet; 2])> {
        let mut channels = [Channel::default(), Channel::default()];
        let mut outlets = [Outlet::Nowhere, Outlet::Nowhere];
        for (stream, stdio) in Stream::BOTH.into_iter().zip([&self.stdout, &self.stderr]) {
            let index = stream as usize;
            outlets[index] = match stdio {
                Stdio::Null => Outlet::Nowhere,
                Stdio::Inherit => Outlet::Own(stream),
                Stdio::File { path, append } => Outlet::File(self.open_to_write(path, *append)?),
                // It comes after standard output, whose outlet it shares.
                Stdio::Stdout => {
                    let share = |error| ran_out(self, "share standard output", error);
                    outlets[0].share().map_err(share)?
                }
                Stdio::Pipe => {
                    let counter = LineCounter::new(&self.encodings[index], self.lines);
                    let sink = self.tee[index].then(|| Sink::standard(index as i32 + 1)).transpose();
                    let sink = sink.map_err(|error| ran_out(self, "pass on its output", error))?;
                    let capture = Capture::new(self.limit, self.keep.unwrap_or_default(), counter);
                    channels[index] = Channel::new(Inlet::script(), capture, sink);
                    Outlet::Captured(stream)
                }
            };
        }
        Ok((channels, outlets))
    }

    /// Opens a file that it writes to.
    pub(super) fn open_to_write(&self, path: &Path, append: bool) -> Result<File> {
        let mut options = File::options();
        options.create(true).write(true).append(append).truncate(!append);
        options.open(path).map_err(|error| file_error(self, "write", path, error))
    }
}
