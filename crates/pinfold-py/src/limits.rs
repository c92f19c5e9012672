//! Limits as plain values.

use crate::convert::{Text, Whole, Wholes, one_of};
use crate::number::{named, number};
use crate::plain::plain;
use crate::result::or_none;
use pinfold::{BlockDevice, Enforcement};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

/// What all processes of a run, or of a group, may use together. `None` is no limit of ours.
///
/// The kernel enforces them, by the cgroup of the run or of the group, or the run is refused (`Unsupported`) with what is
/// missing before anything is started: nothing ever runs without a limit that was asked for. With `enforcement="per_process"` a
/// command gets the nearest limits that each of its processes has for itself instead. Limits never change; `replace` gives
/// others. Linux.
///
/// >>> from pinfold import Limits
/// >>> limits = Limits(max_memory=256 << 20, max_processes=64)
/// >>> limits.replace(cpu_quota=1.5)
/// Limits(max_memory=268435456, max_processes=64, cpu_quota=1.5)
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct Limits(pub(crate) pinfold::Limits);
plain!(Limits, "Limits");

fn whole<T>(given: Option<Whole<T>>) -> Option<T> {
    given.map(|given| given.0)
}

const ENFORCEMENTS: [(&str, Enforcement); 2] =
    [("cgroup", Enforcement::Cgroup), ("per_process", Enforcement::PerProcess)];

#[pymethods]
impl Limits {
    #[new]
    #[pyo3(signature = (*, max_memory = None, memory_high = None, max_swap = None, max_processes = None, cpu_quota = None,
        cpu_weight = None, cpus = None, io_weight = None, io = None, enforcement = "cgroup"))]
    #[expect(clippy::too_many_arguments, reason = "they are named, and each has a default")]
    fn new(
        py: Python<'_>,
        #[pyo3(from_py_with = named::max_memory)] max_memory: Option<Whole<u64>>,
        #[pyo3(from_py_with = named::memory_high)] memory_high: Option<Whole<u64>>,
        #[pyo3(from_py_with = named::max_swap)] max_swap: Option<Whole<u64>>,
        #[pyo3(from_py_with = named::max_processes)] max_processes: Option<Whole<u64>>,
        #[pyo3(from_py_with = named::cpu_quota)] cpu_quota: Option<f64>,
        #[pyo3(from_py_with = named::cpu_weight)] cpu_weight: Option<Whole<u32>>,
        #[pyo3(from_py_with = named::cpus)] cpus: Option<Wholes<u32>>,
        #[pyo3(from_py_with = named::io_weight)] io_weight: Option<Whole<u32>>,
        io: Option<Vec<Bound<'_, IoLimit>>>,
        enforcement: &str,
    ) -> PyResult<Limits> {
        Ok(Limits(pinfold::Limits {
            memory_max: whole(max_memory),
            memory_high: whole(memory_high),
            swap_max: whole(max_swap),
            processes: whole(max_processes),
            cpu_quota,
            cpu_weight: whole(cpu_weight),
            cpus: cpus.map(|cpus| cpus.0),
            io_weight: whole(io_weight),
            io: io.unwrap_or_default().iter().map(|limit| limit.get().0.clone()).collect(),
            enforcement: one_of(py, "enforcement", enforcement, &ENFORCEMENTS)?,
        }))
    }

    /// Bytes of memory, page cache included: what cannot be kept below it, the kernel kills, and the outcome says so.
    #[getter]
    fn max_memory(&self) -> Option<u64> {
        self.0.memory_max
    }

    /// Bytes of memory from which on they are slowed down and made to give memory back. It ends nobody.
    #[getter]
    fn memory_high(&self) -> Option<u64> {
        self.0.memory_high
    }

    /// Bytes of swap.
    #[getter]
    fn max_swap(&self) -> Option<u64> {
        self.0.swap_max
    }

    /// Processes at once. The kernel counts threads.
    #[getter]
    fn max_processes(&self) -> Option<u64> {
        self.0.processes
    }

    /// CPUs' worth of time, on whichever they run: 0.5 is half of one.
    #[getter]
    fn cpu_quota(&self) -> Option<f64> {
        self.0.cpu_quota
    }

    /// Their share where CPUs are short, from 1 to 10000; 100 is the kernel's default.
    #[getter]
    fn cpu_weight(&self) -> Option<u32> {
        self.0.cpu_weight
    }

    /// The CPUs that they may run on, counted from 0.
    #[getter]
    fn cpus(&self) -> Option<Vec<u32>> {
        self.0.cpus.clone()
    }

    /// Their share where a disk is busy, from 1 to 10000.
    #[getter]
    fn io_weight(&self) -> Option<u32> {
        self.0.io_weight
    }

    /// Bounds on what they read and write, per device.
    #[getter]
    fn io(&self) -> Vec<IoLimit> {
        self.0.io.iter().cloned().map(IoLimit).collect()
    }

    /// Who holds them to it: the `cgroup`, or limits `per_process`.
    #[getter]
    fn enforcement(&self) -> &'static str {
        let name = ENFORCEMENTS.iter().find(|(_, enforcement)| *enforcement == self.0.enforcement);
        name.map_or("other", |(name, _)| name)
    }

    /// Limits that differ from these in what is given.
    #[pyo3(signature = (**changes))]
    fn replace<'py>(
        slf: &Bound<'py, Limits>,
        changes: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        const NAMES: [&str; 10] = [
            "max_memory",
            "memory_high",
            "max_swap",
            "max_processes",
            "cpu_quota",
            "cpu_weight",
            "cpus",
            "io_weight",
            "io",
            "enforcement",
        ];
        let fields = PyDict::new(slf.py());
        for name in NAMES {
            fields.set_item(name, slf.getattr(name)?)?;
        }
        if let Some(changes) = changes {
            fields.update(changes.as_mapping())?;
        }
        slf.get_type().call((), Some(&fields))
    }

    #[pyo3(signature = (**changes))]
    fn __replace__<'py>(
        slf: &Bound<'py, Limits>,
        changes: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Limits::replace(slf, changes)
    }

    fn __bool__(&self) -> bool {
        !self.0.is_empty()
    }

    fn __repr__(&self) -> String {
        let limits = &self.0;
        let number = |value: Option<u64>| value.map(|value| value.to_string());
        let mut said: Vec<String> = [
            ("max_memory", number(limits.memory_max)),
            ("memory_high", number(limits.memory_high)),
            ("max_swap", number(limits.swap_max)),
            ("max_processes", number(limits.processes)),
            ("cpu_quota", limits.cpu_quota.map(|cpus| format!("{cpus:?}"))),
            ("cpu_weight", number(limits.cpu_weight.map(u64::from))),
            ("cpus", limits.cpus.as_ref().map(|cpus| format!("{cpus:?}"))),
            ("io_weight", number(limits.io_weight.map(u64::from))),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", value?)))
        .collect();
        if !limits.io.is_empty() {
            let io: Vec<String> = self.io().iter().map(IoLimit::__repr__).collect();
            said.push(format!("io=[{}]", io.join(", ")));
        }
        if limits.enforcement != Enforcement::default() {
            said.push(format!("enforcement='{}'", self.enforcement()));
        }
        format!("Limits({})", said.join(", "))
    }
}

