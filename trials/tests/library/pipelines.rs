//! Pipelines of real programs: who counts, what passes where, and that all of it is gone in the end.

use std::io::Write;
use std::time::{Duration, Instant};

use pinfold::{
    CancelToken, Cause, Command, ErrorKind, Guarantee, Host, Isolation, Limit, Mechanism, Overflow, Pipeline,
    ProcessGroup, Retry, Runner, Signal, Sink, Source, Stdio, StopRule, Stream,
};
use pinfold_trials::{Trial, wait_until, with_time_enough};

use crate::{LONG, Of, begin, fixture, mechanisms, sh};

/// Scripts of a shell, joined.
fn joined(trial: &Trial, scripts: &[&str]) -> Pipeline {
    Pipeline::new(scripts.iter().map(|script| sh(script).of(trial)))
}

#[test]
fn it_is_the_first_stage_that_did_not_end_cleanly_that_counts() {
    let trial = begin();
    // Scripts, the stage that failed, the exit code or the signal, and standard output.
    type Row<'a> = (&'a [&'a str], Option<usize>, Result<i32, Signal>, &'a str);
    let rows: &[Row<'_>] = &[
        (&["echo a", "cat", "cat"], None, Ok(0), "a\n"),
        (&["echo a; exit 3", "cat", "cat"], Some(0), Ok(3), "a\n"),
        (&["echo a", "cat; exit 4", "cat; exit 5"], Some(1), Ok(4), "a\n"),
        (&["echo a", "cat; echo bad >&2; exit 4", "cat"], Some(1), Ok(4), "a\n"),
        (&["echo a", "cat; exit 5"], Some(1), Ok(5), "a\n"),
        (&["echo a", "kill -USR1 $$", "cat"], Some(1), Err(Signal::USR1), ""),
        (&["echo a; exit 3"], Some(0), Ok(3), "a\n"),
        // A reader that has enough.
        (&["yes", "head -n1"], None, Ok(0), "y\n"),
        (&["yes", "cat", "cat", "head -n2"], None, Ok(0), "y\ny\n"),
        (&["yes", "head -n1; exit 6"], Some(1), Ok(6), "y\n"),
        // A shell says so of its last program.
        (&["yes; exit $?", "head -n1"], None, Ok(0), "y\n"),
        (&["exit 141"], Some(0), Ok(141), ""),
        // Nobody can have stopped reading the last.
        (&["echo a", "kill -PIPE $$"], Some(1), Err(Signal::PIPE), ""),
    ];
    for isolation in mechanisms() {
        for (scripts, failed, ending, stdout) in rows {
            let stages = joined(&trial, scripts).stages().to_vec();
            let stages = stages.into_iter().map(|stage| stage.isolation(isolation));
            let pipeline = Pipeline::new(stages);
            let output = pipeline.output().unwrap();
            let told = output.code().ok_or_else(|| output.signal().unwrap());
            let context = format!("{scripts:?} {isolation:?} {output:?}");
            assert_eq!((output.failed_stage(), told), (*failed, *ending), "{context}");
            assert_eq!((output.stdout.as_str(), output.cause), (*stdout, Cause::Itself), "{context}");
            assert_eq!(output.stages().len(), scripts.len());
            assert_eq!(output.is_success(), failed.is_none(), "{context}");
            let ran = pipeline.run().map_err(|error| (error.stage(), error.kind(), error.code()));
            match (failed, ending) {
                (None, _) => assert_eq!(ran.unwrap(), stdout.trim_end(), "{context}"),
                (Some(failed), Ok(code)) => {
                    let stage = Some(*failed).filter(|_| scripts.len() > 1);
                    assert_eq!(ran.unwrap_err(), (stage, ErrorKind::NonZeroExit, Some(*code)), "{context}");
                }
                (Some(failed), Err(_)) => {
                    assert_eq!(ran.unwrap_err(), (Some(*failed), ErrorKind::Signalled, None), "{context}");
                }
            }
        }
    }
}

