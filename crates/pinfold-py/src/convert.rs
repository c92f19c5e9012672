//! Arguments from Python: what is taken for what, and what is said of anything else.

use crate::error::invalid;
use pinfold::{Payload, Signal};
use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::{PyBool, PyByteArray, PyBytes, PyIterator, PyMemoryView, PyString};
use std::ffi::{OsStr, OsString};
use std::time::Duration;

/// `str`, `bytes` or anything with `__fspath__`, to the byte: lone surrogates are the bytes that they stand for.
pub(crate) struct Text(pub(crate) OsString);

impl<'py> FromPyObject<'_, 'py> for Text {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Text> {
        if let Ok(text) = given.cast::<PyString>() {
            return text.extract().map(Text);
        }
        if let Ok(bytes) = given.cast::<PyBytes>() {
            return from_bytes(bytes.as_bytes()).map(Text);
        }
        let Ok(method) = given.get_type().getattr(intern!(given.py(), "__fspath__")) else {
            let what = format!("expected str, bytes or a path, not {}", given.get_type().name()?);
            return Err(PyTypeError::new_err(what));
        };
        let path = method.call1((given,))?;
        match path.cast::<PyBytes>() {
            Ok(bytes) => from_bytes(bytes.as_bytes()).map(Text),
            Err(_) => path.extract().map(Text),
        }
    }
}

/// The same from an argument for which others give something else: `instead` has the name of its type, and says what to write.
pub(crate) fn text_or(given: &Bound<'_, PyAny>, instead: impl FnOnce(&str) -> String) -> PyResult<OsString> {
    let is_path = || given.get_type().hasattr(intern!(given.py(), "__fspath__"));
    if given.is_instance_of::<PyString>() || given.is_instance_of::<PyBytes>() || is_path()? {
        return Ok(given.extract::<Text>()?.0);
    }
    let name = given.get_type().name()?;
    Err(PyTypeError::new_err(instead(&name.to_cow()?)))
}

#[cfg(unix)]
fn from_bytes(bytes: &[u8]) -> PyResult<OsString> {
    use std::os::unix::ffi::OsStrExt;
    Ok(OsStr::from_bytes(bytes).to_owned())
}

#[cfg(not(unix))]
fn from_bytes(bytes: &[u8]) -> PyResult<OsString> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.into()),
        Err(_) => {
            Err(PyTypeError::new_err("bytes that are no UTF-8 have no meaning on this platform; give str"))
        }
    }
}

/// Several of them. One `str` is a sequence of its characters too, which nobody means.
pub(crate) struct Texts(pub(crate) Vec<OsString>);

impl<'py> FromPyObject<'_, 'py> for Texts {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Texts> {
        let items = several(given, "arguments", || Ok("[argument] for one".to_owned()))?;
        items.map(|item| Ok(item?.extract::<Text>()?.0)).collect::<PyResult<_>>().map(Texts)
    }
}

/// The items of a sequence of these; `instead` says what to write for one alone.
fn several<'py>(
    given: Borrowed<'_, 'py, PyAny>,
    what: &str,
    instead: impl FnOnce() -> PyResult<String>,
) -> PyResult<Bound<'py, PyIterator>> {
    let is_one = given.is_instance_of::<PyString>() || given.is_instance_of::<PyBytes>();
    if !is_one && let Ok(items) = given.try_iter() {
        return Ok(items);
    }
    let (name, instead) = (given.get_type().name()?, instead()?);
    Err(PyTypeError::new_err(format!("expected a sequence of {what}, not one {name}; write {instead}")))
}

/// Several names of things that the kernel has.
pub(crate) struct Names(pub(crate) Vec<String>);

impl<'py> FromPyObject<'_, 'py> for Names {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Names> {
        let names = several(given, "names", || Ok(format!("[{}]", given.repr()?)))?;
        names.map(|name| name?.extract()).collect::<PyResult<_>>().map(Names)
    }
}

/// A whole number from 0 on.
#[derive(Clone, Copy)]
pub(crate) struct Whole<T>(pub(crate) T);

impl<T> Whole<T> {
    pub(crate) const MOST: u64 = u64::MAX >> (u64::BITS as usize - 8 * size_of::<T>());
}

