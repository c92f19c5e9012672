//! How values that serde does not know go over the wire: signals by name, times as seconds, operating system strings
//! as text where they are text.

pub(crate) mod signal {
    use pinfold_os::signal::Signal;
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    pub(crate) fn serialize<S: Serializer>(signal: &Signal, serializer: S) -> Result<S::Ok, S::Error> {
        match signal.name() {
            Some(name) => serializer.serialize_str(&name),
            None => serializer.serialize_str(&signal.number().to_string()),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Signal, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

pub(crate) mod seconds {
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;
    use std::time::Duration;

    pub(crate) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(duration.as_secs_f64())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

pub(crate) mod maybe_seconds {
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;
    use std::time::Duration;

    pub(crate) fn serialize<S: Serializer>(
        value: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(duration) => serializer.serialize_some(&duration.as_secs_f64()),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        let seconds = Option::<f64>::deserialize(deserializer)?;
        seconds.map(|seconds| Duration::try_from_secs_f64(seconds).map_err(D::Error::custom)).transpose()
    }
}

/// What was not seen has the same fields, and nothing in them.
pub(crate) mod maybe_seen {
    use crate::outcome::Seen;
    use serde::de::{Deserialize, Deserializer};
    use serde::ser::{Serialize, Serializer};

    #[derive(Default, serde::Serialize, serde::Deserialize)]
    struct Fields {
        bytes: Option<u64>,
        lines: Option<u64>,
        truncated: Option<bool>,
    }

    pub(crate) fn serialize<S: Serializer>(seen: &Option<Seen>, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = seen.map(|Seen { bytes, lines, truncated }| Fields {
            bytes: Some(bytes),
            lines: Some(lines),
            truncated: Some(truncated),
        });
        fields.unwrap_or_default().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Seen>, D::Error> {
        let Fields { bytes, lines, truncated } = Fields::deserialize(deserializer)?;
        Ok(bytes.zip(lines).zip(truncated).map(|((bytes, lines), truncated)| Seen {
            bytes,
            lines,
            truncated,
        }))
    }
}

pub(crate) mod pid {
    use pinfold_os::handle::Pid;
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    pub(crate) fn serialize<S: Serializer>(pid: &Pid, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(pid.get())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Pid, D::Error> {
        let number = i64::deserialize(deserializer)?;
        Pid::new(number).ok_or_else(|| D::Error::custom(format!("{number} is no pid of a process")))
    }
}

pub(crate) mod state {
    use pinfold_proc::parse::stat::State;
    use serde::de::{Deserialize, Deserializer};
    use serde::ser::Serializer;

    pub(crate) fn serialize<S: Serializer>(state: &State, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(state.name())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<State, D::Error> {
        Ok(State::named(&String::deserialize(deserializer)?).unwrap_or(State::Other(b'?')))
    }
}

pub(crate) mod maybe_pid {
    use pinfold_os::handle::Pid;
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::{Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(pid: &Option<Pid>, serializer: S) -> Result<S::Ok, S::Error> {
        pid.map(Pid::get).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Pid>, D::Error> {
        let number = Option::<i64>::deserialize(deserializer)?;
        let pid = |number| {
            Pid::new(number).ok_or_else(|| D::Error::custom(format!("{number} is no pid of a process")))
        };
        number.map(pid).transpose()
    }
}

pub(crate) mod resource {
    use pinfold_os::limits::Resource;
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    pub(crate) fn serialize<S: Serializer>(resource: &Resource, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(resource.name())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Resource, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// An operating system string: a JSON string where it is UTF-8, else `{"bytes": [...]}`.
#[derive(Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub(crate) enum OsText {
    Text(String),
    Bytes { bytes: Vec<u8> },
}

impl std::fmt::Debug for OsText {
    /// Its length: it may be a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.bytes().len())
    }
}

impl From<&std::ffi::OsStr> for OsText {
    fn from(text: &std::ffi::OsStr) -> OsText {
        match text.to_str() {
            Some(text) => OsText::Text(text.to_owned()),
            None => OsText::Bytes { bytes: text.as_encoded_bytes().to_vec() },
        }
    }
}

impl OsText {
    /// Bytes that are text, mostly.
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> OsText {
        match String::from_utf8(bytes) {
            Ok(text) => OsText::Text(text),
            Err(error) => OsText::Bytes { bytes: error.into_bytes() },
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            OsText::Text(text) => text.as_bytes(),
            OsText::Bytes { bytes } => bytes,
        }
    }

    #[cfg(unix)]
    fn into_os(self) -> Option<std::ffi::OsString> {
        use std::os::unix::ffi::OsStringExt;
        Some(match self {
            OsText::Text(text) => text.into(),
            OsText::Bytes { bytes } => std::ffi::OsString::from_vec(bytes),
        })
    }

    #[cfg(not(unix))]
    fn into_os(self) -> Option<std::ffi::OsString> {
        match self {
            OsText::Text(text) => Some(text.into()),
            OsText::Bytes { bytes } => String::from_utf8(bytes).ok().map(Into::into),
        }
    }
}

macro_rules! os_text {
    ($module:ident, $type:ty, $each:expr, $collect:expr) => {
        pub(crate) mod $module {
            use crate::wire::OsText;
            use serde::de::{Deserialize, Deserializer, Error};
            use serde::ser::{Serialize, Serializer};

            pub(crate) fn serialize<S: Serializer>(value: &$type, serializer: S) -> Result<S::Ok, S::Error> {
                let each: fn(&$type) -> _ = $each;
                each(value).serialize(serializer)
            }

            pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                let collect: fn(_) -> Option<$type> = $collect;
                collect(Deserialize::deserialize(deserializer)?)
                    .ok_or_else(|| D::Error::custom("bytes that are no text of this platform"))
            }
        }
    };
}

os_text!(os_string, std::ffi::OsString, |value| OsText::from(value.as_os_str()), OsText::into_os);
os_text!(
    maybe_os_string,
    Option<std::ffi::OsString>,
    |value| value.as_deref().map(OsText::from),
    |read: Option<OsText>| match read {
        None => Some(None),
        Some(text) => text.into_os().map(Some),
    }
);
os_text!(
    os_strings,
    Vec<std::ffi::OsString>,
    |values| values.iter().map(|value| OsText::from(value.as_os_str())).collect::<Vec<_>>(),
    |read: Vec<OsText>| read.into_iter().map(OsText::into_os).collect()
);
os_text!(
    env_changes,
    Vec<(std::ffi::OsString, Option<std::ffi::OsString>)>,
    |changes| {
        let pair = |(name, value): &(std::ffi::OsString, Option<std::ffi::OsString>)| {
            (OsText::from(name.as_os_str()), value.as_deref().map(OsText::from))
        };
        changes.iter().map(pair).collect::<Vec<_>>()
    },
    |read: Vec<(OsText, Option<OsText>)>| {
        let pair = |(name, value): (OsText, Option<OsText>)| {
            Some((
                name.into_os()?,
                match value {
                    None => None,
                    Some(value) => Some(value.into_os()?),
                },
            ))
        };
        read.into_iter().map(pair).collect()
    }
);
os_text!(
    maybe_path,
    Option<std::path::PathBuf>,
    |value| value.as_deref().map(|path| OsText::from(path.as_os_str())),
    |read: Option<OsText>| match read {
        None => Some(None),
        Some(text) => text.into_os().map(|text| Some(text.into())),
    }
);
os_text!(path, std::path::PathBuf, |value| OsText::from(value.as_os_str()), |read: OsText| read
    .into_os()
    .map(Into::into));

// The same for bytes: what is fed to a program is text, mostly, and is to be read as such in a file.
os_text!(bytes, crate::settings::Payload, |value| OsText::from_bytes(value.to_vec()), |read: OsText| Some(
    match read {
        OsText::Text(text) => text.into(),
        OsText::Bytes { bytes } => bytes.into(),
    }
));

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use crate::{Command, Retry, Signal, Stdio};
    use std::time::Duration;

    fn through_json(command: &Command) -> (String, Command) {
        let json = serde_json::to_string(command).unwrap();
        let again = serde_json::from_str(&json).unwrap();
        (json, again)
    }

    #[test]
    fn a_command_is_the_same_after_a_journey_as_json() {
        let command = Command::new("tool")
            .args(["-x", "\u{e9}"])
            .cwd("/somewhere")
            .env("A", "1")
            .env_remove("B")
            .stdin_text("question")
            .stdout(Stdio::append("/var/log/tool"))
            .timeout(Duration::from_millis(1500))
            .timeout_signal(Signal::INT)
            .retry(Retry::times(3))
            .user("nobody");
        let (json, again) = through_json(&command);
        assert_eq!(again, command);
        assert!(json.contains(r#""stdin":{"bytes":"question"}"#), "{json}");
    }

    #[test]
    fn bytes_that_are_no_text_survive_as_bytes() {
        let (json, again) = through_json(&Command::new("cat").stdin_bytes(*b"\xff\0"));
        assert_eq!(again, Command::new("cat").stdin_bytes(*b"\xff\0"));
        assert!(json.contains(r#""stdin":{"bytes":{"bytes":[255,0]}}"#), "{json}");
    }

    #[cfg(unix)]
    #[test]
    fn an_argument_that_is_no_text_survives_as_bytes() {
        use std::os::unix::ffi::OsStringExt;
        let command = Command::new("cat").arg(std::ffi::OsString::from_vec(b"\xff".to_vec()));
        assert_eq!(through_json(&command).1, command);
    }
    #[test]
    fn a_command_that_somebody_writes_says_its_program_and_what_it_wants_as_it_sees_fit() {
        let few: Command =
            serde_json::from_str(r#"{"program": "tool", "limits": {"processes": 3}}"#).unwrap();
        assert_eq!(few, Command::new("tool").max_processes(3));
        for nameless in ["{}", r#"{"args": ["x"]}"#] {
            let error = serde_json::from_str::<Command>(nameless).unwrap_err().to_string();
            assert!(error.contains("missing field `program`"), "{error}");
        }
    }

    #[test]
    fn what_a_command_does_not_know_is_refused_wherever_it_stands() {
        let mut limits = crate::Limits::new().processes(3);
        limits.io.push(crate::IoLimit::new(crate::BlockDevice::Number { major: 8, minor: 0 }));
        let whole = Command::new("tool")
            .stdout(Stdio::append("/var/log/tool"))
            .retry(Retry::times(3))
            .rlimit(crate::Resource::OpenFiles, Some(1), None)
            .limits(limits)
            .sandbox(crate::Sandbox::new().read_only("/usr"));
        let json = serde_json::to_value(&whole).unwrap();
        assert_eq!(serde_json::from_value::<Command>(json.clone()).unwrap(), whole);
        let mut places = Vec::new();
        objects(&json, String::new(), &mut places);
        assert!(places.len() > 10, "{places:?}");
        for place in places {
            let mut misspelt = json.clone();
            misspelt.pointer_mut(&place).unwrap()["memory_maximum"] = 1.into();
            // What names a variant is not an object with fields, and is refused for another reason.
            let error = serde_json::from_value::<Command>(misspelt).unwrap_err().to_string();
            let known = ["unknown field `memory_maximum`", "map with a single key"];
            assert!(known.iter().any(|known| error.contains(known)), "{place}: {error}");
        }
    }

    fn objects(json: &serde_json::Value, place: String, found: &mut Vec<String>) {
        match json {
            serde_json::Value::Object(fields) => {
                fields.iter().for_each(|(name, value)| objects(value, format!("{place}/{name}"), found));
                found.push(place);
            }
            serde_json::Value::Array(items) => {
                items.iter().enumerate().for_each(|(at, item)| objects(item, format!("{place}/{at}"), found));
            }
            _ => {}
        }
    }
}
