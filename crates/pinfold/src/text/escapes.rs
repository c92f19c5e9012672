//! Taking terminal escape sequences out of text.
//!
//! The forms are those of ECMA-48: CSI, the strings (OSC, DCS, SOS, PM, APC) and the escapes of two and more bytes, with
//! their eight-bit introducers as U+0080 to U+009F. A sequence never reaches past a line break, finished or not: what a
//! line becomes does not depend on the lines before it, and a program that dies within a sequence hides the rest of its
//! line at most. Other control characters are no business of this file.

use memchr::memchr2;
use std::borrow::Cow;

const ESC: u8 = 0x1B;
/// The first byte, in UTF-8, of U+0080 to U+00BF, among which the eight-bit introducers are.
const C1_LEAD: u8 = 0xC2;

/// `text` without terminal escape sequences, borrowed when there are none.
///
/// ```
/// use pinfold::text::strip_escapes;
/// assert_eq!(strip_escapes("\x1b[1;31merror\x1b[0m: no such file"), "error: no such file");
/// assert_eq!(strip_escapes("\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x1b\\"), "link");
/// ```
pub fn strip_escapes(text: &str) -> Cow<'_, str> {
    match next_sequence(text, 0) {
        None => Cow::Borrowed(text),
        Some(first) => {
            let mut stripped = String::with_capacity(text.len());
            strip_from(text, first, &mut stripped);
            Cow::Owned(stripped)
        }
    }
}

/// Appends `text` without its sequences, of which the first begins at `first`.
pub(super) fn strip_from(text: &str, first: usize, stripped: &mut String) {
    let mut kept = 0;
    let mut next = Some(first);
    while let Some(at) = next {
        stripped.push_str(&text[kept..at]);
        kept = at + sequence_len(&text.as_bytes()[at..]);
        next = next_sequence(text, kept);
    }
    stripped.push_str(&text[kept..]);
}

/// Where the first sequence at or after `from` begins.
pub(super) fn next_sequence(text: &str, mut from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    loop {
        let at = from + memchr2(ESC, C1_LEAD, &bytes[from..])?;
        match bytes[at..] {
            [ESC, ..] | [C1_LEAD, 0x90 | 0x98 | 0x9B..=0x9F, ..] => return Some(at),
            _ => from = at + 2,
        }
    }
}

/// The length of the sequence that `bytes`, which are valid UTF-8, begin with.
fn sequence_len(bytes: &[u8]) -> usize {
    let kind = match *bytes {
        [C1_LEAD, eight_bit, ..] => eight_bit - 0x40,
        [_, second, ..] => second,
        _ => return 1,
    };
    match kind {
        b'[' => 2 + with_final(&bytes[2..], 0x20..=0x3F, 0x40..=0x7E),
        b']' | b'P' | b'X' | b'^' | b'_' => 2 + string_len(&bytes[2..], kind == b']'),
        0x20..=0x2F => 1 + with_final(&bytes[1..], 0x20..=0x2F, 0x30..=0x7E),
        0x30..=0x7E => 2,
        _ => 1,
    }
}

/// The length of the bytes in `middle` at the front, and of the one that ends them if it is there.
fn with_final(
    bytes: &[u8],
    middle: std::ops::RangeInclusive<u8>,
    last: std::ops::RangeInclusive<u8>,
) -> usize {
    let len = bytes.iter().take_while(|byte| middle.contains(byte)).count();
    len + usize::from(bytes.get(len).is_some_and(|byte| last.contains(byte)))
}

/// The length of a control string and of what ends it. BEL ends only an OSC, by a custom older than the standard's ST.
fn string_len(bytes: &[u8], bel_ends: bool) -> usize {
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            0x07 if bel_ends => return at + 1,
            0x18 | 0x1A => return at + 1,
            b'\n' | b'\r' => return at,
            &ESC => {
                return if bytes.get(at + 1) == Some(&b'\\') { at + 2 } else { at };
            }
            &C1_LEAD if bytes.get(at + 1) == Some(&0x9C) => return at + 2,
            _ => {}
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_sequence_is_taken_out() {
        let sequences = [
            "\x1b[m",
            "\x1b[38;2;1;2;3m",
            "\x1b[?25l",
            "\x1b[2 q",
            "\x1b]0;title\x07",
            "\x1b]8;id=é;https://example.org\x1b\\",
            "\x1bP1$r0m\x07still\x1b\\",
            "\x1bXsos\x1b\\",
            "\x1b^pm\x1b\\",
            "\x1b_apc\u{9c}",
            "\x1b7",
            "\x1bc",
            "\x1b=",
            "\x1b(B",
            "\x1b#8",
            "\x1b\x1b[A",
            "\x1b]gives up\x18",
            "\u{9b}31m",
            "\u{9d}0;title\u{9c}",
            "\x1bPtmux;\x1b\x1b]0;t\x07\x1b\\",
        ];
        for sequence in sequences {
            assert_eq!(strip_escapes(&format!("é{sequence}[ü")), "é[ü", "{sequence:?}");
        }
    }

    #[test]
    fn text_without_sequences_is_borrowed() {
        for text in ["", "plain", "«£°»\u{85}\u{a0}", "tab\tbell\x07 back\x08\r"] {
            assert!(matches!(strip_escapes(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn an_unfinished_sequence_ends_with_its_line() {
        assert_eq!(strip_escapes("a\x1b"), "a");
        assert_eq!(strip_escapes("a\x1b[3\nb"), "a\nb");
        assert_eq!(strip_escapes("a\x1b]0;t\r\nb"), "a\r\nb");
        assert_eq!(strip_escapes("a\x1b(\nb"), "a\nb");
        assert_eq!(strip_escapes("a\x1b\nb"), "a\nb");
        assert_eq!(strip_escapes("a\x1b[31é"), "aé");
        assert_eq!(strip_escapes("a\x1bé"), "aé");
    }
}
