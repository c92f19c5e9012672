//! Numbers among the arguments: one that cannot be meant is refused as every other value is, and told by the argument's name.

use crate::convert::{Seconds, Whole, Wholes};
use crate::error::invalid;
use pyo3::exceptions::{PyOverflowError, PyValueError};
use pyo3::prelude::*;

/// What a number is taken for.
pub(crate) trait Number: Sized {
    fn of(given: &Bound<'_, PyAny>) -> PyResult<Self>;

    /// What is allowed, where Python itself says only that it is too much.
    fn range() -> String;
}

macro_rules! numbers {
    ($($kind:ty: $range:expr),* $(,)?) => {$(
        impl Number for $kind {
            fn of(given: &Bound<'_, PyAny>) -> PyResult<$kind> {
                given.extract()
            }

            fn range() -> String {
                $range
            }
        }
    )*};
}

numbers! {
    u32: format!("from 0 to {}", u32::MAX),
    i32: format!("from {} to {}", i32::MIN, i32::MAX),
    i64: format!("from {} to {}", i64::MIN, i64::MAX),
    Vec<i32>: format!("each from {} to {}", i32::MIN, i32::MAX),
    f64: format!("from {:e} to {:e}", f64::MIN, f64::MAX),
    Seconds: "from 0 on".to_owned(),
}

impl<T: TryFrom<u64>> Number for Whole<T> {
    fn of(given: &Bound<'_, PyAny>) -> PyResult<Whole<T>> {
        given.extract()
    }

    fn range() -> String {
        format!("from 0 to {}", Whole::<T>::MOST)
    }
}

impl<T: TryFrom<u64>> Number for Wholes<T> {
    fn of(given: &Bound<'_, PyAny>) -> PyResult<Wholes<T>> {
        given.extract()
    }

    fn range() -> String {
        format!("each from 0 to {}", Whole::<T>::MOST)
    }
}

impl<T: Number> Number for Option<T> {
    fn of(given: &Bound<'_, PyAny>) -> PyResult<Option<T>> {
        if given.is_none() { Ok(None) } else { T::of(given).map(Some) }
    }

    fn range() -> String {
        T::range()
    }
}

/// The number that an argument is.
pub(crate) fn number<T: Number>(given: &Bound<'_, PyAny>, name: &str) -> PyResult<T> {
    let py = given.py();
    T::of(given).map_err(|error| {
        if error.is_instance_of::<PyOverflowError>(py) {
            return invalid(py, &format!("{name}: {given} is out of range: {}", T::range()));
        }
        // A value that cannot be meant; what is no number at all is told with the argument's name by PyO3.
        if error.is_instance_of::<PyValueError>(py) {
            return invalid(py, &format!("{name}: {}", error.value(py)));
        }
        error
    })
}

/// For each argument that is a number the function that takes it: `#[pyo3(from_py_with = named::timeout)]`.
pub(crate) mod named {
    use super::{Number, number};
    use pyo3::prelude::*;

    macro_rules! names {
        ($($name:ident),* $(,)?) => {$(
            pub(crate) fn $name<T: Number>(given: &Bound<'_, PyAny>) -> PyResult<T> {
                number(given, stringify!($name))
            }
        )*};
    }

    names! {
        alive_every, alive_failures, alive_timeout, attempts, backoff_factor, backoff_initial,
        bytes, code, codes, concurrency, count, cpu_quota, cpu_weight, cpus, debounce,
        every_seconds, factor, failure_decay, failure_threshold, gid, gids, grace, high_bytes,
        history, io_weight, level, mask, max_backoff, max_bytes, max_lines, max_memory, max_pause,
        max_processes, max_restarts, max_swap, memory_high, numbers, pause, pid, port, read_bytes,
        read_operations, ready_within, reset_after, restart_window, score, seconds, seed,
        shutdown_grace, soft, storm_pause, timeout, uid, value, weight, write_bytes,
        write_operations,
    }
}
