//! The file of a cassette: JSON lines, of which the first says that it is one.

use super::entry::Entry;
use pinfold_os::lock::try_lock;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const HEADER: &str = r#"{"pinfold_cassette":1}"#;
/// How long another process may have the directory to itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads a cassette: its lines and what they say; nothing if there is no file.
pub(super) fn read(path: &Path) -> io::Result<Option<Vec<(String, Entry)>>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let invalid = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    match lines.next() {
        None => return Ok(Some(Vec::new())),
        Some((_, line)) if line.trim() == HEADER => {}
        Some((_, line)) if line.starts_with(r#"{"pinfold_cassette":"#) => {
            return Err(invalid("it is a cassette of another version of pinfold".to_owned()));
        }
        Some(_) => return Err(invalid(format!("it is no cassette: its first line is not {HEADER}"))),
    }
    let entry = |(index, line): (usize, &str)| {
        // serde's words quote the input at most by its type.
        let entry = serde_json::from_str(line)
            .map_err(|error| invalid(format!("line {} is no recording: {error}", index + 1)))?;
        Ok((line.to_owned(), entry))
    };
    lines.map(entry).collect::<io::Result<_>>().map(Some)
}

/// Adds a line, and drops those that `replaced` says it of. What others have added meanwhile stays. The file is replaced as a
/// whole, so that whoever reads it, and whatever ends us, finds the one before or this one.
pub(super) fn add(path: &Path, line: &str, replaced: impl Fn(&str, &Entry) -> bool) -> io::Result<()> {
    let (path, directory, _lock) = ours(path)?;
    let mut text = format!("{HEADER}\n");
    for (other, entry) in read(&path)?.unwrap_or_default() {
        if !replaced(&other, &entry) {
            text += &other;
            text.push('\n');
        }
    }
    text += line;
    text.push('\n');
    replace(&path, &directory, text.as_bytes())
}

/// Makes an empty cassette, unless there is a file.
pub(super) fn make(path: &Path) -> io::Result<()> {
    let (path, directory, _lock) = ours(path)?;
    match path.try_exists()? {
        true => Ok(()),
        false => replace(&path, &directory, format!("{HEADER}\n").as_bytes()),
    }
}

/// The file, and its directory, which is ours until the last of these is dropped.
fn ours(path: &Path) -> io::Result<(PathBuf, PathBuf, Option<File>)> {
    // A link stays one.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    fs::create_dir_all(&directory)?;
    let lock = lock(&directory)?;
    Ok((path, directory, lock))
}

/// Has the directory to itself among those that record in it. Where there are no such locks, the last one wins.
fn lock(directory: &Path) -> io::Result<Option<File>> {
    if cfg!(not(unix)) {
        return Ok(None);
    }
    let file = File::open(directory)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match try_lock(&file) {
            Ok(true) => return Ok(Some(file)),
            Ok(false) if Instant::now() >= deadline => {
                let what = format!("{} is locked by another process", directory.display());
                return Err(io::Error::new(io::ErrorKind::TimedOut, what));
            }
            Ok(false) => std::thread::sleep(Duration::from_millis(2)),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}

fn replace(path: &Path, directory: &Path, bytes: &[u8]) -> io::Result<()> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = directory.join(format!(".{name}.{}.{number}.new", std::process::id()));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).open(&new)?;
        if let Ok(metadata) = fs::metadata(path) {
            file.set_permissions(metadata.permissions())?;
        }
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written
}
