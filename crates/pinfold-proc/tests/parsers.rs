//! No input makes a parser panic, and what the kernel would write for any values is read back as those values.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use pinfold_proc::parse::cgroup::Cgroups;
use pinfold_proc::parse::cmdline::Cmdline;
use pinfold_proc::parse::io::Io;
use pinfold_proc::parse::mountinfo::Mounts;
use pinfold_proc::parse::stat::Stat;
use pinfold_proc::parse::status::Status;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// Files as a kernel wrote them.
const FILES: [&[u8]; 6] = [
    b"18018 (cat) R 18008 18008 2956 34816 -1 4194560 104 0 0 0 0 0 0 0 20 0 1 0 204224 3133440 412 \
        18446744073709551615 93853374275584 93853374295465 140732123500064 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0\n",
    b"Name:\tcat\\n\\\\\nUmask:\t0022\nState:\tR (running)\nTgid:\t4805\nPid:\t4805\nPPid:\t4803\nTracerPid:\t0\n\
        Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nGroups:\t4 24 \nNSpid:\t4805\t2\nVmPeak:\t    3060 kB\nVmSize:\t    3060 kB\n\
        VmHWM:\t    1740 kB\nVmRSS:\t    1740 kB\nThreads:\t1\nSigPnd:\t0000000000000000\nShdPnd:\t0000000000000000\n\
        SigBlk:\t0000000000000000\nSigIgn:\t0000000000001000\nSigCgt:\t0000000000004002\nCapInh:\t0000000000000000\n\
        CapPrm:\t000001fffeffffff\nCapEff:\t000001fffeffffff\nCapBnd:\t000001fffeffffff\nCapAmb:\t0000000000000000\n\
        NoNewPrivs:\t0\nSeccomp:\t2\nvoluntary_ctxt_switches:\t0\nnonvoluntary_ctxt_switches:\t0\n",
    b"sh\0-c\0\0caf\xe9\0",
    b"9:name=systemd:/\n4:cpu,cpuacct:/a:b\n0::/user.slice/x (deleted)\n",
    b"31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n\
        41 31 0:38 /a\\040b /mnt\\134 rw,relatime shared:1 master:2 - cgroup2  rw\n",
    b"rchar: 6976\nwchar: 0\nsyscr: 10\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n",
];

/// Has every parser read the bytes, with all that it offers.
fn parse_with_all(bytes: &[u8]) {
    if let Ok(stat) = Stat::parse(bytes) {
        assert!(stat.pid > 0 && stat.ppid != Some(0));
    }
    if let Ok(status) = Status::parse(bytes) {
        assert!(status.groups().count() + status.ns_pids().count() <= bytes.len());
    }
    let cmdline = Cmdline::parse(bytes);
    assert_eq!(cmdline.is_empty(), cmdline.arguments().next().is_none());
    let cgroups = Cgroups::parse(bytes);
    assert!(cgroups.iter().flatten().all(|cgroup| cgroup.path.starts_with(b"/")));
    let found = (cgroups.v2(), cgroups.v1(b"cpu"));
    let mounts = Mounts::parse(bytes);
    if let (Ok(Some(mount)), Ok(Some(cgroup))) = (mounts.cgroup2(), found.0) {
        assert!(mount.locate(cgroup.path).is_none_or(|path| !path.is_empty()));
    }
    for mount in mounts.iter().flatten() {
        let inside = mount.locate(&mount.root);
        assert!(inside.is_none_or(|path| mount.mount_point.starts_with(&path) || path == b"/"));
    }
    let _ = Io::parse(bytes);
}