#[test]
fn every_stage_keeps_what_became_of_it() {
    let trial = begin();
    let scripts = ["echo one >&2; echo a", "cat; echo two >&2; exit 7", "echo three >&2; cat; exit 8"];
    let output = joined(&trial, &scripts).output().unwrap();
    assert_eq!((output.stderr.as_str(), output.code(), output.program()), ("two\n", Some(7), "sh".as_ref()));
    let told: Vec<_> = output
        .stages()
        .iter()
        .map(|stage| (stage.stderr_text(), stage.outcome.code().unwrap(), stage.clean))
        .collect();
    let expected = [("one\n", 0, true), ("two\n", 7, false), ("three\n", 8, false)];
    assert_eq!(told, expected.map(|(text, code, clean)| (text.to_owned(), code, clean)));
    assert_eq!(output.combined(), "a\ntwo\n");
    let error = joined(&trial, &scripts).run().unwrap_err();
    assert_eq!(error.output().unwrap().stages().len(), 3);
    assert_eq!(error.to_string(), "sh (stage 2 of 3): exited with code 7; it last wrote: two");
}

#[test]
fn an_unchecked_stage_fails_nothing_however_it_ends() {
    let trial = begin();
    for script in ["cat; exit 1", "kill -USR1 $$"] {
        let pipeline = sh("echo a").of(&trial) | sh(script).of(&trial).unchecked() | sh("cat").of(&trial);
        let output = pipeline.output().unwrap();
        assert!(output.is_success() && output.failed_stage().is_none(), "{output:?}");
        assert!(output.stages()[1].clean && !output.stages()[1].outcome.exited_zero());
        let last = sh("echo a").of(&trial) | sh(script).of(&trial).unchecked();
        assert!(last.output().unwrap().is_success());
        last.run().unwrap();
    }
    // What ends it from outside is not taken for its own way to end.
    let stage = sh("exec sleep 60").of(&trial).unchecked().timeout(Duration::from_millis(50));
    let error = (stage | sh("cat").of(&trial)).run().unwrap_err();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Timeout, Some(0)));
}

#[test]
fn standard_error_goes_down_the_pipe_where_a_stage_says_so() {
    let trial = begin();
    let pipeline = sh("echo out; echo err >&2").of(&trial).stderr(Stdio::Stdout) | sh("cat").of(&trial);
    let output = pipeline.output().unwrap();
    assert_eq!((output.stdout.as_str(), output.stages()[0].stderr_text()), ("out\nerr\n", String::new()));
}

#[test]
fn a_stage_that_cannot_start_ends_the_chain_and_names_itself() {
    let trial = begin();
    let marker = tempfile::tempdir().unwrap();
    let file = marker.path().join("touched");
    let missing = Command::new("pinfold-no-such-program");
    let touch = Command::new("touch").arg(&file).of(&trial);
    let error = (touch | sh("cat").of(&trial) | missing).run().unwrap_err();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::NotFound, Some(2)));
    assert!(error.to_string().starts_with("pinfold-no-such-program (stage 3 of 3): not found"), "{error}");
    assert!(!file.exists(), "a program was started before all were looked at");
    // What only the start tells.
    let text = marker.path().join("text");
    std::fs::write(&text, "#!/no/such/interpreter\n").unwrap();
    std::fs::set_permissions(&text, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let pipeline = fixture("sleep 100").of(&trial) | Command::new(&text) | sh("cat").of(&trial);
    let error = pipeline.run().unwrap_err();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::NotFound, Some(1)), "{error}");
    assert!(trial.survivors().is_empty(), "the first was left");
}

