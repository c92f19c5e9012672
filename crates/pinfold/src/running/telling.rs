//! Those who are told of a run: listeners to what happens, and whoever records it.

#[cfg(feature = "serde")]
use super::{Channel, Tape};
use super::{Running, Source};
use crate::capture::Capture;
use crate::command::Command;
use crate::observe::{Happening, Letters, Observer, Watched};
#[cfg(feature = "serde")]
use crate::outcome::Outcome;
use crate::settings::Stream;
use std::sync::Arc;

impl Running {
    /// Tells these of what happens from now on, and first that it was started.
    pub(crate) fn watch(&mut self, observer: &Observer, command: &Command) {
        let (mechanism, guarantee) = (self.mechanism, self.guarantee);
        let started = Happening::Started { mechanism, guarantee };
        self.watched = Watched::start(observer, &command.program, self.source.pid(), started);
    }

    /// Tells these, too, as if they had been there from the start.
    pub(crate) fn watch_too(&mut self, observer: &Observer, command: &Command) {
        match (&mut self.watched, &mut self.source) {
            (Some(watched), _) => watched.join(observer),
            (None, Source::Chain(chain)) => chain.watch_too(observer),
            (None, _) => self.watch(observer, command),
        }
    }

    /// Tells all of them by these letters from here on.
    pub(crate) fn tell_by(&mut self, letters: &Arc<Letters>) {
        if let Some(watched) = &mut self.watched {
            watched.write(letters);
        }
        if let Source::Chain(chain) = &mut self.source {
            chain.tell_by(letters);
        }
    }

    /// Records it from here on.
    #[cfg(feature = "serde")]
    pub(crate) fn record_on(&mut self, tape: Tape) {
        self.channels.iter_mut().for_each(Channel::tap);
        self.tape = Some(tape);
    }

    #[cfg(feature = "serde")]
    pub(super) fn tape_what_came(&mut self) {
        if let Some(tape) = &mut self.tape {
            for (stream, channel) in Stream::BOTH.into_iter().zip(&mut self.channels) {
                tape.take_from(stream, channel);
            }
        }
    }

    #[cfg(feature = "serde")]
    pub(super) fn finish_tape(&mut self, outcome: &Outcome) {
        self.tape_what_came();
        if let Some(tape) = self.tape.take()
            && let Err(error) = tape.finish(outcome.clone(), self.feed.was_ended())
        {
            self.failure = Some(error);
        }
    }

    /// What is retained of a stream went over its limit.
    pub(super) fn tell_of_limits(&mut self) {
        let Some(watched) = &mut self.watched else { return };
        for (stream, channel) in Stream::BOTH.into_iter().zip(&self.channels) {
            if channel.capture.as_ref().is_some_and(Capture::is_over_limit) {
                watched.over_limit(stream);
            }
        }
    }
}
