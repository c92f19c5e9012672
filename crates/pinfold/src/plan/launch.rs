//! Carrying out a plan: descriptors, container, order, process.

use super::{Given, Plan};
use crate::cancel::CancelToken;
use crate::capture::Capture;
use crate::command::Command;
use crate::containment::{self, Container, Nest, Refusal};
use crate::error::{Error, ErrorKind, Result};
use crate::lookup::{ExecFailure, explain_exec_failure};
use crate::running::{Channel, Feed, Inlet, Outward, Parts, Real, Rules, Running, Source};
use crate::settings::{Rlimit, Stdin, Stdio, Stream};
use crate::text::LineCounter;
use pinfold_os::descriptor::{Owned, borrow};
use pinfold_os::handle::Pid;
use pinfold_os::limits::Resource;
use pinfold_os::order::{Directory, Env, Grouping, Mapping, Order, SpawnError, Step};
use pinfold_os::pipe;
use pinfold_os::signal::{Signal, SignalSet};
use pinfold_os::sink::Sink;
use pinfold_os::spawn;
use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a run is given beside its command.
#[derive(Default)]
pub(crate) struct Extras {
    pub(crate) cancel: Option<CancelToken>,
    pub(crate) mask: Option<SignalSet>,
    pub(crate) pass_descriptors: bool,
    pub(crate) given: Given,
    /// The group that it is to be in.
    pub(crate) group: Option<Arc<Nest>>,
    /// Strangers in our cgroup may be moved for its limits.
    pub(crate) take_over: bool,
    /// Pipes to other programs, instead of what the command says.
    pub(crate) ends: super::chain::Ends,
    /// Nothing else is run meanwhile.
    pub(crate) one_at_a_time: bool,
    /// The guard is to be a child of ours.
    pub(crate) guard_as_child: bool,
    /// How old a run has to be before it is attended to; at once if nothing is said.
    pub(crate) guard_after: Option<Duration>,
}

/// The child's ends of its three streams; what is `None` it inherits.
#[derive(Default)]
struct Ends {
    stdin: Option<Owned>,
    outputs: [Option<Owned>; 2],
    stderr_to_stdout: bool,
    /// What takes their place, and what it is given beside them.
    given: Given,
    /// What restricts it to its paths.
    ruleset: Option<Owned>,
}

impl Ends {
    fn mappings(&self) -> Vec<Mapping<'_>> {
        let stdout = self.outputs[0].as_ref().or(self.given.descriptor(1));
        let stderr = if self.stderr_to_stdout { stdout } else { self.outputs[1].as_ref() };
        let ends = [(self.stdin.as_ref(), 0), (self.outputs[0].as_ref(), 1), (stderr, 2)];
        let mut mappings = Vec::with_capacity(ends.len());
        for (end, target) in ends {
            mappings.extend(end.map(|end| Mapping { source: borrow(end), target }));
        }
        mappings.extend(self.given.mappings());
        mappings
    }
}

