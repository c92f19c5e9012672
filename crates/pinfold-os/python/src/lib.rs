//! Memory of the interpreter where PyO3 has no safe way to it: `bytes` that are filled by whoever made them, without being
//! filled with zeros before, which for large ones takes longer than all the rest.
//!
//! It belongs to floor 0, as the one other place with `unsafe`, and refuses everything but this.
#![expect(unsafe_code, reason = "this belongs to the floor that makes unsafe things safe")]

use pinfold_os::memory::relocate;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::mem::MaybeUninit;

/// `bytes` of what Rust holds. What is large is never there twice, and where the pages can change hands it is not copied
/// (see [`relocate`]).
///
/// # Errors
/// `MemoryError`.
pub fn bytes(py: Python<'_>, from: Vec<u8>) -> PyResult<Bound<'_, PyBytes>> {
    let length = isize::try_from(from.len())?;
    // SAFETY: without a source its content is ours to write as long as nobody else has the object, which is until we return it
    // (`PyBytes_FromStringAndSize`); `relocate` writes all of it.
    unsafe {
        let made = ffi::PyBytes_FromStringAndSize(std::ptr::null(), length);
        let made = Bound::from_owned_ptr_or_err(py, made)?;
        let content = ffi::PyBytes_AsString(made.as_ptr()).cast::<MaybeUninit<u8>>();
        let content = std::slice::from_raw_parts_mut(content, from.len());
        relocate(from, content);
        Ok(made.cast_into_unchecked())
    }
}
