//! Where the arguments of a batch come from: the command line, files, standard input. What is read is never waited for here.

use super::template;
use crate::args::batch::{BatchArgs, Source};
use crate::args::values::os;
use pinfold_os::descriptor::borrow;
use pinfold_os::poll::{Direction, Waitable};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// So much is read ahead of the jobs, so that the total is known of what is not larger.
const AHEAD: usize = 1 << 20;

/// What one job is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// Arguments for the template.
    Arguments(Vec<OsString>),
    /// A line that means nothing.
    Broken(String),
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Record(Record),
    /// Nothing is there yet.
    Later,
    End,
}

/// All records of a batch, in their order.
pub(crate) struct Input {
    from: From,
    shape: Shape,
    /// Of a line, for messages.
    line: usize,
}

/// What a record is made of.
#[derive(Clone, Copy)]
enum Shape {
    /// Up to so many arguments.
    Arguments(usize),
    /// The words of up to so many lines.
    Words(usize),
}

enum From {
    List(VecDeque<OsString>),
    /// Several lists, each combined with each: where the next one is.
    Product {
        lists: Vec<Vec<OsString>>,
        at: Vec<usize>,
        over: bool,
    },
    Stream(Lines),
}

impl Input {
    /// # Errors
    /// A file that cannot be read, with its name.
    pub(crate) fn open(args: &BatchArgs) -> Result<Input, (String, io::Error)> {
        let delimiter = args.delimiter.unwrap_or(if args.null { 0 } else { b'\n' });
        let open =
            |path: &Path| Lines::open(path, delimiter).map_err(|error| (path.display().to_string(), error));
        let from = match args.sources.as_slice() {
            [] => From::Stream(open(Path::new("-"))?),
            [Source::Words(words)] => From::List(words.iter().cloned().collect()),
            [Source::File(path)] => From::Stream(open(path)?),
            several => {
                let list = |source: &Source| match source {
                    Source::Words(words) => Ok(words.clone()),
                    Source::File(path) => {
                        open(path)?.all().map_err(|error| (path.display().to_string(), error))
                    }
                };
                let lists = several.iter().map(list).collect::<Result<Vec<_>, _>>()?;
                let over = lists.iter().any(Vec::is_empty);
                From::Product { at: vec![0; lists.len()], lists, over }
            }
        };
        let shape = match (args.template.is_empty(), args.max_lines) {
            (true, _) => Shape::Words(1),
            (false, Some(lines)) => Shape::Words(lines),
            (false, None) => Shape::Arguments(args.max_args.unwrap_or(1)),
        };
        Ok(Input { from, shape, line: 0 })
    }

    /// What becomes ready when there is more to read, if more is wanted and there is something to wait for.
    pub(crate) fn waitable(&self) -> Option<Waitable<'_>> {
        match &self.from {
            From::Stream(lines) if !lines.ended && lines.buffer.len() < AHEAD => {
                Some(Waitable { descriptor: borrow(&lines.file), direction: Direction::Read })
            }
            _ => None,
        }
    }

    /// Reads once: for when it is ready.
    pub(crate) fn read(&mut self) -> io::Result<()> {
        match &mut self.from {
            From::Stream(lines) => lines.read(),
            _ => Ok(()),
        }
    }

    /// How many records are to come, where that is known.
    pub(crate) fn left(&self) -> Option<usize> {
        let parts = match &self.from {
            From::List(list) => list.len(),
            From::Product { lists, at, over } => {
                let all = lists.iter().try_fold(1_usize, |all, list| all.checked_mul(list.len()))?;
                let done = lists.iter().zip(at).fold(0, |done, (list, at)| done * list.len() + at);
                return Some(if *over { 0 } else { all - done });
            }
            From::Stream(lines) => lines.left()?,
        };
        let (Shape::Arguments(most) | Shape::Words(most)) = self.shape;
        Some(parts.div_ceil(most))
    }

    pub(crate) fn next(&mut self) -> Next {
        if let From::Product { lists, at, over } = &mut self.from {
            return combine(lists, at, over);
        }
        let (Shape::Arguments(most) | Shape::Words(most)) = self.shape;
        let mut parts = Vec::new();
        if let From::Stream(lines) = &self.from
            && !lines.has(most)
        {
            return Next::Later;
        }
        while parts.len() < most {
            let part = match &mut self.from {
                From::List(list) => list.pop_front().map(|word| word.as_encoded_bytes().to_vec()),
                From::Stream(lines) => lines.take(),
                From::Product { .. } => None,
            };
            let Some(part) = part else { break };
            parts.push(part);
        }
        if parts.is_empty() {
            return Next::End;
        }
        Next::Record(self.record(&parts))
    }

    fn record(&mut self, parts: &[Vec<u8>]) -> Record {
        let mut arguments = Vec::with_capacity(parts.len());
        for part in parts {
            self.line += 1;
            match self.shape {
                Shape::Arguments(_) => match os(part) {
                    Some(argument) => arguments.push(argument),
                    None => return Record::Broken(format!("argument {} is no text", self.line)),
                },
                Shape::Words(_) => match template::split(part) {
                    Some(words) => arguments.extend(words),
                    None => return Record::Broken(format!("line {}: a quote is left open", self.line)),
                },
            }
        }
        Record::Arguments(arguments)
    }
}

fn combine(lists: &[Vec<OsString>], at: &mut [usize], over: &mut bool) -> Next {
    if *over {
        return Next::End;
    }
    let arguments = lists.iter().zip(&*at).map(|(list, at)| list[*at].clone()).collect();
    *over = true;
    // The last goes fastest.
    for (list, at) in lists.iter().zip(at).rev() {
        *at += 1;
        if *at < list.len() {
            *over = false;
            break;
        }
        *at = 0;
    }
    Next::Record(Record::Arguments(arguments))
}