impl Plan<'_> {
    /// Starts it.
    pub(crate) fn launch(&self, mut extras: Extras) -> Result<Running> {
        let command = self.command;
        if let Some(token) = &extras.cancel {
            token.prepare().map_err(|error| ran_out(command, "make an event", error))?;
        }
        extras.given.refuse(self)?;
        let mut ends = Ends {
            stdin: extras.ends.stdin.take(),
            outputs: [extras.ends.stdout.take(), None],
            given: extras.given.clone(),
            ..Ends::default()
        };
        let feed = self.open_stdin(&mut ends)?;
        let channels = self.open_outputs(&mut ends, true)?;
        ends.ruleset = self.sandbox.ruleset(command, &self.path)?;
        let required = self.required;
        let refused = |refusal: Refusal| refusal.into_error(command);
        let entry = extras.group.as_ref().map(|group| group.enter()).transpose().map_err(refused)?;
        let mut container =
            Container::make_for(self.mechanism, required, extras.demand(command)).map_err(refused)?;
        if required.is_some_and(|required| container.guarantee() < required) {
            let what = format!("guarantees {} and no more: no guard could be started", container.guarantee());
            return Err(command.error(ErrorKind::Unsupported, what).hint("require less, or nothing"));
        }
        let later =
            extras.guard_after.filter(|_| extras.group.is_none() && container.can_be_attended_later());
        let maker_memory = pinfold_os::wait::own_peak_memory();
        let started = Instant::now();
        let process = {
            let mut order = self.order(&ends);
            order.mask = extras.mask;
            order.pass_descriptors = extras.pass_descriptors;
            order.parent_death = later.map(|_| Signal::KILL);
            extras.given.admit(&mut order);
            container.launch(order, command.process.foreground).map_err(|error| self.explain(error))?
        };
        drop(ends);
        let attended = later.map_or_else(|| container.attend(&process), |_| Ok(()));
        let container = Arc::new(container);
        let joined = extras.group.as_ref().map_or(Ok(()), |group| group.join(&container, &process));
        drop(entry);
        let running = Running::new(Parts {
            rules: Rules::of(command),
            source: Source::Real(Real {
                process,
                container: Some(container),
                group: extras.group.clone(),
                maker_memory,
                attend_at: later.and_then(|age| started.checked_add(age)),
            }),
            channels,
            feed,
            cancel: extras.cancel,
            started,
        });
        // Nothing is taken less because something ran out: what was started ends here.
        attended.map_err(|error| ran_out(command, "start its guard", error))?;
        joined.map_err(|error| ran_out(command, "note it in its group", error))?;
        Ok(running)
    }

    /// Starts it outside of any container, as nobody's child.
    pub(crate) fn launch_detached(&self) -> Result<Pid> {
        if self.feeds() {
            let what = "a detached program cannot be fed by the process that it leaves";
            return Err(self.command.error(ErrorKind::InvalidInput, what).hint("give it a file to read"));
        }
        let mut ends = Ends::default();
        self.open_stdin(&mut ends)?;
        self.open_outputs(&mut ends, false)?;
        ends.ruleset = self.sandbox.ruleset(self.command, &self.path)?;
        let mut order = self.order(&ends);
        order.grouping = Grouping::Session;
        order.detach = true;
        let process = spawn::spawn(&order).map_err(|error| self.explain(error))?;
        Ok(process.pid())
    }

    /// Becomes it.
    pub(crate) fn replace(&self, extras: &Extras) -> Result<Infallible> {
        if self.feeds() {
            let what = "a process that becomes the program cannot feed it";
            return Err(self.command.error(ErrorKind::InvalidInput, what).hint("give it a file to read"));
        }
        let mut ends = Ends::default();
        if self.command.stdin != Stdin::Null {
            self.open_stdin(&mut ends)?;
        }
        self.open_outputs(&mut ends, false)?;
        ends.ruleset = self.sandbox.ruleset(self.command, &self.path)?;
        containment::release();
        let mut order = self.order(&ends);
        (order.mask, order.pass_descriptors) = (extras.mask, extras.pass_descriptors);
        spawn::exec(&order).map_err(|error| self.explain(error))
    }

    fn open_stdin(&self, ends: &mut Ends) -> Result<Feed> {
        let command = self.command;
        let failed = |error| ran_out(command, "make a pipe for its standard input", error);
        if ends.stdin.is_some() {
            return Ok(Feed::default());
        }
        match &command.stdin {
            _ if ends.given.descriptor(0).is_some() => Ok(Feed::default()),
            Stdin::Inherit => Ok(Feed::default()),
            Stdin::Null => {
                ends.stdin = Some(null(command)?.into());
                Ok(Feed::default())
            }
            Stdin::File(path) => {
                let file = File::open(path).map_err(|error| file_error(command, "read", path, error))?;
                ends.stdin = Some(file.into());
                Ok(Feed::default())
            }
            Stdin::Bytes(bytes) => {
                let (end, writer) = pipe::input().map_err(failed)?;
                ends.stdin = Some(end);
                Ok(Feed::whole(Outward::Pipe(writer), bytes.clone()))
            }
            Stdin::Open => {
                let (end, writer) = pipe::input().map_err(failed)?;
                ends.stdin = Some(end);
                Ok(Feed::open(Outward::Pipe(writer)))
            }
        }
    }

    /// Opens where output goes. What would be captured is left to be inherited where nobody stays to capture.
    fn open_outputs(&self, ends: &mut Ends, capture: bool) -> Result<[Channel; 2]> {
        let command = self.command;
        let mut channels = [Channel::default(), Channel::default()];
        for (stream, stdio) in Stream::BOTH.into_iter().zip([&command.stdout, &command.stderr]) {
            let index = stream as usize;
            if ends.outputs[index].is_some() {
                continue;
            }
            match stdio {
                _ if ends.given.descriptor(index as i32 + 1).is_some() => {}
                Stdio::Inherit => {}
                Stdio::Stdout => ends.stderr_to_stdout = true,
                // One for both is as good as one for each.
                Stdio::Null if stream == Stream::Stderr && command.stdout == Stdio::Null => {
                    ends.stderr_to_stdout = true;
                }
                Stdio::Null => ends.outputs[index] = Some(null(command)?.into()),
                Stdio::File { path, append } => {
                    ends.outputs[index] = Some(command.open_to_write(path, *append)?.into());
                }
                Stdio::Pipe if !capture => {}
                Stdio::Pipe => {
                    let failed = |error| ran_out(command, &format!("make a pipe for its {stream}"), error);
                    let (reader, end) = pipe::output().map_err(failed)?;
                    ends.outputs[index] = Some(end);
                    let counter = LineCounter::new(&command.encodings[index], command.lines);
                    let sink = command.tee[index].then(|| Sink::standard(index as i32 + 1));
                    let sink = sink.transpose().map_err(failed)?;
                    channels[index] = Channel::new(
                        Inlet::Pipe(reader),
                        Capture::new(command.limit, command.keep.unwrap_or_default(), counter),
                        sink,
                    );
                }
            }
        }
        // Where standard output is inherited, so is what goes there.
        if ends.stderr_to_stdout && ends.outputs[0].is_none() && ends.given.descriptor(1).is_none() {
            let shared = borrow(&io::stdout()).try_clone_to_owned();
            ends.outputs[1] = Some(shared.map_err(|error| ran_out(command, "share standard output", error))?);
            ends.stderr_to_stdout = false;
        }
        Ok(channels)
    }

    fn order<'o>(&'o self, ends: &'o Ends) -> Order<'o> {
        let process = &self.command.process;
        let env = self.env.as_deref().map_or(Env::Ours, Env::from);
        let mut order = Order::new(self.program_string(), &self.argv, env);
        order.descriptors = ends.mappings();
        order.directory = self.directory.clone().map(Directory::Path);
        order.umask = process.umask;
        order.grouping = if process.setsid { Grouping::Session } else { Grouping::Inherit };
        order.identity = self.identity.clone();
        order.no_new_privs = process.no_new_privs;
        order.limits = self.limits.clone();
        order.nice = process.nice;
        order.affinity = self.affinity.clone();
        order.io_priority = self.io_priority;
        order.oom_score_adj = process.oom_score_adj;
        self.sandbox.admit(&process.sandbox, ends.ruleset.as_ref(), &mut order);
        order
    }

    fn program_string(&self) -> std::ffi::CString {
        // A path of the file system holds no NUL.
        std::ffi::CString::new(self.path.as_os_str().as_encoded_bytes()).unwrap_or_default()
    }

    /// What a failed spawn means to whoever wrote the command.
    fn explain(&self, error: SpawnError) -> Error {
        let command = self.command;
        if error.step == Step::Exec
            && !self.looked_at
            && let Err(refusal) = super::find(command, None)
        {
            return refusal;
        }
        if let Some(refusal) = super::sandbox::explain(command, error.step, &error.source) {
            return refusal.because(error.source);
        }
        let errno = error.source.raw_os_error().unwrap_or(0);
        let kind = kind_of(&error.source);
        let explained = match error.step {
            Step::Exec if kind == ErrorKind::ResourceLimit || is_too_big(errno) => {
                command.error(kind, format!("cannot be executed: {}", error.source)).blame_program()
            }
            Step::Exec => {
                let from = command.cwd.as_deref().unwrap_or(Path::new("")).join(&self.path);
                let why = explain_exec_failure(&from, errno);
                let kind = if kind == ErrorKind::NotFound { kind } else { ErrorKind::PermissionDenied };
                let unexplained = matches!(why, ExecFailure::Denied { .. } | ExecFailure::Other { .. });
                let refused = |why| command.error(kind, format!("cannot be executed: {why}")).blame_program();
                match super::sandbox::kept_from(command, &from).filter(|_| unexplained) {
                    Some((why, instead)) => refused(why).hint(instead),
                    None if unexplained && command.process.sandbox.paths.is_some() => {
                        refused(why.to_string())
                            .hint("what executing it takes has to lie in the paths that its sandbox allows")
                    }
                    None => refused(why.to_string()),
                }
            }
            Step::Directory => match &command.cwd {
                Some(cwd) if kind == ErrorKind::NotFound => no_directory(command, cwd),
                Some(cwd) => {
                    let what = format!("cannot be started in {}: {}", cwd.display(), error.source);
                    let refused = command.error(kind, what).at_path(cwd);
                    refused.hint("the directory is entered as the user that it runs as")
                }
                None => command.error(kind, format!("failed to {error}")),
            },
            Step::Limits => refused_limit(command, kind, &error),
            _ => {
                let failed = command.error(kind, format!("failed to {error}"));
                match (error.step, kind) {
                    (Step::Clone, ErrorKind::ResourceLimit) => {
                        failed.hint("too many processes (ulimit -u, pids.max), descriptors (ulimit -n) or too little memory")
                    }
                    (Step::Affinity, ErrorKind::InvalidInput) => failed.hint("none of these CPUs is there for it to run on"),
                    (Step::Uid | Step::Gid | Step::Groups, _) => failed.hint("only root may become another user"),
                    (Step::Capabilities, _) => failed.hint("only what this process has itself can be given and taken"),
                    (Step::Nice | Step::IoPriority | Step::OomScore, ErrorKind::PermissionDenied) => {
                        failed.hint("only root may ask for more than it has")
                    }
                    _ => failed,
                }
            }
        };
        if is_too_big(errno) {
            return explained
                .because(error.source)
                .hint("its arguments and environment are too long: pass them in a file");
        }
        explained.because(error.source)
    }
}

