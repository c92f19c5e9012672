//! Whoever waits costs nothing.

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use pinfold_trials::proc::Stat;
use pinfold_trials::{Trial, pinfold_bin, wait_until};
use rustix::process::{Pid, Signal, kill_process};

use crate::LONG;

const TRIES: usize = 10;

#[test]
fn a_tool_that_waits_is_not_at_work() {
    let trial = Trial::new();
    let mut programs = 0;
    let waiting: Vec<(&str, Child)> = [
        (1, "run -- sleep 1000"),
        (1, "run --timeout 900 --idle-timeout 900 --output-limit 1M --json=2 -- sleep 1000"),
        (2, "batch -j2 sleep ::: 1000 1001"),
        (2, "batch -j2 --line-buffer -t 900 --retry 3 sleep ::: 1000 1001"),
        (1, "batch -k -j1 sleep ::: 1000 1001"),
        (0, "wait-for --timeout 900 file:/no/such/file"),
    ]
    .into_iter()
    .map(|(starts, words)| {
        let mut command = Command::new(pinfold_bin());
        command.args(words.split(' ')).envs([trial.env()]).stdin(Stdio::null()).stderr(Stdio::null());
        let tool = command.spawn().unwrap();
        programs += starts;
        let is_one = |line: &str| line.starts_with("sleep");
        let count = || trial.survivors().iter().filter(|stray| is_one(&stray.command_line)).count();
        wait_until(words, LONG, || count() == programs);
        (words, tool)
    })
    .collect();
    // In hundredths of a second.
    let spent = |tool: &Child| Stat::of(&tool.id().to_string()).unwrap().cpu;
    let look = || {
        let before: Vec<u64> = waiting.iter().map(|(_, tool)| spent(tool)).collect();
        thread::sleep(Duration::from_millis(600));
        let each = waiting.iter().zip(before).map(|((words, tool), before)| (words, spent(tool) - before));
        let at_work = each.filter(|(_, spent)| *spent > 6);
        at_work.map(|(words, spent)| format!("{words}: {spent} hundredths of a second")).collect()
    };
    // On a busy machine some have still to do what they begin with; who is at work for nothing is so each time.
    let mut at_work: Vec<String> = look();
    for _ in 0..TRIES {
        if at_work.is_empty() {
            break;
        }
        at_work = look();
    }
    for (_, mut tool) in waiting {
        kill_process(Pid::from_child(&tool), Signal::TERM).unwrap();
        tool.wait().unwrap();
    }
    trial.wait_until_gone(LONG);
    trial.finish();
    assert!(at_work.is_empty(), "{at_work:?}");
}
