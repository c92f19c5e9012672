//! Those who are told of every run of the process.
//!
//! A list that only grows and has no lock, so that it can be read after a fork, and by a listener that adds another.

use super::{RunEvent, Told};
use std::sync::OnceLock;

struct Link {
    told: Box<Told>,
    next: OnceLock<Box<Link>>,
}

static FIRST: OnceLock<Box<Link>> = OnceLock::new();

pub(super) fn add(told: Box<Told>) {
    let mut link = Box::new(Link { told, next: OnceLock::new() });
    let mut place = &FIRST;
    loop {
        match place.set(link) {
            Ok(()) => return,
            Err(again) => link = again,
        }
        // It is taken, now at the latest.
        if let Some(taken) = place.get() {
            place = &taken.next;
        }
    }
}

pub(super) fn tell(event: &RunEvent) {
    let mut place = &FIRST;
    while let Some(link) = place.get() {
        (link.told)(event);
        place = &link.next;
    }
}

pub(super) fn is_heard() -> bool {
    FIRST.get().is_some()
}
