//! Driving a script: what no descriptor tells of.

use super::{Running, Source};
use std::time::Instant;

impl Running {
    /// For whoever drives it by a made-up clock: a script that was not advanced yet begins now by that clock, and not when
    /// it was launched. A process of the kernel's began when it did.
    pub fn begin_at(&mut self, now: Instant) {
        if let Source::Scripted(script) = &mut self.source
            && script.begin_at(now)
        {
            (self.started, self.last_output, self.looked) = (now, now, now);
        }
    }

    /// Does what a script has to do by now. What it writes is read at once, so that two streams keep their order.
    pub(super) fn play(&mut self, now: Instant) {
        let Source::Scripted(script) = &mut self.source else { return };
        script.look(now);
        self.feed();
        while let Source::Scripted(script) = &mut self.source {
            match script.go_on(now) {
                Ok(Some(said)) => {
                    let index = said.stream as usize;
                    if !self.channels[index].write(&said.bytes) {
                        script.break_pipe();
                    }
                    // All of it, before the other stream has its turn.
                    while self.channels[index].is_ready() {
                        self.pump(now);
                    }
                }
                Ok(None) => break,
                Err(error) => self.failure = Some(error),
            }
        }
    }

    /// What a real child has done by now it has done, looked at or not; a script has to be looked at for it.
    pub(crate) fn catch_up(&mut self, now: Instant) {
        if let Source::Scripted(_) = self.source {
            self.advance(now);
        }
    }
}