/// The parts of a file that is read bit by bit. Empty ones are left out, unless they end with a NUL.
struct Lines {
    file: File,
    delimiter: u8,
    buffer: VecDeque<u8>,
    /// How many whole ones are in the buffer.
    whole: usize,
    ended: bool,
}

impl Lines {
    fn open(path: &Path, delimiter: u8) -> io::Result<Lines> {
        let file = if path == Path::new("-") {
            borrow(&io::stdin()).try_clone_to_owned()?.into()
        } else {
            File::open(path)?
        };
        // It can be opened; that it cannot be read would be told much later.
        if file.metadata()?.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        Ok(Lines { file, delimiter, buffer: VecDeque::new(), whole: 0, ended: false })
    }

    fn read(&mut self) -> io::Result<()> {
        let mut chunk = [0; 64 << 10];
        let len = match self.file.read(&mut chunk) {
            Ok(len) => len,
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.ended = len == 0;
        if self.ended && self.buffer.back().is_some_and(|last| *last != self.delimiter) {
            self.append(&[self.delimiter]);
        }
        self.append(&chunk[..len]);
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let is_end = *byte == self.delimiter;
            let is_empty = self.buffer.back().is_none_or(|last| *last == self.delimiter);
            if is_end && is_empty && self.delimiter != 0 {
                continue;
            }
            self.buffer.push_back(*byte);
            self.whole += usize::from(is_end);
        }
    }

    /// Whether so many can be taken, or nothing more comes.
    fn has(&self, most: usize) -> bool {
        self.ended || self.whole >= most
    }

    fn left(&self) -> Option<usize> {
        self.ended.then_some(self.whole)
    }

    fn take(&mut self) -> Option<Vec<u8>> {
        if self.whole == 0 {
            return None;
        }
        let end = self.buffer.iter().position(|byte| *byte == self.delimiter)?;
        self.whole -= 1;
        let mut part: Vec<u8> = self.buffer.drain(..=end).collect();
        part.pop();
        Some(part)
    }

    /// All of them, for what is combined with others.
    fn all(mut self) -> io::Result<Vec<OsString>> {
        while !self.ended {
            self.read()?;
        }
        let mut all = Vec::new();
        while let Some(part) = self.take() {
            all.push(
                os(&part)
                    .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "an argument is no text"))?,
            );
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn of(args: &BatchArgs) -> (Vec<Record>, Option<usize>) {
        let mut input = Input::open(args).unwrap();
        let (mut records, mut total) = (Vec::new(), None);
        loop {
            total = total.or(input.left().map(|left| left + records.len()));
            match input.next() {
                Next::Record(record) => records.push(record),
                Next::Later => input.read().unwrap(),
                Next::End => return (records, total),
            }
        }
    }

    fn lists(records: &[&[&str]]) -> Vec<Record> {
        let words = |words: &&[&str]| words.iter().map(OsString::from).collect();
        records.iter().map(|record| Record::Arguments(words(record))).collect()
    }

    fn from(text: &str, args: BatchArgs) -> (Vec<Record>, Option<usize>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        of(&BatchArgs { sources: vec![Source::File(file.path().into())], ..args })
    }

    fn echo() -> BatchArgs {
        BatchArgs { template: vec!["echo".into()], ..BatchArgs::default() }
    }

    #[test]
    fn lines_are_arguments_one_by_one_or_several() {
        assert_eq!(from("a b\n\nc", echo()), (lists(&[&["a b"], &["c"]]), Some(2)));
        let two = BatchArgs { max_args: Some(2), ..echo() };
        assert_eq!(from("a\nb\nc\n", two), (lists(&[&["a", "b"], &["c"]]), Some(2)));
        let null = BatchArgs { null: true, ..echo() };
        assert_eq!(from("a\nb\0\0c", null), (lists(&[&["a\nb"], &[""], &["c"]]), Some(3)));
        let comma = BatchArgs { delimiter: Some(b','), ..echo() };
        assert_eq!(from("a,b", comma), (lists(&[&["a"], &["b"]]), Some(2)));
        let split = BatchArgs { max_lines: Some(2), ..echo() };
        assert_eq!(from("a 'b c'\nd\ne", split).0, lists(&[&["a", "b c", "d"], &["e"]]));
        assert_eq!(from("", echo()), (lists(&[]), Some(0)));
    }

    #[test]
    fn without_a_template_lines_are_commands() {
        let (records, _) = from("echo 'a b'\n# said\necho 'c\n", BatchArgs::default());
        assert_eq!(records[..2], lists(&[&["echo", "a b"], &[]]));
        assert_eq!(records[2], Record::Broken("line 3: a quote is left open".to_owned()));
    }

    #[test]
    fn several_lists_are_combined() {
        let list = |words: &[&str]| Source::Words(words.iter().map(OsString::from).collect());
        let args = BatchArgs { sources: vec![list(&["a", "b"]), list(&["1", "2"])], ..echo() };
        let expected = lists(&[&["a", "1"], &["a", "2"], &["b", "1"], &["b", "2"]]);
        assert_eq!(of(&args), (expected, Some(4)));
        let none = BatchArgs { sources: vec![list(&["a"]), list(&[])], ..echo() };
        assert_eq!(of(&none), (Vec::new(), Some(0)));
    }

    #[test]
    fn much_is_read_bit_by_bit_and_nothing_is_lost() {
        let text: String = (0..300_000).map(|number| format!("{number}\n")).collect();
        let (records, _) = from(&text, echo());
        assert_eq!(records.len(), 300_000);
        assert_eq!(records[299_999], Record::Arguments(vec!["299999".into()]));
    }
}
