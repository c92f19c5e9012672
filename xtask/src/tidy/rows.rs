//! Rows: inside the engine crate a module uses only modules of its own row and of rows before it.
//!
//! The order is the `rows` block of the plan. What a module uses is read from paths that begin with `crate::` and
//! `super::`; code under `#[cfg(test)]` and files of tests may use everything.

use super::source::{Token, closing, mask, text, tokens};
use super::tree::Tree;
use super::{Finding, PLAN};
use crate::markdown::only_fence;

/// The crate that has rows.
const SRC: &str = "crates/pinfold/src/";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let rows = match only_fence(tree.get(PLAN).unwrap_or_default(), "rows") {
        Ok(rows) => rows.lines,
        Err(wrong) => return vec![Finding::new(PLAN, 1, wrong)],
    };
    let mut found = Vec::new();
    let mut row_of: Vec<(&str, usize)> = Vec::new();
    for (line, names) in &rows {
        for name in names.split_whitespace() {
            if row_of.iter().any(|(other, _)| *other == name) {
                found.push(Finding::new(PLAN, *line, format!("`{name}` stands in two rows; keep one")));
            }
            row_of.push((name, *line));
        }
    }
    let row = |module: &str| row_of.iter().find(|(name, _)| *name == module).map(|(_, row)| *row);
    for (path, source) in tree.ending(".rs") {
        let Some(home) = path.strip_prefix(SRC).and_then(module_path) else { continue };
        let Some(module) = home.first() else { continue };
        let Some(own) = row(module) else {
            let advice = format!("`{module}` stands in no row; name it in the rows block of {PLAN}");
            found.push(Finding::new(path, 1, advice));
            continue;
        };
        for (line, used) in uses(&mask(source), &home) {
            let advice = match row(&used) {
                Some(other) if other <= own => continue,
                Some(_) => {
                    format!(
                        "`{module}` may not use `{used}`, which is of a later row; pass in what it needs, or move it"
                    )
                }
                None => format!(
                    "`crate::{used}` is no module of the rows; write the path through the module that defines it"
                ),
            };
            found.push(Finding::new(path, line, advice));
        }
    }
    found
}

/// The module of a file: `a/b.rs` is `[a, b]`, the crate's root is empty, a file of tests has none.
fn module_path(file: &str) -> Option<Vec<&str>> {
    let mut path: Vec<&str> = file.strip_suffix(".rs")?.split('/').collect();
    if path.last().is_some_and(|name| *name == "mod" || (path.len() == 1 && *name == "lib")) {
        path.pop();
    }
    (!path.contains(&"tests")).then_some(path)
}

/// The top-level modules that paths of this source reach through the crate's root, with their lines.
fn uses(masked: &str, home: &[&str]) -> Vec<(usize, String)> {
    let tokens = tokens(masked);
    let mut found = Vec::new();
    // Inline modules that are open here: the name, and where its brace is closed.
    let mut inline: Vec<(&str, usize)> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        inline.retain(|(_, end)| at < *end);
        let before = if at == 0 { "" } else { tokens[at - 1].text };
        at = match tokens[at].text {
            "#" if is_test_attribute(&tokens, at) => end_of_item(&tokens, at),
            "mod" if text(&tokens, at + 2) == "{" => {
                inline.push((tokens[at + 1].text, closing(&tokens, at + 2)));
                at + 3
            }
            "crate" if text(&tokens, at + 1) == "::" => follow(&tokens, at + 2, Vec::new(), &mut found),
            "super" | "self" if before != "::" && text(&tokens, at + 1) == "::" => {
                let base = home.iter().copied().chain(inline.iter().map(|(name, _)| *name)).collect();
                follow(&tokens, at, base, &mut found)
            }
            _ => at + 1,
        };
    }
    found
}

/// Follows one path, or one tree of a `use`, from `base`; returns where it ends.
fn follow<'a>(
    tokens: &[Token<'a>],
    at: usize,
    mut base: Vec<&'a str>,
    found: &mut Vec<(usize, String)>,
) -> usize {
    match text(tokens, at) {
        step @ ("super" | "self") => {
            if step == "super" {
                base.pop();
            }
            if text(tokens, at + 1) == "::" { follow(tokens, at + 2, base, found) } else { at + 1 }
        }
        "{" => {
            let end = closing(tokens, at);
            let mut next = at + 1;
            while next < end {
                next = follow(tokens, next, base.clone(), found);
                // To the next element of this list, over what is left of a longer path.
                while next < end && text(tokens, next) != "," {
                    next = if text(tokens, next) == "{" { closing(tokens, next) + 1 } else { next + 1 };
                }
                next += 1;
            }
            end + 1
        }
        name => {
            if base.is_empty()
                && let Some(token) = tokens.get(at)
            {
                found.push((token.line, name.to_owned()));
            }
            at + 1
        }
    }
}

