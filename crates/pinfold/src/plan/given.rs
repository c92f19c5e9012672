//! What the host gives its runs beside their commands: live things, which no plain data can name.

use super::Plan;
use crate::error::{ErrorKind, Result};
use crate::outcome::Mechanism;
use crate::settings::Stream;
use pinfold_os::descriptor::{Owned, borrow};
use pinfold_os::order::{Grouping, Mapping, Order};
use pinfold_os::signal::SignalSet;
use std::sync::Arc;

/// What a run is given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    /// By the numbers that they get.
    descriptors: Vec<(i32, Arc<Owned>)>,
    keeps_ignored_signals: bool,
    /// 0 is one of its own.
    process_group: Option<u32>,
}

impl Given {
    pub(crate) fn give(&mut self, number: i32, descriptor: Owned) {
        self.descriptors.retain(|(known, _)| *known != number);
        self.descriptors.push((number, Arc::new(descriptor)));
    }

    pub(crate) fn keep_ignored_signals(&mut self) {
        self.keeps_ignored_signals = true;
    }

    pub(crate) fn join(&mut self, process_group: u32) {
        self.process_group = Some(process_group);
    }

    pub(super) fn descriptor(&self, number: i32) -> Option<&Owned> {
        self.descriptors.iter().find(|(known, _)| *known == number).map(|(_, descriptor)| &**descriptor)
    }

    pub(super) fn mappings(&self) -> impl Iterator<Item = Mapping<'_>> {
        self.descriptors
            .iter()
            .map(|(target, descriptor)| Mapping { source: borrow(&**descriptor), target: *target })
    }

    /// Refuses what contradicts the plan.
    pub(super) fn refuse(&self, plan: &Plan<'_>) -> Result<()> {
        let command = plan.command;
        let no = |kind, what: String, instead: &str| Err(command.error(kind, what).hint(instead));
        if let Some((number, _)) = self.descriptors.iter().find(|(number, _)| *number < 0) {
            return no(
                ErrorKind::InvalidInput,
                format!("{number} is no number of a descriptor"),
                "they begin with 0",
            );
        }
        if plan.feeds() && self.descriptor(0).is_some() {
            let what = "its standard input is given, and cannot be fed as well".to_owned();
            return no(ErrorKind::InvalidInput, what, "choose one");
        }
        for stream in Stream::BOTH {
            if command.tee[stream as usize] && self.descriptor(stream as i32 + 1).is_some() {
                return no(
                    ErrorKind::InvalidInput,
                    format!("{stream} is teed, and given away"),
                    "choose one",
                );
            }
        }
        match self.process_group {
            Some(_) if command.process.setsid => {
                let what = "a session of its own has a process group of its own".to_owned();
                no(ErrorKind::InvalidInput, what, "choose one")
            }
            Some(1..) if plan.mechanism == Mechanism::ProcessGroup => {
                let what = "joins another process group, and its own is all that could hold it together here";
                no(ErrorKind::Unsupported, what.to_owned(), "leave it in a group of its own")
            }
            Some(1..) if plan.mechanism == Mechanism::PidNamespace => {
                let what = "joins another process group, which has no number in its PID namespace";
                no(ErrorKind::Unsupported, what.to_owned(), "leave it in a group of its own")
            }
            _ => Ok(()),
        }
    }

    /// Puts into an order what is no descriptor.
    pub(super) fn admit(&self, order: &mut Order<'_>) {
        if self.keeps_ignored_signals {
            order.default_signals = SignalSet::empty();
        }
        match self.process_group {
            None => {}
            Some(0) => order.grouping = Grouping::Own,
            // A number that is too large for the kernel is nobody's.
            Some(id) => order.grouping = Grouping::Join(i32::try_from(id).unwrap_or(i32::MAX)),
        }
    }
}
