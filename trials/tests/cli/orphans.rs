//! Where nobody waits for orphans, as in a container whose first program is just a program: each that was somebody's
//! orphan stays behind dead, and pinfold adds none of its own.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

use pinfold_trials::proc::Stat;
use pinfold_trials::{Trial, fixture, given, is_root, mechanisms, pinfold_bin, wait_until};

use rustix::process::{Pid, Signal, kill_process};

use crate::{LONG, Live, text};

/// A PID namespace whose first process waits for no child.
struct Idle {
    unshare: Child,
    first: String,
}

impl Idle {
    fn new(trial: &Trial) -> Option<Idle> {
        let mut command = Command::new("unshare");
        command
            .args(["--pid", "--fork", "--kill-child", "--mount-proc"])
            .arg(fixture())
            .args(["sleep", "100"]);
        let unshare = command.envs([trial.env()]).stderr(Stdio::null()).spawn().ok()?;
        let mut idle = Idle { unshare, first: String::new() };
        let children = format!("/proc/{0}/task/{0}/children", idle.unshare.id());
        wait_until("its first process", LONG, || {
            idle.first = fs::read_to_string(&children).unwrap_or_default().trim().to_owned();
            let comm = fs::read_to_string(format!("/proc/{}/comm", idle.first)).unwrap_or_default();
            comm.trim_end() == "fixture" || idle.unshare.try_wait().unwrap().is_some()
        });
        (!idle.first.is_empty()).then_some(idle)
    }

    /// `pinfold WORDS` in there.
    fn pinfold(&self, trial: &Trial, words: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.first, "-p", "-m", "--"]).arg(pinfold_bin());
        command.args(words.split_whitespace()).envs([trial.env()]);
        command
    }

    /// `pinfold run OPTIONS -- fixture ARGUMENTS` in there.
    fn run(&self, trial: &Trial, options: &str, arguments: &str) -> Command {
        let mut command = self.pinfold(trial, &format!("run {options} --"));
        command.arg(fixture()).args(arguments.split_whitespace());
        command
    }

    /// What became a child of the first process: names, and whether it is dead.
    fn orphans(&self) -> Vec<(String, bool)> {
        let children = format!("/proc/{0}/task/{0}/children", self.first);
        let pids = fs::read_to_string(children).unwrap();
        let one = |pid: &str| {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
            Some((name.trim_end().to_owned(), Stat::of(pid).ok()?.is_zombie()))
        };
        pids.split_whitespace().filter_map(one).collect()
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        // With it the kernel kills the first process, and with that all others.
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
    }
}

#[test]
fn a_run_leaves_nobody_where_nobody_waits_for_orphans() {
    let trial = Trial::new();
    if !given(is_root(), "root, to make a PID namespace with a first process of its own") {
        return;
    }
    for mechanism in mechanisms() {
        // From a short run that had no guard yet to one that had it before its program.
        for (options, arguments) in
            [("", "exit 0"), ("", "sleep 0.05"), ("--verbose", "exit 0"), ("--require guarded", "exit 0")]
        {
            if mechanism == "process-group" && !options.is_empty() {
                continue;
            }
            let idle = Idle::new(&trial);
            let Some(idle) = given(idle.is_some(), "unshare(1)").then_some(idle).flatten() else { return };
            let options = format!("{options} --isolation {mechanism}");
            let output = idle.run(&trial, &options, arguments).output().unwrap();
            assert!(output.status.success(), "{options}: {output:?}");
            assert_eq!(idle.orphans(), [], "{options} -- {arguments}");
        }
    }
    for words in ["batch -j2 true ::: 1 2 3", "wait-for cmd:true"] {
        let idle = Idle::new(&trial);
        let Some(idle) = given(idle.is_some(), "unshare(1)").then_some(idle).flatten() else { return };
        let output = idle.pinfold(&trial, words).output().unwrap();
        assert!(output.status.success(), "{words}: {output:?}");
        assert_eq!(idle.orphans(), [], "{words}");
    }
    trial.finish();
}

/// Nobody is there to wait for a guard or a keeper whose owner was killed: they are dead, and no more than that.
#[test]
fn what_a_killed_pinfold_leaves_there_is_dead() {
    let trial = Trial::new();
    if !given(is_root(), "root, to make a PID namespace with a first process of its own") {
        return;
    }
    for mechanism in mechanisms().into_iter().filter(|name| *name != "process-group") {
        let idle = Idle::new(&trial);
        let Some(idle) = given(idle.is_some(), "unshare(1)").then_some(idle).flatten() else { return };
        let options = format!("--require guarded --isolation {mechanism}");
        let registry = tempfile::tempdir().unwrap();
        let mut run = idle.run(&trial, &options, "escape daemon --stay");
        let mut live = Live::ready(run.env("PINFOLD_REGISTRY", registry.path()));
        wait_until("it is noted", LONG, || fs::read_dir(registry.path()).unwrap().count() == 1);
        // It is the child of nsenter, which ends as it does.
        let nsenter = live.child.id();
        let pinfold = fs::read_to_string(format!("/proc/{nsenter}/task/{nsenter}/children")).unwrap();
        let pinfold = Pid::from_raw(pinfold.trim().parse().unwrap()).unwrap();
        kill_process(pinfold, Signal::KILL).unwrap();
        assert!(live.child.wait().unwrap().signal().is_some());
        wait_until("all of it to be dead", LONG, || idle.orphans().iter().all(|(_, dead)| *dead));
        // A dead keeper is nothing that would have to be cleared.
        let mut cleanup = idle.pinfold(&trial, "cleanup --dry-run");
        let output = cleanup.env("PINFOLD_REGISTRY", registry.path()).output().unwrap();
        let said = text(&output.stdout);
        assert!(
            said.starts_with("found: registry entry ") && said.lines().count() == 1,
            "{mechanism}: {said}"
        );
    }
    trial.finish();
}
