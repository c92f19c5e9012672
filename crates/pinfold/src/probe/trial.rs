//! One attempt of a probe at what takes time: a connection, an answer, a command.

use super::address::Address;
use super::http;
use crate::command::Command;
use crate::drive::completion::Completion;
use crate::machine::{Interest, Machine};
use crate::runner::Runner;
use crate::verbs::Judge;
use pinfold_os::connect::Connection;
use pinfold_os::poll::Direction;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Instant;

/// How an attempt went: the reason, where it failed.
pub(super) type Verdict = Result<(), String>;

/// An attempt that is under way.
pub(super) enum Trial {
    Connect(Connecting),
    Http(Asking),
    Command(Box<Completion<Arc<dyn Runner>>>),
}

impl Trial {
    pub(super) fn connect(address: &Address) -> Result<Trial, String> {
        Ok(Trial::Connect(Connecting::new(address)?))
    }

    pub(super) fn http(url: &http::Url, good: RangeInclusive<u16>) -> Result<Trial, String> {
        let connecting = Connecting::new(&url.address)?;
        let asking = Asking {
            connecting,
            connection: None,
            request: url.request(),
            sent: 0,
            answer: Vec::new(),
            good,
        };
        Ok(Trial::Http(asking))
    }

    pub(super) fn command(runner: Arc<dyn Runner>, command: Command) -> Trial {
        Trial::Command(Box::new(Completion::new(runner, command, Judge::Succeed)))
    }

    /// How it went, once that is known.
    pub(super) fn advance(&mut self, now: Instant) -> io::Result<Option<Verdict>> {
        Ok(match self {
            Trial::Connect(connecting) => match connecting.advance() {
                Ok(connection) => connection.map(|_| Ok(())),
                Err(reason) => Some(Err(reason)),
            },
            Trial::Http(asking) => asking.advance().transpose(),
            Trial::Command(completion) => {
                completion.advance(now)?.map(|result| result.map(drop).map_err(|error| error.message()))
            }
        })
    }

    pub(super) fn interest(&self, now: Instant) -> Interest<'_> {
        let waitables = match self {
            Trial::Command(completion) => return completion.interest(now),
            Trial::Connect(connecting) => connecting.waitable(),
            Trial::Http(asking) => asking.waitable(),
        };
        Interest { waitables: waitables.into_iter().collect(), deadline: None }
    }

    /// Whether it has a bound of its own, so that none has to be set.
    pub(super) fn is_bounded(&self) -> bool {
        matches!(self, Trial::Command(_))
    }
}

/// A connection to the first of some addresses at which somebody listens.
pub(super) struct Connecting {
    left: VecDeque<SocketAddr>,
    now: Option<Connection>,
    /// Why the first of them failed: the others are most often a second spelling of it.
    reason: Option<String>,
}

impl Connecting {
    fn new(address: &Address) -> Result<Connecting, String> {
        Ok(Connecting { left: address.resolve()?.into(), now: None, reason: None })
    }

    fn advance(&mut self) -> Result<Option<Connection>, String> {
        loop {
            let result = match self.now.take() {
                Some(connection) => match connection.is_connected() {
                    Ok(true) => return Ok(Some(connection)),
                    Ok(false) => {
                        self.now = Some(connection);
                        return Ok(None);
                    }
                    Err(error) => Err(error),
                },
                None => match self.left.pop_front() {
                    Some(address) => Connection::tcp(address),
                    None => {
                        return Err(self
                            .reason
                            .take()
                            .unwrap_or_else(|| "its name has no address".to_owned()));
                    }
                },
            };
            match result {
                Ok(connection) => self.now = Some(connection),
                Err(error) => drop(self.reason.get_or_insert_with(|| plain(&error))),
            }
        }
    }

    fn waitable(&self) -> Option<pinfold_os::poll::Waitable<'_>> {
        self.now.as_ref().map(|connection| connection.waitable(Direction::Write))
    }
}

/// A question, and as much of the answer as tells the status.
pub(super) struct Asking {
    connecting: Connecting,
    connection: Option<Connection>,
    request: Vec<u8>,
    sent: usize,
    answer: Vec<u8>,
    good: RangeInclusive<u16>,
}

impl Asking {
    fn advance(&mut self) -> Result<Option<()>, String> {
        if self.connection.is_none() {
            self.connection = self.connecting.advance()?;
        }
        let Some(connection) = &self.connection else { return Ok(None) };
        while self.sent < self.request.len() {
            match connection.send(&self.request[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(plain(&error)),
            }
        }
        let mut buffer = [0; 4096];
        loop {
            match connection.receive(&mut buffer) {
                Ok(0) => return Err("it closed the connection without an answer".to_owned()),
                Ok(count) => self.answer.extend(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(plain(&error)),
            }
            match http::status(&self.answer)? {
                None => {}
                Some(status) if self.good.contains(&status) => return Ok(Some(())),
                Some(status @ 300..=399) => {
                    return Err(format!("status {status}, a redirect, which is not followed"));
                }
                Some(status) => return Err(format!("status {status}")),
            }
        }
    }

    fn waitable(&self) -> Option<pinfold_os::poll::Waitable<'_>> {
        let Some(connection) = &self.connection else { return self.connecting.waitable() };
        let sent = self.sent == self.request.len();
        Some(connection.waitable(if sent { Direction::Read } else { Direction::Write }))
    }
}

/// What the system says of an error, as a fragment and without its number.
pub(super) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error ").next().unwrap_or(&text);
    let mut letters = text.chars();
    match letters.next() {
        Some(first) if !letters.as_str().starts_with(char::is_uppercase) => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}
