//! `pinfold ps`, `pinfold kill`, `pinfold cleanup` and `pinfold doctor`: what owners have, and what dead ones left.
//!
//! Each trial has a registry of its own; cgroup directories of others may lie beside ours all the same, and are none of its
//! business: it asks for those of its owners by their pid.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use pinfold_trials::{
    RELAY, Trial, as_nobody, can_write_cgroup2, fixture, given, holds_sessions, is_root, pinfold_bin,
    wait_until,
};
use tempfile::TempDir;

use crate::place::Place;
use crate::{LONG, Live, isolations, pinfold, run, text};

struct Registry(TempDir);

impl Registry {
    fn new() -> Registry {
        Registry(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("registry")
    }

    fn entries(&self) -> Vec<PathBuf> {
        fs::read_dir(self.path()).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
    }

    fn entry_of(&self, pid: u32) -> Option<PathBuf> {
        let entries = self.entries();
        let wanted = format!(".{pid}.");
        entries.into_iter().find(|path| path.to_string_lossy().contains(&wanted))
    }

    /// `pinfold ARGUMENTS`, split at spaces, with this registry.
    fn pinfold(&self, arguments: &str) -> Output {
        let mut command = Command::new(pinfold_bin());
        command.args(arguments.split_whitespace()).env("PINFOLD_REGISTRY", self.path());
        command.stdin(Stdio::null()).output().unwrap()
    }

    /// What it says on standard output; it has to succeed.
    #[track_caller]
    fn says(&self, arguments: &str) -> String {
        let output = self.pinfold(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments}: {output:?}");
        text(&output.stdout)
    }

    /// A run of the fixture that is up, and noted.
    fn owner(&self, trial: &Trial, options: &str, denied: &str, arguments: &str) -> Live {
        self.started(run(trial, options, arguments), denied)
    }

    fn started(&self, mut command: Command, denied: &str) -> Live {
        command.envs([("PINFOLD_REGISTRY", self.path().as_os_str()), ("PINFOLD_DENY", denied.as_ref())]);
        let live = Live::ready(&mut command);
        wait_until("its owner is noted", LONG, || {
            self.entry_of(live.child.id())
                .is_some_and(|path| fs::read_to_string(path).unwrap().lines().count() > 3)
        });
        live
    }
}

fn kill_owner(mut owner: Live) {
    owner.child.kill().unwrap();
    owner.child.wait().unwrap();
}

/// The pids that a table shows in a column.
fn pids(table: &str, column: usize) -> Vec<u32> {
    let cells = table.lines().skip(1).filter_map(|line| line.split_whitespace().nth(column));
    cells.filter_map(|cell| cell.parse().ok()).collect()
}

#[test]
fn an_owner_is_noted_while_it_runs_and_no_longer() {
    let trial = Trial::new();
    let registry = Registry::new();
    for isolation in isolations() {
        let live = registry.owner(&trial, &format!("--isolation {isolation}"), "", "trap USR2");
        let entry = registry.entry_of(live.child.id()).unwrap();
        let said = fs::read_to_string(&entry).unwrap();
        assert!(!said.contains("trap"), "no arguments: {said}");
        live.signal(15);
        let (_, status) = live.end();
        assert!(!status.success());
        assert_eq!(registry.entries(), Vec::<PathBuf>::new(), "{isolation}");
    }
    trial.finish();
}

#[test]
fn owners_and_the_members_of_their_runs_are_listed() {
    let trial = Trial::new();
    let registry = Registry::new();
    assert_eq!(registry.says("ps").lines().count(), 1);
    let lives: Vec<Live> = isolations()
        .iter()
        .map(|isolation| {
            registry.owner(&trial, &format!("--isolation {isolation}"), "", "escape plain --stay")
        })
        .collect();
    let table = registry.says("ps");
    let json: serde_json::Value = serde_json::from_str(&registry.says("ps --tracked --json")).unwrap();
    assert_eq!(json["schema"], "pinfold.tracked/1");
    for (live, isolation) in lives.iter().zip(isolations()) {
        let pid = live.child.id();
        assert!(pids(&table, 0).contains(&pid), "{table}");
        let owners = json["owners"].as_array().unwrap();
        let owner = owners.iter().find(|owner| owner["pid"] == pid).unwrap();
        assert_eq!(owner["name"], "pinfold");
        let runs = owner["runs"].as_array().unwrap();
        let mechanism =
            if isolation == "cgroup" { "cgroup_v2".to_owned() } else { isolation.replace('-', "_") };
        assert_eq!((runs.len(), runs[0]["mechanism"].as_str()), (1, Some(mechanism.as_str())));
        let members = runs[0]["members"].as_array().unwrap();
        assert!(
            members.len() >= 2 && members.iter().all(|member| member["name"] == "fixture"),
            "{members:?}"
        );
        for member in members {
            assert!(
                pids(&table, 3).contains(&u32::try_from(member["pid"].as_u64().unwrap()).unwrap()),
                "{table}"
            );
        }
    }
    assert!(registry.says("kill --all").contains("stopped fixture"));
    for live in lives {
        live.end();
    }
    trial.finish();
}

#[test]
fn kill_stops_all_of_one_owner_and_leaves_the_others() {
    let trial = Trial::new();
    let registry = Registry::new();
    for isolation in isolations() {
        let options = format!("--isolation {isolation}");
        let other = registry.owner(&trial, &options, "", "trap USR2");
        let live = registry.owner(&trial, &options, "", "trap TERM");
        let pid = live.child.id();
        // It takes no notice of the signal, and grace is short.
        let said = registry.says(&format!("kill --grace 100ms {pid}"));
        assert!(
            said.starts_with(&format!("{pid}: stopped fixture")) && said.contains("were killed"),
            "{said}"
        );
        let (_, status) = live.end();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "{isolation}");
        assert!(pids(&registry.says("ps"), 0).contains(&other.child.id()));
        // One that is named by its run, and only by the right one.
        let table = registry.says("ps");
        let run = table.lines().nth(2).and_then(|line| line.split_whitespace().nth(1)).unwrap();
        let pid = other.child.id();
        let wrong = registry.pinfold(&format!("kill {pid}/nothing"));
        assert_eq!(wrong.status.code(), Some(1));
        assert!(text(&wrong.stderr).contains("has no run that is called nothing"), "{wrong:?}");
        registry.says(&format!("kill {pid}/{run}"));
        other.end();
    }
    trial.finish();
}

