//! From chunks of bytes to lines: the rule, and the reader that applies it.
//!
//! The reader holds what was fed and not yet taken as lines, and nothing else: how much to feed at a time is the
//! caller's decision.

use super::decoder::Decoder;
use super::encoding::Encoding;
use super::escapes;
use memchr::{memchr, memchr2, memrchr, memrchr2};
use std::borrow::Cow;
use std::fmt;

/// Where lines end and what is taken out of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct LineRule {
    /// A carriage return that no LF follows ends a line too: each redraw of a progress bar is a line of its own.
    pub split_bare_cr: bool,
    /// Terminal escape sequences are taken out of each line, as [`strip_escapes`](super::strip_escapes) does.
    pub strip_escapes: bool,
}

/// Above this the memory of a long line is given back once the line is gone, in bytes.
const ROOMY: usize = 4 << 20;

/// Decodes a stream of bytes and hands out its lines.
///
/// Bytes may be cut anywhere between two calls of [`feed`](LineReader::feed), within a character and within CRLF too; the
/// lines are the same. Each byte is looked at a fixed number of times, whatever the length of the lines.
///
/// ```
/// use pinfold::text::{Encoding, LineReader, LineRule};
/// let mut reader = LineReader::new(&Encoding::default(), LineRule::default());
/// reader.feed(b"one\r\ntwo\nPassword: ");
/// assert_eq!(reader.next_line(), Some("one"));
/// assert_eq!(reader.next_line(), Some("two"));
/// assert_eq!(reader.next_line(), None);
/// assert_eq!(reader.unfinished(), "Password: ");
/// reader.end();
/// assert_eq!(reader.next_line(), Some("Password: "));
/// assert!(reader.is_drained());
/// ```
pub struct LineReader {
    decoder: Decoder,
    rule: LineRule,
    text: String,
    /// Where the next line begins.
    start: usize,
    /// Where the last whole line ends. Found from the back as text comes in, so that a long line is not searched again
    /// with each chunk.
    complete: usize,
    /// All that was decoded so far ends in a carriage return that ended a line; an LF after it belongs to it.
    after_cr: bool,
    ended: bool,
    /// No escape sequence begins between `start` and here; looked for over many lines at once.
    plain: usize,
    /// The last line handed out, when escape sequences had to be taken out of it.
    stripped: String,
}

impl LineReader {
    /// A reader of a stream that has not begun. It allocates nothing before it is fed.
    pub fn new(encoding: &Encoding, rule: LineRule) -> LineReader {
        LineReader {
            decoder: Decoder::new(encoding),
            rule,
            text: String::new(),
            start: 0,
            complete: 0,
            after_cr: false,
            ended: false,
            plain: 0,
            stripped: String::new(),
        }
    }

    /// Takes in the next bytes of the stream. Bytes after [`end`](LineReader::end) are a mistake of the caller and are
    /// passed over.
    pub fn feed(&mut self, bytes: &[u8]) {
        debug_assert!(!self.ended, "a stream that has ended says no more");
        if self.ended {
            return;
        }
        self.compact();
        let old = self.text.len();
        self.decoder.feed(bytes, &mut self.text);
        self.find_breaks(old);
    }

    /// Marks the end of the stream: what is unfinished becomes the last line.
    pub fn end(&mut self) {
        if !self.ended {
            let old = self.text.len();
            self.decoder.end(&mut self.text);
            self.find_breaks(old);
            self.ended = true;
        }
    }

    /// Says that bytes are missing between what was fed and what will be: the line that they cut off ends here and no
    /// character is put together across the gap.
    pub fn gap(&mut self) {
        self.decoder.end(&mut self.text);
        if self.text.len() > self.start.max(self.complete) {
            self.text.push('\n');
            self.complete = self.text.len();
        }
        self.after_cr = false;
    }

