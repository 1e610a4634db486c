//! Owns what a seed makes of a scenario: which zone, when, which hosts come back late or not at all, and which link is
//! slow meanwhile. Everything it changes can be written into a scenario file. Refuses to play.

use crate::load::Loaded;
use fixtures::name::{ServiceName, ZoneName};
use fixtures::seed::Seeds;
use scenarios::fault::{Boot, Fault, Link, PowerOff, Selection};
use scenarios::plan::{BootTrouble, Shape, Unsynced};
use scenarios::scenario::{Pulses, TimedFault};
use std::time::Duration;

/// The latest moment to which a cut is put off: a second has every phase of traffic, probes and writes in it.
const MOMENT_MS_MAX: u64 = 1_000;
/// Of a thousand seeds those in which some hosts come back late, and of those the ones that do not come back in time.
const LATE: u64 = 500;
const TOO_LATE: u64 = 300;
/// Of a thousand seeds those in which the link between two zones is slow, and by how much each way: far above what lies
/// between zones, far below what anybody takes for a loss.
const SLOW: u64 = 250;
const SLOW_MS: std::ops::RangeInclusive<u64> = 2..=20;
/// Of a thousand slow links those that are slow until after the recovery.
const BEYOND: u64 = 300;
/// The name of that fault.
const SLOW_NAME: &str = "slow-link-meanwhile";

/// One variant of a scenario.
#[derive(Debug, Clone)]
pub struct Varied {
    /// All of its faults.
    pub faults: Vec<TimedFault>,
    zone: String,
    moment_ms: u64,
    late: String,
    slow: String,
}

/// What a seed makes of a scenario.
pub fn vary(base: &Loaded, seed: u64) -> Varied {
    let mut seeds = Seeds::new(seed ^ 0x56_41_52_59);
    let mut faults = base.scenario.faults.clone();
    let zone = turn_zones(base, &mut faults, &mut seeds);
    let moment_ms = seeds.up_to(MOMENT_MS_MAX);
    for fault in &mut faults {
        fault.at += Duration::from_millis(moment_ms);
    }
    let late = if seeds.chance(LATE) { be_late(base, &mut faults, &mut seeds) } else { "none".to_owned() };
    // Drawn last: what a seed makes of the rest stays what it was.
    let slow = if seeds.chance(SLOW) { slow_link(base, &mut faults, &mut seeds) } else { None };
    Varied { faults, zone, moment_ms, late, slow: slow.unwrap_or_else(|| "none".to_owned()) }
}

/// All faults move on by the same number of zones, so that what they have in common stays in common.
fn turn_zones(base: &Loaded, faults: &mut [TimedFault], seeds: &mut Seeds) -> String {
    let zones: Vec<ZoneName> = base.topology.zones().map(|(_, zone)| zone.name.clone()).collect();
    let turn = seeds.place(zones.len());
    let turned = |zone: &ZoneName| {
        let position = zones.iter().position(|known| known == zone);
        position.map_or_else(|| zone.clone(), |position| zones[(position + turn) % zones.len()].clone())
    };
    let mut first = None;
    for fault in faults {
        if let Fault::PowerOff(power_off) = &mut fault.fault {
            for zone in &mut power_off.hosts.zones {
                *zone = turned(zone);
                first.get_or_insert_with(|| zone.to_string());
            }
        }
    }
    first.unwrap_or_else(|| "region".to_owned())
}