#[test]
fn kill_waits_for_whoever_comes_while_others_go() {
    let trial = Trial::new();
    let registry = Registry::new();
    // A process group cannot be named by others any more once its leader is gone.
    for isolation in isolations().into_iter().filter(|name| holds_sessions(name)) {
        let place = tempfile::tempdir().unwrap();
        let done = place.path().join("done");
        let mut command = pinfold(&trial, &format!("--isolation {isolation} --strays wait"));
        command.args(["--", "sh", "-c", RELAY]).env("done", &done);
        let live = registry.started(command, "");
        registry.says(&format!("kill --grace 1h {}", live.child.id()));
        assert!(done.exists(), "{isolation}: one of them lived, and it was said to be stopped");
        live.end();
    }
    trial.finish();
}

#[test]
fn kill_stops_what_runs_and_not_what_its_owner_runs_next() {
    const KILLS: usize = 40;
    let trial = Trial::new();
    let registry = Registry::new();
    for way in ["--grace 20s", "-s TERM"] {
        let place = tempfile::tempdir().unwrap();
        let log = place.path().join("log");
        let mut command = Command::new(pinfold_bin());
        command.args(["batch", "-q", "-u", "-j1", "--joblog"]).arg(&log).envs([trial.env()]);
        // Each begins the moment that the one before it has ended, and none ends by itself.
        command.args(["sh", "-c", "echo ready; exec sleep 1000", "-", ":::"]);
        command.args((0..10 * KILLS).map(|number| number.to_string()));
        let mut live = registry.started(command, "");
        for _ in 0..KILLS {
            let said = registry.says(&format!("kill {way} {}", live.child.id()));
            assert!(!said.contains("were killed"), "{said}");
            assert_eq!(live.line(), "ready");
        }
        live.signal(15);
        live.end();
        // The last of them was stopped with the batch.
        assert_eq!(fs::read_to_string(log).unwrap().lines().count(), KILLS + 1, "{way}");
    }
    trial.finish();
}

