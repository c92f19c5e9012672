//! `pinfold batch`: what it runs, prints and logs, how it ends, and that nothing of it is left.

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

use pinfold_trials::{Terminal, Trial, fixture, pinfold_bin, wait_until};
use serde_json::Value;

use crate::{LONG, Live, text};

/// `pinfold batch WORDS`, split at spaces.
fn batch(trial: &Trial, words: &str) -> Command {
    let mut command = Command::new(pinfold_bin());
    command.arg("batch").args(words.split_whitespace()).envs([trial.env()]);
    command.stdin(Stdio::null()).env("F", fixture());
    command
}

/// Runs it with this on its standard input.
fn fed(command: &mut Command, input: &[u8]) -> Output {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child: Child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

fn log(path: &std::path::Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "the log is not whole: {text}");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn arguments_come_from_where_they_are_said_to() {
    let trial = Trial::new();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("in"), "a b\n\nc").unwrap();
    for (words, input, expected) in [
        ("-k echo ::: a b", "", "a\nb\n"),
        ("-k echo", "a b\nc", "a b\nc\n"),
        ("-k -a in echo", "", "a b\nc\n"),
        ("-k echo :::: in", "", "a b\nc\n"),
        ("-k -a - echo", "x\n", "x\n"),
        ("-k0 echo", "a\nb\0c", "a\nb\nc\n"),
        ("-kd, echo", "a,b", "a\nb\n"),
        ("-kn2 echo", "a\nb\nc\n", "a b\nc\n"),
        ("-kL2 printf <%s>\\n", "a 'b c'\nd\n", "<a>\n<b c>\n<d>\n"),
        ("-k echo {1}-{2} ::: a b ::: 1 2", "", "a-1\na-2\nb-1\nb-2\n"),
        ("-k echo {/} {//} {.} {/.} {#} ::: d/a.x", "", "a.x d d/a a 1\n"),
        ("-kI% echo x%y", "a\n", "xay\n"),
        ("-k", "echo 'a b'\n# said\nprintf '%s|' \"c d\" e\\ f '$HOME' *\n", "a b\nc d|e f|$HOME|*|"),
        ("-k ::: true", "", ""),
        ("-r echo", "", ""),
        ("--dry-run -- rm -r {} ::: a it's", "", "rm -r a\nrm -r \"it's\"\n"),
    ] {
        let output = fed(batch(&trial, words).current_dir(&directory), input.as_bytes());
        assert_eq!(text(&output.stdout), expected, "{words}: {}", text(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{words}");
    }
    trial.finish();
}

#[test]
fn it_ends_with_a_code_that_says_what_became_of_the_jobs() {
    let trial = Trial::new();
    for (words, code, says) in [
        ("-q true ::: 1 2", 0, ""),
        ("true ::: 1 2", 0, "2 jobs in "),
        ("-q ::: false", 123, ""),
        ("-k ::: true false", 123, "job 2: false: exited with code 1"),
        ("-t 50ms --grace 0 sleep ::: 100", 123, "job 1: sleep: timed out"),
        ("::: no-such-program-1 true", 123, "no-such-program-1: not found"),
        ("-q no-such-program-1 ::: a b", 127, "no-such-program-1: not found"),
        ("echo {2} ::: a b", 125, "{2} stands for an argument, and a command gets 1 argument"),
        ("echo {3} ::: a b ::: c", 125, "{3} stands for an argument, and a command gets 2 arguments"),
        ("no-such-program-1 ::: a b c d e f g h", 127, "no-such-program-1: not found"),
        ("/etc/passwd ::: a", 126, "/etc/passwd: "),
        ("-j x true ::: a", 125, "no number of jobs"),
        ("-a /no/such/file true", 125, "/no/such/file: arguments cannot be read"),
        ("--joblog /no/such/log true ::: a", 125, "/no/such/log: cannot be the job log"),
        ("-t 0 sleep ::: 0.1", 0, "1 succeeded"),
        ("echo ::: a :::+ b", 125, "lists are not linked by :::+"),
        ("--retry 1 --retry-pause 1ms ::: false", 123, "exited with code 1, attempt 2"),
        ("--retries 1 --retry-pause 1ms ::: false", 123, "exited with code 1, attempt 2"),
        ("-s HUP -t 50ms sleep ::: 100", 123, "timed out and was ended by SIGHUP"),
    ] {
        let output = batch(&trial, words).output().unwrap();
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words}: {told}");
        assert!(
            told.contains(says) && (!words.starts_with("-q") || told.is_empty() == says.is_empty()),
            "{words}: {told}"
        );
    }
    let output = fed(&mut batch(&trial, "-j1"), b"true\necho 'open\ntrue\n");
    assert_eq!(output.status.code(), Some(123));
    assert!(text(&output.stderr).contains("job 2: line 2: a quote is left open"), "{}", text(&output.stderr));
    trial.finish();
}

#[test]
fn output_is_whole_in_order_or_line_by_line_as_asked() {
    let trial = Trial::new();
    let directory = tempfile::tempdir().unwrap();
    // The first waits for the second, so that it ends last.
    let script = "echo $1 one; echo $1 err >&2; [ $1 = b ] && touch go; \
                  while [ ! -e go ]; do sleep 0.01; done; echo $1 two";
    let command = |options: &str, script: &str| {
        let mut command = batch(&trial, options);
        command.args(["-j2", "sh", "-c", script, "sh", ":::", "a", "b"]).current_dir(&directory);
        command
    };
    let run = |options: &str| {
        let output = command(options, script).output().unwrap();
        std::fs::remove_file(directory.path().join("go")).unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        (text(&output.stdout), text(&output.stderr))
    };
    let (stdout, stderr) = run("-qk");
    assert_eq!((stdout.as_str(), stderr.as_str()), ("a one\na two\nb one\nb two\n", "a err\nb err\n"));
    let (stdout, _) = run("-q");
    assert!(
        ["a one\na two\nb one\nb two\n", "b one\nb two\na one\na two\n"].contains(&stdout.as_str()),
        "{stdout}"
    );
    assert_eq!(run("-qk --tag").0, "a\ta one\na\ta two\nb\tb one\nb\tb two\n");
    // Line by line, both go on when a line of each has come.
    let both = "echo $1 one; while [ ! -e go ]; do sleep 0.01; done; echo $1 two";
    let mut live = Live::start(&mut command("-q --line-buffer --tag", both));
    let mut lines = vec![live.line(), live.line()];
    assert!(lines.iter().all(|line| line.ends_with("one")), "{lines:?}");
    std::fs::write(directory.path().join("go"), "").unwrap();
    lines.extend(live.end().0.lines().map(str::to_owned));
    std::fs::remove_file(directory.path().join("go")).unwrap();
    lines.sort();
    assert_eq!(lines, ["a\ta one", "a\ta two", "b\tb one", "b\tb two"]);
    assert_eq!(run("-q --ungroup").0.lines().count(), 4);
    // Bytes that are no text pass as they are.
    let output = batch(&trial, "-q printf ::: a\\377b").output().unwrap();
    assert_eq!(output.stdout, b"a\xffb");
    trial.finish();
}

#[test]
fn no_more_run_at_a_time_than_may() {
    let trial = Trial::new();
    let directory = tempfile::tempdir().unwrap();
    // Each sees itself and those beside it.
    let script = "mkdir $1; ls | wc -l; sleep 0.02; rmdir $1";
    for (option, most) in [("-j1", 1), ("-j3", 3), ("-P2", 2)] {
        let mut command = batch(&trial, option);
        command.args(["-q", "sh", "-c", script, "sh", ":::"]).args((0..12).map(|number| number.to_string()));
        let output = command.current_dir(&directory).output().unwrap();
        let seen: Vec<usize> =
            text(&output.stdout).lines().map(|line| line.trim().parse().unwrap()).collect();
        assert!(seen.len() == 12 && seen.iter().all(|seen| *seen <= most), "{option}: {seen:?}");
    }
    trial.finish();
}

#[test]
fn the_log_has_a_line_for_each_job_and_a_later_batch_resumes_from_it() {
    let trial = Trial::new();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let input = b"echo good\nsh -c 'exit 3'\nno-such-program\necho good\n";
    let run = |options: &str, input: &[u8]| {
        let output =
            fed(batch(&trial, &format!("-qk -j1 --joblog log {options}")).current_dir(&directory), input);
        text(&output.stdout)
    };
    assert_eq!(run("", input), "good\ngood\n");
    let lines = log(&path);
    assert_eq!(lines.len(), 4);
    assert!(lines.iter().all(|line| line["schema"] == "pinfold.job/1" && line["attempts"].is_u64()));
    assert_eq!(lines[0]["command"], serde_json::json!(["echo", "good"]));
    assert_eq!((&lines[1]["exit_code"], &lines[1]["success"]), (&3.into(), &false.into()));
    assert_eq!(lines[2]["error"]["kind"], "not_found");
    assert_eq!(lines[0]["outcome"]["cause"], "itself");
    // All of it has ended, and one more is new.
    let more = [input, b"echo good\n".as_slice()].concat();
    assert_eq!(run("--resume", &more), "good\n");
    assert_eq!(log(&path).len(), 5);
    // What failed is done again, in whatever place it stands.
    assert_eq!(run("--resume-failed", b"sh -c 'exit 3'\necho good\necho good\necho good\n"), "");
    assert_eq!(log(&path).len(), 6);
    assert_eq!(run("", b"true\n"), "");
    assert_eq!(log(&path).len(), 1, "without --resume it begins anew");
    std::fs::write(&path, "hello\n").unwrap();
    let output = batch(&trial, "--joblog log --resume true ::: a").current_dir(&directory).output().unwrap();
    assert_eq!(output.status.code(), Some(125));
    assert!(text(&output.stderr).contains("line 1 is no pinfold.job/1"), "{}", text(&output.stderr));
    trial.finish();
}

#[test]
fn retries_and_halts_are_kept() {
    let trial = Trial::new();
    let directory = tempfile::tempdir().unwrap();
    let third = "echo x >> count; [ $(wc -l < count) = 3 ]";
    let mut command = batch(&trial, "-q --retry 4 --retry-pause 1ms --joblog log sh -c");
    assert!(command.args([third, ":::", "x"]).current_dir(&directory).status().unwrap().success());
    assert_eq!(log(&directory.path().join("log"))[0]["attempts"], 3);
    for (halt, ended) in [
        ("--fail-fast", 1),
        ("--halt now,fail=1", 1),
        ("--halt soon,fail=2", 2),
        ("--halt soon,done=3", 3),
        ("--halt never", 5),
    ] {
        let mut command = batch(&trial, &format!("-q -j1 {halt} --joblog log"));
        let output =
            command.args([":::", "false", "false", "true", "true", "true"]).current_dir(&directory).output();
        assert_eq!(output.unwrap().status.code(), Some(123), "{halt}");
        assert_eq!(log(&directory.path().join("log")).len(), ended, "{halt}");
    }
    // now stops what runs.
    let begun = Instant::now();
    let mut command = batch(&trial, "-j2 --fail-fast --joblog log");
    let output = command.args([":::", "sleep 100", "false"]).current_dir(&directory).output().unwrap();
    assert!(begun.elapsed() < LONG);
    assert_eq!(output.status.code(), Some(123));
    let mut cancelled: Vec<_> =
        log(&directory.path().join("log")).iter().map(|line| line["cancelled"].clone()).collect();
    cancelled.sort_by_key(Value::to_string);
    assert_eq!(cancelled, [false, true]);
    trial.finish();
}

#[test]
fn a_signal_ends_all_of_it_and_the_log_is_whole() {
    for number in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT] {
        let trial = Trial::new();
        let directory = tempfile::tempdir().unwrap();
        let mut command = batch(&trial, "-j2 --line-buffer --joblog log sh -c");
        command
            .args(["setsid sleep 1000 & echo up $1; wait", "sh", ":::", "1", "2", "3"])
            .current_dir(&directory);
        let mut live = Live::start(command.stderr(Stdio::null()));
        assert!(live.line().starts_with("up") && live.line().starts_with("up"));
        live.signal(number);
        let (rest, status) = live.end();
        assert_eq!((rest.as_str(), status.signal()), ("", Some(number)));
        trial.wait_until_gone(LONG);
        let lines = log(&directory.path().join("log"));
        assert!(lines.len() == 2 && lines.iter().all(|line| line["cancelled"] == true), "{lines:?}");
        // They have still to be done.
        let words = "-q -j2 --resume --dry-run --joblog log sh -c";
        let mut command = batch(&trial, words);
        command
            .args(["setsid sleep 1000 & echo up $1; wait", "sh", ":::", "1", "2", "3"])
            .current_dir(&directory);
        assert_eq!(text(&command.output().unwrap().stdout).lines().count(), 3);
        trial.finish();
    }
}

