//! Owns the one door to time in this crate. The clock is the kernel's monotonic one, so that all processes on one
//! engine machine can be compared, whatever container they run in.

use crate::machine::Nanos;
use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of the kernel's monotonic clock.
pub fn mono_ns() -> Nanos {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    seconds * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or_default()
}