#[test]
fn what_cannot_be_joined_is_refused() {
    let trial = begin();
    let cat = || Command::new("cat").of(&trial);
    let rows = [
        (cat() | cat().stdin_text("x"), 1, "another standard input"),
        (cat().stdout(Stdio::Null) | cat(), 0, "elsewhere"),
        (cat().tee(Stream::Stdout) | cat(), 0, "teed"),
        (cat().idle_timeout(LONG) | cat(), 0, "idle timeout"),
        (cat() | cat().retry(Retry::times(2)), 1, "tried again"),
    ];
    for (pipeline, stage, why) in rows {
        let error = pipeline.output().unwrap_err();
        assert_eq!((error.kind(), error.stage()), (ErrorKind::InvalidInput, Some(stage)), "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }
    assert_eq!(Pipeline::default().run().unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!((cat().keep_stdin_open() | cat()).run().unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn one_timeout_ends_the_whole_chain() {
    let trial = begin();
    for isolation in mechanisms() {
        let stage = |arguments: &str| fixture(arguments).of(&trial).isolation(isolation);
        let pipeline = sh("exit 0").of(&trial).isolation(isolation) | stage("sleep 100") | stage("sleep 100");
        let causes = |output: &pinfold::Output<Vec<u8>>| -> Vec<Cause> {
            output.stages().iter().map(|stage| stage.outcome.cause).collect()
        };
        // Time enough for the first to end.
        let (limit, error) = with_time_enough(|limit| {
            let error = pipeline.clone().timeout(limit).run().unwrap_err();
            (causes(error.output().unwrap())[0] == Cause::Itself).then_some((limit, error))
        });
        assert_eq!(
            (error.kind(), error.timeout(), error.stage()),
            (ErrorKind::Timeout, Some(limit), Some(1))
        );
        let late = format!("(stage 2 of 3): timed out after {limit:?}");
        assert!(error.to_string().contains(&late), "{error}");
        assert_eq!(causes(error.output().unwrap())[1..], [Cause::Timeout, Cause::Timeout]);
        assert!(trial.survivors().is_empty());
        // Who ignores the signal is killed when grace is over.
        let stubborn = sh("exec sleep 100").of(&trial).isolation(isolation) | stage("trap TERM");
        let grace = Duration::from_millis(200);
        let output = with_time_enough(|limit| {
            let output = stubborn.clone().timeout(limit).timeout_grace(grace).output().unwrap();
            output.stdout.starts_with("ready").then_some(output)
        });
        assert_eq!(output.cause, Cause::Timeout);
        let signals: Vec<_> = output.stages().iter().map(|stage| stage.outcome.signal()).collect();
        assert_eq!(signals, [Some(Signal::TERM), Some(Signal::KILL)]);
    }
}

#[test]
fn a_stage_has_its_own_timeout_and_output_limit() {
    let trial = begin();
    let (limit, pipeline, output) = with_time_enough(|limit| {
        let pipeline = sh("echo a; exec sleep 100").of(&trial).timeout(limit) | sh("cat").of(&trial);
        let output = pipeline.output().unwrap();
        (output.stdout == "a\n").then_some((limit, pipeline, output))
    });
    assert_eq!((output.failed_stage(), output.cause), (Some(0), Cause::Timeout));
    assert!(output.stages()[1].outcome.exited_zero());
    assert!(pipeline.run().unwrap_err().to_string().contains(&format!("timed out after {limit:?}")));

    let few = Limit { max_bytes: Some(100), max_lines: None, on_overflow: Overflow::Error };
    let chatty = sh("yes >&2").of(&trial).output_limit(few);
    let error = (chatty | sh("cat").of(&trial)).output().unwrap_err();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::OutputTooLarge, Some(0)), "{error}");
    let error = (sh("yes").of(&trial) | sh("cat").of(&trial).output_limit(few)).output().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutputTooLarge, "{error}");
    // What passes through is not held against a limit.
    let passing = sh("head -c 1M /dev/zero").of(&trial).output_limit(few) | sh("wc -c").of(&trial);
    assert_eq!(passing.run().unwrap(), "1048576");

    let idle = sh("sleep 100").of(&trial) | sh("cat").of(&trial).idle_timeout(limit);
    let error = idle.run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(error.to_string().contains(&format!("wrote nothing for {limit:?}")), "{error}");
}

#[test]
fn its_ends_are_bytes_and_files() {
    let trial = begin();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    let sort = || Command::new("sort").of(&trial);
    let output = (Source::text("b\na\n") | sort() | Sink::file(&file)).output().unwrap();
    assert!(output.is_success() && output.stdout.is_empty());
    (Source::file(&file) | sort() | Command::new("tac").of(&trial) | Sink::append(&file)).run().unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "a\nb\nb\na\n");
    // More than any pipe holds, through three programs and back.
    let bytes: Vec<u8> = (0..4_u32 << 20).map(|index| index as u8).collect();
    let cat = || Command::new("cat").of(&trial);
    let output = (Source::bytes(bytes.clone()) | cat() | cat() | cat()).output_bytes().unwrap();
    assert!(output.stdout == bytes);
    // A reader that wants none of it.
    assert!((Source::bytes(bytes) | sh("exit 0").of(&trial) | cat()).output().unwrap().is_success());
    let error = (Source::file(directory.path().join("none")) | cat() | cat()).run().unwrap_err();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::NotFound, Some(0)), "{error}");
}

