//! The console blocks of the README and of docs/, run as a reader would run them.
//!
//! In a ```` ```console ```` block a line that begins with `$ ` is a command (one that ends in `\` goes on in the next
//! line, which may begin with `> `), and what follows is all that it prints, on both outputs. `...` stands for any
//! lines, or within a line for any text; `[exit N]` as the last line says how the command ends, and without it the
//! command succeeds. Each command runs in a shell of its own; the commands of one page share an empty directory and find
//! the built programs on PATH. What cannot be run in a test (it needs a network, or another machine) stands in a block
//! of another kind, such as `text`.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use std::{env, fs, io};

use crate::house::House;
use crate::markdown::fences;
use crate::step::{Verdict, start};

/// No documented command needs longer; one that waits for something that never comes is a failure.
const LIMIT: Duration = Duration::from_secs(60);
/// How long the output of what was killed may take to end.
const AFTER_KILL: Duration = Duration::from_secs(5);

/// A command of a page and what the page says of it.
struct Shown<'a> {
    line: usize,
    script: String,
    output: Vec<&'a str>,
    exit: i32,
}

/// Runs the blocks of every page; `programs` is put in front of PATH.
pub(crate) fn verdict(house: &House, programs: &Path) -> Verdict {
    let mut pages = vec![house.root().join("README.md")];
    if let Err(error) = find_pages(&house.root().join("docs"), &mut pages) {
        return Verdict::Failed(format!("reading docs/: {error}\n"));
    }
    pages.sort();
    let mut wrong = String::new();
    let mut count = 0;
    for path in pages {
        let name = path.strip_prefix(house.root()).unwrap_or(&path).display().to_string();
        let result = fs::read_to_string(&path).and_then(|text| page(&name, &text, programs, LIMIT));
        match result {
            Ok((commands, failures)) => {
                count += commands;
                wrong.push_str(&failures);
            }
            Err(error) => {
                // Writing to a String cannot fail.
                let _ = writeln!(wrong, "{name}: {error}");
            }
        }
    }
    if wrong.is_empty() { Verdict::passed(format!("{count} commands")) } else { Verdict::Failed(wrong) }
}

fn find_pages(dir: &Path, pages: &mut Vec<PathBuf>) -> io::Result<()> {
    if !dir.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            find_pages(&path, pages)?;
        } else if path.extension().is_some_and(|ending| ending == "md") {
            pages.push(path);
        }
    }
    Ok(())
}

/// Runs one page: how many commands it has, and what went otherwise than it says.
fn page(name: &str, text: &str, programs: &Path, limit: Duration) -> io::Result<(usize, String)> {
    let commands: Vec<_> = fences(text)
        .into_iter()
        .filter(|fence| fence.info == "console")
        .flat_map(|fence| parse(&fence.lines))
        .collect();
    let mut wrong = String::new();
    if commands.is_empty() {
        return Ok((0, wrong));
    }
    let room = Room::new()?;
    for shown in &commands {
        let (exit, output) = room.run(&shown.script, programs, limit)?;
        let lines: Vec<&str> = output.lines().map(str::trim_end).collect();
        if exit != Some(shown.exit) || !matches(&shown.output, &lines) {
            let ended = exit.map_or("a signal".to_owned(), |code| format!("exit {code}"));
            // Writing to a String cannot fail.
            let _ = write!(
                wrong,
                "{name}:{}: $ {}\n-- the page shows, with exit {}:\n{}\n-- it printed, with {ended}:\n{}\n",
                shown.line,
                shown.script,
                shown.exit,
                shown.output.join("\n"),
                lines.join("\n"),
            );
        }
    }
    Ok((commands.len(), wrong))
}

/// The commands of a block. What stands before the first is a comment.
fn parse<'a>(lines: &[(usize, &'a str)]) -> Vec<Shown<'a>> {
    let mut found: Vec<Shown<'a>> = Vec::new();
    for (line, text) in lines {
        let going_on = found.last_mut().filter(|last| last.script.ends_with('\\') && last.output.is_empty());
        if let Some(last) = going_on {
            last.script.push('\n');
            last.script.push_str(text.strip_prefix("> ").unwrap_or(text));
        } else if let Some(script) = text.strip_prefix("$ ") {
            found.push(Shown { line: *line, script: script.to_owned(), output: Vec::new(), exit: 0 });
        } else if let Some(last) = found.last_mut() {
            last.output.push(text.trim_end());
        }
    }
    for shown in &mut found {
        trim_blank_end(&mut shown.output);
        let exit =
            shown.output.last().and_then(|line| line.strip_prefix("[exit ")?.strip_suffix(']')?.parse().ok());
        if let Some(exit) = exit {
            shown.exit = exit;
            shown.output.pop();
            trim_blank_end(&mut shown.output);
        }
    }
    found
}

fn trim_blank_end(lines: &mut Vec<&str>) {
    while lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
}

/// Whether what was printed is what is shown; blank lines at the end do not count.
fn matches(shown: &[&str], printed: &[&str]) -> bool {
    match shown {
        [] => printed.iter().all(|line| line.is_empty()),
        ["..."] => true,
        ["...", rest @ ..] => (0..=printed.len()).any(|skipped| matches(rest, &printed[skipped..])),
        [line, rest @ ..] => {
            printed.split_first().is_some_and(|(first, others)| like(line, first) && matches(rest, others))
        }
    }
}