#[test]
fn jobs_are_stopped_by_the_signal_that_is_asked_for() {
    let trial = Trial::new();
    let mut live = Live::start(batch(&trial, "-q --line-buffer --grace 1h -s USR2").args([
        fixture().to_str().unwrap(),
        "trap",
        ":::",
        "USR2",
    ]));
    assert!(live.line().starts_with("ready"));
    live.signal(libc::SIGTERM);
    assert_eq!(live.line(), "USR2");
    let asked = Instant::now();
    wait_until("the end of patience", LONG, || asked.elapsed().as_millis() > 550);
    live.signal(libc::SIGTERM);
    assert_eq!(live.end().1.signal(), Some(libc::SIGTERM));
    trial.finish();
}

#[test]
fn a_second_signal_later_kills() {
    let trial = Trial::new();
    let mut live = Live::start(batch(&trial, "-q --line-buffer --grace 1h").args([
        fixture().to_str().unwrap(),
        "trap",
        ":::",
        "TERM",
    ]));
    assert!(live.line().starts_with("ready"));
    live.signal(libc::SIGTERM);
    assert_eq!(live.line(), "TERM");
    let asked = Instant::now();
    wait_until("the end of patience", LONG, || asked.elapsed().as_millis() > 550);
    live.signal(libc::SIGTERM);
    assert_eq!(live.end().1.signal(), Some(libc::SIGTERM));
    assert!(asked.elapsed() < LONG, "it waited for grace");
    trial.finish();
}

