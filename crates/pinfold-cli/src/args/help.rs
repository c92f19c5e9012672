//! Help, completions and the manual: what clap makes of the definitions of the options.

use super::flag::{Flag, Value};
use super::sheet::Sheet;
use super::{Page, batch, cleanup, doctor, kill, ps, run, wait_for};
use crate::exit;
use clap::builder::{PossibleValuesParser, ValueParser};
use clap::{Arg, ArgAction, Command, ValueHint};

/// What is said of the tool in a line.
const ABOUT: &str = "Run commands contained: nothing they start outlives them unless you say so";

const PINFOLD_EXAMPLES: &str = "\
Examples:
  pinfold run -- make -j4             whatever it starts ends with it
  pinfold run -t 5m -- cargo test     all of it is stopped after five minutes
  pinfold run --explain -- make       what would be done, and nothing started
  pinfold batch -j4 gzip ::: *.log    many of them, a few at a time
  pinfold wait-for db:5432 -- serve   once somebody listens there
  pinfold doctor                      what this host offers, and how to get more
  pinfold ps                          who runs what
  pinfold completions bash            to be sourced by a shell
  pinfold man run | man -l -          the manual page of `run`";

/// The whole tool as clap sees it.
pub(crate) fn tool() -> Command {
    let page =
        Arg::new("page").value_name("COMMAND").value_parser(Page::ALL.map(Page::name)).help("The command");
    let shell = Arg::new("shell").value_name("SHELL").required(true).help("The shell");
    let shells = PossibleValuesParser::new(["bash", "elvish", "fish", "powershell", "zsh"]);
    Command::new("pinfold")
        .bin_name("pinfold")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .after_help(PINFOLD_EXAMPLES)
        .subcommand_required(true)
        .disable_help_subcommand(true)
        .subcommands([
            of(&run::SHEET),
            of(&batch::SHEET),
            of(&wait_for::SHEET),
            of(&doctor::SHEET),
            of(&cleanup::SHEET),
            of(&ps::SHEET),
            of(&kill::SHEET),
        ])
        .subcommand(
            Command::new("completions")
                .about("Write the completions of a shell")
                .arg(shell.value_parser(shells)),
        )
        .subcommand(Command::new("man").about("Write a manual page in roff").arg(page.clone()))
        .subcommand(Command::new("help").about("Show the help of a command").arg(page))
}

/// The command of a page.
pub(crate) fn command(page: Page) -> Command {
    let command = match page {
        Page::Pinfold => return tool(),
        Page::Run => of(&run::SHEET),
        Page::Batch => of(&batch::SHEET),
        Page::WaitFor => of(&wait_for::SHEET),
        Page::Doctor => of(&doctor::SHEET),
        Page::Cleanup => of(&cleanup::SHEET),
        Page::Ps => of(&ps::SHEET),
        Page::Kill => of(&kill::SHEET),
    };
    command.bin_name(format!("pinfold {}", page.name())).display_name(format!("pinfold-{}", page.name()))
}

fn of<T>(sheet: &Sheet<T>) -> Command {
    Command::new(sheet.name)
        .about(sheet.about)
        .long_about(sheet.long_about)
        .override_usage(sheet.usage)
        .after_help(sheet.examples)
        .after_long_help(format!("{}\n\n{}", exit::table(sheet.exits), sheet.examples))
        .args(sheet.flags.iter().map(arg))
        .args((sheet.words)())
}

fn arg<T>(flag: &Flag<T>) -> Arg {
    let arg = Arg::new(flag.long).long(flag.long).help(flag.about).help_heading(flag.heading.as_str());
    let arg = arg.visible_aliases(flag.also.iter().copied());
    let arg =
        if flag.more.is_empty() { arg } else { arg.long_help(format!("{}. {}", flag.about, flag.more)) };
    let arg = match flag.short {
        Some(short) => arg.short(short),
        None => arg,
    };
    let choices = (flag.choices)();
    let parser: ValueParser =
        if choices.is_empty() { ValueParser::os_string() } else { PossibleValuesParser::new(choices).into() };
    match flag.value {
        Value::None => arg.action(ArgAction::SetTrue),
        Value::Needed(name) => arg
            .action(ArgAction::Append)
            .value_name(name)
            .value_parser(parser)
            .value_hint(hint(name))
            .allow_hyphen_values(true),
        Value::Optional(name) => arg
            .action(ArgAction::Set)
            .value_name(name)
            .value_parser(parser)
            .num_args(0..=1)
            .require_equals(true),
    }
}

/// What a shell may complete in the place of such a value.
fn hint(name: &str) -> ValueHint {
    match name {
        "FILE" => ValueHint::FilePath,
        "DIRECTORY" => ValueHint::DirPath,
        "[USER][:GROUP]" => ValueHint::Username,
        _ => ValueHint::Other,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn clap_has_nothing_to_object_to() {
        tool().debug_assert();
    }

    /// What clap completes and documents is what is read: each option, given to both, is an option of both.
    #[test]
    fn clap_reads_what_we_read() {
        for flag in super::super::flags::FLAGS {
            let value = match (flag.choices)().first() {
                Some(choice) => (*choice).to_owned(),
                None => "1".to_owned(),
            };
            let word = match flag.value {
                Value::None => format!("--{}", flag.long),
                _ => format!("--{}={value}", flag.long),
            };
            let matches = tool().try_get_matches_from(["pinfold", "run", &word, "--", "make", "-x"]).unwrap();
            let (_, run) = matches.subcommand().unwrap();
            assert_eq!(run.get_one::<String>("program").unwrap(), "make");
            assert_eq!(run.get_many::<String>("args").unwrap().next().unwrap(), "-x");
            assert!(run.value_source(flag.long).is_some(), "{word}");
            for other in flag.also {
                let word = word.replacen(flag.long, other, 1);
                let matches = tool().try_get_matches_from(["pinfold", "run", &word, "--", "make"]).unwrap();
                assert!(matches.subcommand().unwrap().1.value_source(flag.long).is_some(), "{word}");
            }
        }
    }

    #[test]
    fn help_reads_as_it_was_read_last() {
        for (name, page, long) in [
            ("pinfold", Page::Pinfold, true),
            ("run-short", Page::Run, false),
            ("run", Page::Run, true),
            ("batch", Page::Batch, true),
            ("wait-for", Page::WaitFor, true),
            ("doctor", Page::Doctor, true),
            ("cleanup", Page::Cleanup, true),
            ("ps", Page::Ps, true),
            ("kill", Page::Kill, true),
        ] {
            let mut command = command(page).term_width(100);
            let help = if long { command.render_long_help() } else { command.render_help() };
            insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../../../../api" }, {
                insta::assert_snapshot!(format!("help-{name}"), help.to_string());
            });
        }
    }
}
