//! Owns values in which every field is filled: a record, and one event of every kind. Refuses to be coherent; the
//! committed samples are.

use fixtures::graph::Strength;
use fixtures::name::{HostName, InstanceName, ServiceName, ZoneName};
use fixtures::unit::Rate;
use fixtures::version::{CallSettings, Settings, Version};
use reports::fingerprint::{Related, fingerprints};
use reports::record::{
    Assumptions, GapRow, GapState, InterventionRow, Origin, Parameter, Record, ResidueRow, TrialRow, UntriedRow,
    from_json,
};
use scenarios::build::observed::{Building, ObjectState};
use scenarios::event::{
    Act, AlarmCause, Asked, By, Detail, Event, EventId, HostChange, Life, NeedOutcome, OperationOutcome, Phase, Place,
    ScaleCause, WriteOutcome,
};
use scenarios::judgement::{Finding, Reason};
use scenarios::plan::{BootTrouble, Deed, LinkAct, LinkRule, Observed, Shape, Step, Switch, Unsynced};
use scenarios::verdict::Verdict;
use std::collections::BTreeMap;
use std::time::Duration;

pub(crate) const RECORD: &str = include_str!("../../samples/record.json");
pub(crate) const EVENTS: &str = include_str!("../../samples/events.jsonl");

pub(crate) fn zone(text: &str) -> ZoneName {
    ZoneName::new(text).unwrap()
}

pub(crate) fn service(text: &str) -> ServiceName {
    ServiceName::new(text).unwrap()
}

pub(crate) fn event(id: u64, t_ns: u64, detail: Detail) -> Event {
    Event {
        id: EventId(id),
        t_ns,
        utc: "2026-07-29T10:15:00.000Z".to_owned(),
        by: By::Witness,
        place: Place::default(),
        detail,
    }
}

/// The committed sample with every option filled and every list in use; `text` stands wherever text is free.
pub(crate) fn record(text: &str) -> Record {
    let mut record = from_json(RECORD).unwrap();
    let reason = || Reason { code: text.to_owned(), text: text.to_owned(), evidence: vec![EventId(1)] };
    let free = || text.to_owned();
    (record.run, record.scenario, record.title) = (free(), free(), free());
    (record.topology, record.graph, record.world, record.replay) = (free(), free(), free(), free());
    record.interrupted = true;
    record.label = Some(free());
    record.versions = BTreeMap::from([(free(), free())]);
    record.rights = BTreeMap::from([(free(), free())]);
    record.inconclusive = vec![reason()];
    record.caveats = vec![reason(), reason()];
    record.residue = vec![ResidueRow { object: free(), name: free() }; 20];
    record.interventions = vec![InterventionRow { host: HostName(free()), action: free(), evidence: EventId(3) }];
    record.known_gaps = vec![GapRow {
        invariant: free(),
        service: service("app"),
        owner: free(),
        until: free(),
        reason: free(),
        state: GapState::Gone,
    }];
    let trial =
        |verdict| TrialRow { parameter: free(), assumed: free(), instead: free(), verdict, changed: vec![free(); 12] };
    record.assumptions = Some(Assumptions {
        verdict: Verdict::Violated,
        trials: [Verdict::Held, Verdict::Violated, Verdict::Inconclusive, Verdict::NotJudged].map(trial).to_vec(),
        untried: vec![UntriedRow { parameter: free(), instead: vec![free(); 12], reason: free() }],
    });
    let parameter = Parameter { value: free(), origin: Origin::Assumed };
    record.parameters.insert(free(), parameter);
    record.services[1].needs[0].need = free();
    record.measurements.power_off_method = Some(free());
    record.measurements.time_to_detect_ms = Some(1.5);
    record.measurements.restart_to_active_ms_by_instance.insert(InstanceName(free()), 1e9);
    record.instances[0].name = InstanceName(free());
    for parameter in record.parameters.values_mut() {
        parameter.value = free();
    }
    for figures in record.measurements.availability.values_mut().flat_map(BTreeMap::values_mut) {
        figures.failed.insert(free(), 7);
        figures.retries = 9;
        figures.operations.insert(free(), asked(text));
    }
    let hosts = || vec![HostName(free())];
    let pair = record.plan.rounds[0].steps[0].clone();
    for deed in deeds(&hosts) {
        let after = Observed { service: service("app"), zone: Some(zone("az1")), becomes: Life::Active };
        let (id, fault, zones) = (free(), free(), vec![zone("az1")]);
        let step = Step { id, fault, after: Some(after), deed, hosts: hosts(), zones, closes: true, ..pair.clone() };
        record.plan.rounds[0].steps.push(step);
    }
    for result in &mut record.invariants {
        (result.reason, result.aspect) = (free(), Some(free()));
        result.thresholds.insert(free(), free());
    }
    let finding = record.findings[0].clone();
    record.findings.push(Finding { invariant: free(), setting: None, known: true, confirmed: true, ..finding });
    for finding in &mut record.findings {
        (finding.text, finding.consequence_of) = (free(), Some(free()));
        finding.setting = finding.setting.as_ref().map(|_| free());
        finding.affected = vec![InstanceName(free()); 12];
        for link in &mut finding.chain {
            (link.who, link.waits_for, link.how) = (free(), free(), free());
        }
    }
    record
}

/// Requests for one operation, with every count.
fn asked(text: &str) -> Asked {
    Asked { sent: 9, ok: 4, degraded: 2, failed: BTreeMap::from([(text.to_owned(), 3)]), retries: 5 }
}

/// Other runs with each fingerprint of a record.
pub(crate) fn related(record: &Record, text: &str) -> Vec<Related> {
    let free = || text.to_owned();
    let other = |fingerprint| Related {
        fingerprint,
        run: free(),
        scenario: free(),
        world: free(),
        verdict: Verdict::Violated,
        confirmed: true,
    };
    fingerprints(record).into_iter().flat_map(|print| vec![other(print); 9]).collect()
}

