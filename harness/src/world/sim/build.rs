//! Owns two regions in one run of virtual time: the one that serves customers, and the one that is built out of it, with
//! the bootstrap network between them. Refuses to decide what is done next: the builder does.
//!
//! What instances are told and how data comes over is what all worlds have in common: [`crate::world::build`].

pub use crate::world::build::told;

use super::costs::Costs;
use super::engine::{Engine, Happening};
use super::network::Rule;
use super::process::Program;
use super::region::{self, Built, Parts};
use super::software::Packaged;
use super::taps::Taps;
use crate::controller::{Input as Seen, Nanos, Report};
use crate::world::build::mover::{Mover, Question};
use crate::world::build::repository::Repository;
use crate::world::build::{self, Alter, servers};
use crate::world::draw;
use agents::config::{Region, nanos};
use agents::machine::role::Role;
use fixtures::name::{HostName, InstanceName};
use fixtures::regional::estate::{Estate, Part, Site, What};
use scenarios::build::observed::Building;
use scenarios::build::plan::{Act, Border};
use scenarios::build::records::Records;
use scenarios::customers::Traffic;
use scenarios::event::{By, Detail, Place, WriteOutcome};
use scenarios::plan::{LinkAct, Shape, Unsynced};
use scenarios::scenario::Gathered;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use told::{ByHand, Told};

/// From one name server that begins anew with other records to the next.
const NAMES_APART_NS: Nanos = 300_000_000;
/// How often what was seen of calls is told.
const TAPPED_EVERY_NS: Nanos = 1_000_000_000;
/// The version of the software that is there from the beginning.
const FIRST_VERSION: u64 = 1;
/// How long the mover waits for an answer.
const MOVER_TIMEOUT_NS: Nanos = 2_000_000_000;
/// Of one region to the other, one way, and of a local zone to its parent.
const DISTANCE_US: u64 = 10_000;
const LINK_US: u64 = 5_000;
/// Rules of links, by name: the first that fits counts, and that is the first by name.
const BORDER: &str = "border";
const DISTANCE: &str = "distance";

/// What a build is made of.
#[derive(Debug, Clone)]
pub struct BuildParts<'a> {
    /// Both regions.
    pub estate: &'a Estate,
    /// What customers send.
    pub traffic: &'a Traffic,
    /// What somebody wrote by hand.
    pub by_hand: &'a [ByHand],
    /// Who is behind each name at the beginning, where names of a region that stands are told.
    pub records: &'a Records,
    /// Pause between two looks of the witness at somebody who is active.
    pub calm: Duration,
    /// Decides everything.
    pub seed: u64,
    /// What things cost.
    pub costs: Costs,
}

/// What the world tells.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// Something was observed that goes into the record as it is.
    Seen {
        /// When.
        t_ns: Nanos,
        /// Who saw it.
        by: By,
        /// Where.
        place: Place,
        /// What.
        detail: Detail,
    },
    /// How an instance stands.
    Probe {
        /// When.
        t_ns: Nanos,
        /// Which.
        instance: InstanceName,
        /// What came back.
        report: Report,
    },
    /// The act under way is over.
    Done,
}

/// Two regions in virtual time.
#[derive(Debug)]
pub struct BuildWorld<'a> {
    engine: Engine,
    parts: &'a BuildParts<'a>,
    by_name: BTreeMap<HostName, u32>,
    /// Each instance's process, by its place in the placement.
    processes: Vec<u32>,
    addresses: Vec<std::net::SocketAddr>,
    records: Records,
    /// What each name server was told last, by its place in the placement; who is not here was told nothing yet.
    told: BTreeMap<usize, Arc<Records>>,
    inward: bool,
    border: Border,
    mover: Mover,
    repository: Repository,
    /// The version of the software that was told last.
    version: u64,
    /// The number of the mover's question under way.
    asked: u64,
    moving: bool,
    tapped_at: Nanos,
    out: VecDeque<News>,
}

