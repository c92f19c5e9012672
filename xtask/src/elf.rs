//! What an ELF file says of itself: enough to tell a static program from one that the system must complete.

/// The type of the program header that names the dynamic loader (elf(5)).
const PT_INTERP: u32 = 3;

/// Whether this 64-bit little-endian ELF file asks for a dynamic loader; an error says why it cannot be told.
pub(crate) fn wants_loader(file: &[u8]) -> Result<bool, &'static str> {
    if !file.starts_with(b"\x7fELF\x02\x01") {
        return Err("no 64-bit little-endian ELF file");
    }
    let (Some(table), Some(size), Some(count)) =
        (number::<8>(file, 0x20), number::<2>(file, 0x36), number::<2>(file, 0x38))
    else {
        return Err("the ELF header is cut short");
    };
    for index in 0..count {
        let at = table.checked_add(index * size).ok_or("a program header lies outside of the file")?;
        let kind = number::<4>(file, at).ok_or("a program header lies outside of the file")?;
        if kind == u64::from(PT_INTERP) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The little-endian number of `N` bytes at `at`.
fn number<const N: usize>(file: &[u8], at: u64) -> Option<u64> {
    let at = usize::try_from(at).ok()?;
    let bytes = file.get(at..at.checked_add(N)?)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header and program headers of these types.
    fn elf(kinds: &[u8]) -> Vec<u8> {
        let mut file = vec![0; 0x40];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        (file[0x20], file[0x36], file[0x38]) = (0x40, 0x38, u8::try_from(kinds.len()).unwrap_or(0));
        for kind in kinds {
            file.push(*kind);
            file.extend([0; 0x37]);
        }
        file
    }

    #[test]
    fn a_loader_is_seen_in_any_place() {
        assert_eq!(wants_loader(&elf(&[6, 1, 3])), Ok(true));
        assert_eq!(wants_loader(&elf(&[6, 1, 2])), Ok(false));
    }

    #[test]
    fn what_is_no_whole_program_is_an_error() {
        assert!(wants_loader(b"#!/bin/sh").is_err());
        assert!(wants_loader(b"\x7fELF\x02\x01").is_err());
        assert!(wants_loader(&elf(&[1, 1])[..0x70]).is_err());
    }
}
