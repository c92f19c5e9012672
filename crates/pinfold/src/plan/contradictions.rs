//! Commands that contradict themselves, and values that cannot be meant.

use crate::command::Command;
use crate::error::{ErrorKind, Result};
use crate::settings::{Stdio, Stream};
use pinfold_os::order::Limit;
use std::time::Duration;

/// Refuses a command that could not be carried out to the letter.
pub(super) fn refuse(command: &Command) -> Result<()> {
    streams(command)?;
    times(command)?;
    identity(command)?;
    process(command)?;
    if let Some((what, instead)) = command.limits.contradiction() {
        return no(command, what, instead);
    }
    environment(command)
}

fn no(command: &Command, what: impl Into<String>, instead: &str) -> Result<()> {
    Err(command.error(ErrorKind::InvalidInput, what).hint(instead))
}

fn streams(command: &Command) -> Result<()> {
    let captured = [&command.stdout, &command.stderr].map(|stdio| *stdio == Stdio::Pipe);
    if command.stdout == Stdio::Stdout {
        return no(
            command,
            "standard output cannot go where standard output goes",
            "that is for standard error",
        );
    }
    for stream in Stream::BOTH {
        if command.tee[stream as usize] && !captured[stream as usize] {
            return no(
                command,
                format!("{stream} is teed and not captured"),
                "leave it at Stdio::Pipe, or do not tee it",
            );
        }
    }
    if captured == [false, false] {
        if command.idle_timeout.is_some() {
            return no(
                command,
                "an idle timeout needs output to watch, and neither stream is captured",
                "capture one, or use a timeout",
            );
        }
        if command.limit != Default::default() {
            return no(
                command,
                "an output limit needs captured output, and neither stream is captured",
                "capture one",
            );
        }
    }
    Ok(())
}

fn times(command: &Command) -> Result<()> {
    for (name, time) in [("a timeout", command.timeout), ("an idle timeout", command.idle_timeout)] {
        if time == Some(Duration::ZERO) {
            return no(
                command,
                format!("{name} of zero leaves no time to run"),
                "leave it out for no timeout",
            );
        }
    }
    if command.success_codes.is_empty() {
        return no(command, "no exit code counts as success", "name at least one");
    }
    // Elsewhere a code has 32 bits.
    if cfg!(unix)
        && let Some(code) = command.success_codes.iter().find(|code| !(0..=255).contains(*code))
    {
        return no(command, format!("no program can exit with code {code}"), "they go from 0 to 255");
    }
    match command.retry {
        Some(retry) if retry.attempts == 0 => no(command, "zero attempts", "1 is the first run itself"),
        Some(retry) if !retry.factor.is_finite() || retry.factor < 1.0 => {
            no(command, format!("pauses cannot grow by {}", retry.factor), "use a factor of at least 1")
        }
        Some(retry) if !(0.0..=1.0).contains(&retry.jitter) => {
            no(command, format!("a jitter of {} is no part of a pause", retry.jitter), "it goes from 0 to 1")
        }
        _ => Ok(()),
    }
}

fn identity(command: &Command) -> Result<()> {
    let settings = &command.process;
    if settings.user.is_some()
        && (settings.uid.is_some() || settings.gid.is_some() || settings.groups.is_some())
    {
        return no(command, "a user and ids are both given", "user() sets uid, gid and groups");
    }
    if settings.setsid && settings.foreground {
        return no(command, "a session of its own has no terminal to be in the foreground of", "choose one");
    }
    Ok(())
}

