//! Memory ahead of its use, and after it.
//!
//! Filling a large buffer for the first time costs more in page faults than in copies. Making the pages in one call before
//! they are written saves a third of that; having the kernel use huge pages saves most of it, on most machines. In some
//! virtual ones the host takes free huge pages away and takes milliseconds to give one back, so what they take is looked at.

mod beside;
mod offset;
mod pages;
mod relocate;

pub use offset::Offset;
pub use relocate::relocate;

use beside::Beside;
use pages::{Pages, lock};
use std::ops::Range;
use std::sync::{Arc, Mutex};

/// What a huge page holds on x86-64, and on others with pages of 4 KiB; elsewhere it is a length like any other.
const HUGE: usize = 2 << 20;
/// From this capacity on huge pages are asked for. So large an allocation is a mapping of its own in the usual allocators
/// (`M_MMAP_THRESHOLD` of glibc rises to 32 MiB), so that nothing else is touched, and growing it moves pages only.
const WORTH: usize = 64 << 20;
/// So much further than is asked for is made ready by a thread beside the one that fills the buffer.
const BESIDE: usize = 8 << 20;

/// How far the memory of a buffer was made ready, and by what means.
#[derive(Debug, Default)]
pub struct Ahead {
    /// Up to which index the buffer is resident, or will be soon.
    ready: usize,
    /// The allocation for which huge pages were asked: address and capacity.
    asked: Option<(usize, usize)>,
    /// Whether they were, and are no more.
    taken_back: bool,
    pages: Arc<Mutex<Pages>>,
    beside: Option<Beside>,
}

impl Ahead {
    /// Makes at least the next `bytes` of the buffer's free capacity resident (`madvise(2)`, `MADV_POPULATE_WRITE`, Linux
    /// 5.14): now, or by a thread beside this one where the buffer is so large that it is worth one.
    ///
    /// Nothing else changes, and where the kernel cannot do it nothing happens.
    pub fn prepare(&mut self, buffer: &mut Vec<u8>, bytes: usize) {
        self.reach(buffer.as_mut_ptr() as usize, buffer.capacity(), buffer.len(), bytes);
    }

    /// The same for an allocation of `capacity` bytes at `address`, of which `used` are in use.
    fn reach(&mut self, address: usize, capacity: usize, used: usize, bytes: usize) {
        if used.saturating_add(bytes).min(capacity) <= self.ready {
            return;
        }
        // What is resident is not looked at a second time.
        let start = self.ready.max(used);
        if capacity < WORTH {
            let end = start.saturating_add(bytes).min(capacity);
            imp::populate(address + start..address + end);
            self.ready = end;
            return;
        }
        self.ask(address, capacity);
        let beside = self.beside.get_or_insert_with(|| Beside::start(self.pages.clone()));
        let more = if beside.is_there() { bytes.saturating_add(BESIDE) } else { bytes };
        let end = start.saturating_add(more).min(capacity);
        let end = (address.saturating_add(end).next_multiple_of(HUGE) - address).min(capacity);
        beside.make(address + start..address + end, &self.pages);
        self.ready = end;
    }

    /// Has the kernel use huge pages, or not, in all of an allocation.
    fn ask(&mut self, address: usize, capacity: usize) {
        let wanted = !lock(&self.pages).given_up;
        if wanted && self.asked != Some((address, capacity)) {
            self.asked = Some((address, capacity));
            imp::ask_for_huge_pages(address, capacity, true);
        }
        if !wanted && !self.taken_back {
            self.taken_back = true;
            imp::ask_for_huge_pages(address, capacity, false);
        }
    }

    /// The buffer was made smaller.
    pub fn shrunk_to(&mut self, capacity: usize) {
        self.ready = self.ready.min(capacity);
    }
}

/// Hands out a buffer piece by piece and gives its memory back to the kernel behind that (`madvise(2)`, `MADV_DONTNEED`, Linux),
/// so that a large buffer that is copied elsewhere is at no time there twice.
///
/// `to` is where the copy comes to lie, if that is known: its memory is made ready ahead, as [`Ahead`] does it. No content is
/// changed, whatever is there.
///
/// # Errors
/// What `take` gives, at which it ends.
pub fn hand_over<E>(
    mut from: Vec<u8>,
    to: Option<Range<*const u8>>,
    mut take: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    /// Small enough to be still in the cache when it is copied a second time.
    const PIECE: usize = 128 << 10;
    let to = to.map(|to| to.start as usize..to.end as usize);
    let (mut ahead, mut given) = (Ahead::default(), 0);
    let mut rest = &mut from[..];
    while !rest.is_empty() {
        // Up to where the next huge page begins, so that each is given back whole.
        let at = rest.as_ptr() as usize;
        let length = ((at + 1).next_multiple_of(HUGE) - at).min(rest.len());
        let (block, after) = rest.split_at_mut(length);
        if let Some(to) = &to {
            ahead.reach(to.start, to.len(), given, length);
        }
        for piece in block.chunks(PIECE) {
            take(piece)?;
        }
        discard(block);
        given += length;
        rest = after;
    }
    Ok(())
}

