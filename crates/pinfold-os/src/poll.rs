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

/// A descriptor by its number, and what the kernel was asked to tell of it.
type Member = (imp::Raw, u32);

impl Set {
    /// An empty set.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE`; [`io::ErrorKind::Unsupported`] where this is not built yet.
    pub fn new() -> io::Result<Set> {
        Ok(Set { set: imp::new_set()?, members: Mutex::default() })
    }

    /// Makes `wanted` the members. A descriptor that was closed since the last call has left the set by itself, and its
    /// number may have been given to another one meanwhile. One that is named twice is waited for in both directions.
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

/// Many sets, each under a key, as one descriptor; and which of them are ready, without looking at the others. An epoll
/// instance whose members are epoll instances.
#[derive(Debug)]
pub struct Sets(Owned);

impl Sets {
    /// Without any.
    ///
    /// # Errors
    /// As [`Set::new`].
    pub fn new() -> io::Result<Sets> {
        Ok(Sets(imp::new_set()?))
    }

    /// Takes one in. A set that is dropped leaves by itself.
    ///
    /// # Errors
    /// `ENOMEM`, `ENOSPC`.
    pub fn add(&self, set: &Set, key: u64) -> io::Result<()> {
        imp::add_set(&self.0, borrow(&set.set), key)
    }

    /// Lets go of one.
    ///
    /// # Errors
    /// `ENOENT` if it is not there.
    pub fn remove(&self, set: &Set) -> io::Result<()> {
        imp::remove_set(&self.0, borrow(&set.set))
    }

    /// Adds the keys of some that are ready now, of all of them if they are fewer than 64.
    ///
    /// # Errors
    /// What `epoll_wait(2)` gives, but not `EINTR`.
    pub fn ready(&self, keys: &mut Vec<u64>) -> io::Result<()> {
        imp::ready_sets(&self.0, keys)
    }

    /// Readable when one of them is ready.
    pub fn waitable(&self) -> Waitable<'_> {
        Waitable { descriptor: borrow(&self.0), direction: Direction::Read }
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
            let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
            #[cfg(target_os = "linux")]
            let event = crate::linux::handles::place(event);
            Ok(Event(event))
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
        use rustix::event::epoll::{CreateFlags, create};
        Ok(crate::linux::handles::place(create(CreateFlags::CLOEXEC)?))
    }

