//! Owns the figures of rendering: a run of 300 services, 900 instances and a million events as `coe.html` and `coe.md`.
//! Refuses to be a test: the machine decides. The last figures are in `harness/figures/report.txt`.
//!
//! `cargo run --profile ci -p blackstart-reports --example bench_report -- [EVENTS] [FILE.html]`

#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use fixtures::graph::{Scope, Strength};
use fixtures::name::{HostName, InstanceName, ServiceName, TeamName, ZoneName};
use reports::fingerprint::Beside;
use reports::record::{CallRow, HostRow, InstanceRow, NeedRow, Record, ServiceRow, from_json};
use scenarios::event::{Act, By, Detail, Event, EventId, Life, NeedOutcome, Phase, Place};
use std::collections::BTreeMap;

const SERVICES: usize = 300;
const ZONES: [&str; 3] = ["az1", "az2", "az3"];

fn name(at: usize) -> String {
    format!("service-{at:03}")
}

/// A graph with hubs and tiers: each service calls a few of those behind it, and needs the last one.
fn services() -> Vec<ServiceRow> {
    let row = |at: usize| {
        let targets = (1..=3).map(|step| at + step * (1 + at % 7) + 4).filter(|to| *to < SERVICES - 1);
        ServiceRow {
            name: ServiceName::new(name(at)).unwrap(),
            team: TeamName::new(format!("team-{}", at % 40)).unwrap(),
            scope: Scope::Zonal,
            entry: at == 0,
            needs: vec![NeedRow {
                need: "credentials".to_owned(),
                from: ServiceName::new(name(SERVICES - 1)).unwrap(),
            }],
            calls: targets
                .map(|to| CallRow {
                    to: ServiceName::new(name(to)).unwrap(),
                    strength: if to % 3 == 0 { Strength::Soft } else { Strength::Hard },
                })
                .collect(),
        }
    };
    (0..SERVICES).map(row).collect()
}

fn record(sample: &str) -> Record {
    let mut record = from_json(sample).unwrap();
    record.services = services();
    (record.hosts, record.instances) = (Vec::new(), Vec::new());
    for zone in ZONES {
        let zone = ZoneName::new(zone).unwrap();
        for service in &record.services {
            let host = HostName(format!("{zone}-{}-0", service.name));
            record.hosts.push(HostRow { name: host.clone(), zone: zone.clone(), address: String::new() });
            record.instances.push(InstanceRow {
                name: InstanceName(format!("{}-{zone}-0", service.name)),
                service: service.name.clone(),
                team: service.team.clone(),
                host,
                zone: zone.clone(),
                restart_to_active_ms: Some(4_000.0),
            });
        }
    }
    record
}

/// A run that is being written.
struct Run<'r> {
    record: &'r Record,
    events: Vec<Event>,
}

