//! Reading the command line: the usual grammar of long and short options, and words that end it.

use super::flags::{FLAGS, Flag, Value};
use super::values::slice;
use super::{Misuse, Page, RunArgs, Task};
use std::ffi::{OsStr, OsString};

type Words = std::vec::IntoIter<OsString>;

/// The subcommands, for the hint to who misspells one.
const COMMANDS: &[&str] = &["run", "completions", "man", "help"];

/// Reads the arguments of this process, without its own name.
///
/// # Errors
/// The first word that means nothing here.
pub(crate) fn parse(words: Vec<OsString>) -> Result<Task, Misuse> {
    let mut words = words.into_iter();
    let Some(first) = words.next() else {
        return Err(misuse("no command is given", "try `pinfold run -- make`, or `pinfold --help`"));
    };
    match first.to_str() {
        Some("run") => run(words),
        Some("completions") => completions(words),
        Some("man") => Ok(Task::Man(page(words)?)),
        Some("help") => Ok(Task::Help { page: page(words)?, long: true }),
        Some("--help") => Ok(Task::Help { page: Page::Pinfold, long: true }),
        Some("-h") => Ok(Task::Help { page: Page::Pinfold, long: false }),
        Some("--version" | "-V") => Ok(Task::Version),
        Some(option) if option.starts_with('-') => {
            Err(misuse(format!("there is no option {option} before a command"), "see `pinfold --help`"))
        }
        _ => Err(unknown_command(&first)),
    }
}

fn misuse(what: impl Into<String>, hint: impl Into<String>) -> Misuse {
    Misuse { what: what.into(), hint: hint.into() }
}

fn unknown_command(word: &OsStr) -> Misuse {
    let word = word.to_string_lossy();
    let hint = match nearest(&word, COMMANDS.iter().copied()) {
        Some(command) => format!("did you mean `pinfold {command}`?"),
        None => format!("to run a program: `pinfold run {word}`"),
    };
    misuse(format!("there is no command '{word}'"), hint)
}

fn page(mut words: Words) -> Result<Page, Misuse> {
    let page = match words.next() {
        None => Page::Pinfold,
        Some(word) if word == "run" => Page::Run,
        Some(word) => {
            return Err(misuse(format!("there is no page on '{}'", word.display()), "there is one on `run`"));
        }
    };
    nothing_more(words).map(|()| page)
}

fn completions(mut words: Words) -> Result<Task, Misuse> {
    let shells = "bash, elvish, fish, powershell or zsh";
    let Some(word) = words.next() else {
        return Err(misuse("completions: no shell is given", format!("name {shells}")));
    };
    let shell = word.to_str().and_then(|name| name.parse().ok());
    let shell = shell.ok_or_else(|| {
        misuse(format!("completions: no shell '{}' is known", word.display()), format!("use {shells}"))
    })?;
    nothing_more(words).map(|()| Task::Completions(shell))
}

fn nothing_more(mut words: Words) -> Result<(), Misuse> {
    match words.next() {
        None => Ok(()),
        Some(word) => {
            Err(misuse(format!("'{}' is one word too many", word.display()), "see `pinfold --help`"))
        }
    }
}

fn run(mut words: Words) -> Result<Task, Misuse> {
    let mut run = RunArgs::default();
    let program = loop {
        let Some(word) = words.next() else { break None };
        let bytes = word.as_encoded_bytes();
        if word == "--" {
            break words.next();
        } else if word == "--help" {
            return Ok(Task::Help { page: Page::Run, long: true });
        } else if bytes.starts_with(b"--") {
            long(&mut run, &word, &mut words)?;
        } else if bytes.starts_with(b"-") && bytes.len() > 1 {
            if !shorts(&mut run, &word, &mut words)? {
                return Ok(Task::Help { page: Page::Run, long: false });
            }
        } else {
            break Some(word);
        }
    };
    match program {
        Some(program) => run.program = program,
        None => {
            return Err(misuse(
                "run: no program is given",
                "use `pinfold run [options] -- program [arguments]`",
            ));
        }
    }
    run.args = words.collect();
    Ok(Task::Run(Box::new(run)))
}

/// `--name`, `--name=value` or `--name value`.
fn long(run: &mut RunArgs, word: &OsStr, words: &mut Words) -> Result<(), Misuse> {
    let sign = word.as_encoded_bytes().iter().position(|byte| *byte == b'=');
    let name = slice(word, 2, sign.unwrap_or(word.len())).unwrap_or_default();
    let name = name.to_string_lossy();
    let Some(flag) = FLAGS.iter().find(|flag| flag.long == name) else { return Err(unknown_option(&name)) };
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
    apply(run, flag, &value)
}

