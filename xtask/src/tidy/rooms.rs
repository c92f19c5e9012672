//! Rooms: the plan names every source file of the crates, and none that is not there.
//!
//! The list is the `rooms` block: a folder at the margin, and under it, indented, a file a line with what it holds.
//! `{a,b}.rs` stands for two files. Names of files in the prose (in code quotes) are checked too.

use super::tree::Tree;
use super::{Finding, PLAN};
use crate::markdown::{code_spans, only_fence};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let plan = tree.get(PLAN).unwrap_or_default();
    let rooms = match only_fence(plan, "rooms") {
        Ok(rooms) => rooms.lines,
        Err(wrong) => return vec![Finding::new(PLAN, 1, wrong)],
    };
    let mut found = Vec::new();
    let mut named = Vec::new();
    let mut folder = "";
    for (line, text) in rooms {
        let Some(word) = text.split_whitespace().next() else { continue };
        if !text.starts_with(char::is_whitespace) {
            folder = word;
        } else if word.ends_with(".rs") {
            for file in expand(word) {
                let file = format!("{folder}{file}");
                if tree.get(&file).is_none() {
                    let advice =
                        format!("the plan names `{file}`, which is not there; take it out or correct it");
                    found.push(Finding::new(PLAN, line, advice));
                }
                named.push(file);
            }
        }
    }
    for (path, _) in tree.ending(".rs").filter(|(path, _)| is_source(path)) {
        if !named.iter().any(|name| name == path) {
            found.push(Finding::new(
                path,
                1,
                format!("say in the rooms block of {PLAN} what this file holds"),
            ));
        }
    }
    for (line, span) in code_spans(plan).into_iter().filter(|(_, span)| span.ends_with(".rs")) {
        for file in expand(span) {
            let end = format!("/{file}");
            if tree.get(&file).is_none() && tree.ending(&end).next().is_none() {
                found.push(Finding::new(PLAN, line, format!("no file is called `{file}`; correct the name")));
            }
        }
    }
    found
}

/// Files that the plan must name: those of `crates/*/src/`, without a module's tests, which belong to it.
fn is_source(path: &str) -> bool {
    let mut parts = path.split('/');
    parts.next() == Some("crates")
        && parts.nth(1) == Some("src")
        && parts.all(|part| part != "tests" && part != "tests.rs")
}

/// `x/{a,b}.rs` as `x/a.rs` and `x/b.rs`.
fn expand(name: &str) -> Vec<String> {
    match name.split_once('{').and_then(|(start, rest)| Some((start, rest.split_once('}')?))) {
        Some((start, (middle, end))) => middle.split(',').map(|part| format!("{start}{part}{end}")).collect(),
        None => vec![name.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::assert_places;
    use super::*;

    const PLAN_TEXT: &str = "\
The clone is in `linux/a.rs`, as `linux/{a,b}.rs` say; `fn x()` is no file.
```rooms
crates/os/src/
  lib.rs          what it is
                  and more (not z.rs)
  linux/{a,b}.rs  two

xtask/
  main.rs
```
";
    const FILES: [(&str, &str); 4] = [
        ("crates/os/src/lib.rs", ""),
        ("crates/os/src/linux/a.rs", ""),
        ("crates/os/src/linux/b.rs", ""),
        ("xtask/main.rs", ""),
    ];

    fn places(plan: &str, files: &[(&str, &str)], places: &[&str]) {
        let files: Vec<_> = files.iter().copied().chain([(PLAN, plan)]).collect();
        assert_places(check, &files, places);
    }

    #[test]
    fn a_plan_that_names_all_is_fine() {
        places(PLAN_TEXT, &FILES, &[]);
        let others = [
            ("crates/os/tests/x.rs", ""),
            ("crates/os/build.rs", ""),
            ("crates/os/src/linux/tests.rs", ""),
            ("trials/src/lib.rs", ""),
        ];
        places(PLAN_TEXT, &[&FILES[..], &others].concat(), &[]);
    }

    #[test]
    fn a_file_that_the_plan_does_not_name_is_found() {
        places(
            PLAN_TEXT,
            &[&FILES[..], &[("crates/os/src/new.rs", "")]].concat(),
            &["crates/os/src/new.rs:1"],
        );
    }

    #[test]
    fn a_name_without_file_is_found_in_the_list_and_in_the_prose() {
        places(PLAN_TEXT, &FILES[..3], &["ARCHITECTURE.md:9"]);
        places(&format!("{PLAN_TEXT}\nand `gone.rs`\n"), &FILES, &["ARCHITECTURE.md:12"]);
        places("", &FILES, &["ARCHITECTURE.md:1"]);
    }
}
