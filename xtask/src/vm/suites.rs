//! What runs in which machine: the one list, a line a suite.

/// Who runs a test there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Root,
    /// A user without rights, in a cgroup that was handed over to it with all its controllers.
    User,
    /// The same user in a cgroup that belongs to the system; below systemd only.
    Undelegated,
}

impl Who {
    pub(super) const ALL: [Who; 3] = [Self::Root, Self::User, Self::Undelegated];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::User => "user",
            Self::Undelegated => "undelegated",
        }
    }
}

/// Some tests of one test program.
pub(super) struct Suite<'a> {
    pub(super) who: Who,
    /// The source file that the test program is built from.
    pub(super) source: &'a str,
    /// What a test's name contains, one of these; none means every test.
    pub(super) only: &'a [&'a str],
    /// What it does not contain.
    pub(super) skip: &'a [&'a str],
}

const fn root<'a>(source: &'a str, only: &'a [&'a str], skip: &'a [&'a str]) -> Suite<'a> {
    Suite { who: Who::Root, source, only, skip }
}

const fn user<'a>(source: &'a str, only: &'a [&'a str], skip: &'a [&'a str]) -> Suite<'a> {
    Suite { who: Who::User, source, only, skip }
}

const fn undelegated<'a>(source: &'a str, only: &'a [&'a str], skip: &'a [&'a str]) -> Suite<'a> {
    Suite { who: Who::Undelegated, source, only, skip }
}

/// The first program of a machine, and with it what makes the cgroups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Init {
    /// A script, which does by hand what a manager would do.
    Script,
    /// systemd, with a manager for the system and one for the user; each test is a scope with `Delegate=yes`, unless
    /// the test is there to get one.
    Systemd,
}

/// A kernel, and what is asked of it.
pub(super) struct Machine<'a> {
    /// The release of Debian whose kernel it is.
    pub(super) debian: &'a str,
    pub(super) init: Init,
    /// Whether the step fails without it. Debian's archive lets go of a release at some time.
    pub(super) needed: bool,
    pub(super) suites: &'a [Suite<'a>],
}

const OS: &str = "crates/pinfold-os/src/lib.rs";
const SPAWN: &str = "crates/pinfold-os/tests/spawn.rs";
const CGROUP: &str = "crates/pinfold-os/tests/cgroup.rs";
const KEEPER: &str = "crates/pinfold-os/tests/keeper.rs";
const LIMITS: &str = "trials/tests/limits.rs";
const SCOPE: &str = "trials/tests/scope.rs";
const LIBRARY: &str = "trials/tests/library/main.rs";
const CLI: &str = "trials/tests/cli/main.rs";
const PYTHON: &str = "tests/machine/limits.py";

/// What depends on the kernel, of the trials of the library. Memory, text and streams do not, and take long here.
const KERNEL: &[&str] = &[
    "owner::",
    "containers::",
    "control::",
    "detached::",
    "background::",
    "threads::",
    "machine::",
    "group::",
];
/// The matrices of what is started and how it ends, or how its owner does.
const MATRIX: &[&str] = &[
    "ending::nothing_is_left_of_a_run_however_it_ends",
    "matrix::nothing_outlives_an_owner_that_ends",
    "matrix::nothing_outlives_an_owner_that_is_killed_for_want_of_memory",
];
/// What takes its time and is told by one machine as well as by two.
const LONG: &[&str] = &["containers::many_runs_at_once"];

/// Linux 6.1 has no group behind a pidfd and no status from one; Linux 5.10 has no `cgroup.kill` either, and no
/// `close_range` that only marks. All run in five minutes on two processors that emulate them: what is added must be
/// worth its time. Programs that stop their group stay out: here the tests are in a group that nobody could continue,
/// and the kernel stops no such group.
pub(super) const MACHINES: [Machine<'static>; 3] = [
    Machine {
        debian: "bookworm",
        init: Init::Script,
        needed: true,
        suites: &[
            root(OS, &[], &[]),
            root(SPAWN, &[], &[]),
            root(CGROUP, &[], &[]),
            root(KEEPER, &[], &[]),
            root(LIMITS, &[], &[]),
            root(LIBRARY, KERNEL, &[]),
            root(LIBRARY, MATRIX, &[]),
            root(CLI, &["ending::whatever_outlives", "ending::strays_are_waited_for", "limits::"], &[]),
            user(CGROUP, &[], &[]),
            user(KEEPER, &[], &[]),
            user(LIMITS, &[], &[]),
            user(LIBRARY, KERNEL, LONG),
            user(LIBRARY, MATRIX, &[]),
            user(CLI, &["ending::whatever_outlives", "ending::strays_are_waited_for", "limits::"], &[]),
        ],
    },
    Machine {
        debian: "bullseye",
        init: Init::Script,
        needed: false,
        suites: &[
            root(SPAWN, &[], &[]),
            root(CGROUP, &[], &[]),
            root(KEEPER, &[], &[]),
            root(LIMITS, &[], &[]),
            root(LIBRARY, &["owner::", "containers::", "detached::", "group::"], LONG),
            root(LIBRARY, MATRIX, &[]),
            root(LIBRARY, &["routes::endings", "routes::a_plain_command"], &[]),
            user(CGROUP, &[], &[]),
            user(LIBRARY, &["containers::"], LONG),
        ],
    },
    Machine {
        debian: "bookworm",
        init: Init::Systemd,
        needed: true,
        suites: &[
            root(CGROUP, &[], &[]),
            root(LIMITS, &[], &[]),
            root(LIBRARY, &["owner::", "containers::"], LONG),
            user(CGROUP, &[], &[]),
            user(LIMITS, &[], &[]),
            user(LIBRARY, &["owner::", "containers::"], LONG),
            root(PYTHON, &[], &[]),
            user(PYTHON, &[], &[]),
            undelegated(SCOPE, &[], &[]),
            undelegated(LIBRARY, &["owner::", "containers::"], LONG),
        ],
    },
];