/// The kernel does not say which of the limits it refused; the first that it had to is named.
fn refused_limit(command: &Command, kind: ErrorKind, error: &SpawnError) -> Error {
    const MOST_FILES: &str = "/proc/sys/fs/nr_open";
    let most = std::fs::read_to_string(MOST_FILES).ok().and_then(|most| most.trim().parse::<u64>().ok());
    let is_above_most = |limit: &&Rlimit| {
        limit.resource == Resource::OpenFiles
            && most.is_some_and(|most| limit.hard.is_none_or(|hard| hard > most))
    };
    let is_raised = |limit: &&Rlimit| {
        let own = limit.resource.own_hard_limit();
        own.is_some_and(|own| limit.hard.unwrap_or(u64::MAX) > own)
    };
    let limits = &command.process.rlimits;
    let above_most = limits.iter().find(is_above_most);
    let what = match above_most.or_else(|| limits.iter().find(is_raised)) {
        Some(limit) => format!("failed to set the resource limit {}: {}", limit.resource, error.source),
        None => format!("failed to {error}"),
    };
    let failed = command.error(kind, what);
    match (above_most, most, kind) {
        (Some(_), Some(most), _) => failed.hint(format!("nobody's may be above {most} ({MOST_FILES})")),
        (_, _, ErrorKind::PermissionDenied) => {
            failed.hint("only root, with CAP_SYS_RESOURCE, may ask for a hard limit above its own")
        }
        _ => failed,
    }
}

