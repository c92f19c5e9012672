//! What must hold of a capture whatever is written, read and dropped in which order: checked against a plain model.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::text::{Encoding, LineReader, LineRule};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Say(Vec<u8>),
    Open,
    Advance { nth: usize, by: u64 },
    Close { nth: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let pieces = ["a", "b", "\n", "\n", "\r", "\r\n", "\0", "a\0", "\n\0", "\r\0", "\r\0\n\0"];
    let bytes = prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..8)
        .prop_map(|pieces| pieces.concat().into_bytes());
    prop_oneof![
        4 => bytes.prop_map(Step::Say),
        1 => Just(Step::Open),
        2 => (0_usize..3, 0_u64..20).prop_map(|(nth, by)| Step::Advance { nth, by }),
        1 => (0_usize..3).prop_map(|nth| Step::Close { nth }),
    ]
}

fn limits() -> impl Strategy<Value = Limit> {
    let overflow = prop::sample::select(&[Overflow::DropOldest, Overflow::DropNewest, Overflow::Error][..]);
    (prop::option::of(0_u64..20), prop::option::of(0_u64..6), overflow)
        .prop_map(|(max_bytes, max_lines, on_overflow)| Limit { max_bytes, max_lines, on_overflow })
}

/// How many lines a reader makes of the bytes.
fn lines_in(bytes: &[u8], encoding: &Encoding, rule: LineRule) -> u64 {
    let mut reader = LineReader::new(encoding, rule);
    reader.feed(bytes);
    reader.end();
    let mut lines = 0;
    while reader.next_line().is_some() {
        lines += 1;
    }
    lines
}

fn say(capture: &mut Capture, bytes: &[u8]) {
    capture.take_in(|buffer| io::Write::write(buffer, bytes)).unwrap();
}

