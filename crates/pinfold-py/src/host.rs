//! What this host offers, as JSON, of which `pinfold._host` makes records.

use crate::plain::to_json;
use pinfold::HostReport;
use pyo3::prelude::*;

/// What this host offers to this process, as JSON and in words.
#[pyfunction]
pub(crate) fn host_report_json(py: Python<'_>) -> PyResult<(String, String)> {
    let report = py.detach(HostReport::examine);
    Ok((to_json(py, &report)?, report.to_string()))
}
