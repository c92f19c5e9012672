//! Messages of D-Bus, to bytes and back: what its specification calls the wire format, as far as one request takes it
//! (<https://dbus.freedesktop.org/doc/dbus-specification.html#message-protocol-marshaling>).
//!
//! It holds nothing for certain that came from outside: what is cut short, too long or of another form is `None`.

/// Nothing that anybody answers us is longer.
const LONGEST: usize = 1 << 20;
/// Which way round numbers are written: ours, and a bus passes on what its clients wrote on the same host.
const MARK: u8 = if cfg!(target_endian = "little") { b'l' } else { b'B' };
const VERSION: u8 = 1;
/// What stands before the fields of the header: marks, two lengths and a serial number.
pub(super) const FIXED: usize = 16;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Call = 1,
    Return = 2,
    Error = 3,
    Signal = 4,
}

/// What is said of a message before its body, with the code and the type that each has.
const PATH: (u8, &str) = (1, "o");
const INTERFACE: (u8, &str) = (2, "s");
const MEMBER: (u8, &str) = (3, "s");
const ERROR: (u8, &str) = (4, "s");
const REPLY_TO: (u8, &str) = (5, "u");
const DESTINATION: (u8, &str) = (6, "s");
const SIGNATURE: (u8, &str) = (8, "g");

/// Values, one behind the other, each at a multiple of its own size.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    pub(super) fn number(&mut self, number: u32) {
        self.align(4);
        self.0.extend(number.to_ne_bytes());
    }

    /// A string, or the path of an object.
    pub(super) fn text(&mut self, text: &str) {
        self.number(text.len() as u32);
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    pub(super) fn signature(&mut self, signature: &str) {
        self.0.push(signature.len() as u8);
        self.0.extend(signature.as_bytes());
        self.0.push(0);
    }

    /// An array, whose items begin at a multiple of `of`.
    pub(super) fn array(&mut self, of: usize, items: impl FnOnce(&mut Writer)) {
        self.number(0);
        let length_at = self.0.len() - 4;
        self.align(of);
        let start = self.0.len();
        items(self);
        let length = (self.0.len() - start) as u32;
        self.0[length_at..][..4].copy_from_slice(&length.to_ne_bytes());
    }

    fn field(&mut self, (code, kind): (u8, &str), value: impl FnOnce(&mut Writer)) {
        self.align(8);
        self.0.push(code);
        self.signature(kind);
        value(self);
    }
}

/// The method of an object that somebody has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Method<'a> {
    pub(super) destination: &'a str,
    pub(super) path: &'a str,
    pub(super) interface: &'a str,
    pub(super) member: &'a str,
}

/// A call, ready to be sent. The signature says of what types its body is.
pub(super) fn call(method: Method<'_>, serial: u32, signature: &str, body: &Writer) -> Vec<u8> {
    let mut message = Writer(vec![MARK, Kind::Call as u8, 0, VERSION]);
    message.number(body.0.len() as u32);
    message.number(serial);
    message.array(8, |fields| {
        fields.field(PATH, |value| value.text(method.path));
        fields.field(DESTINATION, |value| value.text(method.destination));
        fields.field(INTERFACE, |value| value.text(method.interface));
        fields.field(MEMBER, |value| value.text(method.member));
        if !signature.is_empty() {
            fields.field(SIGNATURE, |value| value.signature(signature));
        }
    });
    message.align(8);
    message.0.extend(&body.0);
    message.0
}

/// What came.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) kind: Option<Kind>,
    pub(super) reply_to: Option<u32>,
    pub(super) member: String,
    /// The name of the error that it is.
    pub(super) error: String,
    pub(super) signature: String,
    pub(super) body: Vec<u8>,
}

/// How long the message is that begins like this, with [`FIXED`] bytes.
pub(super) fn length(start: &[u8]) -> Option<usize> {
    let mut reader = Reader { bytes: start, at: 4 };
    if start.first() != Some(&MARK) || start.get(3) != Some(&VERSION) {
        return None;
    }
    let (body, _serial, fields) = (reader.number()?, reader.number()?, reader.number()?);
    let length = (FIXED + fields as usize).checked_next_multiple_of(8)?.checked_add(body as usize)?;
    (length <= LONGEST).then_some(length)
}

