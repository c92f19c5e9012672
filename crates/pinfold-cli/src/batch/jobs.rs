//! The jobs that run, and what is made of each that ends.

use super::job::{Job, Verdict};
use super::joblog::{Entry, JobLog};
use super::order::Order;
use super::page::{Flow, Page};
use super::screen::Screen;
use crate::args::batch::{BatchArgs, Halt, HaltOn};
use crate::exit::End;
use crate::log;
use crate::run::words;
use pinfold::{
    Command, Completion, Crowd, Error, ErrorKind, Guarantee, Host, Interest, Isolation, Judge, Key, Output,
    Resource, Retry, Stdio,
};
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
    /// Why the batch cannot go on.
    failure: Option<String>,
    crowd: Crowd<Completion<Host>>,
    running: HashMap<Key, Live>,
    /// Those for which there was no room in the kernel, and how many it had room for.
    again: Vec<(Job, Command)>,
    room: usize,
    order: Option<Order>,
    counts: Counts,
    /// No more are started.
    closed: bool,
    /// The end for a program that cannot be started at all.
    no_program: Option<End>,
    warned: bool,
}

/// A job that runs.
struct Live {
    job: Job,
    /// What was put aside of what its attempt has written, and how many attempts were made before that.
    aside: Page,
    earlier: u32,
    flow: Option<Flow>,
}

