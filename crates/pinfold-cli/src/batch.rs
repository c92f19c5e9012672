//! `pinfold batch`: many commands, a few at a time.

mod input;
mod job;
mod joblog;
mod jobs;
mod order;
mod page;
mod progress;
mod screen;
mod template;

use crate::args::batch::{BatchArgs, Share};
use crate::exit::{End, FAILED, SOME_FAILED};
use crate::run::letters;
use crate::{log, out};
use input::{Input, Next, Record};
use job::Job;
use joblog::{Done, JobLog, words};
use jobs::Jobs;
use pinfold::{Host, Interest, Signal};
use pinfold_os::inbox::{Inbox, Letter, Sender};
use pinfold_os::signal::SignalSet;
use pinfold_os::{poll, terminal};
use progress::{Bar, Facts};
use screen::Screen;
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::{Duration, Instant};
use template::Template;

/// A second request to stop after this long is impatience: see `pinfold run`.
const PATIENCE: Duration = Duration::from_millis(500);

/// Runs the batch.
pub(crate) fn batch(args: &BatchArgs) -> End {
    if let Err(misuse) = log::open(args.log) {
        return failed(&format!("{}; {}", misuse.what, misuse.hint));
    }
    // Children tell of their ends by handles.
    let taken = letters::taken().without(Signal::CHLD);
    let inbox = match Inbox::open(taken) {
        Ok(inbox) => inbox,
        Err(error) => return failed(&format!("its signals cannot be taken: {error}")),
    };
    let template = Template::new(&args.template, args.replace.as_deref());
    if let Some(end) = lacks_arguments(args, &template) {
        return end;
    }
    let (log, done) = match open_log(args) {
        Ok(opened) => opened,
        Err(end) => return end,
    };
    let input = match Input::open(args) {
        Ok(input) => input,
        Err((file, error)) => return failed(&format!("{file}: arguments cannot be read: {error}")),
    };
    let batch = Batch::new(args, template, &inbox, input, log, done);
    if let Some((why, error)) = batch.jobs.lacks_container() {
        out::fail(&why, error.what_to_do());
        return End::Code(FAILED);
    }
    let end = batch.run();
    // The inbox stays open to the last: a ^C that comes now is not to end pinfold otherwise.
    end.leave()
}

fn failed(what: &str) -> End {
    out::fail(what, None);
    End::Code(FAILED)
}

/// A place for an argument that no command can get means something else than an empty word.
fn lacks_arguments(args: &BatchArgs, template: &Template) -> Option<End> {
    let each = match (args.max_lines, args.sources.len()) {
        (Some(_), _) => return None,
        (None, lists @ 2..) => lists,
        (None, _) => args.max_args.unwrap_or(1),
    };
    let highest = template.highest();
    (highest > each).then(|| {
        let s = if each == 1 { "" } else { "s" };
        out::fail(
            &format!("batch: {{{highest}}} stands for an argument, and a command gets {each} argument{s}"),
            Some("say with -n how many, or give several lists"),
        );
        End::Code(FAILED)
    })
}

fn open_log(args: &BatchArgs) -> Result<(Option<JobLog>, Done), End> {
    let Some(path) = &args.joblog else { return Ok((None, Done::default())) };
    let opened = match (args.resume || args.resume_failed, args.dry_run) {
        (false, true) => return Ok((None, Done::default())),
        (false, false) => JobLog::create(path).map(|log| (Some(log), Done::default())),
        (true, true) => JobLog::done(path, args.resume_failed).map(|done| (None, done)),
        (true, false) => JobLog::resume(path, args.resume_failed).map(|(log, done)| (Some(log), done)),
    };
    opened.map_err(|error| failed(&format!("{}: cannot be the job log: {error}", path.display())))
}

struct Batch<'a> {
    args: &'a BatchArgs,
    inbox: &'a Inbox,
    input: Input,
    template: Option<Template>,
    width: usize,
    done: Done,
    jobs: Jobs,
    screen: Arc<Screen>,
    begun: Instant,
    /// How many records there were, and how many of those were left out.
    taken: usize,
    skipped: usize,
    /// Nothing more is taken.
    closed: bool,
    told_to_stop: Option<(Signal, Instant)>,
    broken: Option<End>,
}