impl<'py, T: TryFrom<u64>> FromPyObject<'_, 'py> for Whole<T> {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Whole<T>> {
        let py = given.py();
        let unsuitable = || match given.get_type().name() {
            Ok(name) => PyTypeError::new_err(format!("expected a whole number, not {name}")),
            Err(error) => error,
        };
        if given.is_instance_of::<PyBool>() {
            return Err(unsuitable());
        }
        let number = match given.extract::<u64>() {
            Ok(number) => T::try_from(number).ok(),
            Err(error) if error.is_instance_of::<PyOverflowError>(py) => None,
            Err(_) => return Err(unsuitable()),
        };
        number.map(Whole).ok_or_else(|| {
            invalid(py, &format!("{} is out of range: from 0 to {}", *given, Whole::<T>::MOST))
        })
    }
}

/// Several of them. The characters of a `str` are none, and nobody means the bytes of `bytes`.
pub(crate) struct Wholes<T>(pub(crate) Vec<T>);

impl<'py, T: TryFrom<u64>> FromPyObject<'_, 'py> for Wholes<T> {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Wholes<T>> {
        let is_one = given.is_instance_of::<PyString>() || given.is_instance_of::<PyBytes>();
        let items = if is_one { None } else { given.try_iter().ok() };
        let Some(items) = items else {
            let what = format!("expected a sequence of whole numbers, not {}", given.get_type().name()?);
            return Err(PyTypeError::new_err(what));
        };
        items.map(|item| Ok(item?.extract::<Whole<T>>()?.0)).collect::<PyResult<_>>().map(Wholes)
    }
}

/// A name and a value of the environment; what is neither is told with the name.
pub(crate) fn variable(name: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<(OsString, OsString)> {
    let py = name.py();
    let about = |what: String, error: PyErr| PyTypeError::new_err(format!("{what}: {}", error.value(py)));
    let text: Text = name.extract().map_err(|error| about("name of a variable".to_owned(), error))?;
    let named = || format!("variable '{}'", text.0.display());
    let value: Text = value.extract().map_err(|error| about(named(), error))?;
    Ok((text.0, value.0))
}

/// Names and values, from a mapping or from pairs.
pub(crate) struct Pairs(pub(crate) Vec<(OsString, OsString)>);

impl<'py> FromPyObject<'_, 'py> for Pairs {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Pairs> {
        let items = match given.getattr_opt(intern!(given.py(), "items"))? {
            Some(items) => items.call0()?,
            None => given.to_owned(),
        };
        let pair = |item: PyResult<Bound<'py, PyAny>>| {
            let item = item?;
            let Ok((name, value)) = item.extract::<(Bound<'py, PyAny>, Bound<'py, PyAny>)>() else {
                let what = format!("expected pairs of a name and a value, not {}", item.get_type().name()?);
                return Err(PyTypeError::new_err(what));
            };
            variable(&name, &value)
        };
        items.try_iter()?.map(pair).collect::<PyResult<_>>().map(Pairs)
    }
}

/// Seconds as a number, or a `timedelta`.
#[derive(Clone, Copy)]
pub(crate) struct Seconds(pub(crate) Duration);

impl<'py> FromPyObject<'_, 'py> for Seconds {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Seconds> {
        let seconds = match given.extract::<f64>() {
            // That of a truth value is nobody's intention.
            Ok(seconds) if !given.is_instance_of::<PyBool>() => seconds,
            // A whole number beyond all that a float can hold.
            Err(error) if error.is_instance_of::<PyOverflowError>(given.py()) => {
                if given.lt(0)? {
                    f64::NEG_INFINITY
                } else {
                    f64::INFINITY
                }
            }
            _ => match given.getattr_opt(intern!(given.py(), "total_seconds"))? {
                Some(method) => method.call0()?.extract()?,
                None => {
                    let what = format!("expected seconds or a timedelta, not {}", given.get_type().name()?);
                    return Err(PyTypeError::new_err(what));
                }
            },
        };
        // A time that is too long to be counted is as good as none that ever ends.
        if seconds == f64::INFINITY {
            return Ok(Seconds(Duration::MAX));
        }
        match Duration::try_from_secs_f64(seconds) {
            Ok(time) => Ok(Seconds(time)),
            Err(_) if seconds > 0.0 => Ok(Seconds(Duration::MAX)),
            Err(_) => {
                Err(invalid(given.py(), &format!("{seconds} seconds is no time to wait; it is 0 or more")))
            }
        }
    }
}

