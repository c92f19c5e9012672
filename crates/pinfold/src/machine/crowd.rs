//! Many machines as one, which looks only at those of them that have something to do.

use super::{Interest, Machine};
use pinfold_os::poll::{Set, Sets};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::time::Instant;

/// Which member of a crowd.
pub type Key = u64;

/// A member that has its answer: which, the machine itself, and what it came to.
pub type Answered<M> = (Key, M, io::Result<<M as Machine>::Answer>);

/// Machines side by side. Each has a set of its own, so that a descriptor that one of them closes is never taken for that
/// of another which got its number; and one set of those sets tells which to advance.
///
/// It is driven as a [`Machine`] is, but gives its answers one after the other.
///
/// ```
/// use pinfold::{Command, Completion, Crowd, Host, Judge};
/// use std::time::Instant;
///
/// let mut crowd = Crowd::default();
/// for word in ["one", "two", "three"] {
///     crowd.add(Completion::new(Host::new(), Command::new("echo").arg(word), Judge::Succeed));
/// }
/// while !crowd.is_empty() {
///     let interest = crowd.interest(Instant::now());
///     pinfold::poll::wait(&interest.waitables, interest.deadline)?;
///     for (key, _, answer) in crowd.advance(Instant::now())? {
///         println!("{key}: {} bytes", answer??.stdout.len());
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Crowd<M> {
    sets: Option<Sets>,
    members: Vec<Option<Member<M>>>,
    /// Places in `members` that are free, and sets that are empty.
    free: Vec<usize>,
    spare: Vec<Set>,
    /// Deadlines with the places that they are of, some of them outdated.
    deadlines: BinaryHeap<Reverse<(Instant, usize, u64)>>,
    /// Who is to be advanced whatever the kernel says.
    fresh: Vec<usize>,
    /// Who was advanced the last time.
    turn: Vec<usize>,
    len: usize,
    /// How many were ever taken in.
    count: u64,
}

struct Member<M> {
    machine: M,
    set: Option<Set>,
    deadline: Option<Instant>,
    /// Tells it from an earlier one in the same place.
    number: u64,
}

impl<M> std::fmt::Debug for Crowd<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Crowd").field("len", &self.len).finish_non_exhaustive()
    }
}

impl<M> Default for Crowd<M> {
    fn default() -> Crowd<M> {
        Crowd {
            sets: None,
            members: Vec::new(),
            free: Vec::new(),
            spare: Vec::new(),
            deadlines: BinaryHeap::new(),
            fresh: Vec::new(),
            turn: Vec::new(),
            len: 0,
            count: 0,
        }
    }
}

