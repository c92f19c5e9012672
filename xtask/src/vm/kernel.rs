//! Kernels from Debian's packages: downloaded and unpacked below the target directory, and never installed.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::house::House;
use crate::step::Verdict;

use super::apt::{Apt, out_of_reach};

/// The package that stands for the newest kernel for virtual machines of a release of Debian.
const PACKAGE: &str = "linux-image-cloud-amd64";

/// The kernel of a release of Debian, `bookworm` for one: from the cache, else from Debian's archive.
pub(super) fn kernel(house: &House, debian: &str) -> Result<PathBuf, Verdict> {
    let home = house.target().join("vm/kernels").join(debian);
    if let Some(image) = image(&home) {
        return Ok(image);
    }
    fetch(house, debian, &home).map_err(|verdict| out_of_reach(verdict, "the kernel", debian))?;
    image(&home).ok_or_else(|| Verdict::Failed(format!("{}: no kernel was in {PACKAGE}\n", home.display())))
}

/// The kernel below a directory into which a package was unpacked.
fn image(home: &Path) -> Option<PathBuf> {
    let files = fs::read_dir(home.join("boot")).ok()?.flatten().map(|entry| entry.path());
    files.into_iter().find(|path| {
        path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with("vmlinuz-"))
    })
}

fn fetch(house: &House, debian: &str, home: &Path) -> Result<(), Verdict> {
    let apt = Apt::of(house, debian, home.with_extension("part"))?;
    let depends = apt.run("apt-cache", &["depends", PACKAGE])?;
    let package = dependency(&depends).ok_or_else(|| {
        Verdict::Failed(format!("{PACKAGE} of {debian} depends on no kernel, as far as apt-cache says\n"))
    })?;
    apt.run("apt-get", &["download", package])?;
    apt.unpack(&[], home)
}

/// The package that another one depends on, of what `apt-cache depends` prints.
fn dependency(depends: &str) -> Option<&str> {
    depends.lines().find_map(|line| line.trim().strip_prefix("Depends: "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_what_its_stand_in_depends_on() {
        let said = "linux-image-cloud-amd64\n  Depends: linux-image-6.1.0-56-cloud-amd64\n";
        assert_eq!(dependency(said), Some("linux-image-6.1.0-56-cloud-amd64"));
        assert_eq!(dependency("linux-image-cloud-amd64\n"), None);
    }
}
