//! What happens, for the subscribers of `tracing`: a span for each run, and events in it.

use super::{Happening, RunEvent};
use crate::outcome::{Cause, Ending};
use tracing::{Level, Span, debug, field, info, span, warn};

/// The span of a run that was just started. Whoever made it is its parent.
pub(super) fn span(event: &RunEvent) -> Span {
    let Happening::Started { mechanism, guarantee } = &event.what else { return Span::none() };
    span!(
        target: "pinfold",
        Level::INFO,
        "run",
        run = event.run,
        program = %event.program.display(),
        pid = event.pid.map(|pid| pid.get()),
        mechanism = mechanism.as_str(),
        guarantee = guarantee.as_str(),
        cause = field::Empty,
        code = field::Empty,
        signal = field::Empty,
        duration_seconds = field::Empty,
    )
}

pub(super) fn tell(span: &Span, event: &RunEvent) {
    let program = event.program.display();
    match &event.what {
        Happening::Started { .. } => debug!(target: "pinfold", parent: span, %program, "started"),
        Happening::NotStarted { kind } => {
            warn!(target: "pinfold", %program, kind = kind.as_str(), "not started");
        }
        Happening::LimitHit { limit } => {
            warn!(target: "pinfold", parent: span, %program, limit = limit.as_str(), "limit hit");
        }
        Happening::Stopping { cause, signal, grace } => {
            let (cause, grace_seconds) = (cause.as_str(), grace.as_secs_f64());
            info!(target: "pinfold", parent: span, %program, cause, %signal, grace_seconds, "stopping");
        }
        Happening::Ended { outcome } => {
            let (cause, duration_seconds) = (outcome.cause.as_str(), outcome.duration.as_secs_f64());
            let code = outcome.code();
            let signal = outcome.signal().map(|signal| signal.to_string());
            span.record("cause", cause);
            span.record("duration_seconds", duration_seconds);
            match outcome.ending {
                Ending::Exited { code } => span.record("code", code),
                Ending::Signalled { signal, .. } => span.record("signal", field::display(signal)),
                Ending::Lost => span,
            };
            if outcome.cause == Cause::Itself {
                debug!(target: "pinfold", parent: span, %program, cause, code, signal, duration_seconds, "ended");
            } else {
                info!(target: "pinfold", parent: span, %program, cause, code, signal, duration_seconds, "ended");
            }
        }
        Happening::Retrying { attempt, pause } => {
            let pause_seconds = pause.as_secs_f64();
            info!(target: "pinfold", %program, attempt, pause_seconds, "retrying");
        }
        Happening::Restarted { restarts, pause } => {
            let pause_seconds = pause.as_secs_f64();
            info!(target: "pinfold", %program, restarts, pause_seconds, "restarted");
        }
    }
}