    /// The next whole line without its break; after the end also the last, unfinished one. `None` while there is none.
    pub fn next_line(&mut self) -> Option<&str> {
        let from = self.start;
        let to = if from < self.complete {
            self.take_whole_line()
        } else if self.ended && from < self.text.len() {
            self.start = self.text.len();
            self.start
        } else {
            return None;
        };
        if self.rule.strip_escapes {
            if self.plain < to {
                let next = escapes::next_sequence(&self.text, self.plain.max(from));
                self.plain = next.unwrap_or(self.text.len());
            }
            if self.plain < to {
                self.stripped.clear();
                escapes::strip_from(&self.text[from..to], self.plain - from, &mut self.stripped);
                return Some(&self.stripped);
            }
        }
        Some(&self.text[from..to])
    }

    /// Whole lines in one piece, without the last one's break: as many as end within the next `most` bytes, for whoever can
    /// divide a text at every LF faster than line by line. `None` where there are none, and where more than that has to be
    /// done to them (carriage returns, escape sequences, a line of more bytes): [`next_line`](LineReader::next_line) does it.
    ///
    /// ```
    /// use pinfold::text::{Encoding, LineReader, LineRule};
    /// let mut reader = LineReader::new(&Encoding::default(), LineRule::default());
    /// reader.feed(b"one\n\nthree\nfo");
    /// assert_eq!(reader.next_lines(64), Some("one\n\nthree"));
    /// assert_eq!(reader.next_lines(64), None);
    /// ```
    pub fn next_lines(&mut self, most: usize) -> Option<&str> {
        if self.rule.split_bare_cr || self.rule.strip_escapes {
            return None;
        }
        let from = self.start;
        let whole = &self.text.as_bytes()[from..self.complete.max(from)];
        let near = &whole[..whole.len().min(most)];
        let len = memrchr(b'\n', near)?;
        if memchr(b'\r', &near[..len]).is_some() {
            return None;
        }
        self.start = from + len + 1;
        Some(&self.text[from..from + len])
    }

    /// Whether [`next_line`](LineReader::next_line) has a line.
    pub fn has_line(&self) -> bool {
        self.start < self.complete || (self.ended && self.start < self.text.len())
    }

    /// What stands after the last line break: a prompt, or a line that is still being written. Escape sequences are taken
    /// out of it if they are out of lines.
    pub fn unfinished(&self) -> Cow<'_, str> {
        let text = &self.text[self.start.max(self.complete)..];
        if self.rule.strip_escapes { escapes::strip_escapes(text) } else { Cow::Borrowed(text) }
    }

    /// The stream has ended and each of its lines was handed out.
    pub fn is_drained(&self) -> bool {
        self.ended && self.start == self.text.len()
    }

    /// Moves `start` behind the next line break and returns where the line before it ends.
    fn take_whole_line(&mut self) -> usize {
        let from = self.start;
        let whole = &self.text.as_bytes()[from..self.complete];
        if self.rule.split_bare_cr {
            let len = memchr2(b'\n', b'\r', whole).unwrap_or(whole.len());
            let crlf = whole[len..].starts_with(b"\r\n");
            self.start = from + len + 1 + usize::from(crlf);
            return from + len;
        }
        let len = find_lf(whole).unwrap_or(whole.len());
        self.start = from + len + 1;
        from + len - usize::from(whole[..len].ends_with(b"\r"))
    }

    /// Looks for the last line break in what was decoded since the text was `old` bytes long.
    fn find_breaks(&mut self, old: usize) {
        let fresh = &self.text.as_bytes()[old..];
        let Some(&last) = fresh.last() else { return };
        let found = if self.rule.split_bare_cr {
            // A carriage return that was not taken yet meets its LF here; behind one that was, the LF is skipped.
            if self.after_cr && fresh[0] == b'\n' && self.start == old {
                self.start += 1;
            }
            self.after_cr = last == b'\r';
            memrchr2(b'\n', b'\r', fresh)
        } else {
            memrchr(b'\n', fresh)
        };
        if let Some(at) = found {
            self.complete = old + at + 1;
        }
    }

    /// Drops the lines that were handed out, when they are at least half of the text: each byte is moved once at most
    /// for each one dropped.
    fn compact(&mut self) {
        let left = self.text.len() - self.start;
        if self.start < left {
            return;
        }
        self.text.drain(..self.start);
        self.complete = self.complete.saturating_sub(self.start);
        self.plain = self.plain.saturating_sub(self.start);
        self.start = 0;
        if self.text.capacity() > ROOMY && self.text.capacity() / 4 > left {
            self.text.shrink_to(left.max(ROOMY));
        }
        if self.stripped.capacity() > ROOMY {
            self.stripped = String::new();
        }
    }
}

