//! What is retained of a stream that a child writes, and how it is read again.
//!
//! A [`Capture`] owns the bytes of one stream: it takes them in, counts them, bounds them and shows them, during the run
//! and after it, to any number of readers. Offsets are absolute, from the first byte that the child wrote, so they mean
//! the same whatever was dropped since. It reads no descriptor, decodes nothing and decides nothing about the run: that a
//! limit is contradictory is the planner's to refuse, and that a run ends because its output [`Capture::overflowed`] is
//! the machine's to do.
//!
//! A [`Journal`] remembers in which order two streams came, for the output as a person would have seen it.

mod cut;
mod journal;
mod limit;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub(crate) use cut::Cut;
pub use journal::{Journal, Segment, combine};
pub(crate) use journal::{Place, shorten};
pub use limit::{Keep, Limit, Overflow};

use crate::text::LineCounter;
use pinfold_os::memory::Ahead;
use std::fmt;
use std::io;
use std::ops::Range;

/// The room made before the first read: most commands print little.
const FIRST_READ: usize = 8 << 10;
/// The room that a stream which fills what it is given ends up with for each read; a pipe holds no more.
const LARGEST_READ: usize = 1 << 20;
/// From this capacity on page faults are what taking in costs, and memory is given back when it is not needed.
const LARGE: usize = 4 << 20;

/// What is retained of one stream.
///
/// ```
/// use pinfold::capture::{Capture, Keep, Limit};
/// use pinfold::text::{Encoding, LineCounter, LineRule};
/// use std::io::Read;
///
/// let lines = LineCounter::new(&Encoding::default(), LineRule::default());
/// let mut capture = Capture::new(Limit::default(), Keep::default(), lines);
/// let mut pipe: &[u8] = b"one\ntwo";
/// while capture.take_in(|buffer| pipe.by_ref().take(4).read_to_end(buffer))? > 0 {}
/// capture.end();
/// assert_eq!(capture.retained(), b"one\ntwo");
/// assert_eq!((capture.bytes_seen(), capture.lines_seen()), (7, 2));
/// # std::io::Result::Ok(())
/// ```
pub struct Capture {
    limit: Limit,
    keep: Keep,
    bytes: Vec<u8>,
    /// Where the retained bytes begin in `bytes`; what is in front of it is dropped but not moved out yet.
    start: usize,
    /// The absolute offset of the first retained byte.
    base: u64,
    bytes_seen: u64,
    lines: LineCounter,
    /// The state of `lines` at `base`, kept up only under a limit of lines.
    front: LineCounter,
    /// The offset of each open cursor.
    cursors: Vec<Option<u64>>,
    /// The furthest offset that any cursor has reached.
    consumed: u64,
    /// The room wanted for the next read, in bytes.
    room: usize,
    /// The memory of `bytes`, once it is large.
    ahead: Ahead,
    /// Nothing more is retained, because the limit keeps the first of it.
    full: bool,
    truncated: bool,
    ended: bool,
}

/// A reader's place in a [`Capture`]: it protects what the reader has not consumed, until [`Capture::close_cursor`].
///
/// It belongs to the capture that opened it; one that is lost without being closed protects for ever.
#[derive(Debug)]
#[must_use = "a cursor that is lost protects all that comes after it for ever"]
pub struct Cursor {
    slot: usize,
}

impl Capture {
    /// A capture of a stream that has not begun; `lines` is a counter that has seen nothing. Allocates nothing yet.
    pub fn new(limit: Limit, keep: Keep, lines: LineCounter) -> Capture {
        Capture {
            limit,
            keep,
            bytes: Vec::new(),
            start: 0,
            base: 0,
            bytes_seen: 0,
            lines,
            front: lines,
            cursors: Vec::new(),
            consumed: 0,
            room: FIRST_READ,
            ahead: Ahead::default(),
            full: false,
            truncated: false,
            ended: false,
        }
    }

    /// Takes in what `read` appends to the buffer that it is given, and returns what it returns.
    ///
    /// The buffer has room: at least 2 KiB, and up to 1 MiB and more once the stream has filled what it was given. `read`
    /// should fill that room without making more, as one read(2) into the spare capacity does.
    ///
    /// # Errors
    /// Those of `read`, after whatever it appended before it failed was taken in, and [`io::ErrorKind::OutOfMemory`] when
    /// there is no memory for more; `read` was not called then, and what was captured before stays readable.
    ///
    /// # Panics
    /// When `read` removes bytes from the buffer.
    pub fn take_in(&mut self, read: impl FnOnce(&mut Vec<u8>) -> io::Result<usize>) -> io::Result<usize> {
        self.make_room()?;
        let old = self.bytes.len();
        let result = read(&mut self.bytes);
        assert!(self.bytes.len() >= old, "a read only appends");
        let took = self.bytes.len() - old;
        if took >= self.room {
            self.room = (2 * self.room).min(LARGEST_READ);
        }
        if took > 0 {
            self.admit(old);
            self.shed_consumed();
        }
        result
    }

