//! What the values of options mean: durations, sizes, lists, limits.
//!
//! Each reader takes the text and gives the value, or the words after the option's name: what is wrong with the text
//! and what would be right.

use crate::log::STDERR;
use pinfold::{
    Guarantee, IoPriority, Isolation, Overflow, Resource, Rlimit, Signal, Stdin, Stdio, StrayRule,
};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

/// A value, or what is wrong with its text.
pub(crate) type Read<T> = Result<T, String>;

/// Bytes as a string of the operating system; `None` where it takes text only, and they are none.
pub(crate) fn os(bytes: &[u8]) -> Option<OsString> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        Some(OsStr::from_bytes(bytes).to_owned())
    }
    #[cfg(not(unix))]
    {
        std::str::from_utf8(bytes).ok().map(|text| OsStr::new(text).to_owned())
    }
}

/// The text of a value that has to be text.
pub(crate) fn text(value: &OsStr) -> Read<&str> {
    value.to_str().ok_or_else(|| format!("'{}' is not UTF-8", value.display()))
}

/// `500ms`, `5s`, `2m`, `1h`, `1d`, several of them in a row, or a number of seconds.
pub(crate) fn duration(text: &str) -> Read<Duration> {
    let wrong = || format!("'{text}' is no duration; use 500ms, 5s, 2m, 1h30m, or a number of seconds");
    let too_long = |_| format!("'{text}' is too long a time");
    let mut total = Duration::ZERO;
    let mut rest = text;
    loop {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(end);
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let end = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let unit = match unit {
            "us" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            "" if rest.len() == text.len() && tail.is_empty() => 1.0,
            _ => return Err(wrong()),
        };
        let part = Duration::try_from_secs_f64(number * unit).map_err(too_long)?;
        total = total.checked_add(part).ok_or_else(|| format!("'{text}' is too long a time"))?;
        if tail.is_empty() {
            return Ok(total);
        }
        rest = tail;
    }
}

/// The most that something may take, of which 0 is no bound, as it is for `timeout`.
pub(crate) fn bound(text: &str) -> Read<Option<Duration>> {
    let bound = duration(text)?;
    // What is too short to be counted is not nothing.
    let is_none = bound.is_zero() && !text.contains(|digit: char| ('1'..='9').contains(&digit));
    Ok((!is_none).then(|| bound.max(Duration::from_nanos(1))))
}

/// A number of bytes: `4096`, `64k`, `8MiB`, `1GB`. `k` and `KiB` are 1024, `kB` is 1000.
pub(crate) fn size(text: &str) -> Read<u64> {
    let wrong = || format!("'{text}' is no size; use bytes, 64k, 8MiB, 1G (1024 each), or kB, MB, GB (1000)");
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let unit = unit.to_ascii_lowercase();
    let (power, base) = match unit.as_bytes() {
        [] | [b'b'] => (0, 1024),
        [letter] | [letter, b'i', b'b'] => (power(*letter).ok_or_else(wrong)?, 1024),
        [letter, b'b'] => (power(*letter).ok_or_else(wrong)?, 1000),
        _ => return Err(wrong()),
    };
    number.checked_mul(u64::pow(base, power)).ok_or_else(|| format!("'{text}' is too large a size"))
}

fn power(letter: u8) -> Option<u32> {
    b"kmgt".iter().position(|known| *known == letter).map(|at| at as u32 + 1)
}

/// A whole number.
pub(crate) fn number<T: std::str::FromStr>(text: &str) -> Read<T> {
    text.parse().map_err(|_| format!("'{text}' is no number that fits here"))
}

/// `0.5`: a part of a whole.
pub(crate) fn part(text: &str) -> Read<f64> {
    let part = text.parse().ok().filter(|part| (0.0..=1.0).contains(part));
    part.ok_or_else(|| format!("'{text}' is no part of a pause; use a number from 0 to 1, as in 0.5"))
}

/// `text`, `json` or `json:3`: the descriptor to which lines of JSON go, if such are written.
pub(crate) fn log_format(text: &str) -> Read<Option<i32>> {
    let wrong = || format!("'{text}' is no format; use text, json, or json:3 for a descriptor");
    match text.split_once(':') {
        None if text == "text" => Ok(None),
        None if text == "json" => Ok(Some(STDERR)),
        Some(("json", number)) => match number.parse() {
            Ok(number @ 0..) => Ok(Some(number)),
            _ => Err(wrong()),
        },
        _ => Err(wrong()),
    }
}

