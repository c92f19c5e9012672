//! Words that no file of the project may hold: paths of a machine on which it was written, and package registries.

use super::Finding;
use super::tree::Tree;

/// Beginnings of absolute paths; part of a longer path is something else.
const PATHS: [&str; 2] = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];
const HOSTS: [&str; 3] = [concat!("crates", ".io"), concat!("pypi", ".org"), concat!("registry", ".npmjs")];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    // Cargo writes the lock file, and the registry into it.
    for (path, text) in tree.files().filter(|(path, _)| !path.ends_with("Cargo.lock")) {
        for (index, line) in text.lines().enumerate() {
            for word in PATHS.iter().filter(|word| begins_a_path(line, word)) {
                let advice = format!("`{word}` is a path of one machine; make it relative, or leave it out");
                found.push(Finding::new(path, index + 1, advice));
            }
            for word in HOSTS.iter().filter(|word| line.contains(**word)) {
                let advice = format!("`{word}` names a package registry; name the package alone");
                found.push(Finding::new(path, index + 1, advice));
            }
        }
    }
    found
}

fn begins_a_path(line: &str, word: &str) -> bool {
    let part_of_a_path = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '~' | '}' | '$');
    line.match_indices(word).any(|(at, _)| !line[..at].ends_with(part_of_a_path))
}

#[cfg(test)]
mod tests {
    use super::super::tests::assert_places;
    use super::*;

    #[test]
    fn every_forbidden_word_is_found_in_every_kind_of_file() {
        for word in PATHS.iter().chain(&HOSTS) {
            let text = format!("fine\nsee `{word}x`\n");
            for path in ["a.md", "b.rs", ".ci/run", "c.toml"] {
                assert_places(check, &[(path, &text)], &[&format!("{path}:2")]);
            }
            assert_places(check, &[("Cargo.lock", &text)], &[]);
        }
    }

    #[test]
    fn a_longer_path_is_not_an_absolute_one() {
        for path in PATHS {
            assert_places(check, &[("a.md", &format!("build{path}x and ~{path}"))], &[]);
        }
    }
}
