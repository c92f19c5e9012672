//! An initramfs: a cpio archive in the "newc" form that the kernel unpacks at boot; see the kernel's
//! `driver-api/early-userspace/buffer-format`.
//!
//! It is written here because an archive made by a tool cannot hold a device node unless root made it.

const CLOSING: &str = "TRAILER!!!";

/// An archive in the making. A directory stands before what is in it.
pub(super) struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    pub(super) fn new() -> Self {
        Self { bytes: Vec::new(), entries: 0 }
    }

    /// A directory that everybody can read.
    pub(super) fn directory(&mut self, path: &str) {
        self.entry(path, 0o040_755, (0, 0), &[]);
    }

    /// A directory in which everybody can make files, and remove their own.
    pub(super) fn shared_directory(&mut self, path: &str) {
        self.entry(path, 0o041_777, (0, 0), &[]);
    }

    /// A file that everybody can read, and execute if `mode` says so.
    pub(super) fn file(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.entry(path, 0o100_000 | mode, (0, 0), content);
    }

    pub(super) fn link(&mut self, path: &str, target: &str) {
        self.entry(path, 0o120_777, (0, 0), target.as_bytes());
    }

    /// A character device.
    pub(super) fn device(&mut self, path: &str, major: u32, minor: u32) {
        self.entry(path, 0o020_600, (major, minor), &[]);
    }

    /// The whole archive.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.entry(CLOSING, 0, (0, 0), &[]);
        self.bytes
    }

    /// Everything belongs to root; two entries are the same file when they share an inode number, and none do.
    fn entry(&mut self, path: &str, mode: u32, device: (u32, u32), content: &[u8]) {
        self.entries += 1;
        let size = u32::try_from(content.len()).expect("no file of an initramfs has 4 GiB");
        let name = u32::try_from(path.len() + 1).expect("no name has 4 GiB");
        let fields = [self.entries, mode, 0, 0, 1, 0, size, 0, 0, device.0, device.1, name, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08X}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.align();
        self.bytes.extend_from_slice(content);
        self.align();
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_a_header_a_name_and_a_content_each_at_a_multiple_of_four() {
        let mut archive = Archive::new();
        archive.file("ab", 0o755, b"hello");
        archive.device("console", 5, 1);
        let bytes = archive.finish();
        let expected = "070701000000010000\
                        81ED000000000000000000000001000000000000000500000000000000000000000000000000\
                        0000000300000000ab\0\0\0\0hello\0\0\0";
        assert_eq!(String::from_utf8_lossy(&bytes[..expected.len()]), expected);
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.contains("00000005000000010000000800000000console\0"), "{text}");
        assert!(text.trim_end_matches('\0').ends_with(CLOSING));
        assert_eq!(bytes.len() % 4, 0);
    }
}
