//! Owns the order in which a zone is built into a region that serves customers, and a local zone beside one. Refuses to know how anything is done; and to
//! hurry: what changes a live zone is under rules.
//!
//! What is built apart from the live zones goes as fast as it can. What they notice is whom names stand for, and that comes
//! in two rounds: peering, when the new zone's names become known, and migration, when its instances take their part of
//! what is regional. In each round each live zone in turn is told, on a day of its own, and what was changed bakes before
//! the next. Between the rounds no name ever has two answers with nobody in common: the new zone's names lead to what stands
//! in for it and to its own instances alike until everybody knows of both.
//!
//! A local zone has a data plane alone: nothing stands in for it, nothing regional spreads to it, and its game day cuts the
//! link to its parent too. Data that is marked for its country is written before, and while the link is cut.

use super::plan::{Act, Border, BuildPhase, BuildPlan, Ruled, Safety, Step, Until};
use super::records::Records;
use fixtures::graph::Scope;
use fixtures::name::{HostName, InstanceName, RegionName, ServiceName, ZoneName};
use fixtures::regional::estate::{Estate, Part, Site, What};
use std::time::Duration;

/// How long the new zone is dark on its game day.
const OUTAGE: Duration = Duration::from_secs(3);
/// How long a local zone is without a link: longer than clients go on with an answer.
const WITHOUT_LINK: Duration = Duration::from_secs(20);

/// Hosts that are given power together, and who is on them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    /// The hosts.
    pub hosts: Vec<HostName>,
    /// Their instances.
    pub instances: Vec<InstanceName>,
}

/// Who is behind each name, from one stage of the build to the next.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stages {
    /// As it was.
    pub before: Records,
    /// The new zone's names lead to what stands in for it.
    pub standing_in: Records,
    /// They lead there and to its own instances; this is what live zones are told first.
    pub peered: Records,
    /// They lead to its own instances alone, and regional names lead to those too.
    pub after: Records,
}

/// A zone to be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewZone {
    /// The region, which serves customers.
    pub region: RegionName,
    /// Its zones, in the order in which they are told.
    pub live: Vec<ZoneName>,
    /// The new one.
    pub zone: ZoneName,
    /// In the bootstrap zone: the zonal part of the control plane alone. Empty for a local zone, whose control plane is its
    /// parent's.
    pub stand_in: Group,
    /// In the new zone: what the stand-in carries too.
    pub control: Group,
    /// In the new zone: everything else; for a local zone its data plane, which is all that it has.
    pub data: Group,
    /// Zonal services of `data`: until they are there, whoever asks them answers without them.
    pub later: Vec<ServiceName>,
    /// For a local zone, who keeps data there that must not leave it, and what it has to do without when the link is cut.
    pub local: Option<(Vec<InstanceName>, Vec<ServiceName>)>,
    /// Who is behind each name.
    pub records: Stages,
    /// How long clients go on with an answer.
    pub drain: Duration,
}

/// In which pieces live zones are told who is behind names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pieces {
    /// Each zone everything at once.
    #[default]
    Whole,
    /// Half of what changes, then all of it; then the next zone.
    HalvesZoneByZone,
    /// Half of what changes in every zone, then all of it in every zone: until then all zones are changed in part. With a
    /// builder that keeps to no share, the defect that B7 finds; one that does refuses it.
    HalvesAcrossZones,
}

/// How a zone is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// Rules of the live region.
    pub safety: Safety,
    /// Which of them the builder keeps to. With none, live zones are changed one right after the other: a defect that B7
    /// finds.
    pub ruled: Ruled,
    /// In which pieces live zones are told.
    pub pieces: Pieces,
    /// How long a step may take before it is begun again.
    pub limit: Duration,
    /// Services whose names, by mistake, lead to the new zone alone from peering on: what harms live customers, and has to
    /// stop the build at the first zone.
    pub forgotten: Vec<ServiceName>,
}

impl Default for Course {
    fn default() -> Self {
        let safety = Safety { day: Duration::from_secs(60), bake: Duration::from_secs(15), share_percent: 34 };
        let (ruled, pieces) = (Ruled::Wholly, Pieces::Whole);
        Self { safety, ruled, pieces, limit: Duration::from_secs(60), forgotten: Vec::new() }
    }
}

