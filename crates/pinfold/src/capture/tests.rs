//! A capture by examples; the laws are in `properties.rs`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::text::{Encoding, LineRule};

fn capture(limit: Limit, keep: Keep) -> Capture {
    let lines = LineCounter::new(&Encoding::default(), LineRule::default());
    Capture::new(limit, keep, lines)
}

fn say(capture: &mut Capture, bytes: &[u8]) {
    let took = capture.take_in(|buffer| {
        buffer.extend_from_slice(bytes);
        Ok(bytes.len())
    });
    assert_eq!(took.unwrap(), bytes.len());
}

fn limit(max_bytes: Option<u64>, max_lines: Option<u64>, on_overflow: Overflow) -> Limit {
    Limit { max_bytes, max_lines, on_overflow }
}

#[test]
fn without_limit_and_cursor_all_is_kept_and_given_away_where_it_lies() {
    let mut all = capture(Limit::default(), Keep(0));
    say(&mut all, &[b'x'; 6000]);
    all.end();
    let place = all.retained().as_ptr();
    assert!(!all.truncated() && !all.overflowed());
    let bytes = all.into_bytes();
    assert_eq!((bytes.as_ptr(), bytes.len()), (place, 6000));
}

#[test]
fn the_oldest_bytes_go_first() {
    let mut last = capture(limit(Some(4), None, Overflow::DropOldest), Keep::default());
    say(&mut last, b"abc");
    assert!(!last.truncated());
    say(&mut last, b"def");
    assert_eq!((last.retained(), last.retained_range()), (&b"cdef"[..], 2..6));
    assert_eq!(last.retained_from(0), (2, &b"cdef"[..]));
    assert_eq!(last.retained_from(5), (5, &b"f"[..]));
    assert_eq!(last.retained_from(9), (6, &b""[..]));
    assert!(last.truncated() && !last.overflowed());
    assert_eq!(last.into_bytes(), b"cdef");
}

#[test]
fn the_oldest_lines_go_first_and_a_begun_line_is_one() {
    let mut last = capture(limit(None, Some(2), Overflow::DropOldest), Keep::default());
    say(&mut last, b"a\nb\n");
    assert_eq!(last.retained(), b"a\nb\n");
    say(&mut last, b"c");
    assert_eq!(last.retained(), b"b\nc");
    say(&mut last, b"c\n\n\n");
    assert_eq!(last.retained(), b"\n\n");
    assert_eq!(last.lines_seen(), 5);
}

#[test]
fn the_first_bytes_and_lines_stay_when_the_newest_are_dropped() {
    for on_overflow in [Overflow::DropNewest, Overflow::Error] {
        let mut first = capture(limit(Some(5), Some(2), on_overflow), Keep::default());
        say(&mut first, b"a\nb\n");
        assert!(!first.truncated() && !first.overflowed());
        say(&mut first, b"c\nd");
        first.end();
        assert_eq!(first.retained(), b"a\nb\n");
        assert!(first.truncated());
        assert_eq!(first.overflowed(), on_overflow == Overflow::Error);
        assert_eq!((first.bytes_seen(), first.lines_seen()), (7, 4));
    }
}

#[test]
fn a_limit_of_nothing_keeps_nothing() {
    for on_overflow in [Overflow::DropOldest, Overflow::DropNewest, Overflow::Error] {
        for none in [limit(Some(0), None, on_overflow), limit(None, Some(0), on_overflow)] {
            let mut nothing = capture(none, Keep::default());
            assert!(!nothing.truncated());
            say(&mut nothing, b"a\nb");
            assert_eq!(nothing.retained(), b"");
            assert_eq!(nothing.bytes_seen(), 3);
            assert!(nothing.truncated());
            assert_eq!(nothing.overflowed(), on_overflow == Overflow::Error);
        }
    }
}

#[test]
fn what_is_put_elsewhere_is_no_truncation_and_leaves_cursors_what_is_theirs() {
    let mut stream = capture(Limit::default(), Keep(u64::MAX));
    say(&mut stream, b"abcdef");
    let mut seen = Vec::new();
    stream.drain(|bytes| {
        seen.extend_from_slice(bytes);
        2
    });
    assert_eq!((seen.as_slice(), stream.retained()), (&b"abcdef"[..], &b"cdef"[..]));
    let cursor = stream.open_cursor();
    stream.advance_cursor(&cursor, 4);
    stream.drain(|bytes| {
        assert_eq!(bytes, b"cd", "the rest is the cursor's");
        usize::MAX
    });
    assert_eq!(stream.unread(&cursor), (4, &b"ef"[..]));
    assert!(!stream.truncated());
    assert_eq!((stream.bytes_seen(), stream.into_bytes()), (6, b"ef".to_vec()));
}

