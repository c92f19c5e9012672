#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;
use crate::args::{Task, parse};

fn read(line: &str) -> Result<BatchArgs, Misuse> {
    match parse(line.split_whitespace().map(Into::into).collect())? {
        Task::Batch(args) => Ok(*args),
        other => panic!("{other:?}"),
    }
}

fn words(line: &str) -> Vec<OsString> {
    line.split_whitespace().map(Into::into).collect()
}

#[test]
fn the_template_ends_where_arguments_begin() {
    let args = read("batch -j4 -k echo -n {} ::: a b ::: 1 2").unwrap();
    assert_eq!(
        (args.jobs, args.keep_order, args.template),
        (Some(Share::Count(4)), true, words("echo -n {}"))
    );
    assert_eq!(args.sources, [Source::Words(words("a b")), Source::Words(words("1 2"))]);
    let args = read("batch ::: one two").unwrap();
    assert!(args.template.is_empty());
    assert_eq!(args.sources, [Source::Words(words("one two"))]);
    let args = read("batch -a in -- -x :::: more").unwrap();
    assert_eq!(args.template, words("-x"));
    assert_eq!(args.sources, [Source::File("in".into()), Source::File("more".into())]);
    assert_eq!(read("batch -0n2 -P 8 rm").unwrap().max_args, Some(2));
    assert!(read("batch").unwrap().sources.is_empty());
}

#[test]
fn what_run_has_as_well_is_called_alike() {
    for line in ["batch --retry 3 -s INT x", "batch --retries=3 --signal=SIGINT x"] {
        let args = read(line).unwrap();
        assert_eq!((args.retry, args.signal), (3, Some(Signal::INT)), "{line}");
    }
    for line in ["run --retry 3 x", "run --retries=3 x"] {
        let Ok(Task::Run(args)) = parse(words(line)) else { panic!("{line} is refused") };
        assert_eq!(args.retry, 3, "{line}");
    }
}

#[test]
fn values_read_as_documented() {
    for (text, expected) in [
        ("3", Ok(Share::Count(3))),
        ("150%", Ok(Share::Percent(150))),
        ("+2", Ok(Share::Beside(2))),
        ("-1", Ok(Share::Beside(-1))),
        ("0", Ok(Share::All)),
    ] {
        assert_eq!(share(text), expected);
    }
    for text in ["", "x", "0%", "%", "1.5", "+"] {
        assert!(share(text).is_err(), "{text}");
    }
    assert_eq!(halt("never"), Ok(None));
    assert_eq!(halt("soon,done=9"), Ok(Some(Halt { now: false, on: HaltOn::Done, after: 9 })));
    assert_eq!(read("batch --fail-fast x").unwrap().halt, halt("now,fail=1").unwrap());
    for text in ["", "now", "now,fail", "now,fail=0", "later,fail=1", "now,fail=10%", "now,fails=1"] {
        assert!(halt(text).is_err(), "{text}");
    }
    assert_eq!(delimiter(",".as_ref()), Ok(b','));
    assert_eq!(delimiter("\\0".as_ref()), Ok(0));
    assert!(delimiter("ab".as_ref()).is_err() && delimiter("".as_ref()).is_err());
}

#[test]
fn what_cannot_be_meant_is_refused_with_what_would_be_right() {
    for (line, part) in [
        ("batch -0 -d, x", "-0 and -d"),
        ("batch -n2 -L2 x", "-n and -L"),
        ("batch -n0 x", "at least one"),
        ("batch -n2", "without a command"),
        ("batch -n2 x ::: a ::: b", "several lists"),
        ("batch --line-buffer -k x", "in no order"),
        ("batch -u --tag x", "does not see"),
        ("batch --resume x", "--joblog FILE"),
        ("batch -a - -a - x", "read once"),
        ("batch x ::::", "no file"),
        ("batch --retry x y", "--retry: 'x'"),
        ("batch --retries x y", "--retry: 'x'"),
        ("batch --retris 3 x", "did you mean --retry?"),
        ("batch --kill-signal INT x", "here it is called --signal"),
        ("batch -s NONE x", "--signal: no signal is called 'NONE'"),
        ("batch -j x", "no number of jobs"),
        ("batch --log-format json -v x", "--verbose says arguments"),
        ("batch --log-format json --progress x", "progress bar"),
        ("batch --log-format yaml x", "use text, json"),
    ] {
        let misuse = read(line).unwrap_err();
        let told = format!("{}; {}", misuse.what, misuse.hint);
        assert!(told.contains(part), "{line}: {told}");
    }
}
