//! Owns the one door to time in this crate. Machines are handed the kernel's monotonic clock, so that all processes on one
//! engine machine can be compared, whatever container they run in. Of the time of day a process sees what its host's clock
//! shows, which a fault can set wrong for it; the machine's own clock is never touched.

use crate::machine::Nanos;
use rustix::time::{ClockId, clock_gettime};
use std::sync::atomic::{AtomicI64, Ordering};

/// Nanoseconds by which this host's clock is ahead.
static AHEAD_NS: AtomicI64 = AtomicI64::new(0);

/// Nanoseconds of the kernel's monotonic clock.
pub fn mono_ns() -> Nanos {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    seconds * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or_default()
}

/// Nanoseconds of a processor that this process has used.
pub(super) fn processor_ns() -> Nanos {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(used.tv_sec).unwrap_or_default();
    seconds * 1_000_000_000 + u64::try_from(used.tv_nsec).unwrap_or_default()
}

/// Nanoseconds since 1970 as the engine machine's clock shows them, whatever is wrong with this host's.
pub fn true_wall_ns() -> i64 {
    let now = clock_gettime(ClockId::Realtime);
    now.tv_sec.saturating_mul(1_000_000_000).saturating_add(now.tv_nsec)
}

/// Nanoseconds since 1970 as this host's clock shows them.
pub fn wall_ns() -> i64 {
    true_wall_ns().saturating_add(AHEAD_NS.load(Ordering::Relaxed))
}

/// The time of day at a moment of the monotonic clock, as the engine machine's clock shows it.
pub fn wall_of_shared(shared_ns: i64) -> i64 {
    let mono = i64::try_from(mono_ns()).unwrap_or(i64::MAX);
    true_wall_ns().saturating_sub(mono).saturating_add(shared_ns)
}

/// Sets this host's clock wrong for this process; zero sets it right.
pub(super) fn set_ahead(ahead_ns: i64) {
    AHEAD_NS.store(ahead_ns, Ordering::Relaxed);
}