    /// Marks the end of the stream: an unfinished last line counts from here on.
    pub fn end(&mut self) {
        self.lines.end();
        self.ended = true;
    }

    /// Whether the stream has ended.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// The bytes that are retained.
    pub fn retained(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// The absolute offsets of the bytes that are retained.
    pub fn retained_range(&self) -> Range<u64> {
        self.base..self.base + (self.bytes.len() - self.start) as u64
    }

    /// The retained bytes from an absolute offset on, and the offset at which they really begin: a later one when bytes
    /// were dropped there, an earlier one (with no bytes) when the stream has not come that far.
    pub fn retained_from(&self, offset: u64) -> (u64, &[u8]) {
        let Range { start, end } = self.retained_range();
        let offset = offset.clamp(start, end);
        let bytes = self.retained();
        let at = usize::try_from(offset - start).unwrap_or(bytes.len());
        (offset, &bytes[at..])
    }

    /// The retained bytes, in the memory that they were read into unless some were dropped in front of them.
    pub fn into_bytes(mut self) -> Vec<u8> {
        self.bytes.drain(..self.start);
        // Small outputs, which are what callers keep many of, give back most of the room made for their first read.
        if self.bytes.len() < self.bytes.capacity() / 2 {
            self.bytes.shrink_to_fit();
        }
        self.bytes
    }

    /// All bytes that the stream had, dropped ones included.
    pub fn bytes_seen(&self) -> u64 {
        self.bytes_seen
    }

    /// All lines that the stream had, dropped ones included; an unfinished one once the stream has ended.
    pub fn lines_seen(&self) -> u64 {
        self.lines.lines()
    }

    /// Whether anything was dropped, because of the limit or because it was consumed long ago.
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    /// Whether there was more than the limit allows and the limit makes that an error.
    pub fn overflowed(&self) -> bool {
        self.full && self.limit.on_overflow == Overflow::Error
    }

    /// Whether there was more than the limit allows, so that the last of it was not retained for anyone.
    pub(crate) fn is_full(&self) -> bool {
        self.full
    }

    /// Where something is missing of what is retained.
    pub(crate) fn cut(&self) -> Cut {
        Cut { front: self.base > 0, end: self.full }
    }

    /// Whether there was more than the limit allows, whatever it makes of that.
    pub(crate) fn is_over_limit(&self) -> bool {
        self.limit.max_bytes.is_some_and(|most| self.bytes_seen > most)
            || self.limit.max_lines.is_some_and(|most| self.lines.begun() > most)
    }

    /// The limit that this capture keeps to.
    pub fn limit(&self) -> Limit {
        self.limit
    }

    /// Changes how much of what was consumed stays retained from now on.
    pub fn set_keep(&mut self, keep: Keep) {
        self.keep = keep;
        self.shed_consumed();
    }

    /// Opens a cursor at the first retained byte.
    pub fn open_cursor(&mut self) -> Cursor {
        let slot = self.cursors.iter().position(Option::is_none).unwrap_or_else(|| {
            self.cursors.push(None);
            self.cursors.len() - 1
        });
        self.cursors[slot] = Some(self.base);
        Cursor { slot }
    }

    /// What the cursor has not consumed, and where it begins: behind the cursor's own offset when the limit dropped
    /// bytes before the cursor came to them.
    pub fn unread(&self, cursor: &Cursor) -> (u64, &[u8]) {
        self.retained_from(self.offset(cursor))
    }

    /// The absolute offset up to which the cursor has consumed.
    pub fn offset(&self, cursor: &Cursor) -> u64 {
        self.cursors.get(cursor.slot).copied().flatten().unwrap_or(self.base)
    }

    /// Moves the cursor on to an absolute offset; never back, and never past what has come.
    pub fn advance_cursor(&mut self, cursor: &Cursor, to: u64) {
        let end = self.retained_range().end;
        if let Some(Some(offset)) = self.cursors.get_mut(cursor.slot) {
            *offset = to.min(end).max(*offset);
            self.consumed = self.consumed.max(*offset);
            self.shed_consumed();
        }
    }

    /// Closes a cursor, which protects nothing any more. What no cursor has consumed stays retained.
    #[expect(clippy::needless_pass_by_value, reason = "a closed cursor must not be used again")]
    pub fn close_cursor(&mut self, cursor: Cursor) {
        if let Some(slot) = self.cursors.get_mut(cursor.slot) {
            *slot = None;
            self.shed_consumed();
        }
    }

    /// Shows what is retained to whoever puts it elsewhere, who says how many bytes of its front need not stay here: that
    /// truncates nothing. What an open cursor has still to consume is not shown.
    pub fn drain(&mut self, take: impl FnOnce(&[u8]) -> usize) {
        let Range { start, end } = self.retained_range();
        let slowest = self.cursors.iter().flatten().min().copied().unwrap_or(end);
        let free = (slowest.saturating_sub(start) as usize).min(self.retained().len());
        let taken = take(&self.retained()[..free]).min(free);
        let truncated = self.truncated;
        self.drop_before(start + taken as u64);
        self.truncated = truncated;
    }

    fn make_room(&mut self) -> io::Result<()> {
        // The last quarter of what is wanted is still worth a read: a small output and its end need no second allocation.
        if self.bytes.capacity() - self.bytes.len() < self.room / 4 {
            // Doubling asks for much that is not needed yet, so a refusal of it is no reason to give up.
            let more = self.bytes.try_reserve(self.room);
            more.or_else(|_| self.bytes.try_reserve_exact(self.room))
                .or_else(|_| self.bytes.try_reserve_exact(FIRST_READ))?;
        }
        if self.bytes.capacity() >= LARGE {
            self.ahead.prepare(&mut self.bytes, self.room);
        }
        Ok(())
    }

    /// Counts the bytes from index `old` on and keeps of them and of the others what the limit allows.
    fn admit(&mut self, old: usize) {
        let admitted = match self.limit.on_overflow {
            Overflow::DropOldest => self.bytes.len(),
            Overflow::DropNewest | Overflow::Error => self.allowed(old),
        };
        let fresh = &self.bytes[old..];
        self.bytes_seen += fresh.len() as u64;
        self.lines.feed(fresh);
        if admitted < self.bytes.len() {
            self.bytes.truncate(admitted);
            self.full = true;
            self.truncated = true;
        }
        if self.limit.on_overflow == Overflow::DropOldest {
            self.shed_oldest();
        }
    }

    /// Up to which index the first bytes of the stream are within the limit, given that they are up to `old`.
    fn allowed(&self, old: usize) -> usize {
        let fresh = &self.bytes[old..];
        let mut allowed = if self.full { 0 } else { fresh.len() };
        if let Some(most) = self.limit.max_bytes {
            let left = most.saturating_sub(self.bytes_seen);
            allowed = allowed.min(usize::try_from(left).unwrap_or(usize::MAX));
        }
        if let Some(most) = self.limit.max_lines {
            let mut lines = self.lines;
            allowed = lines.skip_breaks(&fresh[..allowed], most.saturating_sub(lines.breaks()));
        }
        let cut = old + allowed;
        if allowed == fresh.len() {
            return cut;
        }
        // Half of a two-byte unit is no character.
        let odd = (self.base + (cut - self.start) as u64) % self.lines.unit();
        cut - usize::from(odd > 0 && cut > self.start)
    }

    /// Drops from the front what the limit does not allow, in whole units.
    fn shed_oldest(&mut self) {
        let Range { start, end } = self.retained_range();
        let unit = self.lines.unit();
        if let Some(most) = self.limit.max_bytes {
            self.drop_before(end.saturating_sub(most).max(start).next_multiple_of(unit));
        }
        if let Some(most) = self.limit.max_lines {
            let retained = self.retained();
            let whole = retained.len().saturating_sub((end % unit) as usize);
            let lines = self.lines.begun() - self.front.breaks();
            let mut front = self.front;
            let len = front.skip_breaks(&retained[..whole], lines.saturating_sub(most));
            self.front = front;
            self.forget(len);
        }
    }

    /// Drops from the front what every open cursor has consumed, or when none is open any of those that were, save for
    /// what is to be kept of it.
    fn shed_consumed(&mut self) {
        let slowest = self.cursors.iter().flatten().min();
        let consumed = slowest.copied().unwrap_or(self.consumed);
        let needless = consumed.saturating_sub(self.keep.0);
        self.drop_before(needless - needless % self.lines.unit());
    }

    /// Drops what is in front of an absolute offset.
    fn drop_before(&mut self, offset: u64) {
        let retained = &self.bytes[self.start..];
        let len = offset.saturating_sub(self.base).min(retained.len() as u64) as usize;
        if self.limit.max_lines.is_some() {
            self.front.feed(&retained[..len]);
        }
        self.forget(len);
    }

    /// Drops `len` bytes from the front, and moves the others there once they are fewer than those dropped: each byte is
    /// moved once at most for each one dropped.
    fn forget(&mut self, len: usize) {
        if len == 0 {
            return;
        }
        self.start += len;
        self.base += len as u64;
        self.truncated = true;
        let left = self.bytes.len() - self.start;
        if self.start < left {
            return;
        }
        self.bytes.drain(..self.start);
        self.start = 0;
        let wanted = (left + self.room).max(LARGE);
        if self.bytes.capacity() / 4 > wanted {
            self.bytes.shrink_to(2 * wanted);
            self.ahead.shrunk_to(self.bytes.capacity());
        }
    }
}

impl fmt::Debug for Capture {
    // A program's output may hold secrets, so its bytes stay out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture")
            .field("limit", &self.limit)
            .field("retained", &self.retained_range())
            .field("bytes_seen", &self.bytes_seen)
            .field("lines_seen", &self.lines_seen())
            .field("truncated", &self.truncated)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}