/// `-qv`, `-k5s` or `-k 5s`; whether none of them is `-h`.
fn shorts(run: &mut RunArgs, word: &OsStr, words: &mut Words) -> Result<bool, Misuse> {
    let mut at = 1;
    while let Some(byte) = word.as_encoded_bytes().get(at) {
        let letter = char::from(*byte);
        at += 1;
        if letter == 'h' {
            return Ok(false);
        }
        let Some(flag) = FLAGS.iter().find(|flag| flag.short == Some(letter)) else {
            let shown = if byte.is_ascii() { format!("-{letter}") } else { word.display().to_string() };
            return Err(misuse(format!("run: there is no option {shown}"), "see `pinfold run --help`"));
        };
        if let Value::Needed(wanted) = flag.value {
            let attached = slice(word, at, word.len()).ok_or_else(|| not_text(flag))?;
            let value = if attached.is_empty() { words.next() } else { Some(attached) };
            apply(run, flag, &value.ok_or_else(|| no_value(flag, wanted))?)?;
            return Ok(true);
        }
        apply(run, flag, OsStr::new(""))?;
    }
    Ok(true)
}

fn apply(run: &mut RunArgs, flag: &Flag, value: &OsStr) -> Result<(), Misuse> {
    (flag.apply)(run, value).map_err(|wrong| {
        // Most readers of values say what would be right.
        let (what, hint) = wrong.rsplit_once("; ").unwrap_or((&wrong, "see `pinfold run --help`"));
        misuse(format!("--{}: {what}", flag.long), hint)
    })
}

fn no_value(flag: &Flag, wanted: &str) -> Misuse {
    misuse(format!("--{} needs a value", flag.long), format!("use --{} {wanted}", flag.long))
}

fn not_text(flag: &Flag) -> Misuse {
    misuse(format!("the value of --{} is not UTF-8", flag.long), "this platform takes text only")
}

fn unknown_option(name: &str) -> Misuse {
    let same = FLAGS.iter().find(|flag| flag.elsewhere.contains(&name)).map(|flag| flag.long);
    // Short names are close to others by chance: of those only letters in a wrong order say something.
    let near = || {
        let names = FLAGS.iter().map(|flag| flag.long);
        nearest(name, names.filter(|long| name.len() > 3 || sorted(long) == sorted(name)))
    };
    let hint = match (same, near()) {
        (Some(same), _) => format!("here it is called --{same}"),
        (None, Some(near)) => format!("did you mean --{near}?"),
        (None, None) => "see `pinfold run --help`, and put -- in front of the program".to_owned(),
    };
    misuse(format!("run: there is no option --{name}"), hint)
}

fn sorted(word: &str) -> Vec<char> {
    let mut letters: Vec<char> = word.chars().collect();
    letters.sort_unstable();
    letters
}

/// The candidate that a slip of the fingers, or an end that was left out, makes of the word.
fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let reach = if word.len() < 5 { 1 } else { 2 };
    let rank = |candidate: &str| match distance(word, candidate) {
        _ if word.len() >= 3 && candidate.starts_with(word) => 0,
        steps if steps <= reach => steps,
        _ => usize::MAX,
    };
    candidates
        .map(|candidate| (rank(candidate), candidate))
        .filter(|(rank, _)| *rank < usize::MAX)
        .min()
        .map(|(_, name)| name)
}