#[test]
fn kill_with_a_signal_sends_just_that() {
    let trial = Trial::new();
    let registry = Registry::new();
    let mut live = registry.owner(&trial, "", "", "trap USR1");
    let pid = live.child.id();
    let said = registry.says(&format!("kill -s USR1 {pid}"));
    assert!(said.starts_with(&format!("{pid}: sent SIGUSR1 to fixture (")), "{said}");
    assert!(live.line().contains("USR1"));
    // Longer than the test may take: only its end can end the wait.
    let said = registry.says(&format!("kill --grace 1h {pid}"));
    assert!(!said.contains("were killed"), "{said}");
    live.end();
    trial.finish();
}

#[test]
fn who_is_no_owner_is_not_killed() {
    let trial = Trial::new();
    let registry = Registry::new();
    let mut stranger = trial.fixture("trap USR2").stdout(Stdio::null()).spawn().unwrap();
    let refused = registry.pinfold(&format!("kill {}", stranger.id()));
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("is no owner"), "{refused:?}");
    assert!(stranger.try_wait().unwrap().is_none());
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    let gone = registry.pinfold(&format!("kill {}", stranger.id()));
    assert!(text(&gone.stderr).contains("does not exist"), "{gone:?}");
    trial.finish();
}

#[test]
fn an_owner_of_another_user_is_told_as_such() {
    if !pinfold_trials::given(is_root(), "root, to be somebody else") {
        return;
    }
    let trial = Trial::new();
    let registry = Registry::new();
    let live = registry.owner(&trial, "", "", "trap USR2");
    // The program may lie where nobody else may look; what is open may be executed.
    let program = File::open(pinfold_bin()).unwrap();
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&program));
    rustix::io::fcntl_setfd(&program, rustix::io::FdFlags::empty()).unwrap();
    let mut by_nobody = Command::new(path);
    by_nobody.args(["kill", &live.child.id().to_string()]).env("PINFOLD_REGISTRY", "/nowhere/at/all");
    let output = as_nobody(&mut by_nobody).output().unwrap();
    drop(program);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stderr).contains("belongs to another user (0)"), "{output:?}");
    live.signal(15);
    live.end();
    trial.finish();
}

/// Kills an owner and has what it left found and cleared, while another one goes on.
fn clear_after(trial: &Trial, registry: &Registry, thing: &str, other: Live, live: Live) {
    let pid = live.child.id();
    kill_owner(live);
    let listed = registry.says("cleanup --dry-run");
    assert!(listed.contains(&format!("found: {thing} ")) && listed.contains("with fixture ("), "{listed}");
    assert!(listed.contains("found: registry entry "), "{listed}");
    assert!(registry.entry_of(pid).is_some(), "nothing was touched");
    let cleared = registry.says(&format!("cleanup --owner {pid}"));
    assert!(cleared.contains(&format!("cleared: {thing} ")), "{cleared}");
    assert!(cleared.contains("cleared: registry entry "), "{cleared}");
    assert_eq!(registry.entry_of(pid), None);
    assert_eq!(registry.says(&format!("cleanup --owner {pid}")), "nothing is left of dead owners\n");
    // What lives was left alone, and all that is left is of it.
    let table = registry.says("ps");
    assert!(pids(&table, 0).contains(&other.child.id()), "{table}");
    registry.says(&format!("kill {}", other.child.id()));
    other.end();
    trial.wait_until_gone(LONG);
}

#[test]
fn what_a_killed_owner_left_in_another_cgroup_is_listed_then_cleared_and_then_not_there() {
    if !isolations().contains(&"cgroup") {
        return;
    }
    let trial = Trial::new();
    let registry = Registry::new();
    let place = Place::new();
    let start =
        |arguments| registry.started(place.inside(&run(&trial, "--isolation cgroup", arguments)), "guard");
    let (other, live) = (start("trap USR2"), start("escape setsid --stay"));
    assert_eq!(place.directories().len(), 2);
    clear_after(&trial, &registry, "cgroup", other, live);
    assert_eq!(place.directories(), Vec::<PathBuf>::new());
    drop(place);
    trial.finish();
}

