//! A small deployment tool and its tests, which start no process.
//!
//! `cargo run -p pinfold --example deploy_with_doubles -- --dry-run v1.2` says what it would run, and
//! `cargo test -p pinfold --example deploy_with_doubles` tests it by doubles.
//!
//! The tool takes the runner that it runs everything by. Its tests give it a scripted runner with a spy before it: what the
//! programs do is said by the tests, and what the tool asked for is looked at afterwards.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example talks to the person who runs it")]

use pinfold::{CliClient, Command, DryRunner, Host, Retry, Runner};
use std::process::ExitCode;
use std::time::Duration;

/// Builds a tag, copies it to the server, and waits until that serves it, unless told not to; the commit.
///
/// # Errors
/// What is told to whoever deploys.
fn deploy(tag: &str, runner: &dyn Runner, wait: bool) -> Result<String, String> {
    let git = CliClient::new("git").timeout(Duration::from_secs(30)).env("GIT_TERMINAL_PROMPT", "0");
    let git = git.with_runner(runner);
    let told = |error: pinfold::Error| error.to_string();
    if !git.probe(["diff", "--quiet"]).map_err(told)? {
        return Err("there are changes that are not committed".to_owned());
    }
    let commit = git.run(["rev-parse", tag]).map_err(told)?;
    let build = Command::new("make").arg("dist").env("VERSION", tag).idle_timeout(Duration::from_secs(60));
    let built = runner.output(&build).map_err(told)?;
    if !built.is_success() {
        return Err(format!("the build failed: {}", built.stderr.trim()));
    }
    // Networks come back.
    let patient = Retry { pause: Duration::from_millis(10), ..Retry::times(3) };
    let copy = Command::new("rsync").args(["--delete", "dist/", "web:/srv/site/"]).retry(patient);
    runner.run(&copy).map_err(told)?;
    if wait {
        // The server's log is followed until a line says so, and is stopped by being dropped then.
        let follow = Command::new("ssh").args(["web", "tail -f /var/log/site.log"]);
        let log = runner.start(&follow.timeout(Duration::from_secs(10))).map_err(told)?;
        let serving = format!("serving {tag}");
        if !log.stdout_lines().map_err(told)?.any(|line| line.is_ok_and(|line| line.contains(&serving))) {
            return Err("the server does not serve it".to_owned());
        }
    }
    Ok(commit)
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let deployed = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--dry-run", tag] => deploy(tag, &DryRunner::new(), false).map(|_| "nothing was run".to_owned()),
        [tag] => deploy(tag, &Host::new(), true).map(|commit| format!("deployed {commit}")),
        _ => Err("name a tag".to_owned()),
    };
    match deployed {
        Ok(done) => println!("{done}"),
        Err(why) => {
            eprintln!("deploy: {why}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinfold::testing::{RecordingRunner, Reply, ScriptedRunner};

    /// A world in which all goes well; what a test says before comes first.
    fn well(first: ScriptedRunner) -> ScriptedRunner {
        let log = Reply::lines(["restarting", "serving v1.2"], Duration::from_millis(1));
        first
            .on(["git", "rev-parse"], Reply::ok("deadbeef\n"))
            .on(["ssh", "web"], log.after_pause(Duration::from_secs(3600)))
            .fallback(Reply::ok(""))
    }

    fn fails(first: ScriptedRunner) -> String {
        deploy("v1.2", &well(first), true).expect_err("it succeeds")
    }

    #[test]
    fn all_goes_well() {
        let spy = RecordingRunner::new(well(ScriptedRunner::new()));
        assert_eq!(deploy("v1.2", &spy, true).as_deref(), Ok("deadbeef"));
        let calls = spy.calls();
        let programs: Vec<_> = calls.iter().map(|call| call.program.to_string_lossy()).collect();
        assert_eq!(programs, ["git", "git", "make", "rsync", "ssh"]);
        assert_eq!(calls[2].env_var("VERSION"), Some(Some("v1.2".as_ref())));
        assert!(calls[3].has_flag("--delete"));
    }

    #[test]
    fn changes_are_not_deployed() {
        let spy = RecordingRunner::new(ScriptedRunner::new().on(["git", "diff"], Reply::exits(1)));
        let why = deploy("v1.2", &spy, true).expect_err("it succeeds");
        assert_eq!(why, "there are changes that are not committed");
        assert_eq!(spy.only_call().args, ["diff", "--quiet"]);
    }

    #[test]
    fn a_build_that_fails_says_why() {
        let broken = ScriptedRunner::new().on(["make"], Reply::fail(2, "no rule to make dist\n"));
        assert_eq!(fails(broken), "the build failed: no rule to make dist");
    }

    #[test]
    fn a_network_that_comes_back_is_no_failure() {
        let lost = || Reply::fail(255, "connection lost\n");
        let flaky = ScriptedRunner::new().sequence(["rsync"], [lost(), lost(), Reply::ok("")]);
        let spy = RecordingRunner::new(well(flaky));
        assert_eq!(deploy("v1.2", &spy, true).as_deref(), Ok("deadbeef"));
        assert_eq!(spy.calls().iter().filter(|call| call.program == "rsync").count(), 3);
    }

    #[test]
    fn a_server_that_never_serves_it() {
        let crashing = ScriptedRunner::new().on(["ssh"], Reply::ok("restarting\ncrashed\n"));
        assert_eq!(fails(crashing), "the server does not serve it");
    }

    #[test]
    fn a_git_that_hangs_is_ended_by_its_timeout() {
        // The timeout is the tool's own; that it is over at once is the double's doing.
        let why = fails(ScriptedRunner::new().on(["git"], Reply::timeout()));
        assert!(why.contains("git") && why.contains("30s"), "{why}");
    }
}
