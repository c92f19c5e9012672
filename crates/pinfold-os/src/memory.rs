//! Advice about memory.

/// Asks that the free capacity of a large buffer be backed by huge pages, which halves the cost of filling it for the
/// first time (`madvise(2)`, `MADV_HUGEPAGE`). Advice only: nothing changes but the speed.
pub fn advise_huge(buffer: &mut Vec<u8>) {
    #[cfg(target_os = "linux")]
    {
        const HUGE: usize = 2 << 20;
        let spare = buffer.spare_capacity_mut().as_mut_ptr_range();
        let start = (spare.start as usize).next_multiple_of(HUGE);
        let end = spare.end as usize / HUGE * HUGE;
        if end > start {
            // SAFETY: whole pages inside an allocation that we have exclusively; the advice changes no content.
            let _ = unsafe {
                rustix::mm::madvise(start as *mut _, end - start, rustix::mm::Advice::LinuxHugepage)
            };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = buffer;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_leaves_content_and_capacity_as_they_are() {
        for capacity in [0, 1, 4096, 5 << 20] {
            let mut buffer = Vec::with_capacity(capacity);
            buffer.extend_from_slice(b"kept".get(..capacity.min(4)).unwrap_or_default());
            let before = (buffer.clone(), buffer.capacity());
            advise_huge(&mut buffer);
            assert_eq!((buffer.clone(), buffer.capacity()), before);
        }
    }
}
