//! What a host gives its runs beside their commands, under every mechanism.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::OwnedFd;

use pinfold::{ErrorKind, Host, Isolation, Mechanism, Runner, Stdin, Stdio, Stream};
use pinfold_trials::proc::Status;

use crate::{LONG, Of, begin, fixture, mechanisms, sh};

fn file_of(text: &str) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.rewind().unwrap();
    file
}

fn text_of(mut file: File) -> String {
    let mut text = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn given_descriptors_take_the_places_of_streams_and_others_stand_beside_them() {
    let trial = begin();
    for isolation in mechanisms() {
        let (input, out, beside) = (file_of("in\n"), file_of(""), file_of("other\n"));
        let given = |file: &File| OwnedFd::from(file.try_clone().unwrap());
        let host = Host::new().descriptor(0, given(&input)).descriptor(1, given(&out));
        let host = host.descriptor(7, given(&beside));
        let command =
            sh("read line; read other <&7; echo $line $other; echo err >&2; ls /proc/self/fd | wc -l");
        let command = command.of(&trial).isolation(isolation).timeout(LONG);
        let output = host.output(&command).unwrap();
        assert_eq!((&*output.stdout, &*output.stderr), ("", "err\n"), "{isolation:?}");
        drop(host);
        // Its three streams, the one beside them, and the directory that is being listed.
        assert_eq!(text_of(out), "in other\n5\n", "{isolation:?}");
    }
}

#[test]
fn standard_error_goes_to_where_a_given_standard_output_does() {
    let trial = begin();
    for isolation in mechanisms() {
        let out = file_of("");
        let host = Host::new().descriptor(1, out.try_clone().unwrap().into());
        let command = sh("echo out; echo err >&2").of(&trial).isolation(isolation).stderr(Stdio::Stdout);
        assert_eq!(host.exit_code(&command).unwrap(), 0);
        assert_eq!(text_of(out), "out\nerr\n", "{isolation:?}");
    }
}

#[test]
fn a_pipe_that_is_given_ends_with_the_run() {
    let trial = begin();
    for isolation in mechanisms() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let host = Host::new().descriptor(1, writer.into());
        let running = host.start(&sh("echo out; sleep 100").of(&trial).isolation(isolation)).unwrap();
        // What is left open by whoever stands between us and the program would keep this from ending.
        drop(host);
        running.kill().unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert!(text.is_empty() || text == "out\n", "{text:?}");
    }
}

#[test]
fn signals_that_are_ignored_here_stay_so_where_asked() {
    let trial = begin();
    // Rust's runtime ignores it in this process.
    let pipe = 1 << (pinfold::Signal::PIPE.number() - 1);
    let ours = Status::of("self").unwrap().mask("SigIgn").unwrap();
    assert_ne!(ours & pipe, 0);
    for isolation in mechanisms() {
        let command = pinfold::Command::new("grep").args(["SigIgn", "/proc/self/status"]).of(&trial);
        for (host, kept) in [(Host::new(), false), (Host::new().keep_ignored_signals(), true)] {
            let line = host.run(&command.clone().isolation(isolation)).unwrap();
            let mask = u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap();
            assert_eq!(mask & pipe != 0, kept, "{isolation:?}: {line}");
        }
    }
}

#[test]
fn a_process_group_is_its_own_or_the_one_that_is_named() {
    let trial = begin();
    let group_of = |pid: &str| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit(')').next().unwrap().split_whitespace().nth(2).unwrap().to_owned()
    };
    let ours = group_of("self");
    for isolation in mechanisms() {
        let command = fixture("sleep 100").of(&trial).isolation(isolation);
        let own = Host::new().process_group(0).start(&command).unwrap();
        assert_ne!(group_of(&own.pid().to_string()), ours, "{isolation:?}");
        let joined = Host::new().process_group(ours.parse().unwrap()).start(&command);
        if matches!(own.mechanism(), Mechanism::ProcessGroup | Mechanism::PidNamespace) {
            assert_eq!(joined.unwrap_err().kind(), ErrorKind::Unsupported);
        } else {
            let joined = joined.unwrap();
            assert_eq!(group_of(&joined.pid().to_string()), ours, "{isolation:?}");
            joined.kill().unwrap();
        }
        own.kill().unwrap();
    }
    let nobody = Host::new().process_group(u32::MAX).start(&fixture("sleep 100").of(&trial));
    assert_eq!(nobody.unwrap_err().kind(), ErrorKind::PermissionDenied);
}

#[test]
fn what_contradicts_the_command_is_refused() {
    let _trial = begin();
    let null = || OwnedFd::from(File::open("/dev/null").unwrap());
    for (host, command, word) in [
        (Host::new().descriptor(-1, null()), fixture("exit 0"), "-1"),
        (Host::new().descriptor(0, null()), fixture("exit 0").stdin(Stdin::Bytes("in".into())), "input"),
        (Host::new().descriptor(0, null()), fixture("exit 0").keep_stdin_open(), "input"),
        (Host::new().descriptor(1, null()), fixture("exit 0").tee(Stream::Stdout), "stdout"),
        (Host::new().process_group(0), fixture("exit 0").setsid(), "session"),
    ] {
        let error = host.start(&command.isolation(Isolation::Best)).expect_err(word);
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
}
