//! A scope of systemd's for this process, asked for once where no cgroup can be written.
//!
//! Without rights a user writes to no cgroup but those that systemd has made for him, and it makes one on request: a
//! transient scope with `Delegate=` (systemd.scope(5), org.freedesktop.systemd1(5)). A scope holds processes that are there
//! already, so this very process moves into it, with all its threads; see docs/decisions/0009. When the last process of the
//! scope ends, systemd removes it. It never waits longer than [`LONGEST`].

mod bus;
mod wire;

use bus::Bus;
use pinfold_os::deny::{Feature, denied};
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use wire::{Method, Reader, Writer};

/// A scope takes a few milliseconds; where systemd has stopped, the first run of a process waits for this.
const LONGEST: Duration = Duration::from_secs(2);
/// Where systemd runs, says sd_booted(3).
const BOOTED: &str = "/run/systemd/system";
const SYSTEM_BUS: &str = "/run/dbus/system_bus_socket";
const MANAGER: Method<'_> = Method {
    destination: "org.freedesktop.systemd1",
    path: "/org/freedesktop/systemd1",
    interface: "org.freedesktop.systemd1.Manager",
    member: "StartTransientUnit",
};
const JOB_REMOVED: &str = "JobRemoved";

/// What became of the request of a process, by its pid: after a fork, the child has asked for nothing.
static ASKED: Mutex<Option<(u32, Result<(), String>)>> = Mutex::new(None);

/// Moves this process into a scope of its own called `name`, unless that was tried before: whether it is in one, or why
/// not. `None` where there is no systemd to ask.
pub(super) fn scope(name: &str) -> Option<Result<(), String>> {
    if denied(Feature::Systemd) {
        return Some(Err("hidden by PINFOLD_DENY".to_owned()));
    }
    if !Path::new(BOOTED).is_dir() {
        return None;
    }
    let mut asked = ASKED.lock().unwrap_or_else(PoisonError::into_inner);
    let pid = std::process::id();
    if let Some((_, known)) = asked.as_ref().filter(|asked| asked.0 == pid) {
        return Some(known.clone());
    }
    let path = bus_path();
    let outcome =
        ask(&path, name).map_err(|error| format!("the bus at {} was asked: {error}", path.display()));
    *asked = Some((pid, outcome.clone()));
    Some(outcome)
}

/// The bus of the manager that makes scopes for us: that of the system for root, else that of our user.
fn bus_path() -> PathBuf {
    let user = pinfold_os::users::effective_uid();
    if user == 0 {
        return SYSTEM_BUS.into();
    }
    // A service and `su` come without the variable; systemd has no other place for it.
    let directory =
        std::env::var_os("XDG_RUNTIME_DIR").filter(|directory| Path::new(directory).is_absolute());
    directory.map_or_else(|| PathBuf::from(format!("/run/user/{user}")), PathBuf::from).join("bus")
}

fn ask(path: &Path, name: &str) -> io::Result<()> {
    let mut bus = Bus::connect(path, Instant::now() + LONGEST)?;
    // Before the request, so that the news cannot be missed.
    let Method { destination, path, interface, .. } = MANAGER;
    bus.subscribe(&format!(
        "type='signal',sender='{destination}',path='{path}',interface='{interface}',member='{JOB_REMOVED}'"
    ))?;
    let malformed = || io::Error::other("it answers in a form that is not known");
    let answer = bus.call(MANAGER, "ssa(sv)a(sa(sv))", &request(name))?;
    let job = Reader::new(&answer).text().ok_or_else(malformed)?;
    loop {
        let news = bus.signal(JOB_REMOVED)?;
        let mut news = Reader::new(&news);
        let (_number, removed) = (news.number().ok_or_else(malformed)?, news.text().ok_or_else(malformed)?);
        let (_unit, result) = (news.text().ok_or_else(malformed)?, news.text().ok_or_else(malformed)?);
        if removed == job {
            return if result == "done" {
                verify(name)
            } else {
                Err(io::Error::other(format!("the job that starts {name} ended as {result}")))
            };
        }
    }
}

/// Name, mode, properties, and no other units.
fn request(name: &str) -> Writer {
    let mut body = Writer::default();
    body.text(name);
    body.text("fail");
    body.array(8, |properties| {
        let mut property = |name: &str, kind: &str, value: &dyn Fn(&mut Writer)| {
            properties.align(8);
            properties.text(name);
            properties.signature(kind);
            value(properties);
        };
        property("Description", "s", &|value| value.text("a program and what it has pinfold start"));
        // Whoever sends this: our own number may mean another process where systemd is.
        property("PIDs", "au", &|value| value.array(4, |pids| pids.number(0)));
        property("Delegate", "b", &|value| value.number(1));
        property("CollectMode", "s", &|value| value.text("inactive-or-failed"));
    });
    body.array(8, |_units| {});
    body
}

/// What we were told, by the kernel's own word.
fn verify(name: &str) -> io::Result<()> {
    let own = std::fs::read_to_string("/proc/self/cgroup")?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or_default();
    if Path::new(own).file_name() == Some(OsStr::new(name)) {
        return Ok(());
    }
    Err(io::Error::other(format!("{name} was started, and this process is still in {own}")))
}