/// Whether a line is what is shown, where `...` stands for any text.
fn like(shown: &str, printed: &str) -> bool {
    let Some((start, rest)) = shown.split_once("...") else { return shown == printed };
    let Some(mut printed) = printed.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split("...").collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = printed.find(part) else { return false };
        printed = &printed[at + part.len()..];
    }
    printed.ends_with(end)
}

/// An empty directory for one page, removed with what the page's commands left in it.
struct Room(PathBuf);

impl Room {
    fn new() -> io::Result<Self> {
        let dir = env::temp_dir().join(format!("pinfold-docs-{}", std::process::id()));
        fs::create_dir(&dir)?;
        Ok(Self(dir))
    }

    /// The exit code and both outputs of a script; no code when a signal ended it or it was still there at the limit.
    fn run(&self, script: &str, programs: &Path, limit: Duration) -> io::Result<(Option<i32>, String)> {
        let path = env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(programs.to_owned()).chain(env::split_paths(&path));
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).current_dir(&self.0);
        command.env("PATH", env::join_paths(path).map_err(io::Error::other)?);
        // The same text on every machine.
        command.envs([("LC_ALL", "C"), ("NO_COLOR", "1"), ("COLUMNS", "100")]).env_remove("RUST_BACKTRACE");
        // What others run here is none of the page's business.
        command.env("PINFOLD_REGISTRY", self.0.join(".registry"));
        within(command, limit)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // What is left in the temporary directory harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Captures a command that is killed, with its process group, when it or its output does not end in time.
fn within(mut command: Command, limit: Duration) -> io::Result<(Option<i32>, String)> {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let (mut child, mut reader) = start(command)?;
    let (sender, whole) = mpsc::channel();
    std::thread::spawn(move || {
        let mut output = Vec::new();
        // Nobody listens any more only when the limit is over.
        let _ = sender.send(reader.read_to_end(&mut output).map(|_| output));
    });
    if let Ok(output) = whole.recv_timeout(limit) {
        let output = String::from_utf8_lossy(&output?).into_owned();
        return Ok((child.wait()?.code(), output));
    }
    // Not waited for yet, so the number cannot have become another group's.
    let group = format!("-{}", child.id());
    Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status()?;
    child.kill()?;
    child.wait()?;
    // What left the group may hold the output still; the page's failure does not wait for it.
    let output = whole.recv_timeout(AFTER_KILL).map_or(Ok(Vec::new()), |output| output)?;
    let late =
        format!("(killed after {} s: it was still running, or something held its output)", limit.as_secs());
    Ok((None, String::from_utf8_lossy(&output).into_owned() + &late))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    const PAGE: &str = "\
```console
a comment
$ echo one; echo two >&2
one
two

$ printf '%s\\n' \\
> a \\
> b
a
b
$ exit 3
[exit 3]
```
```text
$ not run
```
";

    #[test]
    fn a_block_is_read_as_commands_with_their_output() {
        let blocks = fences(PAGE);
        let found = parse(&blocks[0].lines);
        assert_eq!(found.len(), 3);
        assert_eq!((found[0].line, found[0].exit, &found[0].output[..]), (3, 0, &["one", "two"][..]));
        assert_eq!(found[1].script, "printf '%s\\n' \\\na \\\nb");
        assert_eq!((found[2].exit, found[2].output.len()), (3, 0));
    }

    #[test]
    fn dots_stand_for_lines_and_for_text() {
        for (shown, printed, same) in [
            (&["a", "...", "z"][..], &["a", "b", "c", "z", ""][..], true),
            (&["a", "...", "z"], &["a", "z"], true),
            (&["..."], &[], true),
            (&["a", "...", "z"], &["a", "b"], false),
            (&["a"], &["a", "b"], false),
            (&["a", "b"], &["a"], false),
            (&["took ... ms (...)"], &["took 12 ms (fast)"], true),
            (&["took ...1 ms"], &["took 1 ms"], true),
            (&["...ab...b"], &["ab"], false),
            (&["took ... ms"], &["took 12 s"], false),
            (&["pid ..."], &["a pid 1"], false),
        ] {
            assert_eq!(matches(shown, printed), same, "{shown:?} {printed:?}");
        }
    }

    // One test, since the room of a page is named after the process.
    #[cfg(unix)]
    #[test]
    fn a_page_is_run_and_its_lies_are_told() {
        let run = |text: &str, limit| page("a.md", text, Path::new("/nowhere"), limit).unwrap();
        assert_eq!(run(PAGE, LIMIT), (3, String::new()));
        let shared =
            "```console\n$ echo x > file\n```\n```console\n$ cat file; echo $PATH\nx\n/nowhere:...\n```\n";
        assert_eq!(run(shared, LIMIT), (2, String::new()));
        for (lie, told) in [
            ("$ echo one\ntwo", "-- the page shows, with exit 0:\ntwo\n-- it printed, with exit 0:\none\n"),
            ("$ false", "-- it printed, with exit 1:\n"),
            ("$ true\n[exit 1]", "-- it printed, with exit 0:\n"),
            ("$ kill -9 $$", "with a signal"),
        ] {
            let (count, wrong) = run(&format!("```console\n{lie}\n```\n"), LIMIT);
            assert!(count == 1 && wrong.starts_with("a.md:2: $ ") && wrong.contains(told), "{wrong}");
        }
        // What holds the output after the shell has ended is found too, and ended.
        let (_, wrong) = run("```console\n$ sleep 1000 & echo one\n```\n", Duration::from_millis(300));
        assert!(wrong.contains("with a signal:\none\n(killed after"), "{wrong}");
    }
}