/// What of the arguments is needed for each job.
struct Settings {
    base: Command,
    /// What was asked for.
    container: (Isolation, Option<Guarantee>),
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
        }
        // Each job takes descriptors of ours; theirs are to be limited as they were.
        if let Some((soft, hard)) = Resource::OpenFiles.raise_own().filter(|(soft, hard)| soft < hard) {
            base = base.rlimit(Resource::OpenFiles, Some(soft), Some(hard));
        }
        if let Some(timeout) = args.timeout {
            base = base.timeout(timeout);
        }
        if let Some(grace) = args.grace {
            base = base.timeout_grace(grace);
        }
        if let Some(signal) = args.signal {
            base = base.timeout_signal(signal);
        }
        base = base.isolation(args.isolation);
        if let Some(guarantee) = args.require {
            base = base.require(guarantee);
        }
        if args.retry > 0 {
            let retry = Retry::times(args.retry.saturating_add(1));
            let pause = args.retry_pause.unwrap_or(retry.pause);
            base = base.retry(Retry { pause, jitter: args.retry_jitter, ..retry });
        }
        let settings = Settings {
            base,
            container: (args.isolation, args.require),
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
            failure: None,
            crowd: Crowd::default(),
            running: HashMap::new(),
            again: Vec::new(),
            room: usize::MAX,
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
        self.crowd.is_empty() && self.again.is_empty()
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    pub(crate) fn are_closed(&self) -> bool {
        self.closed
    }

    pub(crate) fn has_room(&self, width: usize) -> bool {
        self.crowd.len() < width.min(self.room) && !self.order.as_ref().is_some_and(Order::is_full)
    }

    /// Why jobs cannot have the container that was asked for.
    pub(crate) fn lacks_container(&self) -> Option<(String, Error)> {
        /// A program that is there.
        const OURS: &str = "/proc/self/exe";
        let (isolation, required) = self.settings.container;
        if isolation == Isolation::Best && required.is_none() {
            return None;
        }
        let job = self.settings.base.clone().named(OURS);
        let error = self.host.plan(&job).err().filter(|error| error.kind() == ErrorKind::Unsupported)?;
        Some((error.message().replacen(OURS, "batch", 1), error))
    }

    pub(crate) fn no_program(&self) -> Option<End> {
        self.no_program
    }

    /// Why the batch cannot go on, once.
    pub(crate) fn take_failure(&mut self) -> Option<String> {
        self.failure.take()
    }

    /// Starts those again for which there was no room: whether there were any.
    pub(crate) fn start_again(&mut self, width: usize) -> bool {
        while !self.closed && self.has_room(width) {
            let Some((job, command)) = self.again.pop() else { break };
            self.begin(job, command);
        }
        !self.again.is_empty()
    }

    pub(crate) fn interest(&self, now: Instant) -> Interest<'_> {
        self.crowd.interest(now)
    }

    pub(crate) fn start(&mut self, job: Job, command: Vec<OsString>) {
        let mut words = command.into_iter();
        let command = self.settings.base.clone().named(words.next().unwrap_or_default()).args(words);
        self.begin(job, command);
    }

    fn begin(&mut self, job: Job, command: Command) {
        let host = log::watch(self.host.clone(), Some(job.number));
        let key = self.crowd.add(Completion::new(host, command, Judge::End));
        let flow = self.settings.line_buffer.then(|| Flow::new(self.tag(&job)));
        self.running.insert(key, Live { job, aside: Page::default(), earlier: 0, flow });
    }

    fn tag<'a>(&self, job: &'a Job) -> Option<&'a [u8]> {
        self.settings.tag.then_some(&job.tag)
    }

    /// A job that was done before, or is only shown.
    pub(crate) fn skip(&mut self, number: usize) {
        self.put(number, None);
    }

    /// A job that means nothing.
    pub(crate) fn refuse(&mut self, number: usize, why: &str, now: Instant) {
        self.counts.failed += 1;
        let job = Job::new(number, &[], &[]);
        self.log(&job.refused(why));
        self.screen.say(&format!("job {number}: {why}"));
        self.put(number, None);
        self.halt_if_due(now);
    }

    fn log(&mut self, entry: &Entry<'_>) {
        if let Some(Err(error)) = self.log.as_mut().map(|log| log.write(entry)) {
            self.cannot("the job log cannot be written", &error);
        }
    }

    fn put(&mut self, number: usize, page: Option<Page>) {
        let pages = match &mut self.order {
            Some(order) => order.put(number - 1, page),
            None => page.into_iter().collect(),
        };
        for mut page in pages {
            if let Err(error) = page.print(&self.screen) {
                self.cannot("what was put aside of the output of a job cannot be read", &error);
            }
        }
    }

    fn cannot(&mut self, what: &str, error: &io::Error) {
        self.failure.get_or_insert_with(|| format!("{what}: {error}"));
    }

    /// Has them go on: whether some have ended.
    pub(crate) fn advance(&mut self, now: Instant) -> bool {
        let answers = match self.crowd.advance(now) {
            Ok(answers) => answers,
            Err(error) => {
                self.cannot("the jobs cannot be waited for", &error);
                return false;
            }
        };
        self.warn_of_weakness();
        self.collect();
        let came = !answers.is_empty();
        for (key, completion, answer) in answers {
            let attempts = completion.attempts();
            let answer = answer.unwrap_or_else(|error| Err(completion.unwaitable(error)));
            let Some(live) = self.running.remove(&key) else { continue };
            if self.has_no_room(&answer) {
                self.again.push((live.job, completion.command().clone()));
            } else {
                self.end(live, answer, attempts, now);
            }
        }
        came
    }

    /// Prints what is to be printed at once, and puts aside what is too much for memory.
    fn collect(&mut self) {
        for (key, completion) in self.crowd.advanced() {
            let Some(live) = self.running.get_mut(&key) else { continue };
            if completion.attempts() != live.earlier {
                // On a page only what the last attempt wrote counts.
                (live.aside, live.earlier) = (Page::default(), completion.attempts());
            }
            match &mut live.flow {
                Some(flow) => flow.print(&self.screen, completion),
                None if completion.running().is_none() => {}
                None => {
                    if let Err(error) = live.aside.put_aside(completion) {
                        let place = std::env::temp_dir();
                        let what = format!("output of the jobs cannot be put aside in {}", place.display());
                        self.failure.get_or_insert_with(|| format!("{what}: {error}"));
                    }
                }
            }
        }
    }

    /// Whether a job was not started for want of something that others, which run, will give back.
    fn has_no_room(&mut self, answer: &pinfold::Result<Output<Vec<u8>>>) -> bool {
        let Err(error) = answer else { return false };
        let waits = error.is_shortage() && !self.crowd.is_empty() && !self.closed;
        if waits && self.room > self.crowd.len() {
            if self.room == usize::MAX && !self.settings.quiet {
                self.screen.say(&format!("not as many jobs run at a time as asked for: {error}"));
            }
            self.room = self.crowd.len();
        }
        waits
    }

    fn end(&mut self, live: Live, result: pinfold::Result<Output<Vec<u8>>>, attempts: u32, now: Instant) {
        let Live { job, aside, earlier, flow } = live;
        let verdict = Verdict { result: &result, attempts };
        self.log(&job.entry(&verdict, now));
        let failed = !verdict.is_success() && !verdict.is_cancelled();
        if verdict.is_success() {
            self.counts.succeeded += 1;
        } else if failed {
            self.counts.failed += 1;
        } else {
            self.counts.stopped += 1;
        }
        let said = (failed && (!self.settings.quiet || verdict.is_refusal()))
            .then(|| format!("job {}: {}", job.number, verdict.words()));
        // One that was given too much says nothing of the others.
        let is_final = |kind| matches!(kind, ErrorKind::NotFound | ErrorKind::PermissionDenied);
        let blamed = result.as_ref().err().filter(|error| error.blames_program() && is_final(error.kind()));
        if let Some(error) = blamed.filter(|_| self.settings.one_program) {
            self.no_program = Some(End::of_error(error));
            self.stop(now);
        }
        let tag = self.tag(&job).map(<[u8]>::to_vec);
        let output = result.or_else(|error| error.into_output().ok_or(())).ok();
        let page = output.map(|output| Page::new(output.stdout, output.stderr, tag));
        let page = match (flow, page) {
            (Some(mut flow), Some(page)) => {
                flow.end(&self.screen, &page);
                None
            }
            (_, Some(page)) if attempts == earlier + 1 => Some(page.behind(aside)),
            (_, page) => page,
        };
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
        let weakness = words::weakness(self.settings.container, running.mechanism(), running.guarantee());
        self.warned = true;
        if let Some(weakness) = weakness {
            self.screen.say(&format!("{weakness}; {}", words::weakness_hint("`pinfold doctor`")));
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
