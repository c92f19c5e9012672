//! The builder: each method returns a new command.

pub(crate) mod ending;
mod given;
mod process;
pub(crate) mod streams;

use crate::convert::{Pairs, Text, Texts, shown, text_or, variable};
use crate::plain::{Json, from_json, pickled, to_json};
use pyo3::prelude::*;
use pyo3::types::PyString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// A program, its arguments, and everything about how it is to run.
///
/// A command never changes: each method returns a new one, so that one can be kept as a template and shared by threads. It is
/// plain data that can be compared, pickled and written as JSON, and nothing happens until one of its verbs is called. No
/// shell is involved anywhere. What cannot be done on a host is refused when the command is run; no setting is ever ignored.
///
/// Programs, arguments, names and values are `str`, `bytes` or paths; bytes that are no UTF-8 are passed on as they are. Times
/// are seconds or `timedelta`.
///
/// >>> from pinfold import Command
/// >>> Command("echo", ["hello", "fold"]).run()
/// 'hello fold'
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct Command(pub(crate) Arc<pinfold::Command>);

impl Command {
    pub(crate) fn of(command: pinfold::Command) -> Command {
        Command(Arc::new(command))
    }

    /// A copy, changed.
    fn with(&self, change: impl FnOnce(pinfold::Command) -> pinfold::Command) -> Command {
        Command::of(change((*self.0).clone()))
    }
}

/// Makes it, looks at it, has it travel.
#[pymethods]
impl Command {
    #[new]
    #[pyo3(signature = (program, args = None))]
    fn new(program: &Bound<'_, PyAny>, args: Option<Texts>) -> PyResult<Command> {
        let program = text_or(program, |given| {
            let words =
                if matches!(given, "list" | "tuple") { ", or Command(words[0], words[1:])" } else { "" };
            format!(
                "program: expected str, bytes or a path, not {given}; its arguments are a list of their own: write \
                 Command(\"ls\", [\"-l\"]){words}"
            )
        })?;
        let args = args.map(|args| args.0).unwrap_or_default();
        Ok(Command::of(pinfold::Command::new(program).args(args)))
    }

    /// The program as it was given.
    #[getter]
    fn program<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        shown(py, self.0.program())
    }

    /// The arguments, without the program's own name.
    #[getter]
    fn arguments<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyString>>> {
        self.0.arguments().iter().map(|arg| shown(py, arg)).collect()
    }

    /// Itself as JSON, which `from_json` reads and every face of pinfold understands. It holds what the command holds, secrets
    /// too.
    ///
    /// >>> from pinfold import Command
    /// >>> command = Command("sort").stdin_text("b\na\n").timeout(5)
    /// >>> Command.from_json(command.to_json()) == command
    /// True
    fn to_json(&self, py: Python<'_>) -> PyResult<String> {
        to_json(py, &*self.0)
    }

    /// What `to_json` wrote, or somebody by hand. Raises `InvalidInput` for anything else.
    ///
    /// >>> from pinfold import Command
    /// >>> Command.from_json('{"program": "echo", "args": ["hello"]}').run()
    /// 'hello'
    #[staticmethod]
    fn from_json(py: Python<'_>, json: Json) -> PyResult<Command> {
        from_json(py, json.bytes()).map(Command::of)
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Command>().is_ok_and(|other| self.0 == other.get().0)
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.0.program().hash(&mut hasher);
        self.0.arguments().hash(&mut hasher);
        hasher.finish()
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (&'static str, String))> {
        pickled(py, "Command", &*self.0)
    }

    /// The program, and how many arguments it has: what they are may be secret.
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let program = self.program(py)?.repr()?;
        Ok(match self.0.arguments().len() {
            0 => format!("<Command {}>", program.to_cow()?),
            1 => format!("<Command {} with 1 argument>", program.to_cow()?),
            count => format!("<Command {} with {count} arguments>", program.to_cow()?),
        })
    }
}

/// What runs, and where.
#[pymethods]
impl Command {
    /// Adds an argument.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("echo").arg("one").arg("two").run()
    /// 'one two'
    fn arg(&self, arg: Text) -> Command {
        self.with(|command| command.arg(arg.0))
    }

    /// Adds arguments.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("echo", ["one"]).args(["two", "three"]).run()
    /// 'one two three'
    fn args(&self, args: Texts) -> Command {
        self.with(|command| command.args(args.0))
    }

    /// What the program is told its own name is (`argv[0]`), instead of its name as given.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("sh", ["-c", "cat /proc/$$/cmdline"]).arg0("shell").output().stdout.split("\0")[0]
    /// 'shell'
    fn arg0(&self, name: Text) -> Command {
        self.with(|command| command.arg0(name.0))
    }

    /// The directory it starts in. A program given by a relative path is looked for from there.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("pwd").cwd("/").run()
    /// '/'
    fn cwd(&self, directory: Text) -> Command {
        self.with(|command| command.cwd(directory.0))
    }

    /// Sets an environment variable.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("sh", ["-c", "echo $GREETING"]).env("GREETING", "hello").run()
    /// 'hello'
    fn env(&self, name: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<Command> {
        let (name, value) = variable(name, value)?;
        Ok(self.with(|command| command.env(name, value)))
    }

    /// Sets environment variables, from a mapping or from pairs.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("sh", ["-c", "echo $A$B"]).envs({"A": "1", "B": "2"}).run()
    /// '12'
    fn envs(&self, variables: Pairs) -> Command {
        self.with(|command| command.envs(variables.0))
    }

    /// Leaves an environment variable out.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("sh", ["-c", "echo ${HOME-nowhere}"]).env_remove("HOME").run()
    /// 'nowhere'
    fn env_remove(&self, name: Text) -> Command {
        self.with(|command| command.env_remove(name.0))
    }

    /// Starts from an empty environment, and forgets what was set before. `PATH` is gone too, so a program without a slash
    /// is then looked up in `/usr/local/bin:/bin:/usr/bin`.
    ///
    /// >>> from pinfold import Command
    /// >>> Command("env").env_clear().env("ONLY", "this").run()
    /// 'ONLY=this'
    fn env_clear(&self) -> Command {
        self.with(pinfold::Command::env_clear)
    }

    /// Starts from an empty environment with just these variables of ours, as far as they are set.
    ///
    /// >>> from pinfold import Command
    /// >>> said = Command("env").inherit_env(["PATH", "LANG"]).run()
    /// >>> {line.partition("=")[0] for line in said.splitlines()} <= {"PATH", "LANG"}
    /// True
    fn inherit_env(&self, names: Texts) -> Command {
        self.with(|command| command.inherit_env(names.0))
    }
}
