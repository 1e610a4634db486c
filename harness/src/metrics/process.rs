//! Owns what the kernel says of this process in `/proc/self`, by the names that dashboards know from elsewhere. Refuses to
//! guess where there is no such folder: then nothing is told.

use super::families::Families;
use super::table::{CPU, MOST_FILES, OPEN_FILES, RESIDENT, STARTED, THREADS};
use std::fs;

/// Ticks of the kernel's user-visible clock in a second: 100 on every architecture that Linux still knows.
const TICKS: f64 = 100.0;

/// Looks, and sets the gauges.
pub(crate) fn look(families: &Families) {
    if let Ok(status) = fs::read_to_string("/proc/self/status") {
        if let Some(kib) = field(&status, "VmRSS:") {
            families.set(RESIDENT, [], kib * 1024.0);
        }
        if let Some(threads) = field(&status, "Threads:") {
            families.set(THREADS, [], threads);
        }
    }
    if let Ok(entries) = fs::read_dir("/proc/self/fd") {
        // The one that lists them is none of them.
        families.set(OPEN_FILES, [], entries.count().saturating_sub(1) as f64);
    }
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    if let Some(most) = field(&limits, "Max open files") {
        families.set(MOST_FILES, [], most);
    }
    if let Some((ticks, started)) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(times) {
        families.put(CPU, [], ticks / TICKS);
        let booted = fs::read_to_string("/proc/stat").ok().and_then(|text| field(&text, "btime"));
        if let Some(booted) = booted {
            families.set(STARTED, [], booted + started / TICKS);
        }
    }
}

/// The first number of the line that begins so.
fn field(text: &str, name: &str) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// Of `/proc/self/stat`: ticks of processor time, and ticks from the machine's boot to the process's start. The name in it,
/// in parentheses, may have anything in it.
fn times(stat: &str) -> Option<(f64, f64)> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |place: usize| fields.get(place).and_then(|field| field.parse::<f64>().ok());
    // Fields 14, 15 and 22 of proc(5); the first after the name is 3.
    Some((number(11)? + number(12)?, number(19)?))
}

#[cfg(test)]
mod tests {
    use super::{field, times};

    #[test]
    fn a_name_with_parentheses_and_spaces_hides_no_field() {
        let stat = "7 (a) b) (c) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 1 0 4200 9 9";
        assert_eq!(times(stat), Some((200.0, 4200.0)));
        assert_eq!(times("7 (a) S 1"), None);
        assert_eq!(field("VmPeak: 1 kB\nVmRSS:\t  2048 kB\n", "VmRSS:"), Some(2048.0));
        assert_eq!(field("Max open files            unlimited", "Max open files"), None);
    }
}
