//! What pinfold does about each signal that it gets while a program runs.
//!
//! The rule: the program is to be as well off as without pinfold in front of it. What the terminal sends to its
//! foreground group reaches the program itself where it shares our group, and is never sent a second time.

use pinfold::Signal;
use pinfold_os::handle::Pid;
use pinfold_os::inbox::{Inbox, Letter, Sender};
use pinfold_os::signal::SignalSet;

/// Signals that end pinfold where there is no program to pass them on to.
const DEADLY: [Signal; 4] = [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM];

/// What the kernel sends to the whole foreground group at a key, or a change, of the terminal.
const KEYS: [Signal; 4] = [Signal::INT, Signal::QUIT, Signal::TSTP, Signal::WINCH];

/// What to do about a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nothing: whoever it concerns has it already.
    Nothing,
    /// See whether the program was stopped.
    LookForStop,
    /// Pass it on to the program.
    Program,
    /// Pass it on to the program, unless that has it already.
    MissedByProgram,
    /// Pass it on to every process of the run.
    Everyone,
    /// Let the program go on, as we do.
    GoOn,
    /// Stop the run.
    Stop,
}

/// What an answer depends on beside the letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Situation {
    /// The program is in our process group.
    pub(crate) shares_group: bool,
    /// The program has ended, and what it left behind has not.
    pub(crate) program_ended: bool,
    /// The letter may have come before the program was there to get it too.
    pub(crate) early: bool,
}

/// The signals that pinfold takes: all that can be, so that none of them ends it and leaves the program behind.
pub(crate) fn taken() -> SignalSet {
    let all = (1..=64).filter_map(Signal::from_number).filter(|signal| signal.name().is_some());
    all.fold(SignalSet::empty(), SignalSet::with)
}

/// Those that end pinfold where there is no program.
pub(crate) fn deadly() -> SignalSet {
    DEADLY.into_iter().fold(SignalSet::empty(), SignalSet::with)
}

/// Whether this signal ends pinfold where there is no program.
pub(crate) fn is_deadly(signal: Signal) -> bool {
    DEADLY.contains(&signal)
}

/// Whether a key of the terminal sends it.
pub(crate) fn is_key(signal: Signal) -> bool {
    KEYS.contains(&signal)
}

/// Takes what has come before a start: what is to be passed on to the program, or the signal to die of.
pub(crate) fn before_start(inbox: &Inbox) -> Result<Vec<Letter>, Signal> {
    let mut early = Vec::new();
    while let Ok(Some(letter)) = inbox.take() {
        if is_deadly(letter.signal) {
            return Err(letter.signal);
        }
        early.push(letter);
    }
    Ok(early)
}

/// What to do about a letter. `is_inside` tells whether a process belongs to the run.
pub(crate) fn answer(letter: Letter, situation: Situation, is_inside: impl FnOnce(Pid) -> bool) -> Answer {
    let Letter { signal, sender } = letter;
    match (signal, sender) {
        (Signal::CHLD, _) => Answer::LookForStop,
        (Signal::TERM | Signal::HUP, _) => Answer::Stop,
        (Signal::INT | Signal::QUIT, _) if situation.program_ended => Answer::Stop,
        _ if situation.program_ended => Answer::Nothing,
        (Signal::CONT, _) => Answer::GoOn,
        // Someone of our own group read or wrote in the background; the program is told of its own doings itself.
        (Signal::TTIN | Signal::TTOU, Sender::Kernel) => Answer::Nothing,
        (signal, Sender::Kernel) if KEYS.contains(&signal) => match situation {
            Situation { shares_group: false, .. } => Answer::Everyone,
            Situation { early: true, .. } => Answer::MissedByProgram,
            _ => Answer::Nothing,
        },
        (_, Sender::Kernel) => Answer::Program,
        // `kill 0` in a script means its own group, which has it already.
        (_, Sender::Process(Some(pid))) if pid.get() == std::process::id() || is_inside(pid) => {
            Answer::Nothing
        }
        (_, Sender::Process(_)) => Answer::Program,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Answer::{Everyone, GoOn, LookForStop, MissedByProgram as Missed, Nothing, Program, Stop};

    const SHARED: Situation = Situation { shares_group: true, program_ended: false, early: false };
    const APART: Situation = Situation { shares_group: false, ..SHARED };
    const EARLY: Situation = Situation { early: true, ..SHARED };
    const AFTER: Situation = Situation { program_ended: true, ..SHARED };

    fn answers(signal: Signal, sender: Sender, inside: bool) -> [Answer; 4] {
        [SHARED, APART, EARLY, AFTER]
            .map(|situation| answer(Letter { signal, sender }, situation, |_| inside))
    }

    #[test]
    fn each_signal_has_one_answer_in_each_situation() {
        let stranger = Sender::Process(None);
        for (signal, sender, expected) in [
            (Signal::INT, Sender::Kernel, [Nothing, Everyone, Missed, Stop]),
            (Signal::QUIT, Sender::Kernel, [Nothing, Everyone, Missed, Stop]),
            (Signal::TSTP, Sender::Kernel, [Nothing, Everyone, Missed, Nothing]),
            (Signal::WINCH, Sender::Kernel, [Nothing, Everyone, Missed, Nothing]),
            (Signal::TTIN, Sender::Kernel, [Nothing; 4]),
            (Signal::TTOU, Sender::Kernel, [Nothing; 4]),
            (Signal::ALRM, Sender::Kernel, [Program, Program, Program, Nothing]),
            (Signal::HUP, Sender::Kernel, [Stop; 4]),
            (Signal::CHLD, Sender::Kernel, [LookForStop; 4]),
            (Signal::CONT, Sender::Kernel, [GoOn, GoOn, GoOn, Nothing]),
            (Signal::INT, stranger, [Program, Program, Program, Stop]),
            (Signal::TSTP, stranger, [Program, Program, Program, Nothing]),
            (Signal::USR1, stranger, [Program, Program, Program, Nothing]),
            (Signal::TERM, stranger, [Stop; 4]),
            (Signal::HUP, stranger, [Stop; 4]),
            (Signal::CONT, stranger, [GoOn, GoOn, GoOn, Nothing]),
        ] {
            assert_eq!(answers(signal, sender, false), expected, "{signal} from {sender:?}");
        }
    }

    #[test]
    fn what_the_run_sends_to_its_own_group_is_not_sent_to_it_again() {
        let member = Sender::Process(Pid::new(4711));
        assert_eq!(answers(Signal::INT, member, true), [Nothing, Nothing, Nothing, Stop]);
        assert_eq!(answers(Signal::INT, member, false), [Program, Program, Program, Stop]);
        assert_eq!(answers(Signal::TERM, member, true), [Stop; 4], "to be told to stop is to be told");
        let ourselves = Sender::Process(Pid::new(std::process::id().into()));
        assert_eq!(answers(Signal::PIPE, ourselves, false), [Nothing; 4]);
    }

    #[test]
    fn every_signal_that_can_be_taken_is() {
        let taken = taken();
        for signal in Signal::named() {
            assert!(taken.contains(signal), "{signal}");
        }
    }
}
