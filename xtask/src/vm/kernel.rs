//! Kernels from Debian's packages: downloaded and unpacked below the target directory, and never installed.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::house::{House, ask};
use crate::step::{Verdict, run};

const ARCHIVE: &str = "http://deb.debian.org/debian";
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// The package that stands for the newest kernel for virtual machines of a release of Debian.
const PACKAGE: &str = "linux-image-cloud-amd64";

/// The kernel of a release of Debian, `bookworm` for one: from the cache, else from Debian's archive.
///
/// It has an apt of its own, with lists of its own, so that neither the release nor the settings of this machine matter.
pub(super) fn kernel(house: &House, debian: &str) -> Result<PathBuf, Verdict> {
    let home = house.target().join("vm/kernels").join(debian);
    if let Some(image) = image(&home) {
        return Ok(image);
    }
    if ask(house.command("apt-get", ["--version"])).is_none() {
        return Err(Verdict::missing(
            "apt-get is missing, by which the kernels are fetched from Debian's archive",
        ));
    }
    if !Path::new(KEYS).is_file() {
        return Err(Verdict::missing(format!("{KEYS} is missing (apt-get install debian-archive-keyring)")));
    }
    fetch(house, debian, &home).map_err(|verdict| match verdict {
        Verdict::Failed(why) => {
            let why = why.trim_end().lines().last().unwrap_or_default().to_owned();
            Verdict::missing(format!("the kernel of {debian} cannot be fetched from Debian's archive: {why}"))
        }
        other => other,
    })?;
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
    let failed = |error: io::Error| Verdict::Failed(format!("{}: {error}\n", home.display()));
    let work = home.with_extension("part");
    // What an earlier try left is of no use.
    let _ = fs::remove_dir_all(&work);
    fs::create_dir_all(work.join("lists/partial")).map_err(failed)?;
    let sources = work.join("sources.list");
    fs::write(&sources, format!("deb [signed-by={KEYS}] {ARCHIVE} {debian} main\n")).map_err(failed)?;
    let apt = |tool: &str, args: &[&str]| {
        let mut command = house.command(tool, ["-qq"]);
        for (option, path) in [
            ("Dir::Etc::SourceList", sources.as_path()),
            ("Dir::Etc::SourceParts", Path::new("-")),
            ("Dir::State::Lists", &work.join("lists")),
            ("Dir::Cache::pkgcache", Path::new("")),
            ("Dir::Cache::srcpkgcache", Path::new("")),
            ("APT::Sandbox::User", Path::new("root")),
            ("Acquire::Languages", Path::new("none")),
            ("APT::Architecture", Path::new("amd64")),
            ("Acquire::http::Timeout", Path::new("20")),
        ] {
            command.arg("-o").arg(format!("{option}={}", path.display()));
        }
        command.args(args).current_dir(&work);
        run(command)
    };
    // Without it, apt takes an index that it could not fetch for a warning.
    apt("apt-get", &["-o", "APT::Update::Error-Mode=any", "update"])?;
    let depends = apt("apt-cache", &["depends", PACKAGE])?;
    let package = dependency(&depends).ok_or_else(|| {
        Verdict::Failed(format!("{PACKAGE} of {debian} depends on no kernel, as far as apt-cache says\n"))
    })?;
    apt("apt-get", &["download", package])?;
    let archive = fs::read_dir(&work).map_err(failed)?.flatten().map(|entry| entry.path());
    let archive = archive.into_iter().find(|path| path.extension() == Some(OsStr::new("deb")));
    let archive = archive.ok_or_else(|| Verdict::Failed(format!("apt-get downloaded no {package}\n")))?;
    let unpacked = work.join("unpacked");
    run(house.command("dpkg-deb", [OsStr::new("-x"), archive.as_os_str(), unpacked.as_os_str()]))?;
    // In one step, so that half a kernel is never taken for one.
    fs::rename(&unpacked, home).and_then(|()| fs::remove_dir_all(&work)).map_err(failed)
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
