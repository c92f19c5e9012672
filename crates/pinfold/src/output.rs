//! What a finished run wrote, together with how it ended.

use crate::capture::{Cut, Limit, Segment, combine, shorten};
use crate::command::Command;
use crate::error::{Error, ErrorKind, Result};
use crate::outcome::{Cause, Ending, Outcome};
use crate::settings::{Payload, Stream};
use crate::text::{self, Encoding};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::ops::Deref;
use std::time::Duration;

/// The captured output of a finished run, as text (`Output<String>`) or as bytes (`Output<Vec<u8>>`), and its outcome,
/// whose methods can be called on it directly.
///
/// Text is what the program wrote, decoded: nothing is trimmed, and line ends are as they came.
#[derive(Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Output<T = String> {
    /// What came on standard output; empty if that was not captured.
    pub stdout: T,
    /// What came on standard error; empty if that was not captured.
    pub stderr: T,
    /// How the run ended.
    pub outcome: Outcome,
    #[cfg_attr(feature = "serde", serde(with = "crate::wire::os_string"))]
    pub(crate) program: OsString,
    pub(crate) success_codes: Vec<i32>,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) unchecked: bool,
    pub(crate) segments: Vec<Segment>,
    /// Of each stream.
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) cut: [Cut; 2],
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) stages: Vec<Stage>,
}

/// What became of one stage of a pipeline.
#[derive(Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Stage {
    /// The program as its command named it.
    #[cfg_attr(feature = "serde", serde(with = "crate::wire::os_string"))]
    pub program: OsString,
    /// What came on its standard error; empty if that was not captured.
    #[cfg_attr(feature = "serde", serde(with = "crate::wire::bytes"))]
    pub stderr: Payload,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether it ended cleanly: with a code that is a success, in whatever way if it is unchecked, or, before the last, by
    /// `SIGPIPE`, since nobody wanted more of it. A shell passes that on as code 141 (128 + 13).
    pub clean: bool,
    pub(crate) encoding: Encoding,
    /// Of its standard error.
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) cut: Cut,
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) terms: Terms,
}

/// What a stage had to keep to, for words about it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Terms {
    pub(crate) timeout: Option<Duration>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) limit: Limit,
    /// Whether it had a sandbox, and whether that allows but some paths.
    pub(crate) sandboxed: bool,
    pub(crate) kept_to_paths: bool,
}

impl Terms {
    pub(crate) fn of(command: &Command) -> Terms {
        Terms {
            timeout: command.timeout,
            idle_timeout: command.idle_timeout,
            limit: command.limit,
            sandboxed: !command.process.sandbox.is_none(),
            kept_to_paths: command.process.sandbox.paths.is_some(),
        }
    }
}

impl Stage {
    /// How its standard error is decoded.
    pub fn encoding(&self) -> &Encoding {
        &self.encoding
    }

    /// What came on its standard error, decoded.
    pub fn stderr_text(&self) -> String {
        text::decode(&self.encoding, &self.stderr[self.cut.whole(&self.encoding, &self.stderr)])
    }
}

impl fmt::Debug for Stage {
    /// Sizes, not contents.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage")
            .field("program", &self.program)
            .field("stderr_bytes", &self.stderr.len())
            .field("clean", &self.clean)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

impl<T> Output<T> {
    /// What became of each stage of a pipeline, the first first; empty for a single command. Of a pipeline, the outcome,
    /// standard error and [`Output::program`] are those of the stage that [`Output::failed_stage`] names, and of the last if
    /// all ended cleanly; standard output is that of the last.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// The index of the stage that a pipeline's outcome is of, if it is none that ended cleanly: of the first that did not,
    /// or of the first that was ended with the pipeline by a cancellation, a stop or its timeout.
    pub fn failed_stage(&self) -> Option<usize> {
        self.blamed().filter(|index| !self.stages[*index].clean)
    }

    /// The index of the stage that the outcome is of.
    pub(crate) fn blamed(&self) -> Option<usize> {
        let stopped = |stage: &Stage| stage.outcome.cause == self.outcome.cause;
        let unclean = |stage: &Stage| !stage.clean;
        let index = match self.outcome.cause {
            Cause::Itself => self.stages.iter().position(unclean),
            _ => self.stages.iter().position(stopped).or_else(|| self.stages.iter().position(unclean)),
        };
        index.or(self.stages.len().checked_sub(1))
    }