#[test]
fn the_slowest_cursor_protects_what_it_has_not_consumed() {
    let mut stream = capture(Limit::default(), Keep(2));
    say(&mut stream, b"abcd");
    let (fast, slow) = (stream.open_cursor(), stream.open_cursor());
    stream.advance_cursor(&fast, 4);
    assert_eq!(stream.retained(), b"abcd");
    stream.advance_cursor(&slow, 3);
    assert_eq!(stream.retained(), b"bcd");
    assert!(stream.truncated());
    say(&mut stream, b"ef");
    assert_eq!(stream.unread(&fast), (4, &b"ef"[..]));
    assert_eq!(stream.unread(&slow), (3, &b"def"[..]));

    let late = stream.open_cursor();
    assert_eq!(stream.unread(&late), (1, &b"bcdef"[..]));
    stream.close_cursor(slow);
    assert_eq!(stream.retained(), b"bcdef");
    stream.close_cursor(late);
    assert_eq!(stream.retained(), b"cdef");
    stream.close_cursor(fast);
    say(&mut stream, b"gh");
    assert_eq!(stream.retained(), b"cdefgh");
}

#[test]
fn a_cursor_goes_neither_back_nor_past_the_end() {
    let mut stream = capture(Limit::default(), Keep::default());
    say(&mut stream, b"abc");
    let cursor = stream.open_cursor();
    stream.advance_cursor(&cursor, 99);
    assert_eq!(stream.offset(&cursor), 3);
    stream.advance_cursor(&cursor, 1);
    assert_eq!(stream.offset(&cursor), 3);
}

#[test]
fn a_cursor_that_the_limit_overtook_learns_where_it_is() {
    let mut stream = capture(limit(Some(2), None, Overflow::DropOldest), Keep::default());
    let cursor = stream.open_cursor();
    say(&mut stream, b"abcdef");
    assert_eq!(stream.offset(&cursor), 0);
    assert_eq!(stream.unread(&cursor), (4, &b"ef"[..]));
}

#[test]
fn a_consumed_stream_does_not_grow() {
    let mut stream = capture(Limit::default(), Keep(100_000));
    let cursor = stream.open_cursor();
    let chunk = [b'x'; 10_000];
    for _ in 0..2_000 {
        say(&mut stream, &chunk);
        stream.advance_cursor(&cursor, u64::MAX);
    }
    assert_eq!(stream.retained().len(), 100_000);
    assert!(stream.bytes.capacity() < 4 * 100_000);
    assert_eq!(stream.bytes_seen(), 20_000_000);
}

#[test]
fn memory_is_given_back_when_a_slow_cursor_has_caught_up() {
    let mut stream = capture(Limit::default(), Keep(1000));
    let cursor = stream.open_cursor();
    say(&mut stream, &vec![b'x'; 64 << 20]);
    stream.advance_cursor(&cursor, u64::MAX);
    assert_eq!(stream.retained().len(), 1000);
    assert!(stream.bytes.capacity() <= 4 * LARGE);
}

#[test]
fn what_a_failing_read_appended_is_not_lost() {
    let mut stream = capture(Limit::default(), Keep::default());
    let result = stream.take_in(|buffer| {
        buffer.extend_from_slice(b"half");
        Err(io::ErrorKind::WouldBlock.into())
    });
    assert_eq!(result.unwrap_err().kind(), io::ErrorKind::WouldBlock);
    assert_eq!((stream.retained(), stream.bytes_seen()), (&b"half"[..], 4));
}

#[test]
fn reads_start_small_and_become_large() {
    let mut stream = capture(Limit::default(), Keep::default());
    let mut rooms = Vec::new();
    while stream.bytes.len() < 16 << 20 {
        let fill = |buffer: &mut Vec<u8>| {
            rooms.push(buffer.capacity() - buffer.len());
            buffer.resize(buffer.capacity(), 0);
            Ok(1)
        };
        assert_eq!(stream.take_in(fill).unwrap(), 1);
    }
    assert_eq!(rooms[0], FIRST_READ);
    assert!(rooms.len() < 16, "{rooms:?}");
    assert!(*rooms.last().unwrap() >= LARGEST_READ);
}

#[test]
fn a_small_output_and_its_end_need_one_allocation() {
    let mut stream = capture(Limit::default(), Keep::default());
    say(&mut stream, b"v1.2.3\n");
    let place = stream.retained().as_ptr();
    say(&mut stream, b"");
    assert_eq!((stream.retained().as_ptr(), stream.bytes.capacity()), (place, FIRST_READ));
    assert!(stream.into_bytes().capacity() < 100);
}

#[test]
fn its_debug_output_does_not_show_the_bytes() {
    let mut secret = capture(Limit::default(), Keep::default());
    say(&mut secret, b"A");
    assert!(!format!("{secret:?}").contains("65"));
}
