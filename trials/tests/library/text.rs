//! Output as text: encodings, line ends, and lines that are far too long.

use std::time::Instant;

use pinfold::{Command, Encoding, LineRule, Stream};
use pinfold_trials::Trial;

use crate::{LONG, Of, begin, fixture};

/// What a command says in every form in which it can be had: whole, as lines at once, and as lines of a live handle.
#[track_caller]
fn says(command: &Command, text: &str, lines: &[&str]) {
    assert_eq!(command.output().unwrap().stdout, text);
    let handle = command.start().unwrap();
    let streamed: Vec<_> = handle.stdout_lines().unwrap().map(Result::unwrap).collect();
    assert_eq!(streamed, lines);
    let outcome = handle.wait().unwrap();
    assert_eq!(outcome.stdout.unwrap().lines, lines.len() as u64, "counted as they are streamed");
    let kept = handle.output().unwrap();
    assert_eq!((&*kept.stdout, kept.combined().as_str()), (text, text));
}

fn bytes(trial: &Trial, bytes: &[u8]) -> Command {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    fixture("bytes").arg(hex).of(trial)
}

#[test]
fn text_is_kept_as_it_was_written_and_lines_end_where_they_end() {
    let trial = begin();
    for (written, lines) in [
        ("", &[][..]),
        ("\n", &[""]),
        ("a", &["a"]),
        ("a\n", &["a"]),
        ("a\r\nb\r\n", &["a", "b"]),
        ("a\n\n\nb", &["a", "", "", "b"]),
        ("10%\r20%\r\ndone\r", &["10%\r20%", "done\r"]),
        ("caf\u{e9} \u{1F600}\n\u{feff}x\n", &["caf\u{e9} \u{1F600}", "\u{feff}x"]),
        ("a\0b\n\0", &["a\0b", "\0"]),
        ("\x0b\x0c\u{2028}\u{85}\n", &["\x0b\x0c\u{2028}\u{85}"]),
    ] {
        says(&bytes(&trial, written.as_bytes()), written, lines);
    }
}

#[test]
fn what_is_no_utf8_is_marked_and_nothing_else_is_lost() {
    let trial = begin();
    for (written, text) in [
        (&b"caf\xe9\n"[..], "caf\u{fffd}\n"),
        (b"\xff\xfe\n", "\u{fffd}\u{fffd}\n"),
        (b"cut \xe2\x82", "cut \u{fffd}"),
        (b"\xe2\x82\nnext\n", "\u{fffd}\nnext\n"),
        (b"over\xc0\xaf\xed\xa0\x80\n", "over\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\n"),
    ] {
        let lines: Vec<_> = text.lines().collect();
        says(&bytes(&trial, written), text, &lines);
        assert_eq!(
            bytes(&trial, written).output_bytes().unwrap().stdout,
            written,
            "as bytes it is what it was"
        );
    }
}

#[test]
fn each_stream_has_its_encoding() {
    let trial = begin();
    let named = |label: &str| Encoding::named(label).unwrap();
    let latin1 = fixture("latin1").of(&trial).encoding(named("latin1"));
    says(&latin1, "caf\u{e9}\n", &["caf\u{e9}"]);
    let japanese = bytes(&trial, b"\x93\xfa\x96{\r\n\x83\\\n").stdout_encoding(named("shift_jis"));
    says(&japanese, "日本\r\nソ\n", &["日本", "ソ"]);
    let wide = bytes(&trial, b"a\0\r\0\n\0\x0a\x0a\x3d\xd8\x00\xde\n\0").encoding(named("utf-16le"));
    says(&wide, "a\r\n\u{a0a}\u{1F600}\n", &["a", "\u{a0a}\u{1F600}"]);
    let wide = bytes(&trial, b"\0a\0\nb").encoding(named("utf-16be"));
    says(&wide, "a\n\u{fffd}", &["a", "\u{fffd}"]);

    let both = crate::sh("printf '\\351'; printf '\\351' >&2").of(&trial);
    let output = both.clone().stderr_encoding(named("latin1")).output().unwrap();
    assert_eq!((&*output.stdout, &*output.stderr), ("\u{fffd}", "\u{e9}"));
    let output = both.stdout_encoding(named("latin1")).output().unwrap();
    assert_eq!((&*output.stdout, &*output.stderr), ("\u{e9}", "\u{fffd}"));
}

#[test]
fn progress_bars_are_split_and_colours_taken_out_when_asked() {
    let trial = begin();
    let bars = LineRule { split_bare_cr: true, strip_escapes: false };
    let text = "10%\r50%\r100%\ndone\n";
    says(&fixture("progress").of(&trial).lines(bars), text, &["10%", "50%", "100%", "done"]);
    says(&fixture("progress").of(&trial), text, &["10%\r50%\r100%", "done"]);
    says(&fixture("crlf").of(&trial).lines(bars), "one\r\ntwo\r\nthree\r\n", &["one", "two", "three"]);

    let plain = LineRule { split_bare_cr: false, strip_escapes: true };
    let written = b"\x1b[1;31mred\x1b[0m\n\x1b]0;title\x07text\n";
    let command = bytes(&trial, written).lines(plain);
    says(&command, std::str::from_utf8(written).unwrap(), &["red", "text"]);
}

#[test]
fn a_character_that_is_cut_by_the_end_of_a_read_is_whole() {
    let trial = begin();
    // An odd start shifts every later character over every boundary.
    let input = format!("x{}", "\u{20ac}".repeat(700_000));
    let handle = fixture("cat").of(&trial).stdin_text(input.clone()).start().unwrap();
    let mut lines = handle.stdout_lines().unwrap();
    assert!(lines.next_line().unwrap() == Some(&*input));
    assert!(handle.output().unwrap().stdout == input);
}

/// One line of so many MiB, in every form: the time and the memory that it takes are in proportion to it.
fn one_line(trial: &Trial, mebibytes: usize) {
    let length = mebibytes << 20;
    let command = fixture("one-line").arg(format!("{mebibytes}M")).of(trial).timeout(4 * LONG);
    let begun = Instant::now();

    let output = command.output_bytes().unwrap();
    assert_eq!((output.stdout.len(), output.outcome.stdout.unwrap().lines), (length + 1, 1));
    drop(output);
    assert_eq!(command.run().unwrap().len(), length);

    let handle = command.start().unwrap();
    let mut lines = handle.stdout_lines().unwrap();
    assert_eq!(lines.next_line().unwrap().map(str::len), Some(length));
    assert_eq!(lines.next_line().unwrap(), None);
    drop((lines, handle));

    let handle = command.start().unwrap();
    let chunks = handle.chunks(Stream::Stdout).unwrap();
    assert_eq!(chunks.map(|chunk| chunk.unwrap().len()).sum::<usize>(), length + 1);
    assert!(begun.elapsed() < 4 * LONG);
}

#[test]
fn a_line_of_64_mib_is_a_line() {
    one_line(&begin(), 64);
}

#[test]
#[ignore = "slow: takes seconds and gigabytes"]
fn a_line_of_1_gib_is_a_line() {
    one_line(&begin(), 1024);
}