    /// The program as the command named it.
    pub fn program(&self) -> &OsStr {
        &self.program
    }

    /// Whether it ended of its own accord with one of the command's success codes.
    pub fn is_success(&self) -> bool {
        self.outcome.cause == Cause::Itself
            && (self.unchecked || self.outcome.code().is_some_and(|code| self.success_codes.contains(&code)))
    }

    /// Whether some of the output was not retained.
    pub fn truncated(&self) -> bool {
        Stream::BOTH.into_iter().filter_map(|stream| self.outcome.seen(stream)).any(|seen| seen.truncated)
    }
}

impl<T: Into<Vec<u8>>> Output<T> {
    /// Itself, if it is a success.
    ///
    /// ```
    /// use pinfold::{Command, ErrorKind};
    ///
    /// let error = Command::new("false").output()?.ensure_success().unwrap_err();
    /// assert_eq!((error.kind(), error.code()), (ErrorKind::NonZeroExit, Some(1)));
    /// # pinfold::Result::Ok(())
    /// ```
    ///
    /// # Errors
    /// What [`Command::run`](crate::Command::run) would say of it; the error carries the output.
    pub fn ensure_success(self) -> Result<Output<T>> {
        if self.is_success() {
            return Ok(self);
        }
        let kind = match (self.outcome.cause, self.outcome.ending) {
            (Cause::Timeout | Cause::IdleTimeout, _) => ErrorKind::Timeout,
            (Cause::Cancelled, _) => ErrorKind::Cancelled,
            (Cause::OutputLimit, _) => ErrorKind::OutputTooLarge,
            (_, Ending::Exited { .. }) => ErrorKind::NonZeroExit,
            (_, Ending::Signalled { .. }) => ErrorKind::Signalled,
            (_, Ending::Lost) => ErrorKind::StatusLost,
        };
        let error = Error::new(kind, &self.program, self.outcome.to_string());
        Err(error.with_output(self.map(Into::into)))
    }
}

impl<T> Output<T> {
    fn map<U>(self, convert: impl Fn(T) -> U) -> Output<U> {
        Output {
            stdout: convert(self.stdout),
            stderr: convert(self.stderr),
            outcome: self.outcome,
            program: self.program,
            success_codes: self.success_codes,
            unchecked: self.unchecked,
            segments: self.segments,
            cut: self.cut,
            stages: self.stages,
        }
    }
}

impl Output<Vec<u8>> {
    /// Both streams in one, in the order in which they were read. That is the order of writing only as far as the program
    /// waited between the two: what it writes to both at once is read at once, and then standard output is first, all of it
    /// perhaps. To keep the order of writing, give standard error to [`crate::Stdio::Stdout`].
    pub fn combined(&self) -> Vec<u8> {
        combine(&self.segments, &self.stdout, &self.stderr)
    }

    /// The same as text. Parts of a character that [`Command::output_limit`](crate::Command::output_limit) has cut are left out.
    pub fn into_text(self, encodings: &[Encoding; 2]) -> Output<String> {
        // Standard error of a pipeline is that of one of its stages.
        let of_stage = self.blamed().map(|index| self.stages[index].encoding.clone());
        let Output { stdout, stderr, outcome, program, success_codes, unchecked, mut segments, cut, stages } =
            self;
        let [stdout, stderr] =
            [(stdout, Stream::Stdout), (stderr, Stream::Stderr)].map(|(mut bytes, stream)| {
                let encoding = match (stream, &of_stage) {
                    (Stream::Stderr, Some(encoding)) => encoding,
                    _ => &encodings[stream as usize],
                };
                let whole = cut[stream as usize].whole(encoding, &bytes);
                if whole.len() < bytes.len() {
                    shorten(&mut segments, stream, whole.start, bytes.len() - whole.end);
                    bytes.truncate(whole.end);
                    bytes.drain(..whole.start);
                }
                match (encoding.is_utf8(), String::from_utf8(bytes)) {
                    (true, Ok(text)) => text,
                    (_, bytes) => {
                        let bytes = bytes.map_or_else(|error| error.into_bytes(), String::into_bytes);
                        let ours = segments.iter_mut().filter(|segment| segment.stream == stream);
                        let mut lengths: Vec<&mut usize> = ours.map(|segment| &mut segment.len).collect();
                        text::decode_pieces(encoding, &bytes, &mut lengths)
                    }
                }
            });
        Output { stdout, stderr, outcome, program, success_codes, unchecked, segments, cut, stages }
    }

