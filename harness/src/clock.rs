//! Owns the one door to time: the run's monotonic clock, its UTC, and the mapping of the engine machine's clocks onto
//! it. Refuses to know what is timed.

use crate::controller::Nanos;
use crate::schedule::moment::{Moment, Now};
use jiff::Timestamp;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

/// The beginning of virtual time, 2000-01-01, in seconds since 1970.
const VIRTUAL_EPOCH_S: i64 = 946_684_800;

/// The clock of one run.
#[derive(Debug)]
pub struct Clock {
    started: Instant,
    started_utc: Timestamp,
    /// The engine machine's monotonic clock minus ours; it may be another machine.
    mono_offset_ns: AtomicI64,
    /// The engine machine's wall clock minus its monotonic clock.
    wall_offset_ns: AtomicI64,
}

impl Clock {
    /// Starts now.
    #[expect(clippy::disallowed_methods, reason = "this is the one door")]
    pub fn start() -> Self {
        Self {
            started: Instant::now(),
            started_utc: Timestamp::now(),
            mono_offset_ns: AtomicI64::new(0),
            wall_offset_ns: AtomicI64::new(0),
        }
    }

    /// The clock of virtual time, which stands: every run begins at the beginning of the year 2000, and both clocks of
    /// its machines are the run's own.
    pub fn standing() -> Self {
        let mut clock = Self::start();
        clock.started_utc = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(VIRTUAL_EPOCH_S);
        clock
    }

    /// The clock of a run that began when something of it was seen: at this time of day (RFC 3339), so long after its start.
    pub fn began(seen: Option<&(String, Nanos)>) -> Self {
        let mut clock = Self::start();
        let utc = seen.and_then(|(utc, t_ns)| Some((utc.parse::<Timestamp>().ok()?, i64::try_from(*t_ns).ok()?)));
        if let Some(began) = utc.and_then(|(utc, ns)| utc.checked_sub(jiff::SignedDuration::from_nanos(ns)).ok()) {
            clock.started_utc = began;
        }
        clock
    }

    /// The clock of a run that somebody takes up, when something of it was seen: it goes on as if it had never stopped.
    #[expect(clippy::disallowed_methods, reason = "this is the one door")]
    pub fn going_on(seen: Option<&(String, Nanos)>) -> Self {
        let mut clock = Self::began(seen);
        let passed = Timestamp::now().duration_since(clock.started_utc).unsigned_abs();
        // A machine that was started again meanwhile has no such moment: then what comes is told as of its beginning.
        clock.started = clock.started.checked_sub(passed).unwrap_or(clock.started);
        clock
    }

    /// Nanoseconds since the start.
    pub fn now(&self) -> Nanos {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// When the run started (RFC 3339, milliseconds).
    pub fn started_utc(&self) -> String {
        self.utc(0)
    }

    /// UTC of a moment of the run. Monotonic: a step of the wall clock in the middle does not bend the timeline.
    pub fn utc(&self, t_ns: Nanos) -> String {
        let after = jiff::SignedDuration::from_nanos(i64::try_from(t_ns).unwrap_or(i64::MAX));
        let moment = self.started_utc.checked_add(after).unwrap_or(self.started_utc);
        format!("{moment:.3}")
    }

    /// Sets the mapping from one exchange: asked at `asked`, answered with these clocks at `answered`.
    pub fn calibrate(&self, asked: Nanos, answered: Nanos, mono_ns: u64, wall_ns: u64) {
        let middle = i64::try_from(asked.midpoint(answered)).unwrap_or_default();
        let (mono, wall) = (i64::try_from(mono_ns).unwrap_or_default(), i64::try_from(wall_ns).unwrap_or_default());
        self.mono_offset_ns.store(mono - middle, Ordering::Relaxed);
        self.wall_offset_ns.store(wall - mono, Ordering::Relaxed);
    }

    /// A moment of the engine machine's monotonic clock, on the run's clock.
    pub fn of_mono(&self, mono_ns: u64) -> Nanos {
        let mono = i64::try_from(mono_ns).unwrap_or_default();
        u64::try_from(mono - self.mono_offset_ns.load(Ordering::Relaxed)).unwrap_or_default()
    }

    /// A moment of the run, on the engine machine's monotonic clock.
    pub fn to_mono(&self, t_ns: Nanos) -> u64 {
        let t = i64::try_from(t_ns).unwrap_or_default();
        u64::try_from(t + self.mono_offset_ns.load(Ordering::Relaxed)).unwrap_or_default()
    }

    /// A moment of the engine machine's wall clock, on the run's clock.
    pub fn of_wall(&self, wall_ns: u64) -> Nanos {
        let wall = i64::try_from(wall_ns).unwrap_or_default();
        self.of_mono(u64::try_from(wall - self.wall_offset_ns.load(Ordering::Relaxed)).unwrap_or_default())
    }
}

/// The clocks of whoever keeps a schedule.
#[derive(Debug)]
pub struct Keeping {
    started: Instant,
}

impl Keeping {
    /// Starts now.
    #[expect(clippy::disallowed_methods, reason = "this is the one door")]
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// Both clocks.
    #[expect(clippy::disallowed_methods, reason = "this is the one door")]
    pub fn now(&self) -> Now {
        Now { wall: Moment(Timestamp::now().as_millisecond()), mono: self.started.elapsed() }
    }
}

/// A run's id: sorts by time, and ends in six hexadecimal digits. The first three are the part of the second, so that runs
/// of one second sort by time too; all six keep two runs apart.
#[expect(clippy::disallowed_methods, reason = "this is the one door")]
pub fn run_id() -> String {
    let now = Timestamp::now();
    let entropy = now.as_nanosecond() ^ (i128::from(std::process::id()) << 20);
    let mixed = entropy.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
    let part = now.subsec_nanosecond().unsigned_abs() / 244_141;
    let chance = u16::from_be_bytes([mixed[10], mixed[11]]) & 0xFFF;
    format!("{}-{part:03x}{chance:03x}", now.strftime("%Y%m%dT%H%M%SZ"))
}

/// Seconds since 1970 by the machine's clock, which may step: for what others compare with their own clocks.
#[expect(clippy::disallowed_methods, reason = "this is the one door")]
pub fn unix_s() -> f64 {
    Timestamp::now().as_duration().as_secs_f64()
}

/// The day on which this process runs, in UTC: until when a known gap is accepted is about real days, also in virtual
/// time.
#[expect(clippy::disallowed_methods, reason = "this is the one door")]
pub fn today() -> reports::policy::Date {
    let text = Timestamp::now().strftime("%Y-%m-%d").to_string();
    reports::policy::Date::parse(&text).expect("a day in this form is a day")
}

/// A seed for a run that was given none.
#[expect(clippy::disallowed_methods, reason = "this is the one door")]
pub fn fresh_seed() -> u64 {
    // Six digits are enough to tell runs apart, and short enough to type.
    u64::try_from(Timestamp::now().as_nanosecond().rem_euclid(1_000_000)).unwrap_or_default()
}
