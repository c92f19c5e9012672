//! Taking secrets out of what is recorded.

use std::fmt;
use std::sync::Arc;

/// Shorter values of hidden variables are too likely to stand elsewhere for another reason.
const SHORTEST: usize = 6;

/// What is replaced in arguments, input and output before they are compared or stored.
#[derive(Clone, Debug, Default)]
pub(super) struct Redaction(Vec<Rule>);

#[derive(Clone)]
enum Rule {
    Pattern { pattern: Pattern, replacement: Vec<u8> },
    Function(Arc<Function>),
}

type Function = dyn Fn(&str) -> String + Send + Sync;

impl fmt::Debug for Rule {
    // A pattern may be a secret as a whole.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rule::Pattern { .. } => "a pattern",
            Rule::Function(_) => "a function",
        })
    }
}

impl Redaction {
    pub(super) fn pattern(&mut self, pattern: &str, replacement: &str) {
        let replacement = replacement.as_bytes().to_vec();
        self.0.push(Rule::Pattern { pattern: Pattern::new(pattern), replacement });
    }

    pub(super) fn function(&mut self, replace: impl Fn(&str) -> String + Send + Sync + 'static) {
        self.0.push(Rule::Function(Arc::new(replace)));
    }

    /// The same, and the values of variables that are not to be stored.
    pub(super) fn hiding<'a>(&self, variables: impl Iterator<Item = (String, &'a [u8])>) -> Redaction {
        let mut redaction = self.clone();
        // One value may stand in another one, which has to go first.
        let mut variables: Vec<_> = variables.filter(|(_, value)| value.len() >= SHORTEST).collect();
        variables.sort_by_key(|(_, value)| value.len());
        for (name, value) in variables {
            let pattern = Pattern(vec![value.to_vec()]);
            // Before the rules of the user's, which may take a part of it.
            redaction.0.insert(0, Rule::Pattern { pattern, replacement: format!("${name}").into_bytes() });
        }
        redaction
    }

    pub(super) fn apply(&self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for rule in &self.0 {
            bytes = match rule {
                Rule::Pattern { pattern, replacement } => pattern.replace(&bytes, replacement),
                Rule::Function(replace) => {
                    // What is no text between is left as it is.
                    let mut replaced = Vec::with_capacity(bytes.len());
                    for chunk in bytes.utf8_chunks() {
                        replaced.extend(replace(chunk.valid()).into_bytes());
                        replaced.extend_from_slice(chunk.invalid());
                    }
                    replaced
                }
            };
        }
        bytes
    }
}

/// Literal parts, between which stands anything but blanks and quotes.
#[derive(Clone)]
struct Pattern(Vec<Vec<u8>>);

impl Pattern {
    fn new(pattern: &str) -> Pattern {
        Pattern(pattern.split('*').map(|part| part.as_bytes().to_vec()).collect())
    }

    fn replace(&self, bytes: &[u8], replacement: &[u8]) -> Vec<u8> {
        let mut replaced = Vec::with_capacity(bytes.len());
        let mut at = 0;
        while at < bytes.len() {
            match self.match_at(&bytes[at..]) {
                Some(len) => {
                    replaced.extend_from_slice(replacement);
                    at += len;
                }
                None => {
                    replaced.push(bytes[at]);
                    at += 1;
                }
            }
        }
        replaced
    }

    /// How many bytes match, if some do.
    fn match_at(&self, bytes: &[u8]) -> Option<usize> {
        let (first, others) = self.0.split_first()?;
        if !bytes.starts_with(first) {
            return None;
        }
        let mut len = first.len();
        for (index, part) in others.iter().enumerate() {
            let rest = &bytes[len..];
            let run = rest.iter().position(|byte| is_bound(*byte)).unwrap_or(rest.len());
            let last = index + 1 == others.len();
            len += match part.as_slice() {
                [] if last => run,
                [] => 0,
                part => {
                    let starts = |at: &usize| rest[*at..].starts_with(part);
                    (0..=run).find(starts)? + part.len()
                }
            };
        }
        (len > 0).then_some(len)
    }
}

fn is_bound(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`' | 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_replace_what_they_match() {
        let rows = [
            ("hunter2", "pw=hunter2 hunter2", "pw=*** ***"),
            ("ghp_*", "token \"ghp_abc123\", ghp_x\nnext", "token \"***\", ***\nnext"),
            ("password=*", "--password=a b", "--*** b"),
            ("://*@", "https://user:pw@host/ http://host", "https***host/ http://host"),
            ("*@example.com", "to ann@example.com.", "to ***."),
            ("", "all", "all"),
            ("*", "one two", "*** ***"),
            ("a*", "a", "***"),
        ];
        for (pattern, text, expected) in rows {
            let mut redaction = Redaction::default();
            redaction.pattern(pattern, "***");
            assert_eq!(String::from_utf8_lossy(&redaction.apply(text.as_bytes())), expected, "{pattern}");
        }
    }

    #[test]
    fn functions_see_the_text_between_what_is_none() {
        let mut redaction = Redaction::default();
        redaction.function(|text| text.replace("key", "K"));
        assert_eq!(redaction.apply(b"key\xff a key\xfe"), b"K\xff a K\xfe");
    }

    #[test]
    fn values_of_hidden_variables_go_before_everything_else() {
        let mut redaction = Redaction::default();
        redaction.pattern("secret", "***");
        let variables = [("TOKEN".to_owned(), &b"secret-token"[..]), ("ONE".to_owned(), &b"1"[..])];
        let hiding = redaction.hiding(variables.into_iter());
        assert_eq!(hiding.apply(b"secret-token secret 1"), b"$TOKEN *** 1");
    }
}