impl<M: Machine> Crowd<M> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes one in, which is advanced the next time that the crowd is. Its key is good until it has its answer.
    pub fn add(&mut self, machine: M) -> Key {
        let member = Member { machine, set: None, deadline: None, number: self.count };
        self.count += 1;
        self.len += 1;
        let place = match self.free.pop() {
            Some(place) => {
                self.members[place] = Some(member);
                place
            }
            None => {
                self.members.push(Some(member));
                self.members.len() - 1
            }
        };
        self.fresh.push(place);
        place as Key
    }

    /// One of them, to be looked at or told something; it is advanced the next time that the crowd is.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut M> {
        let member = self.members.get_mut(key as usize)?.as_mut()?;
        self.fresh.push(key as usize);
        Some(&mut member.machine)
    }

    /// Those that have just been advanced and have no answer yet, so that what has come can be taken from them. They are not
    /// advanced again for it: whatever changes what a member waits for is done by [`Crowd::get_mut`].
    pub fn advanced(&mut self) -> impl Iterator<Item = (Key, &mut M)> {
        let (mut rest, mut passed) = (&mut self.members[..], 0);
        self.turn.iter().filter_map(move |&place| {
            let (member, behind) = std::mem::take(&mut rest)[place - passed..].split_first_mut()?;
            (rest, passed) = (behind, place + 1);
            Some((place as Key, &mut member.as_mut()?.machine))
        })
    }

    /// Every one of them with its key.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &M)> {
        let members = self.members.iter().enumerate();
        members.filter_map(|(place, member)| Some((place as Key, &member.as_ref()?.machine)))
    }

    /// All of them, before their answers.
    pub(crate) fn into_machines(self) -> impl Iterator<Item = M> {
        self.members.into_iter().flatten().map(|member| member.machine)
    }

    /// Takes one out before its answer.
    pub fn remove(&mut self, key: Key) -> Option<M> {
        let member = self.members.get_mut(key as usize)?.take()?;
        self.len -= 1;
        self.free.push(key as usize);
        if let Some(set) = member.set {
            // Whatever it still waited for; and where that cannot be said, the set is not used again.
            if set.update(&[]).is_ok() && self.sets.as_ref().is_some_and(|sets| sets.remove(&set).is_ok()) {
                self.spare.push(set);
            }
        }
        Some(member.machine)
    }

    /// Advances those that have something to do, and takes out those that have their answers.
    ///
    /// # Errors
    /// The kernel does not say who is ready. What becomes of a member is its own answer.
    pub fn advance(&mut self, now: Instant) -> io::Result<Vec<Answered<M>>> {
        let mut turn: Vec<usize> = std::mem::take(&mut self.fresh);
        if let Some(sets) = &self.sets {
            let mut keys = Vec::new();
            sets.ready(&mut keys)?;
            turn.extend(keys.into_iter().map(|key| key as usize));
        }
        while let Some(Reverse((at, place, number))) = self.deadlines.peek().copied() {
            let member = self.members[place].as_ref();
            let current = member.is_some_and(|member| member.number == number && member.deadline == Some(at));
            if current && at > now {
                break;
            }
            self.deadlines.pop();
            if current {
                turn.push(place);
            }
        }
        turn.sort_unstable();
        turn.dedup();
        self.turn.clear();
        let mut answers = Vec::new();
        for place in turn {
            let Some(member) = &mut self.members[place] else { continue };
            let answer = match member.machine.advance(now).transpose() {
                None => self.watch(place, now).err().map(Err),
                some => some,
            };
            if let Some(answer) = answer
                && let Some(machine) = self.remove(place as Key)
            {
                answers.push((place as Key, machine, answer));
            } else {
                self.turn.push(place);
            }
        }
        Ok(answers)
    }

    /// Has a member's set watch what it is interested in now.
    fn watch(&mut self, place: usize, now: Instant) -> io::Result<()> {
        let Some(member) = &mut self.members[place] else { return Ok(()) };
        let interest = member.machine.interest(now);
        // A machine that only waits for a time takes no descriptor.
        if member.set.is_none() && !interest.waitables.is_empty() {
            let sets = match &mut self.sets {
                Some(sets) => sets,
                none => none.insert(Sets::new()?),
            };
            let set = match self.spare.pop() {
                Some(set) => set,
                None => Set::new()?,
            };
            sets.add(&set, place as Key)?;
            member.set = Some(set);
        }
        if let Some(set) = &member.set {
            set.update(&interest.waitables)?;
        }
        let deadline = interest.deadline;
        if member.deadline != deadline {
            member.deadline = deadline;
            self.deadlines.extend(deadline.map(|at| Reverse((at, place, member.number))));
        } else if let Some(at) = deadline
            && at <= now
        {
            // It was due, and still is.
            self.deadlines.push(Reverse((at, place, member.number)));
        }
        Ok(())
    }

    /// What to wait for before the crowd is advanced again; nothing at all if it is empty.
    pub fn interest(&self, now: Instant) -> Interest<'_> {
        let waitables = self.sets.iter().map(Sets::waitable).collect();
        let deadline = if self.fresh.is_empty() {
            // An outdated one wakes for nothing, once.
            self.deadlines.peek().map(|Reverse((at, ..))| *at)
        } else {
            Some(now)
        };
        Interest { waitables, deadline }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use pinfold_os::poll::{Event, Woken, wait};
    use std::time::Duration;

    /// Has its answer at a time, or when an event is raised.
    struct Alarm {
        at: Option<Instant>,
        event: Option<Event>,
        advanced: u32,
    }

    impl Machine for Alarm {
        type Answer = u32;

        fn advance(&mut self, now: Instant) -> io::Result<Option<u32>> {
            self.advanced += 1;
            let raised = |event: &Event| wait(&[event.waitable()], Some(now)).unwrap() == Woken::Ready;
            let over = self.at.is_some_and(|at| at <= now) || self.event.as_ref().is_some_and(raised);
            Ok(over.then_some(self.advanced))
        }

        fn interest(&self, _: Instant) -> Interest<'_> {
            Interest { waitables: self.event.iter().map(Event::waitable).collect(), deadline: self.at }
        }
    }

    fn at(at: Instant) -> Alarm {
        Alarm { at: Some(at), event: None, advanced: 0 }
    }

    fn on_event() -> Alarm {
        Alarm { at: None, event: Some(Event::new().unwrap()), advanced: 0 }
    }

    fn keys(crowd: &mut Crowd<Alarm>, now: Instant) -> Vec<Key> {
        crowd.advance(now).unwrap().into_iter().map(|(key, ..)| key).collect()
    }

    #[test]
    fn those_whose_time_has_come_are_advanced_and_no_others() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut crowd = Crowd::default();
        let [late, soon] = [9, 3].map(|seconds| crowd.add(at(after(seconds))));
        assert_eq!(crowd.interest(start).deadline, Some(start), "what is new is looked at first");
        assert!(keys(&mut crowd, start).is_empty());
        assert_eq!(crowd.interest(start).deadline, Some(after(3)));
        assert!(keys(&mut crowd, after(2)).is_empty());
        let answers = crowd.advance(after(4)).unwrap();
        assert_eq!(answers.len(), 1);
        assert_eq!((answers[0].0, *answers[0].2.as_ref().unwrap()), (soon, 2));
        assert_eq!(crowd.interest(start).deadline, Some(after(9)));
        assert_eq!((keys(&mut crowd, after(9)), crowd.len()), (vec![late], 0));
        assert_eq!(crowd.interest(start).deadline, None);
    }

    #[test]
    fn those_whose_descriptors_are_ready_are_advanced_and_no_others() {
        let now = Instant::now();
        let mut crowd = Crowd::default();
        let members: Vec<Key> = (0..100).map(|_| crowd.add(on_event())).collect();
        assert!(keys(&mut crowd, now).is_empty());
        crowd.members[70].as_ref().unwrap().machine.event.as_ref().unwrap().raise();
        let interest = crowd.interest(now);
        assert_eq!(wait(&interest.waitables, Some(now)).unwrap(), Woken::Ready);
        assert_eq!(keys(&mut crowd, now), [members[70]]);
        assert!(crowd.iter().all(|(_, alarm)| alarm.advanced == 1));
        assert_eq!((crowd.len(), crowd.iter().count()), (99, 99));
        assert_eq!(crowd.add(at(now)), members[70], "its place is free again");
        assert_eq!(keys(&mut crowd, now), [members[70]]);
    }

    #[test]
    fn what_has_come_can_be_taken_from_those_that_were_advanced_and_nobody_is_advanced_for_it() {
        let now = Instant::now();
        let mut crowd = Crowd::default();
        let members: Vec<Key> = (0..9).map(|_| crowd.add(on_event())).collect();
        let advanced = |crowd: &mut Crowd<Alarm>| -> Vec<Key> {
            crowd.advanced().map(|(key, alarm)| key * u64::from(alarm.advanced)).collect()
        };
        assert!(keys(&mut crowd, now).is_empty());
        assert_eq!(advanced(&mut crowd), members);
        assert_eq!(crowd.interest(now).deadline, None, "there is nothing to do");
        for key in [2, 3, 7] {
            crowd.get_mut(members[key]).unwrap();
        }
        crowd.get_mut(members[3]).unwrap().at = Some(now);
        assert_eq!(keys(&mut crowd, now), [members[3]]);
        assert_eq!(
            advanced(&mut crowd),
            [2 * members[2], 2 * members[7]],
            "and not the one that has its answer"
        );
        assert!(keys(&mut crowd, now).is_empty());
        assert!(advanced(&mut crowd).is_empty());
    }

    #[test]
    fn who_is_told_something_is_advanced_and_who_is_taken_out_is_not() {
        let now = Instant::now();
        let mut crowd = Crowd::default();
        let [one, two] = [(); 2].map(|()| crowd.add(on_event()));
        assert!(keys(&mut crowd, now).is_empty());
        crowd.get_mut(one).unwrap().at = Some(now);
        let taken = crowd.remove(two).unwrap();
        taken.event.as_ref().unwrap().raise();
        assert_eq!(keys(&mut crowd, now), [one]);
        assert!(crowd.get_mut(two).is_none() && crowd.remove(two).is_none());
        assert_eq!(crowd.len(), 0);
    }
}