/// A process id that can be meant: 0, 1 and what is negative name more than one process, or the first.
pub(crate) fn pid(text: &str) -> Read<pinfold::Pid> {
    let pid = text.parse().ok().and_then(pinfold::Pid::new);
    pid.ok_or_else(|| match text.parse::<i64>() {
        Ok(1) => "'1' is the first process, which nobody may end so".to_owned(),
        _ => format!("'{text}' is no pid"),
    })
}

/// The pid of an owner, which is not signalled itself and may be the first process.
pub(crate) fn owner(text: &str) -> Read<u32> {
    if text == "1" { Ok(1) } else { pid(text).map(pinfold::Pid::get) }
}

/// A file mode in octal: `022`.
pub(crate) fn octal(text: &str) -> Read<u32> {
    u32::from_str_radix(text, 8).map_err(|_| format!("'{text}' is no mask; use octal digits, as in 022"))
}

/// `0,2-4`: single numbers and ranges.
pub(crate) fn numbers<T>(text: &str) -> Read<Vec<T>>
where
    T: Copy + TryFrom<u32>,
{
    // More than anything counts to that is listed in this way.
    const MOST: u32 = 0xffff;
    let wrong = || format!("'{text}' is no list of numbers; use 0,2-4");
    let mut all = Vec::new();
    for item in text.split(',') {
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        let (first, last): (u32, u32) = match (first.parse(), last.parse()) {
            (Ok(first), Ok(last)) if first <= last => (first, last),
            _ => return Err(wrong()),
        };
        if last > MOST {
            return Err(format!("'{text}' holds a number above {MOST}"));
        }
        for number in first..=last {
            all.push(T::try_from(number).map_err(|_| wrong())?);
        }
    }
    Ok(all)
}

/// `A,B`: names that are not empty.
pub(crate) fn names(value: &OsStr) -> Read<Vec<OsString>> {
    let names: Vec<OsString> = split(value, b',').collect();
    if names.iter().any(|name| name.is_empty()) {
        return Err(format!("'{}' holds an empty name; use A,B", value.display()));
    }
    Ok(names)
}

/// `NAME=VALUE`.
pub(crate) fn variable(value: &OsStr) -> Read<(OsString, OsString)> {
    let at = value.as_encoded_bytes().iter().position(|byte| *byte == b'=');
    match at.and_then(|at| Some((slice(value, 0, at)?, slice(value, at + 1, value.len())?))) {
        Some((name, value)) if !name.is_empty() => Ok((name, value)),
        // What was meant as a value may be a secret.
        _ => Err("wants NAME=VALUE, with a name that is not empty".to_owned()),
    }
}

/// A signal by name or number.
pub(crate) fn signal(text: &str) -> Read<Signal> {
    text.parse().map_err(|error: pinfold_os::signal::UnknownSignal| error.to_string())
}

/// `BYTES[:POLICY]` or `LINES[:POLICY]`: the number's own text, and what happens beyond it.
pub(crate) fn limit(text: &str) -> Read<(&str, Option<Overflow>)> {
    match text.split_once(':') {
        Some((number, policy)) => Ok((number, Some(choice(policy, OVERFLOWS)?))),
        None => Ok((text, None)),
    }
}

/// `wait`, `stop`, `stop:100ms`.
pub(crate) fn strays(text: &str) -> Read<StrayRule> {
    match text.split_once(':').unwrap_or((text, "")) {
        ("wait", "") => Ok(StrayRule::Wait),
        ("stop", "") => Ok(StrayRule::default()),
        ("stop", time) => Ok(StrayRule::StopAfter(duration(time)?)),
        _ => Err(format!("'{text}' is no rule for strays; use wait, stop, or stop:100ms")),
    }
}

/// `nofile=64:128`, `core=0`, `stack=8MiB:unlimited`.
pub(crate) fn rlimit(text: &str) -> Read<Rlimit> {
    let (name, bounds) = text
        .split_once('=')
        .ok_or_else(|| format!("'{text}' is no resource limit; use NAME=SOFT[:HARD], as in nofile=64:128"))?;
    let resource: Resource =
        name.parse().map_err(|error: pinfold_os::limits::UnknownResource| error.to_string())?;
    let bound = |text: &str| match text {
        "unlimited" => Ok(None),
        text => size(text).map(Some),
    };
    let (soft, hard) = bounds.split_once(':').unwrap_or((bounds, bounds));
    Ok(Rlimit { resource, soft: bound(soft)?, hard: bound(hard)? })
}

