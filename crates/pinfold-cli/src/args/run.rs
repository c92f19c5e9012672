//! `pinfold run` as help and the manual show it. Its options are in `flags`.

use super::RunArgs;
use super::flags::FLAGS;
use super::sheet::Sheet;
use crate::exit;
use clap::{Arg, ValueHint};

pub(crate) const SHEET: Sheet<RunArgs> = Sheet {
    name: "run",
    about: "Run a program contained, and end as it ends",
    long_about: "\
Run a program contained, and end as it ends.

Everything that the program starts lives in one container with it. What is still there after the program has ended is \
stopped, and so is all of it at a timeout, or when pinfold is told to stop by SIGTERM or SIGHUP (a second one, half a \
second later or more, kills). Other signals are passed on. The terminal works as without pinfold: ^C, ^Z and the rest \
reach the program itself, and pinfold waits for what it makes of them.",
    usage: "pinfold run [OPTIONS] [--] PROGRAM [ARGUMENT]...",
    examples: "\
Examples:
  pinfold run -- make -j4
  pinfold run --timeout 5m --grace 10s -- cargo test
  pinfold run --idle-timeout 60s --output-limit 10MiB -- ./build.sh
  pinfold run --user www-data --rlimit nofile=1024 --cwd /srv -- ./server
  pinfold run --json=3 -- make 3>outcome.json
  pinfold run --retry 3 --retry-pause 1s -- curl -fsS https://example.org",
    exits: exit::RUN,
    flags: FLAGS,
    words: || {
        let program = Arg::new("program")
            .value_name("PROGRAM")
            .required(true)
            .help("What to run: a path, or a name in PATH")
            .value_hint(ValueHint::CommandName);
        let args = Arg::new("args")
            .value_name("ARGUMENT")
            .help("Its arguments, as they are: no shell sees them")
            .num_args(0..)
            .trailing_var_arg(true)
            .allow_hyphen_values(true)
            .value_hint(ValueHint::FilePath);
        vec![program, args]
    },
};
