//! The few facts that tidy needs of a Cargo.toml, read line by line: this project's manifests are written for people.

use super::tree::Tree;

/// A package of the workspace.
pub(super) struct Manifest<'a> {
    pub(super) path: &'a str,
    pub(super) name: &'a str,
    /// Dependencies of every kind, under the name of the package that they mean, with their lines.
    pub(super) dependencies: Vec<(usize, &'a str)>,
    /// The roots of its library and its binaries, as paths in the tree.
    pub(super) roots: Vec<String>,
}

/// Every package of the tree.
pub(super) fn packages(tree: &Tree) -> Vec<Manifest<'_>> {
    let manifests = tree.files().filter(|(path, _)| *path == "Cargo.toml" || path.ends_with("/Cargo.toml"));
    manifests.filter_map(|(path, text)| read(tree, path, text)).collect()
}

fn read<'a>(tree: &Tree, path: &'a str, text: &'a str) -> Option<Manifest<'a>> {
    let dir = path.strip_suffix("Cargo.toml")?;
    let mut name = None;
    let mut dependencies: Vec<(usize, &str)> = Vec::new();
    let mut roots = Vec::new();
    let mut section = "";
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[').filter(|_| line.ends_with(']')) {
            section = header.trim_start_matches('[').trim_end_matches(']');
            if let Some((table, dependency)) = section.rsplit_once('.')
                && lists_dependencies(table)
            {
                dependencies.push((index + 1, dependency));
            }
            continue;
        }
        let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) else { continue };
        // `name.workspace = true` is a dependency too.
        let key = key.trim().split('.').next().unwrap_or_default();
        match section {
            "package" if key == "name" => name = Some(string(value)),
            "lib" | "bin" if key == "path" => roots.push(format!("{dir}{}", string(value))),
            _ if lists_dependencies(section) => {
                let renamed = value.split_once("package").and_then(|(_, rest)| rest.split_once('='));
                dependencies.push((index + 1, renamed.map_or(key, |(_, rest)| string(rest))));
            }
            _ => {}
        }
    }
    let in_src = |path: &&str| match path.strip_prefix(dir).and_then(|path| path.strip_prefix("src/")) {
        Some("lib.rs" | "main.rs") => true,
        Some(path) => {
            path.starts_with("bin/") && (path.matches('/').count() == 1 || path.ends_with("/main.rs"))
        }
        None => false,
    };
    roots.extend(tree.ending(".rs").map(|(path, _)| path).filter(in_src).map(str::to_owned));
    roots.sort();
    roots.dedup();
    name.map(|name| Manifest { path, name, dependencies, roots })
}

fn lists_dependencies(section: &str) -> bool {
    let kind = if section.starts_with("target.") { section.rsplit('.').next() } else { Some(section) };
    matches!(kind, Some("dependencies" | "dev-dependencies" | "build-dependencies"))
}

/// The first quoted string of a value.
fn string(value: &str) -> &str {
    value.split('"').nth(1).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_gives_name_dependencies_and_roots() {
        let text = r#"
[package]
name = "a"
[[bin]]
name = "tool"
path = "src/tool/main.rs"
[[bin]]
path = "src/main.rs"
[dependencies]
b = { path = "../b" }
c.workspace = true
# d = "1"
renamed = { package = "e", version = "1" }
[target.'cfg(unix)'.dev-dependencies]
f = "1"
[dependencies.g]
version = "1"
[features]
h = ["dep:b"]
[workspace.dependencies]
i = "1"
"#;
        let tree = Tree::of(&[
            ("crates/a/Cargo.toml", text),
            ("crates/a/src/lib.rs", ""),
            ("crates/a/src/bin/x.rs", ""),
            ("crates/a/src/tool/main.rs", ""),
            ("crates/a/src/main.rs", ""),
            ("Cargo.toml", "[workspace.package]\nname = \"none\"\n"),
        ]);
        let packages = packages(&tree);
        assert_eq!(packages.len(), 1);
        assert_eq!((packages[0].name, packages[0].path), ("a", "crates/a/Cargo.toml"));
        assert_eq!(packages[0].dependencies, [(10, "b"), (11, "c"), (13, "e"), (15, "f"), (16, "g")]);
        let roots = ["src/bin/x.rs", "src/lib.rs", "src/main.rs", "src/tool/main.rs"]
            .map(|path| format!("crates/a/{path}"));
        assert_eq!(packages[0].roots, roots);
    }
}