/// Reads a message of the length that [`length`] said.
pub(super) fn message(bytes: &[u8]) -> Option<Message> {
    let mut reader = Reader { bytes, at: 12 };
    let end = FIXED.checked_add(reader.number()? as usize)?;
    let mut message = Message {
        kind: match bytes.get(1)? {
            1 => Some(Kind::Call),
            2 => Some(Kind::Return),
            3 => Some(Kind::Error),
            4 => Some(Kind::Signal),
            // To be passed over, says the specification.
            _ => None,
        },
        ..Message::default()
    };
    while reader.at < end {
        reader.align(8)?;
        let code = reader.byte()?;
        let kind = reader.signature()?;
        match &*kind {
            "u" => {
                let number = reader.number()?;
                if code == REPLY_TO.0 {
                    message.reply_to = Some(number);
                }
            }
            "s" | "o" => {
                let text = reader.text()?;
                match code {
                    code if code == MEMBER.0 => message.member = text,
                    code if code == ERROR.0 => message.error = text,
                    _ => {}
                }
            }
            "g" => {
                let text = reader.signature()?;
                if code == SIGNATURE.0 {
                    message.signature = text;
                }
            }
            _ => return None,
        }
    }
    reader.align(8)?;
    message.body = bytes.get(reader.at..)?.to_vec();
    Some(message)
}

/// Values as they come.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    pub(super) fn new(bytes: &[u8]) -> Reader<'_> {
        Reader { bytes, at: 0 }
    }

    fn align(&mut self, to: usize) -> Option<()> {
        self.at = self.at.checked_next_multiple_of(to)?;
        Some(())
    }

    fn take(&mut self, length: usize) -> Option<&[u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    pub(super) fn number(&mut self) -> Option<u32> {
        self.align(4)?;
        self.take(4)?.try_into().ok().map(u32::from_ne_bytes)
    }

    pub(super) fn text(&mut self) -> Option<String> {
        let length = self.number()? as usize;
        self.ended(length)
    }

    fn signature(&mut self) -> Option<String> {
        let length = self.byte()?.into();
        self.ended(length)
    }

    /// Text and the zero behind it.
    fn ended(&mut self, length: usize) -> Option<String> {
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.byte().map(|_| text)
    }
}

/// What the tests have a bus answer.
#[cfg(test)]
pub(super) fn answer(kind: Kind, reply_to: u32, member: &str, signature: &str, body: &Writer) -> Vec<u8> {
    let mut message = Writer(vec![MARK, kind as u8, 0, VERSION]);
    message.number(body.0.len() as u32);
    message.number(1);
    message.array(8, |fields| {
        fields.field(REPLY_TO, |value| value.number(reply_to));
        let named = if kind == Kind::Error { ERROR } else { MEMBER };
        fields.field(named, |value| value.text(member));
        fields.field(SIGNATURE, |value| value.signature(signature));
    });
    message.align(8);
    message.0.extend(&body.0);
    message.0
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn a_call_has_the_bytes_of_the_specification() {
        let method = Method { destination: "a.b", path: "/", interface: "a.b", member: "M" };
        let mut body = Writer::default();
        body.text("x");
        let bytes = call(method, 7, "s", &body);
        let expected: &[u8] = b"l\x01\0\x01\x06\0\0\0\x07\0\0\0\x47\0\0\0\
            \x01\x01o\0\x01\0\0\0/\0\0\0\0\0\0\0\
            \x06\x01s\0\x03\0\0\0a.b\0\0\0\0\0\
            \x02\x01s\0\x03\0\0\0a.b\0\0\0\0\0\
            \x03\x01s\0\x01\0\0\0M\0\0\0\0\0\0\0\
            \x08\x01g\0\x01s\0\0\
            \x01\0\0\0x\0";
        assert_eq!(bytes.escape_ascii().to_string(), expected.escape_ascii().to_string());
        assert_eq!(length(&bytes[..FIXED]), Some(bytes.len()));
        let read = message(&bytes).unwrap();
        assert_eq!((read.kind, &*read.member, &*read.signature), (Some(Kind::Call), "M", "s"));
        assert_eq!(Reader::new(&read.body).text().unwrap(), "x");
    }

    #[test]
    fn what_is_cut_short_or_wrong_is_no_message() {
        let mut body = Writer::default();
        body.text("why");
        let whole = answer(Kind::Error, 3, "a.Error", "s", &body);
        let read = message(&whole).unwrap();
        assert_eq!((read.reply_to, &*read.error), (Some(3), "a.Error"));
        for cut in 0..whole.len() {
            // None of them panics, and none has all of it.
            assert_ne!(message(&whole[..cut]).as_ref(), Some(&read), "{cut}");
            assert!(
                length(&whole[..cut]).is_none_or(|length| cut >= FIXED && length == whole.len()),
                "{cut}"
            );
        }
        for at in 0..whole.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut other = whole.clone();
                other[at] = value;
                let _ = (length(&other), message(&other).map(|message| Reader::new(&message.body).text()));
            }
        }
    }
}
