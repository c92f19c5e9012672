//! Signals by name and number, and sets of them.

use std::fmt;
use std::num::NonZeroU8;
use std::str::FromStr;

/// A signal of this platform: see `signal(7)`. Never 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signal(NonZeroU8);

macro_rules! signals {
    ($($(#[$cfg:meta])* $name:ident = $number:expr,)*) => {
        impl Signal {
            $($(#[$cfg])* #[doc = concat!("`SIG", stringify!($name), "`")]
            pub const $name: Signal = Signal::constant($number);)*

            const NAMES: &'static [(&'static str, Signal)] = &[$($(#[$cfg])* (stringify!($name), Signal::$name),)*];
        }
    };
}

#[cfg(unix)]
signals! {
    HUP = libc::SIGHUP, INT = libc::SIGINT, QUIT = libc::SIGQUIT, ILL = libc::SIGILL, TRAP = libc::SIGTRAP,
    ABRT = libc::SIGABRT, BUS = libc::SIGBUS, FPE = libc::SIGFPE, KILL = libc::SIGKILL, USR1 = libc::SIGUSR1,
    SEGV = libc::SIGSEGV, USR2 = libc::SIGUSR2, PIPE = libc::SIGPIPE, ALRM = libc::SIGALRM, TERM = libc::SIGTERM,
    CHLD = libc::SIGCHLD, CONT = libc::SIGCONT, STOP = libc::SIGSTOP, TSTP = libc::SIGTSTP, TTIN = libc::SIGTTIN,
    TTOU = libc::SIGTTOU, URG = libc::SIGURG, XCPU = libc::SIGXCPU, XFSZ = libc::SIGXFSZ, VTALRM = libc::SIGVTALRM,
    PROF = libc::SIGPROF, WINCH = libc::SIGWINCH, IO = libc::SIGIO, SYS = libc::SIGSYS,
    #[cfg(target_os = "linux")] PWR = libc::SIGPWR,
    #[cfg(target_os = "linux")] STKFLT = libc::SIGSTKFLT,
}

// Windows has no signals; the numbers are those of its C runtime and of Linux, so that data made elsewhere reads.
#[cfg(windows)]
signals! {
    HUP = 1, INT = 2, QUIT = 3, ABRT = 6, KILL = 9, USR1 = 10, USR2 = 12, PIPE = 13, ALRM = 14, TERM = 15, CHLD = 17,
    CONT = 18, STOP = 19, TSTP = 20, TTIN = 21, TTOU = 22, XFSZ = 25, WINCH = 28,
}

/// The first signal number that no platform of ours has.
#[cfg(target_os = "linux")]
const END: i32 = 65;
#[cfg(not(target_os = "linux"))]
const END: i32 = 32;

impl Signal {
    const fn constant(number: i32) -> Signal {
        match NonZeroU8::new(number as u8) {
            Some(number) => Signal(number),
            None => panic!("no signal has number 0"),
        }
    }

    /// The signal of this number, if the platform has it: 1 to 64 on Linux, 1 to 31 elsewhere.
    pub fn from_number(number: i32) -> Option<Signal> {
        if !(1..END).contains(&number) {
            return None;
        }
        u8::try_from(number).ok().and_then(NonZeroU8::new).map(Signal)
    }

    /// Its number on this platform.
    pub fn number(self) -> i32 {
        i32::from(self.0.get())
    }

    /// Its name without `SIG`, if it has one: `TERM`, `RTMIN+3`, or nothing for the two that libc keeps.
    pub fn name(self) -> Option<String> {
        if let Some((name, _)) = Signal::NAMES.iter().find(|(_, signal)| *signal == self) {
            return Some((*name).to_owned());
        }
        let (first, last) = realtime()?;
        match self.number() {
            n if n == first => Some("RTMIN".to_owned()),
            n if n == last => Some("RTMAX".to_owned()),
            n if n > first && n < last => Some(format!("RTMIN+{}", n - first)),
            _ => None,
        }
    }

    /// All signals that have a fixed name.
    pub fn named() -> impl Iterator<Item = Signal> {
        Signal::NAMES.iter().map(|(_, signal)| *signal)
    }
}

/// The real-time signals that libc leaves to programs.
fn realtime() -> Option<(i32, i32)> {
    #[cfg(target_os = "linux")]
    {
        Some((libc::SIGRTMIN(), libc::SIGRTMAX()))
    }
    #[cfg(not(target_os = "linux"))]
    {
        None
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "SIG{name}"),
            None => write!(f, "signal {}", self.number()),
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether this is the thread that signals for the whole process are given to first: the one with which it began. Elsewhere
/// than on Linux that is taken to be so of every thread.
pub fn is_main_thread() -> bool {
    #[cfg(target_os = "linux")]
    {
        rustix::thread::gettid() == rustix::process::getpid()
    }
    #[cfg(not(target_os = "linux"))]
    {
        true
    }
}

/// A text that names no signal of this platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownSignal(String);

impl fmt::Display for UnknownSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "no signal is called '{}' here; use a name such as TERM or SIGTERM, RTMIN+1, or a number",
            self.0
        )
    }
}

impl std::error::Error for UnknownSignal {}

impl FromStr for Signal {
    type Err = UnknownSignal;

    /// `term`, `TERM`, `SIGTERM`, `15`, `RTMIN`, `RTMIN+3`, `RTMAX-1`, in any case.
    fn from_str(text: &str) -> Result<Signal, UnknownSignal> {
        let unknown = || UnknownSignal(text.to_owned());
        if let Ok(number) = text.parse::<i32>() {
            return Signal::from_number(number).ok_or_else(unknown);
        }
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        if let Some((_, signal)) = Signal::NAMES.iter().find(|(known, _)| *known == name) {
            return Ok(*signal);
        }
        let (first, last) = realtime().ok_or_else(unknown)?;
        let number = if let Some(rest) = name.strip_prefix("RTMIN") {
            first + offset(rest, '+').ok_or_else(unknown)?
        } else if let Some(rest) = name.strip_prefix("RTMAX") {
            last - offset(rest, '-').ok_or_else(unknown)?
        } else {
            return Err(unknown());
        };
        if (first..=last).contains(&number) {
            Signal::from_number(number).ok_or_else(unknown)
        } else {
            Err(unknown())
        }
    }
}

/// The `3` of `RTMIN+3`; nothing written is 0.
fn offset(rest: &str, sign: char) -> Option<i32> {
    if rest.is_empty() {
        return Some(0);
    }
    rest.strip_prefix(sign)?.parse::<u8>().ok().map(i32::from)
}

/// A set of signals, as the kernel holds it on Linux: bit `n - 1` is signal `n`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignalSet(pub(crate) u64);

impl SignalSet {
    /// No signal.
    pub const fn empty() -> SignalSet {
        SignalSet(0)
    }

    /// This set and one more.
    #[must_use]
    pub fn with(self, signal: Signal) -> SignalSet {
        SignalSet(self.0 | 1 << (signal.number() - 1))
    }

    /// Whether it holds the signal.
    pub fn contains(self, signal: Signal) -> bool {
        self.0 & (1 << (signal.number() - 1)) != 0
    }

    /// Its signals, in order of number.
    pub fn iter(self) -> impl Iterator<Item = Signal> {
        (1..END).filter_map(Signal::from_number).filter(move |signal| self.contains(*signal))
    }
}

/// Runs `body` with a signal blocked in this thread.
#[cfg(unix)]
pub(crate) fn with_blocked<T>(signal: Signal, body: impl FnOnce() -> T) -> T {
    with_mask(libc::SIG_BLOCK, Some(signal), body)
}

/// Starts a thread that no signal is handled on: those of the process are for the threads that the program made.
#[cfg(unix)]
pub(crate) fn start_thread(name: &str, body: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    const STACK: usize = 64 << 10;
    // A thread begins with the mask of the one that makes it.
    with_mask(libc::SIG_BLOCK, None, || {
        std::thread::Builder::new().name(name.to_owned()).stack_size(STACK).spawn(body).map(drop)
    })
}

/// Runs `body` with a signal not blocked in this thread.
#[cfg(unix)]
pub(crate) fn with_unblocked<T>(signal: Signal, body: impl FnOnce() -> T) -> T {
    with_mask(libc::SIG_UNBLOCK, Some(signal), body)
}

/// Of one signal, or of all.
#[cfg(unix)]
fn with_mask<T>(how: i32, signal: Option<Signal>, body: impl FnOnce() -> T) -> T {
    // SAFETY: the sets are filled before they are read, and live in this frame.
    let before = unsafe {
        let mut set = std::mem::zeroed();
        match signal {
            Some(signal) => {
                libc::sigemptyset(&raw mut set);
                libc::sigaddset(&raw mut set, signal.number());
            }
            None => _ = libc::sigfillset(&raw mut set),
        }
        let mut before = std::mem::zeroed();
        libc::pthread_sigmask(how, &raw const set, &raw mut before);
        before
    };
    let result = body();
    // SAFETY: the mask that this thread had.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut()) };
    result
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn every_name_reads_back_in_each_spelling() {
        for signal in Signal::named() {
            let name = signal.name().unwrap();
            for text in [name.clone(), format!("SIG{name}"), name.to_lowercase(), signal.number().to_string()]
            {
                assert_eq!(text.parse::<Signal>().unwrap(), signal, "{text}");
            }
            assert_eq!(signal.to_string(), format!("SIG{name}"));
        }
    }

    #[test]
    fn what_is_no_signal_is_refused_with_its_text() {
        for text in [
            "",
            "0",
            "-1",
            "65",
            "TERMINATE",
            "SIG",
            "RTMIN+",
            "RTMIN-1",
            "RTMIN+99",
            "RTMAX+1",
            "RTMIN+-1",
            "²",
        ] {
            let error = text.parse::<Signal>().unwrap_err();
            assert!(error.to_string().contains(&format!("'{text}'")), "{error}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn real_time_signals_count_from_the_first_that_libc_leaves() {
        let first = "RTMIN".parse::<Signal>().unwrap();
        assert_eq!("rtmin+3".parse::<Signal>().unwrap().number(), first.number() + 3);
        assert_eq!("SIGRTMAX-1".parse::<Signal>().unwrap().number(), 63);
        assert_eq!(Signal::from_number(64).unwrap().name().unwrap(), "RTMAX");
    }

    #[test]
    fn a_set_holds_what_was_put_in_and_nothing_else() {
        let set = SignalSet::empty().with(Signal::TERM).with(Signal::HUP);
        assert_eq!(set.iter().collect::<Vec<_>>(), [Signal::HUP, Signal::TERM]);
        assert!(!set.contains(Signal::INT));
    }
}
