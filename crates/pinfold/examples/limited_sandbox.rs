//! A judge of programs that nobody vouches for: each is shut off from files, network and other processes, has so much memory,
//! time and output and no more, and what becomes of it is told.
//!
//! `cargo run -p pinfold --example limited_sandbox`
#![expect(clippy::print_stdout, reason = "an example talks to the person who runs it")]

use pinfold::{Command, Enforcement, ErrorKind, Limit, Limits, Output, Overflow, Result, Sandbox};
use std::process::ExitCode;
use std::time::Duration;

/// What somebody handed in. Each is to say the sum of the numbers on its standard input.
const PROGRAMS: [(&str, &str); 7] = [
    ("honest", "sum=0; while read -r number; do sum=$((sum + number)); done; echo $sum"),
    ("wrong", "echo 41"),
    ("nosy", "cat \"$1\""),
    ("untidy", "echo 42 | tee /var/tmp/answer"),
    ("greedy", "tail -n 1 /dev/zero"),
    ("endless", "while :; do :; done"),
    ("chatty", "while :; do echo 42; done"),
];

/// What they may use: all of a program's processes together, where this host has controllers for that.
fn limits() -> Limits {
    Limits::new().memory_max(256 << 20).processes(32)
}

fn judge(script: &str, limits: &Limits) -> Result<Output> {
    let treasure = std::env::current_exe().unwrap_or_default();
    Command::new("sh")
        .args(["-c", script, "program"])
        .arg(treasure)
        // Secrets are in the environment more often than not.
        .env_clear()
        .stdin_text("19\n23\n")
        .sandbox(Sandbox::untrusted())
        .limits(limits.clone())
        .timeout(Duration::from_secs(5))
        .timeout_grace(Duration::ZERO)
        .output_limit(Limit { max_bytes: Some(64 << 10), on_overflow: Overflow::Error, ..Limit::default() })
        .output()
}

fn main() -> ExitCode {
    let mut limits = limits();
    // Nothing is ever run with less than was asked for. Whether less will do is for this program to decide, and to say.
    if let Err(error) = judge("exit", &limits)
        && error.refuses_limits()
    {
        println!("no limits on a program as a whole here, but on each process of it:\n  {error}");
        limits = Limits::new().memory_max(256 << 20).enforce(Enforcement::PerProcess);
    }
    for (name, script) in PROGRAMS {
        match judge(script, &limits) {
            Ok(output) if output.is_success() && output.stdout.trim() == "42" => println!("{name}: accepted"),
            Ok(output) if output.is_success() => println!("{name}: rejected: says {}", output.stdout.trim()),
            Ok(output) => {
                let said = output.stderr.lines().next().map(|line| format!(" ({line})")).unwrap_or_default();
                println!("{name}: rejected: {}{said}", output.outcome);
            }
            Err(error) if matches!(error.kind(), ErrorKind::Timeout | ErrorKind::OutputTooLarge) => {
                println!("{name}: rejected: {error}");
            }
            // It was not run, so that nothing can be said of it: no user namespaces, say, or a kernel without Landlock.
            Err(error) => {
                println!("this host cannot shut off programs: {error}");
                return ExitCode::from(2);
            }
        }
    }
    ExitCode::SUCCESS
}
