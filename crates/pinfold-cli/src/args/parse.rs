//! Reading the command line: which command, and what each makes of the words that are no options.

use super::batch::BatchArgs;
use super::kill::KillArgs;
use super::options::{self, Given, Options};
use super::sheet::Sheet;
use super::wait_for::{self, Target, WaitForArgs};
use super::{Misuse, Page, RunArgs, Task, batch, cleanup, doctor, kill, ps, run};
use std::ffi::{OsStr, OsString};

pub(super) type Words = std::vec::IntoIter<OsString>;

/// The subcommands, for the hint to who misspells one.
const COMMANDS: &[&str] =
    &["run", "batch", "wait-for", "doctor", "cleanup", "ps", "kill", "completions", "man", "help"];

/// What the tools that people come from call them.
const ELSEWHERE: &[(&str, &str)] = &[
    ("tree", "ps"),
    ("top", "ps"),
    ("ls", "ps"),
    ("list", "ps"),
    ("status", "ps"),
    ("stop", "kill"),
    ("start", "run"),
    ("exec", "run"),
    ("info", "doctor"),
    ("prune", "cleanup"),
];

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
        Some("batch") => batch(words),
        Some("wait-for") => wait_for(words),
        Some("doctor") => command(&doctor::SHEET, Page::Doctor, words, |args, words| {
            nothing_more(words).map(|()| Task::Doctor(args))
        }),
        Some("cleanup") => command(&cleanup::SHEET, Page::Cleanup, words, |args, words| {
            nothing_more(words).map(|()| Task::Cleanup(args))
        }),
        Some("ps") => {
            command(&ps::SHEET, Page::Ps, words, |args, words| nothing_more(words).map(|()| Task::Ps(args)))
        }
        Some("kill") => command(&kill::SHEET, Page::Kill, words, kill),
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

pub(super) fn misuse(what: impl Into<String>, hint: impl Into<String>) -> Misuse {
    Misuse { what: what.into(), hint: hint.into() }
}

fn unknown_command(word: &OsStr) -> Misuse {
    let word = word.to_string_lossy();
    let hint =
        match (ELSEWHERE.iter().find(|(name, _)| *name == word), nearest(&word, COMMANDS.iter().copied())) {
            (Some((_, here)), _) => {
                format!("what comes near is `pinfold {here}`; to run a program: `pinfold run {word}`")
            }
            (None, Some(command)) => format!("did you mean `pinfold {command}`?"),
            (None, None) => {
                format!("to run a program: `pinfold run {word}`; the commands are {}", COMMANDS.join(", "))
            }
        };
    misuse(format!("there is no command '{word}'"), hint)
}

