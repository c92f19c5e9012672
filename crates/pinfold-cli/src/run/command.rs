//! From the arguments to the command that the engine runs.

use crate::args::values::os;
use crate::args::{EnvChange, Misuse, RunArgs};
use pinfold::{Command, Keep, Limit, Overflow, Retry, Sandbox, Stdin, Stdio, Stream};
use std::ffi::OsString;
use std::path::Path;

/// The command that the arguments ask for.
///
/// # Errors
/// A file of variables that cannot be read.
pub(crate) fn build(args: &RunArgs) -> Result<Command, Misuse> {
    let mut command = Command::new(&args.program).args(args.args.iter().cloned());
    if let Some(name) = &args.arg0 {
        command = command.arg0(name);
    }
    if let Some(cwd) = &args.cwd {
        command = command.cwd(cwd);
    }
    command = environment(args, command)?;
    command = streams(args, command);
    command = ending(args, command);
    Ok(process(args, command))
}

fn environment(args: &RunArgs, mut command: Command) -> Result<Command, Misuse> {
    if args.env_clear {
        command = command.env_clear();
    }
    if !args.inherit_env.is_empty() {
        command = command.inherit_env(args.inherit_env.iter().cloned());
    }
    for change in &args.env {
        command = match change {
            EnvChange::Set(name, value) => command.env(name, value),
            EnvChange::Remove(name) => command.env_remove(name),
            EnvChange::File(path) => command.envs(file(path)?),
        };
    }
    Ok(command)
}

/// The variables of a file, in order.
fn file(path: &Path) -> Result<Vec<(OsString, OsString)>, Misuse> {
    let bytes = std::fs::read(path).map_err(|error| Misuse {
        what: format!("--env-file {}: {error}", path.display()),
        hint: "it has to be a file of NAME=VALUE lines".to_owned(),
    })?;
    let mut variables = Vec::new();
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let line = line.strip_prefix(b"export ").map_or(line, <[u8]>::trim_ascii_start);
        let at = line.iter().position(|byte| *byte == b'=').filter(|at| *at > 0);
        // What was meant as a value may be a secret: the line is not shown.
        let wrong = || Misuse {
            what: format!("--env-file {}: line {} is no NAME=VALUE", path.display(), index + 1),
            hint: "put # in front of a comment".to_owned(),
        };
        let at = at.ok_or_else(wrong)?;
        let name = os(&line[..at]).ok_or_else(wrong)?;
        variables.push((name, os(unquoted(&line[at + 1..])).ok_or_else(wrong)?));
    }
    Ok(variables)
}

fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => inner,
        _ => value,
    }
}

/// Whether output has to go through pinfold: only what it looks at itself does.
pub(crate) fn captures(args: &RunArgs) -> bool {
    args.idle_timeout.is_some() || args.max_bytes.is_some() || args.max_lines.is_some()
}

fn streams(args: &RunArgs, command: Command) -> Command {
    let mut command = command
        .stdin(args.stdin.clone().unwrap_or(Stdin::Inherit))
        .stdout(args.stdout.clone().unwrap_or(Stdio::Inherit))
        .stderr(args.stderr.clone().unwrap_or(Stdio::Inherit));
    if captures(args) {
        if args.stdout.is_none() {
            command = command.stdout(Stdio::Pipe).tee(Stream::Stdout);
        }
        if args.stderr.is_none() {
            command = command.stderr(Stdio::Pipe).tee(Stream::Stderr);
        }
        command = command.keep(Keep(0));
    }
    if args.max_bytes.is_some() || args.max_lines.is_some() {
        let on_overflow = args.overflow.unwrap_or(Overflow::Error);
        command =
            command.output_limit(Limit { max_bytes: args.max_bytes, max_lines: args.max_lines, on_overflow });
    }
    command
}

fn ending(args: &RunArgs, mut command: Command) -> Command {
    if let Some(timeout) = args.timeout {
        command = command.timeout(timeout);
    }
    if let Some(timeout) = args.idle_timeout {
        command = command.idle_timeout(timeout);
    }
    if let Some(grace) = args.grace {
        command = command.timeout_grace(grace);
    }
    if let Some(signal) = args.signal {
        command = command.timeout_signal(signal);
    }
    if let Some(rule) = args.strays {
        command = command.strays(rule);
    }
    if let Some(codes) = &args.success_codes {
        command = command.success_codes(codes.iter().copied());
    }
    if args.retry > 0 {
        command = command.retry(retry(args));
    }
    command
}

/// When it is tried again.
pub(crate) fn retry(args: &RunArgs) -> Retry {
    let retry = Retry::times(args.retry.saturating_add(1));
    Retry { pause: args.retry_pause.unwrap_or(retry.pause), jitter: args.retry_jitter, ..retry }
}

fn process(args: &RunArgs, mut command: Command) -> Command {
    command = command.isolation(args.isolation);
    if let Some(guarantee) = args.require {
        command = command.require(guarantee);
    }
    if let Some(user) = &args.user {
        command = command.user(user);
    }
    if let Some(uid) = args.uid {
        command = command.uid(uid);
    }
    if let Some(gid) = args.gid {
        command = command.gid(gid);
    }
    if let Some(groups) = &args.groups {
        command = command.groups(groups.iter().copied());
    }
    if args.no_new_privs {
        command = command.no_new_privs();
    }
    command = command.sandbox(sandbox(args));
    if args.setsid {
        command = command.setsid();
    }
    if let Some(mask) = args.umask {
        command = command.umask(mask);
    }
    if let Some(nice) = args.nice {
        command = command.nice(nice);
    }
    if let Some(cpus) = &args.affinity {
        command = command.affinity(cpus.iter().copied());
    }
    if let Some(priority) = args.io_priority {
        command = command.io_priority(priority);
    }
    for limit in &args.rlimits {
        command = command.rlimit(limit.resource, limit.soft, limit.hard);
    }
    if let Some(score) = args.oom_score_adj {
        command = command.oom_score_adj(score);
    }
    command.limits(args.limits.clone())
}