impl NewZone {
    /// The new zone of an estate; `None` where a region is built.
    pub fn of(estate: &Estate, forgotten: &[ServiceName]) -> Option<Self> {
        let zone = estate.new_zone()?.clone();
        let group = |site, part| Group {
            hosts: estate.hosts(|standing| (standing.site, standing.part) == (site, part)),
            instances: estate.instances(|standing| (standing.site, standing.part) == (site, part)),
        };
        let (stand_in, own) = (&[Site::Network][..], &[Site::Build][..]);
        let before = behind(estate, Records::default(), &|_| true, &[Site::Bootstrap]);
        let is_zonal = |name: &ServiceName| estate.graph.service(name).is_some_and(|one| one.scope == Scope::Zonal);
        let with = |sites: &[Site]| {
            let sites: Vec<Site> = [Site::Bootstrap].iter().chain(sites).copied().collect();
            behind(estate, before.clone(), &is_zonal, &sites)
        };
        let forget = |records| behind(estate, records, &|name| forgotten.contains(name), own);
        let peered = forget(with(&[Site::Network, Site::Build]));
        let after = forget(behind(estate, before.clone(), &|_| true, &[Site::Bootstrap, Site::Build]));
        let ttl = estate.graph.names.as_ref().map_or(Duration::ZERO, |names| names.ttl);
        Some(Self {
            region: estate.bootstrap.region.clone(),
            live: estate.bootstrap.zones.clone(),
            zone,
            stand_in: group(Site::Network, Part::Control),
            control: group(Site::Build, Part::Control),
            later: later(estate),
            data: group(Site::Build, Part::Data),
            local: matches!(estate.what, What::LocalZone { .. }).then(|| local(estate)),
            records: Stages { standing_in: with(stand_in), peered, after, before },
            drain: ttl * 3,
        })
    }
}

/// Zonal services that come with everything else. A host of the control plane may ask one, and not wait for it.
fn later(estate: &Estate) -> Vec<ServiceName> {
    let of_data = |name: &ServiceName| {
        let mut placed = estate.placement.instances.iter().filter(|one| one.service == *name);
        placed.any(|one| (estate.standing[one.host].site, estate.standing[one.host].part) == (Site::Build, Part::Data))
    };
    let zonal = estate.graph.services.iter().filter(|service| service.scope == Scope::Zonal);
    zonal.map(|service| service.name.clone()).filter(of_data).collect()
}

/// Who keeps data in a local zone, and which services it has none of.
fn local(estate: &Estate) -> (Vec<InstanceName>, Vec<ServiceName>) {
    let own = estate.placement.instances.iter().filter(|one| estate.standing[one.host].site == Site::Build);
    let is_there = |name: &ServiceName| own.clone().any(|one| one.service == *name);
    let missing = estate.graph.services.iter().map(|service| service.name.clone()).filter(|name| !is_there(name));
    let keepers = own.clone().filter(|one| Some(&one.service) == estate.cast.resident.as_ref());
    (keepers.map(|one| one.name.clone()).collect(), missing.collect())
}

/// The same with who is on some sites behind some services.
fn behind(estate: &Estate, records: Records, wanted: &dyn Fn(&ServiceName) -> bool, sites: &[Site]) -> Records {
    let services = estate.graph.services.iter().map(|service| &service.name).filter(|name| wanted(name));
    services.fold(records, |records, service| {
        let placed = estate.placement.instances.iter();
        let here = placed.filter(|one| &one.service == service && sites.contains(&estate.standing[one.host].site));
        records.with(service, here.map(|one| one.name.clone()).collect())
    })
}

/// Of what changes one half as it will be, the other as it is.
fn half(from: &Records, to: &Records) -> Records {
    let changed: Vec<_> = to.behind.iter().filter(|(name, who)| from.behind.get(*name) != Some(*who)).collect();
    let some = changed.iter().take(changed.len().div_ceil(2));
    some.fold(from.clone(), |half, (name, who)| half.with(name, (*who).clone()))
}

/// The plan of a zone.
pub fn plan(new: &NewZone, course: &Course) -> BuildPlan {
    let mut writer = Writer { new, course, steps: Vec::new() };
    writer.stand_in();
    let stages = &new.records;
    writer.tell(BuildPhase::Peering, "peering", &stages.standing_in, &stages.peered);
    writer.power_on(BuildPhase::Launch, "launch.control", (&new.control, &new.later));
    writer.power_on(BuildPhase::Launch, "launch.data", (&new.data, &[]));
    writer.migrate();
    writer.link();
    writer.game_day();
    writer.step(BuildPhase::Open, "open.audit", Act::Audit, Until::Done, None);
    let Writer { steps, .. } = writer;
    let (region, no_return) = (new.region.clone(), steps.len());
    BuildPlan { region, steps, no_return, safety: Some(course.safety), ruled: course.ruled, guarded: true }
}

struct Writer<'a> {
    new: &'a NewZone,
    course: &'a Course,
    steps: Vec<Step>,
}

