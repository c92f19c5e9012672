//! Rust source as tidy reads it: comments and literals blanked, and the rest as tokens with their lines.
//!
//! It knows where code ends and text begins, and nothing of the grammar beyond that.

/// A word, `::`, or one other character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    /// Counted from 1.
    pub(crate) line: usize,
}

/// `source` with every comment and the inside of every literal replaced by spaces; the lines stay where they were.
pub(crate) fn mask(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    let mut last = ' ';
    while let Some(first) = rest.chars().next() {
        let word_before = last.is_alphanumeric() || last == '_';
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => quoted(rest, 1),
            'r' | 'b' | 'c' if !word_before => prefixed_literal(rest),
            '\'' => character(rest),
            _ => 0,
        };
        if length == 0 {
            out.push(first);
            last = first;
            rest = &rest[first.len_utf8()..];
        } else {
            out.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            last = ' ';
            rest = &rest[length..];
        }
    }
    out
}

/// The tokens of masked source.
pub(crate) fn tokens(masked: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    for (index, line) in masked.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let length = if word > 0 {
                word
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            found.push(Token { text: &rest[..length], line: index + 1 });
            rest = rest[length..].trim_start();
        }
    }
    found
}

/// The text of the token at `at`; nothing behind the end.
pub(crate) fn text<'a>(tokens: &[Token<'a>], at: usize) -> &'a str {
    tokens.get(at).map_or("", |token| token.text)
}

/// Where the bracket opened at `at` is closed, or the end.
pub(crate) fn closing(tokens: &[Token<'_>], at: usize) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(at) {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" if depth <= 1 => return index,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
    }
    tokens.len()
}

/// Every attribute: the line of its `#`, whether it is an inner one (`#![..]`), and the tokens between its brackets.
pub(crate) fn attributes<'t, 'a>(tokens: &'t [Token<'a>]) -> Vec<(usize, bool, &'t [Token<'a>])> {
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate().filter(|(_, token)| token.text == "#") {
        let inner = text(tokens, at + 1) == "!";
        let open = at + 1 + usize::from(inner);
        if text(tokens, open) == "[" {
            let end = closing(tokens, open);
            found.push((token.line, inner, &tokens[open + 1..end]));
        }
    }
    found
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// The length of a literal with escapes whose inside begins at `from`.
fn quoted(text: &str, from: usize) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(from) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of `b".."`, `c".."`, `r#".."#`, `br".."`, `b'x'`; 0 when a word or a raw identifier begins here.
fn prefixed_literal(text: &str) -> usize {
    let after = text.trim_start_matches(['b', 'c']);
    let prefix = text.len() - after.len();
    if prefix > 1 {
        return 0;
    }
    if let Some(raw) = after.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let Some(inside) = raw[hashes..].strip_prefix('"') else { return 0 };
        let end = format!("\"{}", "#".repeat(hashes));
        let start = text.len() - inside.len();
        return inside.find(&end).map_or(text.len(), |at| start + at + end.len());
    }
    match after.as_bytes().first() {
        Some(b'"') => quoted(text, prefix + 1),
        Some(b'\'') => prefix + character(after),
        _ => 0,
    }
}

/// The length of a character literal, 0 for a lifetime or a label.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        // The character behind the backslash may itself be a quote.
        Some((_, '\\')) => text.get(3..).and_then(|rest| rest.find('\'')).map_or(text.len(), |at| at + 4),
        Some(_) => match chars.next() {
            Some((at, '\'')) => at + 1,
            _ => 0,
        },
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> Vec<String> {
        tokens(&mask(source)).iter().map(|token| token.text.to_owned()).collect()
    }

    #[test]
    fn comments_and_literals_are_blank_and_lines_stay() {
        let source = "a // x\n/* y /* z */\n*/ b \"s\\\"t\" c r#\"u\"v\"# d b'\\'' e 'f' g '\"' h c\"i\" j";
        assert_eq!(words(source), ["a", "b", "c", "d", "e", "g", "h", "j"]);
        assert_eq!(mask(source).lines().count(), source.lines().count());
        assert_eq!(tokens(&mask(source))[1], Token { text: "b", line: 3 });
    }

    #[test]
    fn lifetimes_raw_identifiers_and_words_are_no_literals() {
        assert_eq!(
            words("<'a> r#type bar::cab 'x: b"),
            ["<", "'", "a", ">", "r", "#", "type", "bar", "::", "cab", "'", "x", ":", "b"]
        );
    }

    #[test]
    fn what_is_never_closed_ends_with_the_file() {
        for source in ["a \"b", "a /* b", "a r#\"b\"", "a '\\", "a '"] {
            assert_eq!(words(source)[0], "a", "{source}");
        }
    }

    #[test]
    fn attributes_are_found_with_what_they_hold() {
        let masked = mask("#![forbid(x)]\n#[cfg(all(a, b))]\nfn f() {}");
        let tokens = tokens(&masked);
        let found = attributes(&tokens);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].0, found[0].1, found[0].2[0].text), (1, true, "forbid"));
        assert_eq!((found[1].0, found[1].1, found[1].2.len()), (2, false, 9));
    }
}