impl<'a> BuildWorld<'a> {
    /// Everything stands in the dark, at the beginning of time.
    pub fn new(parts: &'a BuildParts<'a>) -> Self {
        let estate = parts.estate;
        let records = parts.records.clone();
        let told = Told { estate, by_hand: parts.by_hand, inward: false, records: &records };
        let whole = whole(parts);
        let mut built = region::build(&whole, Some(&told));
        built.watch.calm_ns = nanos(parts.calm);
        let by_name: BTreeMap<HostName, u32> = built.names.iter().cloned().zip(0..).collect();
        let mut processes = vec![0; estate.placement.instances.len()];
        for (host, placed) in built.hosts.iter().zip(&estate.placement.hosts) {
            for (process, &index) in (host.first..).zip(&placed.instances) {
                processes[index] = process;
            }
        }
        let zones: Vec<_> = estate.topology.zones().map(|(_, zone)| zone.name.clone()).collect();
        for (host, zone) in estate.real_zones() {
            let place = zones.iter().position(|known| *known == zone).and_then(|place| u16::try_from(place).ok());
            if let (Some(&host), Some(place)) = (by_name.get(&host), place) {
                built.hosts[host as usize].zone = place;
            }
        }
        let repository = Repository::new(&parts.seed.to_be_bytes(), parts.by_hand);
        package(&mut built, &processes, estate, &repository);
        let mut engine = Engine::of(&whole, built);
        let named: BTreeSet<u32> = servers(estate).map(|index| processes[index]).collect();
        let told = Arc::new(records.clone());
        engine.taps = Some(Box::new(Taps::new(estate.standing.clone(), named)));
        let mut world = Self {
            engine,
            parts,
            by_name,
            processes,
            addresses: region::addresses(&estate.placement),
            told: servers(estate).map(|index| (index, Arc::clone(&told))).collect(),
            records,
            inward: false,
            border: Border::Open,
            mover: build::mover(estate, parts.by_hand),
            repository,
            version: FIRST_VERSION,
            asked: 0,
            moving: false,
            tapped_at: 0,
            out: VecDeque::new(),
        };
        let far = match estate.what {
            What::Region => Some(DISTANCE_US),
            What::LocalZone { .. } => Some(LINK_US),
            What::Zone(_) => None,
        };
        let shape = far.map(|latency_us| LinkAct::Shape(Shape { latency_us, ..Shape::default() }));
        world.rule(DISTANCE, shape);
        world
    }

    /// The time.
    pub fn now(&self) -> Nanos {
        self.engine.now
    }

    /// Inputs handed to state machines so far.
    pub fn handed(&self) -> u64 {
        self.engine.handed
    }

    /// Gives the bootstrap region power, and lets the witness begin.
    pub fn begin(&mut self) {
        self.engine.witness(crate::witness::watcher::Watcher::begin);
        for host in 0..self.engine.hosts.len() {
            self.engine.hosts[host].reachable = self.parts.estate.standing[host].site != Site::Build;
        }
        let hosts = self.parts.estate.hosts(|standing| standing.site == Site::Bootstrap);
        self.power_on(&hosts);
    }

    /// What is in force and who has power: two builds that ended alike agree in it.
    pub fn state(&self) -> (Vec<HostName>, Records, bool, Border) {
        let lit = self.engine.names.iter().zip(&self.engine.hosts).filter(|(_, host)| host.lit);
        (lit.map(|(name, _)| name.clone()).collect(), self.records.clone(), self.inward, self.border)
    }

    /// Lets things happen until somebody has to be told of something; `None` where nothing happens until `limit`, which is
    /// the time then.
    pub fn next(&mut self, limit: Nanos) -> Option<News> {
        loop {
            if let Some(news) = self.out.pop_front() {
                return Some(news);
            }
            if let Some(seen) = self.engine.seen.pop_front() {
                self.translate(seen);
                continue;
            }
            self.go_on_moving();
            if self.engine.now >= self.tapped_at {
                self.tell_tapped();
            }
            if !self.out.is_empty() || !self.engine.seen.is_empty() {
                continue;
            }
            if !self.engine.step(limit) {
                self.engine.now = self.engine.now.max(limit);
                return None;
            }
        }
    }

    fn tell_tapped(&mut self) {
        self.tapped_at = self.engine.now + TAPPED_EVERY_NS;
        let told = self.engine.tapped();
        self.out.extend(told.into_iter().map(|(t_ns, by, place, detail)| News::Seen { t_ns, by, place, detail }));
        let handed = self.engine.taps.as_mut().map(|taps| std::mem::take(&mut taps.handed)).unwrap_or_default();
        self.mover.handed(handed);
    }

    fn translate(&mut self, seen: Seen) {
        match seen {
            Seen::Done(_) => self.out.push_back(News::Done),
            Seen::Seen { t_ns, by, place, detail } => {
                if let Detail::Write { key, outcome: WriteOutcome::Acknowledged, stored_at } = &detail {
                    self.mover.was_acknowledged(key.clone(), stored_at.clone());
                }
                self.out.push_back(News::Seen { t_ns, by, place, detail });
            }
            Seen::Probe { t_ns, instance, report } => {
                let instance = self.parts.estate.placement.instances[instance].name.clone();
                self.out.push_back(News::Probe { t_ns, instance, report });
            }
            _ => {}
        }
    }

