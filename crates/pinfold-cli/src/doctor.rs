//! `pinfold doctor`: what this host offers, in words or as JSON.

use crate::args::doctor::DoctorArgs;
use crate::exit::{End, NOT_ALL};
use crate::out;
use pinfold::HostReport;

/// What its fields mean is fixed under this name; fields may be added.
const SCHEMA: &str = "pinfold.doctor/1";

pub(crate) fn doctor(args: &DoctorArgs) -> End {
    let report = HostReport::examine();
    let printed = if args.json { out::print_json(SCHEMA, &report) } else { out::print(&report.to_string()) };
    match printed {
        End::Code(0) if !report.contains() => End::Code(NOT_ALL),
        end => end,
    }
}
