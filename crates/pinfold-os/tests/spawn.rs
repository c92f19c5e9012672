//! One order through every route: what the child sees must not depend on how it was made.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, reason = "a test says why it was skipped")]

use pinfold_os::handle::{Pid, Process};
use pinfold_os::limits::Resource;
use pinfold_os::linux::{landlock, seccomp};
use pinfold_os::order::{
    Capabilities, Directory, Grouping, Identity, Limit, Mapping, Order, SpawnError, Step,
};
use pinfold_os::sandbox::{Inside, Landlock, Sandbox};
use pinfold_os::signal::{Signal, SignalSet};
use pinfold_os::spawn::{Route, chosen, spawn, spawn_by};
use pinfold_os::wait::ExitStatus;
use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

fn c(text: &str) -> CString {
    CString::new(text).unwrap()
}

/// An order for `/bin/sh -c script`.
fn shell<'a>(script: &str) -> Order<'a> {
    let argv = vec![c("sh"), c("-c"), c(script)];
    Order::new(c("/bin/sh"), argv, vec![c("PATH=/usr/bin:/bin"), c("MARK=here")])
}

/// The routes that this host has: a user-mode emulator has no clone3 and shares no memory.
fn routes() -> Vec<Route> {
    let first = Route::ALL.iter().position(|route| *route == chosen()).unwrap();
    Route::ALL[first..].to_vec()
}

/// Runs an order with its descriptor 1 captured: its output and its end.
fn capture(route: Route, order: Order<'_>) -> Result<(String, ExitStatus), SpawnError> {
    let (mut read, write) = std::io::pipe().unwrap();
    let mut order: Order<'_> = order;
    order.descriptors.push(Mapping { source: write.as_fd(), target: 1 });
    let mut child = spawn_by(route, &order)?;
    drop(order);
    drop(write);
    let mut text = String::new();
    read.read_to_string(&mut text).unwrap();
    Ok((text, child.reap().unwrap().status))
}

/// Asserts that every route gives the same, and gives it back.
fn everywhere(order: &Order<'_>) -> String {
    let seen: Vec<_> =
        routes().into_iter().map(|route| (route, capture(route, order.clone()).unwrap())).collect();
    for (route, result) in &seen {
        assert_eq!(*result, seen[0].1, "{route:?} differs from {:?}", seen[0].0);
        assert_eq!(result.1, ExitStatus::Code(0), "{route:?}: {}", result.0);
    }
    seen[0].1.0.clone()
}

/// Asserts that every route fails at this step, with this errno.
fn nowhere(order: &Order<'_>, step: Step, errno: i32) {
    for route in routes() {
        let error = spawn_by(route, order).expect_err("spawned");
        assert_eq!((error.step, error.source.raw_os_error()), (step, Some(errno)), "{route:?}: {error}");
        // Nothing is left of it, not even a zombie.
        assert_eq!(
            rustix::process::wait(rustix::process::WaitOptions::NOHANG).unwrap_err(),
            rustix::io::Errno::CHILD
        );
    }
}

#[test]
fn arguments_environment_and_name_arrive_as_given() {
    let mut order = shell("printf '%s|' \"$0\" \"$@\"; env | grep -v '^_=' | sort");
    order.argv.to_mut().extend([c("zero"), c(""), c("two words"), c("\u{e9}*$HOME")]);
    let text = everywhere(&order);
    assert!(text.starts_with("zero||two words|\u{e9}*$HOME|"), "{text}");
    assert!(text.contains("MARK=here") && !text.contains("CARGO"), "{text}");
}

#[test]
fn exit_codes_and_signals_are_told_apart() {
    for route in routes() {
        for code in [0, 1, 127, 255] {
            let (_, status) = capture(route, shell(&format!("exit {code}"))).unwrap();
            assert_eq!(status, ExitStatus::Code(code), "{route:?}");
        }
        for signal in [Signal::TERM, Signal::KILL, Signal::USR1] {
            let (_, status) = capture(route, shell(&format!("kill -{} $$", signal.number()))).unwrap();
            assert_eq!(status, ExitStatus::Signal { signal, core_dumped: false }, "{route:?}");
        }
    }
}