/// One change to a file.
#[derive(Clone, Debug)]
enum Change {
    Replace(Index, u8),
    Insert(Index, Vec<u8>),
    Cut(Index, Index),
    Repeat(Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    // The bytes that mean something somewhere are tried more often than others.
    let byte = prop_oneof![any::<u8>(), proptest::sample::select(&b"\0\n\t :()-\\/,0179"[..])];
    prop_oneof![
        (any::<Index>(), byte.clone()).prop_map(|(at, byte)| Change::Replace(at, byte)),
        (any::<Index>(), vec(byte, 1..24)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Change::Cut(from, to)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Change::Repeat(from, to)),
    ]
}

fn changed(file: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut bytes = file.to_vec();
    for change in changes {
        let at = |index: &Index, bytes: &[u8]| index.index(bytes.len() + 1);
        let range = |a: &Index, b: &Index, bytes: &[u8]| {
            let (a, b) = (at(a, bytes), at(b, bytes));
            a.min(b)..a.max(b)
        };
        match change {
            Change::Replace(index, byte) => {
                let index = at(index, &bytes);
                if let Some(place) = bytes.get_mut(index) {
                    *place = *byte;
                }
            }
            Change::Insert(index, new) => {
                let index = at(index, &bytes);
                bytes.splice(index..index, new.iter().copied());
            }
            Change::Cut(from, to) => drop(bytes.drain(range(from, to, &bytes))),
            Change::Repeat(from, to) => bytes.extend_from_within(range(from, to, &bytes)),
        }
    }
    bytes
}

/// As the kernel's `mangle` writes a path in mountinfo.
fn mangled(path: &[u8]) -> Vec<u8> {
    let escape = |byte: &u8| match byte {
        b' ' | b'\t' | b'\n' | b'\\' => format!("\\{byte:03o}").into_bytes(),
        _ => vec![*byte],
    };
    path.iter().flat_map(escape).collect()
}

fn no_nul() -> impl Strategy<Value = Vec<u8>> {
    vec(1..=u8::MAX, 0..40)
}

#[test]
fn the_files_are_good_before_they_are_changed() {
    Stat::parse(FILES[0]).unwrap();
    Status::parse(FILES[1]).unwrap();
    assert_eq!(Cmdline::parse(FILES[2]).arguments().count(), 4);
    assert!(Cgroups::parse(FILES[3]).v2().unwrap().unwrap().deleted);
    assert_eq!(&*Mounts::parse(FILES[4]).cgroup2().unwrap().unwrap().root, b"/a b");
    Io::parse(FILES[5]).unwrap();
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_survived(bytes in vec(any::<u8>(), 0..600)) {
        parse_with_all(&bytes);
    }

    #[test]
    fn damaged_files_are_survived(file in 0..FILES.len(), changes in vec(change(), 1..6)) {
        parse_with_all(&changed(FILES[file], &changes));
    }

    #[test]
    fn any_name_and_any_counts_are_read_from_stat(
        name in no_nul(), pid in 1..=i32::MAX, times in any::<[u64; 6]>(), nice in -20..20,
    ) {
        let [utime, stime, cutime, cstime, starttime, rss] = times;
        let mut file = format!("{pid} (").into_bytes();
        file.extend(&name);
        let rest = format!(
            ") S {pid} 0 -1 0 -1 0 1 2 3 4 {utime} {stime} {cutime} {cstime} 20 {nice} 1 0 {starttime} 0 {rss} 5 6\n"
        );
        file.extend(rest.as_bytes());
        let stat = Stat::parse(&file).unwrap();
        prop_assert_eq!(stat.comm, &name[..]);
        prop_assert_eq!([stat.utime, stat.stime, stat.cutime, stat.cstime, stat.starttime, stat.rss], times);
        prop_assert_eq!((stat.pid, stat.ppid, stat.pgrp), (pid.cast_unsigned(), Some(pid.cast_unsigned()), None));
        prop_assert_eq!(stat.nice, nice);
    }

    #[test]
    fn any_name_is_read_from_status(name in no_nul()) {
        let escaped = name.iter().flat_map(|byte| match byte {
            b'\n' => b"\\n".to_vec(),
            b'\\' => b"\\\\".to_vec(),
            byte => vec![*byte],
        });
        let rest = &FILES[1][FILES[1].iter().position(|byte| *byte == b'\n').unwrap()..];
        let file: Vec<u8> = b"Name:\t".iter().copied().chain(escaped).chain(rest.iter().copied()).collect();
        let status = Status::parse(&file).unwrap();
        prop_assert_eq!(&*status.name, &name[..]);
    }

    #[test]
    fn any_arguments_are_read_from_cmdline(arguments in vec(no_nul(), 0..8)) {
        let file: Vec<u8> = arguments.iter().flat_map(|one| one.iter().copied().chain([0])).collect();
        prop_assert_eq!(Cmdline::parse(&file).arguments().collect::<Vec<_>>(), arguments);
    }

    #[test]
    fn any_paths_are_read_from_mountinfo(root in no_nul(), point in no_nul()) {
        let (root, point) = ([b"/", &root[..]].concat(), [b"/", &point[..]].concat());
        let file = [b"7 1 0:9 ", &mangled(&root)[..], b" ", &mangled(&point), b" rw - cgroup2 none ro\n"].concat();
        let mount = Mounts::parse(&file).cgroup2().unwrap().unwrap();
        prop_assert_eq!((&*mount.root, &*mount.mount_point), (&root[..], &point[..]));
    }
}
