//! Probes written as text: `tcp://host:port`, `http://host/path`, `unix:/path`, `file:/path`, `nonempty:/path`, `cmd:words`.

use super::{Address, Kind, Probe};
use crate::command::Command;
use crate::error::{Error, ErrorKind};
use crate::lookup::closest;
use std::ffi::OsStr;
use std::str::FromStr;

/// What can be waited for, and how it is written.
const FORMS: [(&str, &str); 6] = [
    ("tcp", "tcp://HOST:PORT"),
    ("http", "http://HOST[:PORT]/PATH"),
    ("unix", "unix:PATH"),
    ("file", "file:PATH"),
    ("nonempty", "nonempty:PATH"),
    ("cmd", "cmd:COMMAND"),
];

impl FromStr for Probe {
    type Err = Error;

    /// As a command line or a file has it.
    ///
    /// What follows `cmd:` is given to `sh -c`; what follows `unix:`, `file:` and `nonempty:` is a path, which may have two
    /// slashes in front as in a URL.
    ///
    /// ```
    /// use pinfold::{ErrorKind, Probe};
    ///
    /// let probe: Probe = "tcp://localhost:5432".parse()?;
    /// assert_eq!(probe.to_string(), "tcp://localhost:5432");
    /// let error = "localhost:5432".parse::<Probe>().unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::InvalidInput);
    /// # pinfold::Result::Ok(())
    /// ```
    fn from_str(text: &str) -> Result<Probe, Error> {
        let (scheme, rest) = text.split_once(':').unwrap_or(("", text));
        let scheme = scheme.to_ascii_lowercase();
        let refused = |what: &str| refused(text, &scheme, what);
        let path = |path: &str| {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() { Err(refused("names no path")) } else { Ok(path.to_owned()) }
        };
        match (scheme.as_str(), rest) {
            ("http" | "https", _) => Probe::http(text),
            ("tcp", rest) => {
                let rest = rest.strip_prefix("//").unwrap_or(rest);
                let address =
                    Address::parse(rest.trim_end_matches('/'), None).map_err(|what| refused(&what))?;
                Ok(Probe::new(Kind::Tcp(address)))
            }
            ("unix", rest) => Ok(Probe::unix(path(rest)?)),
            ("file", rest) => Ok(Probe::file(path(rest)?)),
            ("nonempty", rest) => Ok(Probe::filled_file(path(rest)?)),
            ("cmd", words) => match words.split_whitespace().next() {
                // Arguments may be secrets; the first word most often names the program.
                Some(first) => {
                    Ok(Probe::command(Command::new("sh").arg("-c").arg(words)).named(format!("cmd:{first}")))
                }
                None => Err(refused("has no command")),
            },
            _ => Err(unknown(text)),
        }
    }
}

/// Something of a known kind that is written wrongly.
pub(super) fn refused(text: &str, scheme: &str, what: &str) -> Error {
    let error = Error::new(ErrorKind::InvalidInput, OsStr::new(&shown(text)), what);
    match FORMS.iter().find(|(kind, _)| *kind == scheme) {
        Some((_, form)) => error.hint(format!("write {form}")),
        None => error,
    }
}

/// Something of which the kind is not known.
fn unknown(text: &str) -> Error {
    let url = text.split_once("://");
    let kind = text.split_once(':').map(|(kind, _)| kind).unwrap_or_default();
    let place = shown(url.map_or(text, |(_, rest)| rest));
    let address = Address::parse(place.split('/').next().unwrap_or_default(), None);
    let what = match (url, &address) {
        (Some(_), _) => format!("there is no kind '{kind}' of what can be waited for"),
        (None, Err(why)) if text.contains(':') && !text.contains('/') => {
            format!("is nothing that can be waited for: as HOST:PORT it {why}")
        }
        (None, _) => "is nothing that can be waited for".to_owned(),
    };
    let hint = if let Some(near) = closest(kind, FORMS.iter().map(|(kind, _)| *kind)) {
        format!("did you mean {near}:?")
    } else if let Ok(port) = text.strip_prefix(':').unwrap_or(text).parse::<u16>() {
        format!("for a port of this machine write tcp://localhost:{port}")
    } else if let Ok(address) = address {
        match (url, place.split_once('/')) {
            (None, Some((_, path))) => format!("for a URL write http://{address}/{path}"),
            _ => format!("for its port write tcp://{address}"),
        }
    } else {
        format!("write {}", FORMS.map(|(_, form)| form).join(", "))
    };
    Error::new(ErrorKind::InvalidInput, OsStr::new(&shown(text)), what).hint(hint)
}