#[test]
fn two_cleanups_at_once_clear_it_once() {
    if !isolations().contains(&"cgroup") {
        return;
    }
    let trial = Trial::new();
    let registry = Registry::new();
    let place = Place::new();
    for _ in 0..5 {
        let live = registry
            .started(place.inside(&run(&trial, "--isolation cgroup", "escape setsid --stay")), "guard");
        let pid = live.child.id();
        kill_owner(live);
        let both: Vec<Output> = std::thread::scope(|scope| {
            let cleanup = || registry.pinfold(&format!("cleanup --owner {pid}"));
            let threads = [scope.spawn(cleanup), scope.spawn(cleanup)];
            threads.map(|thread| thread.join().unwrap()).into()
        });
        let said: String = both.iter().map(|output| text(&output.stdout)).collect();
        assert_eq!(said.matches("cleared: registry entry").count(), 1, "{said}");
        assert!(!said.contains("not cleared"), "{said}");
        assert_eq!((registry.entry_of(pid), place.directories()), (None, Vec::new()));
        trial.wait_until_gone(LONG);
    }
    drop(place);
    trial.finish();
}

#[test]
fn what_a_killed_owner_left_in_a_process_group_is_cleared_while_its_leader_lives() {
    let trial = Trial::new();
    let registry = Registry::new();
    let start = |arguments| registry.owner(&trial, "--isolation process-group", "guard", arguments);
    let (other, live) = (start("trap USR2"), start("escape plain --stay"));
    clear_after(&trial, &registry, "process group", other, live);
    trial.finish();
}

#[test]
fn a_keeper_that_outlived_its_owner_is_ended_with_what_it_keeps() {
    if !given(can_write_cgroup2(), "a cgroup v2 that can be written") {
        return;
    }
    let trial = Trial::new();
    let registry = Registry::new();
    for isolation in
        isolations().into_iter().filter(|isolation| matches!(*isolation, "subreaper" | "pid-namespace"))
    {
        let place = Place::new();
        let run = run(&trial, &format!("--isolation {isolation}"), "escape setsid --stay");
        let live = registry.started(place.inside(&run), "");
        let pid = live.child.id();
        // Frozen, it cannot see that its owner has gone. Stopped it could: who is stopped and orphaned is continued.
        place.freeze();
        kill_owner(live);
        let found = registry.says(&format!("cleanup -n --owner {pid}"));
        assert!(found.contains("found: keeper "), "{isolation}: {found}");
        let cleared = registry.says(&format!("cleanup --owner {pid}"));
        assert!(
            cleared.contains("cleared: keeper ") && cleared.contains("cleared: registry entry"),
            "{cleared}"
        );
        assert_eq!(registry.says(&format!("cleanup --owner {pid}")), "nothing is left of dead owners\n");
        trial.wait_until_gone(LONG);
    }
    trial.finish();
}

#[test]
fn the_next_owner_clears_as_well() {
    let trial = Trial::new();
    let registry = Registry::new();
    let live = registry.owner(&trial, "", "guard", "trap USR2");
    let pid = live.child.id();
    kill_owner(live);
    // One that lasts: a run of a millisecond has no time for others.
    let next = registry.owner(&trial, "", "", "trap USR2");
    wait_until("what was left is cleared", LONG, || registry.entry_of(pid).is_none());
    next.signal(15);
    next.end();
    assert_eq!(registry.entries(), Vec::<PathBuf>::new());
    trial.wait_until_gone(LONG);
    trial.finish();
}

#[test]
fn what_is_locked_is_left_alone() {
    let trial = Trial::new();
    let registry = Registry::new();
    let live = registry.owner(&trial, "", "guard", "trap USR2");
    let pid = live.child.id();
    let entry = registry.entry_of(pid).unwrap();
    kill_owner(live);
    let lock = File::open(&entry).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let output = registry.pinfold(&format!("cleanup --owner {pid}"));
    assert_eq!(output.status.code(), Some(0), "whoever holds it clears it, or lives: {output:?}");
    assert!(text(&output.stdout).contains("left alone: registry entry"), "{output:?}");
    assert!(text(&output.stdout).contains("its lock is held"), "{output:?}");
    assert!(entry.exists());
    drop(lock);
    registry.says(&format!("cleanup --owner {pid}"));
    trial.wait_until_gone(LONG);
    trial.finish();
}

