//! Unsafety: `unsafe` only on the lowest floor, each use with its reason; and no lint is allowed away in silence.

use super::Finding;
use super::manifest::packages;
use super::source::{attributes, mask, text, tokens};
use super::tree::Tree;

/// The only folder whose Rust may say `unsafe`.
const FLOOR: &str = "crates/pinfold-os/";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, source) in tree.ending(".rs") {
        check_file(path, source, &mut found);
    }
    for package in packages(tree).iter().filter(|package| !package.path.starts_with(FLOOR)) {
        for root in &package.roots {
            if tree.get(root).is_some_and(|source| !forbids_unsafe(source)) {
                found.push(Finding::new(root, 1, "put `#![forbid(unsafe_code)]` at the top of this crate"));
            }
        }
    }
    found
}

fn check_file(path: &str, source: &str, found: &mut Vec<Finding>) {
    let masked = mask(source);
    let tokens = tokens(&masked);
    let code: Vec<&str> = masked.lines().collect();
    let lines: Vec<&str> = source.lines().collect();
    for (at, token) in tokens.iter().enumerate().filter(|(_, token)| token.text == "unsafe") {
        if !path.starts_with(FLOOR) {
            let advice = format!("`unsafe` belongs to {FLOOR} alone; put a safe function there and call it");
            found.push(Finding::new(path, token.line, advice));
        } else if matches!(text(&tokens, at + 1), "{" | "impl") && !says_why(&lines, &code, token.line - 1) {
            let advice = "say in a `// SAFETY:` comment right above why this holds";
            found.push(Finding::new(path, token.line, advice));
        }
    }
    for (line, _, attribute) in attributes(&tokens) {
        if attribute.windows(2).any(|pair| pair[0].text == "allow" && pair[1].text == "(") {
            let advice = "write `#[expect(lint, reason = \"..\")]`, which ends when the lint no longer fires";
            found.push(Finding::new(path, line, advice));
        }
    }
}

fn forbids_unsafe(source: &str) -> bool {
    let masked = mask(source);
    let tokens = tokens(&masked);
    attributes(&tokens).iter().any(|(_, inner, attribute)| {
        *inner && text(attribute, 0) == "forbid" && attribute.iter().any(|token| token.text == "unsafe_code")
    })
}

/// Whether a SAFETY comment stands on the line at `at` or above it: above the statement that the line continues, with
/// nothing in between but attributes and more comment.
fn says_why(lines: &[&str], code: &[&str], at: usize) -> bool {
    // In a comment, and not in code or in a string.
    let says = |line: usize| lines[line].contains("// SAFETY:") && !code[line].contains("SAFETY:");
    if says(at) {
        return true;
    }
    for line in (0..at).rev() {
        let (code, whole) = (code[line].trim(), lines[line].trim());
        if code.is_empty() && whole.starts_with("//") {
            if says(line) {
                return true;
            }
        } else if code.is_empty()
            || code.ends_with([';', '{', '}'])
            || code.contains("unsafe")
            || (code.ends_with(']') && !code.starts_with("#["))
        {
            return false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_places, found};
    use super::*;

    fn on_the_floor(source: &str) -> Vec<String> {
        found(check, &[("crates/pinfold-os/src/x.rs", source)])
    }

    #[test]
    fn unsafe_above_the_lowest_floor_is_found_wherever_it_stands() {
        let source = "// unsafe\nfn f() { \"unsafe\"; }\nunsafe fn g() {}\n#[unsafe(no_mangle)]\nfn h() {}";
        assert_places(
            check,
            &[("crates/pinfold/src/x.rs", source)],
            &["crates/pinfold/src/x.rs:3", "crates/pinfold/src/x.rs:4"],
        );
    }

    #[test]
    fn a_reason_may_stand_above_the_statement() {
        for source in [
            "// SAFETY: so.\nunsafe { f() }",
            "unsafe { f() } // SAFETY: so.",
            "// SAFETY: so,\n// and so.\n#[inline]\nunsafe impl Send for X {}",
            "// SAFETY: so.\nlet x =\n    unsafe { f() };",
            "match x {\n    // SAFETY: so.\n    1 => unsafe { f() },\n}",
            "/// # Safety\nunsafe fn f() {}",
        ] {
            assert_eq!(on_the_floor(source), [""; 0], "{source}");
        }
    }

    #[test]
    fn a_use_without_its_own_reason_is_found() {
        for source in [
            "unsafe { f() }",
            "unsafe impl Send for X {}",
            "// SAFETY: so.\n\nunsafe { f() }",
            "// SAFETY: so.\nf();\nunsafe { f() }",
            "// because\nlet s = \"SAFETY:\"; unsafe { f() }",
            "match x {\n    // SAFETY: so.\n    1 => unsafe { f() },\n    2 => unsafe { g() },\n}",
        ] {
            assert_eq!(on_the_floor(source).len(), 1, "{source}");
        }
    }

    #[test]
    fn every_other_root_forbids_unsafe() {
        let manifest = "[package]\nname = \"a\"\n";
        let root = |source| [("crates/a/Cargo.toml", manifest), ("crates/a/src/lib.rs", source)];
        assert_places(check, &root("//! A.\n#![forbid(unsafe_code)]\n"), &[]);
        assert_places(check, &root("//! #![forbid(unsafe_code)]\n"), &["crates/a/src/lib.rs:1"]);
        assert_places(check, &root("#![deny(unsafe_code)]\n"), &["crates/a/src/lib.rs:1"]);
        let floor = [("crates/pinfold-os/Cargo.toml", manifest), ("crates/pinfold-os/src/lib.rs", "")];
        assert_places(check, &floor, &[]);
    }

    #[test]
    fn allow_is_found_in_every_attribute() {
        let path = "crates/pinfold-os/src/x.rs";
        let source =
            "#![allow(a)]\n#[allow(b)]\n#[cfg_attr(unix, allow(c))]\n#[expect(clippy::allow_attributes)]\n";
        assert_places(
            check,
            &[(path, source)],
            &[&format!("{path}:1"), &format!("{path}:2"), &format!("{path}:3")],
        );
    }
}
