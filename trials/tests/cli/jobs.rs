//! Under a shell with job control: stopping, going on, and the background.

use pinfold_trials::{Terminal, Trial};

use crate::terminal::shell;
use crate::{LONG, isolations};

/// Waits until a job of the shell is stopped; only the shell itself knows, and none that it forks.
const UNTIL_STOPPED: &str = "until jobs >\"$JOBS\"; grep -q Stopped \"$JOBS\"; do sleep 0.02; done";

#[track_caller]
fn say(terminal: &mut Terminal, key: &str, until: &str) {
    terminal.type_keys(key).unwrap();
    terminal.wait_for(until, LONG);
}

/// 148 is what a shell says of a job that SIGTSTP has stopped.
#[test]
fn ctrl_z_stops_pinfold_with_the_program_and_fg_goes_on_with_both() {
    for isolation in isolations() {
        let trial = Trial::new();
        let job = format!("$P run --isolation {isolation} -- $F trap INT,CONT --exit-on QUIT:9");
        let script = format!("{job}; echo stopped $?; fg; echo stopped $?; fg; echo end $?");
        let (mut terminal, mut child) = shell(&trial, &["-m"], &script);
        terminal.wait_for("ready\r\n", LONG);
        for _ in 0..2 {
            say(&mut terminal, "\x1a", "stopped 148\r\n");
            terminal.wait_for("\r\nCONT\r\n", LONG);
            say(&mut terminal, "\x03", "INT\r\n");
        }
        say(&mut terminal, "\x1c", "end 9\r\n");
        assert!(child.wait().unwrap().success());
        drop((terminal, child));
        trial.finish();
    }
}

/// A program may catch the key and go on, and then so does pinfold.
#[test]
fn a_program_that_does_not_stop_is_not_left_alone() {
    for isolation in isolations() {
        let trial = Trial::new();
        let job = format!("$P run --isolation {isolation} -- $F trap TSTP --exit-on INT:3");
        let (mut terminal, mut child) = shell(&trial, &["-m"], &format!("{job}; echo end $?"));
        terminal.wait_for("ready\r\n", LONG);
        say(&mut terminal, "\x1a", "TSTP\r\n");
        say(&mut terminal, "\x03", "end 3\r\n");
        child.wait().unwrap();
        drop((terminal, child));
        trial.finish();
    }
}

/// A full-screen program stops itself when it has put the screen in order, by whichever signal it likes.
#[test]
fn a_program_that_stops_itself_stops_pinfold() {
    for isolation in isolations() {
        for signal in ["TSTP", "STOP"] {
            let trial = Trial::new();
            let job = format!("$P run --isolation {isolation} -- $F stop-self {signal}");
            let (mut terminal, mut child) =
                shell(&trial, &["-m"], &format!("{job}; echo stopped $?; fg; echo end $?"));
            terminal.wait_for("stopped 148\r\n", LONG);
            terminal.wait_for("resumed\r\n", LONG);
            terminal.wait_for("end 0\r\n", LONG);
            child.wait().unwrap();
            drop((terminal, child));
            trial.finish();
        }
    }
}

#[test]
fn a_program_in_the_background_that_reads_waits_for_the_foreground() {
    for isolation in isolations() {
        let trial = Trial::new();
        let jobs = tempfile::NamedTempFile::new().unwrap();
        let job = format!("JOBS={}; $P run --isolation {isolation} -- $F cat &", jobs.path().display());
        let (mut terminal, mut child) =
            shell(&trial, &["-m"], &format!("{job} {UNTIL_STOPPED}; echo stopped; fg; echo end $?"));
        terminal.wait_for("stopped\r\n", LONG);
        say(&mut terminal, "typed\n", "typed\r\n");
        terminal.wait_for("typed\r\n", LONG);
        say(&mut terminal, "\x04", "end 0\r\n");
        child.wait().unwrap();
        drop((terminal, child, jobs));
        trial.finish();
    }
}

#[test]
fn a_job_in_the_background_goes_on_there() {
    for isolation in isolations() {
        let trial = Trial::new();
        let job = format!("$P run --isolation {isolation} -- $F stop-self TSTP");
        let script = format!("{job}; echo stopped $?; bg; wait; echo end $?; $F tty");
        let (mut terminal, mut child) = shell(&trial, &["-m"], &script);
        terminal.wait_for("stopped 148\r\n", LONG);
        terminal.wait_for("resumed\r\n", LONG);
        terminal.wait_for("end 0\r\n", LONG);
        let rest = terminal.wait_for_hang_up(LONG);
        assert!(rest.contains("foreground self"), "{isolation}: {rest}");
        child.wait().unwrap();
        drop((terminal, child));
        trial.finish();
    }
}

/// Without a shell that could wake it, a program that is stopped does not take pinfold with it.
#[test]
fn a_program_that_is_stopped_where_there_is_no_shell_leaves_pinfold_running() {
    for isolation in isolations() {
        let trial = Trial::new();
        let options = format!("--isolation {isolation} -t 300ms");
        let status = crate::run(&trial, &options, "stop-self").status().unwrap();
        assert_eq!(status.code(), Some(124), "{isolation}");
        trial.finish();
    }
}
