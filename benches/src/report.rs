//! The table, as it is printed and as it is kept.

use crate::Result;
use crate::compare::Compared;
use crate::escapes;
use crate::machine;
use crate::measure::{Judge, Measure};
use std::path::{Path, PathBuf};

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Nanos,
    Bytes,
}

/// One line of the table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    cells: [String; 7],
    verdict: Verdict,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Ok,
    Over,
    Shown,
    Failed(String),
}

const HEAD: [&str; 8] = ["measure", "against", "ours", "peer", "ratio", "min..max", "at most", ""];

impl Row {
    pub(crate) fn new(measure: &Measure, what: String, compared: Compared, unit: Unit, judge: Judge) -> Row {
        let show = |number: f64| match judge {
            Judge::More(_) | Judge::MoreShown => format!("{number:+.2} ms"),
            _ => format!("{number:.2}"),
        };
        let (bound, over) = match judge {
            Judge::Ratio(bound) => (format!("{bound:.2}"), compared.median > bound),
            Judge::More(bound) => (format!("{bound:+.2} ms"), compared.median > bound),
            Judge::Under(bound) => (quantity(bound, unit), compared.sides[0] > bound),
            Judge::Shown | Judge::MoreShown => (String::new(), false),
        };
        let verdict = match judge {
            _ if !judge.has_bound() => Verdict::Shown,
            _ if over => Verdict::Over,
            _ => Verdict::Ok,
        };
        let spread = match compared.rounds {
            1 => String::new(),
            rounds => format!("{}..{} of {rounds}", show(compared.least), show(compared.most)),
        };
        let [ours, peer] = compared.sides.map(|side| quantity(side, unit));
        let cells = [what, measure.against.clone(), ours, peer, show(compared.median), spread, bound];
        Row { cells, verdict }
    }

    /// A measure that could not be taken, which is as bad as one that is over its bound.
    pub(crate) fn failed(measure: &Measure, why: &str) -> Row {
        let mut cells: [String; 7] = Default::default();
        cells[0] = measure.what.clone();
        cells[1] = measure.against.clone();
        Row { cells, verdict: Verdict::Failed(why.to_owned()) }
    }

    fn line(&self) -> Vec<String> {
        self.cells.iter().cloned().chain([self.verdict.text()]).collect()
    }
}

impl Verdict {
    fn is_within_bounds(&self) -> bool {
        matches!(self, Verdict::Ok | Verdict::Shown)
    }

    fn text(&self) -> String {
        match self {
            Verdict::Ok => "ok".to_owned(),
            Verdict::Over => "OVER".to_owned(),
            Verdict::Shown => String::new(),
            Verdict::Failed(why) => format!("FAILED: {}", why.lines().next().unwrap_or_default()),
        }
    }
}

/// A table as Markdown that is aligned, so that it reads well in a terminal too. The first line is its head.
fn table(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!(" {cell:width$} |"));
        text.push_str(&format!("|{}\n", cells.collect::<String>()));
        if index == 0 {
            let rule = widths.iter().map(|width| format!("{}|", "-".repeat(width + 2)));
            text.push_str(&format!("|{}\n", rule.collect::<String>()));
        }
    }
    text
}

fn quantity(number: f64, unit: Unit) -> String {
    let steps: &[(f64, &str)] = match unit {
        Unit::Nanos => &[(1e9, "s"), (1e6, "ms"), (1e3, "us")],
        Unit::Bytes => &[(f64::from(1 << 30), "GiB"), (f64::from(1 << 20), "MiB"), (1024.0, "KiB")],
    };
    let (size, name) = *steps.iter().find(|(size, _)| number >= *size).unwrap_or(&steps[steps.len() - 1]);
    let number = number / size;
    let digits = if number < 9.995 {
        2
    } else if number < 99.95 {
        1
    } else {
        0
    };
    format!("{number:.digits$} {name}")
}

/// All rows, and what they were taken on.
#[derive(Debug)]
pub(crate) struct Report {
    command: String,
    machine: String,
    date: String,
    rows: Vec<Row>,
    escapes: Vec<(Vec<String>, Verdict)>,
}

impl Report {
    pub(crate) fn new(words: &[String]) -> Report {
        let command = ["cargo xtask bench"].into_iter().chain(words.iter().map(String::as_str));
        Report {
            command: command.collect::<Vec<_>>().join(" "),
            machine: machine::line(),
            date: machine::date(),
            rows: Vec::new(),
            escapes: Vec::new(),
        }
    }

    /// Adds to what they were taken on.
    pub(crate) fn note(&mut self, what: &str) {
        self.machine.push_str(&format!("; {what}"));
    }

    pub(crate) fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// A line of the table of what survives.
    pub(crate) fn add_escape(&mut self, cells: Vec<String>, verdict: Verdict) {
        self.escapes.push((cells, verdict));
    }

    pub(crate) fn is_within_bounds(&self) -> bool {
        let verdicts = self.escapes.iter().map(|(_, verdict)| verdict);
        self.rows.iter().map(|row| &row.verdict).chain(verdicts).all(Verdict::is_within_bounds)
    }

    /// The tables that have lines.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{}, {}\n", self.machine, self.date);
        let rows: Vec<_> = self.rows.iter().map(Row::line).collect();
        let line = |(cells, verdict): &(Vec<String>, Verdict)| [cells.clone(), vec![verdict.text()]].concat();
        let survivors: Vec<_> = self.escapes.iter().map(line).collect();
        for (head, lines) in [(HEAD.map(str::to_owned).to_vec(), rows), (escapes::head(), survivors)] {
            if !lines.is_empty() {
                text.push_str(&format!("\n{}", table(&[vec![head], lines].concat())));
            }
        }
        text
    }

    /// Writes it to a file of today.
    pub(crate) fn keep(&self) -> Result<PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
        std::fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{}.md", self.date));
        std::fs::write(&path, format!("# {}\n`{}`, {}", self.date, self.command, self.text()))?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_under_its_head() {
        let lines = [["of", ""], ["child", "ok"]].map(|line| line.map(str::to_owned).to_vec());
        assert_eq!(table(&lines), "| of    |    |\n|-------|----|\n| child | ok |\n");
    }

    #[test]
    fn what_survived_where_nothing_may_is_out_of_bounds() {
        let mut report = Report::new(&[]);
        report.add_escape(vec!["peer".to_owned()], Verdict::Shown);
        assert!(report.is_within_bounds());
        report.add_escape(vec!["ours".to_owned()], Verdict::Over);
        assert!(!report.is_within_bounds());
        assert!(report.text().contains("| ours "), "{}", report.text());
    }

    #[test]
    fn quantities_have_three_figures() {
        for (nanos, shown) in
            [(812.0, "0.81 us"), (45_310.0, "45.3 us"), (803_000.0, "803 us"), (1.5e9, "1.50 s")]
        {
            assert_eq!(quantity(nanos, Unit::Nanos), shown);
        }
        assert_eq!(quantity(f64::from(3 << 20), Unit::Bytes), "3.00 MiB");
        assert_eq!(quantity(f64::from(200 << 10), Unit::Bytes), "200 KiB");
    }
}
