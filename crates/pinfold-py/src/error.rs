//! Errors of the engine as exceptions. Their classes are Python's (`pinfold._errors`), since they derive from those of the
//! standard library.

use crate::convert::shown;
use crate::result::{BytesResult, ProcessResult};
use pinfold::{Command, Error, ErrorKind, Stream};
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;
use std::io;
use std::sync::Arc;

/// Whether the results in errors hold standard output as text or as bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Bytes,
}

/// The exception for an error of the engine.
pub(crate) fn raised(py: Python<'_>, error: Error, command: &Command, form: Form) -> PyErr {
    raised_with(py, error, Some(command), form, None)
}

/// The same, with a result that is there already.
pub(crate) fn raised_with(
    py: Python<'_>,
    error: Error,
    command: Option<&Command>,
    form: Form,
    result: Option<&Bound<'_, PyAny>>,
) -> PyErr {
    build(py, error, command, form, result).unwrap_or_else(|error| error)
}

fn build(
    py: Python<'_>,
    error: Error,
    command: Option<&Command>,
    form: Form,
    result: Option<&Bound<'_, PyAny>>,
) -> PyResult<PyErr> {
    if let Some(raised) = within(py, &error) {
        return Ok(raised);
    }
    let fields = facts(py, &error, command)?;
    let (name, message, program) = (name(&error), spelled(&error.to_string()), shown(py, error.program())?);
    match (result, command, error.into_output()) {
        (Some(result), _, _) => fields.set_item("result", result)?,
        (None, Some(command), Some(output)) => match form {
            Form::Text => fields.set_item("result", ProcessResult::new(py, output, command)?)?,
            Form::Bytes => fields.set_item("result", BytesResult::new(py, output, command)?)?,
        },
        _ => {}
    }
    made(py, name, &message, Some(&program), &fields)
}

/// The exception for an error that others have need of, too, and that comes without a run.
pub(crate) fn told(py: Python<'_>, error: &Error, command: &Command) -> PyErr {
    let told = || {
        if let Some(raised) = within(py, error) {
            return Ok(raised);
        }
        let fields = facts(py, error, Some(command))?;
        let (name, message) = (name(error), spelled(&error.to_string()));
        made(py, name, &message, Some(&shown(py, error.program())?), &fields)
    };
    told().unwrap_or_else(|error| error)
}

/// The name that its class is known by.
fn name(error: &Error) -> &'static str {
    let refuses_limits = error.kind() == ErrorKind::Unsupported && error.refuses_limits();
    if refuses_limits { "limits" } else { error.kind().as_str() }
}

/// What a callback of Python's has raised, if that is what the error is about: it is raised as it is.
pub(crate) fn within(py: Python<'_>, error: &Error) -> Option<PyErr> {
    let source = std::error::Error::source(error)?.downcast_ref::<io::Error>()?;
    let shared = source.get_ref()?.downcast_ref::<Arc<dyn std::error::Error + Send + Sync>>()?;
    Some(shared.downcast_ref::<PyErr>()?.clone_ref(py))
}

/// What an exception has besides its message and its run.
fn facts<'py>(py: Python<'py>, error: &Error, command: Option<&Command>) -> PyResult<Bound<'py, PyDict>> {
    let (fields, kind) = (PyDict::new(py), error.kind());
    if kind == ErrorKind::Unsupported {
        let whole = error.message();
        let program = format!("{}: ", error.program().display());
        fields.set_item("operation", whole.strip_prefix(&program).unwrap_or(&whole))?;
    }
    if kind == ErrorKind::OutputTooLarge {
        let limit = command.map(Command::limit_of_output).unwrap_or_default();
        let seen = |stream| error.output().and_then(|output| output.outcome.seen(stream)).unwrap_or_default();
        let (stdout, stderr) = (seen(Stream::Stdout), seen(Stream::Stderr));
        // The stream that went over is the one that gave more.
        let over = if stderr.bytes > stdout.bytes { stderr } else { stdout };
        fields.set_item("max_bytes", limit.max_bytes)?;
        fields.set_item("max_lines", limit.max_lines)?;
        fields.set_item("total_bytes", over.bytes)?;
        fields.set_item("total_lines", over.lines)?;
    }
    if error.blames_program() {
        fields.set_item("blames_program", true)?;
    }
    fields.set_item("hint", error.what_to_do().map(spelled))?;
    fields.set_item("errno", error.os_error())?;
    fields.set_item("stage", error.stage())?;
    if let Some(path) = error.path() {
        fields.set_item("filename", shown(py, path.as_os_str())?)?;
    }
    if let Some(timeout) = error.timeout() {
        fields.set_item("timeout_seconds", timeout.as_secs_f64())?;
    }
    Ok(fields)
}

/// What the engine advises to whoever writes Rust, as it is spelled here.
fn spelled(text: &str) -> String {
    const NAMES: &[(&str, &str)] = &[
        ("use Enforcement::Cgroup", "use Limits(enforcement=\"cgroup\")"),
        ("Enforcement::PerProcess", "Limits(enforcement=\"per_process\")"),
        ("isolation(Isolation::Cgroup)", "ProcessGroup(isolation=\"cgroup\")"),
        ("Host::take_over_cgroup()", "ProcessGroup(take_over_cgroup=True)"),
        ("Stdio::Pipe", "\"pipe\""),
    ];
    NAMES.iter().fold(text.to_owned(), |text, (rust, python)| text.replace(rust, python))
}

/// A value that cannot be meant, found before there is a command.
pub(crate) fn invalid(py: Python<'_>, message: &str) -> PyErr {
    let made = made(py, ErrorKind::InvalidInput.as_str(), message, None, &PyDict::new(py));
    made.unwrap_or_else(|error| error)
}

/// An error of the operating system that no command is to blame for.
pub(crate) fn failed(error: io::Error) -> PyErr {
    match error.raw_os_error() {
        // With its number, Python finds the class itself.
        Some(number) => Python::attach(|py| {
            let strerror = py.import("os").and_then(|os| os.call_method1("strerror", (number,)));
            match strerror {
                Ok(text) => PyOSError::new_err((number, text.unbind(), py.None())),
                Err(error) => error,
            }
        }),
        None => PyErr::from(error),
    }
}

/// A run whose output is not what was asked for.
pub(crate) fn unexpected(
    py: Python<'_>,
    message: &str,
    program: &std::ffi::OsStr,
    result: Py<PyAny>,
) -> PyErr {
    let made = || {
        let fields = PyDict::new(py);
        fields.set_item("result", result)?;
        made(py, ErrorKind::UnexpectedOutput.as_str(), message, Some(&shown(py, program)?), &fields)
    };
    made().unwrap_or_else(|error| error)
}

fn made(
    py: Python<'_>,
    kind: &str,
    message: &str,
    program: Option<&Bound<'_, pyo3::types::PyString>>,
    fields: &Bound<'_, PyDict>,
) -> PyResult<PyErr> {
    static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let make = MAKE.import(py, "pinfold._errors", "make")?;
    Ok(PyErr::from_value(make.call((kind, message, program), Some(fields))?))
}
