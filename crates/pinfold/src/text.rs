//! Bytes read as text: encodings, the one definition of a line, and the trimming of what surrounds it.
//!
//! A line ends at LF; CRLF is one break; a carriage return alone stays in its line unless [`LineRule::split_bare_cr`]
//! asks that it end one; a final line without a break is a line. [`LineReader`] yields lines by that rule,
//! [`LineCounter`] counts them by the same rule without decoding, and nothing else in the workspace looks for a newline.
//!
//! No bytes are refused: what the encoding does not allow reads as U+FFFD, in the same places however the bytes were
//! cut into chunks. A byte order mark is text like any other and is kept.

mod count;
mod decoder;
mod encoding;
mod escapes;
mod lines;
#[cfg(test)]
mod properties;

pub use count::LineCounter;
pub use encoding::{Encoding, UnknownEncoding};
pub use escapes::strip_escapes;
pub use lines::{LineReader, LineRule};

use decoder::Decoder;

/// All of `bytes` as text, its line breaks and its last newline exactly as they came.
///
/// ```
/// use pinfold::text::{Encoding, decode};
/// assert_eq!(decode(&Encoding::default(), b"caf\xc3\xa9\r\n"), "caf\u{e9}\r\n");
/// assert_eq!(decode(&Encoding::default(), b"\xff!"), "\u{fffd}!");
/// ```
pub fn decode(encoding: &Encoding, bytes: &[u8]) -> String {
    let mut decoder = Decoder::new(encoding);
    let mut text = String::new();
    decoder.feed(bytes, &mut text);
    decoder.end(&mut text);
    text
}

/// [`decode`] for bytes that the caller gives away: valid UTF-8 becomes text where it lies, without a copy.
///
/// ```
/// use pinfold::text::{Encoding, decode_owned};
/// assert_eq!(decode_owned(&Encoding::default(), b"done\n".to_vec()), "done\n");
/// ```
pub fn decode_owned(encoding: &Encoding, bytes: Vec<u8>) -> String {
    if !encoding.is_utf8() {
        return decode(encoding, &bytes);
    }
    match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(not_utf8) => decode(encoding, not_utf8.as_bytes()),
    }
}

/// [`decode`], and how long the text of each piece is when the bytes are cut into pieces of these lengths.
pub(crate) fn decode_pieces(encoding: &Encoding, mut bytes: &[u8], lengths: &mut [&mut usize]) -> String {
    let mut decoder = Decoder::new(encoding);
    let mut text = String::new();
    for length in lengths.iter_mut() {
        let before = text.len();
        let (piece, rest) = bytes.split_at((**length).min(bytes.len()));
        decoder.feed(piece, &mut text);
        **length = text.len() - before;
        bytes = rest;
    }
    let before = text.len();
    decoder.feed(bytes, &mut text);
    decoder.end(&mut text);
    if let Some(last) = lengths.last_mut() {
        **last += text.len() - before;
    }
    text
}

/// `text` without the line breaks at its end: all of them, as the shell's `$(...)` does, and CRLF as well as LF.
///
/// Other white space stays, and so does a carriage return that no LF follows.
///
/// ```
/// use pinfold::text::trim_newline;
/// assert_eq!(trim_newline("v1.2\r\n\n"), "v1.2");
/// assert_eq!(trim_newline("  50%\r"), "  50%\r");
/// ```
pub fn trim_newline(text: &str) -> &str {
    let mut rest = text;
    while let Some(line) = rest.strip_suffix('\n') {
        rest = line.strip_suffix('\r').unwrap_or(line);
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_keeps_the_last_newline_and_every_crlf() {
        let utf8 = Encoding::default();
        for text in ["", "a", "a\n", "a\r\nb\r\n", "\n\n", "a\r"] {
            assert_eq!(decode(&utf8, text.as_bytes()), text);
            assert_eq!(decode_owned(&utf8, text.as_bytes().to_vec()), text);
        }
    }

    #[test]
    fn valid_utf8_that_is_given_away_is_not_copied() {
        let bytes = "déjà vu\n".as_bytes().to_vec();
        let place = bytes.as_ptr();
        let text = decode_owned(&Encoding::default(), bytes);
        assert_eq!(text.as_ptr(), place);
    }

    #[test]
    fn only_line_breaks_are_trimmed() {
        assert_eq!(trim_newline(""), "");
        assert_eq!(trim_newline("\n\r\n"), "");
        assert_eq!(trim_newline("a\n\nb \t\n"), "a\n\nb \t");
        assert_eq!(trim_newline("a\r\r\n"), "a\r");
        assert_eq!(trim_newline("\r"), "\r");
    }
}
