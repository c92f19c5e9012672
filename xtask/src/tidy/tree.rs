//! The files of the project, in memory: what every tidy rule looks at, so that its tests can make a tree up.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

/// Paths relative to the root, with `/` on every platform, and what the files hold. What is not UTF-8 text, and what
/// is a symbolic link, is there by name with nothing in it.
#[derive(Default)]
pub(crate) struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    /// Reads the tree below `root`. Left out are `.git`, what a plain line of the root's `.gitignore` names, and every
    /// directory that says of itself that it is a cache (`CACHEDIR.TAG`), as cargo's target directories do.
    pub(crate) fn read(root: &Path) -> io::Result<Self> {
        let ignored = fs::read_to_string(root.join(".gitignore")).unwrap_or_default();
        let ignored: Vec<&str> = ignored.lines().map(|line| line.trim().trim_matches('/')).collect();
        let mut tree = Self::default();
        tree.walk(root, "", &ignored)?;
        Ok(tree)
    }

    fn walk(&mut self, dir: &Path, prefix: &str, ignored: &[&str]) -> io::Result<()> {
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let path = format!("{prefix}{name}");
            if name == ".git" || ignored.contains(&name.as_str()) || ignored.contains(&path.as_str()) {
                continue;
            }
            let kind = entry.file_type()?;
            if kind.is_dir() {
                if !entry.path().join("CACHEDIR.TAG").exists() {
                    self.walk(&entry.path(), &format!("{path}/"), ignored)?;
                }
            } else if kind.is_file() {
                self.files.insert(path, String::from_utf8(fs::read(entry.path())?).unwrap_or_default());
            } else if kind.is_symlink() {
                self.files.insert(path, String::new());
            }
        }
        Ok(())
    }

    /// Every file: path and text, ordered by path.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Every file whose name ends with `ending`.
    pub(crate) fn ending(&self, ending: &str) -> impl Iterator<Item = (&str, &str)> {
        self.files().filter(move |(path, _)| path.ends_with(ending))
    }

    pub(crate) fn get(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Whether there is such a file, or a directory with a file in it.
    pub(crate) fn has(&self, path: &str) -> bool {
        let below = format!("{path}/");
        path.is_empty()
            || self.files.contains_key(path)
            || self.files.range(below.clone()..).next().is_some_and(|(found, _)| found.starts_with(&below))
    }

    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        Self { files: files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect() }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_read_tree_leaves_caches_and_the_ignored_out() {
        let root = std::env::temp_dir().join(format!("pinfold-tidy-tree-{}", std::process::id()));
        for (path, text) in [
            (".gitignore", "/out\n"),
            (".git/config", ""),
            ("out/x.rs", ""),
            ("build/CACHEDIR.TAG", ""),
            ("build/y.rs", ""),
            ("src/z.rs", "fn z() {}"),
        ] {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        fs::write(root.join("src/picture"), [0xff, 0xfe]).unwrap();
        let tree = Tree::read(&root);
        fs::remove_dir_all(&root).unwrap();
        let tree = tree.unwrap();
        let found: Vec<_> = tree.files().collect();
        assert_eq!(found, [(".gitignore", "/out\n"), ("src/picture", ""), ("src/z.rs", "fn z() {}")]);
        assert!(tree.has("src") && tree.has("src/z.rs") && !tree.has("sr") && !tree.has("out"));
    }
}