/// `idle`, `best-effort:4`, `realtime`.
pub(crate) fn io_priority(text: &str) -> Read<IoPriority> {
    let (class, level) = text.split_once(':').map_or((text, None), |(class, level)| (class, Some(level)));
    let level = level.map(number).transpose()?;
    match (class, level) {
        ("idle", None) => Ok(IoPriority::Idle),
        ("best-effort", level) => Ok(IoPriority::BestEffort(level.unwrap_or(4))),
        ("realtime", level) => Ok(IoPriority::Realtime(level.unwrap_or(4))),
        _ => Err(format!("'{text}' is no I/O priority; use idle, best-effort:0..7 or realtime:0..7")),
    }
}

/// `inherit`, `null`, or a file.
pub(crate) fn stdin(value: &OsStr) -> Stdin {
    match value.to_str() {
        Some("inherit") => Stdin::Inherit,
        Some("null") => Stdin::Null,
        _ => Stdin::File(value.into()),
    }
}

/// `inherit`, `null`, `append:FILE`, or a file.
pub(crate) fn stdio(value: &OsStr) -> Stdio {
    const APPEND: &str = "append:";
    match value.to_str() {
        Some("inherit") => Stdio::Inherit,
        Some("null") => Stdio::Null,
        _ if value.as_encoded_bytes().starts_with(APPEND.as_bytes()) => {
            let path = slice(value, APPEND.len(), value.len()).unwrap_or_default();
            Stdio::append(path)
        }
        _ => Stdio::file(value),
    }
}

/// What an option with a closed set of values can be, by name.
pub(crate) type Choices<T> = &'static [(&'static str, T)];

/// What happens to output beyond its limit.
pub(crate) const OVERFLOWS: Choices<Overflow> = &[
    ("error", Overflow::Error),
    ("drop-newest", Overflow::DropNewest),
    ("drop-oldest", Overflow::DropOldest),
];

/// Containers.
pub(crate) const ISOLATIONS: Choices<Isolation> = &[
    ("best", Isolation::Best),
    ("cgroup", Isolation::Cgroup),
    ("process-group", Isolation::ProcessGroup),
    ("subreaper", Isolation::Subreaper),
    ("pid-namespace", Isolation::PidNamespace),
];

/// What a container is good for.
pub(crate) const GUARANTEES: Choices<Guarantee> = &[
    ("best-effort", Guarantee::BestEffort),
    ("while-owner-lives", Guarantee::WhileOwnerLives),
    ("guarded", Guarantee::Guarded),
    ("kernel", Guarantee::Kernel),
];

/// A container, by its name or as a run is called that has it.
pub(crate) fn isolation(text: &str) -> Read<Isolation> {
    choice(if matches!(text, "cgroup_v2" | "cgroup-v2") { "cgroup" } else { text }, ISOLATIONS)
}

/// Sandboxes that have a name: whether it is the one for what nobody vouches for.
pub(crate) const SANDBOXES: Choices<bool> = &[("untrusted", true), ("none", false)];

/// `PATH`, `PATH:ro` or `PATH:rw`; `rx` and `rwx` are these two in other letters.
pub(crate) fn allowed_path(value: &OsStr) -> Read<(PathBuf, bool)> {
    let bytes = value.as_encoded_bytes();
    let letters = bytes.rsplit(|byte| *byte == b':').next().filter(|last| last.len() < bytes.len());
    let (length, write) = match letters {
        Some(letters @ (b"rw" | b"rwx")) => (bytes.len() - letters.len() - 1, true),
        Some(letters @ (b"ro" | b"rx")) => (bytes.len() - letters.len() - 1, false),
        Some(letters) if !letters.is_empty() && letters.iter().all(|letter| b"rwxoRWXO".contains(letter)) => {
            let path = value.display();
            return Err(format!(
                "'{path}' ends in no access that there is; use :ro (read, list, execute) or :rw (everything), and \
                                '{path}:ro' if that is its name"
            ));
        }
        _ => (bytes.len(), false),
    };
    match slice(value, 0, length).filter(|path| !path.is_empty()) {
        Some(path) => Ok((path.into(), write)),
        None => Err("wants a path, and :ro or :rw after it".to_owned()),
    }
}

