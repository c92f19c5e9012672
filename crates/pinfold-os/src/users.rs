//! Users and groups as `/etc/passwd` and `/etc/group` tell them, and the `[user][:group]` notation.
//!
//! The two files are read directly, as [passwd(5)] and [group(5)] describe them. NSS is never asked: a static program
//! cannot load its modules, and an answer from the network may take minutes just before an exec. Accounts that live
//! elsewhere (LDAP, systemd-homed, Directory Services on macOS) are therefore unknown by name and work by number.
//!
//! Names are bytes, since nothing makes the files UTF-8. This file switches to no user; it only says what to switch to.
//! Windows has neither the files nor the numbers, and this module is absent there.
//!
//! [passwd(5)]: https://man7.org/linux/man-pages/man5/passwd.5.html
//! [group(5)]: https://man7.org/linux/man-pages/man5/group.5.html
#![cfg(unix)]

mod error;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

pub use error::{Kind, UserError};

/// Where users are looked up.
pub const PASSWD: &str = "/etc/passwd";
/// Where groups are looked up.
pub const GROUP: &str = "/etc/group";
/// The largest uid and gid. The number after it is `(uid_t)-1`, which tells chown(2) and setresuid(2) "leave as it is".
pub const MAX_ID: u32 = u32::MAX - 1;

/// One side of a [`UserSpec`]: an id, or a name to look up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// A uid or gid; ASCII digits are always a number, even where an account has such a name.
    Id(u32),
    /// A name, as bytes.
    Name(Vec<u8>),
}

/// A parsed `[user][:group]`.
///
/// Nothing is looked up yet; [`resolve`] does that.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UserSpec {
    /// The part before the colon; `None` is the current user.
    pub user: Option<Who>,
    /// The part after the colon; `None` is the user's own groups.
    pub group: Option<Who>,
}

impl UserSpec {
    /// Parses `user`, `user:group`, `:group`, and `user:` which is the same as `user`.
    ///
    /// # Errors
    /// A spec without any name (most often a variable that is not set; "the current user" would then mean "stay root"),
    /// with more than one colon, with a number beyond [`MAX_ID`], or with digits that are not ASCII.
    pub fn parse(spec: impl AsRef<OsStr>) -> Result<Self, UserError> {
        let spec = spec.as_ref().as_bytes();
        let mut parts = spec.split(|byte| *byte == b':');
        let user = parts.next().unwrap_or_default();
        let group = parts.next().unwrap_or_default();
        if parts.next().is_some() {
            return Err(UserError::TooManyColons { spec: os(spec) });
        }
        let parsed = Self { user: who(Kind::User, user)?, group: who(Kind::Group, group)? };
        if parsed.user.is_none() && parsed.group.is_none() {
            return Err(UserError::EmptySpec);
        }
        Ok(parsed)
    }
}

fn who(kind: Kind, text: &[u8]) -> Result<Option<Who>, UserError> {
    if text.is_empty() {
        return Ok(None);
    }
    if text.iter().all(u8::is_ascii_digit) {
        return match id(text) {
            Some(id) => Ok(Some(Who::Id(id))),
            None => Err(UserError::OutOfRange { kind, text: os(text) }),
        };
    }
    if std::str::from_utf8(text).is_ok_and(|text| text.chars().all(char::is_numeric)) {
        return Err(UserError::NotAsciiDigits { kind, text: os(text) });
    }
    Ok(Some(Who::Name(text.to_vec())))
}

/// A uid or gid in ASCII digits, or `None` if it is anything else or beyond [`MAX_ID`].
fn id(text: &[u8]) -> Option<u32> {
    if text.is_empty() {
        return None;
    }
    text.iter()
        .try_fold(0u32, |sum, byte| {
            let digit = byte.is_ascii_digit().then(|| u32::from(byte - b'0'))?;
            sum.checked_mul(10)?.checked_add(digit)
        })
        .filter(|id| *id <= MAX_ID)
}

/// One line of `/etc/passwd`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User<'a> {
    /// Login name.
    pub name: &'a [u8],
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Home directory; may be empty.
    pub home: &'a [u8],
    /// Login shell; empty means `/bin/sh`.
    pub shell: &'a [u8],
}

impl<'a> User<'a> {
    /// As glibc does, the fields after the gid may be missing, and the shell is all that follows the sixth colon.
    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut fields = line.splitn(7, |byte| *byte == b':');
        let name = name(fields.next()?)?;
        fields.next()?;
        let uid = id(fields.next()?)?;
        let gid = id(fields.next()?)?;
        fields.next();
        let home = fields.next().unwrap_or_default();
        let shell = fields.next().unwrap_or_default();
        Some(Self { name, uid, gid, home, shell })
    }
}

/// One line of `/etc/group`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group<'a> {
    /// Group name.
    pub name: &'a [u8],
    /// Group id.
    pub gid: u32,
    members: &'a [u8],
}

impl<'a> Group<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut fields = line.splitn(4, |byte| *byte == b':');
        let name = name(fields.next()?)?;
        fields.next()?;
        let gid = id(fields.next()?)?;
        let members = fields.next().unwrap_or_default();
        Some(Self { name, gid, members })
    }

    /// Login names of those whom this group is supplementary to.
    pub fn members(&self) -> impl Iterator<Item = &'a [u8]> {
        self.members.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|name| !name.is_empty())
    }
}

