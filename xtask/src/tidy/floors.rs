//! Floors: a crate uses only crates of floors below its own. The order is the `floors` block of the plan.

use super::manifest::packages;
use super::tree::Tree;
use super::{Finding, PLAN};
use crate::markdown::only_fence;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let floors = match only_fence(tree.get(PLAN).unwrap_or_default(), "floors") {
        Ok(floors) => floors.lines,
        Err(wrong) => return vec![Finding::new(PLAN, 1, wrong)],
    };
    // The lowest floor stands last, as in a drawing of a house.
    let floor_of = |name: &str| {
        floors.iter().rev().position(|(_, line)| line.split_whitespace().any(|crate_| crate_ == name))
    };
    let packages = packages(tree);
    let mut found = Vec::new();
    for package in &packages {
        let Some(floor) = floor_of(package.name) else {
            let advice =
                format!("`{}` stands on no floor; name it in the floors block of {PLAN}", package.name);
            found.push(Finding::new(package.path, 1, advice));
            continue;
        };
        for (line, used) in &package.dependencies {
            if packages.iter().any(|other| other.name == *used)
                && floor_of(used).is_some_and(|below| below >= floor)
            {
                let advice = format!(
                    "`{}` may use only the floors below it, and `{used}` is not there; move what both need down",
                    package.name
                );
                found.push(Finding::new(package.path, *line, advice));
            }
        }
    }
    for (line, names) in &floors {
        for name in
            names.split_whitespace().filter(|name| packages.iter().all(|package| package.name != *name))
        {
            found.push(Finding::new(
                PLAN,
                *line,
                format!("no crate is called `{name}`; take it off its floor"),
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::tests::assert_places;
    use super::*;

    const FLOORS: &str = "```floors\ntool chores\nengine\nkernel\n```\n";

    fn house(kernel: &str, engine: &str, tool: &str, floors: &str, places: &[&str]) {
        let named =
            |name: &str, rest: &str| format!("[package]\nname = \"{name}\"\n[dependencies]\n{rest}\n");
        let files = [
            (PLAN, floors),
            ("kernel/Cargo.toml", &named("kernel", kernel)),
            ("engine/Cargo.toml", &named("engine", engine)),
            ("tool/Cargo.toml", &named("tool", tool)),
            ("chores/Cargo.toml", &named("chores", "")),
        ];
        assert_places(check, &files, places);
    }

    #[test]
    fn downwards_is_allowed() {
        house("libc = \"1\"", "kernel = {}", "engine.workspace = true\nkernel = {}", FLOORS, &[]);
    }

    #[test]
    fn upwards_sideways_and_by_another_name_is_not() {
        house("engine = {}", "", "", FLOORS, &["kernel/Cargo.toml:4"]);
        house("x = { package = \"tool\" }", "", "", FLOORS, &["kernel/Cargo.toml:4"]);
        house("[dev-dependencies]\nengine = {}", "", "", FLOORS, &["kernel/Cargo.toml:5"]);
        house("", "", "chores = {}", FLOORS, &["tool/Cargo.toml:4"]);
    }

    #[test]
    fn a_crate_without_floor_and_a_floor_without_crate_are_found() {
        house(
            "",
            "",
            "",
            "```floors\ntool chores roof\nengine\n```\n",
            &["kernel/Cargo.toml:1", "ARCHITECTURE.md:2"],
        );
        house("", "", "", "no table\n", &["ARCHITECTURE.md:1"]);
    }
}