#[test]
fn it_ends_with_its_reader() {
    let trial = Trial::new();
    let mut command = batch(&trial, "-q -j2 --line-buffer yes");
    command.args([":::", "1", "2", "3"]);
    let mut live = Live::start(&mut command);
    live.line();
    let Live { mut child, stdout } = live;
    drop(stdout);
    assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGPIPE));
    trial.finish();
}

#[test]
fn jobs_go_on_while_input_is_waited_for() {
    let trial = Trial::new();
    let mut command = batch(&trial, "-q -j2 -t 50ms --grace 0 --joblog /dev/stderr sleep");
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"100\n").unwrap();
    // Its timeout comes though no more is read.
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stderr.take().unwrap()), &mut line)
        .unwrap();
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["outcome"]["cause"], "timeout");
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(123));
    trial.finish();
}

#[test]
fn progress_is_shown_at_a_terminal_and_taken_away_again() {
    let trial = Trial::new();
    let mut terminal = Terminal::new().unwrap();
    let mut command = terminal.command(pinfold_bin()).unwrap();
    let script = "echo out; until [ -e $1 ]; do sleep 0.01; done";
    command.args(["batch", "-j1", "sh", "-c", script, "sh", ":::", "1", "2"]).envs([trial.env()]);
    let directory = tempfile::tempdir().unwrap();
    let mut child = command.current_dir(&directory).spawn().unwrap();
    drop(command);
    for (shown, job) in [("0/2, 1 running", "1"), ("1/2, 1 running", "2")] {
        terminal.wait_for(shown, LONG);
        std::fs::write(directory.path().join(job), "").unwrap();
    }
    let shown = terminal.wait_for_hang_up(LONG);
    assert!(shown.contains("\r\x1b[K") && shown.contains("2 jobs in"), "{shown:?}");
    assert!(child.wait().unwrap().success());
    drop((terminal, child));
    trial.finish();
}