/// The hosts of one service come back later than the others of the same fault, or after everybody has stopped waiting.
fn be_late(base: &Loaded, faults: &mut Vec<TimedFault>, seeds: &mut Seeds) -> String {
    let cuts: Vec<&TimedFault> = faults.iter().filter(|fault| matches!(fault.fault, Fault::PowerOff(_))).collect();
    let Some(cut) = cuts.get(seeds.place(cuts.len())) else { return "none".to_owned() };
    let Fault::PowerOff(power_off) = &cut.fault else { return "none".to_owned() };
    let services: Vec<&ServiceName> = base.graph.services.iter().map(|service| &service.name).collect();
    let service = services[seeds.place(services.len())].clone();
    let windows = &base.scenario.windows;
    let hosts = Selection { services: vec![service.clone()], ..power_off.hosts.clone() };
    // Hosts that are late have booted before their fault is healed, which changes nothing then; whoever stays dark does so
    // beyond the recovery of the others, so that nobody recovers by waiting for its end.
    let (how, fault, beyond) = if seeds.chance(TOO_LATE) {
        let fault = Fault::PowerOff(PowerOff { hosts, unsynced: Unsynced::Kept });
        ("not in time", fault, windows.recovery + Duration::from_secs(1))
    } else {
        let half_ms = u64::try_from(windows.recovery.as_millis() / 2).unwrap_or(u64::MAX);
        let late_ms = 100 + seeds.up_to(half_ms);
        let fault = Fault::Boot(Boot { hosts, trouble: BootTrouble::Late(late_ms) });
        ("late", fault, Duration::from_millis(late_ms) + base.topology.boot.max + Duration::from_secs(1))
    };
    let late = TimedFault {
        name: format!("{service}-comes-back-late"),
        fault,
        after: cut.after.clone(),
        at: cut.at,
        within: Duration::ZERO,
        pulses: Pulses::ONCE,
        lasts: cut.lasts + beyond,
    };
    if faults.iter().all(|fault| fault.name != late.name) {
        faults.push(late);
    }
    format!("{service} {how}")
}

/// As long as the first loss of power, or until after the recovery from it, packets between two zones are late.
fn slow_link(base: &Loaded, faults: &mut Vec<TimedFault>, seeds: &mut Seeds) -> Option<String> {
    let mut zones: Vec<ZoneName> = base.topology.zones().map(|(_, zone)| zone.name.clone()).collect();
    seeds.shuffle(&mut zones);
    let latency_ms = SLOW_MS.start() + seeds.up_to(SLOW_MS.end() - SLOW_MS.start());
    let cut = faults.iter().find(|fault| matches!(fault.fault, Fault::PowerOff(_)) && fault.after.is_none())?;
    let (at, recovery) = (cut.at, base.scenario.windows.recovery);
    let timed = || faults.iter().filter(|fault| fault.after.is_none());
    let last = timed().map(|fault| fault.at + fault.lasts).max()?;
    let beyond = last.max(at + cut.lasts) + recovery + Duration::from_secs(1) - at;
    let lengths = if seeds.chance(BEYOND) { [beyond, cut.lasts] } else { [cut.lasts, beyond] };
    // Whatever ends inside the recovery from something else would cut that short: no file may say so, but of hosts that
    // have booted by then.
    let cuts_short = |lasts: &Duration| {
        let own = at + *lasts;
        timed().any(|fault| {
            let (end, gentle) = (fault.at + fault.lasts, matches!(fault.fault, Fault::Boot(_)));
            (end < own && own < end + recovery) || (!gentle && own < end && end < own + recovery)
        })
    };
    let lasts = lengths.into_iter().find(|lasts| !cuts_short(lasts))?;
    let [from, to, ..] = zones.as_slice() else { return None };
    let hosts = |zone: &ZoneName| Selection::of_zones(vec![zone.clone()]);
    let fault = Fault::Link(Link {
        from: hosts(from),
        to: Some(hosts(to)),
        shape: Shape { latency_us: latency_ms * 1_000, ..Shape::default() },
        one_way: false,
    });
    let (within, pulses, after) = (Duration::ZERO, Pulses::ONCE, None);
    let told = format!("{from} to {to}");
    if faults.iter().all(|fault| fault.name != SLOW_NAME) {
        faults.push(TimedFault { name: SLOW_NAME.to_owned(), fault, after, at, within, pulses, lasts });
    }
    Some(told)
}

impl Varied {
    /// The scenario with this variant's faults.
    pub fn applied(&self, base: &Loaded) -> Loaded {
        let mut loaded = base.clone();
        loaded.scenario.faults.clone_from(&self.faults);
        loaded
    }

    /// What it stands for, by what was varied.
    pub fn covers(&self) -> [(&'static str, String); 4] {
        let tenth = self.moment_ms / 100 * 100;
        [
            ("first zone", self.zone.clone()),
            ("moment", format!("+{tenth} ms")),
            ("late hosts", self.late.clone()),
            ("slow link", self.slow.clone()),
        ]
    }
}
