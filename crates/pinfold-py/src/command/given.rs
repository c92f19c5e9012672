//! Starting it with what only live things can say: descriptors by number, a process group. For `pinfold.subprocess`.

use super::Command;
use crate::error::{Form, failed, raised};
use crate::handle::Run;
use pinfold::{Host, Runner};
use pinfold_os::descriptor;
use pyo3::prelude::*;

#[pymethods]
impl Command {
    /// Starts it with copies of these descriptors, each as `(ours, its number)`; those of 0, 1 and 2 take the place of what the
    /// command says of its streams.
    #[pyo3(name = "_launch_given", signature = (descriptors, *, pass_descriptors, keep_ignored_signals, process_group))]
    fn launch_given(
        &self,
        py: Python<'_>,
        descriptors: Vec<(i32, i32)>,
        pass_descriptors: bool,
        keep_ignored_signals: bool,
        process_group: Option<u32>,
    ) -> PyResult<Run> {
        let mut host = Host::new();
        for (ours, number) in descriptors {
            host = host.descriptor(number, descriptor::copy(ours).map_err(failed)?);
        }
        if pass_descriptors {
            host = host.pass_descriptors();
        }
        if keep_ignored_signals {
            host = host.keep_ignored_signals();
        }
        if let Some(id) = process_group {
            host = host.process_group(id);
        }
        let running = py.detach(|| host.launch(&self.0));
        let running = running.map_err(|error| raised(py, error, &self.0, Form::Text))?;
        Ok(Run::new(running, self.0.clone(), true, None))
    }
}
