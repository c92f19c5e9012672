//! Sizes: a source file reads in one sitting.

use super::Finding;
use super::tree::Tree;

/// Longer files fail.
const MOST: usize = 600;
/// Longer files are listed.
const LONG: usize = 400;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let over = lengths(tree).filter(|(_, lines)| *lines > MOST);
    let advice = |lines| format!("{lines} lines, and {MOST} is the most; give a second noun its own file");
    over.map(|(path, lines)| Finding::new(path, MOST + 1, advice(lines))).collect()
}

/// The files on their way to being too long, for the eye.
pub(super) fn long(tree: &Tree) -> Vec<String> {
    let long = lengths(tree).filter(|(_, lines)| (LONG + 1..=MOST).contains(lines));
    long.map(|(path, lines)| format!("{path} has {lines} lines; most files stay under {LONG}")).collect()
}

fn lengths(tree: &Tree) -> impl Iterator<Item = (&str, usize)> {
    tree.ending(".rs").map(|(path, text)| (path, text.lines().count()))
}

#[cfg(test)]
mod tests {
    use super::super::tests::assert_places;
    use super::*;

    #[test]
    fn over_the_limit_fails_and_near_it_is_listed() {
        let lines = |n: usize| "\n".repeat(n);
        let (full, over, long_file, short) = (lines(600), lines(601), lines(401), lines(400));
        let files = [
            ("full.rs", &*full),
            ("over.rs", &*over),
            ("long.rs", &*long_file),
            ("short.rs", &*short),
            ("x.md", &*over),
        ];
        assert_places(check, &files, &["over.rs:601"]);
        let notes = long(&Tree::of(&files));
        assert_eq!(notes.len(), 2);
        assert!(
            notes[0].starts_with("full.rs has 600 lines") && notes[1].starts_with("long.rs has 401 lines")
        );
    }
}
