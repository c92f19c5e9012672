//! A line on a terminal that tells how far a batch is.

use std::io::{self, Write};
use std::time::{Duration, Instant};

/// It changes no more often than an eye can follow.
const PAUSE: Duration = Duration::from_millis(100);
/// How wide the bar itself is.
const WIDTH: usize = 20;

/// What it tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) done: usize,
    pub(crate) failed: usize,
    pub(crate) running: usize,
    pub(crate) total: Option<usize>,
    pub(crate) elapsed: Duration,
}

/// The line.
pub(crate) struct Bar {
    shown: bool,
    next: Option<Instant>,
}

impl Bar {
    pub(crate) fn new() -> Bar {
        Bar { shown: false, next: None }
    }

    /// Shows it, if its time has come: when that is the next time.
    pub(crate) fn show(&mut self, facts: impl FnOnce() -> Facts, now: Instant) -> Instant {
        match self.next {
            Some(next) if next > now => next,
            _ => {
                let width = pinfold_os::terminal::width().unwrap_or(80);
                let line: String = facts().to_string().chars().take(width.saturating_sub(1)).collect();
                // A terminal that cannot be written to shows nothing, which is no loss.
                let _ = io::stderr().write_all(format!("\r{line}\x1b[K").as_bytes());
                self.shown = true;
                let next = now + PAUSE;
                self.next = Some(next);
                next
            }
        }
    }

    /// Makes room for something else.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = io::stderr().write_all(b"\r\x1b[K");
            self.next = None;
        }
    }
}

impl std::fmt::Display for Facts {
    /// `[####......] 4/10, 1 failed, 2 running, 0:03, 0:05 to go`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Facts { done, failed, running, total, elapsed } = *self;
        match total {
            Some(total) => {
                let filled = (done * WIDTH).checked_div(total).unwrap_or(WIDTH).min(WIDTH);
                write!(f, "[{}{}] {done}/{total}", "#".repeat(filled), ".".repeat(WIDTH - filled))?;
            }
            None => write!(f, "{done} done")?,
        }
        if failed > 0 {
            write!(f, ", {failed} failed")?;
        }
        write!(f, ", {running} running, {}", clock(elapsed))?;
        let left = total.map_or(0, |total| total.saturating_sub(done));
        if done > 0 && left > 0 {
            write!(f, ", {} to go", clock(elapsed.mul_f64(left as f64 / done as f64)))?;
        }
        Ok(())
    }
}

/// `1:05` or `2:00:09`.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_what_is_known() {
        let elapsed = Duration::from_secs(65);
        let facts = Facts { done: 5, failed: 0, running: 2, total: Some(10), elapsed };
        assert_eq!(facts.to_string(), "[##########..........] 5/10, 2 running, 1:05, 1:05 to go");
        let facts = Facts { failed: 1, total: None, ..facts };
        assert_eq!(facts.to_string(), "5 done, 1 failed, 2 running, 1:05");
        let facts = Facts { total: Some(0), ..Facts::default() };
        assert_eq!(facts.to_string(), "[####################] 0/0, 0 running, 0:00");
        assert_eq!(clock(Duration::from_secs(7209)), "2:00:09");
    }
}
