//! Owns what an instance of telemetry makes of counts: sums for each service in each zone, and an alarm on each. Refuses
//! to know who reads an alarm.
//!
//! ```text
//!           bad periods in a row                    good periods in a row
//!  quiet --------------------------> raised ------------------------------> quiet
//! ```
//!
//! A period is bad where too many requests failed, or (a setting) where nobody told anything for two periods. Each instance
//! hands the sums of what it was told on to its peers once in a period, so that each of them sees the whole region, and
//! raises its own alarms: one that is alone, or cut off, alarms on what it does not see.

use super::exchange::{Purpose, Sending};
use super::role::Errand;
use super::timer::TimerKind;
use super::{Machine, Nanos, Output, RequestId};
use crate::commons::telemetry::BoardConfig;
use crate::config::nanos;
use crate::wire::{AlarmCause, Ask, Count, Failure, LoadOf, Metrics, Note, Reply};
use fixtures::graph::telemetry::{Late, Missing, Over};
use fixtures::name::{ServiceName, ZoneName};
use std::collections::BTreeMap;

/// Whoever told nothing for so many periods is missing: a push may come at the end of one period and at the beginning of
/// the next but one.
const SILENT_PERIODS: u64 = 2;

/// One service in one zone.
#[derive(Debug, Clone, Copy, Default)]
struct Row {
    /// Until when it has told, by this instance's clock.
    told: Option<Nanos>,
    /// In this period, and whether anything was told in it.
    served: u64,
    failed: u64,
    fresh: bool,
    /// Requests of this period, and of the two before it.
    arrived: u64,
    periods: [u64; 2],
    bad: u32,
    good: u32,
    raised: bool,
}

/// Sums of all that is watched.
#[derive(Debug)]
pub(super) struct Board {
    rows: Vec<Row>,
    places: BTreeMap<(ZoneName, ServiceName), usize>,
    /// Sums over all zones, by service, where alarms look at those.
    sums: BTreeMap<ServiceName, Row>,
    /// What was told here, and not yet to the peers: until when, served, failed.
    untold: BTreeMap<usize, (Nanos, u64, u64)>,
    /// Since when it has watched without a gap.
    since: Nanos,
    judged: Nanos,
    interval_ns: Nanos,
    late: Late,
}

/// What a period was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Period {
    Good,
    Bad(AlarmCause),
    /// Too early to tell.
    Open,
}

impl Board {
    pub(super) fn of(config: &BoardConfig) -> Box<Self> {
        let places = config.watched.iter().cloned().enumerate().map(|(place, watched)| (watched, place)).collect();
        let rows = vec![Row::default(); config.watched.len()];
        let (interval_ns, late) = (config.interval_ns, config.alarms.late);
        let watched = config.watched.iter().filter(|_| config.alarms.over == Over::Region);
        let sums = watched.map(|(_, service)| (service.clone(), Row::default())).collect();
        Box::new(Self { rows, places, sums, untold: BTreeMap::new(), since: 0, judged: 0, interval_ns, late })
    }

    /// From now on it watches.
    pub(super) fn begin(&mut self, now: Nanos) {
        (self.since, self.judged) = (now, now);
    }

    /// Takes counts. Old ones, which waited for somebody to take them, say nothing of this period, where a graph does not
    /// have it otherwise.
    pub(super) fn take(&mut self, now: Nanos, counts: &[Count], relayed: bool) {
        for count in counts {
            let is_late = count.age_ns > self.interval_ns.saturating_mul(SILENT_PERIODS);
            let age_ns = match self.late {
                Late::Drop if is_late => continue,
                Late::Drop => count.age_ns,
                Late::Count => 0,
            };
            let Some(&place) = self.places.get(&(count.zone.clone(), count.service.clone())) else { continue };
            let (until, row) = (now.saturating_sub(age_ns), &mut self.rows[place]);
            row.told = row.told.max(Some(until));
            row.served = row.served.saturating_add(count.served);
            row.failed = row.failed.saturating_add(count.failed);
            row.fresh = true;
            // By when it happened: what was handed on comes up to a period later than what is told here.
            let period = match self.judged.saturating_sub(until).div_ceil(self.interval_ns.max(1)) {
                0 => Some(&mut row.arrived),
                1 => Some(&mut row.periods[1]),
                2 => Some(&mut row.periods[0]),
                _ => None,
            };
            if let Some(period) = period {
                *period = period.saturating_add(count.served).saturating_add(count.failed);
            }
            if !relayed {
                let (told, served, failed) = self.untold.entry(place).or_default();
                *told = until.max(*told);
                *served = served.saturating_add(count.served);
                *failed = failed.saturating_add(count.failed);
            }
        }
    }

    /// Requests that arrive at a service in a zone, in thousandths of one a second: the mean of two periods, because a push
    /// may come at the end of one or at the beginning of the next. `None`: nobody has told anything for two periods, or
    /// this instance has watched for less than four: what it is told at first had waited for somebody to tell.
    fn load(&self, now: Nanos, zone: ZoneName, service: ServiceName) -> Option<u64> {
        let row = &self.rows[*self.places.get(&(zone, service))?];
        let two_ns = self.interval_ns.saturating_mul(SILENT_PERIODS);
        let heard = row.told.is_some_and(|told| told >= self.since && now <= told.saturating_add(two_ns));
        let watched = self.judged.saturating_sub(self.since) >= two_ns.saturating_mul(2);
        let arrived = u128::from(row.periods[0].saturating_add(row.periods[1]));
        let milli_per_s = arrived * 1_000_000_000_000 / u128::from(two_ns.max(1));
        (heard && watched).then(|| u64::try_from(milli_per_s).unwrap_or(u64::MAX))
    }

