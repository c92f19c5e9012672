//! What pinfold itself says: one line at a time, on standard error, and never in the way of the program. With a log it is
//! said there, and in words only where that is elsewhere.
//!
//! A message that cannot be written is dropped: there is nobody to tell. What was asked for on standard output is
//! another matter, and its failure is one of pinfold's own.

use crate::exit::{End, FAILED};
use crate::log;
use pinfold::Signal;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

/// Says a line: `pinfold: ` and the message.
pub(crate) fn say(message: &str) {
    log::said(message);
    say_unlogged(message);
}

/// Says what has a user's arguments in it, which the log never has.
pub(crate) fn say_unlogged(message: &str) {
    if !log::replaces_words() {
        line("pinfold:", message);
    }
}

/// Says what went wrong, with what to do about it.
pub(crate) fn fail(what: &str, hint: Option<&str>) {
    log::failed(what, hint);
    if log::replaces_words() {
        return;
    }
    let name = if in_colour(&io::stderr()) { "\x1b[1;31mpinfold:\x1b[0m" } else { "pinfold:" };
    match hint {
        Some(hint) => line(name, &format!("{what}; {hint}")),
        None => line(name, what),
    }
}

fn line(name: &str, message: &str) {
    // One write, so that the lines of several processes do not mix.
    let _ = io::stderr().write_all(format!("{name} {}\n", plain(message)).as_bytes());
}

/// The text in one line that does nothing to a terminal: names of programs and files may hold anything.
pub(crate) fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_control() {
            // Writing to a String cannot fail.
            let _ = write!(shown, "{}", char.escape_default());
        } else {
            shown.push(char);
        }
    }
    shown
}

/// Prints what was asked for on standard output. When its reader is gone, pinfold ends as any program does then.
pub(crate) fn print(text: &str) -> End {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => End::Code(0),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => End::Signal(Signal::PIPE),
        Err(error) => {
            fail(&format!("standard output cannot be written to: {error}"), None);
            End::Code(FAILED)
        }
    }
}

/// Prints a value as one line of JSON, under the name that fixes what its fields mean.
pub(crate) fn print_json(schema: &'static str, value: &impl serde::Serialize) -> End {
    #[derive(serde::Serialize)]
    struct Line<'a, T> {
        schema: &'static str,
        #[serde(flatten)]
        value: &'a T,
    }
    match serde_json::to_string(&Line { schema, value }) {
        Ok(line) => print(&(line + "\n")),
        Err(error) => {
            fail(&format!("it cannot be written as JSON: {error}"), None);
            End::Code(FAILED)
        }
    }
}

/// Whether colours do good there: at a terminal, and unless `NO_COLOR` is set to something.
fn in_colour(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_whatever_it_names() {
        assert_eq!(plain("a\nb\x1b[31m \u{9b}é"), "a\\nb\\u{1b}[31m \\u{9b}é");
    }
}
