//! `/proc/PID/cmdline`: the arguments, each ended by a NUL.
//!
//! The kernel reads them from the process's own memory, so a process may have written anything there: a title without
//! NULs, or one padded with them, which no reader can tell from empty arguments. See
//! [proc_pid_cmdline(5)](https://man7.org/linux/man-pages/man5/proc_pid_cmdline.5.html).

/// The arguments of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cmdline<'a> {
    bytes: &'a [u8],
}

impl<'a> Cmdline<'a> {
    /// Takes the file's content; any bytes are arguments of some kind.
    ///
    /// ```
    /// # use pinfold_proc::parse::cmdline::Cmdline;
    /// let arguments: Vec<_> = Cmdline::parse(b"sh\0-c\0\0").arguments().collect();
    /// assert_eq!(arguments, [&b"sh"[..], b"-c", b""]);
    /// ```
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Whether there is none at all, not even an empty one: a zombie, a kernel thread, or, for some microseconds, a
    /// process in the midst of an exec. (A parent whose vfork has returned can see that.)
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The arguments, the program's own name first; empty ones are kept.
    pub fn arguments(&self) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        let whole = self.bytes.strip_suffix(b"\0").unwrap_or(self.bytes);
        let count = if self.bytes.is_empty() { 0 } else { usize::MAX };
        whole.split(|byte| *byte == 0).take(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(bytes: &[u8]) -> Vec<&[u8]> {
        Cmdline::parse(bytes).arguments().collect()
    }

    #[test]
    fn every_argument_is_kept_as_it_is() {
        assert_eq!(arguments(b""), [b""; 0]);
        assert_eq!(arguments(b"\0"), [b""]);
        assert_eq!(arguments(b"\0\0"), [b"", b""]);
        assert_eq!(arguments(b"a\0\0b\0"), [&b"a"[..], b"", b"b"]);
        assert_eq!(arguments(b"caf\xe9\0two words\n\0"), [&b"caf\xe9"[..], b"two words\n"]);
        assert_eq!(arguments(b"nginx: master process"), [b"nginx: master process"]);
        assert!(Cmdline::parse(b"").is_empty());
        assert!(!Cmdline::parse(b"\0").is_empty());
    }
}