/// Where the first LF is: `memchr` for lines most of which are short, since a call of that costs more than they do.
fn find_lf(bytes: &[u8]) -> Option<usize> {
    const ONES: u128 = u128::from_ne_bytes([1; 16]);
    let Some((near, far)) = bytes.split_first_chunk::<16>() else { return memchr(b'\n', bytes) };
    let unlike = u128::from_le_bytes(*near) ^ (ONES * u128::from(b'\n'));
    // The subtraction borrows from the high bit of the lowest zero byte, and of none below it.
    let zeros = unlike.wrapping_sub(ONES) & !unlike & (ONES << 7);
    if zeros != 0 {
        return Some(zeros.trailing_zeros() as usize / 8);
    }
    memchr(b'\n', far).map(|at| near.len() + at)
}

impl fmt::Debug for LineReader {
    // A program's output may hold secrets, so its text stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineReader")
            .field("rule", &self.rule)
            .field("buffered_bytes", &(self.text.len() - self.start))
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(split_bare_cr: bool, strip_escapes: bool) -> LineReader {
        LineReader::new(&Encoding::default(), LineRule { split_bare_cr, strip_escapes })
    }

    fn take(reader: &mut LineReader) -> Vec<String> {
        std::iter::from_fn(|| reader.next_line().map(str::to_owned)).collect()
    }

    fn lines(mut reader: LineReader, chunks: &[&str]) -> Vec<String> {
        let mut lines = Vec::new();
        for chunk in chunks {
            reader.feed(chunk.as_bytes());
            lines.extend(take(&mut reader));
        }
        reader.end();
        lines.extend(take(&mut reader));
        assert!(reader.is_drained());
        lines
    }

    #[test]
    fn a_line_ends_at_lf_and_at_crlf_and_at_the_end() {
        assert_eq!(lines(reader(false, false), &["a\nb\r\n\nc"]), ["a", "b", "", "c"]);
        assert_eq!(lines(reader(false, false), &["a\n"]), ["a"]);
        assert_eq!(lines(reader(false, false), &[""]), [""; 0]);
    }

    #[test]
    fn a_bare_carriage_return_stays_unless_it_is_asked_to_split() {
        let chunks = ["10%\r20%\r\r\n30%\r"];
        assert_eq!(lines(reader(false, false), &chunks), ["10%\r20%\r", "30%\r"]);
        assert_eq!(lines(reader(true, false), &chunks), ["10%", "20%", "", "30%"]);
    }

    #[test]
    fn crlf_over_two_chunks_is_one_break() {
        for split in [false, true] {
            assert_eq!(lines(reader(split, false), &["a\r", "\nb\r", "\n", "\nc"]), ["a", "b", "", "c"]);
        }
    }

    #[test]
    fn a_carriage_return_takes_one_lf_of_the_next_chunk_only() {
        let mut reader = reader(true, false);
        reader.feed(b"a\r");
        reader.feed(b"\n\nb\r");
        assert_eq!(take(&mut reader), ["a", "", "b"]);
        reader.feed(b"\n\nc\n");
        assert_eq!(take(&mut reader), ["", "c"]);
    }