    /// Begins an act; each can be begun again.
    pub fn perform(&mut self, act: &Act) {
        match act {
            Act::PowerOn(hosts) => self.power_on(hosts),
            Act::PowerOff(hosts) => self.power_off(hosts),
            Act::Names(records) => self.answer_from(records),
            Act::Turn { inward } => {
                self.inward = *inward;
                self.replace(|_, part| part == Part::Proxy);
            }
            Act::Border(border) => {
                self.border = *border;
                self.rule(
                    BORDER,
                    match border {
                        Border::Open => None,
                        Border::Refused => Some(LinkAct::Refuse),
                        Border::Cut => Some(LinkAct::Drop),
                    },
                );
                let seen = Building::Border { border: *border };
                self.tell(seen);
                self.end_act(0);
            }
            Act::Copy => self.move_data(Mover::copy),
            Act::Empty => self.move_data(Mover::empty),
            Act::Audit => self.move_data(Mover::audit),
            Act::Enrol(customers) => self.move_data(|mover| mover.enrol(customers)),
            Act::Admit(customers) => self.move_data(|mover| mover.admit(customers)),
            Act::Mark(keepers) => self.move_data(|mover| mover.mark(keepers)),
            Act::Nothing => self.end_act(0),
        }
    }

    fn tell(&mut self, seen: Building) {
        let (t_ns, by, place) = (self.engine.now, By::Hand, Place::default());
        self.out.push_back(News::Seen { t_ns, by, place, detail: Detail::Build { seen } });
    }

    fn end_act(&mut self, after_ns: Nanos) {
        let done = Box::new(crate::controller::Done::ReadBack);
        self.engine.queue.push(self.engine.now + after_ns, Happening::ActDone(done));
    }

    fn power_on(&mut self, hosts: &[HostName]) {
        let instances = draw::instances_on(&self.parts.estate.placement, hosts);
        self.engine.witness(|watcher, _, _| watcher.relit(&instances));
        let numbers: Vec<u32> = hosts.iter().filter_map(|host| self.by_name.get(host).copied()).collect();
        let moments = self.engine.moments(numbers.len(), 0, super::LIT_SKEW_NS);
        for (host, at) in numbers.into_iter().zip(moments) {
            self.engine.queue.push(at, Happening::Light { host });
        }
        self.end_act(super::LIT_SKEW_NS);
    }

    fn power_off(&mut self, hosts: &[HostName]) {
        for host in hosts.iter().filter_map(|host| self.by_name.get(host).copied()).collect::<Vec<u32>>() {
            self.engine.queue.push(self.engine.now, Happening::Darken { host, unsynced: Unsynced::Kept });
        }
        self.end_act(0);
    }

    /// Name servers begin anew with other records, one zone after the other. Whoever was told the same already goes on.
    fn answer_from(&mut self, records: &Records) {
        self.records = records.clone();
        let estate = self.parts.estate;
        let told = Arc::new(Records { left_out: Vec::new(), ..records.clone() });
        // What stands in for a zone is not in it, and is told whenever anybody is.
        let is_left_out = |index: usize| {
            let instance = &estate.placement.instances[index];
            estate.standing[instance.host].site != Site::Network && records.left_out.contains(&instance.zone)
        };
        let others = |index: &usize| !is_left_out(*index) && self.told.get(index) != Some(&told);
        let wanted: BTreeSet<usize> = servers(estate).filter(others).collect();
        self.told.extend(wanted.iter().map(|index| (*index, Arc::clone(&told))));
        self.replace_where(|index| wanted.contains(&index));
    }

    fn replace(&mut self, wanted: impl Fn(Site, Part) -> bool) {
        let estate = self.parts.estate;
        self.replace_where(|index| {
            let standing = estate.standing[estate.placement.instances[index].host];
            wanted(standing.site, standing.part)
        });
    }

    /// Tells instances their configuration anew, one zone after the other.
    fn replace_where(&mut self, wanted: impl Fn(usize) -> bool) {
        let estate = self.parts.estate;
        let told = Told { estate, by_hand: self.parts.by_hand, inward: self.inward, records: &self.records };
        let region = Region::new(&estate.topology, &estate.graph, &estate.placement, &self.addresses);
        let region = region.with_apart(told.apart());
        let mut last = 0;
        self.version += 1;
        for index in (0..estate.placement.instances.len()).filter(|&index| wanted(index)) {
            let zone = estate.standing[estate.placement.instances[index].host].zone as Nanos;
            let role = Arc::new(Role::new(told.alter(index, region.instance(index, 0), &region)));
            last = last.max(zone * NAMES_APART_NS);
            let at = self.engine.now + zone * NAMES_APART_NS;
            let software = Packaged::of(&self.repository, (estate, index), self.version, &role).map(Box::new);
            self.engine.queue.push(at, Happening::Replace { process: self.processes[index], role, software });
        }
        self.end_act(last + 1);
    }