impl<'a> Batch<'a> {
    fn new(
        args: &'a BatchArgs,
        template: Template,
        inbox: &'a Inbox,
        input: Input,
        log: Option<JobLog>,
        done: Done,
    ) -> Batch<'a> {
        let would_show = || io::stderr().is_terminal() && !log::replaces_words();
        let shows = args.progress.unwrap_or_else(would_show) && !args.quiet && !args.dry_run;
        let screen = Arc::new(Screen::new(shows.then(Bar::new)));
        let host = Host::new().signal_mask(inbox.mask_before()).guard_as_child();
        let one_program = template.has_one_program();
        Batch {
            args,
            inbox,
            input,
            template: (!args.template.is_empty()).then_some(template),
            width: width(args.jobs),
            done,
            jobs: Jobs::new(args, host, screen.clone(), log, one_program),
            screen,
            begun: Instant::now(),
            taken: 0,
            skipped: 0,
            closed: false,
            told_to_stop: None,
            broken: None,
        }
    }

    fn run(mut self) -> End {
        loop {
            let now = Instant::now();
            self.answer_letters(now);
            let later = self.take(now);
            let came = self.jobs.advance(now);
            self.look_after_jobs(now);
            if self.jobs.is_empty() && (self.closed || self.jobs.are_closed()) {
                break;
            }
            if !came && let Err(error) = self.wait(later, now) {
                self.give_up(&format!("the jobs cannot be waited for: {error}"), now);
                break;
            }
        }
        self.conclude()
    }

    /// Starts jobs while there is room: whether more may come later.
    fn take(&mut self, now: Instant) -> bool {
        if self.jobs.start_again(self.width) {
            return false;
        }
        while !self.closed && !self.jobs.are_closed() && self.jobs.has_room(self.width) {
            match self.input.next() {
                Next::Later => return true,
                Next::End => self.closed = true,
                Next::Record(Record::Broken(why)) => {
                    self.taken += 1;
                    self.jobs.refuse(self.taken, &why, now);
                }
                Next::Record(Record::Arguments(arguments)) => self.take_record(&arguments),
            }
        }
        false
    }

    fn take_record(&mut self, arguments: &[OsString]) {
        let number = self.taken + 1;
        let command = match &self.template {
            Some(template) => template.render(arguments, number),
            None => Some(arguments.to_vec()),
        };
        let Some(command) = command.filter(|command| !command.is_empty()) else { return };
        self.taken = number;
        if self.done.take(&words(&command)) {
            self.skipped += 1;
            self.jobs.skip(number);
        } else if self.args.dry_run {
            let mut line = template::quoted(&command);
            line.push(b'\n');
            self.screen.write(pinfold::Stream::Stdout, &line);
            self.jobs.skip(number);
        } else {
            let tag = if self.template.is_some() { arguments } else { command.as_slice() };
            let job = Job::new(number, &command, tag);
            if self.args.verbose {
                self.screen.say_command(&String::from_utf8_lossy(&template::quoted(&command)));
            }
            self.jobs.start(job, command);
        }
    }

    /// Ends the batch where it has to end before its jobs do.
    fn look_after_jobs(&mut self, now: Instant) {
        if let Some(error) = self.screen.take_failure()
            && self.broken.is_none()
        {
            if error.kind() == io::ErrorKind::BrokenPipe {
                self.broken = Some(End::Signal(Signal::PIPE));
                self.jobs.stop(now);
            } else {
                self.give_up(&format!("the output of the jobs cannot be passed on: {error}"), now);
            }
        }
        if let Some(failure) = self.jobs.take_failure()
            && self.broken.is_none()
        {
            self.give_up(&failure, now);
        }
    }

    fn give_up(&mut self, why: &str, now: Instant) {
        self.screen.clear();
        out::fail(why, None);
        self.broken.get_or_insert(End::Code(FAILED));
        self.jobs.stop(now);
    }

    fn wait(&mut self, later: bool, now: Instant) -> io::Result<()> {
        let facts = || Facts {
            done: self.jobs.counts().done(),
            failed: self.jobs.counts().failed,
            running: self.jobs.len(),
            total: self.input.left().map(|left| self.taken - self.skipped + left),
            elapsed: now.saturating_duration_since(self.begun),
        };
        let shown = self.screen.show(facts, now);
        let Interest { mut waitables, deadline } = self.jobs.interest(now);
        waitables.push(self.inbox.waitable());
        let closed = self.closed || self.jobs.are_closed();
        // Read ahead as well, so that the total is known.
        let input = self.input.waitable().filter(|_| !closed);
        let reads = input.is_some();
        waitables.extend(input);
        // Nothing of its own happens to a batch while it waits for what is to be read.
        let shown = shown.filter(|_| !later || !self.jobs.is_empty());
        poll::wait(&waitables, [deadline, shown].into_iter().flatten().min())?;
        drop(waitables);
        if reads && self.input_is_ready()? {
            self.input
                .read()
                .map_err(|error| io::Error::new(error.kind(), format!("reading arguments: {error}")))?;
        }
        Ok(())
    }

    fn input_is_ready(&self) -> io::Result<bool> {
        let Some(waitable) = self.input.waitable() else { return Ok(false) };
        Ok(poll::wait(&[waitable], Some(Instant::now()))? == poll::Woken::Ready)
    }

    fn answer_letters(&mut self, now: Instant) {
        while let Ok(Some(letter)) = self.inbox.take() {
            match letter {
                Letter { signal: Signal::TSTP, sender: Sender::Kernel } => {
                    self.screen.clear();
                    terminal::stop_by(Signal::TSTP);
                }
                Letter { signal: Signal::USR1, .. } => self.screen.say(&self.summary()),
                Letter { signal, .. } if letters::is_deadly(signal) => self.stop(signal, now),
                _ => {}
            }
        }
    }

    fn stop(&mut self, signal: Signal, now: Instant) {
        match self.told_to_stop {
            None => {
                self.told_to_stop = Some((signal, now));
                self.jobs.stop(now);
            }
            Some((_, before)) if now.saturating_duration_since(before) >= PATIENCE => self.jobs.kill(now),
            Some(_) => {}
        }
    }

    fn summary(&self) -> String {
        let counts = self.jobs.counts();
        let mut parts = vec![format!("{} succeeded", counts.succeeded)];
        let mut also = |count: usize, what: &str| {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        };
        also(counts.failed, "failed");
        also(counts.stopped, "stopped");
        also(self.jobs.len(), "running");
        also(self.skipped, "done before");
        let elapsed = self.begun.elapsed().as_secs_f64();
        let total = counts.done() + self.jobs.len();
        let jobs = if total == 1 { "job" } else { "jobs" };
        format!("{total} {jobs} in {elapsed:.1} s: {}", parts.join(", "))
    }

    fn conclude(self) -> End {
        self.screen.clear();
        if !self.args.quiet && !self.args.dry_run {
            let told = self.told_to_stop.map(|(signal, _)| format!("told to stop by {signal}; "));
            out::say(&format!("{}{}", told.unwrap_or_default(), self.summary()));
        }
        if let Some((signal, _)) = self.told_to_stop {
            return End::Signal(signal);
        }
        if let Some(end) = self.broken.or(self.jobs.no_program()) {
            return end;
        }
        if self.jobs.counts().failed > 0 { End::Code(SOME_FAILED) } else { End::Code(0) }
    }
}

fn width(share: Option<Share>) -> usize {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    match share {
        None => cpus,
        Some(Share::Count(count)) => count,
        Some(Share::Percent(percent)) => (cpus * percent).div_ceil(100),
        Some(Share::Beside(more)) => cpus.saturating_add_signed(more).max(1),
        Some(Share::All) => usize::MAX,
    }
}

/// What is not to be taken from whoever waits for its children.
trait Without {
    fn without(self, signal: Signal) -> SignalSet;
}

impl Without for SignalSet {
    fn without(self, signal: Signal) -> SignalSet {
        let rest = (1..=64)
            .filter_map(Signal::from_number)
            .filter(|other| *other != signal && self.contains(*other));
        rest.fold(SignalSet::empty(), SignalSet::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_the_cpus() {
        let cpus = width(None);
        assert_eq!(width(Some(Share::Count(7))), 7);
        assert_eq!(width(Some(Share::Percent(150))), (cpus * 3).div_ceil(2));
        assert_eq!(width(Some(Share::Percent(1))), 1);
        assert_eq!(width(Some(Share::Beside(2))), cpus + 2);
        assert_eq!(width(Some(Share::Beside(-1000))), 1);
    }
}