/// What is asked for, on top of the preset.
fn sandbox(args: &RunArgs) -> Sandbox {
    let asked = args.sandbox.clone();
    if !args.untrusted {
        return asked;
    }
    let mut sandbox = Sandbox::untrusted();
    sandbox.paths.get_or_insert_default().extend(asked.paths.unwrap_or_default());
    sandbox.capabilities = asked.capabilities.or(sandbox.capabilities);
    sandbox.allow_syscalls = asked.allow_syscalls;
    sandbox.deny_syscalls.extend(asked.deny_syscalls);
    sandbox
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::args::{Task, parse};

    fn args(line: &str) -> RunArgs {
        match parse(line.split_whitespace().map(Into::into).collect()) {
            Ok(Task::Run(args)) => *args,
            other => panic!("{other:?}"),
        }
    }

    /// Every option but those that are pinfold's own changes the command.
    #[test]
    fn every_option_gets_to_the_command() {
        let plain = build(&args("run x")).unwrap();
        for option in [
            "-t5",
            "-k1",
            "-sINT",
            "--strays=wait",
            "--retry=1",
            "--success-codes=3",
            "--stdin=null",
            "--stdout=null",
            "--stderr=stdout",
            "--idle-timeout=1",
            "--output-limit=1",
            "--max-lines=1",
            "-eA=1",
            "-uA",
            "-i",
            "--inherit-env=A",
            "-C/",
            "--user=root",
            "--uid=0",
            "--gid=0",
            "--groups=0",
            "--no-new-privs",
            "--arg0=y",
            "--setsid",
            "--umask=22",
            "-n1",
            "--affinity=0",
            "--ionice=idle",
            "--rlimit=core=0",
            "--oom-score-adj=1",
            "--memory=64M",
            "--memory-high=64M",
            "--swap=0",
            "--processes=9",
            "--cpus=0.5",
            "--cpu-weight=9",
            "--cpuset=0",
            "--io-weight=9",
            "--io-max=8:0:rbps=1M",
            "--limits-per-process",
            "--isolation=cgroup",
            "--require=kernel",
            "--sandbox=untrusted",
            "--no-network",
            "--private-tmp",
            "--allow-path=/",
            "--no-outside-signals",
            "--capabilities=none",
            "--deny-syscalls=ptrace",
            "--allow-syscalls=read",
        ] {
            assert_ne!(build(&args(&format!("run {option} x"))).unwrap(), plain, "{option}");
        }
        for option in ["-q", "-v", "--explain", "--json", "--retry-pause=1", "--take-over-cgroup"] {
            assert_eq!(build(&args(&format!("run {option} x"))).unwrap(), plain, "{option}");
        }
    }

    #[test]
    fn options_add_to_a_preset() {
        let line = "run --allow-path=/srv:rw --capabilities=kill --deny-syscalls=fork --sandbox=untrusted \
                    --allow-path=/opt x";
        let mut wanted = Sandbox::untrusted().read_write("/srv").read_only("/opt").capabilities(["kill"]);
        wanted.deny_syscalls.push("fork".to_owned());
        assert_eq!(sandbox(&args(line)), wanted);
        assert_eq!(sandbox(&args("run --sandbox=untrusted --sandbox=none x")), Sandbox::new());
    }

    #[test]
    fn output_goes_through_pinfold_only_where_it_has_to_look_at_it() {
        let direct = build(&args("run -t5 x")).unwrap();
        assert_eq!(direct, direct.clone().stdout(Stdio::Inherit).stderr(Stdio::Inherit));
        let seen = build(&args("run --max-lines=5 --stderr=null x")).unwrap();
        let limit = Limit { max_bytes: None, max_lines: Some(5), on_overflow: Overflow::Error };
        let wanted = Command::new("x").stdin(Stdin::Inherit).tee(Stream::Stdout).stderr(Stdio::Null);
        assert_eq!(seen, wanted.keep(Keep(0)).output_limit(limit));
    }

    #[test]
    fn a_file_of_variables_is_read_without_expanding_anything() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("env");
        std::fs::write(&path, "# comment\n\nA=1\r\nexport B=\"two words\"\n C='$A'\nD=a=b#c\nE=\nF=\"\n")
            .unwrap();
        let expected = [("A", "1"), ("B", "two words"), ("C", "$A"), ("D", "a=b#c"), ("E", ""), ("F", "\"")];
        let expected: Vec<(OsString, OsString)> =
            expected.map(|(name, value)| (name.into(), value.into())).into();
        assert_eq!(file(&path).unwrap(), expected);
        for wrong in ["A", "=1", "A=1\nsecret"] {
            std::fs::write(&path, wrong).unwrap();
            let misuse = file(&path).unwrap_err();
            assert!(misuse.what.contains("line ") && !misuse.what.contains("secret"), "{}", misuse.what);
        }
        assert!(file(dir.path()).unwrap_err().what.contains("--env-file"));
    }
}