    fn move_data(&mut self, begin: impl FnOnce(&mut Mover)) {
        self.tell_tapped();
        begin(&mut self.mover);
        self.moving = true;
        self.ask_next();
    }

    fn ask_next(&mut self) {
        let next = self.mover.next();
        let seen = std::mem::take(&mut self.mover.seen);
        seen.into_iter().for_each(|seen| self.tell(seen));
        let Some(Question { to, ask }) = next else {
            self.moving = false;
            return self.end_act(0);
        };
        self.asked += 1;
        let index = self.parts.estate.placement.instances.iter().position(|instance| instance.name == to);
        match index {
            Some(index) => {
                let secure = self.is_secure(index);
                self.engine.ask_for_mover(self.asked, (self.addresses[index], secure), ask, MOVER_TIMEOUT_NS);
            }
            None => self.engine.moved.push_back((self.asked, Err("unknown"))),
        }
    }

    fn go_on_moving(&mut self) {
        while let Some((number, result)) = self.engine.moved.pop_front() {
            if self.moving && number == self.asked {
                self.mover.answered(result);
                self.ask_next();
            }
        }
    }

    fn is_secure(&self, index: usize) -> bool {
        let graph = &self.parts.estate.graph;
        let service = graph.service(&self.parts.estate.placement.instances[index].service);
        graph.identity.as_ref().is_some_and(|identity| service.is_some_and(|service| identity.is_secure(service)))
    }

    /// Puts a rule on everything between the two sides of the border, or takes it off.
    fn rule(&mut self, name: &str, act: Option<LinkAct>) {
        self.engine.network.rules.remove(name);
        let Some(act) = act else { return };
        let across = |host: &u32| self.parts.estate.is_across(*host as usize);
        let (there, here): (Vec<u32>, Vec<u32>) =
            (0..u32::try_from(self.engine.hosts.len()).unwrap_or(u32::MAX)).partition(across);
        let hosts = self.engine.hosts.len();
        let both = vec![Rule::new(&here, &there, hosts, act), Rule::new(&there, &here, hosts, act)];
        self.engine.network.rules.insert(name.to_owned(), both);
    }
}

impl Engine {
    /// A process ends in order and begins at once with another configuration; one that does not run begins with it later.
    pub(super) fn replace(&mut self, index: u32, role: Arc<Role>, software: Option<Box<Packaged>>) {
        let process = &mut self.processes[index as usize];
        process.software = software;
        if let Program::Instance { role: known, .. } = &mut process.program {
            *known = role;
        }
        if process.mind.is_none() {
            return;
        }
        if process.listens {
            self.break_calls(index);
        }
        let process = &mut self.processes[index as usize];
        let outgoing = process.end();
        if let Some(disk) = &mut process.disk {
            disk.process_ended();
        }
        let life = process.life;
        for key in outgoing {
            self.hang_up(key, 0);
        }
        self.queue.push(self.now, Happening::Launch { process: index, life });
    }
}

/// Gives processes on generic hosts something to fetch; who has a role in common has its software in common.
fn package(built: &mut Built, processes: &[u32], estate: &Estate, repository: &Repository) {
    let mut known: BTreeMap<*const Role, Packaged> = BTreeMap::new();
    for (index, &process) in processes.iter().enumerate().filter(|(index, _)| estate.is_generic(*index)) {
        let process = &mut built.processes[process as usize];
        let Program::Instance { role, .. } = &process.program else { continue };
        let packaged = match known.get(&Arc::as_ptr(role)) {
            Some(packaged) => Some(packaged.clone()),
            None => Packaged::of(repository, (estate, index), FIRST_VERSION, role),
        };
        let Some(packaged) = packaged else { continue };
        known.insert(Arc::as_ptr(role), packaged.clone());
        process.software = Some(Box::new(packaged));
    }
}

fn whole<'a>(parts: &BuildParts<'a>) -> Parts<'a> {
    let Estate { topology, graph, placement, .. } = parts.estate;
    let gathered = Gathered::default();
    Parts { topology, graph, placement, traffic: parts.traffic, gathered, seed: parts.seed, costs: parts.costs.clone() }
}
