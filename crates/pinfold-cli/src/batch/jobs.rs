//! The jobs that run, and what is made of each that ends.

use super::job::{Job, Verdict};
use super::joblog::JobLog;
use super::screen::{Order, Page, Screen};
use crate::args::RunArgs;
use crate::args::batch::{BatchArgs, Halt, HaltOn};
use crate::exit::End;
use crate::log;
use crate::run::words;
use pinfold::{Command, Completion, Crowd, Host, Interest, Judge, Keep, Key, Output, Retry, Stdio};
use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::sync::Arc;
use std::time::Instant;

/// How many jobs came to what.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) succeeded: usize,
    pub(crate) failed: usize,
    /// With the batch.
    pub(crate) stopped: usize,
}

impl Counts {
    pub(crate) fn done(self) -> usize {
        self.succeeded + self.failed + self.stopped
    }
}

pub(crate) struct Jobs {
    settings: Settings,
    host: Host,
    screen: Arc<Screen>,
    log: Option<JobLog>,
    log_failure: Option<io::Error>,
    crowd: Crowd<Completion<Host>>,
    running: HashMap<Key, Job>,
    order: Option<Order>,
    counts: Counts,
    /// No more are started.
    closed: bool,
    /// The end for a program that cannot be started at all.
    no_program: Option<End>,
    warned: bool,
}

/// What of the arguments is needed for each job.
struct Settings {
    base: Command,
    halt: Option<Halt>,
    tag: bool,
    line_buffer: bool,
    quiet: bool,
    one_program: bool,
}

