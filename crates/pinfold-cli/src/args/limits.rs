//! What the values of the options for resource limits mean, where they are more than a size or a number.

use super::values::{Read, number, size};
use pinfold::{BlockDevice, IoLimit};

/// How many CPUs: `2`, `1.5`, `0.25`.
pub(crate) fn cpus(text: &str) -> Read<f64> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| format!("'{text}' is no number of CPUs; use 2, 1.5 or 0.25"))
}

/// `DEVICE:RATE=N,RATE=N`, with the rates of the kernel's `io.max`: `/dev/sda:rbps=10M,wiops=100`.
pub(crate) fn io_max(text: &str) -> Read<IoLimit> {
    let wrong = || {
        format!(
            "'{text}' is no I/O limit; use DEVICE:rbps=SIZE,wbps=SIZE,riops=N,wiops=N with one rate or more"
        )
    };
    // A path may hold a colon, as those of /dev/disk/by-path do, and no rate does.
    let (device, rates) = text.rsplit_once(':').filter(|(device, _)| !device.is_empty()).ok_or_else(wrong)?;
    let mut limit = IoLimit::new(block_device(device));
    for rate in rates.split(',') {
        let (name, value) = rate.split_once('=').ok_or_else(wrong)?;
        let (place, value) = match name {
            "rbps" => (&mut limit.read_bytes, size(value)?),
            "wbps" => (&mut limit.write_bytes, size(value)?),
            "riops" => (&mut limit.read_operations, number(value)?),
            "wiops" => (&mut limit.write_operations, number(value)?),
            _ => return Err(format!("'{name}' is no rate; use rbps, wbps (bytes a second), riops or wiops")),
        };
        if place.replace(value).is_some() {
            return Err(format!("'{text}' gives {name} twice"));
        }
    }
    Ok(limit)
}

/// `/dev/sda`, or `8:0`.
fn block_device(text: &str) -> BlockDevice {
    let numbers = text.split_once(':').map(|(major, minor)| (major.parse(), minor.parse()));
    match numbers {
        Some((Ok(major), Ok(minor))) => BlockDevice::Number { major, minor },
        _ => BlockDevice::Path(text.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpus_are_whole_ones_and_parts() {
        for (text, cpus_of) in [("2", Some(2.0)), ("0.25", Some(0.25)), (".5", Some(0.5)), ("0", Some(0.0))] {
            assert_eq!(cpus(text).ok(), cpus_of, "{text}");
        }
        for text in ["", "two", "50%", "inf", "NaN", "1,5"] {
            assert!(cpus(text).is_err_and(|said| said.contains("1.5")), "{text}");
        }
    }

    #[test]
    fn an_io_limit_is_a_device_and_its_rates() {
        let limit = |device| IoLimit::new(device);
        let by_path = |path: &str| limit(BlockDevice::Path(path.into()));
        let number = limit(BlockDevice::Number { major: 8, minor: 16 });
        for (text, wanted) in [
            ("/dev/sda:rbps=10M", IoLimit { read_bytes: Some(10 << 20), ..by_path("/dev/sda") }),
            (
                "8:16:wiops=5,riops=7",
                IoLimit { read_operations: Some(7), write_operations: Some(5), ..number },
            ),
            ("/dev/a:b:wbps=1kB", IoLimit { write_bytes: Some(1000), ..by_path("/dev/a:b") }),
            ("8:x:wbps=1", IoLimit { write_bytes: Some(1), ..by_path("8:x") }),
        ] {
            assert_eq!(io_max(text), Ok(wanted), "{text}");
        }
        for (text, word) in [
            ("/dev/sda", "DEVICE:"),
            ("/dev/sda:", "DEVICE:"),
            (":rbps=1", "DEVICE:"),
            ("/dev/sda:rbps", "DEVICE:"),
            ("/dev/sda:bps=1", "'bps'"),
            ("/dev/sda:rbps=fast", "'fast'"),
            ("/dev/sda:riops=1M", "'1M'"),
            ("/dev/sda:riops=1,riops=2", "twice"),
        ] {
            assert!(io_max(text).is_err_and(|said| said.contains(word)), "{text}");
        }
    }
}
