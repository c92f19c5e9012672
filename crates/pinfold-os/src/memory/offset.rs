//! An allocator whose large allocations begin where the content of other objects does.

use std::alloc::{GlobalAlloc, Layout, System};

/// Smaller ones are the system's as they are.
const LARGE: usize = 1 << 20;
/// What the system's allocator aligns everything to, on the machines that we are built for.
const USUAL: usize = 16;

/// The system's allocator, but for large allocations, which begin `BYTES` bytes after the address that it gives: as far as
/// content that has a head of so many bytes in an allocation of its own. So the pages of the one can become those of the other
/// ([`relocate`](super::relocate)).
///
/// `BYTES` is a multiple of 16.
#[derive(Clone, Copy, Debug)]
pub struct Offset<const BYTES: usize>;

impl<const BYTES: usize> Offset<BYTES> {
    /// What is asked of the system for a large allocation; `None` for others, and for one that is larger than any can be.
    fn widened(layout: Layout) -> Option<Layout> {
        const { assert!(BYTES.is_multiple_of(USUAL)) };
        if layout.size() < LARGE || layout.align() > USUAL {
            return None;
        }
        Layout::from_size_align(layout.size().checked_add(BYTES)?, layout.align()).ok()
    }

    fn inside(whole: *mut u8) -> *mut u8 {
        if whole.is_null() { whole } else { whole.wrapping_add(BYTES) }
    }
}

// SAFETY: what is large is decided by the layout alone, which is the same for each call about one allocation; such a one lies
// inside of what the system gave for its widened layout, and is as aligned as that.
unsafe impl<const BYTES: usize> GlobalAlloc for Offset<BYTES> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller's.
        unsafe {
            match Self::widened(layout) {
                Some(wide) => Self::inside(System.alloc(wide)),
                None => System.alloc(layout),
            }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller's.
        unsafe {
            match Self::widened(layout) {
                Some(wide) => Self::inside(System.alloc_zeroed(wide)),
                None => System.alloc_zeroed(layout),
            }
        }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as the caller's.
        unsafe {
            match Self::widened(layout) {
                Some(wide) => System.dealloc(at.sub(BYTES), wide),
                None => System.dealloc(at, layout),
            }
        }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as the caller's, who says that the size is one of a layout; what changes its kind is copied, as far as both
        // reach.
        unsafe {
            let new = Layout::from_size_align_unchecked(size, layout.align());
            match (Self::widened(layout), Self::widened(new)) {
                (Some(old), Some(new)) => Self::inside(System.realloc(at.sub(BYTES), old, new.size())),
                (None, None) => System.realloc(at, layout, size),
                _ => {
                    let made = self.alloc(new);
                    if !made.is_null() {
                        std::ptr::copy_nonoverlapping(at, made, layout.size().min(size));
                        self.dealloc(at, layout);
                    }
                    made
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocations_keep_their_content_through_every_change_of_size() {
        let sizes = [10, LARGE - 1, LARGE, 5 * LARGE, 40 * LARGE, LARGE, 100, 3 * LARGE, 7];
        for align in [1, 16, 64] {
            let layout = |size| Layout::from_size_align(size, align).expect("a layout");
            let (memory, mut held) = (Offset::<32>, sizes[0]);
            // SAFETY: each pointer is used for what it was given for.
            unsafe {
                let mut at = memory.alloc(layout(held));
                at.write_bytes(7, held);
                for size in sizes {
                    at = memory.realloc(at, layout(held), size);
                    assert!(!at.is_null() && (at as usize).is_multiple_of(align));
                    let kept = std::slice::from_raw_parts(at, held.min(size));
                    assert!(kept.iter().all(|byte| *byte == 7), "{held} to {size}, {align}");
                    at.write_bytes(7, size);
                    held = size;
                }
                memory.dealloc(at, layout(held));
                let zeros = memory.alloc_zeroed(layout(2 * LARGE));
                assert!(std::slice::from_raw_parts(zeros, 2 * LARGE).iter().all(|byte| *byte == 0));
                memory.dealloc(zeros, layout(2 * LARGE));
            }
        }
    }

    #[test]
    fn what_is_larger_than_anything_is_refused() {
        let most = Layout::from_size_align(isize::MAX as usize - 15, 16).expect("a layout");
        // SAFETY: there is no such memory. Kept from the optimizer, which takes an allocation that nobody uses for made.
        assert!(std::hint::black_box(unsafe { Offset::<32>.alloc(std::hint::black_box(most)) }).is_null());
    }
}
