//! Large content that changes its place: by its pages where that can be, and else by copying.

use super::hand_over;
use std::convert::Infallible;
use std::mem::MaybeUninit;

/// Below this a copy is as good.
const WORTH: usize = 1 << 20;

/// Fills `to` with what `from` holds, which is of the same length.
///
/// Where both begin at the same offset within a page their pages change hands, which takes a hundredth of a copy's time
/// (`mremap(2)` with `MREMAP_DONTUNMAP`, Linux 5.7); [`Offset`](super::Offset) is there to have them do so. Else it is copied,
/// and is at no time there twice.
///
/// # Panics
/// If the lengths differ.
pub fn relocate(mut from: Vec<u8>, to: &mut [MaybeUninit<u8>]) {
    assert_eq!(from.len(), to.len(), "what is relocated fills its place");
    let moved = if from.len() < WORTH { 0..0 } else { imp::move_pages(&mut from, to) };
    if !moved.is_empty() {
        for rest in [0..moved.start, moved.end..from.len()] {
            copy(&from[rest.clone()], &mut to[rest]);
        }
        return;
    }
    let mut at = 0;
    let place = to.as_ptr_range();
    let Ok(()) = hand_over(from, Some(place.start.cast()..place.end.cast()), |piece| {
        copy(piece, &mut to[at..at + piece.len()]);
        at += piece.len();
        Ok::<(), Infallible>(())
    });
}

fn copy(from: &[u8], to: &mut [MaybeUninit<u8>]) {
    assert_eq!(from.len(), to.len(), "as much as there is room for");
    // SAFETY: both are of this length, and one of them is borrowed by nobody else.
    unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to.as_mut_ptr().cast(), from.len()) };
}

#[cfg(target_os = "linux")]
mod imp {
    use rustix::mm::{MapFlags, MremapFlags, ProtFlags, mmap_anonymous, mremap_fixed};
    use std::ffi::c_void;
    use std::mem::MaybeUninit;
    use std::ops::Range;

    /// Moves the whole pages of one buffer into another: the range of indices that was moved, after which `from` holds zeros
    /// there. Empty where it cannot be done.
    pub(super) fn move_pages(from: &mut [u8], to: &mut [MaybeUninit<u8>]) -> Range<usize> {
        let page = rustix::param::page_size();
        let (source, target) = (from.as_mut_ptr(), to.as_mut_ptr());
        if source as usize % page != target as usize % page {
            return 0..0;
        }
        let start = (source as usize).next_multiple_of(page) - source as usize;
        let length = from.len().saturating_sub(start) / page * page;
        if length == 0 {
            return 0..0;
        }
        let flags = MremapFlags::MAYMOVE | MremapFlags::DONTUNMAP;
        // SAFETY: whole pages inside of two buffers that we have exclusively. The source stays mapped, and zeros are bytes too;
        // to the target belongs what it is given.
        let moved = unsafe {
            let (source, target) = (source.add(start).cast(), target.add(start).cast::<c_void>());
            mremap_fixed(source, length, length, flags, target).map_err(|_| mend(target, length))
        };
        if moved.is_ok() { start..start + length } else { 0..0 }
    }

    /// After a failure the target may be mapped as it was, or not at all: it is mapped again. A process whose allocator has lost
    /// memory cannot go on.
    unsafe fn mend(target: *mut c_void, length: usize) {
        let (rights, flags) =
            (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE | MapFlags::FIXED_NOREPLACE);
        // SAFETY: nothing that is mapped is replaced.
        match unsafe { mmap_anonymous(target, length, rights, flags) } {
            Err(rustix::io::Errno::EXIST) => {}
            Ok(at) if at == target => {}
            _ => std::process::abort(),
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use std::mem::MaybeUninit;
    use std::ops::Range;

    pub(super) fn move_pages(_: &mut [u8], _: &mut [MaybeUninit<u8>]) -> Range<usize> {
        0..0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A buffer, the index in it where content begins at this offset within a page, and room for the content.
    fn place(offset: usize, length: usize) -> (Vec<MaybeUninit<u8>>, usize) {
        const PAGE: usize = 64 << 10;
        let buffer: Vec<MaybeUninit<u8>> = vec![MaybeUninit::new(9); length + 2 * PAGE];
        let address = buffer.as_ptr() as usize;
        let at = address.next_multiple_of(PAGE) + offset - address;
        (buffer, at)
    }

    fn content(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at / 7) as u8).collect()
    }

    #[test]
    fn content_is_all_there_wherever_it_goes_and_nothing_beside_it_changes() {
        for length in [0, 1, 5000, WORTH, (8 << 20) + 12_345] {
            let wanted = content(length);
            let own = wanted.as_ptr() as usize % 4096;
            for offset in [own, own + 1, 0] {
                let from = wanted.clone();
                let offset = if offset == own { from.as_ptr() as usize % 4096 } else { offset };
                let (mut buffer, at) = place(offset, length);
                relocate(from, &mut buffer[at..at + length]);
                // SAFETY: it was filled when it was made.
                let bytes: Vec<u8> = buffer.iter().map(|byte| unsafe { byte.assume_init() }).collect();
                assert!(bytes[at..at + length] == wanted, "{length} bytes at {offset}");
                let beside = bytes[..at].iter().chain(&bytes[at + length..]);
                assert!(beside.copied().all(|byte| byte == 9), "beside {length} bytes at {offset}");
            }
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn pages_change_hands_where_both_lie_alike() {
        let mut from = content(8 << 20);
        let (mut buffer, at) = place(from.as_ptr() as usize % 4096, from.len());
        let length = from.len();
        let moved = imp::move_pages(&mut from, &mut buffer[at..at + length]);
        assert!(moved.len() > length - 2 * 4096, "{moved:?}");
        assert!(from[moved].iter().all(|byte| *byte == 0));
        let (mut buffer, at) = place(from.as_ptr() as usize % 4096 + 1, from.len());
        assert!(imp::move_pages(&mut from, &mut buffer[at..at + length]).is_empty());
    }
}