#[test]
fn directory_umask_nice_and_limits_are_as_ordered() {
    let mut order = shell("pwd; umask; cut -d' ' -f19 /proc/$$/stat; ulimit -n; ulimit -Hn");
    order.directory = Some(Directory::Path(c("/usr")));
    order.umask = Some(0o027);
    order.nice = Some(7);
    order.limits = vec![Limit { resource: Resource::OpenFiles.number().unwrap(), soft: 64, hard: 128 }];
    assert_eq!(everywhere(&order), "/usr\n0027\n7\n64\n128\n");
}

#[test]
fn a_descriptor_goes_where_it_is_wanted_and_no_other_follows() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| {
        let mut file = File::create_new(dir.path().join(name)).unwrap();
        writeln!(file, "{name}").unwrap();
        OwnedFd::from(File::open(dir.path().join(name)).unwrap())
    };
    let (one, two, stranger) = (file("one"), file("two"), file("stranger"));
    rustix::io::fcntl_setfd(&stranger, rustix::io::FdFlags::empty()).unwrap();
    let text = "cat <&{a}; cat <&{b}; for f in /proc/self/fd/*; do case ${f##*/} in 0|1|2|{a}|{b}) ;; *) readlink $f;; esac; done";
    // Each takes the other's number, which cannot be done by copying one after the other.
    let (a, b) = (one.as_raw_fd(), two.as_raw_fd());
    let mut order = shell(&text.replace("{a}", &b.to_string()).replace("{b}", &a.to_string()));
    order.descriptors =
        vec![Mapping { source: one.as_fd(), target: b }, Mapping { source: two.as_fd(), target: a }];
    for route in routes() {
        for fd in [&one, &two] {
            rustix::fs::seek(fd, rustix::fs::SeekFrom::Start(0)).unwrap();
        }
        let (text, status) = capture(route, order.clone()).unwrap();
        assert_eq!(status, ExitStatus::Code(0));
        assert!(text.starts_with("one\ntwo\n"), "{route:?}: {text}");
        assert!(!text.contains("stranger"), "{route:?}: {text}");
    }
    let kept = shell(&format!("cat <&{a}"));
    let mut kept = Order { descriptors: vec![Mapping { source: one.as_fd(), target: a }], ..kept };
    rustix::fs::seek(&one, rustix::fs::SeekFrom::Start(0)).unwrap();
    assert_eq!(capture(Route::Fork, kept.clone()).unwrap().0, "one\n");
    kept.descriptors.clear();
    assert_ne!(capture(Route::Fork, kept).unwrap().1, ExitStatus::Code(0));
}

#[test]
fn what_was_given_to_us_is_passed_on_where_ordered() {
    let (given, ours) = (File::open("/dev/zero").unwrap(), File::open("/dev/full").unwrap());
    rustix::io::fcntl_setfd(&given, rustix::io::FdFlags::empty()).unwrap();
    let mut order = shell("for fd in /proc/self/fd/*; do readlink $fd; done");
    for (pass, seen) in [(false, false), (true, true)] {
        order.pass_descriptors = pass;
        for route in routes() {
            let (text, _) = capture(route, order.clone()).unwrap();
            assert_eq!(text.contains("/dev/zero"), seen, "{route:?}: {text}");
            assert!(!text.contains("/dev/full"), "{route:?}: {text}");
        }
    }
    drop(ours);
}

#[test]
fn sessions_and_groups_are_of_its_own_where_ordered() {
    // pid, group, session: fields 1, 5 and 6 of stat.
    let script = "set -- $(cat /proc/$$/stat); [ $5 = $1 ] && echo leads group; [ $6 = $1 ] && echo leads session; true";
    let mut order = shell(script);
    assert_eq!(everywhere(&order), "");
    order.grouping = Grouping::Own;
    assert_eq!(everywhere(&order), "leads group\n");
    order.grouping = Grouping::Session;
    assert_eq!(everywhere(&order), "leads group\nleads session\n");
    // Nobody leads this one in our session.
    nowhere(&Order { grouping: Grouping::Join(i32::MAX), ..shell("true") }, Step::ProcessGroup, libc::EPERM);
}

