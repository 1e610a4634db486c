//! Owns giving back memory that an agent does not use: pages of the executable that it ran once, to start (the kernel maps
//! sixteen around each that is touched), and pages of the heap that were freed. Refuses to touch what was
//! written to, and to be asked for anything by anybody: it comes round by itself.
//!
//! Nothing is lost by it: a page of the executable is mapped again from the file when it is next used. On a machine that
//! shares the executable's pages between containers it saves page tables; on one that does not (as with `fuse-overlayfs`)
//! it lets the kernel drop them.

#![expect(unsafe_code, reason = "advice about memory takes an address, and the allocator's has no safe signature")]

use rustix::mm::{Advice, madvise};
use std::ops::Range;
use std::time::Duration;

/// What starts together has started by then.
const FIRST: Duration = Duration::from_secs(5);
/// And then so often: a renewed certificate or a new leader maps some of it again. A round costs what it maps again, some
/// seventy faults of a microsecond.
const EVERY: Duration = Duration::from_secs(20);

/// Gives back now and then, for as long as it is polled.
pub(super) async fn now_and_then() {
    tokio::time::sleep(FIRST).await;
    loop {
        give_back();
        tokio::time::sleep(EVERY).await;
    }
}

fn give_back() {
    // Where that cannot be read, everything stays as it is.
    let told = std::fs::read_to_string("/proc/self/smaps").unwrap_or_default();
    for pages in unchanged(&told) {
        // SAFETY: the pages are mapped from a file, not writable, and none of them differs from the file (a process cannot
        // write to them between the look and now): whoever reads or runs them next gets the same bytes again.
        let _stays = unsafe { madvise(pages.start as *mut _, pages.len(), Advice::LinuxDontNeed) };
    }
    // SAFETY: it takes the allocator's own locks, and gives back pages in which nothing is allocated.
    #[cfg(target_env = "gnu")]
    let _some = unsafe { libc::malloc_trim(0) };
}

/// Mappings of files that nobody can write to and that hold no page of this process's own, out of `smaps` (`proc(5)`).
fn unchanged(smaps: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut candidate = None;
    for line in smaps.lines() {
        if let Some(own) = line.strip_prefix("Anonymous:") {
            let is_clean = own.trim() == "0 kB";
            found.extend(candidate.take().filter(|_| is_clean));
        } else if let Some(pages) = mapping(line) {
            candidate = pages;
        }
    }
    found
}

/// The head of a mapping: its pages, where they are a file's and cannot be written to; `None` where the line is no head.
fn mapping(line: &str) -> Option<Option<Range<usize>>> {
    let mut words = line.split_ascii_whitespace();
    let (from, to) = words.next()?.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    let pages = address(from)?..address(to)?;
    let is_read_only = words.next().is_some_and(|may| may == "r-xp" || may == "r--p");
    let is_file = words.nth(3).is_some_and(|path| path.starts_with('/'));
    Some((is_read_only && is_file).then_some(pages))
}

#[cfg(test)]
mod tests {
    use super::{give_back, unchanged};

    const SMAPS: &str = "\
00200000-0053c000 r--p 00000000 00:22 1234  /usr/local/bin/blackstart
Rss:                1400 kB
Anonymous:             0 kB
VmFlags: rd mr mw me
0053c000-00e00000 r-xp 0033b000 00:22 1234  /usr/local/bin/blackstart
Anonymous:             0 kB
00e00000-00e80000 r--p 00bfe000 00:22 1234  /usr/local/bin/blackstart
Anonymous:           512 kB
00e80000-00e90000 rw-p 00c7d000 00:22 1234  /usr/local/bin/blackstart
Anonymous:             0 kB
00e90000-00f90000 rw-p 00000000 00:00 0  [heap]
Anonymous:             0 kB
7ffd0000-7ffd2000 r-xp 00000000 00:00 0  [vdso]
Anonymous:             0 kB
";

    #[test]
    fn only_pages_of_a_file_that_nobody_changed_are_given_back() {
        assert_eq!(unchanged(SMAPS), [0x200000..0x53c000, 0x53c000..0xe00000]);
        assert_eq!(unchanged("what a later kernel says\n"), []);
    }

    /// The pages of `VmRSS` that are a file's.
    fn of_files_kb() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssFile:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    #[test]
    fn a_process_goes_on_with_fewer_pages() {
        let before = of_files_kb();
        // Other tests of this process run meanwhile, and map again what they use: it is looked at more than once.
        let fewer = || {
            give_back();
            of_files_kb() < before
        };
        assert!((0..100).any(|_| fewer()), "{before} kB before, and never less");
        assert_eq!("still here".to_uppercase(), "STILL HERE");
    }
}
