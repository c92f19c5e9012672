//! All that help, completions and the manual say of one command, and by which its arguments are read.

use super::flag::Flag;
use clap::Arg;

/// A command.
pub(crate) struct Sheet<T: 'static> {
    pub(crate) name: &'static str,
    /// A line.
    pub(crate) about: &'static str,
    /// All of it, that line included.
    pub(crate) long_about: &'static str,
    pub(crate) usage: &'static str,
    pub(crate) examples: &'static str,
    /// What it exits with, and when.
    pub(crate) exits: &'static [(&'static str, &'static str)],
    pub(crate) flags: &'static [Flag<T>],
    /// What else stands in its command line.
    pub(crate) words: fn() -> Vec<Arg>,
}

#[cfg(test)]
mod tests {
    use super::super::{batch, cleanup, doctor, kill, ps, run, wait_for};
    use super::*;

    fn is_sound<T>(sheet: &Sheet<T>) {
        let flags = sheet.flags;
        let mut names: Vec<String> = flags.iter().map(|flag| flag.long.to_owned()).collect();
        names.extend(flags.iter().filter_map(|flag| flag.short.map(String::from)));
        names.extend(flags.iter().flat_map(|flag| flag.also.iter().map(|name| (*name).to_owned())));
        names.extend(flags.iter().flat_map(|flag| flag.elsewhere.iter().map(|name| (*name).to_owned())));
        names.extend(["help".to_owned(), "h".to_owned()]);
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all, "{}: a name is given twice, or help is not free", sheet.name);
        for flag in flags {
            let (about, long) = (flag.about, flag.long);
            assert!(about.len() <= 80 && about.starts_with(char::is_uppercase), "--{long}: {about}");
            assert!(!about.ends_with('.') && (flag.more.is_empty() || flag.more.ends_with('.')), "--{long}");
        }
        assert!(sheet.usage.starts_with(&format!("pinfold {}", sheet.name)), "{}", sheet.usage);
        assert!(sheet.long_about.starts_with(sheet.about) && !sheet.exits.is_empty(), "{}", sheet.name);
    }

    #[test]
    fn no_name_is_given_twice_and_every_option_is_explained_in_a_line() {
        is_sound(&run::SHEET);
        is_sound(&batch::SHEET);
        is_sound(&wait_for::SHEET);
        is_sound(&doctor::SHEET);
        is_sound(&cleanup::SHEET);
        is_sound(&ps::SHEET);
        is_sound(&kill::SHEET);
    }
}
