//! What is told of each line while a verb waits.

use crate::settings::Stream;
use std::fmt;
use std::sync::Arc;

/// What is called with each line of a captured stream, decoded and without its line break.
#[derive(Clone)]
pub struct Listener(Arc<Told>);

type Told = dyn Fn(Stream, &str) + Send + Sync;

impl Listener {
    pub(crate) fn new(told: impl Fn(Stream, &str) + Send + Sync + 'static) -> Listener {
        Listener(Arc::new(told))
    }

    pub(crate) fn tell(&self, stream: Stream, line: &str) {
        (self.0)(stream, line);
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}
