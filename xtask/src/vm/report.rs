//! What a machine says of its tests; `init.sh` has the form of it. It refuses to take silence for success.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::programs::Test;
use super::suites::Who;

/// How a test ended.
#[derive(Debug)]
struct Ended<'a> {
    code: i32,
    seconds: f64,
    test: Test,
    output: Vec<&'a str>,
}

/// All that one machine said.
#[derive(Debug, Default)]
pub(super) struct Report<'a> {
    pub(super) kernel: Option<&'a str>,
    ended: Vec<Ended<'a>>,
    left: Vec<&'a str>,
    done: Option<usize>,
    /// What has no meaning, which is a fault of ours.
    odd: Vec<&'a str>,
}

impl<'a> Report<'a> {
    pub(super) fn read(text: &'a str) -> Self {
        let mut report = Self::default();
        for line in text.lines().map(|line| line.trim_end_matches('\r')).filter(|line| !line.is_empty()) {
            if !report.line(line) {
                report.odd.push(line);
            }
        }
        report
    }

    /// Takes in a line, if it means something.
    fn line(&mut self, line: &'a str) -> bool {
        if let Some(text) = line.strip_prefix('|') {
            self.ended.last_mut().map(|ended| ended.output.push(text)).is_some()
        } else if let Some((word, rest)) = line.split_once(' ') {
            match word {
                "kernel" => self.kernel = Some(rest),
                "left" => self.left.push(rest),
                "done" => self.done = rest.parse().ok(),
                "test" => match ended(rest) {
                    Some(ended) => self.ended.push(ended),
                    None => return false,
                },
                _ => return false,
            }
            true
        } else {
            false
        }
    }

    /// The line of a machine of which everything is as it must be, or all that is not.
    pub(super) fn judged(&self, expected: &BTreeSet<Test>) -> Result<String, String> {
        let mut wrong = String::new();
        let mut say = |line: std::fmt::Arguments<'_>| {
            // Writing to a String cannot fail.
            let _ = writeln!(wrong, "{line}");
        };
        for ended in self.ended.iter().filter(|ended| ended.code != 0) {
            let Test { who, program, name } = &ended.test;
            say(format_args!(
                "-- {program} {name}, as {who}: exit {}, after {:.1}s",
                ended.code, ended.seconds
            ));
            for line in &ended.output {
                say(format_args!("{line}"));
            }
        }
        let told: BTreeSet<&Test> = self.ended.iter().map(|ended| &ended.test).collect();
        for Test { who, program, name } in expected.iter().filter(|test| !told.contains(test)) {
            say(format_args!("-- {program} {name}, as {who}: nothing was heard of it"));
        }
        for left in &self.left {
            say(format_args!("-- left behind: {left}"));
        }
        for line in &self.odd {
            say(format_args!("-- not understood: {line}"));
        }
        if self.done != Some(expected.len()) {
            say(format_args!("-- the machine died, or ran out of time: it never said that it was done"));
        }
        if wrong.is_empty() { Ok(self.summary()) } else { Err(wrong) }
    }

    fn summary(&self) -> String {
        let skipped = self.ended.iter().filter(|ended| ended.skips()).count();
        let slowest = self.ended.iter().max_by(|a, b| a.seconds.total_cmp(&b.seconds));
        let slowest = slowest.map_or(String::new(), |ended| {
            format!("; the slowest was {} with {:.1}s", ended.test.name, ended.seconds)
        });
        let skipped = if skipped == 0 {
            String::new()
        } else {
            format!(", {skipped} of them in part or whole skipped")
        };
        let kernel = self.kernel.unwrap_or("of no name");
        format!("linux {kernel}: {} tests passed{skipped}{slowest}", self.ended.len())
    }
}

impl Ended<'_> {
    /// Whether it said that it could not do all that it is for.
    fn skips(&self) -> bool {
        self.output.iter().any(|line| line.starts_with("skipped: "))
    }
}

/// `CODE SECONDS WHO PROGRAM NAME`.
fn ended(text: &str) -> Option<Ended<'static>> {
    let words: Vec<&str> = text.split(' ').collect();
    let [code, seconds, who, program, name] = words.as_slice() else { return None };
    let who = Who::ALL.map(Who::name).into_iter().find(|known| known == who)?;
    let test = Test { who, program: (*program).to_owned(), name: (*name).to_owned() };
    Some(Ended { code: code.parse().ok()?, seconds: seconds.parse().ok()?, test, output: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected() -> BTreeSet<Test> {
        let test = |who, name: &str| Test { who, program: "spawn".to_owned(), name: name.to_owned() };
        BTreeSet::from([test("root", "a::b"), test("user", "a::b")])
    }

    const GOOD: &str = "kernel 6.1.0\r\ntest 0 0.25 root spawn a::b\n|running 1 test\ntest 0 1.50 user spawn a::b\n\
                        |skipped: needs root\n\ndone 2\n";

    fn wrong(text: &str) -> String {
        Report::read(text).judged(&expected()).expect_err("this is no success")
    }

    #[test]
    fn a_machine_that_did_all_of_it_is_told_in_a_line() {
        let line = Report::read(GOOD).judged(&expected()).unwrap_or_default();
        assert_eq!(
            line,
            "linux 6.1.0: 2 tests passed, 1 of them in part or whole skipped; the slowest was a::b with 1.5s"
        );
    }

    #[test]
    fn a_failure_is_shown_with_its_output() {
        let said = wrong(&GOOD.replace("test 0 0.25", "test 101 0.25"));
        assert_eq!(said, "-- spawn a::b, as root: exit 101, after 0.2s\nrunning 1 test\n");
    }

    #[test]
    fn silence_is_a_failure() {
        assert!(wrong("").contains("never said that it was done"));
        assert!(wrong(&GOOD.replace("done 2\n", "")).contains("never said"));
        assert!(wrong(&GOOD.replace("done 2\n", "done 1\n")).contains("never said"));
        let said = wrong(&GOOD.replace("test 0 1.50 user spawn a::b", "test 0 1.50 user spawn a::c"));
        assert_eq!(said, "-- spawn a::b, as user: nothing was heard of it\n");
    }

    #[test]
    fn what_is_left_and_what_is_not_understood_are_failures() {
        let said = wrong(&GOOD.replace("done 2", "left /proc/77 sleep 9\nnonsense\ntest x\ndone 2"));
        assert_eq!(
            said,
            "-- left behind: /proc/77 sleep 9\n-- not understood: nonsense\n-- not understood: test x\n"
        );
    }
}
