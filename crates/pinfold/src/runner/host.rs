//! This host, as the runner that really starts processes.

#[cfg(feature = "serde")]
use super::RunnerJson;
use super::{Runner, watched};
use crate::cancel::CancelToken;
use crate::command::Command;
use crate::containment::Nest;
use crate::error::{Error, ErrorKind, Result};
use crate::handle::Handle;
use crate::listener::Listener;
use crate::observe::{Observer, RunEvent};
use crate::output::Output;
use crate::plan::{Extras, Given, Plan, Stages};
use crate::retry::RetryIf;
use crate::running::Running;
use crate::sandbox::Sandbox;
use crate::settings::Stream;
use pinfold_os::descriptor::Owned;
use pinfold_os::signal::SignalSet;
use std::sync::Arc;
use std::time::Duration;

/// This host: the runner that really starts processes, and what its runs are given beside their commands.
///
/// ```
/// use pinfold::{Command, Host, Runner};
/// use std::sync::Mutex;
///
/// let seen = std::sync::Arc::new(Mutex::new(Vec::new()));
/// let host = Host::new().on_line({
///     let seen = seen.clone();
///     move |_stream, line| seen.lock().unwrap().push(line.to_owned())
/// });
/// host.run(&Command::new("printf").arg("one\\ntwo\\n"))?;
/// assert_eq!(*seen.lock().unwrap(), ["one", "two"]);
/// # pinfold::Result::Ok(())
/// ```
///
/// With the cargo feature `systemd`, the first run can move this very process into a scope of systemd's: see
/// [`Isolation::Cgroup`](crate::Isolation::Cgroup).
#[derive(Clone, Debug, Default)]
pub struct Host {
    cancel: Option<CancelToken>,
    listener: Option<Listener>,
    observer: Observer,
    retry_if: Option<RetryIf>,
    mask: Option<SignalSet>,
    pass_descriptors: bool,
    given: Given,
    take_over: bool,
    one_at_a_time: bool,
    guard_as_child: bool,
    guard_after: Option<Duration>,
    /// Where its runs are, and what all of them are shut off from.
    group: Option<Arc<Nest>>,
    sandbox: Option<Arc<Sandbox>>,
}

impl Host {
    /// This host, without a token and without a listener.
    pub fn new() -> Host {
        Host::default()
    }

    /// Ties every run to a token.
    #[must_use]
    pub fn cancel_on(mut self, token: &CancelToken) -> Host {
        self.cancel = Some(token.clone());
        self
    }

    /// Calls this with each captured line while a verb waits. It runs on the thread that waits, so it should be quick.
    #[must_use]
    pub fn on_line(mut self, listener: impl Fn(Stream, &str) + Send + Sync + 'static) -> Host {
        self.listener = Some(Listener::new(listener));
        self
    }

    /// Calls this with what happens to runs, on the thread that drives them: it should be quick, and must not use a handle of
    /// the run that it is told of, unless that is a [`PolledHandle`](crate::PolledHandle). Several can be told.
    ///
    /// ```
    /// use pinfold::{Command, Happening, Host, Runner};
    ///
    /// let host = Host::new().on_event(|event| match &event.what {
    ///     Happening::Ended { outcome } => println!("{}: {outcome}", event.program.display()),
    ///     _ => {}
    /// });
    /// host.run(&Command::new("true"))?;
    /// # pinfold::Result::Ok(())
    /// ```
    #[must_use]
    pub fn on_event(mut self, told: impl Fn(&RunEvent) + Send + Sync + 'static) -> Host {
        self.observer.add(told);
        self
    }

    /// Asks this whether a command is tried again that has a [`Retry`](crate::Retry), in place of its
    /// [`RetryOn`](crate::RetryOn): of what it wrote and how it ended, or of the error if it could not be started. A run
    /// that was cancelled is not asked about.
    ///
    /// ```
    /// use pinfold::{Command, Host, Retry, Runner};
    ///
    /// let host = Host::new().retry_if(|result| {
    ///     result.is_ok_and(|output| output.stderr.ends_with(b"temporary failure\n"))
    /// });
    /// let script = "echo permanent failure >&2; exit 1";
    /// let command = Command::new("sh").args(["-c", script]).retry(Retry::times(5));
    /// assert_eq!(host.exit_code(&command)?, 1);
    /// # pinfold::Result::Ok(())
    /// ```
    #[must_use]
    pub fn retry_if(
        mut self,
        judge: impl Fn(std::result::Result<&Output<Vec<u8>>, &Error>) -> bool + Send + Sync + 'static,
    ) -> Host {
        self.retry_if = Some(RetryIf::new(judge));
        self
    }

    /// Starts programs with these signals blocked, instead of those that the calling thread has blocked: for one that
    /// takes its own signals by blocking them (`signalfd(2)`).
    #[must_use]
    pub fn signal_mask(mut self, blocked: SignalSet) -> Host {
        self.mask = Some(blocked);
        self
    }