/// Lets go of the whole pages of a buffer that nobody reads any more: up to where those reach.
fn discard(buffer: &mut [u8]) -> usize {
    #[cfg(target_os = "linux")]
    {
        const PAGE: usize = 64 << 10;
        let all = buffer.as_mut_ptr_range();
        let start = (all.start as usize).next_multiple_of(PAGE);
        let end = all.end as usize / PAGE * PAGE;
        if end > start {
            // SAFETY: whole pages inside a buffer that we have exclusively; what they come to hold instead, zeros or
            // what was there, are bytes too.
            let _ = unsafe {
                rustix::mm::madvise(start as *mut _, end - start, rustix::mm::Advice::LinuxDontNeed)
            };
            return end - all.start as usize;
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = buffer;
    0
}

#[cfg(target_os = "linux")]
mod imp {
    use rustix::mm::{Advice, madvise};
    use std::ops::Range;
    use std::time::Duration;

    /// A multiple of every page size that Linux has.
    const PAGE: usize = 64 << 10;

    /// What this thread had of its processor.
    pub(super) fn time() -> Duration {
        use rustix::time::{ClockId, clock_gettime};
        clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap_or_default()
    }

    /// Makes whole pages of a range of addresses resident.
    pub(super) fn populate(range: Range<usize>) {
        let start = range.start.next_multiple_of(PAGE);
        let end = range.end / PAGE * PAGE;
        if end > start {
            // SAFETY: populating changes no content, whatever lies there.
            let _ = unsafe { madvise(start as *mut _, end - start, Advice::LinuxPopulateWrite) };
        }
    }

    pub(super) fn start(work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
        crate::signal::start_thread("pinfold-memory", work)
    }

    /// Asks for huge pages in a whole allocation, or for none.
    pub(super) fn ask_for_huge_pages(address: usize, capacity: usize, wanted: bool) {
        // What allocators keep in front of an allocation lies in its mapping, which must stay one: only as one can it be
        // moved when it grows.
        const HEAD: usize = 16;
        let page = rustix::param::page_size();
        let start = address.saturating_sub(HEAD) / page * page;
        let length = (address + capacity).next_multiple_of(page) - start;
        let advice = if wanted { Advice::LinuxHugepage } else { Advice::LinuxNoHugepage };
        // SAFETY: it is advice, which changes no content, whoever has the rest of the first and the last page.
        let _ = unsafe { madvise(start as *mut _, length, advice) };
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    pub(super) fn time() -> std::time::Duration {
        std::time::Duration::default()
    }

    pub(super) fn populate(_: std::ops::Range<usize>) {}

    pub(super) fn ask_for_huge_pages(_: usize, _: usize, _: bool) {}

    /// Where nothing can be made ready, no thread is worth its start.
    pub(super) fn start(_: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_ready_keeps_its_content_and_capacity() {
        for capacity in [0, 1, 4096, 5 << 20, WORTH, WORTH + 12_345] {
            let mut ahead = Ahead::default();
            let mut buffer = Vec::with_capacity(capacity);
            buffer.extend_from_slice(b"kept".get(..capacity.min(4)).unwrap_or_default());
            let before = (buffer.clone(), buffer.capacity());
            for bytes in [1 << 20, 1, 3 << 20, usize::MAX] {
                ahead.prepare(&mut buffer, bytes);
                assert_eq!((buffer.clone(), buffer.capacity()), before);
                assert!(ahead.ready >= (buffer.len().saturating_add(bytes)).min(capacity));
            }
        }
    }

    #[test]
    fn a_buffer_that_grows_is_made_ready_where_it_is() {
        let mut ahead = Ahead::default();
        let mut buffer: Vec<u8> = Vec::new();
        while buffer.len() < 3 * WORTH {
            if buffer.capacity() - buffer.len() < 1 << 20 {
                buffer.reserve(1 << 20);
            }
            ahead.prepare(&mut buffer, 1 << 20);
            buffer.resize(buffer.len() + (1 << 20), 7);
        }
        assert!(buffer.iter().all(|byte| *byte == 7));
        buffer.truncate(10);
        buffer.shrink_to_fit();
        ahead.shrunk_to(buffer.capacity());
        ahead.prepare(&mut buffer, 5);
        assert!(ahead.ready <= buffer.capacity());
    }

    fn copied(from: Vec<u8>) -> Vec<u8> {
        let mut to = Vec::with_capacity(from.len());
        let place = to.spare_capacity_mut().as_ptr_range();
        let Ok(()) = hand_over(from, Some(place.start.cast()..place.end.cast()), |piece| {
            to.extend_from_slice(piece);
            Ok::<(), std::convert::Infallible>(())
        });
        to
    }

    #[test]
    fn what_is_handed_over_is_all_there() {
        for length in [0, 1, 1 << 20, (3 << 20) + 12_345, 64 << 20] {
            let bytes: Vec<u8> = (0..length).map(|at| (at / 7) as u8).collect();
            assert!(copied(bytes.clone()) == bytes, "of {length} bytes");
            let mut anywhere = Vec::new();
            let Ok(()) = hand_over(bytes.clone(), None, |piece| {
                anywhere.extend_from_slice(piece);
                Ok::<(), std::convert::Infallible>(())
            });
            assert!(anywhere == bytes, "of {length} bytes");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_large_buffer_is_never_there_twice() {
        const LENGTH: usize = 128 << 20;
        let peak = || -> usize {
            let status = std::fs::read_to_string("/proc/self/status").expect("a readable /proc");
            let line = status.lines().find(|line| line.starts_with("VmHWM")).expect("a peak");
            line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).expect("a number of KiB")
        };
        let from = vec![1; LENGTH];
        let before = peak();
        let to = copied(from);
        let more = (peak() - before) << 10;
        assert!(to.iter().all(|byte| *byte == 1));
        assert!(more < LENGTH / 10, "{more} bytes came");
    }
}
