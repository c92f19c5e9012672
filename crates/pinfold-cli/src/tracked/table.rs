//! Owners and what they run, as an aligned table.

use crate::out;
use pinfold::tracked::Owner;
use std::fmt::Write as _;
use std::time::Duration;

const HEAD: [&str; 8] = ["OWNER", "RUN", "CONTAINER", "PID", "STATE", "AGE", "CPU", "NAME"];

/// A line for each owner, and below it one for each process of its runs.
pub(super) fn table(owners: &[Owner]) -> String {
    let mut rows: Vec<[String; 8]> = vec![HEAD.map(str::to_owned)];
    let none = || "-".to_owned();
    for owner in owners {
        let pid = owner.pid.to_string();
        let name = out::plain(&owner.name);
        rows.push([pid.clone(), none(), none(), none(), none(), time(owner.age), none(), name]);
        for run in &owner.runs {
            for member in &run.members {
                rows.push([
                    pid.clone(),
                    out::plain(&run.id),
                    run.mechanism.to_string(),
                    member.pid.to_string(),
                    member.state.to_owned(),
                    time(member.age),
                    time(member.cpu),
                    out::plain(&member.name),
                ]);
            }
        }
    }
    let mut widths = [0; 8];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut table = String::new();
    for row in &rows {
        let line: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(table, "{}", line.join("  ").trim_end());
    }
    table
}

/// `0.42s`, `12s`, `5m03s`, `2h05m`, `3d04h`.
fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    let two = |large: u64, unit: char, small: u64, lower: char| format!("{large}{unit}{small:02}{lower}");
    match seconds {
        0..10 => format!("{:.2}s", time.as_secs_f64()),
        10..60 => format!("{seconds}s"),
        60..3600 => two(seconds / 60, 'm', seconds % 60, 's'),
        3600..86_400 => two(seconds / 3600, 'h', seconds / 60 % 60, 'm'),
        _ => two(seconds / 86_400, 'd', seconds / 3600 % 24, 'h'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_as_exact_as_they_are_short() {
        for (milliseconds, shown) in [
            (0, "0.00s"),
            (420, "0.42s"),
            (12_900, "12s"),
            (303_000, "5m03s"),
            (7_500_000, "2h05m"),
            (273_600_000, "3d04h"),
        ] {
            assert_eq!(time(Duration::from_millis(milliseconds)), shown);
        }
    }

    #[test]
    fn without_owners_there_is_the_head() {
        assert_eq!(table(&[]), "OWNER  RUN  CONTAINER  PID  STATE  AGE  CPU  NAME\n");
    }
}