/// A bound on what is read from and written to one block device: a path, or its numbers `(major, minor)`.
///
/// >>> from pinfold import IoLimit, Limits
/// >>> limits = Limits(io=[IoLimit("/dev/sda", read_bytes=10 << 20)])
#[pyclass(frozen, module = "pinfold")]
pub(crate) struct IoLimit(pub(crate) pinfold::IoLimit);
plain!(IoLimit, "IoLimit");

/// A device as it is given.
enum Device {
    Numbers((u32, u32)),
    Path(Text),
}

impl<'py> FromPyObject<'_, 'py> for Device {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Device> {
        let Ok((major, minor)) = given.extract::<(Bound<'py, PyAny>, Bound<'py, PyAny>)>() else {
            return given.extract().map(Device::Path);
        };
        let [major, minor] = [major, minor].map(|part| number::<Whole<u32>>(&part, "device"));
        Ok(Device::Numbers((major?.0, minor?.0)))
    }
}

#[pymethods]
impl IoLimit {
    #[new]
    #[pyo3(signature = (device, *, read_bytes = None, write_bytes = None, read_operations = None, write_operations = None))]
    fn new(
        device: Device,
        #[pyo3(from_py_with = named::read_bytes)] read_bytes: Option<Whole<u64>>,
        #[pyo3(from_py_with = named::write_bytes)] write_bytes: Option<Whole<u64>>,
        #[pyo3(from_py_with = named::read_operations)] read_operations: Option<Whole<u64>>,
        #[pyo3(from_py_with = named::write_operations)] write_operations: Option<Whole<u64>>,
    ) -> IoLimit {
        let device = match device {
            Device::Numbers((major, minor)) => BlockDevice::Number { major, minor },
            Device::Path(path) => BlockDevice::Path(path.0.into()),
        };
        IoLimit(pinfold::IoLimit {
            device,
            read_bytes: whole(read_bytes),
            write_bytes: whole(write_bytes),
            read_operations: whole(read_operations),
            write_operations: whole(write_operations),
        })
    }

    /// The device, not a partition of it, as it was given.
    #[getter]
    fn device<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(match &self.0.device {
            BlockDevice::Path(path) => PyString::new(py, &path.to_string_lossy()).into_any(),
            BlockDevice::Number { major, minor } => (*major, *minor).into_pyobject(py)?.into_any(),
        })
    }

    /// Bytes read per second.
    #[getter]
    fn read_bytes(&self) -> Option<u64> {
        self.0.read_bytes
    }

    /// Bytes written per second.
    #[getter]
    fn write_bytes(&self) -> Option<u64> {
        self.0.write_bytes
    }

    /// Read operations per second.
    #[getter]
    fn read_operations(&self) -> Option<u64> {
        self.0.read_operations
    }

    /// Write operations per second.
    #[getter]
    fn write_operations(&self) -> Option<u64> {
        self.0.write_operations
    }

    fn __repr__(&self) -> String {
        let device = match &self.0.device {
            BlockDevice::Path(path) => format!("{path:?}"),
            BlockDevice::Number { major, minor } => format!("({major}, {minor})"),
        };
        format!(
            "IoLimit({device}, read_bytes={}, write_bytes={}, read_operations={}, write_operations={})",
            or_none(self.0.read_bytes),
            or_none(self.0.write_bytes),
            or_none(self.0.read_operations),
            or_none(self.0.write_operations)
        )
    }
}
