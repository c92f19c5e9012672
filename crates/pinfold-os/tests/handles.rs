//! A maker with many handles: what a child sees must not depend on how many there are, nor on the route.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use pinfold_os::handle::Process;
use pinfold_os::order::{Mapping, Order, Step};
use pinfold_os::pipe;
use pinfold_os::poll::Set;
use pinfold_os::spawn::{Route, chosen, spawn, spawn_by};
use pinfold_os::wait::ExitStatus;
use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd};

/// More than are left where they are.
const MANY: usize = 150;

fn shell<'a>(script: &str) -> Order<'a> {
    let argv = vec![c"sh".to_owned(), c"-c".to_owned(), CString::new(script).unwrap()];
    Order::new(c"/bin/sh".to_owned(), argv, vec![c"PATH=/usr/bin:/bin".to_owned()])
}

/// What a child writes that is given `count` descriptors beside its output, and which of them it has.
fn told(route: Route, count: i32) -> String {
    let (mut read, write) = std::io::pipe().unwrap();
    let mut order = shell("for file in /proc/$$/fd/*; do echo ${file##*/}; done");
    order.descriptors = (10..10 + count).map(|target| Mapping { source: write.as_fd(), target }).collect();
    order.descriptors.push(Mapping { source: write.as_fd(), target: 1 });
    let mut child = spawn_by(route, &order).unwrap();
    drop(order);
    drop(write);
    let mut text = String::new();
    read.read_to_string(&mut text).unwrap();
    assert_eq!(child.reap().unwrap().status, ExitStatus::Code(0), "{route:?}: {text}");
    text
}

#[test]
fn a_child_sees_the_same_however_many_handles_there_are() {
    let first = Route::ALL.iter().position(|route| *route == chosen()).unwrap();
    let routes = &Route::ALL[first..];
    let alone: Vec<String> = [1, 300].map(|count| told(routes[0], count)).into();
    assert!(alone[1].lines().count() > 300, "{}", alone[1]);
    let (stay, end) = std::io::pipe().unwrap();
    let children: Vec<Process> = (0..MANY)
        .map(|_| {
            let mut order = shell("read line");
            order.descriptors = vec![Mapping { source: stay.as_fd(), target: 0 }];
            spawn(&order).unwrap()
        })
        .collect();
    // Nor on how many ends of pipes and sets are kept, which leave room where a child needs it.
    let kept: Vec<_> = (0..MANY).map(|_| (pipe::output().unwrap().0, Set::new().unwrap())).collect();
    // An emulator keeps to numbers of its own.
    if std::env::var("NEXTEST_PROFILE").is_ok_and(|profile| profile != "emulated") {
        assert!(pipe::output().unwrap().1.as_raw_fd() < 100, "what is handed to a child lies low");
    }
    for route in routes {
        for (count, alone) in [1, 300].into_iter().zip(&alone) {
            assert_eq!(told(*route, count), *alone, "{route:?} with {count}");
        }
        // A name that leads through a descriptor of ours, and above all that are needed.
        let program = File::open("/bin/sh").unwrap();
        let mut order = shell("exit 3");
        order.program = CString::new(format!("/proc/self/fd/{}", program.as_raw_fd())).unwrap();
        assert_eq!(
            spawn_by(*route, &order).unwrap().reap().unwrap().status,
            ExitStatus::Code(3),
            "{route:?}"
        );
        // Our own table is none the worse for a child that failed with it.
        let missing = Order::new(c"/nope".to_owned(), vec![c"nope".to_owned()], Vec::new());
        assert_eq!(spawn_by(*route, &missing).unwrap_err().step, Step::Exec, "{route:?}");
    }
    drop((stay, end, kept));
    for mut child in children {
        assert_eq!(child.reap().unwrap().status, ExitStatus::Code(1), "the end of its input");
    }
}
