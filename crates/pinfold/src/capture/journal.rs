//! The order in which two streams came, and the output put together by it.

use super::Capture;
use crate::settings::Stream;
use std::collections::VecDeque;

/// In which order the bytes of stdout and stderr came, as far as they are retained.
///
/// What came of one stream before the other had its turn is one entry of eight bytes. An entry goes once all that it tells
/// of, and all that came before, is dropped; so there are never more than two for each piece that the captures retain.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    /// How many bytes came in each turn; the streams take turns.
    turns: VecDeque<u64>,
    /// The stream of the first of them: 0 for stdout, 1 for stderr.
    first: usize,
    /// The absolute offsets, of stdout and of stderr, at which the turns begin.
    from: [u64; 2],
    /// The absolute offsets, of stdout and of stderr, at which they end.
    upto: [u64; 2],
    /// How many turns came before these.
    gone: u64,
}

/// A place between two turns, for who reads both streams in their order; the default is the beginning.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    /// The number of turns before it.
    turn: u64,
    /// The absolute offsets, of stdout and of stderr, there.
    from: [u64; 2],
}

/// What came of one stream before the other had its turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    pub(crate) stream: Stream,
    /// The absolute offset at which it ends, so far.
    pub(crate) upto: u64,
    /// The place behind it; `None` while it is the last, which may still grow.
    pub(crate) behind: Option<Place>,
}

impl Journal {
    /// A journal of two streams that have not begun.
    pub fn new() -> Journal {
        Journal::default()
    }

    /// Notes what the captures took in since the last call.
    ///
    /// Call it after each [`Capture::take_in`] of either: if both took in since, it counts stdout as the earlier.
    pub fn note(&mut self, stdout: &Capture, stderr: &Capture) {
        let captures = [stdout, stderr];
        for (stream, capture) in captures.into_iter().enumerate() {
            let len = capture.retained_range().end.saturating_sub(self.upto[stream]);
            if len == 0 {
                continue;
            }
            self.upto[stream] += len;
            if self.turns.is_empty() {
                self.first = stream;
            }
            let next = (self.first + self.turns.len()) % 2;
            match self.turns.back_mut() {
                Some(last) if next != stream => *last += len,
                _ => self.turns.push_back(len),
            }
        }
        while let Some(&len) = self.turns.front() {
            let behind = self.from[self.first] + len;
            if behind > captures[self.first].retained_range().start {
                break;
            }
            self.from[self.first] = behind;
            self.first = 1 - self.first;
            self.turns.pop_front();
            self.gone += 1;
        }
    }

    /// The turn behind a place, or the first that is not dropped yet.
    pub(crate) fn turn(&self, place: Place) -> Option<Turn> {
        let Place { turn, mut from } =
            if place.turn < self.gone { Place { turn: self.gone, from: self.from } } else { place };
        let at = usize::try_from(turn - self.gone).ok()?;
        let len = self.turns.get(at)?;
        let stream = (self.first + at) % 2;
        from[stream] += len;
        let behind = (at + 1 < self.turns.len()).then_some(Place { turn: turn + 1, from });
        Some(Turn { stream: Stream::BOTH[stream], upto: from[stream], behind })
    }
}

/// Some bytes of one stream, all of which came before those of the segment after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Segment {
    /// Which stream.
    pub stream: Stream,
    /// How many of its bytes, following those of its segment before.
    pub len: usize,
}