impl Writer<'_> {
    fn step(&mut self, phase: BuildPhase, id: &str, act: Act, until: Until, undo: Option<Act>) {
        let racks = if phase == BuildPhase::Launch { vec![self.new.zone.clone()] } else { Vec::new() };
        let limit = self.course.limit.max(if let Until::Passed(time) = &until { *time * 2 } else { Duration::ZERO });
        self.steps.push(Step { id: id.to_owned(), phase, racks, act, until, limit, undo, touches: None });
    }

    fn power_on(
        &mut self,
        phase: BuildPhase,
        id: &str,
        (Group { hosts, instances }, without): (&Group, &[ServiceName]),
    ) {
        if hosts.is_empty() {
            return;
        }
        let until = Until::Active { instances: instances.clone(), without: without.to_vec() };
        self.step(phase, id, Act::PowerOn(hosts.clone()), until, Some(Act::PowerOff(hosts.clone())));
    }

    /// What stands in knows its own names; no live zone does yet.
    fn stand_in(&mut self) {
        let stages = &self.new.records;
        if self.new.stand_in.hosts.is_empty() {
            return;
        }
        let apart = Records { left_out: self.new.live.clone(), ..stages.standing_in.clone() };
        let undo = Some(Act::Names(stages.before.clone()));
        self.step(BuildPhase::ControlPlane, "control.names", Act::Names(apart), Until::Done, undo);
        self.power_on(BuildPhase::ControlPlane, "control.stand-in", (&self.new.stand_in, &self.new.later));
    }

    /// One live zone after the other is told; the others go on as before.
    fn tell(&mut self, phase: BuildPhase, word: &str, from: &Records, to: &Records) {
        let (live, half) = (&self.new.live, half(from, to));
        let (first, rest) = (("-first", from, &half), ("-rest", &half, to));
        let turns: Vec<(&ZoneName, (&str, &Records, &Records))> = match self.course.pieces {
            Pieces::Whole => live.iter().map(|zone| (zone, ("", from, to))).collect(),
            Pieces::HalvesZoneByZone => live.iter().flat_map(|zone| [(zone, first), (zone, rest)]).collect(),
            Pieces::HalvesAcrossZones => {
                [first, rest].into_iter().flat_map(|piece| live.iter().map(move |zone| (zone, piece))).collect()
            }
        };
        for (zone, (piece, from, to)) in turns {
            // The new zone itself never knows half.
            let is_left_out = |other: &&ZoneName| *other != zone && (live.contains(other) || piece == first.0);
            let others: Vec<ZoneName> = live.iter().chain([&self.new.zone]).filter(is_left_out).cloned().collect();
            let here = |records: &Records| Act::Names(Records { left_out: others.clone(), ..records.clone() });
            let bake = if self.course.ruled == Ruled::Not { Duration::ZERO } else { self.course.safety.bake };
            self.step(phase, &format!("{word}.{zone}{piece}"), here(to), Until::Passed(bake), Some(here(from)));
            if let Some(step) = self.steps.last_mut() {
                step.touches = Some(zone.clone());
            }
        }
    }

    fn migrate(&mut self) {
        let (phase, stages) = (BuildPhase::Migrate, &self.new.records);
        if stages.peered != stages.after {
            self.tell(phase, "migrate", &stages.peered, &stages.after);
        }
        let hosts = &self.new.stand_in.hosts;
        if hosts.is_empty() {
            return;
        }
        self.step(phase, "migrate.drain", Act::Nothing, Until::Passed(self.new.drain), None);
        let undo = Some(Act::PowerOn(hosts.clone()));
        self.step(phase, "migrate.stand-in.off", Act::PowerOff(hosts.clone()), Until::Done, undo);
    }

    /// The game day of a link: without its parent the data plane of a local zone goes on by itself.
    fn link(&mut self) {
        let Some((keepers, missing)) = &self.new.local else { return };
        let mark = || Act::Mark(keepers.clone());
        self.step(BuildPhase::Stores, "stores.mark", mark(), Until::Done, None);
        let phase = BuildPhase::GameDay;
        let Group { instances, .. } = &self.new.data;
        let active =
            |without: &[ServiceName]| Until::Active { instances: instances.clone(), without: without.to_vec() };
        let (cut, open) = (Act::Border(Border::Cut), Act::Border(Border::Open));
        self.step(phase, "game.link.cut", cut, Until::Passed(WITHOUT_LINK), Some(open.clone()));
        self.step(phase, "game.link.alone", mark(), active(missing), None);
        self.step(phase, "game.link.back", open, active(&[]), None);
    }

    fn game_day(&mut self) {
        let (phase, zone) = (BuildPhase::GameDay, &self.new.zone);
        let Group { hosts: control, instances: controlling } = &self.new.control;
        let hosts: Vec<HostName> = control.iter().chain(&self.new.data.hosts).cloned().collect();
        let instances = controlling.iter().chain(&self.new.data.instances).cloned().collect();
        let back = Until::Active { instances, without: Vec::new() };
        let (off, on) = (Act::PowerOff(hosts.clone()), Act::PowerOn(hosts));
        self.step(phase, &format!("game.{zone}.off"), off, Until::Passed(OUTAGE), Some(on.clone()));
        self.step(phase, &format!("game.{zone}.on"), on, back, None);
    }
}