#[test]
fn signals_are_at_their_defaults_and_the_mask_is_the_callers() {
    // Not through a shell, which clears its mask.
    let argv = vec![c("grep"), c("-E"), c("^Sig(Blk|Ign)"), c("/proc/self/status")];
    let order = Order::new(c("/bin/grep"), argv, Vec::new());
    let mask = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap()
    };
    // Rust's runtime ignores SIGPIPE here; the child must not.
    let text = everywhere(&order);
    let ours = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let reset = SignalSet::empty().with(Signal::PIPE).with(Signal::XFSZ);
    let expected =
        reset.iter().fold(mask(&ours, "SigIgn"), |bits, signal| bits & !(1 << (signal.number() - 1)));
    assert_eq!((mask(&text, "SigBlk"), mask(&text, "SigIgn")), (0, expected));
    let mut order = order;
    order.mask = Some(SignalSet::empty().with(Signal::USR1));
    assert_eq!(mask(&everywhere(&order), "SigBlk"), 1 << (Signal::USR1.number() - 1));
}

#[test]
fn the_step_that_fails_is_named() {
    let good = || shell("true");
    nowhere(&Order { program: c("/nonexistent"), ..good() }, Step::Exec, libc::ENOENT);
    nowhere(&Order { program: c("/"), ..good() }, Step::Exec, libc::EACCES);
    let directory = Some(Directory::Path(c("/nonexistent")));
    nowhere(&Order { directory, ..good() }, Step::Directory, libc::ENOENT);
    let limits = vec![Limit { resource: Resource::OpenFiles.number().unwrap(), soft: 9, hard: 1 }];
    nowhere(&Order { limits, ..good() }, Step::Limits, libc::EINVAL);
    nowhere(&Order { affinity: Some(vec![0]), ..good() }, Step::Affinity, libc::EINVAL);
    nowhere(&Order { grouping: Grouping::SessionTerminal(0), ..good() }, Step::Terminal, libc::ENOTTY);
}

#[test]
fn the_user_is_switched_whole_or_refused() {
    let identity = Identity { groups: Some(vec![7, 8]), gid: Some(65534), uid: Some(65534) };
    let order = Order {
        identity,
        no_new_privs: true,
        ..shell("id -u; id -g; id -G; grep NoNewPrivs /proc/self/status")
    };
    if rustix::process::geteuid().is_root() {
        assert_eq!(everywhere(&order), "65534\n65534\n65534 7 8\nNoNewPrivs:\t1\n");
    } else {
        nowhere(&order, Step::Groups, libc::EPERM);
    }
}

#[test]
fn priorities_and_scores_are_as_ordered() {
    let own = std::fs::read_to_string("/proc/self/oom_score_adj").unwrap().trim().parse::<i32>().unwrap();
    let script = "cat /proc/self/oom_score_adj; grep Cpus_allowed: /proc/self/status";
    let order = Order {
        oom_score_adj: Some((own + 7).min(1000)),
        affinity: Some(vec![1]),
        // Best effort, last.
        io_priority: Some(2 << 13 | 7),
        ..shell(script)
    };
    let text = everywhere(&order);
    assert!(text.starts_with(&format!("{}\n", (own + 7).min(1000))), "{text}");
    let mask = text.split_whitespace().last().unwrap().replace(',', "");
    assert_eq!(u64::from_str_radix(mask.trim_start_matches('0'), 16), Ok(1), "{text}");
    let io_priority = Some(5 << 13);
    nowhere(&Order { io_priority, ..shell("true") }, Step::IoPriority, libc::EINVAL);
    let ours = std::fs::read_to_string("/proc/self/oom_score_adj").unwrap();
    assert_eq!(ours.trim(), own.to_string(), "the child shares our memory, not our score");
}

