//! `cargo xtask tidy`: the rules of the house that no compiler knows.
//!
//! Each rule is a function from the tree to findings; each finding names a place and says what to do there. A rule
//! reads its tables from ARCHITECTURE.md where the plan has them, so that plan and check cannot differ.

mod floors;
mod manifest;
mod papers;
mod rooms;
mod rows;
mod sizes;
mod source;
mod tree;
mod unsafety;
mod words;

use std::fmt::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use tree::Tree;

/// The plan of the house: tables that rules read, and the list of the rooms.
const PLAN: &str = "ARCHITECTURE.md";

/// A place where the tree breaks a rule, and what to do about it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    line: usize,
    advice: String,
}

impl Finding {
    fn new(path: &str, line: usize, advice: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, advice: advice.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.advice)
    }
}

const RULES: [fn(&Tree) -> Vec<Finding>; 7] =
    [floors::check, rows::check, sizes::check, unsafety::check, words::check, papers::check, rooms::check];

/// What tidy found in a tree.
pub(crate) struct Report {
    /// A line for each finding; empty when the tree is tidy.
    pub(crate) findings: String,
    /// Lines that nobody has to act on yet.
    pub(crate) notes: Vec<String>,
}

/// Checks the tree below `root` against every rule.
pub(crate) fn report(root: &Path) -> Result<Report, String> {
    let tree =
        Tree::read(root).map_err(|error| format!("reading the files below {}: {error}", root.display()))?;
    let mut found: Vec<Finding> = RULES.iter().flat_map(|rule| rule(&tree)).collect();
    found.sort();
    let mut findings = String::new();
    for finding in found {
        // Writing to a String cannot fail.
        let _ = writeln!(findings, "{finding}");
    }
    Ok(Report { findings, notes: sizes::long(&tree) })
}

/// The command: prints what is not tidy, and fails when there is any.
pub(crate) fn main(root: &Path) -> ExitCode {
    match report(root) {
        Ok(report) => {
            for note in &report.notes {
                println!("note: {note}");
            }
            print!("{}", report.findings);
            println!("{} findings", report.findings.lines().count());
            if report.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a rule says of made-up files, one line each.
    pub(super) fn found(rule: fn(&Tree) -> Vec<Finding>, files: &[(&str, &str)]) -> Vec<String> {
        rule(&Tree::of(files)).iter().map(ToString::to_string).collect()
    }

    /// Asserts that the rule finds exactly these places (`path:line`).
    pub(super) fn assert_places(rule: fn(&Tree) -> Vec<Finding>, files: &[(&str, &str)], places: &[&str]) {
        let found = found(rule, files);
        let starts = |line: &String, place: &&str| line.starts_with(&format!("{place}: "));
        let same =
            found.len() == places.len() && found.iter().zip(places).all(|(line, place)| starts(line, place));
        assert!(same, "expected {places:?}, found {found:#?}");
    }

    #[test]
    fn a_finding_names_its_place_first() {
        let finding = Finding::new("src/a.rs", 3, "split it");
        assert_eq!(finding.to_string(), "src/a.rs:3: split it");
    }
}