impl Run<'_> {
    fn add(&mut self, t_ns: u64, by: By, place: Place, detail: Detail) {
        let (minutes, seconds, ms) = (t_ns / 60_000_000_000, t_ns / 1_000_000_000 % 60, t_ns / 1_000_000 % 1_000);
        let utc = format!("2026-07-29T10:{minutes:02}:{seconds:02}.{ms:03}Z");
        self.events.push(Event { id: EventId(self.events.len() as u64 + 1), t_ns, utc, by, place, detail });
    }

    fn power(&mut self, t_ns: u64, act: Act) {
        let hosts = self.record.hosts.iter().map(|row| row.name.clone()).collect();
        let (step, fault, method) = ("r0.region-dark".to_owned(), "region-dark".to_owned(), "cgroup.kill".to_owned());
        let what = String::new();
        let detail = Detail::StepDone {
            step,
            fault,
            act,
            what,
            method,
            skew_ns: 9,
            hosts,
            unsynced_lost: Vec::new(),
            torn: Vec::new(),
        };
        self.add(t_ns, By::Hand, Place::default(), detail);
    }

    fn canary(&mut self, t_ns: u64, zone: Option<ZoneName>, seq: u64, dark: bool) {
        let failed = if dark { BTreeMap::from([("refused".to_owned(), 100)]) } else { BTreeMap::new() };
        let latency_us = (0..12).map(|step| (1_000 << step, if dark { 0 } else { 8 })).collect();
        let detail = Detail::Canary {
            control: false,
            seq,
            window_ns: 30_000_000,
            sent: 100,
            ok: if dark { 0 } else { 100 },
            degraded: 0,
            failed,
            latency_us,
            retries: 0,
            operations: BTreeMap::new(),
        };
        self.add(t_ns, By::Canary, Place { zone, ..Place::default() }, detail);
    }

    /// What is seen of one instance: mostly the witness, sometimes the instance itself.
    fn instance(&mut self, t_ns: u64, place: Place, number: usize, dark: bool) {
        let credentials = self.record.services[SERVICES - 1].name.clone();
        let outcome = if dark { Life::Off } else { Life::Active };
        match number % 10 {
            1..=4 => {
                let to = if number.is_multiple_of(3) { outcome.min(Life::Serving) } else { outcome };
                self.add(t_ns, By::Witness, place, Detail::State { to, degraded: false, missing: Vec::new() });
            }
            5..=7 => self.add(t_ns, By::Witness, place, Detail::Probe { outcome, cause: String::new(), took_us: 700 }),
            8 => {
                let detail = Detail::Call { to: credentials, sent: 9, failed: BTreeMap::new(), hard: true };
                self.add(t_ns, By::Own, place, detail);
            }
            _ => {
                let (need, outcome) = ("credentials".to_owned(), NeedOutcome::Acquired);
                self.add(t_ns, By::Own, place, Detail::Need { need, from: credentials, outcome, attempts: 1 });
            }
        }
    }
}

/// A run of ten minutes: quiet, a dark region, power, and instances that go up and down until the end.
fn events(record: &Record, wanted: usize) -> Vec<Event> {
    const OFF_NS: u64 = 120_000_000_000;
    const ON_NS: u64 = 180_000_000_000;
    let mut run = Run { record, events: Vec::with_capacity(wanted + 3) };
    run.add(0, By::Controller, Place::default(), Detail::Phase { phase: Phase::Baseline, round: 0 });
    let step_ns = 600_000_000_000 / wanted as u64;
    for number in 0..wanted {
        let t_ns = step_ns * number as u64;
        for (at_ns, act) in [(OFF_NS, Act::Inject), (ON_NS, Act::Heal)] {
            if t_ns >= at_ns && t_ns - at_ns < step_ns {
                run.power(t_ns, act);
            }
        }
        let row = &record.instances[number.wrapping_mul(7919) % record.instances.len()];
        let dark = (OFF_NS..ON_NS).contains(&t_ns);
        if number.is_multiple_of(10) {
            run.canary(t_ns, Some(row.zone.clone()), number as u64, dark);
            continue;
        }
        let place = Place {
            zone: Some(row.zone.clone()),
            host: Some(row.host.clone()),
            service: Some(row.service.clone()),
            instance: Some(row.name.clone()),
        };
        run.instance(t_ns, place, number, dark);
    }
    run.events
}

/// The most memory that this process ever had, in MB.
fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures")]
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted = arguments.first().map_or(1_000_000, |text| text.parse().unwrap());
    let record = record(include_str!("../samples/record.json"));
    let events = events(&record, wanted);
    let before_mb = peak_mb();
    let begun = std::time::Instant::now();
    let page = reports::html::render(&record, &events, &Beside::default());
    let html_ms = begun.elapsed().as_millis();
    let text = reports::coe::render(&record, &events, &Beside::default());
    let both_ms = begun.elapsed().as_millis();
    println!(
        "{} services, {} instances, {} events: coe.html {html_ms} ms, {} KB; coe.md {} ms, {} KB; peak {} MB, of which {before_mb} MB are the events",
        record.services.len(),
        record.instances.len(),
        events.len(),
        page.len() / 1024,
        both_ms - html_ms,
        text.len() / 1024,
        peak_mb()
    );
    if let Some(path) = arguments.get(1) {
        std::fs::write(path, page).unwrap();
    }
}
