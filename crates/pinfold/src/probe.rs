//! Probes: what is waited for before something is used that was only started. A probe is plain data; waiting for it is a
//! machine like any other ([`Waiting`]), and its timeout is an error that leaves alone whatever was waited for.

mod address;
mod bound;
mod check;
mod http;
mod output;
mod polled;
mod text;
mod trial;
mod waiting;

#[cfg(test)]
mod tests;

pub(crate) use check::Check;
pub use polled::PolledWaiting;
pub use waiting::Waiting;

use crate::command::Command;
use crate::drive::block;
use crate::error::{Error, ErrorKind, Result};
use crate::runner::{Host, Runner};
use crate::settings::Stream;
use address::Address;
use std::ffi::OsStr;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What is asked again this often, unless it says otherwise; a command is asked every [`COMMAND_INTERVAL`].
const INTERVAL: Duration = Duration::from_millis(50);
const COMMAND_INTERVAL: Duration = Duration::from_millis(500);
/// How long one attempt may take, unless it says otherwise.
const ATTEMPT: Duration = Duration::from_secs(5);

/// Something that holds or does not, and that can be waited for: a port at which somebody listens, a line that a program
/// writes, a file.
///
/// Wait for one by itself ([`Probe::wait`]) or for one of a run that is being started
/// ([`Handle::wait_until`](crate::Handle::wait_until)), which ends with that run. Whatever else it waits for, a wait that takes too long is an error of kind
/// [`ErrorKind::Timeout`] that says why the last attempt failed, and nothing is ended by it.
///
/// ```
/// use pinfold::{Command, Probe};
/// use std::time::Duration;
///
/// let server = Command::new("sh").args(["-c", "echo listening on 80; sleep 60"]).start()?;
/// server.wait_until(&Probe::line(|line| line.starts_with("listening")), Duration::from_secs(10))?;
///
/// let nobody = Probe::tcp("127.0.0.1", 1).wait(Duration::from_millis(20)).unwrap_err();
/// assert_eq!(nobody.to_string(), "not ready after 20ms: tcp://127.0.0.1:1: connection refused");
/// # pinfold::Result::Ok(())
/// ```
#[derive(Clone)]
#[must_use = "a probe does nothing until it is waited for"]
pub struct Probe {
    kind: Kind,
    name: Option<String>,
    interval: Option<Duration>,
    attempt: Option<Duration>,
}

#[derive(Clone)]
enum Kind {
    Line { stream: Option<Stream>, holds: Arc<HoldsOfText> },
    Prompt { stream: Option<Stream>, holds: Arc<HoldsOfText> },
    Tcp(Address),
    Unix(PathBuf),
    Http { url: http::Url, good: RangeInclusive<u16> },
    File { path: PathBuf, filled: bool },
    Command { runner: Arc<dyn Runner>, command: Box<Command> },
    Asked(Arc<Asked>),
    All(Vec<Probe>),
    Any(Vec<Probe>),
}

type HoldsOfText = dyn Fn(&str) -> bool + Send + Sync;
type Asked = dyn Fn() -> std::result::Result<(), String> + Send + Sync;

/// What can be waited for.
impl Probe {
    fn new(kind: Kind) -> Probe {
        Probe { kind, name: None, interval: None, attempt: None }
    }

    /// A line of a run's output, on either stream, of which this holds. The lines that are retained from before the wait
    /// count. Only of a run.
    pub fn line(holds: impl Fn(&str) -> bool + Send + Sync + 'static) -> Probe {
        Probe::new(Kind::Line { stream: None, holds: Arc::new(holds) })
    }

    /// The beginning of a line that has not come to its end, of which this holds: a prompt, at which a program waits. Only of
    /// a run.
    pub fn prompt(holds: impl Fn(&str) -> bool + Send + Sync + 'static) -> Probe {
        Probe::new(Kind::Prompt { stream: None, holds: Arc::new(holds) })
    }

    /// A TCP port at which somebody listens. Nothing is sent.
    ///
    /// Addresses and `localhost` (127.0.0.1, then ::1) are known. **Any other name is resolved before each attempt by
    /// getaddrinfo(3), which blocks the thread that drives the wait** for as long as the name service takes, longer than the
    /// timeout if it has to be: give an address where that matters.
    pub fn tcp(host: impl Into<String>, port: u16) -> Probe {
        Probe::new(Kind::Tcp(Address::new(host, port)))
    }

