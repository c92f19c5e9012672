//! Packages of Debian, downloaded and unpacked below the target directory, and never installed.
//!
//! It is an apt with lists and a status of its own, so that neither the release nor the settings of this machine matter.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::house::{House, ask};
use crate::step::{Verdict, run};

const ARCHIVE: &str = "http://deb.debian.org/debian";
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The packages of one release, and a directory to work in.
pub(super) struct Apt<'a> {
    house: &'a House,
    work: PathBuf,
}

impl<'a> Apt<'a> {
    /// Fetches the lists of a release of Debian. What an earlier try left in `work` is of no use.
    pub(super) fn of(house: &'a House, debian: &str, work: PathBuf) -> Result<Self, Verdict> {
        if ask(house.command("apt-get", ["--version"])).is_none() {
            return Err(Verdict::missing("apt-get is missing, which fetches from Debian's archive"));
        }
        if !Path::new(KEYS).is_file() {
            let why = format!("{KEYS} is missing (apt-get install debian-archive-keyring)");
            return Err(Verdict::missing(why));
        }
        let _ = fs::remove_dir_all(&work);
        let apt = Self { house, work };
        for dir in ["lists/partial", "archives/partial"] {
            fs::create_dir_all(apt.work.join(dir)).map_err(|error| apt.failed(&error))?;
        }
        let source = format!("deb [signed-by={KEYS}] {ARCHIVE} {debian} main\n");
        for (name, content) in [("sources.list", &*source), ("status", "")] {
            fs::write(apt.work.join(name), content).map_err(|error| apt.failed(&error))?;
        }
        // Without the setting, an index that could not be fetched is a warning.
        apt.run("apt-get", &["-o", "APT::Update::Error-Mode=any", "update"])?;
        Ok(apt)
    }

    /// Runs one of its tools in the working directory.
    pub(super) fn run(&self, tool: &str, args: &[&str]) -> Result<String, Verdict> {
        let mut command = self.house.command(tool, ["-qq"]);
        for (option, file) in [
            ("Dir::Etc::SourceList", "sources.list"),
            ("Dir::State::Lists", "lists"),
            ("Dir::State::status", "status"),
            ("Dir::Cache::archives", "archives"),
        ] {
            command.arg("-o").arg(format!("{option}={}", self.work.join(file).display()));
        }
        for setting in [
            "Dir::Etc::SourceParts=-",
            "Dir::Cache::pkgcache=",
            "Dir::Cache::srcpkgcache=",
            "APT::Sandbox::User=root",
            "APT::Architecture=amd64",
            "APT::Install-Recommends=false",
            "Acquire::Languages=none",
            "Acquire::http::Timeout=20",
            "Debug::NoLocking=1",
        ] {
            command.args(["-o", setting]);
        }
        command.args(args).current_dir(&self.work);
        run(command)
    }

    /// Unpacks whatever was downloaded into `home`, in which `links` are made first, and clears up. In one step, so that a
    /// half is never taken for the whole.
    pub(super) fn unpack(&self, links: &[(&str, &str)], home: &Path) -> Result<(), Verdict> {
        let failed = |error: io::Error| self.failed(&error);
        let unpacked = self.work.join("unpacked");
        fs::create_dir_all(&unpacked).map_err(failed)?;
        for (link, target) in links {
            fs::create_dir_all(unpacked.join(target)).map_err(failed)?;
            link_to(target, &unpacked.join(link)).map_err(failed)?;
        }
        let mut found = false;
        for dir in [self.work.clone(), self.work.join("archives")] {
            for path in fs::read_dir(dir).map_err(failed)?.flatten().map(|entry| entry.path()) {
                if path.extension() == Some(OsStr::new("deb")) {
                    found = true;
                    // dpkg-deb itself would replace a link to a directory by a directory.
                    let script = "dpkg-deb --fsys-tarfile \"$0\" | tar -x --keep-directory-symlink -C \"$1\"";
                    let args = [OsStr::new("-c"), OsStr::new(script), path.as_os_str(), unpacked.as_os_str()];
                    run(self.house.command("sh", args))?;
                }
            }
        }
        if !found {
            return Err(Verdict::Failed("apt-get downloaded no package\n".to_owned()));
        }
        let parent = home.parent().unwrap_or(home);
        fs::create_dir_all(parent)
            .and_then(|()| fs::rename(&unpacked, home))
            .and_then(|()| fs::remove_dir_all(&self.work))
            .map_err(failed)
    }

    fn failed(&self, error: &io::Error) -> Verdict {
        Verdict::Failed(format!("{}: {error}\n", self.work.display()))
    }
}

#[cfg(unix)]
fn link_to(target: &str, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(not(unix))]
fn link_to(_: &str, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A failure to fetch, as the lack of what was to be fetched.
pub(super) fn out_of_reach(verdict: Verdict, what: &str, debian: &str) -> Verdict {
    match verdict {
        Verdict::Failed(why) => {
            let said = why.trim_end().lines().rev().find(|line| line.starts_with("E:"));
            let said = said.or(why.trim_end().lines().last()).unwrap_or_default();
            Verdict::missing(format!("{what} of {debian} cannot be had from Debian's archive: {said}"))
        }
        other => other,
    }
}