/// A version in which everything is different.
fn version() -> Version {
    let (timeout, strength) = (Some(Duration::from_millis(5)), Some(Strength::Soft));
    let calls = vec![CallSettings { to: service("cache"), timeout, attempts: Some(2), strength }];
    let (work, capacity) = (Some(Duration::from_millis(3)), Some(Rate { milli_per_s: 5_000 }));
    let set = Settings { work, capacity, fails: true, does_not_start: true, calls };
    Version { name: "slower".to_owned(), at_start: true, set }
}

/// One deed of every kind, with every field.
fn deeds(hosts: &dyn Fn() -> Vec<HostName>) -> Vec<Deed> {
    let rule = |act| LinkRule { from: hosts(), to: hosts(), act };
    let acts = [LinkAct::Drop, LinkAct::Refuse, LinkAct::Shape(Shape { latency_us: 1, ..Shape::default() })];
    let boots = [BootTrouble::Late(5), BootTrouble::Never, BootTrouble::Bottleneck { at_once: 2, each_ms: 9 }];
    let mut deeds = vec![
        Deed::Power { unsynced: Unsynced::Torn },
        Deed::Pause,
        Deed::End { services: vec![service("app")], kill: true },
        Deed::Restart,
        Deed::Processor { left_milli: 50 },
        Deed::Memory { fill_milli: 900 },
        Deed::DiskFull,
        Deed::DiskSlow { delay_ms: 20 },
        Deed::DiskErrors,
        Deed::Switch { services: vec![service("app")], switch: Switch::Away },
        Deed::Change { service: service("app"), version: version(), guarded: true },
        Deed::Network { rules: acts.map(rule).to_vec() },
    ];
    deeds.extend(boots.map(|trouble| Deed::Boot { trouble }));
    deeds
}

fn of_telemetry() -> [Detail; 3] {
    let (about_zone, about, cause) = (Some(zone("az1")), service("cache"), Some(AlarmCause::Failing));
    let scaled = Detail::Scaled { group: service("cache"), from: 2, to: 1, cause: ScaleCause::NoData };
    [
        Detail::Metrics { dropped: 4 },
        Detail::Alarm { about_zone, about, raised: true, cause, failed: 3, requests: 4 },
        scaled,
    ]
}

/// What was seen of a value, every field of it filled.
fn object(text: &str) -> Building {
    let (key, at, hash) = (text.to_owned(), Some(InstanceName(text.to_owned())), text.to_owned());
    Building::Object { key, at, hash, state: ObjectState::Differs }
}

/// One event of every kind, with every field.
pub(crate) fn events(text: &str) -> Vec<Event> {
    let free = || text.to_owned();
    let (hosts, instances, failed) =
        (vec![HostName(free())], vec![InstanceName(free())], BTreeMap::from([(free(), 3)]));
    let details = vec![
        Detail::Phase { phase: Phase::Outage, round: 1 },
        Detail::StepIntent { step: free(), fault: free(), act: Act::Inject, hosts: hosts.clone() },
        Detail::StepDone {
            step: free(),
            fault: free(),
            act: Act::Heal,
            what: "pause".to_owned(),
            method: free(),
            skew_ns: 9,
            hosts: hosts.clone(),
            unsynced_lost: vec![zone("az1")],
            torn: hosts,
        },
        Detail::FaultEffect {
            fault: free(),
            holds: false,
            expected: 2,
            dead: 1,
            answering: instances.clone(),
            text: free(),
            asked: BTreeMap::from([(free(), 200.0)]),
            measured: BTreeMap::from([(free(), 210.5)]),
        },
        Detail::Host { change: HostChange::OutOfMemory, note: free() },
        Detail::State { to: Life::Serving, degraded: true, missing: vec![service("cache")] },
        Detail::Need { need: free(), from: service("cache"), outcome: NeedOutcome::GaveUp, attempts: 5 },
        Detail::Call { to: service("cache"), sent: 4, failed: failed.clone(), hard: true },
        Detail::Canary {
            control: false,
            seq: 1,
            window_ns: 5,
            sent: 4,
            ok: 1,
            degraded: 0,
            failed,
            latency_us: vec![(1000, 1)],
            retries: 2,
            operations: BTreeMap::from([(free(), asked(text))]),
        },
        Detail::Probe { outcome: Life::Starting, cause: free(), took_us: 8 },
        Detail::Write { key: free(), outcome: WriteOutcome::Lost, stored_at: instances },
        Detail::Arrived { over_ns: 5, received: 4, again: 3, refused: 1, late: 2, needs: 0, denied: 0, postponed: 0 },
        Detail::Tap { operation: free(), calls: 3, refused: 2 },
        Detail::Operation {
            key: free(),
            write: Some(free()),
            read: Some(free()),
            began_ns: 5,
            outcome: OperationOutcome::Done,
        },
        Detail::RolloutStopped { rollout: free(), text: free(), left_out: vec![free()] },
        Detail::Build { seen: object(text) },
        Detail::Intervention { action: free() },
        Detail::Invariant { invariant: free(), verdict: Verdict::Violated },
        Detail::Caveat { code: free(), text: free() },
        Detail::Residue { object: free(), name: free() },
    ];
    let (host, instance) = (Some(HostName(free())), Some(InstanceName(free())));
    let place = Place { zone: Some(zone("az1")), host, service: Some(service("app")), instance };
    let numbered = (1_u64..).zip(details.into_iter().chain(of_telemetry()));
    numbered.map(|(id, detail)| Event { place: place.clone(), ..event(id, id * 1_000_000_000, detail) }).collect()
}
