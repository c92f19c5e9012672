//! Papers: every link between files leads somewhere, and every file under docs/ is linked from another page.

use std::collections::BTreeSet;

use super::Finding;
use super::tree::Tree;
use crate::markdown::links;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut linked = BTreeSet::new();
    for (path, text) in tree.ending(".md") {
        for (line, target) in links(text) {
            let target = target.trim_start_matches('<').trim_end_matches('>');
            let target = target.split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains(':') {
                continue;
            }
            let target = resolve(path, target);
            if !tree.has(&target) {
                found.push(Finding::new(
                    path,
                    line,
                    format!("the link leads to `{target}`, which is not there"),
                ));
            }
            if target != path {
                linked.insert(target);
            }
        }
    }
    for (path, _) in tree.files().filter(|(path, _)| path.starts_with("docs/")) {
        if !linked.contains(path) {
            found.push(Finding::new(path, 1, "no page links here; link it where a reader would look for it"));
        }
    }
    found
}

/// Where a relative link in the file `from` leads, as a path from the root.
fn resolve(from: &str, target: &str) -> String {
    let (dir, target) = match target.strip_prefix('/') {
        Some(from_root) => ("", from_root),
        None => (from.rsplit_once('/').map_or("", |(dir, _)| dir), target),
    };
    let mut path: Vec<&str> = Vec::new();
    for part in dir.split('/').chain(target.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(path.pop()),
            name => path.push(name),
        }
    }
    path.join("/")
}

#[cfg(test)]
mod tests {
    use super::super::tests::assert_places;
    use super::*;

    #[test]
    fn linked_pages_are_fine_from_every_place() {
        let files = [
            ("README.md", "[a](docs/a.md#part) [d](docs/) [web](https://example.org/x) [here](#part)"),
            ("docs/a.md", "[b](deep/b.md) [top](../README.md)"),
            ("docs/deep/b.md", "[c](../c.svg) [root](/README.md) [self](b.md)"),
            ("docs/c.svg", ""),
        ];
        assert_places(check, &files, &[]);
    }

    #[test]
    fn a_page_that_nothing_or_only_itself_links_is_found() {
        let files = [("README.md", "`[a](docs/a.md)`"), ("docs/a.md", "[a](a.md)")];
        assert_places(check, &files, &["docs/a.md:1"]);
    }

    #[test]
    fn a_link_to_nothing_is_found() {
        assert_places(check, &[("README.md", "\n[a](docs/a.md)")], &["README.md:2"]);
        assert_places(
            check,
            &[("docs/deep/b.md", "[a](a.md)"), ("a.md", "[b](docs/deep/b.md)")],
            &["docs/deep/b.md:1"],
        );
    }
}
