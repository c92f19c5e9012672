//! `--log-format json`: what happens, and what pinfold says of it, as lines of JSON.
//!
//! There is one log a process, since whatever pinfold says goes through one place (`out`). No line holds an argument or a
//! variable: events have none, and what is said has none either.

use crate::args::Misuse;
use crate::out;
use pinfold::{Host, RunEvent};
use serde::Serialize;
use std::fs::File;
use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

/// What the fields of a line mean is fixed under this name; fields may be added.
const SCHEMA: &str = "pinfold.event/1";

/// Standard error, where words stand otherwise.
pub(crate) const STDERR: i32 = 2;

static LOG: OnceLock<Log> = OnceLock::new();

struct Log {
    to: File,
    on_stderr: bool,
    failed: AtomicBool,
}

#[derive(Serialize)]
struct Line<'a, T> {
    schema: &'static str,
    /// Since 1970.
    unix_seconds: f64,
    /// Of a batch: which.
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<usize>,
    #[serde(flatten)]
    what: &'a T,
}

/// What happens in the tool, beside what happens to runs.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Own<'a> {
    /// As the library tells it where the library tries again.
    Retrying {
        run: u64,
        program: &'a str,
        pid: Option<u32>,
        attempt: u32,
        pause_seconds: f64,
    },
    Said {
        message: &'a str,
    },
    Failed {
        message: &'a str,
        hint: Option<&'a str>,
    },
}

/// Begins the log, if one is asked for; the program does not get its descriptor.
///
/// # Errors
/// If that is not open.
pub(crate) fn open(number: Option<i32>) -> Result<(), Misuse> {
    let Some(number) = number else { return Ok(()) };
    let to = claim(number, &format!("--log-format json:{number}"), "log.jsonl")?;
    let log = Log { to, on_stderr: number == STDERR, failed: AtomicBool::new(false) };
    // A command opens it once.
    let _ = LOG.set(log);
    Ok(())
}

/// A descriptor that the user named by an option, for ourselves: the program does not get it. What could be opened there is for
/// the hint.
///
/// # Errors
/// If it is not open.
pub(crate) fn claim(number: i32, option: &str, file: &str) -> Result<File, Misuse> {
    let claimed = pinfold_os::descriptor::claim(number).map_err(|error| Misuse {
        what: format!("{option}: there is no such descriptor: {error}"),
        hint: format!("open it for pinfold: {number}>{file}"),
    })?;
    Ok(claimed.into())
}

/// Whether what pinfold says stands in the log and nowhere else.
pub(crate) fn replaces_words() -> bool {
    LOG.get().is_some_and(|log| log.on_stderr)
}

/// Has the log told of the host's runs, of which each may be a job of this number.
pub(crate) fn watch(host: Host, job: Option<usize>) -> Host {
    let Some(log) = LOG.get() else { return host };
    host.on_event(move |event: &RunEvent| log.write(job, event))
}

/// `pinfold run` tries again.
pub(crate) fn retrying(program: &str, attempt: u32, pause: Duration) {
    if let Some(log) = LOG.get() {
        let pause_seconds = pause.as_secs_f64();
        log.write(None, &Own::Retrying { run: 0, program, pid: None, attempt, pause_seconds });
    }
}

/// pinfold says something.
pub(crate) fn said(message: &str) {
    if let Some(log) = LOG.get() {
        log.write(None, &Own::Said { message });
    }
}

/// Something of pinfold's went wrong.
pub(crate) fn failed(message: &str, hint: Option<&str>) {
    if let Some(log) = LOG.get() {
        log.write(None, &Own::Failed { message, hint });
    }
}

impl Log {
    fn write(&self, job: Option<usize>, what: &impl Serialize) {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let line = Line { schema: SCHEMA, unix_seconds: since_1970.as_secs_f64(), job, what };
        // One write, so that the lines of several processes do not mix.
        let written = serde_json::to_string(&line)
            .map_err(io::Error::from)
            .and_then(|line| (&self.to).write_all((line + "\n").as_bytes()));
        match written {
            Ok(()) => {}
            // Whoever wanted it does so no more.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            // Where words go nowhere else, there is nobody to tell.
            Err(error) if !self.on_stderr && !self.failed.swap(true, Ordering::Relaxed) => {
                out::say(&format!("the log lacks lines: it cannot be written: {error}"));
            }
            Err(_) => {}
        }
    }
}