    /// A Unix stream socket at which somebody listens. Nothing is sent.
    pub fn unix(path: impl Into<PathBuf>) -> Probe {
        Probe::new(Kind::Unix(path.into()))
    }

    /// A URL that answers a GET with a status from 200 to 299, or one of [`Probe::status`].
    ///
    /// It speaks HTTP/1.1 and reads nothing but the status line. Redirects are not followed: `301` is a status like any
    /// other. For names see [`Probe::tcp`].
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for `https`, which it does not speak; [`ErrorKind::InvalidInput`] for what is no URL.
    pub fn http(url: &str) -> Result<Probe> {
        match http::Url::parse(url) {
            Ok(url) => Ok(Probe::new(Kind::Http { url, good: 200..=299 })),
            Err(http::Refused::Malformed(what)) => Err(text::refused(url, "http", &what)),
            Err(http::Refused::Tls) => {
                let what = "would take TLS, which is not spoken here";
                let error = Error::new(ErrorKind::Unsupported, OsStr::new(&text::shown(url)), what);
                Err(error.hint("wait for a command such as `curl --fail --silent`, or for the port alone"))
            }
        }
    }

    /// A file, directory or anything else that is there; symbolic links are followed.
    pub fn file(path: impl Into<PathBuf>) -> Probe {
        Probe::new(Kind::File { path: path.into(), filled: false })
    }

    /// A file that is there and not empty.
    pub fn filled_file(path: impl Into<PathBuf>) -> Probe {
        Probe::new(Kind::File { path: path.into(), filled: true })
    }

    /// A command that succeeds, run on this host as often as it takes. Unless it has a timeout, each run has
    /// [`Probe::attempt`].
    pub fn command(command: Command) -> Probe {
        Probe::command_on(Host::new(), command)
    }

    /// [`Probe::command`], by a runner.
    pub fn command_on(runner: impl Runner + 'static, command: Command) -> Probe {
        Probe::new(Kind::Command { runner: Arc::new(runner), command: Box::new(command) })
    }

    /// Anything that can be asked for, without waiting.
    pub fn holds(asked: impl Fn() -> bool + Send + Sync + 'static) -> Probe {
        Probe::asked(move || if asked() { Ok(()) } else { Err("it does not hold".to_owned()) })
    }

    /// [`Probe::holds`], with the reason where it does not hold.
    pub fn asked(asked: impl Fn() -> std::result::Result<(), String> + Send + Sync + 'static) -> Probe {
        Probe::new(Kind::Asked(Arc::new(asked)))
    }

    /// All of these, each of them at some time during the wait.
    pub fn all(probes: impl IntoIterator<Item = Probe>) -> Probe {
        Probe::new(Kind::All(probes.into_iter().collect()))
    }

    /// The first of these.
    pub fn any(probes: impl IntoIterator<Item = Probe>) -> Probe {
        Probe::new(Kind::Any(probes.into_iter().collect()))
    }
}

/// How it is waited for.
impl Probe {
    /// What errors call it.
    pub fn named(mut self, name: impl Into<String>) -> Probe {
        self.name = Some(name.into());
        self
    }

    /// How long after a failed attempt the next one is made: 50 milliseconds unless told otherwise, half a second for a
    /// command, and a millisecond at least. What a run writes is looked at as it comes.
    pub fn interval(mut self, interval: Duration) -> Probe {
        self.interval = Some(interval);
        self
    }

    /// How long one attempt may take: 5 seconds unless told otherwise, and [`Duration::MAX`] is as long as is waited. Zero leaves
    /// no time to an answer: only what is told at once holds.
    pub fn attempt(mut self, longest: Duration) -> Probe {
        self.attempt = Some(longest);
        self
    }

    /// Runs its commands by this runner.
    pub fn run_by(mut self, by: impl Runner + 'static) -> Probe {
        self.set_runner(&(Arc::new(by) as Arc<dyn Runner>));
        self
    }

