//! Reading the options of one command: the usual grammar of long and short options, and words between or behind them.

use super::Misuse;
use super::flag::{self, Face, Value};
use super::parse::{Words, misuse, nearest};
use super::sheet::Sheet;
use super::values::slice;
use std::ffi::{OsStr, OsString};

/// What a command line came to, beside what its options put into the arguments.
pub(super) enum Given {
    /// Its help is asked for.
    Help {
        /// All of it.
        long: bool,
    },
    /// The words that are no options.
    Words(Vec<OsString>),
}

/// Where options can stand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Options {
    /// Up to the first word that is none: what follows belongs to the program.
    First,
    /// Anywhere, up to `--`.
    Anywhere,
}

/// Reads a command line by the sheet of its command.
///
/// # Errors
/// The first word that means nothing here.
pub(super) fn read<T>(
    sheet: &Sheet<T>,
    args: &mut T,
    words: Words,
    where_options: Options,
) -> Result<Given, Misuse> {
    read_by(Reader { command: sheet.name, options: &mut flag::Of(sheet.flags, args) }, words, where_options)
}

fn read_by(mut reader: Reader<'_>, mut words: Words, where_options: Options) -> Result<Given, Misuse> {
    let mut others = Vec::new();
    while let Some(word) = words.next() {
        let bytes = word.as_encoded_bytes();
        if word == "--" {
            others.extend(words);
            break;
        } else if word == "--help" {
            return Ok(Given::Help { long: true });
        } else if bytes.starts_with(b"--") {
            reader.long(&word, &mut words)?;
        } else if bytes.starts_with(b"-") && bytes.len() > 1 {
            if !reader.shorts(&word, &mut words)? {
                return Ok(Given::Help { long: false });
            }
        } else {
            others.push(word);
            if where_options == Options::First {
                others.extend(words);
                break;
            }
        }
    }
    Ok(Given::Words(others))
}

struct Reader<'a> {
    command: &'static str,
    options: &'a mut dyn flag::Options,
}

impl Reader<'_> {
    fn faces(&self) -> impl Iterator<Item = Face> {
        (0..).map_while(|index| self.options.face(index))
    }

    /// `--name`, `--name=value` or `--name value`.
    fn long(&mut self, word: &OsStr, words: &mut Words) -> Result<(), Misuse> {
        let sign = word.as_encoded_bytes().iter().position(|byte| *byte == b'=');
        let name = slice(word, 2, sign.unwrap_or(word.len())).unwrap_or_default();
        let name = name.to_string_lossy();
        let Some(flag) = self.faces().find(|flag| flag.is_called(&name)) else {
            return Err(self.unknown_option(&name));
        };
        let given = match sign {
            Some(at) => Some(slice(word, at + 1, word.len()).ok_or_else(|| not_text(flag))?),
            None => None,
        };
        let value = match (flag.value, given) {
            (Value::None, Some(_)) => {
                return Err(misuse(format!("--{name} takes no value"), "leave out the = and what follows"));
            }
            (Value::None | Value::Optional(_), None) => OsString::new(),
            (Value::Optional(wanted), Some(given)) if given.is_empty() => return Err(no_value(flag, wanted)),
            (_, Some(given)) => given,
            (Value::Needed(wanted), None) => words.next().ok_or_else(|| no_value(flag, wanted))?,
        };
        self.apply(flag, &value)
    }

    /// `-qv`, `-k5s` or `-k 5s`; whether none of them is `-h`.
    fn shorts(&mut self, word: &OsStr, words: &mut Words) -> Result<bool, Misuse> {
        let mut at = 1;
        while let Some(byte) = word.as_encoded_bytes().get(at) {
            let letter = char::from(*byte);
            at += 1;
            if letter == 'h' {
                return Ok(false);
            }
            let Some(flag) = self.faces().find(|flag| flag.short == Some(letter)) else {
                let shown = if byte.is_ascii() { format!("-{letter}") } else { word.display().to_string() };
                let what = format!("{}: there is no option {shown}", self.command);
                if self.command == "kill" && byte.is_ascii_digit() {
                    return Err(misuse(
                        what,
                        "a signal is named by -s, by its name or number: -s KILL, -s 9",
                    ));
                }
                return Err(misuse(what, self.see_help()));
            };
            if let Value::Needed(wanted) = flag.value {
                let attached = slice(word, at, word.len()).ok_or_else(|| not_text(flag))?;
                let value = if attached.is_empty() { words.next() } else { Some(attached) };
                self.apply(flag, &value.ok_or_else(|| no_value(flag, wanted))?)?;
                return Ok(true);
            }
            self.apply(flag, OsStr::new(""))?;
        }
        Ok(true)
    }

    fn apply(&mut self, flag: Face, value: &OsStr) -> Result<(), Misuse> {
        self.options.apply(flag.index, value).map_err(|wrong| {
            // Most readers of values say what would be right.
            let see_help = self.see_help();
            let (what, hint) = wrong.rsplit_once("; ").unwrap_or((&wrong, &see_help));
            misuse(format!("--{}: {what}", flag.long), hint)
        })
    }

    fn see_help(&self) -> String {
        format!("see `pinfold {} --help`", self.command)
    }

    fn unknown_option(&self, name: &str) -> Misuse {
        let same = self.faces().find(|flag| flag.elsewhere.contains(&name)).map(|flag| flag.long);
        // Short names are close to others by chance: of those only letters in a wrong order say something.
        let near = || {
            let names = self.faces().map(|flag| flag.long);
            nearest(name, names.filter(|long| name.len() > 3 || sorted(long) == sorted(name)))
        };
        let hint = match (same, near()) {
            (Some(same), _) => format!("here it is called --{same}"),
            (None, Some(near)) => format!("did you mean --{near}?"),
            (None, None) if self.command == "run" => {
                format!("{}, and put -- in front of the program", self.see_help())
            }
            (None, None) => self.see_help(),
        };
        misuse(format!("{}: there is no option --{name}", self.command), hint)
    }
}

fn no_value(flag: Face, wanted: &str) -> Misuse {
    misuse(format!("--{} needs a value", flag.long), format!("use --{} {wanted}", flag.long))
}

fn not_text(flag: Face) -> Misuse {
    misuse(format!("the value of --{} is not UTF-8", flag.long), "this platform takes text only")
}

fn sorted(word: &str) -> Vec<char> {
    let mut letters: Vec<char> = word.chars().collect();
    letters.sort_unstable();
    letters
}
