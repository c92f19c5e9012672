//! The job log: a line of JSON for each job that ended, and what a later batch takes from it.
//!
//! A line is written in one call when its job has ended, so that the file is whole whenever pinfold ends, and at worst
//! lacks the end of its last line where the machine did.

use pinfold::Outcome;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// What the fields of a line mean is fixed under this name; fields may be added.
const SCHEMA: &str = "pinfold.job/1";

/// What became of a job.
#[derive(Serialize)]
pub(crate) struct Entry<'a> {
    pub(crate) schema: &'static str,
    /// Its number, from 1.
    pub(crate) job: usize,
    pub(crate) command: Vec<Word>,
    /// Since 1970.
    pub(crate) started_unix_seconds: f64,
    pub(crate) duration_seconds: f64,
    pub(crate) attempts: u32,
    pub(crate) success: bool,
    /// Stopped with its batch, so that it has still to be done.
    pub(crate) cancelled: bool,
    pub(crate) exit_code: Option<i32>,
    pub(crate) signal: Option<String>,
    pub(crate) outcome: Option<&'a Outcome>,
    pub(crate) error: Option<Problem<'a>>,
}

#[derive(Serialize)]
pub(crate) struct Problem<'a> {
    pub(crate) kind: &'a str,
    pub(crate) message: String,
}

/// A word of a command: text, or bytes that are none.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Word {
    Text(String),
    Bytes { bytes: Vec<u8> },
}

impl Entry<'_> {
    pub(crate) const SCHEMA: &'static str = SCHEMA;
}

pub(crate) fn words(command: &[OsString]) -> Vec<Word> {
    let word = |word: &OsString| match word.to_str() {
        Some(text) => Word::Text(text.to_owned()),
        None => Word::Bytes { bytes: word.as_encoded_bytes().to_vec() },
    };
    command.iter().map(word).collect()
}

/// What is read of a line.
#[derive(Deserialize)]
struct Line {
    schema: String,
    command: Vec<Word>,
    success: bool,
    cancelled: bool,
}

/// A log that is written to.
pub(crate) struct JobLog(File);

/// How often each command is done already.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Done(HashMap<Vec<Word>, usize>);

impl Done {
    /// Whether this one is done, which it then is once less.
    pub(crate) fn take(&mut self, command: &[Word]) -> bool {
        match self.0.get_mut(command) {
            Some(times) if *times > 0 => {
                *times -= 1;
                true
            }
            _ => false,
        }
    }
}

impl JobLog {
    /// An empty log.
    ///
    /// # Errors
    /// A file that is there and no job log is [`io::ErrorKind::InvalidData`], and stays as it is.
    pub(crate) fn create(path: &Path) -> io::Result<JobLog> {
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        let about = file.metadata()?;
        if about.is_file() && about.len() > 0 {
            read(&mut file, false)?;
            file.set_len(0)?;
            file.seek(SeekFrom::Start(0))?;
        }
        Ok(JobLog(file))
    }

    /// A log that is added to, and what it says is done: what has ended in whatever way, or what has succeeded.
    ///
    /// # Errors
    /// A line that is none of ours is [`io::ErrorKind::InvalidData`].
    pub(crate) fn resume(path: &Path, succeeded_only: bool) -> io::Result<(JobLog, Done)> {
        let mut file = File::options().read(true).append(true).create(true).open(path)?;
        let (done, whole) = read(&mut file, succeeded_only)?;
        // A line whose end was lost says nothing that could be relied on.
        if whole < file.metadata()?.len() {
            file.set_len(whole)?;
            file.seek(SeekFrom::End(0))?;
        }
        Ok((JobLog(file), done))
    }

    /// What a log says is done, where there is one.
    pub(crate) fn done(path: &Path, succeeded_only: bool) -> io::Result<Done> {
        match File::open(path) {
            Ok(mut file) => read(&mut file, succeeded_only).map(|(done, _)| done),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Done::default()),
            Err(error) => Err(error),
        }
    }

    /// Adds a line, whole.
    pub(crate) fn write(&mut self, entry: &Entry<'_>) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        self.0.write_all(&line)
    }
}

/// What a log says is done, and how far its last whole line goes.
fn read(file: &mut File, succeeded_only: bool) -> io::Result<(Done, u64)> {
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let no_log =
        |number: usize| io::Error::new(io::ErrorKind::InvalidData, format!("line {number} is no {SCHEMA}"));
    let mut done = Done::default();
    for (index, line) in text[..whole].split(|byte| *byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let line = serde_json::from_slice::<Line>(line).ok().filter(|line| line.schema == SCHEMA);
        let Some(line) = line else { return Err(no_log(index + 1)) };
        if line.success || !(line.cancelled || succeeded_only) {
            *done.0.entry(line.command).or_default() += 1;
        }
    }
    // What lacks its end begins as a line of ours does.
    let (tail, begin) = (&text[whole..], format!("{{\"schema\":\"{SCHEMA}\""));
    let length = tail.len().min(begin.len());
    if tail[..length] != begin.as_bytes()[..length] {
        return Err(no_log(text[..whole].iter().filter(|byte| **byte == b'\n').count() + 1));
    }
    Ok((done, whole as u64))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn entry(word: &str, success: bool, cancelled: bool) -> Entry<'static> {
        Entry {
            schema: SCHEMA,
            job: 1,
            command: words(&[word.into()]),
            started_unix_seconds: 0.0,
            duration_seconds: 0.0,
            attempts: 1,
            success,
            cancelled,
            exit_code: None,
            signal: None,
            outcome: None,
            error: None,
        }
    }

    #[test]
    fn what_was_written_is_taken_for_done_as_often_as_it_was() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut log = JobLog::create(file.path()).unwrap();
        for (word, success, cancelled) in
            [("good", true, false), ("good", true, false), ("bad", false, false), ("stopped", false, true)]
        {
            log.write(&entry(word, success, cancelled)).unwrap();
        }
        // The machine lost its power in the middle of a line.
        log.0.write_all(b"{\"schema\":\"pinfold.job/1\",\"comm").unwrap();
        drop(log);
        for (succeeded_only, expected) in
            [(false, [true, true, false, true, false]), (true, [true, true, false, false, false])]
        {
            let (mut log, mut done) = JobLog::resume(file.path(), succeeded_only).unwrap();
            let told =
                ["good", "good", "good", "bad", "stopped"].map(|word| done.take(&words(&[word.into()])));
            assert_eq!(told, expected);
            log.write(&entry("other", false, true)).unwrap();
        }
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert_eq!(text.lines().count(), 6);
        assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    }

    #[test]
    fn a_file_that_is_something_else_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for text in [
            "hello\n",
            "hello",
            "{}\n",
            "{\"schema\":\"other\",\"command\":[],\"success\":true,\"cancelled\":false}\n",
        ] {
            std::fs::write(file.path(), text).unwrap();
            let refused = [JobLog::create(file.path()).err(), JobLog::resume(file.path(), false).err()];
            for error in refused.map(Option::unwrap) {
                assert!(error.to_string().contains("line 1 is no pinfold.job/1"), "{error}");
            }
            assert_eq!(std::fs::read_to_string(file.path()).unwrap(), text);
        }
    }
}