    fn set_runner(&mut self, by: &Arc<dyn Runner>) {
        match &mut self.kind {
            Kind::Command { runner, .. } => *runner = by.clone(),
            Kind::All(probes) | Kind::Any(probes) => probes.iter_mut().for_each(|probe| probe.set_runner(by)),
            _ => {}
        }
    }

    /// For a URL: which statuses are good.
    pub fn status(mut self, statuses: RangeInclusive<u16>) -> Probe {
        if let Kind::Http { good, .. } = &mut self.kind {
            *good = statuses;
        }
        self
    }

    /// For a line or a prompt: on which stream.
    pub fn on(mut self, which: Stream) -> Probe {
        if let Kind::Line { stream, .. } | Kind::Prompt { stream, .. } = &mut self.kind {
            *stream = Some(which);
        }
        self
    }
}

/// Waiting for it.
impl Probe {
    /// The wait as a machine, which begins when it is advanced for the first time.
    pub fn waiting(&self, timeout: Duration) -> Waiting {
        Waiting::new(self, timeout)
    }

    /// Blocks until it holds.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`], with the reason of the last failure; [`ErrorKind::InvalidInput`] if it is about the output of a
    /// run; [`ErrorKind::Io`] if the descriptors cannot be waited for.
    pub fn wait(&self, timeout: Duration) -> Result<()> {
        let answer =
            block::until(&mut self.waiting(timeout), None).map_err(|error| self.unwaitable(error))?;
        answer.unwrap_or(Ok(()))
    }

    /// [`Probe::wait`], awaited.
    ///
    /// # Errors
    /// As there.
    #[cfg(all(feature = "tokio", unix))]
    pub async fn wait_async(&self, timeout: Duration) -> Result<()> {
        let waited = crate::drive::tokio::until(&mut self.waiting(timeout)).await;
        waited.map_err(|error| self.unwaitable(error))?
    }

    fn unwaitable(&self, error: std::io::Error) -> Error {
        let what = format!("{self} cannot be waited for: {error}");
        Error::new(ErrorKind::Io, OsStr::new(""), what).because(error)
    }

    /// Whether it is about what a run writes, in part at least.
    pub(crate) fn is_of_output(&self) -> bool {
        match &self.kind {
            Kind::Line { .. } | Kind::Prompt { .. } => true,
            Kind::All(probes) | Kind::Any(probes) => probes.iter().any(Probe::is_of_output),
            _ => false,
        }
    }

    /// Whether it has no name but those of its parts.
    fn is_named_in_reasons(&self) -> bool {
        self.name.is_none() && matches!(self.kind, Kind::All(_) | Kind::Any(_))
    }

    /// What nobody can wait for.
    fn contradiction(&self) -> Option<&'static str> {
        match &self.kind {
            Kind::Any(probes) if probes.is_empty() => Some("is any of no probes, which never holds"),
            Kind::All(probes) | Kind::Any(probes) => probes.iter().find_map(Probe::contradiction),
            Kind::Http { good, .. } if good.is_empty() => Some("has no good status"),
            _ => None,
        }
    }
}

impl fmt::Display for Probe {
    /// Its name; of a command and a URL nothing that could be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            return f.write_str(name);
        }
        let joined =
            |probes: &[Probe], word: &str| probes.iter().map(Probe::to_string).collect::<Vec<_>>().join(word);
        match &self.kind {
            Kind::Line { .. } => f.write_str("a line of its output"),
            Kind::Prompt { .. } => f.write_str("a prompt"),
            Kind::Tcp(address) => write!(f, "tcp://{address}"),
            Kind::Unix(path) => write!(f, "unix:{}", path.display()),
            Kind::Http { url, .. } => url.fmt(f),
            Kind::File { path, filled } => {
                write!(f, "{}:{}", if *filled { "nonempty" } else { "file" }, path.display())
            }
            Kind::Command { command, .. } => write!(f, "cmd:{}", command.program().display()),
            Kind::Asked(_) => f.write_str("a condition"),
            Kind::All(probes) => f.write_str(&joined(probes, " and ")),
            Kind::Any(probes) => f.write_str(&joined(probes, " or ")),
        }
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Probe({self})")
    }
}
