//! What must hold of text however it is cut: checked on random bytes, against definitions too plain to be wrong.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use proptest::prelude::*;

/// Breaks in UTF-16, and characters in UTF-8 that do not come to their end.
const PIECES: &[&[u8]] = &[&[0x0A, 0], &[0x0D, 0], &[0, 0x0A], &[0, 0x0D], &[0xE2, 0x82], &[0xF0, 0x9F]];

/// Bytes in which everything that matters is frequent: breaks, escapes, whole characters, and pieces of them.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(&["\n", "\r", "\r\n", "\x1b", "\x1b[1m", "\x1b]0;t", "\x07", "\u{9b}"][..])
            .prop_map(|s| s.as_bytes().to_vec()),
        3 => "[a-z]{1,4}".prop_map(String::into_bytes),
        2 => any::<char>().prop_map(|c| c.to_string().into_bytes()),
        2 => any::<char>().prop_map(|c| c.to_string().encode_utf16().flat_map(u16::to_le_bytes).collect()),
        2 => prop::collection::vec(any::<u8>(), 1..4),
        1 => prop::sample::select(PIECES).prop_map(<[u8]>::to_vec),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// The same, and where it is cut.
fn chunked() -> impl Strategy<Value = (Vec<u8>, Vec<usize>)> {
    bytes().prop_flat_map(|bytes| {
        let cuts = prop::collection::vec(0..=bytes.len(), 0..8);
        (Just(bytes), cuts)
    })
}

fn chunks<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts = cuts.to_vec();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

fn encodings() -> Vec<Encoding> {
    let mut labels = vec!["utf-8", "utf-16le", "utf-16be"];
    if cfg!(feature = "encoding") {
        labels.extend(["windows-1252", "shift_jis", "gb18030", "euc-kr", "big5"]);
    }
    labels.into_iter().map(|label| Encoding::named(label).unwrap()).collect()
}

fn rules() -> [LineRule; 4] {
    [(false, false), (true, false), (false, true), (true, true)]
        .map(|(split_bare_cr, strip_escapes)| LineRule { split_bare_cr, strip_escapes })
}

/// The lines of a whole text, by the letter of the definition.
fn lines_of(text: &str, rule: LineRule) -> Vec<String> {
    let text =
        if rule.split_bare_cr { text.replace("\r\n", "\n").replace('\r', "\n") } else { text.to_owned() };
    let mut lines: Vec<&str> = text.split('\n').collect();
    let last = lines.pop().unwrap();
    let whole = lines
        .into_iter()
        .map(|line| if rule.split_bare_cr { line } else { line.strip_suffix('\r').unwrap_or(line) });
    whole
        .chain((!last.is_empty()).then_some(last))
        .map(|line| if rule.strip_escapes { strip_escapes(line).into_owned() } else { line.to_owned() })
        .collect()
}