#[test]
fn a_hundred_thousand_arguments_and_much_output_pass() {
    let trial = Trial::new();
    let input: String = (0..100_000).map(|number| format!("{number}\n")).collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &input).unwrap();
    let mut command = batch(&trial, "-qk -n 5000 -a");
    let output = command.arg(file.path()).args(["printf", "%s\\n"]).output().unwrap();
    assert!(text(&output.stdout) == input);
    let mut command = batch(&trial, "-qk -j2 head -c {} /dev/zero ::: 9M 1 9M");
    assert_eq!(command.output().unwrap().stdout.len(), (18 << 20) + 1);
    drop(file);
    trial.finish();
}

#[test]
fn output_that_is_too_much_for_memory_passes_whole() {
    let trial = Trial::new();
    let size: usize = 200 << 20;
    // One stream is more than all the memory that it may have.
    let script = format!("head -c {size} /dev/zero; echo end $1; echo err $1 >&2");
    for options in ["-q", "-qk --tag", "-q --line-buffer --tag"] {
        let mut command = batch(&trial, options);
        command.args(["-j2", "--joblog", "/dev/null", "sh", "-c", &script, "sh", ":::", "a", "b"]);
        let mut limited = limited_to(&command, 150 << 20);
        let mut child = limited.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (mut zeros, mut rest, mut stdout) = (0, Vec::new(), child.stdout.take().unwrap());
        let (mut piece, nothing) = (vec![0; 1 << 20], vec![0; 1 << 20]);
        loop {
            let length = std::io::Read::read(&mut stdout, &mut piece).unwrap();
            if length == 0 {
                break;
            }
            let others: Vec<u8> = match piece[..length] == nothing[..length] {
                true => Vec::new(),
                false => piece[..length].iter().copied().filter(|byte| *byte != 0).collect(),
            };
            zeros += length - others.len();
            rest.extend(others);
        }
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{options}: {}", text(&output.stderr));
        let tag = |name: &str| if options.contains("tag") { format!("{name}\t") } else { String::new() };
        let mut lines: Vec<String> = text(&rest).lines().map(str::to_owned).collect();
        let mut expected = ["a", "b"].map(|name| format!("{}end {name}", tag(name)));
        if !options.contains('k') {
            lines.sort();
            expected.sort();
        }
        if !options.contains("line-buffer") {
            assert_eq!(lines, expected, "{options}");
        }
        assert_eq!(zeros, 2 * size, "{options}");
        assert_eq!(text(&output.stderr).lines().count(), 2, "{options}");
    }
    trial.finish();
}

