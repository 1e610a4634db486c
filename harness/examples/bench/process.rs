//! Owns what the kernel tells of a process. Refuses to know whose it is.

/// Processor time so far, in ticks: 100 a second on every Linux that Rust runs on.
pub(crate) fn cpu_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = stat.rsplit(") ").next().unwrap_or_default();
    let field = |at: usize| after_name.split(' ').nth(at).and_then(|word| word.parse::<u64>().ok()).unwrap_or_default();
    field(11) + field(12)
}

/// Memory in kB, as a line of a file in `/proc/PID` tells it (`proc(5)`): in `status`, `VmRSS` is all that is resident and
/// `RssAnon` what no file is behind; in `smaps_rollup`, `Pss` counts a page that several processes share in parts.
pub(crate) fn memory_kb(pid: u32, file: &str, of: &str) -> u64 {
    let told = std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let line = told.lines().find_map(|line| line.strip_prefix(of)?.strip_prefix(':'));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}
