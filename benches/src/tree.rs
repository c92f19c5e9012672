//! A tree of processes under an owner: started, its members held by handles, and ended with all that is left of it.
//!
//! Every member connects to a socket of ours, and the kernel says who it is. What is signalled here is a process that did
//! so and is named by a handle, the owner, which is our child, or what is left in a cgroup that was made for this tree.

use crate::owner::OWNER;
use crate::{Error, Result};
use pinfold_os::descriptor::borrow;
use pinfold_os::handle::{Pid, Process};
use pinfold_os::linux::cgroup::Cgroup;
use pinfold_os::poll::{self, Direction, Waitable, Woken};
use pinfold_os::signal::Signal;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long anything of a tree may take that ought to take a moment.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long what cleans up behind an owner is given.
const CLEANING: Duration = Duration::from_secs(2);

/// One of a tree: the first letter of its kind, as `native/tree.c` has them, and a handle of it.
#[derive(Debug)]
struct Member {
    kind: u8,
    process: Process,
}

/// How an owner ends what it holds, or itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It drops its handle and lives on.
    Drop,
    /// By this signal.
    Signal(Signal),
}

/// An owner and its tree. Dropping it ends all of both.
#[derive(Debug)]
pub(crate) struct Tree {
    child: Child,
    words: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    owner: Process,
    members: Vec<Member>,
    /// What holds it, in the words of the library that started it.
    pub(crate) mechanism: String,
    /// Let go of last.
    _home: Home,
}

impl Tree {
    /// Starts one: these kinds of descendants and the program that starts them, which an owner started in this way. All of
    /// them are there when this returns.
    pub(crate) fn start(way: &str, program: &Path, kinds: &[&str]) -> Result<Tree> {
        let home = Home::new()?;
        let listener = UnixListener::bind(&home.socket)?;
        listener.set_nonblocking(true)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args([OWNER, way]).arg(home.cgroup.as_ref().map_or(Path::new(""), Cgroup::path));
        command.arg(program).arg(&home.socket).args(kinds);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let words = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().ok_or("no pipe")?);
        let owner = handle(child.id().into())?;
        let mut tree =
            Tree { child, words, answers, owner, members: vec![], mechanism: String::new(), _home: home };
        let started = tree.answer()?;
        let mechanism = started.strip_prefix("started ").ok_or("the owner could not start it")?;
        mechanism.clone_into(&mut tree.mechanism);
        let deadline = Instant::now() + PATIENCE;
        while tree.members.len() <= kinds.len() {
            tree.members.push(accept(&listener, deadline)?);
        }
        Ok(tree)
    }

    /// Ends the owner, or what it holds; returns before anything of the tree need be gone.
    pub(crate) fn end(&mut self, end: End) -> Result<()> {
        match end {
            End::Signal(signal) => Ok(self.owner.signal(signal)?),
            End::Drop => {
                self.words.as_mut().ok_or("no pipe")?.write_all(b"\n")?;
                if self.answer()? == "dropped" { Ok(()) } else { Err("the owner is gone".into()) }
            }
        }
    }

    /// Waits until all members are dead, for this long at most: the kinds of those that are not.
    pub(crate) fn survivors(&self, patience: Duration) -> Result<Vec<u8>> {
        let deadline = Instant::now() + patience;
        let mut alive = Vec::new();
        for member in &self.members {
            if !has_ended(&member.process, deadline)? {
                alive.push(member.kind);
            }
        }
        Ok(alive)
    }

    /// A line of the owner.
    fn answer(&mut self) -> Result<String> {
        ready(borrow(self.answers.get_ref()), Instant::now() + PATIENCE)?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        // Each is named by a handle: one that has ended is nobody else.
        for member in &self.members {
            let _ = member.process.signal(Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The places of a tree: a socket, and a cgroup for its owner and what that makes below it, where one can be had.
#[derive(Debug)]
struct Home {
    socket: PathBuf,
    cgroup: Option<Cgroup>,
}

impl Home {
    fn new() -> Result<Home> {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let name = format!("pinfold-bench.{}.{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let socket = std::env::temp_dir().join(format!("{name}.socket"));
        let cgroup = crate::machine::cgroup().ok().and_then(|own| Cgroup::create(&own.join(name)).ok());
        Ok(Home { socket, cgroup })
    }

    /// Whether nobody is in the cgroup, waited for until then.
    fn is_empty(cgroup: &Cgroup, patience: Duration) -> std::io::Result<bool> {
        let deadline = Instant::now() + patience;
        while cgroup.is_populated()? {
            if poll::wait(&[cgroup.waitable()?], Some(deadline))? == Woken::Deadline {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.socket);
        let Some(cgroup) = &self.cgroup else { return };
        // A guard may still be at work in it; what stays for longer never connected to the socket.
        if !Home::is_empty(cgroup, CLEANING).unwrap_or(true) && cgroup.kill().is_ok() {
            let _ = Home::is_empty(cgroup, CLEANING);
        }
        let _ = pinfold_os::linux::cgroup::remove(cgroup.path());
    }
}

fn handle(pid: i64) -> Result<Process> {
    Ok(Process::open(Pid::new(pid).ok_or("no pid of a process")?)?)
}

/// Whether it has ended, waited for until then. A zombie has.
pub(crate) fn has_ended(process: &Process, deadline: Instant) -> Result<bool> {
    let end = Waitable { descriptor: process.waitable(), direction: Direction::Read };
    loop {
        match poll::wait(&[end], Some(deadline))? {
            Woken::Ready => return Ok(true),
            Woken::Deadline => return Ok(false),
            Woken::Interrupted => {}
        }
    }
}

fn ready(descriptor: pinfold_os::descriptor::Borrowed<'_>, deadline: Instant) -> Result<()> {
    match poll::wait(&[Waitable { descriptor, direction: Direction::Read }], Some(deadline))? {
        Woken::Deadline => Err(Error::from("nobody answered in time")),
        _ => Ok(()),
    }
}

/// The next one that connects.
fn accept(listener: &UnixListener, deadline: Instant) -> Result<Member> {
    ready(borrow(listener), deadline)?;
    let (mut connection, _) = listener.accept()?;
    ready(borrow(&connection), deadline)?;
    let mut kind = [0];
    connection.read_exact(&mut kind)?;
    let pid = rustix::net::sockopt::socket_peercred(&connection)?.pid;
    let process = handle(pid.as_raw_pid().into())?;
    // It holds its end for as long as it lives: who has that pid now is who connected.
    if !is_held(&mut connection)? {
        return Err("a process of the tree ended by itself".into());
    }
    Ok(Member { kind: kind[0], process })
}

/// Whether the other end of a connection on which nothing more comes is still open.
fn is_held(connection: &mut UnixStream) -> Result<bool> {
    connection.set_nonblocking(true)?;
    match connection.read(&mut [0]) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(true),
        Ok(_) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_connection_is_held_until_its_other_end_is_gone() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        assert!(is_held(&mut ours).unwrap());
        drop(theirs);
        assert!(!is_held(&mut ours).unwrap());
    }

    #[test]
    fn who_has_ended_is_told_from_who_has_not() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let process = handle(child.id().into()).unwrap();
        assert!(!has_ended(&process, Instant::now()).unwrap());
        drop(child.stdin.take());
        assert!(has_ended(&process, Instant::now() + PATIENCE).unwrap());
        child.wait().unwrap();
    }
}
