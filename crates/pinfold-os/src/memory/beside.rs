//! A thread that makes pages while another fills those that it made before.

use super::imp;
use super::pages::{self, Pages};
use std::ops::Range;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};

/// It ends when this is dropped, as soon as it has done what it does; nobody waits for it.
#[derive(Debug)]
pub(super) struct Beside(Option<Sender<Range<usize>>>);

impl Beside {
    /// Starts it, where threads can be made.
    pub(super) fn start(pages: Arc<Mutex<Pages>>) -> Beside {
        let (sender, asked) = mpsc::channel::<Range<usize>>();
        // What is asked for is done piece by piece, so that its end does not wait for all of it.
        const PIECE: usize = super::HUGE;
        let work = move || {
            for range in asked {
                for start in range.clone().step_by(PIECE) {
                    pages::make(start..range.end.min(start + PIECE), &pages);
                }
            }
        };
        Beside(imp::start(work).is_ok().then_some(sender))
    }

    pub(super) fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// Has pages made at these addresses, here where there is no such thread. By the time that it comes to them the buffer may
    /// be elsewhere: that changes no content, whatever lies there then.
    pub(super) fn make(&self, range: Range<usize>, pages: &Mutex<Pages>) {
        match &self.0 {
            Some(thread) if thread.send(range.clone()).is_ok() => {}
            _ => pages::make(range, pages),
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::time::Duration;

    fn resident() -> usize {
        let statm = std::fs::read_to_string("/proc/self/statm").expect("a readable /proc");
        let pages: usize = statm.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a number");
        pages * rustix::param::page_size()
    }

    fn threads() -> usize {
        let tasks = std::fs::read_dir("/proc/self/task").expect("a readable /proc");
        let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm"));
        tasks.filter_map(|task| name(task.ok()?).ok()).filter(|name| name == "pinfold-memory\n").count()
    }

    fn comes(what: &str, is: impl Fn() -> bool) {
        let patience = std::time::Instant::now() + Duration::from_secs(60);
        while !is() {
            assert!(std::time::Instant::now() < patience, "{what}");
            std::thread::yield_now();
        }
    }

    #[test]
    fn pages_are_made_with_a_thread_and_without_one_and_no_thread_stays() {
        const LENGTH: usize = 64 << 20;
        let pages = Arc::new(Mutex::new(Pages::default()));
        for wanted in [false, true] {
            let beside = if wanted { Beside::start(pages.clone()) } else { Beside(None) };
            let (before, is_there) = (resident(), beside.is_there());
            let buffer: Vec<u8> = Vec::with_capacity(LENGTH);
            let start = buffer.as_ptr() as usize;
            beside.make(start..start + LENGTH, &pages);
            // Emulators of other processors take the advice and do nothing.
            let heeds = cfg!(target_arch = "x86_64") || resident().saturating_sub(before) > LENGTH / 2;
            comes(&format!("resident pages, thread: {is_there}"), || {
                !heeds || resident().saturating_sub(before) > LENGTH / 10 * 9
            });
            drop(beside);
            comes("the end of the thread", || threads() == 0);
        }
    }
}