fn page(mut words: Words) -> Result<Page, Misuse> {
    let page = match words.next() {
        None => Page::Pinfold,
        Some(word) => match Page::ALL.iter().find(|page| word == page.name()) {
            Some(page) => *page,
            None => {
                let names: Vec<&str> = Page::ALL.iter().map(|page| page.name()).collect();
                let what = format!("there is no page on '{}'", word.display());
                return Err(misuse(what, format!("there is one on {}", names.join(", "))));
            }
        },
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

fn run(words: Words) -> Result<Task, Misuse> {
    let mut args = RunArgs::default();
    let mut given = match options::read(&run::SHEET, &mut args, words, Options::First)? {
        Given::Help { long } => return Ok(Task::Help { page: Page::Run, long }),
        Given::Words(words) => words.into_iter(),
    };
    let Some(program) = given.next() else {
        let hint = "use `pinfold run [options] -- program [arguments]`";
        return Err(misuse("run: no program is given", hint));
    };
    args.program = program;
    args.args = given.collect();
    Ok(Task::Run(Box::new(args)))
}

fn batch(words: Words) -> Result<Task, Misuse> {
    let mut args = BatchArgs::default();
    match options::read(&batch::SHEET, &mut args, words, Options::First)? {
        Given::Help { long } => Ok(Task::Help { page: Page::Batch, long }),
        Given::Words(words) => {
            args.take(words.into_iter())?;
            Ok(Task::Batch(Box::new(args)))
        }
    }
}

/// A command whose options may stand anywhere: `task` makes it of its arguments and the words between them.
fn command<T: Default>(
    sheet: &Sheet<T>,
    page: Page,
    words: Words,
    task: impl FnOnce(T, Words) -> Result<Task, Misuse>,
) -> Result<Task, Misuse> {
    command_of(sheet, page, T::default(), words, task)
}

/// The same, of arguments that are there in part.
fn command_of<T>(
    sheet: &Sheet<T>,
    page: Page,
    mut args: T,
    words: Words,
    task: impl FnOnce(T, Words) -> Result<Task, Misuse>,
) -> Result<Task, Misuse> {
    match options::read(sheet, &mut args, words, Options::Anywhere)? {
        Given::Help { long } => Ok(Task::Help { page, long }),
        Given::Words(words) => task(args, words.into_iter()),
    }
}

/// The targets stand before the first `--`, and the program behind it.
fn wait_for(words: Words) -> Result<Task, Misuse> {
    let mut words: Vec<OsString> = words.collect();
    let command = match words.iter().position(|word| word == "--") {
        Some(at) => words.split_off(at + 1),
        None => Vec::new(),
    };
    let split = words.last().is_some_and(|word| word == "--");
    let args = WaitForArgs { command, ..WaitForArgs::default() };
    command_of(&wait_for::SHEET, Page::WaitFor, args, words.into_iter(), |mut args, words| {
        for word in words {
            let target = super::values::text(&word).and_then(Target::read);
            args.targets.push(target.map_err(|wrong| {
                let (what, hint) =
                    wrong.rsplit_once("; ").unwrap_or((&wrong, "see `pinfold wait-for --help`"));
                misuse(format!("wait-for: {what}"), hint)
            })?);
        }
        if args.targets.is_empty() {
            return Err(misuse(
                "wait-for: nothing is named",
                "use `pinfold wait-for tcp://HOST:PORT [-- program]`",
            ));
        }
        if split && args.command.is_empty() {
            return Err(misuse("wait-for: no program is given after --", "name one, or leave out the --"));
        }
        Ok(Task::WaitFor(args))
    })
}

fn kill(mut args: KillArgs, words: Words) -> Result<Task, Misuse> {
    for word in words {
        let named = super::values::text(&word).and_then(kill::named);
        args.targets.push(named.map_err(|wrong| {
            let (what, hint) = wrong.rsplit_once("; ").unwrap_or((&wrong, "see `pinfold kill --help`"));
            misuse(format!("kill: {what}"), hint)
        })?);
    }
    match (args.all, args.targets.is_empty()) {
        (false, true) => Err(misuse("kill: nobody is named", "use `pinfold kill OWNER`, or --all")),
        (true, false) => Err(misuse("kill: --all means everybody", "leave it out, or the names")),
        _ => Ok(Task::Kill(args)),
    }
}

/// The candidate that a slip of the fingers, or an end that was left out, makes of the word.
pub(super) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
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
    use pinfold::{Guarantee, Isolation, Signal, Stdin};
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
    fn what_a_run_is_said_to_have_can_be_asked_for_in_the_same_words() {
        let run = run_of("run --isolation cgroup_v2 --require best_effort x");
        assert_eq!((run.isolation, run.require), (Isolation::Cgroup, Some(Guarantee::BestEffort)));
        assert_eq!(run_of("run --isolation pid_namespace x").isolation, Isolation::PidNamespace);
    }

    #[test]
    fn a_bound_of_0_is_none_and_a_pause_of_0_is_one() {
        let run = run_of("run -t 5s -t 0 --idle-timeout 0 --grace 0 --retry-pause 0 x");
        assert_eq!((run.timeout, run.idle_timeout), (None, None));
        assert_eq!((run.grace, run.retry_pause), (Some(Duration::ZERO), Some(Duration::ZERO)));
        let Ok(Task::Batch(args)) = read("batch -t 0 --grace 0 x ::: a") else { panic!("refused") };
        assert_eq!((args.timeout, args.grace), (None, Some(Duration::ZERO)));
        let Ok(Task::WaitFor(args)) = read("wait-for -t 0 --attempt 0 --interval 0 db:80") else {
            panic!("refused")
        };
        assert_eq!((args.timeout, args.attempt), (Some(Duration::MAX), Some(Duration::MAX)));
        assert_eq!(args.interval, Some(Duration::ZERO));
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
            ("doctor x", "'x' is one word too many", "--help"),
            ("doctor --jsno", "doctor: there is no option --jsno", "--json?"),
            ("cleanup --owner 1", "--owner: '1' is the first process", "--help"),
            ("cleanup --owner=-5", "--owner: '-5' is no pid", "--help"),
            ("ps 77", "'77' is one word too many", "--help"),
            ("tree", "no command 'tree'", "`pinfold ps`"),
            ("top", "no command 'top'", "`pinfold ps`"),
            ("stop 77", "no command 'stop'", "`pinfold kill`"),
            (
                "make",
                "no command 'make'",
                "run, batch, wait-for, doctor, cleanup, ps, kill, completions, man, help",
            ),
            ("kill", "nobody is named", "--all"),
            ("kill --all 77", "--all means everybody", "leave it out"),
            ("kill 77/", "'77/' names no run", "1234/2"),
            ("kill x", "'x' is no pid", "kill --help"),
            ("kill -1", "no option -1", "-s KILL"),
            ("kill -- -1", "'-1' is no pid", "kill --help"),
            ("wait-for", "nothing is named", "tcp://"),
            ("wait-for db", "wait-for: db: is nothing", "tcp://HOST:PORT"),
            ("wait-for tcp://db", "tcp://db: names no port", "write tcp://HOST:PORT"),
            ("wait-for https://db/", "would take TLS", "curl"),
            ("wait-for db:80 --", "no program is given", "leave out"),
            ("wait-for db:80 --wait-retry-interval 1s", "no option", "called --interval"),
            ("wait-for -- make", "nothing is named", "tcp://"),
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
        assert_eq!(read("kill 77 --help"), help(Page::Kill, true));
        assert_eq!(read("man cleanup"), Ok(Task::Man(Page::Cleanup)));
        assert_eq!(read("run -q --help"), help(Page::Run, true));
        assert_eq!(read("run -qh x"), help(Page::Run, false));
        assert_eq!(run_of("run x --help").args, ["--help"]);
        assert_eq!(read("-V"), Ok(Task::Version));
        assert_eq!(read("man run"), Ok(Task::Man(Page::Run)));
    }

    #[test]
    fn what_is_listed_is_what_is_tracked_whether_that_is_said_or_not() {
        let plain = read("ps");
        assert_eq!(plain, Ok(Task::Ps(ps::PsArgs { json: false })));
        assert_eq!(read("ps --tracked"), plain);
        assert_eq!(read("ps --tracked --json"), read("ps --json"));
    }

    #[test]
    fn the_options_of_other_commands_may_stand_anywhere() {
        let Ok(Task::Kill(args)) = read("kill 77 --grace 2s 78/g1/3 -sINT") else { panic!("refused") };
        let named = |owner, run: Option<&str>| kill::Named { owner, run: run.map(str::to_owned) };
        assert_eq!(args.targets, [named(77, None), named(78, Some("g1/3"))]);
        assert_eq!((args.grace, args.signal), (Some(Duration::from_secs(2)), Some(Signal::INT)));
        let Ok(Task::Cleanup(args)) = read("cleanup -n --owner 77 --json") else { panic!("refused") };
        assert!(args.dry_run && args.json && args.owner == pinfold::Pid::new(77));
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