    #[test]
    fn several_lines_at_once_are_those_that_come_singly() {
        let text = "one\n\ntwo\r\nthree\n\u{e9}\n0123456789\nend";
        let singly = lines(reader(false, false), &[text]);
        for most in 0..=text.len() {
            for rule in [(false, false), (true, false), (false, true)] {
                let mut reader = reader(rule.0, rule.1);
                let mut taken: Vec<String> = Vec::new();
                for chunk in [&text[..5], &text[5..]] {
                    reader.feed(chunk.as_bytes());
                    loop {
                        if let Some(several) = reader.next_lines(most) {
                            assert!(rule == (false, false) && several.len() < most);
                            taken.extend(several.split('\n').map(str::to_owned));
                        } else if let Some(line) = reader.next_line() {
                            taken.push(line.to_owned());
                        } else {
                            break;
                        }
                    }
                }
                reader.end();
                assert_eq!(reader.next_lines(most), None, "what no break ends comes singly");
                taken.extend(take(&mut reader));
                assert_eq!(taken, singly, "{rule:?}, {most} bytes");
            }
        }
    }

    #[test]
    fn a_progress_bar_shows_each_step_at_once() {
        let mut reader = reader(true, false);
        reader.feed(b"10%\r");
        assert_eq!(reader.next_line(), Some("10%"));
        reader.feed(b"\n20");
        assert_eq!(reader.next_line(), None);
        assert_eq!(reader.unfinished(), "20");
    }

    #[test]
    fn what_is_unfinished_is_seen_before_the_lines_in_front_are_taken() {
        let mut reader = reader(false, true);
        reader.feed(b"motd\n\x1b[1mlogin:\x1b[0m ");
        assert_eq!(reader.unfinished(), "login: ");
        assert_eq!(reader.next_line(), Some("motd"));
        assert_eq!(reader.unfinished(), "login: ");
        reader.end();
        assert_eq!(take(&mut reader), ["login: "]);
        assert_eq!(reader.unfinished(), "");
    }

    #[test]
    fn escape_sequences_are_taken_out_of_lines_when_asked() {
        let text = "\x1b[31mred\x1b[0m\nplain\n\x1b]0;title\n\x1b[K";
        assert_eq!(lines(reader(false, true), &[text]), ["red", "plain", "", ""]);
    }

    #[test]
    fn a_gap_joins_neither_lines_nor_characters() {
        let mut reader = reader(false, false);
        reader.gap();
        reader.feed(b"one\ncut of\xe2\x82");
        reader.gap();
        reader.feed(b"\xacrest\n");
        assert_eq!(take(&mut reader), ["one", "cut of\u{fffd}", "\u{fffd}rest"]);
    }

    #[test]
    fn memory_is_given_back_after_a_long_line() {
        let mut reader = reader(false, true);
        reader.feed(b"\x1b[m");
        let chunk = vec![b'x'; 1 << 20];
        for _ in 0..32 {
            reader.feed(&chunk);
            assert_eq!(reader.next_line(), None);
        }
        reader.feed(b"\n");
        assert_eq!(reader.next_line().map(str::len), Some(32 << 20));
        reader.feed(b"short\n");
        assert!(reader.text.capacity() + reader.stripped.capacity() <= 2 * ROOMY);
        assert_eq!(reader.next_line(), Some("short"));
    }

    #[test]
    fn the_first_lf_is_found_wherever_it_stands_and_nothing_else_is_taken_for_one() {
        // Neighbours in value and in bits, below and above each place.
        for near in [0x00, 0x09, 0x0b, 0x0d, 0x8a, 0xff] {
            for len in 0..40 {
                let mut bytes = vec![near; len];
                assert_eq!(find_lf(&bytes), None);
                for at in (0..len).rev() {
                    bytes[at] = b'\n';
                    assert_eq!(find_lf(&bytes), Some(at), "{near} {len}");
                }
            }
        }
    }

    #[test]
    fn its_debug_output_does_not_show_the_text() {
        let mut reader = reader(false, false);
        reader.feed(b"hunter2");
        assert!(!format!("{reader:?}").contains("hunter2"));
    }
}