impl Journal {
    /// The order of what two captures retain.
    ///
    /// Nothing that is retained is left out: what was never noted comes last, that of stdout first.
    pub fn segments(&self, stdout: &Capture, stderr: &Capture) -> Vec<Segment> {
        let captures = [stdout, stderr];
        let mut segments: Vec<Segment> = Vec::with_capacity(self.turns.len() + 2);
        let mut offsets = self.from;
        let mut turn = self.first;
        let mut add = |stream: usize, len: usize| {
            let stream = Stream::BOTH[stream];
            match segments.last_mut() {
                _ if len == 0 => {}
                Some(last) if last.stream == stream => last.len += len,
                _ => segments.push(Segment { stream, len }),
            }
        };
        for len in &self.turns {
            let end = offsets[turn] + len;
            let (begins, retained) = captures[turn].retained_from(offsets[turn]);
            // Of the turn, what was dropped in front of it is missing and so is what was dropped at its end.
            let len = usize::try_from(end.saturating_sub(begins)).unwrap_or(usize::MAX);
            add(turn, len.min(retained.len()));
            offsets[turn] = end;
            turn = 1 - turn;
        }
        for (stream, capture) in captures.into_iter().enumerate() {
            add(stream, capture.retained_from(offsets[stream]).1.len());
        }
        segments
    }
}

/// Two streams in the order in which they came: the parts that [`Journal::segments`] names, of what the captures
/// retained.
///
/// ```
/// use pinfold::capture::{Capture, Journal, Keep, Limit, combine};
/// use pinfold::text::{Encoding, LineCounter, LineRule};
///
/// let lines = LineCounter::new(&Encoding::default(), LineRule::default());
/// let capture = || Capture::new(Limit::default(), Keep::default(), lines);
/// let (mut stdout, mut stderr, mut journal) = (capture(), capture(), Journal::new());
/// for (to_stderr, bytes) in [(false, "building\n"), (true, "warning: old\n"), (false, "built\n")] {
///     let stream = if to_stderr { &mut stderr } else { &mut stdout };
///     stream.take_in(|buffer| std::io::Write::write(buffer, bytes.as_bytes()))?;
///     journal.note(&stdout, &stderr);
/// }
/// let segments = journal.segments(&stdout, &stderr);
/// let combined = combine(&segments, stdout.retained(), stderr.retained());
/// assert_eq!(combined, b"building\nwarning: old\nbuilt\n");
/// # std::io::Result::Ok(())
/// ```
pub fn combine(segments: &[Segment], stdout: &[u8], stderr: &[u8]) -> Vec<u8> {
    let mut rest = [stdout, stderr];
    let mut bytes = Vec::with_capacity(stdout.len() + stderr.len());
    for segment in segments {
        let rest = &mut rest[segment.stream as usize];
        let (part, behind) = rest.split_at(segment.len.min(rest.len()));
        bytes.extend_from_slice(part);
        *rest = behind;
    }
    bytes
}

