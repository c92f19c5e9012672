//! A runner that starts nothing and replies by rules.

use super::{Reply, Runner};
use crate::cancel::CancelToken;
use crate::command::Command;
use crate::error::{ErrorKind, Result};
use crate::listener::Listener;
use crate::observe::{Observer, RunEvent};
use crate::running::{Intake, Running};
use crate::settings::Stream;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A runner for tests: it starts nothing, and replies to each command by the first of its rules that has a reply to it.
///
/// Clones are the same runner. A command that none of them has a reply to is an error,
/// [`ErrorKind::NoReply`](crate::ErrorKind::NoReply), which names the program and never its arguments.
///
/// ```
/// use pinfold::testing::{Reply, ScriptedRunner};
/// use pinfold::{Command, ErrorKind, Runner};
///
/// let runner = ScriptedRunner::new()
///     .on(["git", "rev-parse"], Reply::ok("deadbeef\n"))
///     .on(["git", "push"], Reply::fail(128, "fatal: no remote\n"));
/// assert_eq!(runner.run(&Command::new("git").args(["rev-parse", "HEAD"]))?, "deadbeef");
/// let error = runner.run(&Command::new("git").arg("push")).unwrap_err();
/// assert_eq!((error.kind(), error.code()), (ErrorKind::NonZeroExit, Some(128)));
/// let error = runner.run(&Command::new("make")).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::NoReply);
/// # pinfold::Result::Ok(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ScriptedRunner {
    shared: Arc<Mutex<Shared>>,
    cancel: Option<CancelToken>,
    listener: Option<Listener>,
    observer: Observer,
}

#[derive(Debug, Default)]
struct Shared {
    rules: Vec<Arc<Rule>>,
    fallback: Option<Reply>,
    intakes: Vec<Intake>,
}

/// Which commands, and what is replied to them.
struct Rule {
    matches: Box<Matches>,
    replies: Replies,
}

type Matches = dyn Fn(&Command) -> bool + Send + Sync;
type Answers = dyn Fn(&Command) -> Option<Reply> + Send + Sync;

enum Replies {
    Always(Reply),
    InOrder(Mutex<VecDeque<Reply>>),
    Computed(Box<Answers>),
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.replies {
            Replies::Always(_) => "Rule(a reply)",
            Replies::InOrder(_) => "Rule(replies in order)",
            Replies::Computed(_) => "Rule(computed replies)",
        })
    }
}