/// The same, with so much address space.
fn limited_to(command: &Command, bytes: u64) -> Command {
    let mut limited = Command::new("prlimit");
    limited.arg(format!("--as={bytes}")).arg(command.get_program()).args(command.get_args());
    limited.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?)))).stdin(Stdio::null());
    limited
}

#[test]
fn lines_pass_as_the_bytes_that_they_are() {
    let trial = Trial::new();
    for (options, written, expected) in [
        ("-q --line-buffer", "a\\r\\nb", "a\r\nb\n"),
        ("-q --line-buffer --tag", "a\\n\\nb\\377", "x\ta\nx\t\nx\tb\u{fffd}\n"),
    ] {
        let mut command = batch(&trial, options);
        let output =
            command.args(["sh", "-c", &format!("printf '{written}'"), "sh", ":::", "x"]).output().unwrap();
        assert_eq!(text(&output.stdout), expected, "{options}");
    }
    // What attempts that failed had written is passed as it came, to the last of it.
    for pause in ["0", "1ms"] {
        let mut command = batch(&trial, &format!("-q --line-buffer --retry 2 --retry-pause {pause} sh -c"));
        let output = command.args(["echo try; printf end; exit 1", ":::", "x"]).output().unwrap();
        assert_eq!(text(&output.stdout), "try\nend\n".repeat(3), "{pause}");
    }
    // Of attempts that failed no page is printed.
    let directory = tempfile::tempdir().unwrap();
    let script = "head -c 3000000 /dev/zero | tr '\\0' $1; [ -e again ] || { touch again; exit 1; }";
    let mut command = batch(&trial, "-q --retry 1 --retry-pause 1ms sh -c");
    let output = command.args([script, "sh", ":::", "z"]).current_dir(&directory).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 3_000_000));
    trial.finish();
}