proptest! {
    #[test]
    fn utf8_is_decoded_as_the_standard_library_does(bytes in bytes()) {
        let expected = String::from_utf8_lossy(&bytes);
        prop_assert_eq!(&decode(&Encoding::default(), &bytes), &expected);
        prop_assert_eq!(&decode_owned(&Encoding::default(), bytes.clone()), &expected);
    }

    #[test]
    fn utf16_is_decoded_as_the_standard_library_does(units in prop::collection::vec(any::<u16>(), 0..64)) {
        let bytes: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        prop_assert_eq!(decode(&Encoding::named("utf-16be").unwrap(), &bytes), String::from_utf16_lossy(&units));
    }

    #[cfg(feature = "encoding")]
    #[test]
    fn every_encoding_is_decoded_as_encoding_rs_does(bytes in bytes()) {
        for encoding in encodings() {
            let peer = encoding_rs::Encoding::for_label(encoding.name().as_bytes()).unwrap();
            prop_assert_eq!(decode(&encoding, &bytes), peer.decode_without_bom_handling(&bytes).0);
        }
    }

    #[test]
    fn lines_and_their_count_do_not_depend_on_the_chunks((bytes, cuts) in chunked()) {
        for encoding in encodings() {
            for rule in rules() {
                let mut reader = LineReader::new(&encoding, rule);
                let mut counter = LineCounter::new(&encoding, rule);
                let mut lines = Vec::new();
                for chunk in chunks(&bytes, &cuts) {
                    reader.feed(chunk);
                    counter.feed(chunk);
                    // Some are left where they are, so that chunks also come in behind lines that wait.
                    while lines.len() % 3 != 2 && let Some(line) = reader.next_line() {
                        lines.push(line.to_owned());
                    }
                    lines.extend(reader.next_line().map(str::to_owned));
                    prop_assert!(!reader.is_drained());
                }
                let finished = counter.lines();
                reader.end();
                counter.end();
                while let Some(line) = reader.next_line() {
                    lines.push(line.to_owned());
                }
                prop_assert!(reader.is_drained());
                let expected = lines_of(&decode(&encoding, &bytes), rule);
                prop_assert_eq!(&lines, &expected, "{} {:?}", encoding, rule);
                prop_assert_eq!(counter.lines(), expected.len() as u64, "{} {:?}", encoding, rule);
                prop_assert!(counter.lines() - finished <= 1);
            }
        }
    }

    #[test]
    fn lines_taken_many_at_once_are_those_taken_singly((bytes, cuts) in chunked(), most in 0..32_usize) {
        for encoding in encodings() {
            for rule in rules() {
                let mut reader = LineReader::new(&encoding, rule);
                let mut lines: Vec<String> = Vec::new();
                let mut take = |reader: &mut LineReader| loop {
                    if let Some(many) = reader.next_lines(most) {
                        assert!(many.len() < most);
                        lines.extend(many.split('\n').map(str::to_owned));
                    } else if let Some(line) = reader.next_line() {
                        lines.push(line.to_owned());
                    } else {
                        break;
                    }
                };
                for chunk in chunks(&bytes, &cuts) {
                    reader.feed(chunk);
                    take(&mut reader);
                }
                reader.end();
                take(&mut reader);
                prop_assert!(reader.is_drained());
                prop_assert_eq!(&lines, &lines_of(&decode(&encoding, &bytes), rule), "{} {:?}", encoding, rule);
            }
        }
    }

    #[test]
    fn what_is_unfinished_stands_behind_the_last_break((bytes, cuts) in chunked()) {
        let rule = LineRule::default();
        let mut reader = LineReader::new(&Encoding::default(), rule);
        let mut seen = Vec::new();
        for chunk in chunks(&bytes, &cuts) {
            reader.feed(chunk);
            seen.extend_from_slice(chunk);
            let text = String::from_utf8_lossy(&seen);
            let behind = text.rsplit('\n').next().unwrap();
            // The reader holds back what may still become another character.
            prop_assert!(behind.starts_with(&*reader.unfinished()));
            prop_assert!(behind.len() - reader.unfinished().len() <= char::REPLACEMENT_CHARACTER.len_utf8());
        }
    }

    #[test]
    fn skipping_breaks_stops_right_behind_them((bytes, cuts) in chunked(), n in 0_u64..6) {
        for encoding in encodings() {
            for rule in rules() {
                let mut counter = LineCounter::new(&encoding, rule);
                let before = cuts.first().copied().unwrap_or(0);
                counter.feed(&bytes[..before]);
                let (start, rest) = (counter, &bytes[before..]);
                let took = counter.skip_breaks(rest, n);
                let mut whole = start;
                whole.feed(&rest[..took]);
                prop_assert_eq!(counter.breaks(), whole.breaks());
                prop_assert_eq!(counter.begun(), whole.begun());
                let mut all = start;
                all.feed(rest);
                if all.breaks() - start.breaks() < n {
                    prop_assert_eq!(took, rest.len());
                } else {
                    prop_assert_eq!(counter.breaks() - start.breaks(), n);
                    if n > 0 {
                        let mut less = start;
                        let back = took.saturating_sub(2 * usize::try_from(start.unit()).unwrap());
                        less.feed(&rest[..back]);
                        prop_assert!(less.breaks() - start.breaks() < n || back == 0);
                    }
                }
            }
        }
    }

    #[test]
    fn stripping_leaves_no_escape_and_never_reaches_past_a_line_feed(bytes in bytes()) {
        let text = String::from_utf8_lossy(&bytes);
        let stripped = strip_escapes(&text);
        let escapes = stripped.contains(['\x1b', '\u{9b}']);
        prop_assert!(!escapes);
        let pieces: Vec<_> = text.split('\n').map(strip_escapes).collect();
        prop_assert_eq!(stripped, pieces.join("\n"));
    }

    #[test]
    fn trimming_takes_off_breaks_only(text in "[a\r\n ]{0,12}") {
        let trimmed = trim_newline(&text);
        prop_assert!(!trimmed.ends_with('\n'));
        let rest = text.strip_prefix(trimmed).unwrap();
        prop_assert_eq!(rest.replace("\r\n", "\n"), "\n".repeat(rest.matches('\n').count()));
    }
}