/// As it was written, without what may be a secret: a user's password, the query of a URL, the arguments of a command.
pub(super) fn shown(text: &str) -> String {
    if text.starts_with("cmd:") {
        return text.split_whitespace().next().unwrap_or_default().to_owned();
    }
    let text = text.split('?').next().unwrap_or_default();
    let start = text.find("://").map_or(0, |at| at + 3);
    let (scheme, rest) = text.split_at(start);
    let end = rest.find('/').unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}{}", &rest[at + 1..]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_waited_for_can_be_written() {
        for (text, shown) in [
            ("tcp://db:5432", "tcp://db:5432"),
            ("tcp:db:5432", "tcp://db:5432"),
            ("tcp://[::1]:5432/", "tcp://[::1]:5432"),
            ("http://web/ready?token=x", "http://web/ready"),
            ("unix:/run/x.sock", "unix:/run/x.sock"),
            ("unix:///run/x.sock", "unix:/run/x.sock"),
            ("file:relative", "file:relative"),
            ("nonempty:///a/b", "nonempty:/a/b"),
            ("cmd:pg_isready --password x", "cmd:pg_isready"),
        ] {
            assert_eq!(text.parse::<Probe>().unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_cannot_is_refused_in_its_kind() {
        for text in
            ["", "db:5432", "tcp://db", "tcp://:1", "unix:", "file://", "cmd: ", "ftp://x/", "http://"]
        {
            assert_eq!(text.parse::<Probe>().unwrap_err().kind(), ErrorKind::InvalidInput, "{text}");
        }
        for (text, said) in [
            ("tcp://db", "tcp://db: names no port; write tcp://HOST:PORT"),
            ("tcp://db:", "tcp://db:: names no port; write tcp://HOST:PORT"),
            ("tcp://:80", "tcp://:80: names no host; write tcp://HOST:PORT"),
            (
                "tcp://db:http",
                "tcp://db:http: has 'http' for a port, and ports are 1 to 65535; write tcp://HOST:PORT",
            ),
            ("tcp:/db:80", "tcp:/db:80: names a host that cannot be one; write tcp://HOST:PORT"),
            ("http:/web", "http:/web: has no :// after http; write http://HOST[:PORT]/PATH"),
            (
                "http://web:x/",
                "http://web:x/: has 'x' for a port, and ports are 1 to 65535; write http://HOST[:PORT]/PATH",
            ),
            ("unix:", "unix:: names no path; write unix:PATH"),
            ("cmd: ", "cmd:: has no command; write cmd:COMMAND"),
            (
                "htp://web/",
                "htp://web/: there is no kind 'htp' of what can be waited for; did you mean http:?",
            ),
            ("files:/x", "files:/x: is nothing that can be waited for; did you mean file:?"),
            (
                "redis://me:secret@db:6379/0?token=secret",
                "redis://db:6379/0: there is no kind 'redis' of what can be waited for; for its port write tcp://db:6379",
            ),
            (
                "http://me:secret@db/",
                "http://db/: has a user in it, and none is sent; write http://HOST[:PORT]/PATH",
            ),
            (
                "8080",
                "8080: is nothing that can be waited for; for a port of this machine write tcp://localhost:8080",
            ),
            ("db:80/x?secret", "db:80/x: is nothing that can be waited for; for a URL write http://db:80/x"),
            (
                "ftp://x/",
                "ftp://x/: there is no kind 'ftp' of what can be waited for; write tcp://HOST:PORT, http://HOST[:PORT]/PATH, \
                 unix:PATH, file:PATH, nonempty:PATH, cmd:COMMAND",
            ),
        ] {
            assert_eq!(text.parse::<Probe>().unwrap_err().to_string(), said, "{text}");
        }
        let tls = "https://web/?token=secret".parse::<Probe>().unwrap_err();
        assert_eq!(tls.kind(), ErrorKind::Unsupported);
        assert!(!tls.to_string().contains("secret") && tls.to_string().contains("curl"), "{tls}");
    }
}