/// How many letters have to be put in, taken out, changed or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let changed = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + changed);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::super::EnvChange;
    use super::*;
    use pinfold::{Signal, Stdin};
    use std::time::Duration;

    fn read(line: &str) -> Result<Task, Misuse> {
        parse(line.split_whitespace().map(Into::into).collect())
    }

    fn run_of(line: &str) -> RunArgs {
        match read(line).unwrap() {
            Task::Run(run) => *run,
            other => panic!("{other:?}"),
        }
    }

    fn wrong(line: &str) -> String {
        let misuse = read(line).unwrap_err();
        format!("{}; {}", misuse.what, misuse.hint)
    }

    #[test]
    fn the_program_begins_at_the_first_word_that_is_no_option() {
        for line in
            ["run make -j4 --timeout 3", "run -- make -j4 --timeout 3", "run -q -- make -j4 --timeout 3"]
        {
            let run = run_of(line);
            assert_eq!((run.program, run.args.len(), run.timeout), ("make".into(), 3, None), "{line}");
        }
        let run = run_of("run -- --strange");
        assert_eq!(run.program, "--strange");
        assert_eq!(run_of("run make -- -x").args, ["--", "-x"]);
        assert_eq!(run_of("run - x").program, "-");
    }

    #[test]
    fn a_value_stands_in_the_same_word_or_in_the_next() {
        for line in [
            "run --timeout 5s -k 2s -s INT x",
            "run --timeout=5s -k2s -sINT x",
            "run -t 5s --grace 2s --signal=2 x",
            "run -qt5s --grace=2s -is int x",
        ] {
            let run = run_of(line);
            let seconds = |n| Some(Duration::from_secs(n));
            assert_eq!(
                (run.timeout, run.grace, run.signal),
                (seconds(5), seconds(2), Some(Signal::INT)),
                "{line}"
            );
        }
        assert_eq!(run_of("run --nice -5 x").nice, Some(-5));
        assert_eq!(run_of("run -n-5 x").nice, Some(-5));
    }

    #[test]
    fn an_optional_value_is_only_taken_after_its_sign() {
        assert_eq!(run_of("run --json 3").json, Some(2));
        assert_eq!(run_of("run --json=3 x").json, Some(3));
        assert!(wrong("run --json= x").contains("--json needs a value"));
    }

    #[test]
    fn the_last_word_holds_and_what_adds_up_adds_up() {
        assert_eq!(run_of("run -t1 -t2 x").timeout, Some(Duration::from_secs(2)));
        for (line, quiet) in [("run -qv x", false), ("run -vq x", true), ("run --verbose --quiet x", true)] {
            let run = run_of(line);
            assert_eq!((run.quiet, run.verbose), (quiet, !quiet), "{line}");
        }
        let run = run_of("run -e A=1 --env-file f -u A --rlimit nofile=1 --rlimit core=0 --stdin null x");
        let changes = [
            EnvChange::Set("A".into(), "1".into()),
            EnvChange::File("f".into()),
            EnvChange::Remove("A".into()),
        ];
        assert_eq!((run.env, run.rlimits.len(), run.stdin), (changes.into(), 2, Some(Stdin::Null)));
    }

    #[test]
    fn what_means_nothing_is_refused_with_what_to_do() {
        for (line, what, hint) in [
            ("", "no command", "pinfold run"),
            ("rum x", "no command 'rum'", "`pinfold run`"),
            ("make", "no command 'make'", "`pinfold run make`"),
            ("-t5 run", "no option -t5 before", "--help"),
            ("run", "no program", "-- program"),
            ("run --", "no program", "-- program"),
            ("run --tiemout 3 x", "no option --tiemout", "--timeout?"),
            ("run --idle 3 x", "no option --idle", "--idle-timeout?"),
            ("run --cdw / x", "no option --cdw", "--cwd?"),
            ("run --pid 3 x", "no option --pid", "see `pinfold run --help`"),
            ("run --kill-after 3 x", "no option --kill-after", "called --grace"),
            ("run --nonsense x", "no option --nonsense", "see `pinfold run --help`"),
            ("run -x y", "no option -x", "--help"),
            ("run -tx y", "--timeout: 'x' is no duration", "500ms"),
            ("run --timeout", "--timeout needs a value", "DURATION"),
            ("run -k", "--grace needs a value", "DURATION"),
            ("run --quiet=yes x", "--quiet takes no value", "leave out"),
            ("run --signal HUPP x", "'HUPP'", "TERM"),
            ("run --isolation jail x", "'jail' is none of best", "--help"),
            ("completions", "no shell", "zsh"),
            ("completions tcsh", "'tcsh'", "zsh"),
            ("completions bash x", "one word too many", "--help"),
            ("man nothing", "no page on 'nothing'", "run"),
        ] {
            let said = wrong(line);
            assert!(said.contains(what) && said.contains(hint), "{line}: {said}");
            assert!(!said.contains('\n'), "{said}");
        }
        let said = wrong("run --signal HUPP x");
        assert_eq!(said.matches("--signal").count(), 1, "{said}");
    }

    #[test]
    fn help_is_given_wherever_it_is_asked_for() {
        let help = |page, long| Ok(Task::Help { page, long });
        assert_eq!(read("--help"), help(Page::Pinfold, true));
        assert_eq!(read("-h"), help(Page::Pinfold, false));
        assert_eq!(read("help run"), help(Page::Run, true));
        assert_eq!(read("run -q --help"), help(Page::Run, true));
        assert_eq!(read("run -qh x"), help(Page::Run, false));
        assert_eq!(run_of("run x --help").args, ["--help"]);
        assert_eq!(read("-V"), Ok(Task::Version));
        assert_eq!(read("man run"), Ok(Task::Man(Page::Run)));
    }

    #[cfg(unix)]
    #[test]
    fn words_need_not_be_text() {
        use std::os::unix::ffi::OsStrExt;
        let strange = |bytes: &[u8]| OsStr::from_bytes(bytes).to_owned();
        let words = vec!["run".into(), strange(b"--cwd=\xff"), strange(b"-eA=\xfe"), strange(b"\xfd")];
        let Ok(Task::Run(run)) = parse(words) else { panic!("refused") };
        assert_eq!(run.cwd, Some(strange(b"\xff").into()));
        assert_eq!(run.env, [EnvChange::Set("A".into(), strange(b"\xfe"))]);
        assert_eq!(run.program, strange(b"\xfd"));
        assert!(parse(vec!["run".into(), strange(b"--\xff")]).is_err());
        assert!(parse(vec!["run".into(), strange(b"-\xff")]).is_err());
    }

    #[test]
    fn distances_count_slips() {
        for (a, b, steps) in [
            ("", "ab", 2),
            ("run", "run", 0),
            ("rum", "run", 1),
            ("urn", "run", 1),
            ("tiemout", "timeout", 1),
        ] {
            assert_eq!(distance(a, b), steps, "{a} {b}");
        }
    }
}