/// A container with its registry in a directory of the host, say: what is done every day must not fail every day.
#[test]
fn an_owner_of_another_pid_namespace_is_left_alone_and_that_is_no_failure() {
    let registry = Registry::new();
    fs::create_dir(registry.path()).unwrap();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    // No namespace has this number: those of PIDs begin far above.
    let entry = registry.path().join("pinfold.7.4000001.1");
    fs::write(&entry, format!("pinfold-owner 1\nprocess 7 4000001 1\nboot {boot}")).unwrap();
    for options in ["", "--dry-run"] {
        let said = registry.says(&format!("cleanup {options}"));
        let [line, rest] = *said.lines().collect::<Vec<_>>() else { panic!("{said}") };
        assert!(line.starts_with("left alone: registry entry ") && line.contains("PID namespace"), "{line}");
        assert_eq!(rest, "nothing else is left of dead owners");
        let json: serde_json::Value =
            serde_json::from_str(&registry.says(&format!("cleanup --json {options}"))).unwrap();
        assert!(json["left"][0]["fate"]["skipped"].is_string(), "{json}");
        assert!(entry.exists());
    }
    // Beside what should go and cannot, it is not what the exit code tells of.
    fs::write(registry.path().join("letter"), "x").unwrap();
    assert_eq!(registry.pinfold("cleanup").status.code(), Some(1));
    fs::remove_file(registry.path().join("letter")).unwrap();
    // One of an earlier boot is gone wherever it was.
    let earlier = boot.replace(|digit: char| digit.is_ascii_hexdigit(), "0");
    fs::write(&entry, format!("pinfold-owner 1\nprocess 7 4000001 1\nboot {earlier}")).unwrap();
    assert!(registry.says("cleanup").starts_with("cleared: registry entry "));
    assert!(!entry.exists());
}

#[test]
fn what_does_not_read_as_it_should_is_named_and_not_believed() {
    let trial = Trial::new();
    let registry = Registry::new();
    let mut victim = trial.fixture("trap USR2").stdout(Stdio::null()).spawn().unwrap();
    let start = pinfold_trials::proc::Stat::of(&victim.id().to_string()).unwrap().start;
    fs::create_dir(registry.path()).unwrap();
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap();
    let namespace = namespace.to_string_lossy().trim_start_matches("pid:[").trim_end_matches(']').to_owned();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let write = |pid: u32, content: &str| {
        let name = format!("pinfold.{namespace}.{pid}.1");
        fs::write(registry.path().join(&name), content).unwrap();
        name
    };
    // Of owners that nobody is: they started with the system's first tick.
    let head = |pid: u32| format!("pinfold-owner 1\nprocess {namespace} {pid} 1\nboot {boot}");
    let cgroup = pinfold_trials::cgroup2_dir().unwrap_or_default();
    let wrong = [
        write(4_000_001, "nonsense\n"),
        write(4_000_002, &(head(4_000_001) + "\n")),
        write(4_000_003, &format!("{}cgroup {}\n", head(4_000_003), cgroup.display())),
        write(4_000_004, &format!("{}subreaper {} {start}\nx\n", head(4_000_004), victim.id())),
    ];
    fs::write(registry.path().join("letter"), "x").unwrap();
    // Well written, of another process that had that pid: nothing of it is there any more.
    write(4_000_005, &format!("{}process_group {} {}\n", head(4_000_005), victim.id(), start + 1));
    let output = registry.pinfold("cleanup");
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for name in wrong.iter().map(String::as_str).chain(["letter"]) {
        let line = said.lines().find(|line| line.contains(name)).unwrap();
        assert!(line.starts_with("not cleared: registry entry "), "{line}");
        assert!(registry.path().join(name).exists());
    }
    assert_eq!(registry.entries().len(), wrong.len() + 1, "{said}");
    assert!(victim.try_wait().unwrap().is_none(), "nobody was believed");
    victim.kill().unwrap();
    victim.wait().unwrap();
    trial.finish();
}

