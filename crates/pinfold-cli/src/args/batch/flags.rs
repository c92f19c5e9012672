//! The one definition of each option of `pinfold batch`.

use super::super::flag::{Apply, Flag, Heading, Value, names, put, some};
use super::super::values::{self, GUARANTEES, ISOLATIONS};
use super::{BatchArgs, Halt, HaltOn, Source, delimiter, halt, share};

const fn flag(
    long: &'static str,
    value: Value,
    heading: Heading,
    about: &'static str,
    apply: Apply<BatchArgs>,
) -> Flag<BatchArgs> {
    Flag::new(long, value, heading, about, apply)
}

use Heading::{Containment, Input, Jobs, Printing, Reporting};
use Value::{Needed, None as Nothing};

pub(crate) const FLAGS: &[Flag<BatchArgs>] = &[
    flag("arg-file", Needed("FILE"), Input, "Take the arguments from the lines of a file", |args, value| {
        args.sources.push(Source::File(value.into()));
        Ok(())
    })
    .short('a')
    .elsewhere(&["arg-files"])
    .more("- is standard input. The same as :::: FILE."),
    flag("null", Nothing, Input, "Arguments end with a NUL, not with a line", |args, _| {
        put(&mut args.null, Ok(true))
    })
    .short('0'),
    flag("delimiter", Needed("BYTE"), Input, "Arguments end with this byte", |args, value| {
        put(&mut args.delimiter, delimiter(value).map(Some))
    })
    .short('d')
    .more("As itself, or as \\n, \\t, \\0."),
    flag(
        "max-args",
        Needed("N"),
        Input,
        "Give up to N arguments to each command [default: 1]",
        |args, value| put(&mut args.max_args, some(value, values::number)),
    )
    .short('n')
    .more("A word of the command with {} in it is then there once for each."),
    flag(
        "max-lines",
        Needed("N"),
        Input,
        "Give the words of up to N lines to each command",
        |args, value| put(&mut args.max_lines, some(value, values::number)),
    )
    .short('L')
    .more("The lines are split into words as a shell does it."),
    flag(
        "replace",
        Needed("TEXT"),
        Input,
        "The argument stands where this text does, rather than {}",
        |args, value| put(&mut args.replace, values::text(value).map(|text| Some(text.to_owned()))),
    )
    .short('I'),
    flag(
        "no-run-if-empty",
        Nothing,
        Input,
        "Run nothing where there is no argument, which is always so",
        |_, _| Ok(()),
    )
    .short('r'),
    //
    flag("jobs", Needed("N"), Jobs, "Run so many at a time [default: one for each CPU]", |args, value| {
        put(&mut args.jobs, some(value, share))
    })
    .short('j')
    .more(
        "150% is three for two CPUs, +1 is one more than there are CPUs, 0 is as many as there are commands.",
    ),
    flag("max-procs", Needed("N"), Jobs, "The same", |args, value| put(&mut args.jobs, some(value, share)))
        .short('P'),
    flag(
        "timeout",
        Needed("DURATION"),
        Jobs,
        "Stop a job, all of it, when it has run this long; 0 is never",
        |args, value| put(&mut args.timeout, values::text(value).and_then(values::bound)),
    )
    .short('t')
    .more("Durations are 500ms, 5s, 2m, 1h30m, or a number of seconds."),
    flag("grace", Needed("DURATION"), Jobs, "Between the stop signal and SIGKILL [default: 5s]", |args, value| {
        put(&mut args.grace, some(value, values::duration))
    })
    .elsewhere(&["kill-after", "termseq"])
    .more("0 kills at once."),
    flag("signal", Needed("SIGNAL"), Jobs, "Stop jobs with this signal [default: TERM]", |args, value| {
        put(&mut args.signal, some(value, values::signal))
    })
    .short('s')
    .elsewhere(&["kill-signal"])
    .more("At a timeout, by --halt now, and where the batch is told to stop. A name (INT, SIGINT, RTMIN+1) or a number."),
    flag(
        "retry",
        Needed("N"),
        Jobs,
        "Try a job again up to N times when it fails [default: 0]",
        |args, value| put(&mut args.retry, values::text(value).and_then(values::number)),
    )
    .also(&["retries"])
    .more("A job that was stopped with the batch is not tried again."),
    flag(
        "retry-pause",
        Needed("DURATION"),
        Jobs,
        "Before the first retry; it doubles, up to 30s [default: 100ms]",
        |args, value| put(&mut args.retry_pause, some(value, values::duration)),
    )
    .more("0 tries again at once."),
    flag(
        "retry-jitter",
        Needed("PART"),
        Jobs,
        "The part of each pause that is left to chance, 0 to 1 [default: 0]",
        |args, value| put(&mut args.retry_jitter, values::text(value).and_then(values::part)),
    )
    .more("With 0.5 a pause of 2s becomes one of 1s to 2s, so that what failed together does not come back together."),
    flag(
        "halt",
        Needed("WHEN,WHAT=N"),
        Jobs,
        "End early: now,fail=1, soon,fail=3, now,success=1 [default: never]",
        |args, value| put(&mut args.halt, values::text(value).and_then(halt)),
    )
    .elsewhere(&["halt-on-error"])
    .more("soon starts no more jobs, now stops those that run as well. WHAT is fail, success or done."),
    flag("fail-fast", Nothing, Jobs, "End with the first job that fails: --halt now,fail=1", |args, _| {
        put(&mut args.halt, Ok(Some(Halt { now: true, on: HaltOn::Fail, after: 1 })))
    }),
    flag("dry-run", Nothing, Jobs, "Print the commands, quoted for a shell, and run nothing", |args, _| {
        put(&mut args.dry_run, Ok(true))
    })
    .elsewhere(&["dryrun", "explain"]),
    //
    flag("isolation", Needed("CONTAINER"), Containment, "What holds each job together [default: best]", |args, value| {
        put(&mut args.isolation, values::text(value).and_then(values::isolation))
    })
    .choices(|| names(ISOLATIONS))
    .more("As for pinfold run."),
    flag("require", Needed("GUARANTEE"), Containment, "Refuse to run them with less than this", |args, value| {
        put(&mut args.require, values::choice(values::text(value)?, GUARANTEES).map(Some))
    })
    .choices(|| names(GUARANTEES))
    .more("As for pinfold run."),
    //
    flag("keep-order", Nothing, Printing, "Print output in the order of the commands", |args, _| {
        put(&mut args.keep_order, Ok(true))
    })
    .short('k'),
    flag(
        "line-buffer",
        Nothing,
        Printing,
        "Print each line as it comes, and not each job's output as a whole",
        |args, _| put(&mut args.line_buffer, Ok(true)),
    )
    .elsewhere(&["linebuffer", "lb"])
    .more("A line of more than 1 MiB comes in parts."),
    flag("ungroup", Nothing, Printing, "Let jobs write for themselves, whatever comes of it", |args, _| {
        put(&mut args.ungroup, Ok(true))
    })
    .short('u'),
    flag("tag", Nothing, Printing, "Put the arguments and a tab in front of each line", |args, _| {
        put(&mut args.tag, Ok(true))
    }),
    //
    flag(
        "joblog",
        Needed("FILE"),
        Reporting,
        "Write a line of JSON to this file for each job that ended",
        |args, value| {
            args.joblog = Some(value.into());
            Ok(())
        },
    )
    .elsewhere(&["job-log", "log"])
    .more(
        "It has the commands with their arguments. Without --resume it is emptied first. See docs/batch.md.",
    ),
    flag("resume", Nothing, Reporting, "Leave out the jobs that the job log says have ended", |args, _| {
        put(&mut args.resume, Ok(true))
    })
    .more("Whatever they came to, unless they were stopped with the batch."),
    flag(
        "resume-failed",
        Nothing,
        Reporting,
        "Leave out the jobs that the job log says have succeeded",
        |args, _| put(&mut args.resume_failed, Ok(true)),
    ),
    flag(
        "log-format",
        Needed("text|json[:FD]"),
        Reporting,
        "Say what happens in lines of text or of JSON [default: text]",
        |args, value| put(&mut args.log, values::text(value).and_then(values::log_format)),
    )
    .elsewhere(&["log-json", "events"])
    .more(
        "json has each start, retry, stop and end of a job as it happens, with its number and without arguments, and what \
         pinfold says, in place of its words; json:3 writes it to a descriptor that pinfold was given, beside the words. Its \
         \"schema\" is pinfold.event/1 (docs/events.md).",
    ),
    flag(
        "progress",
        Nothing,
        Reporting,
        "Show a progress bar even where standard error is no terminal",
        |args, _| put(&mut args.progress, Ok(Some(true))),
    )
    .elsewhere(&["bar", "eta"]),
    flag("no-progress", Nothing, Reporting, "Show no progress bar", |args, _| {
        put(&mut args.progress, Ok(Some(false)))
    }),
    flag(
        "quiet",
        Nothing,
        Reporting,
        "Say nothing of jobs that failed, and show no progress and no summary",
        |args, _| {
            (args.quiet, args.verbose) = (true, false);
            Ok(())
        },
    )
    .short('q')
    .more("Of --quiet and --verbose the last holds. What could not be started is said all the same."),
    flag("verbose", Nothing, Reporting, "Say each command before it is run", |args, _| {
        (args.quiet, args.verbose) = (false, true);
        Ok(())
    })
    .short('v')
    .elsewhere(&["trace"]),
];
