//! The chores of the house: `cargo xtask test`, `tidy`, `docs`, `vm` and `bench`.
//!
//! It depends on nothing but the standard library, so that it is built in a second on a bare machine; it knows how the
//! project is checked, and nothing of what the project does.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a chore talks to the person who runs it")]

mod bench;
mod docs;
mod elf;
mod house;
mod markdown;
mod python;
mod soak;
mod step;
mod surface;
mod test;
mod tidy;
mod vm;

use std::process::ExitCode;

use house::House;

const USAGE: &str = "\
usage: cargo xtask <chore>

  test [--fast] [step..]   every check, or the inner loop, or the steps named; the one test command
  tidy                     the rules of the house: floors, rows, sizes, unsafe, words, papers, rooms
  develop [args..]         build the Python extension and run tests/python on the sources; the arguments are pytest's
  api                      keep the surface of the Rust library in api/rust.txt as it is now
  docs                     run the console blocks of the README and of docs/
  soak [ROUNDS]            every escape by every ending, 200 times or as often as told
  vm [--systemd] DEBIAN root|user SOURCE [word..]
                           the tests of one source file whose names contain a word, on the kernel of bookworm, say
  bench [args..]           build the benches and run them; the arguments are theirs
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let house = House::here();
    match args.as_slice() {
        ["test", rest @ ..] => test::main(&house, rest),
        ["tidy"] => tidy::main(house.root()),
        ["develop", rest @ ..] => python::develop(&house, rest),
        ["api"] => surface::keep(&house),
        ["docs"] => test::main(&house, &["docs"]),
        ["vm", rest @ ..] => vm::main(&house, rest),
        ["bench", rest @ ..] => bench::main(&house, rest),
        ["soak", rest @ ..] => soak::main(&house, rest),
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        _ => {
            eprint!("{USAGE}");
            ExitCode::from(2)
        }
    }
}