/// Takes bytes of one stream from its first segments and from its last.
pub(crate) fn shorten(segments: &mut [Segment], stream: Stream, front: usize, end: usize) {
    fn take<'a>(segments: impl Iterator<Item = &'a mut Segment>, mut bytes: usize) {
        for segment in segments {
            let less = bytes.min(segment.len);
            segment.len -= less;
            bytes -= less;
        }
    }
    take(segments.iter_mut().filter(|segment| segment.stream == stream), front);
    take(segments.iter_mut().rev().filter(|segment| segment.stream == stream), end);
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::super::{Keep, Limit, Overflow};
    use super::*;
    use crate::text::{Encoding, LineCounter, LineRule};

    struct Two {
        streams: [Capture; 2],
        journal: Journal,
    }

    impl Two {
        fn new(limits: [Limit; 2]) -> Two {
            let lines = LineCounter::new(&Encoding::default(), LineRule::default());
            Two { streams: limits.map(|limit| Capture::new(limit, Keep(0), lines)), journal: Journal::new() }
        }

        fn say(&mut self, stream: usize, bytes: &str) {
            self.streams[stream].take_in(|buffer| std::io::Write::write(buffer, bytes.as_bytes())).unwrap();
            self.journal.note(&self.streams[0], &self.streams[1]);
        }

        fn combined(&self) -> String {
            let [stdout, stderr] = &self.streams;
            let segments = self.journal.segments(stdout, stderr);
            String::from_utf8(combine(&segments, stdout.retained(), stderr.retained())).unwrap()
        }
    }

    fn at_most(max_bytes: u64, on_overflow: Overflow) -> Limit {
        Limit { max_bytes: Some(max_bytes), max_lines: None, on_overflow }
    }

    #[test]
    fn streams_come_in_the_order_in_which_they_came() {
        let mut two = Two::new([Limit::default(); 2]);
        for (stream, bytes) in [(1, "a"), (1, "b"), (0, "c"), (1, "d"), (0, "e"), (0, "f")] {
            two.say(stream, bytes);
        }
        assert_eq!(two.combined(), "abcdef");
        assert_eq!(two.journal.turns, [2, 1, 1, 2]);
    }

    #[test]
    fn what_was_dropped_in_front_or_at_the_end_is_left_out() {
        let mut two = Two::new([at_most(3, Overflow::DropOldest), at_most(3, Overflow::DropNewest)]);
        for (stream, bytes) in [(0, "abc"), (1, "AB"), (0, "de"), (1, "CDE"), (0, "f"), (1, "F")] {
            two.say(stream, bytes);
        }
        assert_eq!(two.combined(), "ABdeCf");
    }

    #[test]
    fn a_long_journal_of_dropped_output_is_short() {
        let mut two = Two::new([at_most(4, Overflow::DropOldest); 2]);
        for _ in 0..10_000 {
            two.say(0, "o");
            two.say(1, "e");
        }
        assert_eq!(two.combined(), "oeoeoeoe");
        assert_eq!(two.journal.turns.len(), 8);
    }

    #[test]
    fn a_stream_that_is_only_counted_makes_no_entries() {
        let mut two = Two::new([at_most(4, Overflow::DropOldest), at_most(2, Overflow::DropNewest)]);
        for _ in 0..10_000 {
            two.say(0, "o");
            two.say(1, "e");
        }
        assert_eq!(two.combined(), "eeoooo");
        assert!(two.journal.turns.len() <= 4);
    }

    #[test]
    fn turns_are_walked_from_where_one_was_while_they_come_and_go() {
        let mut two = Two::new([at_most(3, Overflow::DropOldest); 2]);
        let mut place = Place::default();
        let mut walk = |two: &Two| {
            let mut seen = Vec::new();
            while let Some(turn) = two.journal.turn(place) {
                seen.push((turn.stream as usize, turn.upto));
                let Some(behind) = turn.behind else { break };
                place = behind;
            }
            seen
        };
        assert_eq!(walk(&two), []);
        two.say(1, "A");
        two.say(0, "ab");
        assert_eq!(walk(&two), [(1, 1), (0, 2)]);
        // The last one has grown, and is seen again.
        two.say(0, "c");
        two.say(1, "B");
        assert_eq!(walk(&two), [(0, 3), (1, 2)]);
        // What is dropped meanwhile is passed over.
        two.say(0, "def");
        two.say(1, "CDE");
        two.say(0, "g");
        two.say(1, "F");
        assert_eq!(walk(&two), [(0, 6), (1, 5), (0, 7), (1, 6)]);
        for _ in 0..100 {
            two.say(0, "x");
            two.say(1, "X");
        }
        assert_eq!(walk(&two), [(0, 105), (1, 104), (0, 106), (1, 105), (0, 107), (1, 106)]);
    }

    #[test]
    fn output_that_was_never_noted_comes_last() {
        let mut two = Two::new([Limit::default(); 2]);
        two.say(1, "e");
        two.streams[0].take_in(|buffer| std::io::Write::write(buffer, b"o")).unwrap();
        assert_eq!(two.combined(), "eo");
    }

    #[test]
    fn what_is_taken_from_one_stream_leaves_the_other_as_it_is() {
        let segment = |stream, len| Segment { stream, len };
        let (one, two) = (Stream::Stdout, Stream::Stderr);
        let mut segments =
            [segment(one, 1), segment(two, 5), segment(one, 4), segment(two, 5), segment(one, 2)];
        shorten(&mut segments, one, 2, 3);
        assert_eq!(segments.map(|segment| segment.len), [0, 5, 2, 5, 0]);
    }
}