    /// One of the streams as text, as [`Output::into_text`] gives it.
    ///
    /// ```
    /// use pinfold::{Command, Stream};
    ///
    /// let command = Command::new("echo").arg("hello");
    /// assert_eq!(command.output_bytes()?.text_of(Stream::Stdout, &Default::default()), "hello\n");
    /// # pinfold::Result::Ok(())
    /// ```
    pub fn text_of(&self, stream: Stream, encoding: &Encoding) -> String {
        let bytes = match stream {
            Stream::Stdout => &self.stdout,
            Stream::Stderr => &self.stderr,
        };
        text::decode(encoding, &bytes[self.cut[stream as usize].whole(encoding, bytes)])
    }
}

impl Output<String> {
    /// Both streams in the order in which they were read; see [`Output::<Vec<u8>>::combined`].
    pub fn combined(&self) -> String {
        let bytes = combine(&self.segments, self.stdout.as_bytes(), self.stderr.as_bytes());
        // Reads can end inside a character, and then the other stream stands in it.
        String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }
}

impl<T> Deref for Output<T> {
    type Target = Outcome;

    fn deref(&self) -> &Outcome {
        &self.outcome
    }
}

impl<T: AsRef<[u8]>> fmt::Debug for Output<T> {
    /// Sizes, not contents.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("program", &self.program)
            .field("stdout_bytes", &self.stdout.as_ref().len())
            .field("stderr_bytes", &self.stderr.as_ref().len())
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Guarantee, Mechanism, Strays, Usage};

    fn output(stdout: &[u8], stderr: &[u8], segments: &[(Stream, usize)]) -> Output<Vec<u8>> {
        Output {
            stdout: stdout.to_vec(),
            stderr: stderr.to_vec(),
            outcome: Outcome {
                ending: Ending::Exited { code: 3 },
                cause: Cause::Itself,
                duration: Default::default(),
                usage: Usage::default(),
                stdout: None,
                stderr: None,
                limits_hit: Default::default(),
                strays: Strays::default(),
                ended_with: None,
                mechanism: Mechanism::ProcessGroup,
                guarantee: Guarantee::BestEffort,
            },
            program: "program".into(),
            success_codes: vec![0, 3],
            unchecked: false,
            cut: Default::default(),
            stages: Vec::new(),
            segments: segments.iter().map(|(stream, len)| Segment { stream: *stream, len: *len }).collect(),
        }
    }

    #[test]
    fn text_keeps_the_order_of_the_streams_whatever_decoding_does_to_lengths() {
        use Stream::{Stderr, Stdout};
        let order = [(Stdout, 2), (Stderr, 1), (Stdout, 3), (Stderr, 2)];
        let bytes = output(b"a\xffb\xffc", b"xyz", &order);
        assert_eq!(bytes.combined(), b"a\xffxb\xffcyz");
        let text = bytes.into_text(&Default::default());
        assert_eq!(text.stdout, "a\u{fffd}b\u{fffd}c");
        // The decoder tells a bad byte as soon as it is sure of it, so at most it comes a piece later.
        let combined = text.combined();
        assert_eq!(combined.replace(['x', 'y', 'z'], ""), text.stdout);
        assert!(combined.ends_with("yz"), "{combined}");
    }

    #[test]
    fn success_is_what_the_command_says_it_is() {
        assert!(output(b"", b"", &[]).is_success());
        let mut timed_out = output(b"", b"", &[]);
        timed_out.outcome.cause = Cause::Timeout;
        assert!(!timed_out.is_success());
    }

    #[test]
    fn a_repr_holds_no_output() {
        let repr = format!("{:?}", output(b"secret", b"", &[]));
        assert!(!repr.contains("secret") && repr.contains("stdout_bytes: 6"), "{repr}");
    }
}