impl Jobs {
    pub(crate) fn new(
        args: &BatchArgs,
        host: Host,
        screen: Arc<Screen>,
        log: Option<JobLog>,
        one_program: bool,
    ) -> Jobs {
        let mut base = Command::new("");
        if args.ungroup {
            base = base.stdout(Stdio::Inherit).stderr(Stdio::Inherit);
        } else if args.line_buffer {
            base = base.keep(Keep(0));
        }
        if let Some(timeout) = args.timeout {
            base = base.timeout(timeout);
        }
        if let Some(grace) = args.grace {
            base = base.timeout_grace(grace);
        }
        if args.retries > 0 {
            let retry = Retry::times(args.retries.saturating_add(1));
            let pause = args.retry_pause.unwrap_or(retry.pause);
            base = base.retry(Retry { pause, jitter: args.retry_jitter, ..retry });
        }
        let settings = Settings {
            base,
            halt: args.halt,
            tag: args.tag,
            line_buffer: args.line_buffer,
            quiet: args.quiet,
            one_program,
        };
        Jobs {
            settings,
            host,
            screen,
            log,
            log_failure: None,
            crowd: Crowd::default(),
            running: HashMap::new(),
            order: args.keep_order.then(Order::default),
            counts: Counts::default(),
            closed: false,
            no_program: None,
            warned: false,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.crowd.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.crowd.is_empty()
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    pub(crate) fn are_closed(&self) -> bool {
        self.closed
    }

    pub(crate) fn has_room(&self, width: usize) -> bool {
        self.crowd.len() < width && !self.order.as_ref().is_some_and(Order::is_full)
    }

    pub(crate) fn no_program(&self) -> Option<End> {
        self.no_program
    }

    pub(crate) fn take_log_failure(&mut self) -> Option<io::Error> {
        self.log_failure.take()
    }

    pub(crate) fn interest(&self, now: Instant) -> Interest<'_> {
        self.crowd.interest(now)
    }

    pub(crate) fn start(&mut self, job: Job, command: Vec<OsString>) {
        let mut words = command.into_iter();
        let command = self.settings.base.clone().named(words.next().unwrap_or_default()).args(words);
        let host = if self.settings.line_buffer { self.telling(&job) } else { self.host.clone() };
        let host = log::watch(host, Some(job.number));
        let key = self.crowd.add(Completion::new(host, command, Judge::End));
        self.running.insert(key, job);
    }

    /// A host that prints the lines of a job as they come.
    fn telling(&self, job: &Job) -> Host {
        let screen = self.screen.clone();
        let mut tag = Vec::new();
        if self.settings.tag {
            tag = job.tag.clone();
            tag.push(b'\t');
        }
        self.host.clone().on_line(move |stream, line| {
            screen.write(stream, &[&tag, line.as_bytes(), b"\n"].concat());
        })
    }

    /// A job that was done before, or is only shown.
    pub(crate) fn skip(&mut self, number: usize) {
        self.put(number, None);
    }

    /// A job that means nothing.
    pub(crate) fn refuse(&mut self, number: usize, why: &str, now: Instant) {
        self.counts.failed += 1;
        self.screen.say(&format!("job {number}: {why}"));
        self.put(number, None);
        self.halt_if_due(now);
    }

    fn put(&mut self, number: usize, page: Option<Page>) {
        let pages = match &mut self.order {
            Some(order) => order.put(number - 1, page),
            None => page.into_iter().collect(),
        };
        pages.iter().for_each(|page| self.screen.print(page));
    }

    /// Has them go on: whether some have ended.
    pub(crate) fn advance(&mut self, now: Instant) -> bool {
        let answers = match self.crowd.advance(now) {
            Ok(answers) => answers,
            Err(error) => {
                self.log_failure.get_or_insert(error);
                return false;
            }
        };
        self.warn_of_weakness();
        let came = !answers.is_empty();
        for (key, completion, answer) in answers {
            let attempts = completion.attempts();
            let answer = answer.unwrap_or_else(|error| Err(completion.unwaitable(error)));
            drop(completion);
            if let Some(job) = self.running.remove(&key) {
                self.end(&job, answer, attempts, now);
            }
        }
        came
    }

    fn end(&mut self, job: &Job, result: pinfold::Result<Output<Vec<u8>>>, attempts: u32, now: Instant) {
        let verdict = Verdict { result: &result, attempts };
        if let Some(log) = &mut self.log
            && let Err(error) = log.write(&job.entry(&verdict, now))
        {
            self.log_failure.get_or_insert(error);
        }
        let failed = !verdict.is_success() && !verdict.is_cancelled();
        if verdict.is_success() {
            self.counts.succeeded += 1;
        } else if failed {
            self.counts.failed += 1;
        } else {
            self.counts.stopped += 1;
        }
        let said =
            (failed && !self.settings.quiet).then(|| format!("job {}: {}", job.number, verdict.words()));
        let blamed = result.as_ref().err().filter(|error| error.blames_program());
        if let Some(error) = blamed.filter(|_| self.settings.one_program) {
            self.no_program = Some(End::of_error(error));
            self.stop(now);
        }
        let output = result.or_else(|error| error.into_output().ok_or(())).ok();
        let page = output.filter(|_| !self.settings.line_buffer).map(|output| {
            let mut page = Page { stdout: output.stdout, stderr: output.stderr };
            if self.settings.tag {
                page.tag(&job.tag);
            }
            page
        });
        self.put(job.number, page);
        if let Some(said) = said {
            self.screen.say(&said);
        }
        self.halt_if_due(now);
    }

    fn halt_if_due(&mut self, now: Instant) {
        let Some(halt) = self.settings.halt else { return };
        let count = match halt.on {
            HaltOn::Fail => self.counts.failed,
            HaltOn::Success => self.counts.succeeded,
            HaltOn::Done => self.counts.failed + self.counts.succeeded,
        };
        if count >= halt.after {
            if halt.now && !self.closed {
                self.stop(now);
            }
            self.closed = true;
        }
    }

    /// Says once what a person should know who takes the container for a better one.
    fn warn_of_weakness(&mut self) {
        if self.warned || self.settings.quiet {
            return;
        }
        let Some(running) = self.crowd.iter().find_map(|(_, completion)| completion.running()) else {
            return;
        };
        let weakness = words::weakness(&RunArgs::default(), running.mechanism(), running.guarantee());
        self.warned = true;
        if let Some(weakness) = weakness {
            self.screen.say(&format!("{weakness}; `pinfold doctor` says why"));
        }
    }

    /// Stops those that run, and starts no more.
    pub(crate) fn stop(&mut self, now: Instant) {
        self.closed = true;
        self.each(|completion| completion.cancel(now));
    }

    /// Kills those that run.
    pub(crate) fn kill(&mut self, now: Instant) {
        self.closed = true;
        self.each(|completion| completion.kill(now));
    }

    fn each(&mut self, mut act: impl FnMut(&mut Completion<Host>)) {
        let keys: Vec<Key> = self.running.keys().copied().collect();
        for key in keys {
            if let Some(completion) = self.crowd.get_mut(key) {
                act(completion);
            }
        }
    }
}