#[test]
fn the_live_handle_feeds_the_first_stage_and_streams_the_last() {
    let trial = begin();
    let upper = sh("while read line; do echo \"<$line>\"; done").of(&trial);
    let pipeline = Command::new("cat").of(&trial) | upper;
    let handle = pipeline.keep_stdin_open().start().unwrap();
    let mut stdin = handle.stdin().unwrap();
    let mut lines = handle.stdout_lines().unwrap();
    for word in ["one", "two"] {
        stdin.write_line(word).unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), format!("<{word}>"));
    }
    assert_eq!(handle.members().len(), 2);
    stdin.close().unwrap();
    assert!(lines.next().is_none());
    let output = handle.output().unwrap();
    assert_eq!((output.code(), output.stages().len()), (Some(0), 2));
}

#[test]
fn stopping_and_dropping_the_handle_end_every_stage_and_what_those_started() {
    let trial = begin();
    for isolation in mechanisms() {
        let pipeline = || {
            let stage = || sh("sleep 1000 & echo up >&2; wait").of(&trial).isolation(isolation);
            Pipeline::new([stage(), stage(), stage().stderr(Stdio::Stdout)])
        };
        let handle = pipeline().start().unwrap();
        handle.stdout_lines().unwrap().next().unwrap().unwrap();
        wait_until("all of them", LONG, || handle.members().len() == 6);
        let outcome = handle.stop().unwrap();
        assert_eq!((outcome.cause, outcome.signal()), (Cause::Stopped, Some(Signal::TERM)));
        assert!(trial.survivors().is_empty(), "{isolation:?}");
        let handle = pipeline().start().unwrap();
        handle.stdout_lines().unwrap().next().unwrap().unwrap();
        drop(handle);
        assert!(trial.survivors().is_empty(), "{isolation:?}");
        let handle = pipeline().start().unwrap();
        handle.suspend().unwrap();
        handle.resume().unwrap();
        handle.signal_all(Signal::KILL).unwrap();
        assert_eq!(handle.wait().unwrap().signal(), Some(Signal::KILL));
    }
}

#[test]
fn a_token_ends_all_of_it_and_is_always_an_error() {
    let trial = begin();
    let token = CancelToken::new();
    let told = token.clone();
    let host = Host::new().cancel_on(&token).on_line(move |_, _| told.cancel());
    let pipeline = sh("exit 3").of(&trial) | sh("echo up; exec sleep 100").of(&trial);
    let error = pipeline.on(&host).output().unwrap_err();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Cancelled, Some(1)), "{error}");
    let error = pipeline.on(&host).output().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

#[test]
fn listeners_hear_the_last_stage_and_the_errors_of_all() {
    let trial = begin();
    let heard = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let told = heard.clone();
    let host = Host::new().on_line(move |stream, line| told.lock().unwrap().push((stream, line.to_owned())));
    let pipeline = sh("echo passed").of(&trial) | sh("cat; echo err >&2").of(&trial);
    pipeline.on(&host).run().unwrap();
    let mut heard = heard.lock().unwrap().clone();
    heard.sort_by_key(|(stream, _)| stream.as_str());
    assert_eq!(heard, [(Stream::Stderr, "err".to_owned()), (Stream::Stdout, "passed".to_owned())]);
}

