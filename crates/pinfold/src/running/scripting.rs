//! Driving a script: what no descriptor tells of.

use super::{Running, Source};
use crate::settings::Stream;
use std::time::Instant;

impl Running {
    /// For whoever drives it by a made-up clock: a script that was not advanced yet begins now by that clock, and not when
    /// it was launched. A process of the kernel's began when it did.
    pub fn begin_at(&mut self, now: Instant) {
        let started = match &mut self.source {
            Source::Real(_) => None,
            Source::Scripted(script) => script.begin_at(now).then_some(now),
            Source::Chain(chain) => {
                chain.begin_at(now);
                Some(chain.started())
            }
        };
        if let Some(started) = started {
            (self.started, self.last_output, self.looked) = (started, started, started);
        }
    }

    /// Does what a script has to do by now. What it writes is read at once, so that two streams keep their order.
    pub(super) fn play(&mut self, now: Instant) {
        match &mut self.source {
            Source::Real(_) => return,
            Source::Chain(_) => {
                self.feed();
                return self.take_from_chain(now);
            }
            Source::Scripted(script) => script.look(now),
        }
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

    /// Has the stages of a pipeline go on, and takes what the last one has for us where no pipe of the kernel's brings it.
    fn take_from_chain(&mut self, now: Instant) {
        if let Source::Chain(chain) = &mut self.source {
            chain.look(now);
        }
        for stream in Stream::BOTH {
            let Source::Chain(chain) = &mut self.source else { return };
            let Some(theirs) = chain.output(stream) else { break };
            let ours = &mut self.channels[stream as usize];
            let bytes = theirs.carried();
            let len = bytes.len();
            if len > 0 && ours.write(bytes) {
                theirs.has_carried(len);
            } else if !ours.is_open() {
                theirs.close();
            }
            if theirs.is_carried_out() {
                ours.end_script();
            }
            self.pump(now);
        }
        if let Source::Chain(chain) = &self.source
            && chain.is_fed()
        {
            self.feed.close();
        }
    }

    /// What a real child has done by now it has done, looked at or not; a script has to be looked at for it.
    pub(crate) fn catch_up(&mut self, now: Instant) {
        if !matches!(self.source, Source::Real(_)) {
            self.advance(now);
        }
    }
}