    /// Leaves descriptors above 2 open in programs where they are not marked close-on-exec, instead of closing all of
    /// them: for a tool that stands in front of a program and passes on what it was given itself.
    #[must_use]
    pub fn pass_descriptors(mut self) -> Host {
        self.pass_descriptors = true;
        self
    }

    /// Gives every program what this descriptor leads to, as its descriptor `number`. For 0, 1 and 2 that takes the place of
    /// what the command says of the stream, which is then neither fed nor captured.
    ///
    /// A command that would feed or tee a stream whose place is taken is refused with [`ErrorKind::InvalidInput`].
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use pinfold::{Command, Host, Runner};
    /// use std::io::Read;
    ///
    /// let (mut reader, writer) = std::io::pipe()?;
    /// let host = Host::new().descriptor(3, writer.into());
    /// host.run(&Command::new("sh").args(["-c", "echo beside >&3"]))?;
    /// drop(host);
    /// let mut text = String::new();
    /// reader.read_to_string(&mut text)?;
    /// assert_eq!(text, "beside\n");
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn descriptor(mut self, number: i32, descriptor: Owned) -> Host {
        self.given.give(number, descriptor);
        self
    }

    /// Leaves `SIGPIPE` and `SIGXFSZ` ignored in programs where this process ignores them, as the runtimes of many languages
    /// do, instead of setting them to their defaults.
    #[must_use]
    pub fn keep_ignored_signals(mut self) -> Host {
        self.given.keep_ignored_signals();
        self
    }

    /// Starts programs in a process group of their own (0), or in this one of our session: for a shell that puts all of a
    /// pipeline into one. Unix.
    ///
    /// Where a process group is what holds a run together it has to be one of its own, and another is refused with
    /// [`ErrorKind::Unsupported`]; so is one for a command that has a session of its own, with [`ErrorKind::InvalidInput`].
    #[must_use]
    pub fn process_group(mut self, id: u32) -> Host {
        self.given.join(id);
        self
    }

    /// Lets limits move every process of our own cgroup into a leaf beside the runs, where the kernel hands controllers
    /// down only from a cgroup without processes: this one is moved without asking where it is alone in its cgroup, others
    /// only by this word, or by `PINFOLD_TAKE_OVER_CGROUP=1` in the environment. For the main program of a container or of
    /// a service whose cgroup is delegated to it. Linux.
    #[must_use]
    pub fn take_over_cgroup(mut self) -> Host {
        self.take_over = true;
        self
    }

    /// Promises that this process runs one program at a time, which spares a run without limits and groups a cgroup of its
    /// own within that of this process. Until such a run has ended no other can be started in a cgroup by this process. Linux.
    #[must_use]
    pub fn one_at_a_time(mut self) -> Host {
        self.one_at_a_time = true;
        self
    }

    /// Has the guard of this process for its child, and waits for it in its orderly end, so that nothing of it is left where
    /// nobody waits for orphans: not for a process that waits for just any child (`wait(2)`). It is as the first run that
    /// needs a guard says. Linux.
    #[must_use]
    pub fn guard_as_child(mut self) -> Host {
        self.guard_as_child = true;
        self
    }

    /// Starts the guard of this process, and notes it in the registry, only once a run in a cgroup has lasted this long,
    /// instead of beside its start: for a tool whose runs are mostly shorter than the start of a guard.
    ///
    /// Until then [`Running::guarantee`] is no more than
    /// [`Guarantee::WhileOwnerLives`](crate::Guarantee::WhileOwnerLives): should this process be killed, the kernel kills the
    /// program (`PR_SET_PDEATHSIG`), and what that had already started is left to the next owner's sweep. Nothing is put off
    /// where the command requires the guarantee, in a group, or once this process has a guard.
    ///
    /// It takes a thread that lives as long as the run, since the kernel means the thread and not the process, and that
    /// drives the machine when its [`Interest`](crate::Interest) says so: a handle that nobody waits for would never get its
    /// guard.
    #[must_use]
    pub fn guard_after(mut self, age: Duration) -> Host {
        self.guard_after = Some(age);
        self
    }
}

impl Runner for Host {
    fn launch(&self, command: &Command) -> Result<Running> {
        watched(&self.observer, command, self.start_here(command))
    }

    fn launch_piped(&self, stages: &[Command], whole: &Command) -> Result<Running> {
        let sandboxed = self
            .sandbox
            .as_ref()
            .map(|_| stages.iter().map(|stage| self.sandboxed(stage)).collect::<Result<Vec<Command>>>());
        let sandboxed = sandboxed.transpose()?;
        let stages = Stages::new(sandboxed.as_deref().unwrap_or(stages), whole)?;
        let group = self.group.as_ref();
        stages.launch(self.cancel.clone(), group, self.take_over, &self.observer, || self.extras())
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

    fn retries(&self) -> Option<&RetryIf> {
        self.retry_if.as_ref()
    }
}

impl Host {
    fn start_here(&self, command: &Command) -> Result<Running> {
        let cancelled = self.cancel.as_ref().is_some_and(CancelToken::is_cancelled);
        if cancelled {
            return Err(command.error(ErrorKind::Cancelled, "was cancelled before it was started"));
        }
        let extras = Extras { cancel: self.cancel.clone(), ..self.extras() };
        match &self.sandbox {
            None => command.plan_in_haste(&extras)?.launch(extras),
            Some(_) => self.sandboxed(command)?.plan_in_haste(&extras)?.launch(extras),
        }
    }