    /// What the peers are told.
    fn relay(&mut self, now: Nanos, config: &BoardConfig) -> Vec<Count> {
        let untold = std::mem::take(&mut self.untold);
        let count = |(place, (told, served, failed)): (usize, (Nanos, u64, u64))| {
            let (zone, service) = config.watched[place].clone();
            Count { zone, service, age_ns: now.saturating_sub(told), served, failed }
        };
        untold.into_iter().map(count).collect()
    }

    /// A period is over: what has changed.
    fn judge(&mut self, now: Nanos, config: &BoardConfig, out: &mut Vec<Output>) {
        // Whoever did not run for a while has seen nothing meanwhile, which is not the others' fault.
        if now.saturating_sub(self.judged) > config.interval_ns.saturating_mul(SILENT_PERIODS) {
            self.since = now;
        }
        self.judged = now;
        for (row, (zone, service)) in self.rows.iter_mut().zip(&config.watched) {
            if let Some(sum) = self.sums.get_mut(service) {
                sum.add(row);
            } else {
                row.judge(now, self.since, config, (Some(zone), service), out);
            }
            row.over();
        }
        for (service, sum) in &mut self.sums {
            sum.judge(now, self.since, config, (None, service), out);
            sum.over();
        }
    }
}

impl Row {
    /// Adds what another one was told in this period.
    fn add(&mut self, other: &Self) {
        self.told = self.told.max(other.told);
        self.served = self.served.saturating_add(other.served);
        self.failed = self.failed.saturating_add(other.failed);
        self.fresh |= other.fresh;
    }

    /// The next period begins.
    fn over(&mut self) {
        (self.served, self.failed, self.fresh) = (0, 0, false);
        self.periods = [self.periods[1], std::mem::take(&mut self.arrived)];
    }

    /// Raises or clears the alarm, where this period is the one that decides it.
    fn judge(
        &mut self,
        now: Nanos,
        since: Nanos,
        config: &BoardConfig,
        (zone, service): (Option<&ZoneName>, &ServiceName),
        out: &mut Vec<Output>,
    ) {
        let period = self.period(now, since, config);
        let (failed, requests) = (self.failed, self.served.saturating_add(self.failed));
        (self.bad, self.good) = match period {
            Period::Bad(_) => (self.bad.saturating_add(1), 0),
            Period::Good => (0, self.good.saturating_add(1)),
            Period::Open => return,
        };
        if (if self.raised { self.good } else { self.bad }) >= config.alarms.periods {
            self.raised = !self.raised;
            let cause = if let Period::Bad(cause) = period { Some(cause) } else { None };
            let (zone, service, raised) = (zone.cloned(), service.clone(), self.raised);
            out.push(Output::Note(Note::Alarm { zone, service, raised, cause, failed, requests }));
        }
    }

    fn period(&self, now: Nanos, since: Nanos, config: &BoardConfig) -> Period {
        let silent_from = match self.told {
            Some(told) if told >= since => told.saturating_add(config.interval_ns.saturating_mul(SILENT_PERIODS)),
            _ => since.saturating_add(nanos(config.alarms.grace)),
        };
        if !self.fresh {
            return match config.alarms.missing {
                _ if now <= silent_from => Period::Open,
                Missing::Breaching => Period::Bad(AlarmCause::NoData),
                Missing::NotBreaching => Period::Good,
            };
        }
        let (failed, requests) = (u128::from(self.failed), u128::from(self.served) + u128::from(self.failed));
        if requests > 0 && failed * 1_000_000 >= requests * u128::from(config.alarms.failed.ppm) {
            Period::Bad(AlarmCause::Failing)
        } else {
            Period::Good
        }
    }
}

impl Machine {
    /// Somebody asks for a load. What is summed up already costs nothing to tell.
    pub(super) fn load(&self, now: Nanos, of: LoadOf) -> Reply {
        let by = &self.by;
        let Some(board) = &self.board else { return Reply { error: Some(Failure::Unknown), ..Reply::by(by) } };
        match board.load(now, of.zone, of.service) {
            Some(load) => Reply { value: Some(load.to_string()), ..Reply::by(by) },
            None => Reply { error: Some(Failure::NotFound), ..Reply::by(by) },
        }
    }

    /// Somebody pushes counts.
    pub(super) fn take_push(
        &mut self,
        now: Nanos,
        id: RequestId,
        metrics: &Metrics,
        remaining: Option<Nanos>,
        out: &mut Vec<Output>,
    ) {
        if self.board.is_none() {
            let reply = Reply { error: Some(Failure::Unknown), ..Reply::by(&self.by) };
            return out.push(Output::Respond { id, reply });
        }
        // Counts that find no room are not taken: whoever pushed them keeps them.
        if self.take_in(now, id, (Errand::Push, None, false), remaining, out)
            && let Some(board) = &mut self.board
        {
            board.take(now, &metrics.counts, metrics.relayed);
        }
    }

    /// A period is over.
    pub(super) fn watch(&mut self, now: Nanos, out: &mut Vec<Output>) {
        let Some(config) = &self.role.config.commons.board else { return };
        let Some(board) = &mut self.board else { return };
        self.timers.set(now.saturating_add(config.interval_ns), TimerKind::Board);
        let counts = board.relay(now, config);
        board.judge(now, config, out);
        if counts.is_empty() {
            return;
        }
        let metrics = Metrics { counts, relayed: true };
        for peer in config.peers.iter() {
            let (to, secure) = (peer.address, peer.secure.clone());
            let ask = Ask::Metrics(Box::new(metrics.clone()));
            // Best effort: who does not take this gets the next.
            let sending = Sending { purpose: Purpose::Relay, target: 0, to, secure, ask, timeout: config.timeout_ns };
            self.exchange.send(now, sending, &mut self.timers, out);
        }
    }
}
