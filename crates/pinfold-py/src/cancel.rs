//! Cancellation tokens.

use pyo3::prelude::*;

/// One word from one place that ends many runs: every verb that was given the token stops what it runs, by the command's
/// own stop rule, and raises `Cancelled`.
///
/// A child is cancelled with its parent and can be cancelled alone. Any thread may cancel.
///
/// >>> from pinfold import CancelToken
/// >>> token = CancelToken()
/// >>> child = token.child()
/// >>> token.cancel()
/// >>> child.is_cancelled
/// True
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct CancelToken(pub(crate) pinfold::CancelToken);

#[pymethods]
impl CancelToken {
    #[new]
    fn new() -> CancelToken {
        CancelToken(pinfold::CancelToken::new())
    }

    /// A token that is cancelled with this one.
    fn child(&self) -> CancelToken {
        CancelToken(self.0.child())
    }

    /// Cancels it and all its children, for good; does not wait.
    fn cancel(&self) {
        self.0.cancel();
    }

    /// Whether it was cancelled.
    #[getter]
    fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// The descriptor that is readable once it is cancelled, and stays so: for `select` and loops of one's own. It is the
    /// token's, and is closed with it.
    ///
    /// >>> import select
    /// >>> from pinfold import CancelToken
    /// >>> token = CancelToken()
    /// >>> select.select([token], [], [], 0)[0]
    /// []
    /// >>> token.cancel()
    /// >>> select.select([token], [], [])[0] == [token]
    /// True
    #[cfg(unix)]
    fn fileno(&self) -> PyResult<i32> {
        use std::os::fd::AsRawFd;
        Ok(self.0.waitable()?.descriptor.as_raw_fd())
    }

    fn __repr__(&self) -> &'static str {
        if self.0.is_cancelled() { "<CancelToken: cancelled>" } else { "<CancelToken>" }
    }
}