/// `A,B`; `none` is no name.
pub(crate) fn names_or_none(text: &str) -> Read<Vec<String>> {
    if text == "none" {
        return Ok(Vec::new());
    }
    let names: Vec<String> = text.split(',').map(str::to_owned).collect();
    if names.iter().any(String::is_empty) {
        return Err(format!("'{text}' holds an empty name; use A,B or none"));
    }
    Ok(names)
}

/// The choice of this name.
pub(crate) fn choice<T: Copy>(text: &str, choices: Choices<T>) -> Read<T> {
    // As records have them, too.
    let plain = text.replace('_', "-");
    let found = choices.iter().find(|(name, _)| *name == plain);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        format!("'{text}' is none of {}", names.join(", "))
    })
}

/// The pieces between separators, whatever their bytes.
fn split(value: &OsStr, separator: u8) -> impl Iterator<Item = OsString> {
    let bytes = value.as_encoded_bytes();
    let mut start = 0;
    let ends = bytes.iter().enumerate().filter(move |(_, byte)| **byte == separator).map(|(at, _)| at);
    ends.chain([bytes.len()]).filter_map(move |end| {
        let piece = slice(value, start, end);
        start = end + 1;
        piece
    })
}

/// A part of an operating system string, between bytes that are ASCII.
pub(crate) fn slice(value: &OsStr, start: usize, end: usize) -> Option<OsString> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        value.as_bytes().get(start..end).map(|bytes| OsStr::from_bytes(bytes).to_owned())
    }
    #[cfg(not(unix))]
    {
        value.to_str().and_then(|text| text.get(start..end)).map(Into::into)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn an_allowed_path_ends_in_what_may_be_done_there() {
        for (text, path, write) in [
            ("/a", "/a", false),
            ("a:ro", "a", false),
            ("/a:rw", "/a", true),
            (".:rx", ".", false),
            (".:rwx", ".", true),
            ("a:rw:ro", "a:rw", false),
            ("a:x:ro", "a:x", false),
            ("a:", "a:", false),
            ("rx", "rx", false),
            ("/a:/b", "/a:/b", false),
        ] {
            assert_eq!(allowed_path(text.as_ref()), Ok((path.into(), write)), "{text}");
        }
        assert!(allowed_path(":rw".as_ref()).is_err() && allowed_path("".as_ref()).is_err());
        for text in ["a:r", ".:x", "a:w", "a:RO", "a:b:wx"] {
            let said = allowed_path(text.as_ref()).unwrap_err();
            assert!(said.contains(":ro (") && said.contains(&format!("'{text}:ro' if")), "{said}");
        }
        assert_eq!(names_or_none("none"), Ok(Vec::new()));
        assert!(names_or_none("a,").is_err());
    }

    #[test]
    fn a_part_is_not_more_than_the_whole() {
        assert_eq!(["0", "0.25", "1", "1.0"].map(part), [Ok(0.0), Ok(0.25), Ok(1.0), Ok(1.0)]);
        for wrong in ["", "-0.1", "1.1", "50%", "nan", "inf"] {
            assert!(part(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_log_is_text_or_json_and_json_goes_somewhere() {
        for (text, to) in [("text", None), ("json", Some(2)), ("json:2", Some(2)), ("json:17", Some(17))] {
            assert_eq!(log_format(text), Ok(to), "{text}");
        }
        for wrong in ["", "JSON", "json:", "json:-1", "json:x", "text:3", "json:3:4", "json:99999999999"] {
            assert!(log_format(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_are_read_in_every_unit() {
        for (text, milliseconds) in [
            ("0", 0),
            ("5", 5_000),
            ("0.25", 250),
            ("500ms", 500),
            ("1.5s", 1_500),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("1h30m", 5_400_000),
            ("1m0.5s", 60_500),
            ("1d", 86_400_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        assert_eq!(duration("250us"), Ok(Duration::from_micros(250)));
    }

    #[test]
    fn no_time_is_no_bound() {
        for text in ["0", "0s", "0.0", "0h0ms"] {
            assert_eq!(bound(text), Ok(None), "{text}");
        }
        for (text, nanoseconds) in [("1us", 1_000), ("0.0000000001", 1), ("0m1s", 1_000_000_000)] {
            assert_eq!(bound(text), Ok(Some(Duration::from_nanos(nanoseconds))), "{text}");
        }
        assert!(bound("").is_err() && bound("-1").is_err());
    }

    #[test]
    fn what_is_no_duration_is_refused_with_what_would_be() {
        for text in ["", "s", "-1", "5x", "1e3", "5 s", "inf", "1.2.3s", "1m30", "5S", "١s"] {
            let wrong = duration(text).unwrap_err();
            assert!(wrong.contains(&format!("'{text}'")) && wrong.contains("500ms"), "{wrong}");
        }
        assert!(duration("99999999999999999999d").unwrap_err().contains("too long"));
    }

    #[test]
    fn sizes_are_read_in_every_unit() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("12B", 12),
            ("64k", 65_536),
            ("64K", 65_536),
            ("8MiB", 8 << 20),
            ("8mib", 8 << 20),
            ("1kB", 1000),
            ("2GB", 2_000_000_000),
            ("3G", 3 << 30),
            ("1T", 1 << 40),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in
            ["", "k", "-1", "1.5M", "1X", "1 k", "1kiBs", "1iB", "99999999999T", "99999999999999999999"]
        {
            assert!(size(text).unwrap_err().contains(&format!("'{text}'")), "{text}");
        }
    }

    #[test]
    fn lists_are_read_with_their_ranges() {
        assert_eq!(numbers::<u32>("0,2-4"), Ok(vec![0, 2, 3, 4]));
        assert_eq!(numbers::<i32>("7"), Ok(vec![7]));
        for text in ["", ",", "1,", "4-2", "a", "1-", "-1", "0-4294967295"] {
            assert!(numbers::<u32>(text).is_err(), "{text}");
        }
        assert_eq!(names("A,B".as_ref()), Ok(vec!["A".into(), "B".into()]));
        assert!(names("A,,B".as_ref()).is_err() && names("".as_ref()).is_err());
    }

    #[test]
    fn a_variable_is_split_at_its_first_sign_and_never_repeated_in_an_error() {
        assert_eq!(variable("A=b=c".as_ref()), Ok(("A".into(), "b=c".into())));
        assert_eq!(variable("A=".as_ref()), Ok(("A".into(), "".into())));
        for text in ["secret", "=secret"] {
            assert!(!variable(text.as_ref()).unwrap_err().contains("secret"));
        }
    }

    #[cfg(unix)]
    #[test]
    fn values_need_not_be_text() {
        use std::os::unix::ffi::OsStrExt;
        let strange = OsStr::from_bytes(b"A=\xff");
        assert_eq!(variable(strange).unwrap().1, OsStr::from_bytes(b"\xff"));
        assert_eq!(stdio(OsStr::from_bytes(b"append:\xff")), Stdio::append(OsStr::from_bytes(b"\xff")));
        assert!(text(strange).is_err());
    }

    #[test]
    fn limits_of_resources_have_one_bound_or_two() {
        let limit = |soft, hard| Rlimit { resource: Resource::OpenFiles, soft, hard };
        assert_eq!(rlimit("nofile=64"), Ok(limit(Some(64), Some(64))));
        assert_eq!(rlimit("nofile=64:128"), Ok(limit(Some(64), Some(128))));
        assert_eq!(rlimit("nofile=1k:unlimited"), Ok(limit(Some(1024), None)));
        for text in ["nofile", "files=1", "nofile=", "nofile=1:2:3"] {
            assert!(rlimit(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rules_and_priorities_read_as_documented() {
        assert_eq!(strays("wait"), Ok(StrayRule::Wait));
        assert_eq!(strays("stop"), Ok(StrayRule::default()));
        assert_eq!(strays("stop:2s"), Ok(StrayRule::StopAfter(Duration::from_secs(2))));
        assert!(strays("kill").is_err() && strays("wait:2s").is_err());
        assert_eq!(io_priority("idle"), Ok(IoPriority::Idle));
        assert_eq!(io_priority("best-effort:0"), Ok(IoPriority::BestEffort(0)));
        assert!(io_priority("idle:3").is_err() && io_priority("fast").is_err());
        assert_eq!(limit("64k:error"), Ok(("64k", Some(Overflow::Error))));
        assert!(limit("64k:burn").unwrap_err().contains("drop-oldest"));
        assert_eq!(stdin("null".as_ref()), Stdin::Null);
        assert_eq!(stdin("./null".as_ref()), Stdin::File("./null".into()));
        assert_eq!(stdio("log".as_ref()), Stdio::file("log"));
    }
}