/// A name, unless it is the `+` or `-` of NIS or a comment.
fn name(field: &[u8]) -> Option<&[u8]> {
    match field.first()? {
        b'+' | b'-' | b'#' => None,
        _ => Some(field),
    }
}

/// The two files as they were when read; lines that are malformed are skipped.
///
/// A file that does not exist counts as empty, as in an image built from nothing, and errors say that it was missing.
#[derive(Clone, Debug)]
pub struct Database {
    passwd: Option<Vec<u8>>,
    group: Option<Vec<u8>>,
}

impl Database {
    /// Reads [`PASSWD`] and [`GROUP`] of this host.
    ///
    /// # Errors
    /// [`UserError::Unreadable`] if a file exists and cannot be read: to go on would be to guess somebody's groups.
    pub fn read() -> Result<Self, UserError> {
        let file = |path: &'static str| match fs::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(UserError::Unreadable { path: Path::new(path), source }),
        };
        Ok(Self { passwd: file(PASSWD)?, group: file(GROUP)? })
    }

    /// A database from the files' contents.
    #[must_use]
    pub fn parse(passwd: impl Into<Vec<u8>>, group: impl Into<Vec<u8>>) -> Self {
        Self { passwd: Some(passwd.into()), group: Some(group.into()) }
    }

    /// All users, in the order of the file.
    pub fn users(&self) -> impl Iterator<Item = User<'_>> {
        lines(self.passwd.as_deref()).filter_map(User::parse)
    }

    /// All groups, in the order of the file.
    pub fn groups(&self) -> impl Iterator<Item = Group<'_>> {
        lines(self.group.as_deref()).filter_map(Group::parse)
    }

    fn user(&self, who: &Who) -> Option<User<'_>> {
        match who {
            Who::Id(id) => self.users().find(|user| user.uid == *id),
            Who::Name(name) => self.users().find(|user| user.name == name),
        }
    }

    fn not_found(&self, kind: Kind, name: &[u8]) -> UserError {
        let missing = match kind {
            Kind::User => self.passwd.is_none(),
            Kind::Group => self.group.is_none(),
        };
        UserError::NotFound { kind, name: os(name), file_missing: missing }
    }
}

fn lines(file: Option<&[u8]>) -> impl Iterator<Item = &[u8]> {
    file.unwrap_or_default().split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii)
}

/// Who to become: what setgroups(2), setresgid(2) and setresuid(2) are to be given, in that order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// The whole list for setgroups(2). It begins with `gid`: initgroups(3) builds it so, and on the BSDs and macOS the
    /// first entry becomes the effective gid.
    pub groups: Vec<u32>,
    /// Home directory, if the account is known and has one; entrypoints use `/` otherwise.
    pub home: Option<PathBuf>,
    /// Login name, if the account is known.
    pub name: Option<OsString>,
    /// Login shell, if the account is known and has one; `/bin/sh` otherwise, says passwd(5).
    pub shell: Option<PathBuf>,
}

/// The user whose rights this process has.
pub fn effective() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Looks a spec up.
///
/// - An explicit group is the only group; there are no supplementary ones, even if it is the user's own.
/// - A user without a group takes the account's primary and supplementary groups, whether told by name or by number.
///   Where several accounts share a uid, the first line counts.
/// - A number without an account is allowed and keeps the current real gid.
/// - Without a user it is the current real uid.
///
/// # Errors
/// [`UserError::NotFound`] for a name that is not in the file.
pub fn resolve(spec: &UserSpec, database: &Database) -> Result<Resolved, UserError> {
    let current =
        Current { uid: rustix::process::getuid().as_raw(), gid: rustix::process::getgid().as_raw() };
    resolve_from(spec, database, current)
}

/// The real user id of this process.
pub fn own_uid() -> u32 {
    rustix::process::getuid().as_raw()
}

/// The effective user id of this process: who others take it for.
pub fn effective_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The ids that a spec leaves as they are.
#[derive(Clone, Copy)]
struct Current {
    uid: u32,
    gid: u32,
}

fn resolve_from(spec: &UserSpec, database: &Database, current: Current) -> Result<Resolved, UserError> {
    let wanted = spec.user.clone().unwrap_or(Who::Id(current.uid));
    let account = database.user(&wanted);
    let uid = match (&wanted, account) {
        (_, Some(user)) => user.uid,
        (Who::Id(id), None) => *id,
        (Who::Name(name), None) => return Err(database.not_found(Kind::User, name)),
    };
    let gid = match &spec.group {
        Some(Who::Id(id)) => *id,
        Some(Who::Name(name)) => {
            let group = database.groups().find(|group| group.name == name);
            group.ok_or_else(|| database.not_found(Kind::Group, name))?.gid
        }
        None => account.map_or(current.gid, |user| user.gid),
    };
    let mut groups = vec![gid];
    if let (None, Some(user)) = (&spec.group, account) {
        for group in database.groups() {
            if !groups.contains(&group.gid) && group.members().any(|member| member == user.name) {
                groups.push(group.gid);
            }
        }
    }
    let path = |field: &[u8]| (!field.is_empty()).then(|| PathBuf::from(os(field)));
    Ok(Resolved {
        uid,
        gid,
        groups,
        home: account.and_then(|user| path(user.home)),
        name: account.map(|user| os(user.name)),
        shell: account.and_then(|user| path(user.shell)),
    })
}

fn os(bytes: &[u8]) -> OsString {
    OsStr::from_bytes(bytes).to_owned()
}

#[cfg(test)]
mod tests;
