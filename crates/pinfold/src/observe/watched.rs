//! A run that is watched: who is told of it, and what they were told already.

use super::{Happening, Letters, LimitKind, Observer, RunEvent};
use crate::outcome::{Cause, Outcome};
use crate::settings::{StopRule, Stream};
use crate::stop::Act;
use pinfold_os::handle::Pid;
use std::ffi::OsStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Those who watch a run.
#[derive(Debug)]
pub(crate) struct Watched {
    /// As it is told, but for what happened.
    event: RunEvent,
    observer: Observer,
    told_of_limit: [bool; 2],
    /// By which they are told; at once where there are none.
    letters: Option<Arc<Letters>>,
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

impl Watched {
    /// Watches a run that was just started, unless there is nobody who does.
    pub(crate) fn start(
        observer: &Observer,
        program: &OsStr,
        pid: Pid,
        started: Happening,
    ) -> Option<Box<Watched>> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let run = COUNT.fetch_add(1, Ordering::Relaxed) + 1;
        if !observer.is_heard() {
            return None;
        }
        let event = RunEvent { run, program: program.to_owned(), pid: Some(pid), what: started };
        #[cfg(feature = "tracing")]
        let span = super::trace::span(&event);
        let watched = Watched {
            event,
            observer: observer.clone(),
            told_of_limit: [false; 2],
            letters: None,
            #[cfg(feature = "tracing")]
            span,
        };
        watched.tell();
        Some(Box::new(watched))
    }

    /// Tells these, too, from its start.
    pub(crate) fn join(&mut self, others: &Observer) {
        others.tell_ours(&self.event);
        self.observer.join(others);
    }

    fn tell(&self) {
        #[cfg(feature = "tracing")]
        super::trace::tell(&self.span, &self.event);
        match &self.letters {
            Some(letters) => letters.put(&self.observer, &self.event),
            None => self.observer.tell(&self.event),
        }
    }

    /// Tells them by letters from here on.
    pub(crate) fn write(&mut self, letters: &Arc<Letters>) {
        self.letters = Some(letters.clone());
    }

    fn happened(&mut self, what: Happening) {
        self.event.what = what;
        self.tell();
    }

    /// What is retained of a stream went over its limit.
    pub(crate) fn over_limit(&mut self, stream: Stream) {
        if !std::mem::replace(&mut self.told_of_limit[stream as usize], true) {
            self.happened(Happening::LimitHit { limit: LimitKind::of(stream) });
        }
    }

    /// A rung of the ladder.
    pub(crate) fn stopping(&mut self, act: Act, cause: Cause, rule: StopRule) {
        let (signal, grace) = match act {
            Act::Signal(signal) => (signal, rule.grace),
            Act::Kill => (StopRule::KILL.signal, Duration::ZERO),
        };
        self.happened(Happening::Stopping { cause, signal, grace });
    }

    pub(crate) fn ended(&mut self, outcome: &Outcome) {
        if outcome.limits_hit.out_of_memory() {
            self.happened(Happening::LimitHit { limit: LimitKind::Memory });
        }
        if outcome.limits_hit.processes.is_some_and(|refused| refused > 0) {
            self.happened(Happening::LimitHit { limit: LimitKind::Processes });
        }
        self.happened(Happening::Ended { outcome: Box::new(outcome.clone()) });
    }
}
