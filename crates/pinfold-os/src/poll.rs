//! Waiting for descriptors: once ([`wait`]), or as one descriptor that stands for many ([`Set`]).

use crate::descriptor::{Borrowed, Owned, borrow};
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// What a descriptor is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Something to read, or the end; for a process, its end.
    Read,
    /// Room to write, or nobody who reads.
    Write,
    /// Nobody who reads any more, whether there is room to write or not.
    Desertion,
    /// A change of a kernel file such as `cgroup.events`.
    Change,
}

/// A descriptor and what it is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Waitable<'a> {
    /// The descriptor.
    pub descriptor: Borrowed<'a>,
    /// What it is waited for.
    pub direction: Direction,
}

/// Why [`wait`] came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// One of the descriptors is ready.
    Ready,
    /// The deadline passed.
    Deadline,
    /// A signal handler of this process ran.
    Interrupted,
}

/// Blocks until one of the descriptors is ready or the deadline has passed; without either, until a signal.
///
/// # Errors
/// What `ppoll(2)` gives, but not `EINTR`.
pub fn wait(waitables: &[Waitable<'_>], deadline: Option<Instant>) -> io::Result<Woken> {
    imp::wait(waitables, deadline)
}

/// A flag that other threads can raise and that can be waited for.
#[derive(Debug)]
pub struct Event(imp::Event);

impl Event {
    /// A flag that is down.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE`.
    pub fn new() -> io::Result<Event> {
        Ok(Event(imp::Event::new()?))
    }

    /// Raises it; it stays up until it is cleared.
    pub fn raise(&self) {
        self.0.raise();
    }

    /// Takes it down.
    pub fn clear(&self) {
        self.0.clear();
    }

    /// Readable while it is up.
    pub fn waitable(&self) -> Waitable<'_> {
        Waitable { descriptor: self.0.waitable(), direction: Direction::Read }
    }
}

/// One descriptor that is readable whenever one of a changing set of others is ready: what an event loop watches
/// when it should know nothing of the others. An epoll instance on Linux (`epoll(7)`).
#[derive(Debug)]
pub struct Set {
    set: Owned,
    members: Mutex<Vec<Member>>,
}

type Member = (imp::Raw, Direction);

impl Set {
    /// An empty set.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE`; [`io::ErrorKind::Unsupported`] where this is not built yet.
    pub fn new() -> io::Result<Set> {
        Ok(Set { set: imp::new_set()?, members: Mutex::default() })
    }

    /// Makes `wanted` the members. A descriptor that was closed since the last call has left the set by itself, but
    /// its number must not have been given to another member meanwhile: leave it out of one call first.
    ///
    /// # Errors
    /// `ENOMEM`, `ENOSPC`.
    pub fn update(&self, wanted: &[Waitable<'_>]) -> io::Result<()> {
        imp::update_set(&self.set, &mut self.members.lock().unwrap_or_else(PoisonError::into_inner), wanted)
    }

    /// Readable when a member is ready.
    pub fn waitable(&self) -> Waitable<'_> {
        Waitable { descriptor: borrow(&self.set), direction: Direction::Read }
    }

    /// Whether a member is ready now.
    ///
    /// # Errors
    /// As [`wait`].
    pub fn is_ready(&self) -> io::Result<bool> {
        Ok(wait(&[self.waitable()], Some(Instant::now()))? == Woken::Ready)
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for Set {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.set.as_fd()
    }
}

#[cfg(unix)]
impl std::os::fd::AsRawFd for Set {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.set.as_raw_fd()
    }
}

#[cfg(unix)]
mod imp {
    #[cfg(any(target_os = "linux", target_os = "freebsd"))]
    use super::borrow;
    use super::{Borrowed, Direction, Instant, Owned, Waitable, Woken, io};
    use rustix::event::{PollFd, PollFlags, Timespec};

    pub(super) type Raw = std::os::fd::RawFd;

    /// More than any one run waits for.
    const FEW: usize = 8;