    fn extras(&self) -> Extras {
        Extras {
            mask: self.mask,
            pass_descriptors: self.pass_descriptors,
            given: self.given.clone(),
            group: self.group.clone(),
            take_over: self.take_over,
            one_at_a_time: self.one_at_a_time,
            guard_as_child: self.guard_as_child,
            guard_after: self.guard_after,
            ..Extras::default()
        }
    }

    /// With runs that are in this group, for as long as that is there, and shut off as it says.
    pub(crate) fn within(mut self, group: Arc<Nest>, sandbox: Option<Arc<Sandbox>>) -> Host {
        (self.group, self.sandbox) = (Some(group), sandbox);
        self
    }

    /// What all of its runs are shut off from.
    pub(crate) fn sandbox(&self) -> Option<&Arc<Sandbox>> {
        self.sandbox.as_ref()
    }

    /// A command as its group has it run.
    fn sandboxed(&self, command: &Command) -> Result<Command> {
        if !command.process.sandbox.is_none() {
            let what = "has a sandbox of its own, and its group has one for all of its commands";
            return Err(command.error(ErrorKind::InvalidInput, what).hint("leave the sandbox to the group"));
        }
        let sandbox = self.sandbox.as_deref().cloned().unwrap_or_default();
        Ok(command.clone().sandbox(sandbox))
    }

    /// [`Command::plan`](crate::Command::plan), as this host would run it.
    ///
    /// # Errors
    /// As those of that.
    pub fn plan<'a>(&self, command: &'a Command) -> Result<Plan<'a>> {
        let group = self.group.clone();
        command.plan_with(&Extras { take_over: self.take_over, group, ..Extras::default() })
    }

    /// [`Command::exec`](crate::Command::exec), with this host's signal mask and descriptors.
    ///
    /// # Errors
    /// As those of that.
    pub fn exec(&self, command: &Command) -> Result<std::convert::Infallible> {
        let extras = Extras { mask: self.mask, pass_descriptors: self.pass_descriptors, ..Extras::default() };
        command.plan_with(&extras)?.replace(&extras)
    }

    /// Whether limits may move others out of our cgroup.
    pub(crate) fn takes_over(&self) -> bool {
        self.take_over
    }
}

/// The verbs, on this host: see [`Runner`] for each.
impl Command {
    /// [`Runner::run`] on this host.
    ///
    /// # Errors
    /// As there.
    pub fn run(&self) -> Result<String> {
        Host::new().run(self)
    }

    /// [`Runner::output`] on this host.
    ///
    /// # Errors
    /// As there.
    pub fn output(&self) -> Result<Output> {
        Host::new().output(self)
    }

    /// [`Runner::output_bytes`] on this host.
    ///
    /// # Errors
    /// As there.
    pub fn output_bytes(&self) -> Result<Output<Vec<u8>>> {
        Host::new().output_bytes(self)
    }

    /// [`RunnerJson::output_json`] on this host.
    ///
    /// # Errors
    /// As there.
    #[cfg(feature = "serde")]
    pub fn output_json<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        Host::new().output_json(self)
    }

    /// [`Runner::exit_code`] on this host.
    ///
    /// # Errors
    /// As there.
    pub fn exit_code(&self) -> Result<i32> {
        Host::new().exit_code(self)
    }

    /// [`Runner::probe`] on this host.
    ///
    /// # Errors
    /// As there.
    pub fn probe(&self) -> Result<bool> {
        Host::new().probe(self)
    }

    /// [`Runner::first_line`] on this host.
    ///
    /// # Errors
    /// As there.
    pub fn first_line(&self) -> Result<String> {
        Host::new().first_line(self)
    }

    /// [`Runner::start`] on this host.
    ///
    /// # Errors
    /// As there.
    pub fn start(&self) -> Result<Handle> {
        Host::new().start(self)
    }

    /// Starts it as nobody's child, in a session of its own and in no container: the one way for a process to outlive
    /// us. What would be captured goes to where our own output goes.
    ///
    /// # Errors
    /// As [`Runner::launch`]; [`ErrorKind::InvalidInput`] if it is to be fed by us.
    pub fn spawn_detached(&self) -> Result<pinfold_os::handle::Pid> {
        self.plan()?.launch_detached()
    }

    /// Becomes it: this process executes the program and is no more. Standard input is kept unless the command says
    /// otherwise, and what would be captured goes to where our own output goes. There is no container.
    ///
    /// What can fail is tried in a throw-away child first, its execution too where the kernel lets it be traced, so that
    /// after an error this process is as it was. Only what no child can try is not: leading a session, and the tie to
    /// our own maker.
    ///
    /// # Errors
    /// As [`Runner::launch`].
    pub fn exec(&self) -> Result<std::convert::Infallible> {
        Host::new().exec(self)
    }
}
