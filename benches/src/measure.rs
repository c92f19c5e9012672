//! One measure: what is asked of which process, against what, and what is allowed.

use crate::Result;
use crate::compare::{self, Compared, Effort, Pair};
use crate::programs::Programs;
use crate::report::{Row, Unit};
use crate::server::{Answer, Server};

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// The bare floor.
    Floor,
    /// A worker of little memory.
    Worker,
    /// A worker that holds 4 GiB.
    Large,
    /// A worker started for this one request.
    Fresh,
    /// A worker in Python, of little memory.
    Python,
    /// A worker in Python that holds 4 GiB.
    PythonLarge,
    /// A worker in Python started for this one request.
    PythonFresh,
    /// The bare floor, which runs the interpreter of the package.
    PythonBare,
}

/// A request, and how often it does what is measured.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) who: Who,
    pub(crate) request: String,
    pub(crate) times: u32,
}

/// What is made of the two sides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Judge {
    /// Ours is at most this many times the peer's.
    Ratio(f64),
    /// Ours takes at most this many milliseconds more.
    More(f64),
    /// Ours by itself is at most this, in nanoseconds or bytes.
    Under(f64),
    /// The ratio, for information.
    Shown,
    /// The difference in time, for information.
    MoreShown,
}

impl Judge {
    pub(crate) fn has_bound(self) -> bool {
        !matches!(self, Judge::Shown | Judge::MoreShown)
    }
}

/// One measure.
#[derive(Clone, Debug)]
pub(crate) struct Measure {
    pub(crate) group: &'static str,
    pub(crate) what: String,
    pub(crate) against: String,
    pub(crate) ours: Ask,
    pub(crate) peer: Ask,
    pub(crate) judge: Judge,
    /// Nanoseconds of ours that are none of its doing: a grace that it was told to give.
    pub(crate) given: u64,
    /// What is compared of the answers.
    pub(crate) unit: Unit,
}

/// The processes that are asked.
#[derive(Debug)]
pub(crate) struct Site<'a> {
    programs: &'a Programs,
    floor: Option<Server>,
    worker: Option<Server>,
    large: Option<Server>,
    python: Option<Server>,
    python_large: Option<Server>,
}

/// More than any machine's caches and page tables take lightly.
const LARGE: u64 = 4 << 30;

impl<'a> Site<'a> {
    pub(crate) fn new(programs: &'a Programs) -> Site<'a> {
        Site { programs, floor: None, worker: None, large: None, python: None, python_large: None }
    }

    fn ask(&mut self, ask: &Ask) -> Result<Answer> {
        let server = match ask.who {
            Who::Floor => &mut self.floor,
            Who::Worker => &mut self.worker,
            Who::Large => &mut self.large,
            Who::Python => &mut self.python,
            Who::PythonLarge => &mut self.python_large,
            Who::Fresh | Who::PythonFresh => return start(ask.who, self.programs)?.ask(&ask.request),
            Who::PythonBare => {
                let interpreter = self.programs.python()?.interpreter.display();
                let request = ask.request.replacen("\tpython\t", &format!("\t{interpreter}\t"), 1);
                return self.ask(&Ask { who: Who::Floor, request, ..*ask });
            }
        };
        let mut asked = match server.take() {
            Some(server) => server,
            None => start(ask.who, self.programs)?,
        };
        let answer = asked.ask(&ask.request)?;
        // One that failed is gone; the next request starts another.
        *server = Some(asked);
        Ok(answer)
    }
}

fn start(who: Who, programs: &Programs) -> Result<Server> {
    match who {
        Who::Floor | Who::PythonBare => Server::floor(&programs.floor),
        Who::Worker | Who::Fresh => Server::worker(),
        Who::Python | Who::PythonFresh => Server::start(programs.python()?.worker()),
        Who::Large | Who::PythonLarge => {
            let small = if who == Who::Large { Who::Worker } else { Who::Python };
            let mut server = start(small, programs)?;
            server.ask(&format!("touch\t{LARGE}"))?;
            Ok(server)
        }
    }
}

impl Measure {
    /// Takes it: a row for the time, and one for the memory where that is told.
    pub(crate) fn take(&self, site: &mut Site<'_>, effort: Effort) -> Vec<Row> {
        let mut memory: [Vec<u64>; 2] = Default::default();
        let compared = {
            let cell = std::cell::RefCell::new((&mut *site, &mut memory));
            let timed = |side: usize, ask: &Ask| {
                let (site, memory) = &mut *cell.borrow_mut();
                let answer = site.ask(ask)?;
                if self.unit == Unit::Bytes {
                    return Ok(answer.bytes as f64);
                }
                memory[side].extend((answer.bytes > 0).then_some(answer.bytes));
                let given = if side == 0 { self.given } else { 0 };
                Ok(answer.nanos.saturating_sub(given) as f64 / f64::from(ask.times))
            };
            compare::pairs(effort, self.relate(), || timed(0, &self.ours), || timed(1, &self.peer))
        };
        match compared {
            Ok(compared) => {
                let rest = self.memory_row(memory);
                std::iter::once(self.row(compared)).chain(rest).collect()
            }
            Err(error) => vec![Row::failed(self, &error.to_string())],
        }
    }

    fn relate(&self) -> fn(Pair) -> f64 {
        match self.judge {
            Judge::More(_) | Judge::MoreShown => |[ours, peer]| (ours - peer) / 1e6,
            Judge::Ratio(_) | Judge::Under(_) | Judge::Shown => |[ours, peer]| ours / peer,
        }
    }

    fn row(&self, compared: Compared) -> Row {
        Row::new(self, self.what.clone(), compared, self.unit, self.judge)
    }

    fn memory_row(&self, memory: [Vec<u64>; 2]) -> Option<Row> {
        if memory.iter().any(Vec::is_empty) {
            return None;
        }
        let sides = memory.map(|mut sizes| {
            sizes.sort_unstable();
            sizes[sizes.len() / 2] as f64
        });
        let ratio = sides[0] / sides[1];
        let compared = Compared { sides, median: ratio, least: ratio, most: ratio, rounds: 1 };
        Some(Row::new(self, format!("{}: peak memory", self.what), compared, Unit::Bytes, Judge::Shown))
    }
}
