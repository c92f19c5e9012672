//! Where something is missing of what is retained of a stream, and which of the rest is whole characters.

use crate::text::Encoding;
use std::ops::Range;

/// The ends of what is retained of a stream at which more of it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Cut {
    /// Something came before it.
    pub(crate) front: bool,
    /// Something came after it.
    pub(crate) end: bool,
}

impl Cut {
    /// What is left without the parts of characters that the cut has made: as text they would stand for bytes that the program
    /// never wrote so. Two-byte units are never cut; other encodings than UTF-8 do not tell where a character begins.
    pub(crate) fn whole(self, encoding: &Encoding, bytes: &[u8]) -> Range<usize> {
        /// The bytes of a character behind its first.
        const MOST: usize = 3;
        let mut whole = 0..bytes.len();
        if !encoding.is_utf8() {
            return whole;
        }
        if self.front {
            let follows = |byte: &&u8| **byte & 0xc0 == 0x80;
            whole.start = bytes.iter().take(MOST).take_while(follows).count();
        }
        if self.end {
            let from = whole.end.saturating_sub(MOST).max(whole.start);
            let begins = |at: &usize| bytes[*at] & 0xc0 != 0x80;
            if let Some(last) = (from..whole.end).rev().find(begins)
                && let Err(error) = std::str::from_utf8(&bytes[last..])
                && error.error_len().is_none()
            {
                whole.end = last;
            }
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UTF8: fn() -> Encoding = Encoding::default;

    /// `a`, and characters of two, three and four bytes.
    const TEXT: &str = "a\u{e9}\u{20ac}\u{1f600}";

    #[test]
    fn what_a_cut_leaves_of_a_character_is_left_out_at_either_end() {
        let bytes = TEXT.as_bytes();
        for from in 0..=bytes.len() {
            for to in from..=bytes.len() {
                let piece = &bytes[from..to];
                let whole = Cut { front: from > 0, end: to < bytes.len() }.whole(&UTF8(), piece);
                let begin = (from..=to).find(|at| TEXT.is_char_boundary(*at)).unwrap_or(to);
                let end = (begin..=to).rev().find(|at| TEXT.is_char_boundary(*at)).unwrap_or(begin);
                let text = std::str::from_utf8(&piece[whole.clone()]);
                assert_eq!(text, Ok(TEXT.get(begin..end).unwrap_or_default()), "{from}..{to}: {whole:?}");
            }
        }
    }

    #[test]
    fn what_the_program_has_written_so_is_left_as_it_is() {
        for bytes in [&b"\xa9ab\xc3"[..], b"\xff\xffab\xe2\x82", b"\x80\x80\x80\x80", b"", b"\xf0\x9f\x98"] {
            assert_eq!(Cut::default().whole(&UTF8(), bytes), 0..bytes.len());
        }
        let both = Cut { front: true, end: true };
        // No character has more, nor an end that is not one of a beginning.
        assert_eq!(both.whole(&UTF8(), b"\x80\x80\x80\x80\x80a\xff"), 3..7);
        assert_eq!(both.whole(&UTF8(), b"a\xc3\xa9\x80"), 0..4);
        #[cfg(feature = "encoding")]
        {
            let latin1 = Encoding::named("latin1").expect("it is known");
            assert_eq!(both.whole(&latin1, b"\xa9a\xc3"), 0..3);
        }
    }
}