    #[cfg(target_os = "linux")]
    pub(super) fn update_set(
        set: &Owned,
        members: &mut Vec<super::Member>,
        wanted: &[Waitable<'_>],
    ) -> io::Result<()> {
        use rustix::event::epoll::{EventData, EventFlags, add, delete, modify};
        use rustix::io::Errno;
        use std::os::fd::AsRawFd;
        let raw = |waitable: &Waitable<'_>| waitable.descriptor.as_raw_fd();
        members.retain(|(member, _)| {
            let kept = wanted.iter().any(|waitable| raw(waitable) == *member);
            if !kept {
                // SAFETY: only names the member to the set; if the number was closed, the kernel says so.
                let _ = delete(set, unsafe { Borrowed::borrow_raw(*member) });
            }
            kept
        });
        for (at, waitable) in wanted.iter().enumerate() {
            let number = raw(waitable);
            if wanted[..at].iter().any(|earlier| raw(earlier) == number) {
                continue;
            }
            let same = wanted[at..].iter().filter(|other| raw(other) == number);
            let flags = same.fold(EventFlags::empty(), |flags, other| {
                flags
                    | match other.direction {
                        Direction::Read => EventFlags::IN,
                        Direction::Write => EventFlags::OUT,
                        Direction::Change => EventFlags::PRI,
                        Direction::Desertion => EventFlags::empty(),
                    }
            });
            let (fd, data) = (waitable.descriptor, EventData::new_u64(number as u64));
            match members.iter_mut().find(|(member, _)| *member == number) {
                // Asked of the kernel even where nothing is new: the number may be another descriptor's by now.
                Some((_, known)) => {
                    match modify(set, fd, data, flags) {
                        Err(Errno::NOENT) => add(set, fd, data, flags)?,
                        other => other?,
                    }
                    *known = flags.bits();
                }
                None => {
                    add(set, fd, data, flags)?;
                    members.push((number, flags.bits()));
                }
            }
        }
        Ok(())
    }

    #[cfg(target_os = "linux")]
    pub(super) fn add_set(all: &Owned, set: Borrowed<'_>, key: u64) -> io::Result<()> {
        use rustix::event::epoll::{EventData, EventFlags, add};
        Ok(add(all, set, EventData::new_u64(key), EventFlags::IN)?)
    }

    #[cfg(target_os = "linux")]
    pub(super) fn remove_set(all: &Owned, set: Borrowed<'_>) -> io::Result<()> {
        Ok(rustix::event::epoll::delete(all, set)?)
    }

    #[cfg(target_os = "linux")]
    pub(super) fn ready_sets(all: &Owned, keys: &mut Vec<u64>) -> io::Result<()> {
        use rustix::event::epoll::{Event, EventData, EventFlags, wait};
        let none = Event { flags: EventFlags::empty(), data: EventData::new_u64(0) };
        let mut events = [none; 64];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        // Who is left out is still ready, and told the next time.
        match wait(all, &mut events, Some(&now)) {
            Ok(count) => keys.extend(events[..count].iter().map(|event| event.data.u64())),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
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

    #[cfg(not(target_os = "linux"))]
    pub(super) fn add_set(_: &Owned, _: Borrowed<'_>, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn remove_set(_: &Owned, _: Borrowed<'_>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn ready_sets(_: &Owned, _: &mut Vec<u64>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(windows)]
mod imp {
    use super::{Borrowed, Instant, Owned, Waitable, Woken, io};

    /// A handle as a number, since nothing is done with it.
    pub(super) type Raw = usize;

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

    pub(super) fn add_set(_: &Owned, _: Borrowed<'_>, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn remove_set(_: &Owned, _: Borrowed<'_>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn ready_sets(_: &Owned, _: &mut Vec<u64>) -> io::Result<()> {
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
    #[test]
    fn a_number_that_is_another_descriptors_by_now_is_watched_all_the_same() {
        use std::os::fd::AsRawFd;
        let set = Set::new().unwrap();
        let one = Event::new().unwrap();
        let number = one.waitable().descriptor.as_raw_fd();
        set.update(&[one.waitable()]).unwrap();
        drop(one);
        let two = Event::new().unwrap();
        assert_eq!(two.waitable().descriptor.as_raw_fd(), number, "the lowest free number");
        set.update(&[two.waitable()]).unwrap();
        two.raise();
        assert!(ready(&set));
    }

    #[test]
    fn a_descriptor_in_both_directions_is_waited_for_in_both() {
        let (here, there) = std::os::unix::net::UnixStream::pair().unwrap();
        let descriptor = std::os::fd::AsFd::as_fd(&here);
        let waitable = |direction| Waitable { descriptor, direction };
        let set = Set::new().unwrap();
        set.update(&[waitable(Direction::Write), waitable(Direction::Read)]).unwrap();
        assert!(ready(&set), "there is room to write");
        set.update(&[waitable(Direction::Read)]).unwrap();
        assert!(!ready(&set));
        std::io::Write::write_all(&mut &there, b"x").unwrap();
        assert!(ready(&set));
    }

    #[test]
    fn sets_tell_which_of_them_are_ready() {
        let all = Sets::new().unwrap();
        let members: Vec<(Event, Set)> =
            (0..100).map(|_| (Event::new().unwrap(), Set::new().unwrap())).collect();
        for (key, (event, set)) in members.iter().enumerate() {
            set.update(&[event.waitable()]).unwrap();
            all.add(set, key as u64).unwrap();
        }
        let told = || {
            let mut keys = Vec::new();
            all.ready(&mut keys).unwrap();
            keys.sort_unstable();
            keys
        };
        assert!(told().is_empty());
        members[7].0.raise();
        members[80].0.raise();
        assert_eq!(told(), [7, 80]);
        all.remove(&members[7].1).unwrap();
        assert_eq!(told(), [80]);
        assert_eq!(wait(&[all.waitable()], Some(Instant::now())).unwrap(), Woken::Ready);
    }
}