impl ScriptedRunner {
    /// A runner without rules.
    pub fn new() -> ScriptedRunner {
        ScriptedRunner::default()
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rule(self, matches: Box<Matches>, replies: Replies) -> ScriptedRunner {
        self.lock().rules.push(Arc::new(Rule { matches, replies }));
        self
    }

    /// Replies so to commands that begin with this program and these arguments. A program without a slash stands for the
    /// files of that name too: `git` for `/usr/bin/git`.
    #[must_use]
    pub fn on<A: Into<OsString>>(self, prefix: impl IntoIterator<Item = A>, reply: Reply) -> ScriptedRunner {
        self.rule(begins_with(prefix), Replies::Always(reply))
    }

    /// Replies so to commands of which this holds.
    #[must_use]
    pub fn when(
        self,
        holds: impl Fn(&Command) -> bool + Send + Sync + 'static,
        reply: Reply,
    ) -> ScriptedRunner {
        self.rule(Box::new(holds), Replies::Always(reply))
    }

    /// Replies to commands that begin so with each of these once, in order. After the last of them the rule is used up, and
    /// later rules have their turn.
    #[must_use]
    pub fn sequence<A: Into<OsString>>(
        self,
        prefix: impl IntoIterator<Item = A>,
        replies: impl IntoIterator<Item = Reply>,
    ) -> ScriptedRunner {
        let replies = replies.into_iter().collect();
        self.rule(begins_with(prefix), Replies::InOrder(Mutex::new(replies)))
    }

    /// Replies with what this makes of the command, where it makes something of it.
    #[must_use]
    pub fn answering(
        self,
        answer: impl Fn(&Command) -> Option<Reply> + Send + Sync + 'static,
    ) -> ScriptedRunner {
        self.rule(Box::new(|_| true), Replies::Computed(Box::new(answer)))
    }

    /// Replies so to whatever no rule has a reply to.
    #[must_use]
    pub fn fallback(self, reply: Reply) -> ScriptedRunner {
        self.lock().fallback = Some(reply);
        self
    }

    /// Ties every run to a token, as [`Host::cancel_on`](crate::Host::cancel_on) does.
    #[must_use]
    pub fn cancel_on(mut self, token: &CancelToken) -> ScriptedRunner {
        self.cancel = Some(token.clone());
        self
    }

    /// Calls this with each captured line while a verb waits, as [`Host::on_line`](crate::Host::on_line) does.
    #[must_use]
    pub fn on_line(mut self, listener: impl Fn(Stream, &str) + Send + Sync + 'static) -> ScriptedRunner {
        self.listener = Some(Listener::new(listener));
        self
    }

    /// Calls this with what happens to runs, as [`Host::on_event`](crate::Host::on_event) does.
    #[must_use]
    pub fn on_event(mut self, told: impl Fn(&RunEvent) + Send + Sync + 'static) -> ScriptedRunner {
        self.observer.add(told);
        self
    }

    /// What was read on standard input by each run that was given one, in the order of their starts; of those that still
    /// run, so far.
    pub fn inputs(&self) -> Vec<Vec<u8>> {
        self.lock().intakes.iter().map(Intake::bytes).collect()
    }

    fn reply_to(&self, command: &Command) -> Result<Reply> {
        // What callers wrote is called without a lock.
        let (rules, fallback) = {
            let shared = self.lock();
            (shared.rules.clone(), shared.fallback.clone())
        };
        let mut used_up = 0;
        for rule in rules.iter().filter(|rule| (rule.matches)(command)) {
            let reply = match &rule.replies {
                Replies::Always(reply) => Some(reply.clone()),
                Replies::InOrder(replies) => {
                    let next = replies.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    used_up += usize::from(next.is_none());
                    next
                }
                Replies::Computed(answer) => answer(command),
            };
            if let Some(reply) = reply {
                return Ok(reply);
            }
        }
        if let Some(reply) = fallback {
            return Ok(reply);
        }
        let rules = match rules.len() {
            0 => "it has no rules".to_owned(),
            1 => "it has 1 rule".to_owned(),
            rules => format!("it has {rules} rules"),
        };
        let what = match used_up {
            0 => format!("no reply of this scripted runner matches it; {rules}"),
            1 => format!("the replies of this scripted runner to it are used up; {rules}"),
            used_up => format!("{used_up} rules of this scripted runner for it are used up; {rules}"),
        };
        Err(command.error(ErrorKind::NoReply, what).hint("add one with on() or fallback()"))
    }
}

/// Whether a command begins with this program and these arguments.
fn begins_with<A: Into<OsString>>(prefix: impl IntoIterator<Item = A>) -> Box<Matches> {
    let prefix: Vec<OsString> = prefix.into_iter().map(Into::into).collect();
    Box::new(move |command| match prefix.split_first() {
        Some((program, args)) => {
            is_named(command.program(), program) && command.arguments().starts_with(args)
        }
        None => true,
    })
}

fn is_named(program: &OsStr, name: &OsStr) -> bool {
    program == name
        || Path::new(name).components().count() == 1 && Path::new(program).file_name() == Some(name)
}

impl ScriptedRunner {
    fn start(&self, command: &Command) -> Result<Running> {
        let reply = self.reply_to(command)?;
        if let Some(refusal) = reply.refusal(command) {
            return Err(refusal);
        }
        let (running, intake) = command.perform(reply.script, self.cancel.clone())?;
        self.lock().intakes.extend(intake);
        Ok(running)
    }
}

impl Runner for ScriptedRunner {
    fn launch(&self, command: &Command) -> Result<Running> {
        super::watched(&self.observer, command, self.start(command))
    }

    fn listener(&self) -> Option<&Listener> {
        self.listener.as_ref()
    }

    fn cancel_token(&self) -> Option<&CancelToken> {
        self.cancel.as_ref()
    }

    fn observer(&self) -> Option<&Observer> {
        Some(&self.observer)
    }
}
