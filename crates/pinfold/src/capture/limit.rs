//! How much of a stream is retained, as data.

/// The most that is retained of one stream.
///
/// Without either maximum nothing is dropped. With both, both hold. A maximum of 0 retains nothing, so under
/// [`Overflow::Error`] the first byte is an overflow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Limit {
    /// The most bytes.
    pub max_bytes: Option<u64>,
    /// The most lines, by the stream's own [`LineRule`](crate::text::LineRule); one that is still being written is a line.
    pub max_lines: Option<u64>,
    /// What happens to a stream that has more.
    pub on_overflow: Overflow,
}

impl Limit {
    /// At most so many bytes of each stream. What is over it is dropped, the oldest first, unless `on_overflow` says otherwise.
    ///
    /// ```
    /// use pinfold::{Command, ErrorKind, Limit, Overflow};
    ///
    /// let limit = Limit { on_overflow: Overflow::Error, ..Limit::bytes(100) };
    /// let error = Command::new("yes").output_limit(limit).output().unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::OutputTooLarge);
    /// ```
    pub fn bytes(most: u64) -> Limit {
        Limit { max_bytes: Some(most), ..Limit::default() }
    }

    /// At most so many lines of each stream; else as [`Limit::bytes`].
    ///
    /// ```
    /// use pinfold::{Command, Limit};
    ///
    /// assert_eq!(Command::new("seq").arg("1000").output_limit(Limit::lines(2)).run()?, "999\n1000");
    /// # pinfold::Result::Ok(())
    /// ```
    pub fn lines(most: u64) -> Limit {
        Limit { max_lines: Some(most), ..Limit::default() }
    }
}

/// What happens to a stream that has more than its [`Limit`] allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Overflow {
    /// The last of it is retained. Bytes are dropped singly, lines whole.
    #[default]
    DropOldest,
    /// The first of it is retained and the rest only counted, whoever has consumed what.
    DropNewest,
    /// As [`DropNewest`](Overflow::DropNewest), and the run is stopped.
    Error,
}

/// How many bytes stay retained behind the slowest cursor, so that what was consumed can be read again.
///
/// The default is 8 MiB. What no cursor has consumed is retained whatever this says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Keep(
    /// In bytes.
    pub u64,
);

impl Default for Keep {
    fn default() -> Keep {
        Keep(8 << 20)
    }
}

#[cfg(all(test, feature = "serde"))]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn as_data_a_limit_says_what_differs_and_refuses_what_it_does_not_know() {
        let limit: Limit = serde_json::from_str(r#"{"max_lines": 3, "on_overflow": "drop_newest"}"#).unwrap();
        assert_eq!(limit, Limit { max_bytes: None, max_lines: Some(3), on_overflow: Overflow::DropNewest });
        let again = serde_json::from_str(&serde_json::to_string(&limit).unwrap()).unwrap();
        assert_eq!(limit, again);
        assert!(serde_json::from_str::<Limit>(r#"{"max_byte": 3}"#).is_err());
        assert_eq!(serde_json::to_string(&Keep::default()).unwrap(), "8388608");
    }
}
