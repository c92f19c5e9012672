//! `pinfold wait-for`: waits until things are ready, and then becomes a program.

use crate::args::wait_for::WaitForArgs;
use crate::exit::{End, FAILED, TIMEOUT};
use crate::run::letters;
use crate::{log, out};
use pinfold::{Command, Error, ErrorKind, Host, Machine, Probe, Waiting};
use pinfold_os::inbox::Inbox;
use pinfold_os::poll;
use std::io;
use std::time::{Duration, Instant};

/// How long it is waited, unless told otherwise.
const TIMEOUT_BY_DEFAULT: Duration = Duration::from_secs(60);

pub(crate) fn wait_for(args: &WaitForArgs) -> End {
    if let Err(misuse) = log::open(args.log) {
        out::fail(&misuse.what, Some(&misuse.hint));
        return End::Code(FAILED);
    }
    // As the first process of a container it would be deaf to them otherwise.
    let inbox = Inbox::open(letters::deadly()).ok();
    let host = Host::new().guard_as_child();
    let host = match &inbox {
        Some(inbox) => host.signal_mask(inbox.mask_before()),
        None => host,
    };
    let host = log::watch(host, None);
    let probe = match probe(args, &host) {
        Ok(probe) => probe,
        Err(error) => return refuse(&error),
    };
    let timeout = args.timeout.unwrap_or(TIMEOUT_BY_DEFAULT);
    let start = Instant::now();
    match drive(probe.waiting(timeout), inbox.as_ref()) {
        Err(error) => {
            out::fail(&format!("waiting has failed: {error}"), None);
            return End::Code(FAILED);
        }
        Ok(Waited::Told(end)) => return end,
        Ok(Waited::Answer(Err(error))) => return refuse(&error),
        Ok(Waited::Answer(Ok(()))) => {}
    }
    if !args.quiet {
        out::say(&format!("{probe}: ready after {}", shown(start.elapsed())));
    }
    // Whatever came meanwhile acts now, and what follows has the mask that we were given.
    drop(inbox);
    let Some((program, arguments)) = args.command.split_first() else { return End::Code(0) };
    match Host::new().pass_descriptors().exec(&Command::new(program).args(arguments)) {
        Ok(never) => match never {},
        Err(error) => {
            out::fail(&error.message(), error.what_to_do());
            End::of_error(&error)
        }
    }
}

fn probe(args: &WaitForArgs, host: &Host) -> pinfold::Result<Probe> {
    let mut probes = Vec::new();
    for target in &args.targets {
        let mut probe = target.probe()?.run_by(host.clone());
        if let Some(interval) = args.interval {
            probe = probe.interval(interval);
        }
        if let Some(longest) = args.attempt {
            probe = probe.attempt(longest);
        }
        probes.push(probe);
    }
    tell_apart(&mut probes);
    Ok(match probes.len() {
        1 => probes.remove(0),
        _ if args.any => Probe::any(probes),
        _ => Probe::all(probes),
    })
}

/// Of a command only the program is told, so that several can look alike: those are numbered.
fn tell_apart(probes: &mut [Probe]) {
    let names: Vec<String> = probes.iter().map(Probe::to_string).collect();
    for (index, probe) in probes.iter_mut().enumerate() {
        let name = &names[index];
        if names.iter().filter(|other| *other == name).count() > 1 {
            *probe = probe.clone().named(format!("{name} (target {})", index + 1));
        }
    }
}

fn refuse(error: &Error) -> End {
    out::fail(&error.message(), error.what_to_do());
    End::Code(if error.kind() == ErrorKind::Timeout { TIMEOUT } else { FAILED })
}

fn shown(time: Duration) -> String {
    match time.as_millis() {
        millis @ 0..1000 => format!("{millis}ms"),
        _ => format!("{:.1}s", time.as_secs_f64()),
    }
}

enum Waited {
    Answer(pinfold::Result<()>),
    /// A signal came that ends us.
    Told(End),
}

fn drive(mut waiting: Waiting, inbox: Option<&Inbox>) -> io::Result<Waited> {
    loop {
        let now = Instant::now();
        if let Some(answer) = waiting.advance(now)? {
            return Ok(Waited::Answer(answer));
        }
        if let Some(letter) = inbox.map(Inbox::take).transpose()?.flatten() {
            // What a probe runs ends first.
            drop(waiting);
            return Ok(Waited::Told(End::Signal(letter.signal)));
        }
        let mut interest = waiting.interest(now);
        interest.waitables.extend(inbox.map(Inbox::waitable));
        poll::wait(&interest.waitables, interest.deadline)?;
    }
}
