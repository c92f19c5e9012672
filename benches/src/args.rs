//! What the bench is told on its command line.

use crate::escapes;
use crate::measure::Measure;

const USAGE: &str = "usage: cargo xtask bench [--quick] [--keep] [--bounds] [--only NAME]..

  --quick      fewer rounds: enough to see a change of a tenth
  --keep       write the table to benches/results/ as well, under today's date
  --bounds     only the measures that have a bound, without the further peers
  --only NAME  only the measures of this name: spawn, tiny, rungs, memory, output, capture, lines, many, stop, group,
                guard, death, supervise, tool, pipeline, batch, python, escapes";

/// The options.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) quick: bool,
    pub(crate) keep: bool,
    pub(crate) bounds: bool,
    only: Vec<String>,
}

impl Args {
    /// Reads the words; what is no option is an error that shows the usage.
    pub(crate) fn parse(words: &[String]) -> Result<Args, String> {
        let mut args = Args::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--quick" => args.quick = true,
                "--keep" => args.keep = true,
                "--bounds" => args.bounds = true,
                "--only" => args.only.push(words.next().ok_or(USAGE)?.clone()),
                _ => return Err(USAGE.to_owned()),
            }
        }
        Ok(args)
    }

    pub(crate) fn wants(&self, measure: &Measure) -> bool {
        self.names(measure.group) && (!self.bounds || measure.judge.has_bound())
    }

    /// Whether the table of what survives is asked for; some of it has a bound.
    pub(crate) fn wants_escapes(&self) -> bool {
        self.names(escapes::GROUP)
    }

    fn names(&self, group: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, String> {
        Args::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn what_is_named_is_wanted_and_nothing_else() {
        for (line, wanted) in
            [("", true), ("--bounds", true), ("--only escapes --only tiny", true), ("--only tiny", false)]
        {
            assert_eq!(parse(line).map(|args| args.wants_escapes()), Ok(wanted), "{line}");
        }
    }

    #[test]
    fn options_are_read_and_others_show_the_usage() {
        let args =
            Args { quick: true, only: vec!["spawn".to_owned(), "lines".to_owned()], ..Args::default() };
        assert_eq!(parse("--only spawn --quick --only lines"), Ok(args));
        for wrong in ["--slow", "spawn", "--only"] {
            assert!(parse(wrong).is_err_and(|usage| usage.starts_with("usage: ")), "{wrong}");
        }
    }
}
