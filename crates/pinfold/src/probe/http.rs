//! The little HTTP/1.1 that a probe speaks: one GET, and the status line of its answer (RFC 9112).

use super::address::Address;
use std::fmt;

/// A longer status line, or a longer interim response, is not waited for.
const LONGEST: usize = 16 << 10;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) address: Address,
    /// As it stands in the request's `Host` field.
    host: String,
    /// Path and query.
    target: String,
}

/// Why something is not a URL that can be asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is no HTTP URL.
    Malformed(String),
    /// It is one that would take TLS.
    Tls,
}

impl Url {
    pub(super) fn parse(text: &str) -> Result<Url, Refused> {
        let malformed = |what: &str| Refused::Malformed(what.to_owned());
        let (scheme, rest) = text.split_once("://").ok_or_else(|| {
            let has_http = text.to_ascii_lowercase().starts_with("http:");
            malformed(if has_http { "has no :// after http" } else { "has no http:// in front" })
        })?;
        match scheme.to_ascii_lowercase().as_str() {
            "http" => {}
            "https" => return Err(Refused::Tls),
            _ => return Err(malformed("has no http:// in front")),
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        if authority.contains('@') {
            return Err(malformed("has a user in it, and none is sent"));
        }
        let address = Address::parse(authority, Some(80)).map_err(Refused::Malformed)?;
        let target = target.split('#').next().unwrap_or_default();
        if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(malformed("has a character in its path that has to be written as %XX"));
        }
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        Ok(Url { address, host: authority.to_owned(), target })
    }

    /// All that is sent.
    pub(super) fn request(&self) -> Vec<u8> {
        let Url { host, target, .. } = self;
        let version = env!("CARGO_PKG_VERSION");
        let lines = [
            format!("GET {target} HTTP/1.1"),
            format!("Host: {host}"),
            format!("User-Agent: pinfold/{version}"),
            "Accept: */*".to_owned(),
            "Connection: close".to_owned(),
        ];
        format!("{}\r\n\r\n", lines.join("\r\n")).into_bytes()
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Queries hold tokens at times.
        let path = self.target.split('?').next().unwrap_or_default();
        write!(f, "http://{}{path}", self.host)
    }
}

/// The status of the final response in what has come so far: `None` if that has still to come.
pub(super) fn status(mut bytes: &[u8]) -> Result<Option<u16>, String> {
    const NOT_HTTP: &str = "what answers does not speak HTTP/1";
    loop {
        let start = &bytes[..bytes.len().min(5)];
        if !b"HTTP/".starts_with(start) {
            return Err(NOT_HTTP.to_owned());
        }
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            return if bytes.len() > LONGEST {
                Err("its status line has no end".to_owned())
            } else {
                Ok(None)
            };
        };
        let line = std::str::from_utf8(&bytes[..end]).map_err(|_| NOT_HTTP)?;
        let mut words = line.split(' ');
        let version = words.next().unwrap_or_default();
        let code = words.next().map(|word| word.trim_end_matches('\r'));
        let code = code.filter(|code| code.len() == 3).and_then(|code| code.parse::<u16>().ok());
        let (true, Some(code @ 100..=999)) = (version.starts_with("HTTP/1."), code) else {
            return Err(NOT_HTTP.to_owned());
        };
        if code >= 200 {
            return Ok(Some(code));
        }
        // An interim response, which the final one follows.
        match memchr::memmem::find(bytes, b"\r\n\r\n") {
            Some(at) => bytes = &bytes[at + 4..],
            None if bytes.len() > LONGEST => return Err("its first response has no end".to_owned()),
            None => return Ok(None),
        }
        if bytes.is_empty() {
            return Ok(None);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_what_is_none_is_refused() {
        let request = |text: &str| String::from_utf8(Url::parse(text).unwrap().request()).unwrap();
        for (text, first, host) in [
            ("http://web/", "GET / HTTP/1.1", "Host: web"),
            ("HTTP://web", "GET / HTTP/1.1", "Host: web"),
            ("http://[::1]:8080/a/b?c=%20#d", "GET /a/b?c=%20 HTTP/1.1", "Host: [::1]:8080"),
            ("http://web:80?q", "GET /?q HTTP/1.1", "Host: web:80"),
        ] {
            let request = request(text);
            let lines: Vec<&str> = request.split("\r\n").collect();
            assert_eq!((lines[0], lines[1]), (first, host), "{text}");
            assert!(request.ends_with("\r\n\r\n"), "{text}");
        }
        assert_eq!(Url::parse("https://web/"), Err(Refused::Tls));
        for text in [
            "web",
            "ftp://web/",
            "http://",
            "http://:80/",
            "http://me@web/",
            "http://web/a b",
            "http://web/\r\nX: y",
        ] {
            assert!(matches!(Url::parse(text), Err(Refused::Malformed(_))), "{text}");
        }
    }

    #[test]
    fn what_is_shown_of_a_url_has_no_query() {
        assert_eq!(
            Url::parse("http://web:81/ready?token=secret").unwrap().to_string(),
            "http://web:81/ready"
        );
    }

    #[test]
    fn a_status_is_told_as_soon_as_its_line_is_there_and_not_before() {
        let answer =
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.0 503 No\r\nx";
        let line = answer.windows(2).rposition(|two| two == b"\r\n").unwrap() + 2;
        for end in 0..=answer.len() {
            let expected = (end >= line).then_some(503);
            assert_eq!(status(&answer[..end]), Ok(expected), "{end}");
        }
        for bad in
            ["SSH-2.0-x\r\n", "HTTP/2 200\r\n", "HTTP/1.1 20 x\r\n", "HTTP/1.1 abc\r\n", "\n", "HTTP/1.1\r\n"]
        {
            assert!(status(bad.as_bytes()).is_err(), "{bad}");
        }
        assert_eq!(status(b"HTTP/1.1 204\r\n"), Ok(Some(204)));
        assert!(status(&[b"HTTP/1.1 200 ".as_slice(), &[b'x'; LONGEST]].concat()).is_err());
    }
}