fn is_test_attribute(tokens: &[Token<'_>], at: usize) -> bool {
    let attribute = &tokens[(at + 2).min(tokens.len())..closing(tokens, at + 1).min(tokens.len())];
    let has = |word: &str| attribute.iter().any(|token| token.text == word);
    text(tokens, at + 1) == "[" && has("cfg") && has("test") && !has("not")
}

/// Where the item behind the attribute at `at` ends.
fn end_of_item(tokens: &[Token<'_>], at: usize) -> usize {
    let mut next = closing(tokens, at + 1) + 1;
    while next < tokens.len() {
        match tokens[next].text {
            ";" => return next + 1,
            "{" => return closing(tokens, next) + 1,
            "(" | "[" => next = closing(tokens, next) + 1,
            _ => next += 1,
        }
    }
    next
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_places, found};
    use super::*;

    const ROWS: &str = "```rows\nerror text\nplan\nrunning\n```\n";

    fn of_plan(source: &str) -> Vec<String> {
        found(check, &[(PLAN, ROWS), ("crates/pinfold/src/plan.rs", source)])
    }

    #[test]
    fn own_row_and_rows_before_may_be_used() {
        for source in [
            "use crate::error::Error;",
            "use crate::plan::deep;\nuse super::text::{Line, Break};",
            "pub(crate) fn f() { crate::{text::x, error} }",
            "/// [`crate::running::Running`]\nfn f() { \"crate::running\"; }",
            "mod inner { use super::anything; }",
            "#[cfg(test)]\nmod tests { use crate::running::Running; fn f() { super::super::running::g() } }\n",
            "#[cfg(test)]\nuse crate::{running, error};\n",
            "#[cfg(all(unix, test))]\n#[path = \"x\"]\nfn f(a: [u8; 2]) { crate::running::g() }",
        ] {
            assert_eq!(of_plan(source), [""; 0], "{source}");
        }
    }

    #[test]
    fn a_later_row_may_not_be_used() {
        for source in [
            "use crate::running::Running;",
            "use crate::{error::{self, Error}, text,\n running};",
            "use super::running as later;",
            "use super::{error, running};",
            "fn f() { let x = crate::running::go(); }",
            "mod inner { use super::super::running; }",
            "mod inner { fn f() {} }\nuse self::super::running;",
            "#[cfg(not(test))]\nuse crate::running;",
            "#[cfg(test)]\nmod tests {}\nuse crate::running;",
            "#[cfg(test)]\nuse crate::{running};\nuse crate::running;",
        ] {
            let found = of_plan(source);
            assert!(
                found.len() == 1 && found[0].contains("`plan` may not use `running`"),
                "{source}: {found:?}"
            );
        }
    }

    #[test]
    fn a_path_that_hides_its_module_is_found() {
        for source in ["use crate::Error;", "use crate::*;", "use super::*;", "use super::{text, Error};"] {
            let found = of_plan(source);
            assert!(found.len() == 1 && found[0].contains("is no module of the rows"), "{source}: {found:?}");
        }
    }

    #[test]
    fn folders_are_modules_and_tests_are_free() {
        let deep = "use super::x;\nuse super::super::running::y;";
        let files = [
            (PLAN, ROWS),
            ("crates/pinfold/src/lib.rs", "pub use crate::anything;"),
            ("crates/pinfold/src/plan/mod.rs", "use super::running;"),
            ("crates/pinfold/src/plan/deep.rs", deep),
            ("crates/pinfold/src/plan/tests.rs", "use crate::running;"),
            ("crates/other/src/plan.rs", "use crate::running;"),
        ];
        assert_places(
            check,
            &files,
            &["crates/pinfold/src/plan/deep.rs:2", "crates/pinfold/src/plan/mod.rs:1"],
        );
    }

    #[test]
    fn unknown_modules_and_a_bad_table_are_found() {
        assert_places(
            check,
            &[(PLAN, ROWS), ("crates/pinfold/src/new.rs", "")],
            &["crates/pinfold/src/new.rs:1"],
        );
        assert_places(check, &[(PLAN, "```rows\na b\na\n```\n")], &["ARCHITECTURE.md:3"]);
        assert_places(check, &[(PLAN, "")], &["ARCHITECTURE.md:1"]);
    }
}