fn is_too_big(errno: i32) -> bool {
    io::Error::from_raw_os_error(errno).kind() == io::ErrorKind::ArgumentListTooLong
}

/// The kind of what the system refused.
pub(super) fn kind_of(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
        io::ErrorKind::Unsupported => ErrorKind::Unsupported,
        io::ErrorKind::InvalidInput
        | io::ErrorKind::ArgumentListTooLong
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::InvalidFilename => ErrorKind::InvalidInput,
        io::ErrorKind::WouldBlock
        | io::ErrorKind::OutOfMemory
        | io::ErrorKind::StorageFull
        | io::ErrorKind::QuotaExceeded => ErrorKind::ResourceLimit,
        _ if pinfold_os::wait::is_exhaustion(error) => ErrorKind::ResourceLimit,
        _ => ErrorKind::Spawn,
    }
}

/// A step before the spawn that failed.
pub(super) fn ran_out(command: &Command, step: &str, error: io::Error) -> Error {
    let kind = kind_of(&error);
    let failed = command.error(kind, format!("failed to {step}: {error}")).because(error);
    if kind == ErrorKind::ResourceLimit {
        failed.hint("see ulimit -n for descriptors, ulimit -u for processes")
    } else {
        failed
    }
}

pub(super) fn no_directory(command: &Command, cwd: &Path) -> Error {
    let is_there = cwd.symlink_metadata().is_ok();
    let what = if is_there { "is not a directory" } else { "does not exist" };
    let error =
        command.error(ErrorKind::NotFound, format!("cannot be started in {}: it {what}", cwd.display()));
    // What the kernel says to whoever enters it.
    let source = cwd.join(".").metadata().err().unwrap_or_else(|| io::ErrorKind::NotFound.into());
    error.because(source).at_path(cwd)
}

/// What the start would stumble over, for who asks before it: the directory and the file to read have to be there. What may
/// not be looked at by us may still be open to the user that it runs as.
pub(super) fn refuse_what_is_missing(command: &Command) -> Result<()> {
    let is_missing = |error: &io::Error| kind_of(error) == ErrorKind::NotFound;
    if let Some(cwd) = &command.cwd {
        match cwd.metadata() {
            Ok(metadata) if metadata.is_dir() => {}
            Err(error) if !is_missing(&error) => {}
            _ => return Err(no_directory(command, cwd)),
        }
    }
    if let Stdin::File(path) = &command.stdin
        && let Err(error) = path.metadata()
        && is_missing(&error)
    {
        return Err(file_error(command, "read", path, error));
    }
    Ok(())
}

pub(super) fn file_error(command: &Command, doing: &str, path: &Path, error: io::Error) -> Error {
    let which = if doing == "read" { "standard input" } else { "output" };
    let what = format!("its {which} cannot be opened: {}: {error}", path.display());
    command.error(kind_of(&error), what).because(error).at_path(path)
}

fn null(command: &Command) -> Result<File> {
    let path = if cfg!(windows) { "NUL" } else { "/dev/null" };
    let file = File::options().read(true).write(true).open(path);
    file.map_err(|error| ran_out(command, &format!("open {path}"), error))
}