#[test]
fn a_registry_that_cannot_be_written_is_in_nobodys_way() {
    let trial = Trial::new();
    let nowhere = Path::new("/proc/nowhere");
    let mut command = run(&trial, "", "exit 3");
    let output = command.env("PINFOLD_REGISTRY", nowhere).output().unwrap();
    drop(command);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(3), String::new()));
    let mut doctor = Command::new(pinfold_bin());
    let output = doctor.arg("doctor").env("PINFOLD_REGISTRY", nowhere).output().unwrap();
    assert!(text(&output.stdout).contains("/proc/nowhere cannot be written to"), "{output:?}");
    trial.finish();
}

#[test]
fn cleanup_says_that_it_has_no_registry_to_look_at() {
    for (registry, why) in [("", "turned off by PINFOLD_REGISTRY"), ("here", "is no absolute path")] {
        let mut command = Command::new(pinfold_bin());
        let output =
            command.args(["cleanup", "--dry-run"]).env("PINFOLD_REGISTRY", registry).output().unwrap();
        let said = text(&output.stderr);
        assert!(said.contains(why) && said.contains("only the cgroups"), "{said}");
    }
}

#[test]
fn the_doctor_says_which_limits_there_are_not() {
    let output = Command::new(pinfold_bin()).arg("doctor").output().unwrap();
    let said = text(&output.stdout);
    let line = said.lines().find(|line| line.starts_with("  controllers")).unwrap();
    for name in ["memory", "pids", "cpu", "io"] {
        let (had, lacking) = line.split_once('(').unwrap_or((line, ""));
        let has = |text: &str| text.split([' ', ',']).any(|word| word == name);
        assert!(has(had) != has(lacking) || had.contains("none"), "{name}: {line}");
    }
    // And how to have them: where the kernel keeps them for cgroup v1, where systemd does not hand them down.
    let lacks_some = line.contains("refused") || line.contains("none");
    let remedy = said.lines().find_map(|line| line.trim_start().strip_prefix("to have them: "));
    let mut command = Command::new(pinfold_bin());
    let json = command.args(["doctor", "--json"]).output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["cgroup"]["remedy"].as_str(), remedy);
    let of_version_1 = fs::read_to_string("/proc/self/cgroup").unwrap().lines().any(|line| {
        line.split(':')
            .nth(1)
            .is_some_and(|names| names.split(',').any(|name| ["memory", "pids", "cpu"].contains(&name)))
    });
    match remedy {
        Some(remedy) if of_version_1 => {
            assert!(
                remedy.contains("unified_cgroup_hierarchy=1") && remedy.contains("v1 hierarchy"),
                "{remedy}"
            );
        }
        Some(remedy) => assert!(
            lacks_some && (remedy.contains("Delegate=yes") || remedy.contains("cgroup_disable")),
            "{remedy}"
        ),
        None => assert!(!lacks_some || json["cgroup"]["place"].is_null(), "{line}"),
    }
}

#[test]
fn the_doctor_says_what_a_run_will_have() {
    let report = |denied: &str| {
        let mut command = Command::new(pinfold_bin());
        let output = command.args(["doctor", "--json"]).env("PINFOLD_DENY", denied).output().unwrap();
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(json["schema"], "pinfold.doctor/1");
        (json, output.status.code())
    };
    let (nothing, code) = report("cgroup,subreaper,pid_namespace");
    assert_eq!((nothing["best"].as_str(), code), (Some("process_group"), Some(1)));
    for rung in nothing["rungs"].as_array().unwrap() {
        assert_eq!(rung["guarantee"].is_null(), rung["mechanism"] != "process_group", "{rung}");
    }
    let (all, _) = report("");
    let mut command = Command::new(pinfold_bin());
    let record = command.args(["run", "--json", "--"]).arg(fixture()).args(["exit", "0"]).output().unwrap();
    let record: serde_json::Value = serde_json::from_slice(&record.stderr).unwrap();
    assert_eq!(record["outcome"]["mechanism"], all["best"]);
}
