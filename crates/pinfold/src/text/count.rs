//! Counting lines in bytes, without decoding them, by the same rule as they are split.

use super::encoding::{ByteOrder, Encoding};
use super::lines::LineRule;
use memchr::memchr_iter;

const LF: u8 = b'\n';
const CR: u8 = b'\r';

/// Counts the lines of a stream, at the speed of memory where a character is a byte.
///
/// It counts as many as a [`LineReader`](super::LineReader) of the same encoding and rule hands out. (Bytes that stand for
/// no character at all, as the shifts of ISO-2022-JP, make an unfinished line for the counter and none for the reader.)
///
/// ```
/// use pinfold::text::{Encoding, LineCounter, LineRule};
/// let mut counter = LineCounter::new(&Encoding::default(), LineRule::default());
/// counter.feed(b"one\ntwo\nthr");
/// assert_eq!(counter.lines(), 2);
/// counter.end();
/// assert_eq!(counter.lines(), 3);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct LineCounter {
    wide: Option<ByteOrder>,
    split_bare_cr: bool,
    breaks: u64,
    /// Bytes came after the last break.
    unfinished: bool,
    /// The last break was a carriage return, and an LF that follows at once belongs to it.
    after_cr: bool,
    /// The first byte of a two-byte unit.
    held: Option<u8>,
    ended: bool,
}

impl LineCounter {
    /// A counter that has seen nothing.
    pub fn new(encoding: &Encoding, rule: LineRule) -> LineCounter {
        LineCounter {
            wide: encoding.byte_order(),
            split_bare_cr: rule.split_bare_cr,
            breaks: 0,
            unfinished: false,
            after_cr: false,
            held: None,
            ended: false,
        }
    }

    /// Takes in the next bytes of the stream.
    pub fn feed(&mut self, bytes: &[u8]) {
        let Some(&last) = bytes.last() else { return };
        match self.wide {
            Some(order) => self.feed_wide(order, bytes),
            None if self.split_bare_cr => {
                let bare = memchr_iter(CR, bytes).filter(|at| bytes.get(at + 1) != Some(&LF)).count();
                let paired = self.after_cr && bytes[0] == LF;
                self.breaks += (memchr_iter(LF, bytes).count() + bare - usize::from(paired)) as u64;
                self.after_cr = last == CR;
                self.unfinished = last != LF && last != CR;
            }
            None => {
                self.breaks += memchr_iter(LF, bytes).count() as u64;
                self.unfinished = last != LF;
            }
        }
    }

    /// Marks the end of the stream: from here on an unfinished last line counts.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// The lines seen so far: the finished ones, and after the end the unfinished one too.
    pub fn lines(&self) -> u64 {
        self.breaks + u64::from(self.ended && self.unfinished)
    }

    /// The line breaks seen so far.
    pub(crate) fn breaks(&self) -> u64 {
        self.breaks
    }

    /// The lines begun so far, whether finished or not.
    pub(crate) fn begun(&self) -> u64 {
        self.breaks + u64::from(self.unfinished)
    }

    /// The bytes of the smallest unit that may not be cut.
    pub(crate) fn unit(&self) -> u64 {
        if self.wide.is_some() { 2 } else { 1 }
    }

    /// Takes in bytes up to the end of the `n`th break in them, or all when there are fewer. Returns how many it took.
    ///
    /// The cost goes with what it returns, not with all that was offered, and no break is visited by itself.
    pub(crate) fn skip_breaks(&mut self, bytes: &[u8], n: u64) -> usize {
        let goal = self.breaks + n;
        let mut at = 0;
        if n > 0 {
            // Growing blocks up to the one that holds the break, then halves of it down to the byte.
            let mut block = 256;
            let mut window = loop {
                let step = block.min(bytes.len() - at);
                let behind = self.after(&bytes[at..at + step]);
                if behind.breaks >= goal {
                    break step;
                }
                *self = behind;
                at += step;
                if at == bytes.len() {
                    return at;
                }
                block *= 2;
            };
            while window > 1 {
                let half = window / 2;
                let behind = self.after(&bytes[at..at + half]);
                if behind.breaks >= goal {
                    window = half;
                } else {
                    *self = behind;
                    at += half;
                    window -= half;
                }
            }
            self.feed(&bytes[at..=at]);
            at += 1;
        }
        let rest = self.rest_of_break(&bytes[at..]);
        self.feed(&bytes[at..at + rest]);
        at + rest
    }

    fn after(mut self, bytes: &[u8]) -> LineCounter {
        self.feed(bytes);
        self
    }

    /// How many bytes at the front of what follows belong to the break that was seen last.
    fn rest_of_break(&self, next: &[u8]) -> usize {
        if !self.after_cr {
            return 0;
        }
        match (self.wide, self.held, next) {
            (None, _, [LF, ..]) => 1,
            (Some(order), Some(first), &[second, ..]) if order.unit([first, second]) == u16::from(LF) => 1,
            (Some(order), None, &[first, second, ..]) if order.unit([first, second]) == u16::from(LF) => 2,
            // Half of an LF, as far as can be told.
            (Some(ByteOrder::Little), None, [LF]) | (Some(ByteOrder::Big), None, [0]) => 1,
            _ => 0,
        }
    }

    fn feed_wide(&mut self, order: ByteOrder, mut bytes: &[u8]) {
        if let Some(first) = self.held
            && let Some((&second, rest)) = bytes.split_first()
        {
            self.held = None;
            bytes = rest;
            self.see(order.unit([first, second]));
        }
        let (pairs, odd) = bytes.as_chunks::<2>();
        for &pair in pairs {
            self.see(order.unit(pair));
        }
        if let [first] = *odd {
            self.held = Some(first);
            self.unfinished = true;
        }
    }

    fn see(&mut self, unit: u16) {
        let lf = unit == u16::from(LF);
        let cr = self.split_bare_cr && unit == u16::from(CR);
        self.breaks += u64::from(cr || lf && !self.after_cr);
        self.after_cr = cr;
        self.unfinished = !(lf || cr);
    }
}