    pub(super) fn wait(waitables: &[Waitable<'_>], deadline: Option<Instant>) -> io::Result<Woken> {
        if let [first, ..] = waitables
            && waitables.len() <= FEW
        {
            let mut few = std::array::from_fn::<_, FEW, _>(|at| entry(waitables.get(at).unwrap_or(first)));
            return poll(&mut few[..waitables.len()], deadline);
        }
        poll(&mut waitables.iter().map(entry).collect::<Vec<_>>(), deadline)
    }

    fn entry<'a>(waitable: &Waitable<'a>) -> PollFd<'a> {
        let flags = match waitable.direction {
            Direction::Read => PollFlags::IN,
            Direction::Write => PollFlags::OUT,
            Direction::Change => PollFlags::PRI,
            // POLLERR and POLLHUP are told unasked.
            Direction::Desertion => PollFlags::empty(),
        };
        PollFd::from_borrowed_fd(waitable.descriptor, flags)
    }

    fn poll(entries: &mut [PollFd<'_>], deadline: Option<Instant>) -> io::Result<Woken> {
        let timeout = deadline.map(|deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            Timespec { tv_sec: left.as_secs().min(i32::MAX as u64) as _, tv_nsec: left.subsec_nanos().into() }
        });
        match rustix::event::poll(entries, timeout.as_ref()) {
            Ok(0) => Ok(Woken::Deadline),
            Ok(_) => Ok(Woken::Ready),
            Err(rustix::io::Errno::INTR) => Ok(Woken::Interrupted),
            Err(error) => Err(error.into()),
        }
    }

    #[cfg(any(target_os = "linux", target_os = "freebsd"))]
    #[derive(Debug)]
    pub(super) struct Event(Owned);

    #[cfg(any(target_os = "linux", target_os = "freebsd"))]
    impl Event {
        pub(super) fn new() -> io::Result<Event> {
            use rustix::event::{EventfdFlags, eventfd};
            Ok(Event(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
        }

        pub(super) fn raise(&self) {
            // A counter at its maximum is up already.
            let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
        }

        pub(super) fn clear(&self) {
            let _ = rustix::io::read(&self.0, &mut [0u8; 8]);
        }

        pub(super) fn waitable(&self) -> Borrowed<'_> {
            borrow(&self.0)
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
    #[derive(Debug)]
    pub(super) struct Event(crate::pipe::Reader, crate::pipe::Writer);

    #[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
    impl Event {
        pub(super) fn new() -> io::Result<Event> {
            let (reader, write) = crate::pipe::output()?;
            Ok(Event(reader, crate::pipe::Writer::nonblocking(write)?))
        }

        pub(super) fn raise(&self) {
            let _ = self.1.write(&[1]);
        }

        pub(super) fn clear(&self) {
            while self.0.read_append(&mut Vec::with_capacity(64)).is_ok_and(|bytes| bytes > 0) {}
        }

        pub(super) fn waitable(&self) -> Borrowed<'_> {
            self.0.waitable()
        }
    }

    #[cfg(target_os = "linux")]
    pub(super) fn new_set() -> io::Result<Owned> {
        Ok(rustix::event::epoll::create(rustix::event::epoll::CreateFlags::CLOEXEC)?)
    }

    #[cfg(target_os = "linux")]
    pub(super) fn update_set(
        set: &Owned,
        members: &mut Vec<super::Member>,
        wanted: &[Waitable<'_>],
    ) -> io::Result<()> {
        use rustix::event::epoll::{EventData, EventFlags, add, delete, modify};
        use std::os::fd::AsRawFd;
        let kept = |raw: Raw| wanted.iter().any(|waitable| waitable.descriptor.as_raw_fd() == raw);
        members.retain(|(raw, _)| {
            if !kept(*raw) {
                // SAFETY: only names the member to the set; if the number was closed, the kernel says so.
                let _ = delete(set, unsafe { Borrowed::borrow_raw(*raw) });
            }
            kept(*raw)
        });
        for waitable in wanted {
            let (raw, fd) = (waitable.descriptor.as_raw_fd(), waitable.descriptor);
            let flags = match waitable.direction {
                Direction::Read => EventFlags::IN,
                Direction::Write => EventFlags::OUT,
                Direction::Change => EventFlags::PRI,
                Direction::Desertion => EventFlags::empty(),
            };
            let data = EventData::new_u64(raw as u64);
            match members.iter_mut().find(|(member, _)| *member == raw) {
                Some((_, direction)) if *direction == waitable.direction => {}
                Some((_, direction)) => {
                    modify(set, fd, data, flags)?;
                    *direction = waitable.direction;
                }
                None => {
                    add(set, fd, data, flags)?;
                    members.push((raw, waitable.direction));
                }
            }
        }
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn new_set() -> io::Result<Owned> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn update_set(_: &Owned, _: &mut Vec<super::Member>, _: &[Waitable<'_>]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(windows)]
mod imp {
    use super::{Borrowed, Instant, Owned, Waitable, Woken, io};

    pub(super) type Raw = std::os::windows::io::RawHandle;

    pub(super) fn wait(_: &[Waitable<'_>], _: Option<Instant>) -> io::Result<Woken> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[derive(Debug)]
    pub(super) enum Event {}

    impl Event {
        pub(super) fn new() -> io::Result<Event> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(super) fn raise(&self) {
            match *self {}
        }

        pub(super) fn clear(&self) {
            match *self {}
        }

        pub(super) fn waitable(&self) -> Borrowed<'_> {
            match *self {}
        }
    }

    pub(super) fn new_set() -> io::Result<Owned> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn update_set(_: &Owned, _: &mut Vec<super::Member>, _: &[Waitable<'_>]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use std::time::Duration;

    fn ready(set: &Set) -> bool {
        set.is_ready().unwrap()
    }

    #[test]
    fn an_event_is_up_until_it_is_cleared() {
        let event = Event::new().unwrap();
        assert_eq!(wait(&[event.waitable()], Some(Instant::now())).unwrap(), Woken::Deadline);
        event.raise();
        event.raise();
        assert_eq!(wait(&[event.waitable()], None).unwrap(), Woken::Ready);
        event.clear();
        let soon = Instant::now() + Duration::from_millis(1);
        assert_eq!(wait(&[event.waitable()], Some(soon)).unwrap(), Woken::Deadline);
        assert!(Instant::now() >= soon);
    }

    #[test]
    fn a_set_stands_for_its_members_and_forgets_those_that_left() {
        let (one, two) = (Event::new().unwrap(), Event::new().unwrap());
        let set = Set::new().unwrap();
        set.update(&[one.waitable(), two.waitable()]).unwrap();
        assert!(!ready(&set));
        one.raise();
        assert!(ready(&set));
        set.update(&[two.waitable()]).unwrap();
        assert!(!ready(&set));
        set.update(&[one.waitable()]).unwrap();
        assert!(ready(&set));
        drop(one);
        set.update(&[]).unwrap();
        let three = Event::new().unwrap();
        set.update(&[three.waitable()]).unwrap();
        assert!(!ready(&set));
        three.raise();
        assert!(ready(&set));
    }
}
