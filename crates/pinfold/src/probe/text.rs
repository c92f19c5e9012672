//! Probes written as text: `tcp://host:port`, `http://host/path`, `unix:/path`, `file:/path`, `nonempty:/path`, `cmd:words`.

use super::{Address, Kind, Probe};
use crate::command::Command;
use crate::error::{Error, ErrorKind};
use std::ffi::OsStr;
use std::str::FromStr;

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
        let refused = |what: &str| Error::new(ErrorKind::InvalidInput, OsStr::new(text), what);
        let path = |path: &str| {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() { Err(refused("names no path")) } else { Ok(path.to_owned()) }
        };
        let (scheme, rest) = text.split_once(':').unwrap_or(("", text));
        match (scheme.to_ascii_lowercase().as_str(), rest) {
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
            _ => Err(refused("is nothing that can be waited for").hint(
                "write tcp://HOST:PORT, http://HOST/PATH, unix:PATH, file:PATH, nonempty:PATH or cmd:COMMAND",
            )),
        }
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
        let tls = "https://web/?token=secret".parse::<Probe>().unwrap_err();
        assert_eq!(tls.kind(), ErrorKind::Unsupported);
        assert!(!tls.to_string().contains("secret") && tls.to_string().contains("curl"), "{tls}");
    }
}
