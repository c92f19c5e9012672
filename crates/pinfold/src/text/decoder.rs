//! From bytes to text, chunk by chunk.
//!
//! A decoder refuses nothing: it writes U+FFFD for what it cannot read, at the same places however the bytes were cut.

use super::encoding::{ByteOrder, Encoding, Kind};

/// Turns bytes into text as they come; what is cut at the end of a chunk waits for the next.
pub(super) enum Decoder {
    Utf8(Utf8),
    Utf16(Utf16),
    #[cfg(feature = "encoding")]
    Listed(encoding_rs::Decoder),
}

impl Decoder {
    pub(super) fn new(encoding: &Encoding) -> Decoder {
        match encoding.0 {
            Kind::Utf8 => Decoder::Utf8(Utf8::default()),
            Kind::Utf16(order) => Decoder::Utf16(Utf16 { order, byte: None, high: None }),
            #[cfg(feature = "encoding")]
            Kind::Listed(encoding) => Decoder::Listed(encoding.new_decoder_without_bom_handling()),
        }
    }

    pub(super) fn feed(&mut self, bytes: &[u8], text: &mut String) {
        match self {
            Decoder::Utf8(decoder) => decoder.feed(bytes, text),
            Decoder::Utf16(decoder) => decoder.feed(bytes, text),
            #[cfg(feature = "encoding")]
            Decoder::Listed(decoder) => feed_listed(decoder, bytes, text, false),
        }
    }

    /// Writes what a sequence that never came to its end stands for, and is ready for other bytes.
    pub(super) fn end(&mut self, text: &mut String) {
        match self {
            Decoder::Utf8(decoder) => decoder.end(text),
            Decoder::Utf16(decoder) => decoder.end(text),
            #[cfg(feature = "encoding")]
            Decoder::Listed(decoder) => {
                feed_listed(decoder, &[], text, true);
                *decoder = decoder.encoding().new_decoder_without_bom_handling();
            }
        }
    }
}

#[cfg(feature = "encoding")]
fn feed_listed(decoder: &mut encoding_rs::Decoder, mut bytes: &[u8], text: &mut String, last: bool) {
    loop {
        // It writes into what is reserved, whole characters only, and comes back for more.
        text.reserve(bytes.len() + 64);
        let (result, read, _) = decoder.decode_to_string(bytes, text, last);
        bytes = &bytes[read..];
        if result == encoding_rs::CoderResult::InputEmpty {
            return;
        }
    }
}

/// UTF-8 with U+FFFD where [`String::from_utf8_lossy`] of the whole has it.
#[derive(Default)]
pub(super) struct Utf8 {
    /// The valid beginning of a sequence whose end has not come yet.
    held: [u8; 4],
    held_len: usize,
}

impl Utf8 {
    fn feed(&mut self, mut bytes: &[u8], text: &mut String) {
        while self.held_len > 0 {
            let Some((&byte, rest)) = bytes.split_first() else {
                return;
            };
            self.held[self.held_len] = byte;
            match std::str::from_utf8(&self.held[..=self.held_len]) {
                Ok(character) => {
                    text.push_str(character);
                    self.held_len = 0;
                    bytes = rest;
                }
                Err(error) if error.error_len().is_none() => {
                    self.held_len += 1;
                    bytes = rest;
                }
                // The byte does not go on what is held, so it is looked at again as the beginning of something else.
                Err(_) => {
                    text.push(char::REPLACEMENT_CHARACTER);
                    self.held_len = 0;
                }
            }
        }
        let (mut bytes, unfinished) = bytes.split_at(bytes.len() - unfinished_len(bytes));
        self.held[..unfinished.len()].copy_from_slice(unfinished);
        self.held_len = unfinished.len();
        text.reserve(bytes.len());
        // Twice over the valid part of damaged text is still several times faster than `utf8_chunks`.
        while let Err(error) = std::str::from_utf8(bytes).map(|valid| text.push_str(valid)) {
            let (valid, rest) = bytes.split_at(error.valid_up_to());
            text.push_str(std::str::from_utf8(valid).unwrap_or_default());
            text.push(char::REPLACEMENT_CHARACTER);
            bytes = &rest[error.error_len().unwrap_or(rest.len())..];
        }
    }

    fn end(&mut self, text: &mut String) {
        if self.held_len > 0 {
            text.push(char::REPLACEMENT_CHARACTER);
            self.held_len = 0;
        }
    }
}

/// How many bytes at the end begin a sequence that more bytes could complete: at most three.
fn unfinished_len(bytes: &[u8]) -> usize {
    let Some(len) = (1..=bytes.len().min(3)).find(|&len| bytes[bytes.len() - len] & 0xC0 != 0x80) else {
        return 0;
    };
    match std::str::from_utf8(&bytes[bytes.len() - len..]) {
        Err(error) if error.error_len().is_none() => len,
        _ => 0,
    }
}

/// UTF-16 of either byte order, with U+FFFD for a surrogate without its other half and for a unit without its second byte.
pub(super) struct Utf16 {
    order: ByteOrder,
    byte: Option<u8>,
    high: Option<u16>,
}

impl Utf16 {
    fn feed(&mut self, mut bytes: &[u8], text: &mut String) {
        if let Some(first) = self.byte {
            let Some((&second, rest)) = bytes.split_first() else {
                return;
            };
            self.byte = None;
            bytes = rest;
            self.unit(self.order.unit([first, second]), text);
        }
        text.reserve(bytes.len() / 2);
        let (pairs, odd) = bytes.as_chunks::<2>();
        for &pair in pairs {
            self.unit(self.order.unit(pair), text);
        }
        self.byte = odd.first().copied();
    }

    fn unit(&mut self, unit: u16, text: &mut String) {
        let high = self.high.take();
        if matches!(unit, 0xD800..=0xDBFF) {
            text.extend(high.map(|_| char::REPLACEMENT_CHARACTER));
            self.high = Some(unit);
            return;
        }
        for character in char::decode_utf16(high.into_iter().chain([unit])) {
            text.push(character.unwrap_or(char::REPLACEMENT_CHARACTER));
        }
    }

    fn end(&mut self, text: &mut String) {
        // One mark for both, as the standard has it.
        if self.byte.take().is_some() | self.high.take().is_some() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::super::decode;
    use super::*;

    #[test]
    fn a_byte_order_mark_is_kept() {
        assert_eq!(decode(&Encoding::default(), b"\xef\xbb\xbfa"), "\u{feff}a");
        assert_eq!(decode(&Encoding::named("utf-16le").unwrap(), b"\xff\xfea\0"), "\u{feff}a");
    }

    #[test]
    fn utf16_reads_pairs_and_replaces_halves() {
        let big = Encoding::named("utf-16be").unwrap();
        assert_eq!(decode(&big, &[0xD8, 0x3D, 0xDE, 0x00, 0x00, 0x0A]), "\u{1F600}\n");
        assert_eq!(
            decode(&big, &[0xDE, 0x00, 0xD8, 0x3D, 0xD8, 0x3D, 0x00, 0x41]),
            "\u{fffd}\u{fffd}\u{fffd}A"
        );
        assert_eq!(decode(&big, &[0x00, 0x41, 0x00]), "A\u{fffd}");
        assert_eq!(decode(&big, &[0xD8, 0x3D, 0xDE]), "\u{fffd}");
    }
}
