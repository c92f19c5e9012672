//! Which bytes stand for which characters, as data.
//!
//! Every build knows UTF-8 and UTF-16; the feature `encoding` adds the rest of the WHATWG standard. A label that names no
//! encoding which the build can decode is refused when it is read, never when bytes come.

use std::fmt;
use std::str::FromStr;

/// The character encoding of a program's output.
///
/// The default is UTF-8. As data it is its label, and a label that this build cannot decode is refused on the way in.
///
/// ```
/// use pinfold::text::Encoding;
/// let encoding = Encoding::named("utf-16le")?;
/// assert_eq!(encoding.name(), "UTF-16LE");
/// assert!(Encoding::named("utf-9").is_err());
/// # Ok::<(), pinfold::text::UnknownEncoding>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct Encoding(pub(super) Kind);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    #[default]
    Utf8,
    Utf16(ByteOrder),
    #[cfg(feature = "encoding")]
    Listed(&'static encoding_rs::Encoding),
}

/// Which byte of a UTF-16 unit comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum ByteOrder {
    Little,
    Big,
}

impl ByteOrder {
    pub(super) fn unit(self, pair: [u8; 2]) -> u16 {
        match self {
            ByteOrder::Little => u16::from_le_bytes(pair),
            ByteOrder::Big => u16::from_be_bytes(pair),
        }
    }
}

impl Encoding {
    /// The encoding of a label of the [WHATWG Encoding Standard], in any case and with white space around it ignored.
    ///
    /// As that standard has it, `utf-16` is little endian and `latin1` is windows-1252.
    ///
    /// # Errors
    /// [`UnknownEncoding`] when the label is none of the standard's, or one that needs the feature `encoding` in a build
    /// without it. The few labels that the standard decodes to nothing but U+FFFD, such as `iso-2022-kr`, are refused too.
    ///
    /// [WHATWG Encoding Standard]: https://encoding.spec.whatwg.org/#names-and-labels
    pub fn named(label: &str) -> Result<Encoding, UnknownEncoding> {
        let built_in = match label.trim_ascii().to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" | "unicode-1-1-utf-8" | "unicode11utf8" | "unicode20utf8"
            | "x-unicode20utf8" => Some(Kind::Utf8),
            "utf-16" | "utf-16le" | "csunicode" | "iso-10646-ucs-2" | "ucs-2" | "unicode" | "unicodefeff" => {
                Some(Kind::Utf16(ByteOrder::Little))
            }
            "utf-16be" | "unicodefffe" => Some(Kind::Utf16(ByteOrder::Big)),
            _ => None,
        };
        built_in
            .or_else(|| listed(label))
            .map(Encoding)
            .ok_or_else(|| UnknownEncoding { label: label.to_owned() })
    }

    /// The standard's own name of the encoding, such as `UTF-8` or `windows-1252`.
    pub fn name(&self) -> &'static str {
        match self.0 {
            Kind::Utf8 => "UTF-8",
            Kind::Utf16(ByteOrder::Little) => "UTF-16LE",
            Kind::Utf16(ByteOrder::Big) => "UTF-16BE",
            #[cfg(feature = "encoding")]
            Kind::Listed(encoding) => encoding.name(),
        }
    }

    pub(crate) fn is_utf8(&self) -> bool {
        self.0 == Kind::Utf8
    }

    /// The byte order, when a character takes units of two bytes; in every other encoding the byte 0x0A is a line feed
    /// wherever it stands, and 0x0D a carriage return.
    pub(super) fn byte_order(&self) -> Option<ByteOrder> {
        match self.0 {
            Kind::Utf16(order) => Some(order),
            _ => None,
        }
    }
}

#[cfg(feature = "encoding")]
fn listed(label: &str) -> Option<Kind> {
    encoding_rs::Encoding::for_label_no_replacement(label.as_bytes()).map(Kind::Listed)
}

#[cfg(not(feature = "encoding"))]
fn listed(_label: &str) -> Option<Kind> {
    None
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Encoding {
    type Err = UnknownEncoding;

    fn from_str(label: &str) -> Result<Encoding, UnknownEncoding> {
        Encoding::named(label)
    }
}

impl TryFrom<String> for Encoding {
    type Error = UnknownEncoding;

    fn try_from(label: String) -> Result<Encoding, UnknownEncoding> {
        Encoding::named(&label)
    }
}

impl From<Encoding> for String {
    fn from(encoding: Encoding) -> String {
        encoding.name().to_owned()
    }
}

const ADVICE: &str = if cfg!(feature = "encoding") {
    "use a label of the WHATWG Encoding Standard, such as \"utf-8\", \"windows-1252\" or \"shift_jis\""
} else {
    "this build decodes utf-8, utf-16le and utf-16be; the feature `encoding` adds the WHATWG Encoding Standard's others"
};

/// A label that names no encoding which this build can decode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown encoding {label:?}: {ADVICE}")]
pub struct UnknownEncoding {
    label: String,
}

impl UnknownEncoding {
    /// The label, as it was given.
    pub fn label(&self) -> &str {
        &self.label
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    #[cfg(feature = "encoding")]
    use super::super::decode;
    use super::*;

    #[test]
    fn labels_are_read_in_any_case_with_white_space_around_them() {
        assert_eq!(Encoding::named(" UTF-8\n").unwrap(), Encoding::default());
        assert_eq!(Encoding::named("utf8").unwrap().name(), "UTF-8");
        assert_eq!(Encoding::named("Unicode").unwrap().name(), "UTF-16LE");
        assert_eq!("UTF-16be".parse::<Encoding>().unwrap().to_string(), "UTF-16BE");
    }

    #[test]
    fn an_unknown_label_is_named_and_says_what_to_do() {
        let error = Encoding::named("klingon\n").unwrap_err();
        assert_eq!(error.label(), "klingon\n");
        let message = error.to_string();
        assert!(message.starts_with("unknown encoding \"klingon\\n\": "), "{message}");
        assert_eq!(message.contains("feature `encoding`"), cfg!(not(feature = "encoding")), "{message}");
    }

    #[cfg(not(feature = "encoding"))]
    #[test]
    fn other_encodings_need_the_feature() {
        assert!(Encoding::named("windows-1252").is_err());
    }

    #[cfg(feature = "encoding")]
    #[test]
    fn the_feature_adds_the_standards_other_encodings() {
        let japanese = Encoding::named("sjis").unwrap();
        assert_eq!(japanese.name(), "Shift_JIS");
        assert_eq!(decode(&japanese, b"\x93\xfa\x96{\n"), "日本\n");
        assert_eq!(decode(&japanese, b"\x93"), "\u{fffd}");
        assert_eq!(decode(&Encoding::named("latin1").unwrap(), b"caf\xe9"), "café");
        assert!(Encoding::named("iso-2022-kr").is_err());
    }

    #[cfg(feature = "serde")]
    #[test]
    fn as_data_it_is_its_label_and_checked_on_the_way_in() {
        let encoding: Encoding = serde_json::from_str("\"utf-16\"").unwrap();
        assert_eq!(serde_json::to_string(&encoding).unwrap(), "\"UTF-16LE\"");
        let error = serde_json::from_str::<Encoding>("\"klingon\"").unwrap_err();
        assert!(error.to_string().contains("unknown encoding \"klingon\""), "{error}");
    }
}
