//! What a job has written: in memory while it is little, and in files without a name beyond that.

use super::screen::Screen;
use pinfold::{Completion, Host, Stream};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// More than this of one stream is not held in memory.
const LITTLE: usize = 1 << 20;

/// The output of a job.
#[derive(Debug, Default)]
pub(crate) struct Page {
    spools: [Spool; 2],
    tag: Option<Vec<u8>>,
}

#[derive(Debug, Default)]
struct Spool {
    /// What came first, if that is much.
    file: Option<File>,
    rest: Vec<u8>,
}

impl Page {
    /// What was written, and what is printed in front of each line of it.
    pub(crate) fn new(stdout: Vec<u8>, stderr: Vec<u8>, tag: Option<Vec<u8>>) -> Page {
        Page { spools: [stdout, stderr].map(|rest| Spool { file: None, rest }), tag }
    }

    /// One of which this was put aside.
    #[cfg(test)]
    pub(crate) fn filed(bytes: &[u8]) -> Page {
        let mut page = Page::default();
        page.spools[0].append(bytes).expect("a place for files");
        page
    }

    /// How much of it is in memory.
    pub(crate) fn held(&self) -> usize {
        self.spools.iter().map(|spool| spool.rest.len()).sum()
    }

    /// How many files hold the rest.
    pub(crate) fn files(&self) -> usize {
        self.spools.iter().filter(|spool| spool.file.is_some()).count()
    }

    /// Puts aside what a job has written so far, if that is much.
    pub(crate) fn put_aside(&mut self, completion: &mut Completion<Host>) -> io::Result<()> {
        let mut result = Ok(());
        for (stream, spool) in Stream::BOTH.into_iter().zip(&mut self.spools) {
            completion.drain(stream, |bytes| {
                if bytes.len() < LITTLE || result.is_err() {
                    return 0;
                }
                result = spool.append(bytes);
                bytes.len()
            });
        }
        result
    }

    /// What came last, behind what was put aside.
    pub(crate) fn behind(self, aside: Page) -> Page {
        let mut spools = self.spools;
        for (spool, aside) in spools.iter_mut().zip(aside.spools) {
            spool.file = aside.file;
        }
        Page { spools, tag: self.tag }
    }

    /// Prints it.
    pub(crate) fn print(&mut self, screen: &Screen) -> io::Result<()> {
        for (stream, spool) in Stream::BOTH.into_iter().zip(&mut self.spools) {
            let mut tagged = Tagged::new(self.tag.as_deref());
            spool.read(|bytes| screen.write(stream, &tagged.tag(bytes)))?;
        }
        Ok(())
    }
}

impl Spool {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            empty => empty.insert(tempfile::tempfile()?),
        };
        file.write_all(bytes)
    }

    /// All of it, piece by piece.
    fn read(&mut self, mut take: impl FnMut(&[u8])) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            file.seek(SeekFrom::Start(0))?;
            let mut piece = vec![0; 64 << 10];
            loop {
                match file.read(&mut piece)? {
                    0 => break,
                    length => take(&piece[..length]),
                }
            }
        }
        take(&self.rest);
        Ok(())
    }
}

/// Puts something in front of each line of what comes in pieces.
#[derive(Debug)]
pub(crate) struct Tagged {
    tag: Option<Vec<u8>>,
    within_line: bool,
}

impl Tagged {
    pub(crate) fn new(tag: Option<&[u8]>) -> Tagged {
        Tagged { tag: tag.map(|tag| [tag, b"\t"].concat()), within_line: false }
    }

    pub(crate) fn tag<'a>(&mut self, bytes: &'a [u8]) -> std::borrow::Cow<'a, [u8]> {
        let begun = self.within_line;
        self.within_line = bytes.last().map_or(begun, |last| *last != b'\n');
        let Some(tag) = &self.tag else { return bytes.into() };
        let mut tagged = Vec::with_capacity(bytes.len());
        for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            if index > 0 || !begun {
                tagged.extend_from_slice(tag);
            }
            tagged.extend_from_slice(line);
        }
        tagged.into()
    }

    /// Prints what comes last. A line that has no end is given one: another's comes behind it.
    fn end(&mut self, screen: &Screen, stream: Stream, bytes: &[u8]) {
        screen.write(stream, &self.tag(bytes));
        if std::mem::take(&mut self.within_line) {
            screen.write(stream, b"\n");
        }
    }
}

/// The lines of a job as they come, for those that are printed at once.
#[derive(Debug)]
pub(crate) struct Flow([Tagged; 2]);

impl Flow {
    pub(crate) fn new(tag: Option<&[u8]>) -> Flow {
        Flow([Tagged::new(tag), Tagged::new(tag)])
    }

    /// Prints the lines that are whole, and of one that is too long what there is; all that is left where an attempt has ended.
    pub(crate) fn print(&mut self, screen: &Screen, completion: &mut Completion<Host>) {
        let has_ended = completion.running().is_none();
        for (stream, tagged) in Stream::BOTH.into_iter().zip(&mut self.0) {
            completion.drain(stream, |bytes| {
                if has_ended {
                    tagged.end(screen, stream, bytes);
                    return bytes.len();
                }
                let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                let ready = if bytes.len() - whole < LITTLE { whole } else { bytes.len() };
                screen.write(stream, &tagged.tag(&bytes[..ready]));
                ready
            });
        }
    }

    /// Prints what came last.
    pub(crate) fn end(&mut self, screen: &Screen, rest: &Page) {
        for ((stream, tagged), spool) in Stream::BOTH.into_iter().zip(&mut self.0).zip(&rest.spools) {
            tagged.end(screen, stream, &spool.rest);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn each_line_has_its_tag_however_it_comes() {
        let text = b"one\ntwo\n\nthree";
        for cut in 0..=text.len() {
            let mut tagged = Tagged::new(Some(b"t"));
            let got = [tagged.tag(&text[..cut]).into_owned(), tagged.tag(&text[cut..]).into_owned()].concat();
            assert_eq!(String::from_utf8_lossy(&got), "t\tone\nt\ttwo\nt\t\nt\tthree", "cut at {cut}");
        }
        assert_eq!(Tagged::new(None).tag(text), &text[..]);
    }

    #[test]
    fn what_was_put_aside_comes_before_the_rest() {
        let mut spool = Spool::default();
        spool.append(b"one ").unwrap();
        spool.append(b"two ").unwrap();
        spool.rest = b"three".to_vec();
        let mut all = Vec::new();
        spool.read(|bytes| all.extend_from_slice(bytes)).unwrap();
        assert_eq!(all, b"one two three");
    }
}