#[test]
fn a_file_that_is_no_job_log_is_not_made_one() {
    let trial = Trial::new();
    let directory = tempfile::tempdir().unwrap();
    let commands = directory.path().join("commands");
    std::fs::write(&commands, "true\n").unwrap();
    let path = commands.to_str().unwrap();
    let output = batch(&trial, &format!("--joblog {path} -a {path}")).output().unwrap();
    assert_eq!(output.status.code(), Some(125));
    assert!(text(&output.stderr).contains("cannot be the job log: line 1 is no pinfold.job/1"));
    assert_eq!(std::fs::read_to_string(&commands).unwrap(), "true\n");
    // One that means nothing is in the log as well.
    let path = directory.path().join("log");
    let output = fed(&mut batch(&trial, &format!("-q --joblog {}", path.display())), b"echo 'open\ntrue\n");
    assert_eq!(output.status.code(), Some(123));
    let jobs: Vec<Value> = log(&path).iter().map(|line| line["job"].clone()).collect();
    assert_eq!(jobs.len(), 2, "{jobs:?}");
    // A log may be begun again; where nothing is run none is written.
    let output = batch(&trial, &format!("-q --joblog {} true ::: 1", path.display())).output().unwrap();
    assert!(output.status.success());
    assert_eq!(log(&path).len(), 1);
    let other = directory.path().join("other");
    let output = batch(&trial, &format!("--dry-run --resume --joblog {} true ::: 1", other.display()))
        .output()
        .unwrap();
    assert!(output.status.success() && !other.exists());
    let output = batch(&trial, &format!("-a {} true", directory.path().display())).output().unwrap();
    assert_eq!(output.status.code(), Some(125));
    assert!(
        text(&output.stderr).contains("arguments cannot be read: is a directory"),
        "{}",
        text(&output.stderr)
    );
    trial.finish();
}

#[test]
fn jobs_for_which_there_is_no_room_are_run_later() {
    let trial = Trial::new();
    let wait = "while [ ! -e go ]; do sleep 0.01; done; ulimit -Sn";
    for (limit, told) in [("64:1000", "64"), ("40:40", "40")] {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new("prlimit");
        command
            .arg(format!("--nofile={limit}"))
            .arg(pinfold_bin())
            .args(["batch", "-j0", "sh", "-c", wait, "sh", ":::"]);
        command.args((0..60).map(|number| number.to_string())).envs([trial.env()]).current_dir(&directory);
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        std::fs::write(directory.path().join("go"), "").unwrap();
        let output = child.wait_with_output().unwrap();
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{limit}: {stderr}");
        assert!(stderr.contains("60 jobs in"), "{limit}: {stderr}");
        // What a program may open is not what pinfold needs.
        assert_eq!(text(&output.stdout), format!("{told}\n").repeat(60), "{limit}");
    }
    trial.finish();
}

#[test]
fn one_job_that_is_given_too_much_does_not_end_the_others() {
    let trial = Trial::new();
    let long = "x".repeat(300_000);
    let output = fed(&mut batch(&trial, "-j1 echo"), format!("a\n{long}\nb\n").as_bytes());
    assert_eq!(output.status.code(), Some(123));
    assert_eq!(text(&output.stdout), "a\nb\n");
    assert!(
        text(&output.stderr).contains("job 2: echo: cannot be executed: Argument list too long"),
        "{}",
        text(&output.stderr)
    );
    trial.finish();
}

#[test]
fn its_jobs_have_the_container_that_is_asked_for_or_there_are_none() {
    let trial = Trial::new();
    let place = tempfile::tempdir().unwrap();
    for isolation in crate::isolations() {
        let path = place.path().join(isolation);
        let mut command = batch(&trial, &format!("-q --isolation {isolation} --joblog"));
        command.arg(&path).args(["true", ":::", "1", "2"]);
        assert_eq!(fed(&mut command, b"").status.code(), Some(0), "{isolation}");
        let name = if isolation == "cgroup" { "cgroup_v2".to_owned() } else { isolation.replace('-', "_") };
        for job in log(&path) {
            assert_eq!(job["outcome"]["mechanism"], name.as_str(), "{job}");
        }
    }
    let group_only = |words: &str| {
        let mut command = batch(&trial, words);
        fed(command.env("PINFOLD_DENY", "cgroup,subreaper,pid_namespace"), b"")
    };
    let refused = group_only("--require guarded echo ::: a b");
    assert_eq!((refused.status.code(), text(&refused.stdout).as_str()), (Some(125), ""));
    let said = text(&refused.stderr);
    assert!(
        said.starts_with("pinfold: batch: the guarantee guarded was required") && said.lines().count() == 1,
        "{said}"
    );
    // Whoever says nothing of it is told; whoever is content is not.
    for (words, told) in [("echo ::: a", true), ("--require best-effort echo ::: a", false)] {
        let output = group_only(words);
        assert_eq!(text(&output.stdout), "a\n");
        assert_eq!(
            text(&output.stderr).contains("no more than a process group"),
            told,
            "{words}: {output:?}"
        );
    }
    trial.finish();
}
