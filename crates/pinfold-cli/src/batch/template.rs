//! The command of a batch with places for arguments, and the commands that come of it.

use crate::args::values::os;
use std::ffi::{OsStr, OsString};

/// A command whose words have places for arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    words: Vec<Vec<Piece>>,
    /// Whether an argument has a place in it; else they stand at the end.
    marked: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    /// An argument, the first being 1, or each of them in turn.
    Argument(Option<usize>, Part),
    /// The number of the job.
    Number,
}

/// What of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Whole,
    WithoutExtension,
    Last,
    Directory,
    LastWithoutExtension,
}

const PARTS: [(&[u8], Part); 5] = [
    (b"", Part::Whole),
    (b".", Part::WithoutExtension),
    (b"/", Part::Last),
    (b"//", Part::Directory),
    (b"/.", Part::LastWithoutExtension),
];

impl Template {
    /// Words in which `{}` and its like, or this text instead of `{}`, are places.
    pub(crate) fn new(words: &[OsString], replace: Option<&str>) -> Template {
        let words: Vec<_> =
            words.iter().map(|word| pieces(word.as_encoded_bytes(), replace.map(str::as_bytes))).collect();
        let marked = words.iter().flatten().any(|piece| matches!(piece, Piece::Argument(..)));
        Template { words, marked }
    }

    /// The highest number of an argument that has a place in it.
    pub(crate) fn highest(&self) -> usize {
        let numbers = self.words.iter().flatten().filter_map(|piece| match piece {
            Piece::Argument(number, _) => *number,
            _ => None,
        });
        numbers.max().unwrap_or(0)
    }

    /// Whether the program is the same in all commands.
    pub(crate) fn has_one_program(&self) -> bool {
        self.words.first().is_some_and(|word| word.iter().all(|piece| matches!(piece, Piece::Text(_))))
    }

    /// The words of a command; `None` where an argument is no text and this platform takes nothing else.
    pub(crate) fn render(&self, arguments: &[OsString], number: usize) -> Option<Vec<OsString>> {
        let mut words = Vec::with_capacity(self.words.len() + 1);
        for pieces in &self.words {
            let each = pieces.iter().any(|piece| matches!(piece, Piece::Argument(None, _)));
            let times = if each { arguments.len() } else { 1 };
            for index in 0..times {
                words.push(os(&word(pieces, arguments, index, number))?);
            }
        }
        if !self.marked {
            words.extend(arguments.iter().cloned());
        }
        Some(words)
    }
}

fn word(pieces: &[Piece], arguments: &[OsString], index: usize, number: usize) -> Vec<u8> {
    let mut word = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => word.extend_from_slice(text),
            Piece::Number => word.extend_from_slice(number.to_string().as_bytes()),
            Piece::Argument(which, part) => {
                let index = which.map_or(index, |which| which - 1);
                let argument = arguments.get(index).map(|argument| argument.as_encoded_bytes());
                word.extend_from_slice(part.of(argument.unwrap_or_default()));
            }
        }
    }
    word
}

impl Part {
    fn of(self, argument: &[u8]) -> &[u8] {
        let slash = argument.iter().rposition(|byte| *byte == b'/');
        let last = &argument[slash.map_or(0, |at| at + 1)..];
        // What begins with its only dot is a name, not an extension.
        let dot = last.iter().rposition(|byte| *byte == b'.').filter(|at| *at > 0);
        let extension = dot.map_or(0, |at| last.len() - at);
        match self {
            Part::Whole => argument,
            Part::WithoutExtension => &argument[..argument.len() - extension],
            Part::Last => last,
            Part::LastWithoutExtension => &last[..last.len() - extension],
            Part::Directory => match slash {
                None => b".",
                Some(0) => b"/",
                Some(at) => &argument[..at],
            },
        }
    }
}

fn pieces(word: &[u8], replace: Option<&[u8]>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut text = Vec::new();
    let mut at = 0;
    while at < word.len() {
        match place(&word[at..], replace) {
            Some((piece, len)) => {
                if !text.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                }
                pieces.push(piece);
                at += len;
            }
            None => {
                text.push(word[at]);
                at += 1;
            }
        }
    }
    if !text.is_empty() || pieces.is_empty() {
        pieces.push(Piece::Text(text));
    }
    pieces
}