#[test]
fn capabilities_are_exactly_those_ordered() {
    const NET_BIND_SERVICE: u64 = 1 << 10;
    let identity = Identity { groups: Some(vec![]), gid: Some(65534), uid: Some(65534) };
    let capabilities = Capabilities { bounding: NET_BIND_SERVICE | 1, ambient: NET_BIND_SERVICE };
    let order = Order {
        identity,
        capabilities: Some(capabilities),
        ..Order::new(
            c("/bin/grep"),
            vec![c("grep"), c("^Cap"), c("/proc/self/status")],
            vec![c("PATH=/usr/bin:/bin")],
        )
    };
    if !rustix::process::geteuid().is_root() {
        return nowhere(&order, Step::Capabilities, libc::EPERM);
    }
    let text = everywhere(&order);
    let set = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        u64::from_str_radix(line.trim(), 16).unwrap()
    };
    for name in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
        assert_eq!(set(name), NET_BIND_SERVICE, "{name} {text}");
    }
    assert_eq!(set("CapBnd:"), NET_BIND_SERVICE | 1);
}

#[test]
fn a_child_that_is_tied_to_its_maker_ends_with_it() {
    for route in routes() {
        let order = Order { parent_death: Some(Signal::KILL), ..shell("exec sleep 60") };
        // The kernel means the thread; this one ends when it has spawned.
        let mut child = std::thread::spawn(move || spawn_by(route, &order).unwrap()).join().unwrap();
        let killed = ExitStatus::Signal { signal: Signal::KILL, core_dumped: false };
        assert_eq!(child.reap().unwrap().status, killed, "{route:?}");
    }
}

#[test]
fn a_group_is_signalled_after_its_leader_has_gone() {
    let mut order = shell("sleep 60 & echo $!; exec >&-; wait");
    order.grouping = Grouping::Own;
    let (read, write) = std::io::pipe().unwrap();
    order.descriptors.push(Mapping { source: write.as_fd(), target: 1 });
    let mut leader = spawn(&order).unwrap();
    drop(order);
    drop(write);
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(read), &mut line).unwrap();
    let member = Process::open(Pid::new(line.trim().parse().unwrap()).unwrap()).unwrap();
    leader.signal(Signal::KILL).unwrap();
    leader.reap().unwrap();
    if leader.group_exists() == Some(true) {
        leader.signal_group(Signal::KILL).unwrap();
    } else {
        // Before 6.9 it can no longer be named, and says so rather than guess.
        assert!(leader.signal_group(Signal::KILL).is_err());
        member.signal(Signal::KILL).unwrap();
    }
    let waitable = pinfold_os::poll::Waitable {
        descriptor: member.waitable(),
        direction: pinfold_os::poll::Direction::Read,
    };
    pinfold_os::poll::wait(&[waitable], None).unwrap();
    assert!(leader.signal(Signal::KILL).is_err(), "a handle outlives its process only as a name");
}

#[test]
fn a_detached_process_is_nobodys_child() {
    for route in routes() {
        let mut order = shell("read line");
        order.detach = true;
        order.grouping = Grouping::Session;
        let (read, write) = std::io::pipe().unwrap();
        order.descriptors.push(Mapping { source: read.as_fd(), target: 0 });
        let mut process = spawn_by(route, &order).unwrap();
        assert!(process.exists());
        assert_eq!(process.try_reap().unwrap_err().raw_os_error(), Some(libc::ECHILD), "{route:?}");
        assert_eq!(
            rustix::process::wait(rustix::process::WaitOptions::NOHANG).unwrap_err(),
            rustix::io::Errno::CHILD
        );
        drop(write);
        let ended = pinfold_os::poll::Waitable {
            descriptor: process.waitable(),
            direction: pinfold_os::poll::Direction::Read,
        };
        pinfold_os::poll::wait(&[ended], None).unwrap();
    }
}

#[test]
fn a_detached_process_that_cannot_start_says_so() {
    let order = Order { program: c("/nonexistent"), detach: true, ..shell("true") };
    nowhere(&order, Step::Exec, libc::ENOENT);
}

#[test]
fn a_status_that_someone_else_took_is_still_told_or_told_lost() {
    let order = shell("exit 7");
    let mut child = spawn(&order).unwrap();
    while rustix::process::wait(rustix::process::WaitOptions::empty()).is_err() {}
    assert!(matches!(child.reap().unwrap().status, ExitStatus::Code(7) | ExitStatus::Lost));
}

