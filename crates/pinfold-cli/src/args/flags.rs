//! The one definition of each option of `pinfold run`.

use super::flag::{Apply, Flag, Heading, Value, names, put, some};
use super::limits;
use super::values::{self, GUARANTEES, ISOLATIONS, SANDBOXES};
use super::{EnvChange, RunArgs};
use pinfold::{Enforcement, Stdio};

const fn flag(
    long: &'static str,
    value: Value,
    heading: Heading,
    about: &'static str,
    apply: Apply<RunArgs>,
) -> Flag<RunArgs> {
    Flag::new(long, value, heading, about, apply)
}

use Heading::{Containment, Environment, Limits, Process, Reporting, Sandbox, Streams, Time, User};
use Value::{Needed, None as Nothing, Optional};

/// Every option, in the order of the help.
pub(crate) const FLAGS: &[Flag<RunArgs>] = &[
    flag("timeout", Needed("DURATION"), Time, "Stop all of it when it has run this long; 0 is never", |run, value| {
        put(&mut run.timeout, values::text(value).and_then(values::bound))
    })
    .short('t')
    .more("Durations are 500ms, 5s, 2m, 1h30m, or a number of seconds. pinfold then exits with 124."),
    flag("grace", Needed("DURATION"), Time, "Between the stop signal and SIGKILL [default: 5s]", |run, value| {
        put(&mut run.grace, some(value, values::duration))
    })
    .short('k')
    .elsewhere(&["kill-after"])
    .more("0 kills at once."),
    flag("signal", Needed("SIGNAL"), Time, "Stop with this signal [default: TERM]", |run, value| {
        put(&mut run.signal, some(value, values::signal))
    })
    .short('s')
    .elsewhere(&["kill-signal"])
    .more("A name (INT, SIGINT, RTMIN+1) or a number."),
    flag("idle-timeout", Needed("DURATION"), Time, "Stop all of it when it wrote nothing for this long; 0 is never", |run, value| {
        put(&mut run.idle_timeout, values::text(value).and_then(values::bound))
    })
    .more("Its output then goes through pinfold: the program sees a pipe there, and no terminal."),
    flag("strays", Needed("RULE"), Time, "What outlives the program: stop[:DURATION] or wait [default: stop:100ms]", |run, value| {
        put(&mut run.strays, some(value, values::strays))
    })
    .more("stop: they may go on for that long (0: not at all), then they are stopped like the program would be. wait: pinfold waits \
           for the last of them."),
    flag("retry", Needed("N"), Time, "Try again up to N times when it fails [default: 0]", |run, value| {
        put(&mut run.retry, values::text(value).and_then(values::number))
    })
    .also(&["retries"])
    .more("A run that was stopped by a signal to pinfold, or by ^C, is not tried again."),
    flag("retry-pause", Needed("DURATION"), Time, "Before the first retry; it doubles, up to 30s [default: 100ms]", |run, value| {
        put(&mut run.retry_pause, some(value, values::duration))
    })
    .more("0 tries again at once."),
    flag("retry-jitter", Needed("PART"), Time, "The part of each pause that is left to chance, 0 to 1 [default: 0]", |run, value| {
        put(&mut run.retry_jitter, values::text(value).and_then(values::part))
    })
    .more("With 0.5 a pause of 2s becomes one of 1s to 2s, so that what failed together does not come back together."),
    flag("success-codes", Needed("LIST"), Time, "The exit codes that are no failure [default: 0]", |run, value| {
        put(&mut run.success_codes, some(value, values::numbers))
    })
    .more("As in 0,2-4. For --retry and the \"success\" of --json; pinfold exits with the program's own code."),
    //
    flag("stdin", Needed("FILE"), Streams, "Read from a file, null or inherit [default: inherit]", |run, value| {
        put(&mut run.stdin, Ok(Some(values::stdin(value))))
    })
    .more("A file of such a name is ./null."),
    flag("stdout", Needed("FILE"), Streams, "Write to a file, append:FILE, null or inherit [default: inherit]", |run, value| {
        put(&mut run.stdout, Ok(Some(values::stdio(value))))
    }),
    flag("stderr", Needed("FILE"), Streams, "The same for standard error; stdout joins the two", |run, value| {
        let joined = value == "stdout";
        put(&mut run.stderr, Ok(Some(if joined { Stdio::Stdout } else { values::stdio(value) })))
    }),
    flag("output-limit", Needed("BYTES[:POLICY]"), Streams, "The most that each output stream may give", |run, value| {
        let (number, policy) = values::limit(values::text(value)?)?;
        run.overflow = policy.or(run.overflow);
        put(&mut run.max_bytes, values::size(number).map(Some))
    })
    .more("Sizes are 4096, 64k, 8MiB (1024 each) or 8MB (1000). Policies: error stops the run, and pinfold exits with \
           123 [default]; drop-newest passes the first of it on and drops the rest; drop-oldest drops what the reader \
           of pinfold's output was too slow to take. Output then goes through pinfold: the program sees a pipe."),
    flag("max-lines", Needed("LINES[:POLICY]"), Streams, "The most lines of each output stream", |run, value| {
        let (number, policy) = values::limit(values::text(value)?)?;
        run.overflow = policy.or(run.overflow);
        put(&mut run.max_lines, values::number(number).map(Some))
    })
    .more("As --output-limit, and with the same policy where both are given."),
    //
    flag("env", Needed("NAME=VALUE"), Environment, "Set an environment variable", |run, value| {
        let (name, value) = values::variable(value)?;
        run.env.push(EnvChange::Set(name, value));
        Ok(())
    })
    .short('e')
    .elsewhere(&["setenv"])
    .more("May be repeated, like the next two; of several words on a name the last holds."),
    flag("env-remove", Needed("NAME"), Environment, "Leave an environment variable out", |run, value| {
        run.env.push(EnvChange::Remove(value.to_owned()));
        Ok(())
    })
    .short('u')
    .elsewhere(&["unset", "unset-env"]),
    flag("env-file", Needed("FILE"), Environment, "Set the variables of a file", |run, value| {
        run.env.push(EnvChange::File(value.into()));
        Ok(())
    })
    .more("NAME=VALUE on each line. Empty lines and those that begin with # are skipped, `export ` in front and a pair \
           of quotes around the value are taken off, and nothing is expanded."),
    flag("env-clear", Nothing, Environment, "Start from an empty environment", |run, _| {
        put(&mut run.env_clear, Ok(true))
    })
    .short('i')
    .elsewhere(&["ignore-environment", "clearenv"]),
    flag("inherit-env", Needed("NAME,NAME"), Environment, "Start from an empty environment with just these", |run, value| {
        run.inherit_env.extend(values::names(value)?);
        Ok(())
    }),
    flag("cwd", Needed("DIRECTORY"), Environment, "Start in this directory", |run, value| {
        put(&mut run.cwd, Ok(Some(value.into())))
    })
    .short('C')
    .elsewhere(&["chdir", "directory"])
    .more("A program given by a relative path is looked for from there."),
    //
    flag("user", Needed("[USER][:GROUP]"), User, "Run it as this user, with that user's groups", |run, value| {
        put(&mut run.user, some(value, |text| Ok(text.to_owned())))
    })
    .elsewhere(&["userspec", "reuid"])
    .more("Names or numbers; sets HOME unless --env does. With a group it has that group alone."),
    flag("uid", Needed("UID"), User, "Run it with this user id; its groups stay ours", |run, value| {
        put(&mut run.uid, some(value, values::number))
    }),
    flag("gid", Needed("GID"), User, "Run it with this group id", |run, value| {
        put(&mut run.gid, some(value, values::number))
    })
    .elsewhere(&["regid"]),
    flag("groups", Needed("LIST"), User, "Run it with just these supplementary groups, by id", |run, value| {
        let none = value.is_empty();
        put(&mut run.groups, if none { Ok(Some(Vec::new())) } else { some(value, values::numbers) })
    })
    .more("As in 4,24-27; an empty list is none."),
    flag("no-new-privs", Nothing, User, "Bar it from gaining privileges, by setuid programs say", |run, _| {
        put(&mut run.no_new_privs, Ok(true))
    }),
    //
    flag("arg0", Needed("NAME"), Process, "Tell the program that it is called this (argv[0])", |run, value| {
        put(&mut run.arg0, Ok(Some(value.to_owned())))
    })
    .elsewhere(&["argv0"]),
    flag("setsid", Nothing, Process, "Give it a session of its own, without a terminal", |run, _| {
        put(&mut run.setsid, Ok(true))
    }),
    flag("umask", Needed("MASK"), Process, "Its file mode creation mask, in octal", |run, value| {
        put(&mut run.umask, some(value, values::octal))
    }),
    flag("nice", Needed("N"), Process, "Its nice value itself, -20 (first) to 19", |run, value| {
        put(&mut run.nice, some(value, values::number))
    })
    .short('n')
    .elsewhere(&["adjustment"]),
    flag("affinity", Needed("LIST"), Process, "The CPUs that it may run on, as in 0,2-3", |run, value| {
        put(&mut run.affinity, some(value, values::numbers))
    })
    .elsewhere(&["cpu-list"]),
    flag("ionice", Needed("CLASS[:LEVEL]"), Process, "Its I/O priority: idle, best-effort:0..7, realtime:0..7", |run, value| {
        put(&mut run.io_priority, some(value, values::io_priority))
    }),
    flag("rlimit", Needed("NAME=SOFT[:HARD]"), Process, "A resource limit, as in nofile=64:128", |run, value| {
        run.rlimits.push(values::rlimit(values::text(value)?)?);
        Ok(())
    })
    .more("May be repeated. Each process has it for itself. Without HARD, both limits are SOFT. Bounds are numbers, sizes or unlimited; the names are those \
           of getrlimit(2) in lower case: as, core, cpu, data, fsize, memlock, nofile, nproc, stack, ..."),
    flag("oom-score-adj", Needed("N"), Process, "How soon the kernel ends it for want of memory, -1000 to 1000", |run, value| {
        put(&mut run.oom_score_adj, some(value, values::number))
    }),
    //
    flag("memory", Needed("SIZE"), Limits, "The most memory that its processes have (memory.max)", |run, value| {
        put(&mut run.limits.memory_max, some(value, values::size))
    })
    .elsewhere(&["memory-max", "memory-limit"])
    .more("What cannot be kept below it the kernel kills, and pinfold says so. Caches and the like count. A limit that \
           this host cannot enforce is an error, and nothing is started."),
    flag("memory-high", Needed("SIZE"), Limits, "Above this it is slowed down and gives memory back", |run, value| {
        put(&mut run.limits.memory_high, some(value, values::size))
    })
    .elsewhere(&["memory-reservation"]),
    flag("swap", Needed("SIZE"), Limits, "The most swap that its processes have, beside memory", |run, value| {
        put(&mut run.limits.swap_max, some(value, values::size))
    })
    .elsewhere(&["memory-swap", "memory-swap-max"]),
    flag("processes", Needed("N"), Limits, "The most processes and threads at once (pids.max)", |run, value| {
        put(&mut run.limits.processes, some(value, values::number))
    })
    .elsewhere(&["pids-limit", "tasks-max"]),
    flag("cpus", Needed("N"), Limits, "How many CPUs' worth of time it gets, as in 1.5", |run, value| {
        put(&mut run.limits.cpu_quota, some(value, limits::cpus))
    })
    .elsewhere(&["cpu-quota", "cpu-period"])
    .more("On whichever CPUs it runs. At least 0.001."),
    flag("cpu-weight", Needed("N"), Limits, "Its share where CPUs are short, 1 to 10000 (others: 100)", |run, value| {
        put(&mut run.limits.cpu_weight, some(value, values::number))
    })
    .elsewhere(&["cpu-shares"]),
    flag("cpuset", Needed("LIST"), Limits, "The CPUs that it may run on, and cannot leave, as in 0,2-3", |run, value| {
        put(&mut run.limits.cpus, some(value, values::numbers))
    })
    .elsewhere(&["cpuset-cpus", "allowed-cpus"]),
    flag("io-weight", Needed("N"), Limits, "Its share where a disk is busy, 1 to 10000 (others: 100)", |run, value| {
        put(&mut run.limits.io_weight, some(value, values::number))
    })
    .elsewhere(&["blkio-weight"]),
    flag("io-max", Needed("DEVICE:RATES"), Limits, "What it reads and writes a second, as in /dev/sda:rbps=10M", |run, value| {
        run.limits.io.push(limits::io_max(values::text(value)?)?);
        Ok(())
    })
    .elsewhere(&["device-read-bps", "device-write-bps", "device-read-iops", "device-write-iops"])
    .more("May be repeated. The device is a file or MAJOR:MINOR, and no partition. Rates, between commas, are those of \
           the kernel's io.max: rbps and wbps (sizes), riops and wiops (operations)."),
    flag("limits-per-process", Nothing, Limits, "Hold each process to them by itself, by setrlimit(2)", |run, _| {
        put(&mut run.limits.enforcement, Ok(Enforcement::PerProcess))
    })
    .more("For hosts that have no controllers. Weaker: --memory bounds the address space of each, --processes those of \
           the whole user (and not root's), --cpuset is an affinity, which it can change. The others are an error."),
    flag("take-over-cgroup", Nothing, Limits, "Let limits move the other processes of pinfold's cgroup", |run, _| {
        put(&mut run.take_over_cgroup, Ok(true))
    })
    .more("The kernel hands controllers down only from a cgroup without processes. They are moved into one beside the \
           run, and back at the end."),
    //
    flag("isolation", Needed("CONTAINER"), Containment, "What holds it together [default: best]", |run, value| {
        put(&mut run.isolation, values::text(value).and_then(values::isolation))
    })
    .choices(|| names(ISOLATIONS))
    .more("best takes the best that this host offers: a cgroup v2 where one can be made, else a subreaper keeper, else a \
           process group, and then says so. What is asked for by name and cannot be had is an error."),
    flag("require", Needed("GUARANTEE"), Containment, "Refuse to run it with less than this", |run, value| {
        put(&mut run.require, values::choice(values::text(value)?, GUARANTEES).map(Some))
    })
    .choices(|| names(GUARANTEES))
    .more("best-effort: descendants that try can get away. while-owner-lives: none gets away unless pinfold itself is \
           killed. guarded, kernel: not even then."),
    //
    flag("sandbox", Needed("NAME"), Sandbox, "Shut it off as a program that nobody vouches for [default: none]", |run, value| {
        put(&mut run.untrusted, values::choice(values::text(value)?, SANDBOXES))
    })
    .choices(|| names(SANDBOXES))
    .more("No network, no sockets, no capabilities, no signals to others, /tmp of its own to write to, /usr, /etc, /proc \
           and the like to read and to execute, and a list of system calls denied. The options below add to it. What \
           this host cannot enforce is an error. It is given no descriptor above 2. With any of these options it gains no \
           privileges by what it executes."),
    flag("no-network", Nothing, Sandbox, "No network but a loopback device of its own", |run, _| {
        put(&mut run.sandbox.no_network, Ok(true))
    })
    .elsewhere(&["unshare-net", "private-network", "net"]),
    flag("private-tmp", Nothing, Sandbox, "An empty /tmp of its own", |run, _| {
        put(&mut run.sandbox.private_tmp, Ok(true))
    }),
    flag("allow-path", Needed("PATH[:ro|rw]"), Sandbox, "Let it open files here, and only where allowed [default: ro]", |run, value| {
        let (path, write) = values::allowed_path(value)?;
        let sandbox = std::mem::take(&mut run.sandbox);
        run.sandbox = if write { sandbox.read_write(path) } else { sandbox.read_only(path) };
        Ok(())
    })
    .elsewhere(&["ro-bind", "bind", "whitelist", "read-only", "read-write"])
    .more("May be repeated. A file, or a directory and all below it; a relative one begins where the program starts. ro: \
           read, list and execute (rx is the same). rw: everything (or rwx). Its loader and libraries need to be allowed too (/usr, /lib, ...)."),
    flag("no-outside-signals", Nothing, Sandbox, "Its signals reach nobody outside", |run, _| {
        put(&mut run.sandbox.no_outside_signals, Ok(true))
    }),
    flag("capabilities", Needed("LIST"), Sandbox, "The capabilities that it has and can ever have, or none", |run, value| {
        put(&mut run.sandbox.capabilities, some(value, values::names_or_none))
    })
    .elsewhere(&["cap-drop", "cap-add", "caps", "bounding-set"])
    .more("As in net_bind_service,chown."),
    flag("deny-syscalls", Needed("LIST"), Sandbox, "System calls that fail with EPERM", |run, value| {
        run.sandbox.deny_syscalls.extend(values::text(value).and_then(values::names_or_none)?);
        Ok(())
    })
    .elsewhere(&["seccomp", "system-call-filter"])
    .more("As in ptrace,mount. May be repeated."),
    flag("allow-syscalls", Needed("LIST"), Sandbox, "The only system calls that do not fail with EPERM", |run, value| {
        let names = values::text(value).and_then(values::names_or_none)?;
        run.sandbox.allow_syscalls.get_or_insert_default().extend(names);
        Ok(())
    })
    .more("May be repeated. execve, exit_group and write are always among them."),
    //
    flag("json", Optional("FD"), Reporting, "Write a JSON record of the outcome [default: to 2]", |run, value| {
        let none = value.is_empty();
        put(&mut run.json, if none { Ok(Some(2)) } else { some(value, values::number) })
    })
    .more("One line, on a descriptor that pinfold was given (--json=3 3>record.json), after all that the program wrote. \
           On 2 it stands in place of what pinfold would say there once all has ended. Its \"schema\" is pinfold.run/1."),
    flag("log-format", Needed("text|json[:FD]"), Reporting, "Say what happens in lines of text or of JSON [default: text]", |run, value| {
        put(&mut run.log, values::text(value).and_then(values::log_format))
    })
    .elsewhere(&["log-json", "events"])
    .more("json has each start, limit that was hit, stop, retry and end as it happens, and what pinfold says, in place of \
           its words; json:3 writes it to a descriptor that pinfold was given, beside the words. Its \"schema\" is \
           pinfold.event/1 (docs/events.md)."),
    flag("explain", Nothing, Reporting, "Print what would be done, and start nothing", |run, _| {
        put(&mut run.explain, Ok(true))
    })
    .elsewhere(&["dry-run"])
    .more("With --json as JSON, whose \"schema\" is pinfold.plan/1."),
    flag("quiet", Nothing, Reporting, "Say nothing of timeouts, limits, retries and strays", |run, _| {
        (run.quiet, run.verbose) = (true, false);
        Ok(())
    })
    .short('q')
    .more("What keeps the program from being started is still said. Of --quiet and --verbose the last holds."),
    flag("verbose", Nothing, Reporting, "Say how it was started and how it ended", |run, _| {
        (run.quiet, run.verbose) = (false, true);
        Ok(())
    })
    .short('v'),
];
