//! A step of the test command: how it is run, how it may end, and the one line that says so.

use std::fmt::Write as _;
use std::io::{self, PipeReader, Read as _, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How a step ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// With a remark for the step's line, and the closing lines of a test runner.
    Passed { remark: String, closing: Vec<String> },
    /// With all that was printed.
    Failed(String),
    /// For a reason that names what to do. A machine that must have everything excuses it only when it could not
    /// have been otherwise there.
    Skipped { why: String, excused: bool },
}

impl Verdict {
    pub(crate) fn passed(remark: impl Into<String>) -> Self {
        Self::Passed { remark: remark.into(), closing: Vec::new() }
    }

    /// A tool or a target is missing that every machine can have.
    pub(crate) fn missing(why: impl Into<String>) -> Self {
        Self::Skipped { why: why.into(), excused: false }
    }

    /// This step cannot be asked of this machine.
    pub(crate) fn excused(why: impl Into<String>) -> Self {
        Self::Skipped { why: why.into(), excused: true }
    }

    /// On a strict machine a skip without excuse is a failure.
    fn judged(self, strict: bool) -> Self {
        match self {
            Self::Skipped { why, excused: false } if strict => {
                Self::Failed(format!("skipped, which CI=true does not allow: {why}\n"))
            }
            verdict => verdict,
        }
    }
}

/// Starts a command with its two outputs in one pipe, as a terminal would show them.
pub(crate) fn start(mut command: Command) -> io::Result<(Child, PipeReader)> {
    let (reader, writer) = io::pipe()?;
    // The command goes at the end, and with it our own ends of the pipe: reading ends when the child's do.
    let child = command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer).spawn()?;
    Ok((child, reader))
}

/// Runs a command to its end, whichever that is, and gives all that it printed.
pub(crate) fn capture(command: Command) -> io::Result<(ExitStatus, String)> {
    let (mut child, mut reader) = start(command)?;
    let mut output = Vec::new();
    reader.read_to_end(&mut output)?;
    Ok((child.wait()?, String::from_utf8_lossy(&output).into_owned()))
}

/// Runs a command that succeeds or whose whole output is the failure.
pub(crate) fn run(command: Command) -> Result<String, Verdict> {
    let line = shown(&command);
    match capture(command) {
        Ok((status, output)) if status.success() => Ok(output),
        Ok((status, output)) => Err(Verdict::Failed(format!("$ {line}\n{output}{line}: {status}\n"))),
        Err(error) => Err(Verdict::Failed(format!("$ {line}\ncannot be started: {error}\n"))),
    }
}

/// A command as a person would type it, variables first.
fn shown(command: &Command) -> String {
    let mut line = String::new();
    for (key, value) in command.get_envs().filter_map(|(key, value)| Some((key, value?))) {
        // Writing to a String cannot fail.
        let _ = write!(line, "{}={value:?} ", key.to_string_lossy());
    }
    let program = std::path::Path::new(command.get_program());
    line.push_str(&program.file_name().unwrap_or_default().to_string_lossy());
    for arg in command.get_args() {
        line.push(' ');
        line.push_str(&arg.to_string_lossy());
    }
    line
}

/// How many steps ended in which way.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Tally {
    /// Runs one step and prints its line, its closing lines, and the output of a failure.
    pub(crate) fn step(&mut self, name: &str, strict: bool, work: impl FnOnce() -> Verdict) {
        print!("{name:<14} ");
        // Whoever waits sees what for; a broken stdout is met again at the next print.
        let _ = io::stdout().flush();
        let start = Instant::now();
        let verdict = work().judged(strict);
        self.count(&verdict);
        print!("{}", report(&verdict, start.elapsed()));
    }

    fn count(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Passed { .. } => self.passed += 1,
            Verdict::Failed(_) => self.failed += 1,
            Verdict::Skipped { .. } => self.skipped += 1,
        }
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failed > 0
    }

    pub(crate) fn summary(&self) -> String {
        format!("{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// What is printed behind a step's name.
fn report(verdict: &Verdict, time: Duration) -> String {
    let time = format!("{:.1}s", time.as_secs_f64());
    match verdict {
        Verdict::Passed { remark, closing } => {
            let mut text = format!("ok      {time:>7}  {remark}").trim_end().to_owned() + "\n";
            for line in closing {
                text.push_str(line);
                text.push('\n');
            }
            text
        }
        Verdict::Failed(output) => {
            let end = if output.ends_with('\n') { "" } else { "\n" };
            format!("FAILED  {time:>7}\n{output}{end}")
        }
        Verdict::Skipped { why, .. } => format!("skipped: {why}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_millis(1250);

    #[test]
    fn a_skip_without_excuse_fails_a_strict_machine_only() {
        assert_eq!(Verdict::missing("no qemu").judged(false), Verdict::missing("no qemu"));
        assert_eq!(Verdict::excused("not Linux").judged(true), Verdict::excused("not Linux"));
        assert!(
            matches!(Verdict::missing("no qemu").judged(true), Verdict::Failed(why) if why.contains("no qemu"))
        );
        assert_eq!(Verdict::passed("").judged(true), Verdict::passed(""));
    }

    #[test]
    fn a_step_has_one_line_and_a_failure_all_its_output() {
        let closing = vec!["Summary: 3".to_owned()];
        let passed = Verdict::Passed { remark: "x".to_owned(), closing };
        assert_eq!(report(&passed, TIME), "ok         1.2s  x\nSummary: 3\n");
        assert_eq!(report(&Verdict::passed(""), TIME), "ok         1.2s\n");
        assert_eq!(report(&Verdict::Failed("one\ntwo".to_owned()), TIME), "FAILED     1.2s\none\ntwo\n");
        assert_eq!(report(&Verdict::missing("no x"), TIME), "skipped: no x\n");
    }

    #[test]
    fn the_tally_counts_steps() {
        let mut tally = Tally::default();
        for verdict in [Verdict::passed(""), Verdict::missing("x"), Verdict::excused("y")] {
            tally.count(&verdict);
        }
        assert_eq!(tally.summary(), "1 passed, 0 failed, 2 skipped");
        assert!(!tally.has_failed());
        tally.count(&Verdict::Failed(String::new()));
        assert!(tally.has_failed());
    }

    #[cfg(unix)]
    #[test]
    fn a_failing_command_shows_its_line_both_outputs_and_how_it_ended() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]).env("K", "v");
        let Err(Verdict::Failed(text)) = run(command) else { panic!("exit 3 is a failure") };
        assert!(text.starts_with("$ K=\"v\" sh -c "), "{text}");
        assert!(text.contains("\nout\nerr\n") && text.trim_end().ends_with("exit status: 3"), "{text}");
        assert!(matches!(run(Command::new("no-such-program-here")), Err(Verdict::Failed(_))));
    }
}