/// A place at the beginning of this, and how long it is.
fn place(text: &[u8], replace: Option<&[u8]>) -> Option<(Piece, usize)> {
    if let Some(replace) = replace
        && text.starts_with(replace)
    {
        return Some((Piece::Argument(None, Part::Whole), replace.len()));
    }
    let inner = text.strip_prefix(b"{")?;
    let end = inner.iter().take(16).position(|byte| *byte == b'}')?;
    let (inner, len) = (&inner[..end], end + 2);
    if inner == b"#" {
        return Some((Piece::Number, len));
    }
    let digits = inner.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number: Option<usize> = match digits {
        0 => None,
        // Digits are text, and the first argument is 1.
        _ => Some(std::str::from_utf8(&inner[..digits]).ok()?.parse().ok().filter(|number| *number > 0)?),
    };
    let part = PARTS.iter().find(|(name, _)| *name == &inner[digits..])?.1;
    if replace.is_some() && number.is_none() && part == Part::Whole {
        return None;
    }
    Some((Piece::Argument(number, part), len))
}

/// The words of a line, split as a shell does it; `None` where a quote or a backslash is left open.
pub(crate) fn split(line: &[u8]) -> Option<Vec<OsString>> {
    let words = shlex::bytes::split(line)?;
    words.iter().map(|word| os(word)).collect()
}

/// A command as a line for a shell.
pub(crate) fn quoted(words: &[OsString]) -> Vec<u8> {
    let bytes = words.iter().map(|word: &OsString| OsStr::as_encoded_bytes(word));
    // Only a NUL cannot be quoted, and no argument has one where it could be run.
    shlex::bytes::Quoter::new().allow_nul(true).join(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(Into::into).collect()
    }

    #[test]
    fn arguments_stand_in_their_places_or_at_the_end() {
        for (template, arguments, expected) in [
            ("echo", "a", "echo a"),
            ("echo -n", "a b", "echo -n a b"),
            ("cp {} {}.bak", "a", "cp a a.bak"),
            ("echo x{}y z", "a b", "echo xay xby z"),
            ("mv {} {.}.png", "/d.x/a.b.jpg", "mv /d.x/a.b.jpg /d.x/a.b.png"),
            ("echo {/} {//} {/.} {.}", "/d/a.jpg", "echo a.jpg /d a /d/a"),
            ("echo {//} {.}", "a", "echo . a"),
            ("echo {//} {/.}", "/.profile", "echo / .profile"),
            ("echo {#}:{}", "a", "echo 7:a"),
            ("echo {2}-{1} {3}.", "a b", "echo b-a ."),
            ("echo {2/.}", "x d/b.c", "echo b"),
            ("echo {1} fixed", "a", "echo a fixed"),
            // What is none of them stays as it is.
            ("awk {print} {0} {x} {} {", "a", "awk {print} {0} {x} a {"),
        ] {
            let rendered = Template::new(&words(template), None).render(&words(arguments), 7).unwrap();
            assert_eq!(rendered, words(expected), "{template}");
        }
        let own = Template::new(&words("echo {} % x%y {/}"), Some("%"));
        assert_eq!(own.render(&words("d/a"), 1).unwrap(), words("echo {} d/a xd/ay a"));
        assert!(own.has_one_program() && !Template::new(&words("{} x"), None).has_one_program());
    }

    #[test]
    fn lines_are_split_and_quoted_as_a_shell_does_it() {
        let split = |line: &str| split(line.as_bytes());
        assert_eq!(split("a 'b c' \"d \\\" e\" f\\ g # said").unwrap(), ["a", "b c", "d \" e", "f g"]);
        assert_eq!(split("$HOME *.c `x` ;").unwrap(), ["$HOME", "*.c", "`x`", ";"]);
        assert_eq!(split(""), Some(Vec::new()));
        assert_eq!((split("a 'b"), split("a \"b"), split("a\\")), (None, None, None));
        for line in [vec!["a", "b c"], vec!["it's", "$x", ""], vec!["new\nline", "é"]] {
            let line: Vec<OsString> = line.into_iter().map(Into::into).collect();
            assert_eq!(super::split(&quoted(&line)).unwrap(), line);
        }
    }

    #[cfg(unix)]
    #[test]
    fn words_need_not_be_text() {
        use std::os::unix::ffi::OsStrExt;
        let strange = OsStr::from_bytes(b"\xff.x").to_owned();
        let rendered = Template::new(&["a\u{e9}{.}".into()], None).render(&[strange], 1).unwrap();
        assert_eq!(rendered, [OsStr::from_bytes(b"a\xc3\xa9\xff")]);
    }
}
