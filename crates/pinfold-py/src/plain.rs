//! Plain values: classes that hold one value of the engine, compare by it, and travel as its JSON.

use crate::error::invalid;
use crate::{command, event, group, handle, limits, pipeline, result, sandbox, supervise};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use serde::{Serialize, de::DeserializeOwned};

/// The value as JSON.
pub(crate) fn to_json<T: Serialize>(py: Python<'_>, value: &T) -> PyResult<String> {
    serde_json::to_string(value).map_err(|error| invalid(py, &format!("cannot be written as JSON: {error}")))
}

/// The value that `to_json` wrote.
pub(crate) fn from_json<T: DeserializeOwned>(py: Python<'_>, json: &[u8]) -> PyResult<T> {
    serde_json::from_slice(json).map_err(|error| invalid(py, &format!("not such JSON: {error}")))
}

/// JSON as `str` or `bytes`.
#[derive(FromPyObject)]
pub(crate) enum Json {
    Text(pyo3::pybacked::PyBackedStr),
    Bytes(pyo3::pybacked::PyBackedBytes),
}

impl Json {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Json::Text(text) => text.as_bytes(),
            Json::Bytes(bytes) => bytes,
        }
    }
}

/// Makes what a pickle holds: the name of a class and its JSON.
#[pyfunction]
#[pyo3(name = "_unpickle")]
pub(crate) fn unpickle<'py>(py: Python<'py>, class: &str, json: &str) -> PyResult<Bound<'py, PyAny>> {
    let json = json.as_bytes();
    Ok(match class {
        "Command" => Bound::new(py, command::Command::of(from_json(py, json)?))?.into_any(),
        "Outcome" => Bound::new(py, result::Outcome(from_json(py, json)?))?.into_any(),
        "Usage" => Bound::new(py, result::Usage(from_json(py, json)?))?.into_any(),
        "Seen" => Bound::new(py, result::Seen(from_json(py, json)?))?.into_any(),
        "Stray" => Bound::new(py, result::Stray(from_json(py, json)?))?.into_any(),
        "EndedWith" => Bound::new(py, result::EndedWith(from_json(py, json)?))?.into_any(),
        "Strays" => Bound::new(py, result::Strays(from_json(py, json)?))?.into_any(),
        "LimitsHit" => Bound::new(py, result::LimitsHit(from_json(py, json)?))?.into_any(),
        "RunEvent" => Bound::new(py, event::RunEvent(from_json(py, json)?))?.into_any(),
        "Stage" => Bound::new(py, result::Stage(from_json(py, json)?))?.into_any(),
        "Pipeline" => Bound::new(py, pipeline::Pipeline::of(from_json(py, json)?))?.into_any(),
        "SupervisionOutcome" => {
            Bound::new(py, supervise::SupervisionOutcome(from_json(py, json)?))?.into_any()
        }
        "PastRun" => Bound::new(py, supervise::PastRun(from_json(py, json)?))?.into_any(),
        "GroupEvent" => Bound::new(py, group::GroupEvent(from_json(py, json)?))?.into_any(),
        "GroupStats" => Bound::new(py, group::GroupStats(from_json(py, json)?))?.into_any(),
        "IoLimit" => Bound::new(py, limits::IoLimit(from_json(py, json)?))?.into_any(),
        "Limits" => Bound::new(py, limits::Limits(from_json(py, json)?))?.into_any(),
        "MemberInfo" => Bound::new(py, group::MemberInfo(from_json(py, json)?))?.into_any(),
        "Pressure" => Bound::new(py, group::Pressure(from_json(py, json)?))?.into_any(),
        "RunProfile" => Bound::new(py, handle::RunProfile(from_json(py, json)?))?.into_any(),
        "Sample" => Bound::new(py, handle::Sample(from_json(py, json)?))?.into_any(),
        "Sandbox" => Bound::new(py, sandbox::Sandbox(from_json(py, json)?))?.into_any(),
        "StopReport" => Bound::new(py, group::StopReport(from_json(py, json)?))?.into_any(),
        _ => return Err(PyTypeError::new_err(format!("pinfold has no class '{class}' that is pickled so"))),
    })
}

/// What a pickle of such a value holds.
pub(crate) fn pickled<'py, T: Serialize>(
    py: Python<'py>,
    class: &'static str,
    value: &T,
) -> PyResult<(Bound<'py, PyAny>, (&'static str, String))> {
    let make = py.import("pinfold._native")?.getattr("_unpickle")?;
    Ok((make, (class, to_json(py, value)?)))
}

/// The methods that all plain values have.
macro_rules! plain {
    ($name:ident, $text:literal) => {
        #[pymethods]
        impl $name {
            /// Itself as JSON, which `from_json` reads.
            fn to_json(&self, py: Python<'_>) -> PyResult<String> {
                crate::plain::to_json(py, &self.0)
            }

            /// What `to_json` wrote. Raises `InvalidInput` for anything else.
            #[staticmethod]
            fn from_json(py: Python<'_>, json: crate::plain::Json) -> PyResult<$name> {
                crate::plain::from_json(py, json.bytes()).map($name)
            }

            fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
                other.cast::<$name>().is_ok_and(|other| self.0 == other.get().0)
            }

            fn __reduce__<'py>(
                &self,
                py: Python<'py>,
            ) -> PyResult<(Bound<'py, PyAny>, (&'static str, String))> {
                crate::plain::pickled(py, $text, &self.0)
            }
        }
    };
}

pub(crate) use plain;