fn process(command: &Command) -> Result<()> {
    let settings = &command.process;
    let out_of_range = |what: &str, value: i64, range: std::ops::RangeInclusive<i64>| {
        let (first, last) = (range.start(), range.end());
        if range.contains(&value) {
            return Ok(());
        }
        no(
            command,
            format!("a {what} of {value} is out of range"),
            &format!("it goes from {first} to {last}"),
        )
    };
    out_of_range("nice value", settings.nice.unwrap_or(0).into(), -20..=19)?;
    out_of_range("oom_score_adj", settings.oom_score_adj.unwrap_or(0).into(), -1000..=1000)?;
    if let Some(mask) = settings.umask.filter(|mask| *mask > 0o777) {
        return no(
            command,
            format!("a umask of {mask:o} is out of range"),
            "it goes from 0 to 777, in octal",
        );
    }
    match settings.affinity.as_deref() {
        Some([]) => return no(command, "no CPU is left to run on", "name at least one"),
        // CONFIG_NR_CPUS of the largest kernels that are built.
        Some(cpus) if cpus.iter().any(|cpu| *cpu >= 8192) => {
            return no(command, "no machine has a CPU of that number", "CPUs are counted from 0");
        }
        _ => {}
    }
    if settings.io_priority.is_some_and(|priority| priority.number().is_none()) {
        return no(command, "an I/O priority level goes from 0 to 7", "0 comes first");
    }
    Ok(())
}

fn environment(command: &Command) -> Result<()> {
    for (name, value) in &command.env.changes {
        let bytes = name.as_encoded_bytes();
        if bytes.is_empty() || (bytes.contains(&b'=') && value.is_some()) {
            return no(
                command,
                format!("'{}' cannot be the name of an environment variable", name.display()),
                "a name is not empty and holds no '='",
            );
        }
    }
    Ok(())
}

/// The resource limits in the kernel's terms.
pub(super) fn limits(command: &Command) -> Result<Vec<Limit>> {
    let mut limits = Vec::with_capacity(command.process.rlimits.len());
    for limit in &command.process.rlimits {
        let number = limit.resource.number().ok_or_else(|| {
            command.error(
                ErrorKind::Unsupported,
                format!("the resource limit {} is not supported on this platform", limit.resource),
            )
        })?;
        let (soft, hard) = (limit.soft.unwrap_or(u64::MAX), limit.hard.unwrap_or(u64::MAX));
        if soft > hard {
            let what = format!("the soft limit of {} is above its hard limit", limit.resource);
            no(command, what, "the hard limit is the ceiling of the soft one")?;
        }
        limits.push(Limit { resource: number, soft, hard });
    }
    Ok(limits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retry::Retry;
    use crate::settings::IoPriority;
    use crate::{Command, ErrorKind, Resource};

    #[test]
    fn what_cannot_be_meant_is_refused_with_what_to_do() {
        let base = || Command::new("true");
        let null = || base().stdout(Stdio::Null).stderr(Stdio::Null);
        let second = Duration::from_secs(1);
        for (command, word) in [
            (base().stdout(Stdio::Stdout), "standard output"),
            (base().stdout(Stdio::Null).tee(Stream::Stdout), "teed"),
            (null().idle_timeout(second), "idle timeout"),
            (null().output_limit(crate::Limit { max_bytes: Some(1), ..Default::default() }), "output limit"),
            (base().timeout(Duration::ZERO), "zero"),
            (base().success_codes([]), "success"),
            #[cfg(unix)]
            (base().success_codes([0, 256]), "code 256"),
            (base().retry(Retry::times(0)), "attempts"),
            (base().retry(Retry { factor: 0.5, ..Retry::times(2) }), "grow"),
            (base().retry(Retry { jitter: 1.5, ..Retry::times(2) }), "0 to 1"),
            (base().retry(Retry { jitter: f64::NAN, ..Retry::times(2) }), "0 to 1"),
            (base().user("root").uid(0), "both"),
            (base().setsid().foreground(), "foreground"),
            (base().nice(20), "-20 to 19"),
            (base().oom_score_adj(-1001), "-1000 to 1000"),
            (base().umask(0o1000), "octal"),
            (base().affinity([]), "CPU"),
            (base().affinity([u32::MAX]), "CPU"),
            (base().io_priority(IoPriority::BestEffort(8)), "0 to 7"),
            (base().env("A=B", "c"), "A=B"),
            (base().env("", "c"), "name"),
            (base().env("A", "b\0c"), "NUL"),
            (base().arg("b\0c"), "argument 1 holds a NUL"),
            (base().cwd("b\0c"), "directory holds a NUL"),
            (base().rlimit(Resource::OpenFiles, Some(2), Some(1)), "nofile"),
        ] {
            let error = command.plan().expect_err(word);
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
            assert!(error.to_string().contains(word) && error.to_string().starts_with("true: "), "{error}");
        }
    }
}