proptest! {
    #[test]
    fn what_is_retained_is_within_the_limit_and_what_was_said(
        steps in prop::collection::vec(step(), 0..40),
        limit in limits(),
        keep in prop_oneof![0_u64..10, Just(1_000)],
        split_bare_cr in any::<bool>(),
        wide in any::<bool>(),
    ) {
        let encoding = if wide { Encoding::named("utf-16le").unwrap() } else { Encoding::default() };
        let rule = LineRule { split_bare_cr, strip_escapes: false };
        let mut capture = Capture::new(limit, Keep(keep), LineCounter::new(&encoding, rule));
        let mut said: Vec<u8> = Vec::new();
        let mut cursors: Vec<Cursor> = Vec::new();
        let mut consumed = 0;
        let mut needless = 0;
        for step in steps {
            let before = capture.retained_range();
            match step {
                Step::Say(bytes) => {
                    say(&mut capture, &bytes);
                    said.extend_from_slice(&bytes);
                }
                Step::Open => {
                    let cursor = capture.open_cursor();
                    prop_assert_eq!(capture.unread(&cursor), (before.start, capture.retained()));
                    cursors.push(cursor);
                }
                Step::Advance { nth, by } => if let Some(cursor) = cursors.get(nth) {
                    capture.advance_cursor(cursor, capture.offset(cursor) + by);
                    consumed = consumed.max(capture.offset(cursor));
                },
                Step::Close { nth } => if nth < cursors.len() {
                    capture.close_cursor(cursors.remove(nth));
                },
            }

            let Range { start, end } = capture.retained_range();
            prop_assert!(start >= before.start && (end >= before.end || wide));
            prop_assert_eq!(capture.retained(), &said[usize::try_from(start).unwrap()..usize::try_from(end).unwrap()]);
            prop_assert_eq!(capture.bytes_seen(), said.len() as u64);
            prop_assert_eq!(capture.truncated(), start > 0 || end < said.len() as u64);
            prop_assert!(limit.max_bytes.is_none_or(|most| end - start <= most));
            // A reader takes what is left of a CRLF or a unit for a line of its own.
            let torn = wide || start > 0 && said[usize::try_from(start).unwrap() - 1..].starts_with(b"\r\n");
            let lines = lines_in(capture.retained(), &encoding, rule);
            prop_assert!(limit.max_lines.is_none_or(|most| lines <= most + u64::from(torn)), "{} {:?}", lines, capture);
            prop_assert_eq!(capture.overflowed(), limit.on_overflow == Overflow::Error && end < said.len() as u64);

            let slowest = cursors.iter().map(|cursor| capture.offset(cursor)).min();
            needless = needless.max(slowest.unwrap_or(consumed).saturating_sub(keep));
            if limit.on_overflow != Overflow::DropOldest || (limit.max_bytes, limit.max_lines) == (None, None) {
                prop_assert_eq!(start, needless - needless % if wide { 2 } else { 1 });
            }
        }
        let seen = capture.retained().to_vec();
        capture.end();
        prop_assert_eq!(capture.lines_seen(), lines_in(&said, &encoding, rule));
        prop_assert_eq!(capture.into_bytes(), seen);
    }

    #[test]
    fn without_cursors_exactly_what_the_limit_allows_is_retained(
        chunks in prop::collection::vec(prop::collection::vec(prop::sample::select(&b"abc\n\n"[..]), 0..12), 0..12),
        limit in limits(),
    ) {
        let (encoding, rule) = (Encoding::default(), LineRule::default());
        let mut capture = Capture::new(limit, Keep(0), LineCounter::new(&encoding, rule));
        for chunk in &chunks {
            say(&mut capture, chunk);
        }
        let said = chunks.concat();
        let breaks = said.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
        let mut edges: Vec<usize> = std::iter::once(0).chain(breaks).chain([said.len()]).collect();
        edges.dedup();
        let lines = edges.len() - 1;
        let most_bytes = limit.max_bytes.map_or(said.len(), |most| usize::try_from(most).unwrap().min(said.len()));
        let most_lines = limit.max_lines.map_or(lines, |most| usize::try_from(most).unwrap().min(lines));
        let expected = if limit.on_overflow == Overflow::DropOldest {
            &said[edges[lines - most_lines].max(said.len() - most_bytes)..]
        } else {
            &said[..edges[most_lines].min(most_bytes)]
        };
        prop_assert_eq!(capture.retained(), expected);
    }

    #[test]
    fn combined_output_is_what_was_said_without_what_was_dropped(
        says in prop::collection::vec((any::<bool>(), 1_usize..6), 0..40),
        limits in (limits(), limits()),
    ) {
        let lines = LineCounter::new(&Encoding::default(), LineRule::default());
        let mut streams = [Capture::new(limits.0, Keep(0), lines), Capture::new(limits.1, Keep(0), lines)];
        let mut journal = Journal::new();
        let mut said = Vec::new();
        let mut offsets = [0_u64; 2];
        for (nth, (stderr, len)) in says.into_iter().enumerate() {
            let stream = usize::from(stderr);
            // Each byte tells where it was said, as far as a byte can; some end a line.
            let bytes: Vec<u8> = (0..len).map(|at| if at == 3 { b'\n' } else { b'0' + (nth % 40) as u8 }).collect();
            say(&mut streams[stream], &bytes);
            journal.note(&streams[0], &streams[1]);
            for byte in bytes {
                said.push((stream, offsets[stream], byte));
                offsets[stream] += 1;
            }
        }
        let ranges = [streams[0].retained_range(), streams[1].retained_range()];
        let expected: Vec<u8> = said
            .into_iter()
            .filter(|(stream, offset, _)| ranges[*stream].contains(offset))
            .map(|(_, _, byte)| byte)
            .collect();
        let segments = journal.segments(&streams[0], &streams[1]);
        prop_assert_eq!(combine(&segments, streams[0].retained(), streams[1].retained()), expected);
    }
}
