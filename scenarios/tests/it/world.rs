//! Owns a made-up run: the events that a controller, a witness and canaries would have written of a game day, with the
//! deviations a test wants. Refuses to judge them.

use fixtures::diagnostic::Source;
use fixtures::graph::Graph;
use fixtures::name::{HostName, InstanceName, ServiceName, ZoneName};
use fixtures::placement::{Instance, Placement};
use fixtures::topology::Topology;
use scenarios::event::{Act, Asked, By, Detail, Event, EventId, Life, NeedOutcome, Phase, Place, WriteOutcome};
use scenarios::judge::{Case, judge};
use scenarios::judgement::{InvariantResult, Judgement};
use scenarios::plan::{Plan, Step, plan};
use scenarios::scenario::Scenario;
use scenarios::verdict::Verdict;
use std::collections::{BTreeMap, BTreeSet};

const MS: u64 = 1_000_000;
const WINDOW_MS: u64 = 500;

/// What an instance is, some time after its host got power.
pub(crate) type Return = (Life, Vec<ServiceName>);
/// How an instance returns after a heal; `None`: as it should.
type Returns = Box<dyn Fn(&Instance, &str) -> Option<Return>>;
/// Answered and failed (by cause) of a canary's window, and the latency bucket in microseconds.
type Customers = Box<dyn Fn(&ZoneName, Phase, bool) -> (u64, Vec<(&'static str, u64)>, u64)>;

/// Each operation of a canary's window.
type Operations = Box<dyn Fn(&ZoneName, Phase, bool) -> BTreeMap<String, Asked>>;

pub(crate) struct World {
    pub(crate) scenario: Scenario,
    pub(crate) plan: Plan,
    pub(crate) topology: Topology,
    pub(crate) graph: Graph,
    pub(crate) placement: Placement,
    /// Asked for every instance at every heal with the step's id.
    pub(crate) returns: Returns,
    pub(crate) customers: Customers,
    /// What became of each operation; the sums are those of `customers`.
    pub(crate) operations: Operations,
    /// Whether instances say what they wait for.
    pub(crate) self_reports: bool,
    pub(crate) effect_holds: bool,
    pub(crate) effect_looks: bool,
    pub(crate) intervention: bool,
    pub(crate) write_outcome: WriteOutcome,
    pub(crate) settles: bool,
    /// Zones whose disk really loses what was not synced, at every power-off.
    pub(crate) unsynced_lost: Vec<ZoneName>,
    /// Hosts of real software whose files end in a part of what was not synced.
    pub(crate) torn: Vec<HostName>,
    events: Vec<Event>,
    now_ms: u64,
}

pub(crate) fn service(name: &str) -> ServiceName {
    ServiceName::new(name).expect("a name")
}

pub(crate) fn graph(text: Source) -> Graph {
    fixtures::load::load_graph(&text).expect("the graph loads").0
}

pub(crate) fn world_graph(name: &str) -> Graph {
    graph(fixtures::builtin::graph(name).expect("built in"))
}

pub(crate) fn topology() -> Topology {
    world_topology("us-test-1")
}

pub(crate) fn world_topology(name: &str) -> Topology {
    let source = fixtures::builtin::topology(name).expect("built in");
    fixtures::load::load_topology(&source).expect("the topology loads").0
}

/// When a phase began, in milliseconds.
pub(crate) fn began_ms(events: &[Event], wanted: Phase) -> u64 {
    let begins = |event: &&Event| matches!(event.detail, Detail::Phase { phase, .. } if phase == wanted);
    events.iter().find(begins).expect("it has the phase").t_ns / 1_000_000
}

/// That an invariant has this verdict, and findings with this setting alone, each with more than one event that shows it.
#[track_caller]
pub(crate) fn judged(judgement: &Judgement, id: &str, verdict: Verdict, setting: Option<&str>) {
    let result = of(judgement, id);
    assert_eq!(result.verdict, verdict, "{}", result.reason);
    let found: Vec<_> = judgement.findings.iter().filter(|finding| finding.invariant == id).collect();
    assert_eq!(
        found.iter().map(|finding| finding.setting.as_deref()).collect::<Vec<_>>(),
        Vec::from_iter(setting.map(Some))
    );
    assert!(found.iter().all(|finding| finding.chain.iter().any(|link| link.evidence.len() > 1)), "{found:?}");
}

impl World {
    pub(crate) fn new(name: &str) -> Self {
        Self::edited(name, |text| text)
    }

    /// A built-in game day with a changed graph.
    pub(crate) fn edited(name: &str, edit: impl Fn(String) -> String) -> Self {
        let source = scenarios::builtin::scenario(name).expect("built in");
        let (scenario, _) = scenarios::load::load_scenario(&source).expect("the scenario loads");
        let mut source = fixtures::builtin::graph(scenario.graph.as_str()).expect("built in");
        source.text = edit(source.text);
        let (topology, graph) = (world_topology(scenario.topology.as_str()), graph(source));
        let placement = Placement::new(&topology, &graph);
        Self {
            plan: plan(&scenario, &placement, 7),
            scenario,
            topology,
            graph,
            placement,
            returns: Box::new(|_, _| None),
            customers: Box::new(|_, _, _| (10, Vec::new(), 2_000)),
            operations: Box::new(|_, _, _| BTreeMap::new()),
            self_reports: true,
            effect_holds: true,
            effect_looks: true,
            intervention: false,
            write_outcome: WriteOutcome::ReadBack,
            settles: true,
            unsynced_lost: Vec::new(),
            torn: Vec::new(),
            events: Vec::new(),
            now_ms: 0,
        }
    }

    pub(crate) fn case(&self) -> Case<'_> {
        Case {
            scenario: &self.scenario,
            plan: &self.plan,
            topology: &self.topology,
            graph: &self.graph,
            placement: &self.placement,
        }
    }

    pub(crate) fn judged(&mut self) -> Judgement {
        let events = self.played();
        judge(&self.case(), &events)
    }

    pub(crate) fn push(&mut self, at_ms: u64, by: By, place: Place, detail: Detail) {
        let id = EventId(self.events.len() as u64);
        self.events.push(Event { id, t_ns: at_ms * MS, utc: String::new(), by, place, detail });
    }

    pub(crate) fn recorded(&self) -> Vec<Event> {
        self.events.clone()
    }

    fn phase(&mut self, phase: Phase, round: usize) {
        self.push(self.now_ms, By::Controller, Place::default(), Detail::Phase { phase, round });
    }

    fn state(&mut self, at_ms: u64, instance: &InstanceName, to: Life, missing: Vec<ServiceName>) {
        let place = Place { instance: Some(instance.clone()), ..Place::default() };
        self.push(at_ms, By::Witness, place, Detail::State { to, degraded: !missing.is_empty(), missing });
    }

    /// Canary windows of all zones with power from now on, for so long.
    fn traffic(&mut self, phase: Phase, length_ms: u64, dark: &BTreeSet<String>) {
        let zones: Vec<ZoneName> = self.topology.zones().map(|(_, zone)| zone.name.clone()).collect();
        for zone in zones {
            if self.placement.hosts_in(&zone).all(|host| dark.contains(host.name.as_str())) {
                continue;
            }
            for seq in 0..length_ms / WINDOW_MS {
                for control in [false, true] {
                    let (ok, failed, bucket) = (self.customers)(&zone, phase, control);
                    let failed: BTreeMap<String, u64> =
                        failed.into_iter().map(|(cause, n)| (cause.to_owned(), n)).collect();
                    let detail = Detail::Canary {
                        control,
                        seq,
                        window_ns: WINDOW_MS * MS,
                        sent: ok + failed.values().sum::<u64>(),
                        ok,
                        degraded: 0,
                        failed,
                        latency_us: vec![(bucket, ok)],
                        retries: 0,
                        operations: (self.operations)(&zone, phase, control),
                    };
                    let place = Place { zone: Some(zone.clone()), ..Place::default() };
                    self.push(self.now_ms + (seq + 1) * WINDOW_MS, By::Canary, place, detail);
                }
            }
        }
        self.now_ms += length_ms;
    }

    /// The whole game day.
    pub(crate) fn played(&mut self) -> Vec<Event> {
        self.events.clear();
        self.now_ms = 0;
        self.phase(Phase::Settle, 0);
        let instances: Vec<Instance> = self.placement.instances.clone();
        for instance in instances.iter().skip(usize::from(!self.settles)) {
            self.state(500, &instance.name, Life::Active, Vec::new());
        }
        self.now_ms = 1_000;
        self.phase(Phase::Baseline, 0);
        self.write("before", WriteOutcome::Acknowledged);
        self.traffic(Phase::Baseline, ms(self.scenario.windows.baseline), &BTreeSet::new());
        for round in 0..self.plan.rounds.len() {
            self.round(round);
        }
        self.phase(Phase::ReadBack, 0);
        self.write("before", self.write_outcome);
        self.phase(Phase::Teardown, 0);
        self.events.clone()
    }

    /// A write stored in az1, at the first service there that keeps something on disk.
    fn write(&mut self, key: &str, outcome: WriteOutcome) {
        let stores = self.graph.services.iter().filter(|service| service.state.stores());
        // A region that stores nothing has no ledger.
        let Some(store) = stores.map(|service| service.name.clone()).next() else { return };
        let holds = |instance: &&Instance| instance.service == store && instance.zone.as_str() == "az1";
        let stored_at = self.placement.instances.iter().filter(holds).map(|instance| instance.name.clone()).collect();
        let detail = Detail::Write { key: key.to_owned(), outcome, stored_at };
        self.push(self.now_ms, By::Witness, Place::default(), detail);
    }

    fn round(&mut self, round: usize) {
        let began_ms = self.now_ms;
        let mut stuck = false;
        let timed = self.plan.rounds[round].steps.iter().filter(|step| step.after.is_none());
        // What waits for an event sees it a second after everything else.
        let event_ms = began_ms + timed.map(|step| step.at_ms).max().unwrap_or(0) + 1_000;
        for (position, step) in self.plan.rounds[round].steps.clone().into_iter().enumerate() {
            let dark: BTreeSet<String> = match position.checked_sub(1) {
                Some(before) => self.plan.hosts_dark_after(round, before).iter().map(ToString::to_string).collect(),
                None => BTreeSet::new(),
            };
            let phase = if position > 0 && self.plan.rounds[round].steps[..position].iter().any(Step::begins_recovery) {
                Phase::Recovery
            } else {
                Phase::Outage
            };
            let until_ms = step.at_ms + if step.after.is_some() { event_ms } else { began_ms };
            self.traffic(phase, until_ms - self.now_ms, &dark);
            match step.act {
                Act::Inject => self.phase(Phase::Outage, round),
                Act::Heal if step.closes => self.phase(Phase::Recovery, round),
                Act::Heal => {}
            }
            let takes_power = step.is_power() && step.act == Act::Inject;
            let done = Detail::StepDone {
                step: step.id.clone(),
                fault: step.fault.clone(),
                act: step.act,
                what: step.deed.word().to_owned(),
                method: "cgroup.kill".to_owned(),
                skew_ns: 20 * MS,
                hosts: if step.is_power() { step.changes.clone() } else { step.hosts.clone() },
                unsynced_lost: if takes_power { self.unsynced_lost.clone() } else { Vec::new() },
                torn: if takes_power { self.torn.clone() } else { Vec::new() },
            };
            self.push(self.now_ms, By::Hand, Place::default(), done);
            match step.act {
                Act::Inject if self.effect_looks => self.look(&step.fault, step.hosts.len()),
                Act::Inject => {}
                Act::Heal => stuck = self.heal(round, position),
            }
        }
        let length_ms = if stuck { ms(self.scenario.windows.recovery) } else { 2_000 };
        self.traffic(Phase::Recovery, length_ms, &BTreeSet::new());
        self.phase(Phase::Quiet, round);
        self.traffic(Phase::Quiet, ms(self.scenario.windows.quiet), &BTreeSet::new());
    }

    fn look(&mut self, fault: &str, expected: usize) {
        let detail = Detail::FaultEffect {
            fault: fault.to_owned(),
            holds: self.effect_holds,
            expected,
            dead: expected,
            answering: Vec::new(),
            text: String::new(),
            asked: BTreeMap::new(),
            measured: BTreeMap::new(),
        };
        self.push(self.now_ms + 100, By::Witness, Place::default(), detail);
    }

    /// States of all instances with power after a heal; true where one is not as it should be.
    fn heal(&mut self, round: usize, position: usize) -> bool {
        let step = self.plan.rounds[round].steps[position].clone();
        let mut dark = self.plan.hosts_dark_after(round, position);
        let (before, after) = self.plan.rounds[round].steps.split_at(position + 1);
        let is_live = |one: &&Step| one.keeps_dark() && after.iter().any(|heal| heal.id == one.pair);
        dark.extend(before.iter().filter(is_live).flat_map(|one| one.hosts.clone()));
        let mut stuck = false;
        for instance in self.placement.instances.clone() {
            let host = self.placement.hosts[instance.host].name.clone();
            if dark.contains(&host) {
                continue;
            }
            let told = (self.returns)(&instance, &step.id);
            stuck |= told.is_some();
            let (life, missing) = told.unwrap_or((Life::Active, Vec::new()));
            if step.hosts.contains(&host)
                || life != Life::Active
                || step.fault != self.plan.rounds[round].steps[0].fault
            {
                self.state(self.now_ms + 700, &instance.name, life, missing);
            }
            if self.intervention && step.changes.contains(&host) {
                let place = Place { host: Some(host), ..Place::default() };
                self.push(
                    self.now_ms + 300,
                    By::Engine,
                    place,
                    Detail::Intervention { action: "exec_create".to_owned() },
                );
                self.intervention = false;
            }
            if life == Life::Starting && self.self_reports {
                self.report_needs(&instance);
            }
        }
        stuck
    }

    fn report_needs(&mut self, instance: &Instance) {
        let needs = self.graph.service(&instance.service).expect("in the graph").needs.clone();
        let Some(last) = needs.last() else { return };
        let detail = Detail::Need {
            need: last.kind.to_string(),
            from: last.from.clone(),
            outcome: NeedOutcome::Waiting,
            attempts: 3,
        };
        let place = Place { instance: Some(instance.name.clone()), ..Place::default() };
        self.push(self.now_ms + 600, By::Own, place, detail);
    }
}

fn ms(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).expect("short")
}

/// The result of an invariant; of several the first.
pub(crate) fn of<'j>(judgement: &'j Judgement, id: &str) -> &'j InvariantResult {
    judgement.invariants.iter().find(|result| result.id == id).expect("asked for")
}
