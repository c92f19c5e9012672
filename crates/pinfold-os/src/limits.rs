//! Resource limits of a process, by name: `getrlimit(2)`.

use std::fmt;
use std::str::FromStr;

macro_rules! resources {
    ($($(#[$meta:meta])* $name:ident = $text:literal $number:ident,)*) => {
        /// A resource that the kernel limits for each process.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Resource { $($(#[$meta])* $name,)* }

        impl Resource {
            /// Every resource.
            pub const ALL: &'static [Resource] = &[$(Resource::$name,)*];

            /// Its name as shells and `systemd.exec(5)` have it, in lower case.
            pub fn name(self) -> &'static str {
                match self { $(Resource::$name => $text,)* }
            }

            /// Its `RLIMIT_` number; `None` where the platform does not limit it.
            pub fn number(self) -> Option<u32> {
                #[cfg(target_os = "linux")]
                { Some(match self { $(Resource::$name => libc::$number as u32,)* }) }
                #[cfg(not(target_os = "linux"))]
                { None }
            }

            /// The soft and the hard limit of this process, `u64::MAX` where there is none; `None` if they cannot be told.
            fn own_limits(self) -> Option<(u64, u64)> {
                #[cfg(target_os = "linux")]
                {
                    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
                    // SAFETY: the call only writes to `limit`, which lives here.
                    let told = unsafe { libc::getrlimit(self.number()? as _, &raw mut limit) };
                    (told == 0).then_some((limit.rlim_cur, limit.rlim_max))
                }
                #[cfg(not(target_os = "linux"))]
                { None }
            }

            /// The hard limit of this process, `u64::MAX` where there is none; `None` if it cannot be told.
            pub fn own_hard_limit(self) -> Option<u64> {
                self.own_limits().map(|(_, hard)| hard)
            }

            /// Raises the soft limit of this process to its hard one: what both were before; `None` if they cannot be told.
            pub fn raise_own(self) -> Option<(u64, u64)> {
                let limits = self.own_limits()?;
                #[cfg(target_os = "linux")]
                {
                    let raised = libc::rlimit { rlim_cur: limits.1, rlim_max: limits.1 };
                    // SAFETY: the call only reads `raised`, which lives here.
                    let _ = unsafe { libc::setrlimit(self.number()? as _, &raw const raised) };
                }
                Some(limits)
            }
        }
    };
}

resources! {
    /// Address space, in bytes.
    AddressSpace = "as" RLIMIT_AS,
    /// Core file, in bytes.
    Core = "core" RLIMIT_CORE,
    /// CPU time, in seconds.
    Cpu = "cpu" RLIMIT_CPU,
    /// Data segment, in bytes.
    Data = "data" RLIMIT_DATA,
    /// Size of a file that it writes, in bytes.
    FileSize = "fsize" RLIMIT_FSIZE,
    /// File locks.
    Locks = "locks" RLIMIT_LOCKS,
    /// Locked memory, in bytes.
    LockedMemory = "memlock" RLIMIT_MEMLOCK,
    /// POSIX message queues, in bytes.
    MessageQueues = "msgqueue" RLIMIT_MSGQUEUE,
    /// Ceiling of the nice value, as 20 minus the value.
    Nice = "nice" RLIMIT_NICE,
    /// Open descriptors.
    OpenFiles = "nofile" RLIMIT_NOFILE,
    /// Processes and threads of the user.
    Processes = "nproc" RLIMIT_NPROC,
    /// Resident set, in bytes; Linux ignores it.
    ResidentSet = "rss" RLIMIT_RSS,
    /// Real-time priority.
    RealtimePriority = "rtprio" RLIMIT_RTPRIO,
    /// CPU time of a real-time process without a blocking call, in microseconds.
    RealtimeTime = "rttime" RLIMIT_RTTIME,
    /// Queued signals.
    PendingSignals = "sigpending" RLIMIT_SIGPENDING,
    /// Stack, in bytes.
    Stack = "stack" RLIMIT_STACK,
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownResource(String);

impl fmt::Display for UnknownResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Resource::ALL.iter().map(|resource| resource.name()).collect::<Vec<_>>().join(", ");
        write!(f, "no resource limit is called '{}'; there are {names}", self.0)
    }
}

impl std::error::Error for UnknownResource {}

impl FromStr for Resource {
    type Err = UnknownResource;

    /// `nofile`, `NOFILE`, `RLIMIT_NOFILE`.
    fn from_str(text: &str) -> Result<Resource, UnknownResource> {
        let lower = text.to_ascii_lowercase();
        let name = lower.strip_prefix("rlimit_").unwrap_or(&lower);
        let known = Resource::ALL.iter().find(|resource| resource.name() == name);
        known.copied().ok_or_else(|| UnknownResource(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn our_own_limits_are_those_of_proc() {
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
        let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
        let hard = line.split_whitespace().nth(4).unwrap();
        assert_eq!(Resource::OpenFiles.own_hard_limit(), Some(hard.parse().unwrap_or(u64::MAX)));
    }

    #[test]
    fn names_read_back_and_strangers_are_refused_with_the_list() {
        for resource in Resource::ALL {
            assert_eq!(resource.name().parse::<Resource>().unwrap(), *resource);
            let long = format!("RLIMIT_{}", resource.name().to_uppercase());
            assert_eq!(long.parse::<Resource>().unwrap(), *resource);
        }
        let error = "files".parse::<Resource>().unwrap_err().to_string();
        assert!(error.contains("'files'") && error.contains("nofile"), "{error}");
    }
}
