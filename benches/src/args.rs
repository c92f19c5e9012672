//! What the bench is told on its command line.

use crate::measure::Measure;

const USAGE: &str = "usage: cargo xtask bench [--quick] [--keep] [--bounds] [--only NAME]..

  --quick      fewer rounds: enough to see a change of a tenth
  --keep       write the table to benches/results/ as well, under today's date
  --bounds     only the measures that have a bound, without the further peers
  --only NAME  only the measures of this name: spawn, tiny, memory, output, capture, lines, many, stop, tool";

/// The options.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) quick: bool,
    pub(crate) keep: bool,
    bounds: bool,
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
        let named = self.only.is_empty() || self.only.iter().any(|name| name == measure.group);
        named && (!self.bounds || measure.judge.has_bound())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, String> {
        Args::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
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
