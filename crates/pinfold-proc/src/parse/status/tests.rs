#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;

const SHELL: &[u8] = b"Name:\tsh\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t4805\nNgid:\t0\nPid:\t4806\n\
    PPid:\t4803\nTracerPid:\t17\nUid:\t1000\t1001\t1002\t1003\nGid:\t1\t2\t3\t4294967295\nFDSize:\t256\n\
    Groups:\t4 24 1000 \nNStgid:\t4805\t1\nNSpid:\t4806\t2\nKthread:\t0\nVmPeak:\t    3060 kB\n\
    VmSize:\t    3059 kB\nVmLck:\t       8 kB\nVmPin:\t       0 kB\nVmHWM:\t    1740 kB\nVmRSS:\t    1739 kB\n\
    RssAnon:\t     108 kB\nRssFile:\t    1631 kB\nRssShmem:\t       1 kB\nVmSwap:\t       5 kB\nThreads:\t3\n\
    SigQ:\t0/96365\nSigPnd:\t0000000000000001\nShdPnd:\t0000000000000002\nSigBlk:\t8000000000000000\n\
    SigIgn:\t0000000000001000\nSigCgt:\t0000000000004002\nCapInh:\t0000000000000001\nCapPrm:\t000001fffeffffff\n\
    CapEff:\t0000000000000003\nCapBnd:\t0000000000000004\nCapAmb:\t0000000000000005\nNoNewPrivs:\t1\n\
    Seccomp:\t2\nSeccomp_filters:\t1\nvoluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t8\n";
const ZOMBIE: &[u8] = b"Name:\tcat\nState:\tZ (zombie)\nTgid:\t9\nPid:\t9\nPPid:\t0\nTracerPid:\t0\n\
    Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nGroups:\t \nThreads:\t1\n";

#[test]
fn each_line_is_read_by_its_name() {
    let status = Status::parse(SHELL).unwrap();
    assert_eq!((&*status.name, status.umask, status.state), (&b"sh"[..], Some(0o022), State::Sleeping));
    assert_eq!((status.tgid, status.pid, status.ppid, status.tracer), (4805, 4806, Some(4803), Some(17)));
    assert_eq!(status.uid, Ids { real: 1000, effective: 1001, saved: 1002, filesystem: 1003 });
    assert_eq!(status.gid.filesystem, u32::MAX);
    assert_eq!(status.groups().collect::<Vec<_>>(), [4, 24, 1000]);
    assert_eq!(status.ns_pids().collect::<Vec<_>>(), [4806, 2]);
    let memory = Memory {
        peak_size: Some(3060 * 1024),
        size: 3059 * 1024,
        locked: Some(8 * 1024),
        peak_resident: Some(1740 * 1024),
        resident: 1739 * 1024,
        resident_anon: Some(108 * 1024),
        resident_file: Some(1631 * 1024),
        resident_shmem: Some(1024),
        swap: Some(5 * 1024),
    };
    assert_eq!(status.memory, Some(memory));
    assert_eq!(status.threads, 3);
    let signals = status.signals.unwrap();
    assert_eq!((signals.pending.0, signals.shared_pending.0), (1, 2));
    assert!(signals.ignored.contains(13) && signals.caught.contains(15) && signals.caught.contains(2));
    assert!(signals.blocked.contains(64) && !signals.blocked.contains(65) && !signals.blocked.contains(0));
    let capabilities = status.capabilities.unwrap();
    assert_eq!((capabilities.inheritable, capabilities.permitted), (1, 0x1ff_feff_ffff));
    assert_eq!((capabilities.effective, capabilities.bounding, capabilities.ambient), (3, 4, 5));
    assert_eq!((status.no_new_privs, status.seccomp), (Some(true), Some(Seccomp::Filter)));
    assert_eq!((status.voluntary_switches, status.nonvoluntary_switches), (Some(7), Some(8)));
}

#[test]
fn what_a_zombie_or_another_kernel_lacks_is_none() {
    let status = Status::parse(ZOMBIE).unwrap();
    assert!(status.state.has_ended());
    assert_eq!((status.ppid, status.tracer, status.memory, status.signals), (None, None, None, None));
    assert_eq!((status.umask, status.capabilities, status.no_new_privs), (None, None, None));
    assert_eq!(status.groups().chain(status.ns_pids()).count(), 0);
}

#[test]
fn a_name_keeps_its_blanks_and_loses_its_escapes() {
    let cases: [(&[u8], &[u8]); 6] = [
        (b" a ", b" a "),
        (b"a\\nUid: 0", b"a\nUid: 0"),
        (b"a\\\\n", b"a\\n"),
        (b"", b""),
        (b"caf\xe9", b"caf\xe9"),
        (b"\tx\\", b"\tx\\"),
    ];
    for (written, name) in cases {
        let file = [b"Name:\t", written, &ZOMBIE[9..]].concat();
        assert_eq!(&*Status::parse(&file).unwrap().name, name);
    }
}

#[test]
fn the_order_of_lines_does_not_matter() {
    let mut lines: Vec<&[u8]> = SHELL.split_inclusive(|byte| *byte == b'\n').collect();
    lines.reverse();
    assert_eq!(Status::parse(&lines.concat()).unwrap(), Status::parse(SHELL).unwrap());
}

#[test]
fn an_error_names_the_field() {
    let replaced = |from: &str, to: &str| {
        let file = std::str::from_utf8(SHELL).unwrap().replace(from, to);
        Status::parse(file.as_bytes()).map(|_| ()).unwrap_err().to_string()
    };
    assert_eq!(Status::parse(b"").unwrap_err().to_string(), "field Name of status is missing");
    assert_eq!(replaced("\nUid:", "\nuid:"), "field Uid of status is missing");
    assert_eq!(replaced("\t1003", ""), "field Uid of status is missing");
    assert_eq!(replaced("1739 kB", "1739 MB"), "field VmRSS of status is malformed");
    assert_eq!(replaced("1739 kB", "18446744073709551 kB"), "field VmRSS of status is out of range");
    assert_eq!(replaced("8000000000000000", "18000000000000000"), "field SigBlk of status is out of range");
    assert_eq!(replaced("NoNewPrivs:\t1", "NoNewPrivs:\t2"), "field NoNewPrivs of status is malformed");
    assert_eq!(replaced("4 24", "4 -24"), "field Groups of status is malformed");
}
