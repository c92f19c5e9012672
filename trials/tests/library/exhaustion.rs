//! When something runs out: descriptors, processes, memory, time, or who read our output.

use std::io::Read;
use std::process::Stdio as StdStdio;

use pinfold::{Cause, Command, ErrorKind, Guarantee, Isolation, Mechanism, Resource, Signal, Stdio, Stream};
use pinfold_trials::descriptors::Descriptor;
use pinfold_trials::proc::Status;
use pinfold_trials::{can_write_cgroup2, given, is_root, with_time_enough};
use rustix::process::{Resource as Kernels, Rlimit, getrlimit, setrlimit};

use crate::part::Part;
use crate::{LONG, Of, begin, fixture, sh};

/// Lowers the soft limit of this process; gives what it was.
fn lower(resource: Kernels, current: u64) -> Rlimit {
    let before = getrlimit(resource);
    setrlimit(resource, Rlimit { current: Some(current), maximum: before.maximum }).unwrap();
    before
}

#[test]
fn without_descriptors_each_way_to_run_says_so_and_leaks_none() {
    let mut part = Part::new(|case| {
        let isolation = if case == "group" { Isolation::ProcessGroup } else { Isolation::Best };
        let command = fixture("cat").stdin_text("hello").isolation(isolation);
        type Run = (&'static str, fn(&Command) -> pinfold::Result<String>);
        let runs: [Run; 3] = [
            ("output", |command| command.output().map(|output| output.stdout)),
            ("start", |command| command.start()?.output().map(|output| output.stdout)),
            ("lines", |command| command.start()?.stdout_lines()?.collect()),
        ];
        let trial = begin();
        let open = || Descriptor::all().unwrap();
        let last = open().last().unwrap().number;
        // No gap is left below the last one, so that the limit counts.
        let null = std::fs::File::open("/dev/null").unwrap();
        let mut fill = vec![null.try_clone().unwrap()];
        while std::os::fd::AsRawFd::as_raw_fd(fill.last().unwrap()) < last {
            fill.push(null.try_clone().unwrap());
        }
        let last = open().last().unwrap().number;
        for (name, run) in runs {
            let mut refused = 0;
            let mut before = open();
            for spare in 0..40 {
                let limit = lower(Kernels::Nofile, u64::try_from(last + 1 + spare).unwrap());
                let result = run(&command);
                setrlimit(Kernels::Nofile, limit).unwrap();
                match result {
                    Ok(text) => assert_eq!(text, "hello", "{name} with {spare} to spare"),
                    Err(error) => {
                        refused += 1;
                        assert_eq!(
                            error.kind(),
                            ErrorKind::ResourceLimit,
                            "{name} with {spare} to spare: {error}"
                        );
                        assert!(error.what_to_do().is_some(), "{error}");
                        assert_eq!(error.os_error(), Some(libc::EMFILE), "{error}");
                        // What is kept for good is made once.
                        let now = open();
                        assert!(now.len() <= before.len() + 4, "{name} with {spare} to spare: {now:?}");
                        before = now;
                    }
                }
            }
            assert!((1..40).contains(&refused), "{name}: {refused}");
        }
        let outcome = command.output().unwrap().outcome;
        let wanted = if case == "best" {
            (Mechanism::CgroupV2, Guarantee::Guarded)
        } else {
            (Mechanism::ProcessGroup, Guarantee::BestEffort)
        };
        assert_eq!(
            (outcome.mechanism, outcome.guarantee),
            wanted,
            "what was lacking for a moment is not lacking for ever"
        );
        drop((fill, null, trial));
    });
    let trial = begin();
    part.pass(&trial, "group");
    if given(can_write_cgroup2(), "a cgroup v2 directory that can be written to") {
        part.pass(&trial, "best");
    }
}

#[test]
fn without_room_for_a_process_the_error_says_so() {
    let mut part = Part::new(|_| {
        let earlier = fixture("cat").keep_stdin_open().start().unwrap();
        let limit = lower(Kernels::Nproc, 0);
        // What was started before goes on without a thread.
        assert_eq!(earlier.in_background().unwrap_err().kind(), ErrorKind::ResourceLimit);
        earlier.stdin().unwrap().write_line("hello").unwrap();
        earlier.stdin().unwrap().close().unwrap();
        assert_eq!(earlier.output().unwrap().stdout, "hello\n");
        let error = sh("exit 0").output().unwrap_err();
        assert_eq!(
            (error.kind(), error.os_error()),
            (ErrorKind::ResourceLimit, Some(libc::EAGAIN)),
            "{error}"
        );
        assert!(error.to_string().contains("ulimit -u"), "{error}");
        assert!(sh("exit 0").spawn_detached().is_err());
        setrlimit(Kernels::Nproc, limit).unwrap();
        assert_eq!(sh("exit 0").exit_code().unwrap(), 0);
    })
    .unprivileged();
    let trial = begin();
    // The kernel bounds nobody who has the rights of root.
    if given(is_root(), "root, to become somebody without its rights") {
        for route in ["clone3", "clone", "fork"] {
            part = part.env("PINFOLD_SPAWN", route);
            part.pass(&trial, route);
        }
    }
}

#[test]
fn a_program_that_finds_no_room_for_its_own_children_is_told_like_any_other() {
    let trial = begin();
    let command =
        fixture("alloc 512M").of(&trial).rlimit(Resource::AddressSpace, Some(64 << 20), Some(64 << 20));
    assert_eq!(command.output().unwrap().outcome.code(), Some(70));
}

#[test]
fn without_memory_the_run_ends_in_an_error_and_what_came_is_kept() {
    let mut part = Part::new(|case| {
        let status = Status::of("self").unwrap();
        let size: u64 = status.field("VmSize").unwrap().trim_end_matches(" kB").parse().unwrap();
        let limit = lower(Kernels::As, (size << 10) + (96 << 20));
        let command = fixture("flood 1G").timeout(LONG);
        let error = match case {
            "output" => command.output_bytes().unwrap_err(),
            _ => command.run().unwrap_err(),
        };
        assert_eq!(error.kind(), ErrorKind::ResourceLimit, "{error}");
        assert!(error.to_string().contains("memory"), "{error}");
        let output = error.into_output().unwrap();
        assert!(output.stdout.len() >= 16 << 20, "{}", output.stdout.len());
        assert!(output.stdout.iter().all(|byte| matches!(byte, b'x' | b'\n')));
        drop(output);
        assert_eq!(fixture("out hello").run().unwrap(), "hello", "and the next one runs");
        setrlimit(Kernels::As, limit).unwrap();
    });
    let trial = begin();
    for case in ["output", "run"] {
        part.pass(&trial, case);
    }
}

#[test]
fn when_nobody_reads_our_output_any_more_a_teed_program_is_told_and_we_are_not_hurt() {
    let mut part = Part::new(|case| {
        let endless = fixture("flood 100G").timeout(LONG);
        let command = match case {
            "stdout" => endless.tee(Stream::Stdout),
            "inherit" => endless.stdout(Stdio::Inherit),
            _ => fixture("flood 100G --stderr").timeout(LONG).tee(Stream::Stderr),
        };
        let output = command.output_bytes().unwrap();
        assert_eq!(
            (output.outcome.cause, output.outcome.signal()),
            (Cause::Itself, Some(Signal::PIPE)),
            "{case}"
        );
        let stream = if case == "stderr" { &output.stderr } else { &output.stdout };
        assert_eq!(stream.is_empty(), case == "inherit", "what came is kept");
        std::process::exit(33);
    });
    let trial = begin();
    for case in ["stdout", "inherit", "stderr"] {
        let mut child =
            part.command(&trial, case).stdout(StdStdio::piped()).stderr(StdStdio::piped()).spawn().unwrap();
        let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let read: &mut dyn Read = if case == "stderr" { &mut err } else { &mut out };
        // Reads the beginning, and is seen no more.
        let mut buffer = [0; 1 << 10];
        while !buffer.starts_with(b"xxxx") {
            assert_ne!(read.read(&mut buffer).unwrap(), 0, "{case}");
        }
        drop((out, err));
        assert_eq!(child.wait().unwrap().code(), Some(33), "{case}");
    }
}

#[test]
fn a_reader_of_ours_that_is_slow_slows_the_program_down_and_loses_nothing() {
    let mut part = Part::new(|_| {
        let output = fixture("flood 4M").timeout(LONG).tee(Stream::Stdout).output_bytes().unwrap();
        assert_eq!(output.stdout.len(), 4 << 20);
    });
    let trial = begin();
    let mut child = part.command(&trial, "").stdout(StdStdio::piped()).spawn().unwrap();
    let mut read = child.stdout.take().unwrap();
    let (mut total, mut buffer) = (0, vec![0; 4096]);
    loop {
        match read.read(&mut buffer).unwrap() {
            0 => break,
            got => total += buffer[..got].iter().filter(|byte| **byte == b'x').count(),
        }
    }
    assert!(child.wait().unwrap().success());
    assert!(total >= (4 << 20) / 80 * 79, "{total}");
}

#[test]
fn who_ignores_the_signal_is_killed_after_its_grace_and_its_words_are_kept() {
    let trial = begin();
    // Time enough to be up, and to answer.
    let output = with_time_enough(|long| {
        let command = fixture("trap TERM").of(&trial).idle_timeout(long).timeout_grace(long);
        let output = command.output().unwrap();
        assert_eq!(output.outcome.cause, Cause::IdleTimeout);
        (output.stdout == "ready\nTERM\n").then_some(output)
    });
    assert_eq!(output.outcome.signal(), Some(Signal::KILL));
}
