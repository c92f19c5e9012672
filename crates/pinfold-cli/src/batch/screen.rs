//! What a batch prints: the output of its jobs, whole or line by line, and the progress below it.

use super::progress::Bar;
use crate::out;
use pinfold::Stream;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Standard output and standard error, shared by all that write there.
pub(crate) struct Screen(Mutex<State>);

struct State {
    bar: Option<Bar>,
    failure: Option<io::Error>,
}

/// The output of a job that has ended.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Page {
    fn len(&self) -> usize {
        self.stdout.len() + self.stderr.len()
    }

    /// Puts this in front of each line.
    pub(crate) fn tag(&mut self, tag: &[u8]) {
        for bytes in [&mut self.stdout, &mut self.stderr] {
            let lines = bytes.split_inclusive(|byte| *byte == b'\n');
            *bytes = lines.flat_map(|line| [tag, b"\t", line].concat()).collect();
        }
    }
}

impl Screen {
    pub(crate) fn new(bar: Option<Bar>) -> Screen {
        Screen(Mutex::new(State { bar, failure: None }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes this to a stream of ours.
    pub(crate) fn write(&self, stream: Stream, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let mut state = self.lock();
        if let Some(bar) = &mut state.bar {
            bar.clear();
        }
        let written = match stream {
            Stream::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(bytes).and_then(|()| stdout.flush())
            }
            Stream::Stderr => io::stderr().write_all(bytes),
        };
        if let Err(error) = written {
            state.failure.get_or_insert(error);
        }
    }

    pub(crate) fn print(&self, page: &Page) {
        self.write(Stream::Stdout, &page.stdout);
        self.write(Stream::Stderr, &page.stderr);
    }

    /// Has pinfold itself say something.
    pub(crate) fn say(&self, message: &str) {
        self.clear();
        out::say(message);
    }

    /// Has pinfold itself say which command comes next.
    pub(crate) fn say_command(&self, command: &str) {
        self.clear();
        out::say_unlogged(command);
    }

    /// Why something could not be written, once.
    pub(crate) fn take_failure(&self) -> Option<io::Error> {
        self.lock().failure.take()
    }

    /// Shows how far it is, if that is shown and it is time: when it is to be shown next.
    pub(crate) fn show(
        &self,
        line: impl FnOnce() -> super::progress::Facts,
        now: Instant,
    ) -> Option<Instant> {
        self.lock().bar.as_mut().map(|bar| bar.show(line, now))
    }

    /// Takes the progress away.
    pub(crate) fn clear(&self) {
        if let Some(bar) = &mut self.lock().bar {
            bar.clear();
        }
    }
}

/// Pages in the order of their jobs.
#[derive(Debug, Default)]
pub(crate) struct Order {
    next: usize,
    held: BTreeMap<usize, Option<Page>>,
    bytes: usize,
}

impl Order {
    /// More than this is not held for jobs that are slower: no more are started.
    const MOST: usize = 64 << 20;

    pub(crate) fn is_full(&self) -> bool {
        self.bytes >= Order::MOST
    }

    /// Takes the page of a job, the first being 0, or that it has none; gives those whose turn has come.
    pub(crate) fn put(&mut self, index: usize, page: Option<Page>) -> Vec<Page> {
        self.bytes += page.as_ref().map_or(0, Page::len);
        self.held.insert(index, page);
        let mut turn = Vec::new();
        while let Some(page) = self.held.remove(&self.next) {
            self.next += 1;
            self.bytes -= page.as_ref().map_or(0, Page::len);
            turn.extend(page);
        }
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str) -> Page {
        Page { stdout: text.into(), stderr: Vec::new() }
    }

    #[test]
    fn pages_come_in_their_order_and_no_more_are_held_than_may_be() {
        let mut order = Order::default();
        let mut put = |index, text: Option<&str>| {
            let pages = order.put(index, text.map(page));
            pages.iter().map(|page| String::from_utf8_lossy(&page.stdout).into_owned()).collect::<String>()
        };
        assert_eq!(
            [put(2, Some("c")), put(1, None), put(0, Some("a")), put(3, Some("d"))],
            ["", "", "ac", "d"]
        );
        assert_eq!(order.bytes, 0);
        order.put(5, Some(Page { stdout: vec![0; Order::MOST], stderr: Vec::new() }));
        assert!(order.is_full());
        order.put(4, None);
        assert!(!order.is_full());
    }

    #[test]
    fn each_line_has_its_tag() {
        let mut page = page("one\ntwo");
        page.tag(b"t");
        assert_eq!(page.stdout, b"t\tone\nt\ttwo");
        assert!(page.stderr.is_empty());
    }
}