/// Says that a test cannot go on for want of what this kernel does not have.
fn has(it: bool, what: &str) -> bool {
    if !it {
        eprintln!("skipped: this host has no {what}");
    }
    it
}

/// Whether namespaces are to be made inside of a user namespace: without privileges they have to be, with them both ways
/// are open. A container may bar both, as util-linux's tool is asked.
fn namespaces() -> Vec<bool> {
    let unshare = |flags: &str| {
        let mut command = std::process::Command::new("unshare");
        command.args([flags, "true"]).stderr(std::process::Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    // An emulator has threads beside ours, and the kernel gives no user namespace to one of several (`unshare(2)`).
    let emulated = std::env::var("NEXTEST_PROFILE").is_ok_and(|profile| profile == "emulated");
    let ways = [
        (false, unshare("-mn"), "privilege to make namespaces"),
        (true, !emulated && unshare("-Umn"), "user namespaces for this process"),
    ];
    ways.into_iter().filter(|(_, can, what)| has(*can, what)).map(|(inside, ..)| inside).collect()
}

#[test]
fn an_empty_network_has_a_loopback_device_and_nothing_else() {
    for user_namespace in namespaces() {
        let mut order = shell(
            "sed 1,2d /proc/net/dev | cut -d: -f1; cut -c 1-60 /proc/net/fib_trie | grep -c '127.0.0.1'",
        );
        order.sandbox = Sandbox { no_network: true, user_namespace, ..Sandbox::default() };
        let text = everywhere(&order);
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        assert_eq!(lines.first(), Some(&"lo"), "{text}");
        assert!(lines.len() == 2 && lines[1] != "0", "the loopback device is up: {text}");
    }
}

#[test]
fn a_private_tmp_is_empty_and_goes_with_its_process() {
    let outside = tempfile::Builder::new().prefix("outside").tempdir_in("/tmp").unwrap();
    for user_namespace in namespaces() {
        let script = "ls -A /tmp; echo here > /tmp/inside-of-pinfold; ls -A /tmp; stat -c %a /tmp";
        let mut order = shell(script);
        order.sandbox = Sandbox { private_tmp: true, user_namespace, ..Sandbox::default() };
        assert_eq!(everywhere(&order), "inside-of-pinfold\n1777\n");
        assert!(outside.path().exists() && !std::path::Path::new("/tmp/inside-of-pinfold").exists());
        order.directory = Some(Directory::Path(c(outside.path().to_str().unwrap())));
        nowhere(&order, Step::Directory, libc::ENOENT);
    }
}

#[test]
fn in_a_user_namespace_it_is_who_it_was_and_nobody_else() {
    if !namespaces().contains(&true) {
        return;
    }
    let mut order = shell("id -u; id -g; cat /proc/self/setgroups");
    order.sandbox = Sandbox { user_namespace: true, ..Sandbox::default() };
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    assert_eq!(everywhere(&order), format!("{uid}\n{gid}\ndeny\n"));
    order.identity.uid = Some(uid.as_raw() + 1);
    nowhere(&order, Step::Uid, libc::EINVAL);
}

#[test]
fn landlock_leaves_what_its_rules_name() {
    if !has(landlock::version().is_ok_and(|version| version >= landlock::FILES), "Landlock of Linux 6.2") {
        return;
    }
    let dir = tempfile::Builder::new().tempdir_in("/var/tmp").unwrap();
    let path = dir.path().to_str().unwrap();
    let open = |path: &str| {
        let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC;
        rustix::fs::open(path, flags, rustix::fs::Mode::empty()).unwrap()
    };
    std::fs::create_dir(dir.path().join("free")).unwrap();
    std::fs::write(dir.path().join("kept"), "kept").unwrap();
    let (system, free) = (open("/"), open(&format!("{path}/free")));
    let script = format!(
        "echo x > {path}/free/new && echo wrote; echo x 2>&1 > {path}/new; true >> {path}/kept; cat {path}/kept"
    );
    let inside = [Inside { path: c("/tmp"), rights: landlock::rights(true) }];
    let ways = namespaces();
    for private_tmp in [false, true] {
        if private_tmp && ways.is_empty() {
            continue;
        }
        for route in routes() {
            // The descriptor lies just where the child is to have another one.
            let rules = [
                landlock::Rule { place: system.as_fd(), write: false },
                landlock::Rule { place: free.as_fd(), write: true },
            ];
            let ruleset = landlock::ruleset(Some(&rules), false).unwrap();
            let mut order = shell(&format!("{{ {script}; echo t > /tmp/pinfold-t; }} 2>&1"));
            order.no_new_privs = true;
            order.descriptors = vec![Mapping { source: system.as_fd(), target: ruleset.as_raw_fd() }];
            order.sandbox = Sandbox {
                private_tmp,
                user_namespace: private_tmp && !ways.contains(&false),
                landlock: Some(Landlock { ruleset: ruleset.as_fd(), inside: &inside[..private_tmp.into()] }),
                ..Sandbox::default()
            };
            let (text, status) = capture(route, order).unwrap();
            assert_eq!(status == ExitStatus::Code(0), private_tmp, "{route:?}: {text}");
            assert!(text.starts_with("wrote\n") && text.contains("kept"), "{route:?}: {text}");
            let denied = text.matches("ermission denied").count();
            assert_eq!(denied, if private_tmp { 2 } else { 3 }, "{route:?}: {text}");
        }
    }
    // The program itself is a file, too.
    let rules = [landlock::Rule { place: free.as_fd(), write: true }];
    let ruleset = landlock::ruleset(Some(&rules), false).unwrap();
    let landlock = Some(Landlock { ruleset: ruleset.as_fd(), inside: &[] });
    let order = Order { no_new_privs: true, ..shell("true") };
    let order = Order { sandbox: Sandbox { landlock, ..Sandbox::default() }, ..order };
    nowhere(&order, Step::Exec, libc::EACCES);
}

#[test]
fn a_filter_is_on_from_the_execution() {
    if !has(seccomp::available(), "seccomp filters") {
        return;
    }
    let filter = seccomp::filter(seccomp::List::Deny, &["mkdir", "mkdirat", "clone3"]).unwrap();
    let mut order = shell("mkdir /tmp/x 2>&1; true | grep Seccomp: /proc/self/status");
    order.no_new_privs = true;
    order.sandbox.filter = Some(&filter);
    let text = everywhere(&order);
    assert!(text.contains("Operation not permitted") && text.ends_with("Seccomp:\t2\n"), "{text}");
    // What the child still has to do is in every list, so that a failure is told.
    let nothing = seccomp::filter(seccomp::List::Allow, &[]).unwrap();
    order.sandbox.filter = Some(&nothing);
    nowhere(&Order { program: c("/nonexistent"), ..order.clone() }, Step::Exec, libc::ENOENT);
    for route in routes() {
        let (_, status) = capture(route, order.clone()).unwrap();
        assert_ne!(status, ExitStatus::Code(0), "a shell needs more than that");
    }
}

#[test]
fn who_is_not_privileged_cannot_be_restricted_without_giving_up_privileges() {
    if !has(seccomp::available(), "seccomp filters") {
        return;
    }
    if rustix::process::geteuid().is_root() {
        return;
    }
    let filter = seccomp::filter(seccomp::List::Deny, &["ptrace"]).unwrap();
    let sandbox = Sandbox { filter: Some(&filter), ..Sandbox::default() };
    nowhere(&Order { sandbox, ..shell("true") }, Step::Seccomp, libc::EACCES);
}

#[test]
fn a_child_that_becomes_somebody_else_leaves_its_parent_dumpable() {
    use rustix::process::{DumpableBehavior, dumpable_behavior, geteuid};
    if !geteuid().is_root() {
        return;
    }
    for route in routes() {
        let mut order = shell("exit 0");
        order.identity = Identity { uid: Some(65_534), gid: Some(65_534), groups: Some(Vec::new()) };
        capture(route, order).unwrap();
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::Dumpable, "{route:?}");
    }
}
