//! `pinfold`: the command-line tool. What it is asked for is read in `args`, done in a file for each command, and ends
//! in `exit`.
#![forbid(unsafe_code)]

mod args;
mod batch;
mod doctor;
mod exit;
mod log;
mod out;
mod run;
#[cfg(target_os = "linux")]
mod tracked;
mod wait_for;

use args::{Task, help};
use exit::{End, FAILED};

fn main() {
    if let Some((word, names)) = pinfold_os::deny::unknown() {
        // It was to hide something, and hides nothing.
        out::fail(&format!("PINFOLD_DENY: '{word}' is none of {names}"), None);
        End::Code(FAILED).leave();
    }
    let task = args::parse(std::env::args_os().skip(1).collect());
    let end = match task {
        Ok(Task::Run(args)) => run::run(&args),
        Ok(Task::Batch(args)) => batch::batch(&args),
        Ok(Task::Doctor(args)) => doctor::doctor(&args),
        Ok(Task::WaitFor(args)) => wait_for::wait_for(&args),
        #[cfg(target_os = "linux")]
        Ok(Task::Cleanup(args)) => tracked::cleanup(&args),
        #[cfg(target_os = "linux")]
        Ok(Task::Ps(args)) => tracked::ps(&args),
        #[cfg(target_os = "linux")]
        Ok(Task::Kill(args)) => tracked::kill(&args),
        #[cfg(not(target_os = "linux"))]
        Ok(Task::Cleanup(_) | Task::Ps(_) | Task::Kill(_)) => {
            out::fail("this platform has no registry of owners yet", None);
            End::Code(FAILED)
        }
        Ok(Task::Help { page, long }) => show_help(page, long),
        Ok(Task::Version) => out::print(concat!("pinfold ", env!("CARGO_PKG_VERSION"), "\n")),
        Ok(Task::Completions(shell)) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut help::tool(), "pinfold", &mut script);
            out::print(&String::from_utf8_lossy(&script))
        }
        Ok(Task::Man(page)) => show_manual(page),
        Err(misuse) => {
            out::fail(&misuse.what, Some(&misuse.hint));
            End::Code(FAILED)
        }
    };
    end.leave()
}

fn show_help(page: args::Page, long: bool) -> End {
    let mut command = help::command(page);
    let text = if long { command.render_long_help() } else { command.render_help() };
    out::print(&text.to_string())
}

fn show_manual(page: args::Page) -> End {
    let mut roff = Vec::new();
    match clap_mangen::Man::new(help::command(page)).render(&mut roff) {
        Ok(()) => out::print(&String::from_utf8_lossy(&roff)),
        Err(error) => {
            out::fail(&format!("the manual cannot be made: {error}"), None);
            End::Code(FAILED)
        }
    }
}