#[test]
fn it_runs_in_a_group_and_in_one_container_of_its_own() {
    let trial = begin();
    let group = ProcessGroup::new().unwrap();
    let pipeline = fixture("sleep 100").of(&trial) | fixture("sleep 100").of(&trial);
    let handle = pipeline.on(&group).start().unwrap();
    wait_until("both", LONG, || group.members().len() == 2);
    assert_eq!(handle.mechanism(), group.mechanism());
    group.kill_all().unwrap();
    assert_eq!(handle.wait().unwrap().signal(), Some(Signal::KILL));
    if mechanisms().contains(&Isolation::Cgroup) {
        let strong =
            (Command::new("true").require(Guarantee::Guarded) | Command::new("true")).output().unwrap();
        assert_eq!(strong.mechanism, Mechanism::CgroupV2);
    }
    let mixed = Command::new("true").isolation(Isolation::ProcessGroup)
        | Command::new("true").isolation(Isolation::Subreaper);
    assert_eq!(mixed.run().unwrap_err().kind(), ErrorKind::Unsupported);
    drop(group);
}

#[test]
fn it_is_tried_again_as_a_whole() {
    let trial = begin();
    let directory = tempfile::tempdir().unwrap();
    let script = "echo x >> count; [ $(wc -l < count) = 3 ] && cat";
    let pipeline = sh("echo fed").of(&trial) | sh(script).of(&trial).cwd(directory.path());
    let retry = Retry { pause: Duration::from_millis(1), ..Retry::times(5) };
    assert_eq!(pipeline.retry(retry).run().unwrap(), "fed");
}

#[test]
fn no_byte_passes_through_us() {
    let trial = begin();
    let pipeline = sh("head -c 256M /dev/zero").of(&trial) | sh("cat").of(&trial) | sh("wc -c").of(&trial);
    let read_before = read_bytes();
    assert_eq!(pipeline.run().unwrap(), (256 << 20).to_string());
    assert!(read_bytes() - read_before < 1 << 20);
}

/// What this thread, which waits, has read with read(2) and the like.
fn read_bytes() -> u64 {
    let io = std::fs::read_to_string("/proc/thread-self/io").unwrap();
    io.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
}

#[test]
fn a_runner_of_ones_own_gets_its_stages_joined_by_us() {
    /// Knows how to launch, and nothing else.
    struct Plain;
    impl Runner for Plain {
        fn launch(&self, command: &Command) -> pinfold::Result<pinfold::Running> {
            Host::new().launch(command)
        }
    }
    let trial = begin();
    let begun = Instant::now();
    let pipeline = sh("yes; echo never").of(&trial) | sh("cat").of(&trial) | sh("head -n2").of(&trial);
    let output = pipeline.on(Plain).output().unwrap();
    assert_eq!(output.stdout, "y\ny\n");
    // The shell outlives its `yes`, and writes where nobody reads.
    assert!(output.stages()[1].clean, "{output:?}");
    assert!(begun.elapsed() < LONG);
    let bytes: Vec<u8> = (0..9_u32 << 20).map(|index| (index >> 3) as u8).collect();
    let cat = || Command::new("cat").of(&trial);
    let output = (Source::bytes(bytes.clone()) | cat() | cat()).on(Plain).output_bytes().unwrap();
    assert!(output.stdout == bytes);
    let slow = sh("head -c 64M /dev/zero").of(&trial) | sh("sleep 0.1; exec wc -c").of(&trial);
    assert_eq!(slow.on(Plain).run().unwrap(), (64 << 20).to_string());
    let handle =
        (fixture("sleep 100").of(&trial) | fixture("trap TERM").of(&trial)).on(Plain).start().unwrap();
    handle.stdout_lines().unwrap().next().unwrap().unwrap();
    assert_eq!(
        handle.stop_by(StopRule { signal: Signal::TERM, grace: Duration::ZERO }).unwrap().cause,
        Cause::Stopped
    );
    let mut fed = (cat().keep_stdin_open() | cat()).on(Plain).start().unwrap().stdin().unwrap();
    fed.write_all(b"x").unwrap();
    drop(fed);
}