/// A signal by name (`term`, `SIGTERM`, `RTMIN+1`) or number; `signal.SIGTERM` is a number too.
pub(crate) struct SignalArg(pub(crate) Signal);

impl<'py> FromPyObject<'_, 'py> for SignalArg {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<SignalArg> {
        if let Ok(name) = given.extract::<PyBackedStr>() {
            return parsed(given.py(), &name).map(SignalArg);
        }
        let number = match given.extract::<i32>() {
            Ok(number) => Some(number),
            Err(error) if error.is_instance_of::<PyOverflowError>(given.py()) => None,
            Err(_) => return Err(PyTypeError::new_err("expected the name of a signal, or its number")),
        };
        let unknown = || invalid(given.py(), &format!("{} is the number of no signal here", *given));
        number.and_then(Signal::from_number).map(SignalArg).ok_or_else(unknown)
    }
}

/// Bytes to be fed. Those of `bytes` and `str` are not copied: Python keeps them as long as the command is there.
pub(crate) struct Fed(pub(crate) Payload);

impl<'py> FromPyObject<'_, 'py> for Fed {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Fed> {
        if let Ok(bytes) = given.extract::<PyBackedBytes>() {
            // What can still be changed is copied by this.
            return Ok(Fed(Payload::of(bytes)));
        }
        if given.is_instance_of::<PyMemoryView>() || given.is_instance_of::<PyByteArray>() {
            let bytes = given.call_method0(intern!(given.py(), "tobytes"))?;
            return Ok(Fed(Payload::of(bytes.extract::<PyBackedBytes>()?)));
        }
        let instead = if given.is_instance_of::<PyString>() { "; stdin_text takes str" } else { "" };
        let what = format!("expected bytes, not {}{instead}", given.get_type().name()?);
        Err(PyTypeError::new_err(what))
    }
}

/// Text to be fed, likewise.
pub(crate) struct FedText(pub(crate) Payload);

impl<'py> FromPyObject<'_, 'py> for FedText {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<FedText> {
        if given.is_instance_of::<PyString>() {
            return Ok(FedText(Payload::of(given.extract::<PyBackedStr>()?)));
        }
        let instead = if given.extract::<Fed>().is_ok() { "; stdin_bytes takes bytes" } else { "" };
        let what = format!("expected str, not {}{instead}", given.get_type().name()?);
        Err(PyTypeError::new_err(what))
    }
}

/// What a word means that has a fixed set of meanings, or an error that names it.
pub(crate) fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
    py: Python<'_>,
    word: &str,
) -> PyResult<T> {
    word.parse().map_err(|error: T::Err| invalid(py, &error.to_string()))
}

/// The meaning of one of a few words.
pub(crate) fn one_of<T: Copy>(py: Python<'_>, what: &str, word: &str, known: &[(&str, T)]) -> PyResult<T> {
    // As the tool has them, too.
    let plain = word.replace('-', "_");
    if let Some((_, meaning)) = known.iter().find(|(name, _)| *name == word || *name == plain) {
        return Ok(*meaning);
    }
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    Err(invalid(py, &format!("'{word}' is no {what}; use one of: {}", names.join(", "))))
}

/// An exception as the last line of its traceback.
pub(crate) fn shown_error(py: Python<'_>, error: &PyErr) -> String {
    let name = error.get_type(py).name().map_or_else(|_| "an exception".to_owned(), |name| name.to_string());
    match error.value(py).str() {
        Ok(text) if text.is_empty().unwrap_or(true) => name,
        Ok(text) => format!("{name}: {text}"),
        Err(_) => name,
    }
}

/// As Python writes a file's name: what is no text of the platform in lone surrogates.
pub(crate) fn shown<'py>(py: Python<'py>, text: &OsStr) -> PyResult<Bound<'py, PyString>> {
    Ok(text.into_pyobject(py)?)
}
