//! Owns the order in which a region is built out of another one. Refuses to know how anything is done.
//!
//! What stands in for something goes when nothing needs it any more: Franken's roles one by one, proxies when the stores
//! are there, the bootstrap network when its services run in the build region, the border when nobody crosses it.

use super::plan::{Act, Border, BuildPhase, BuildPlan, Customer, Ruled, Step, Until};
use super::records::Records;
use fixtures::name::{HostName, InstanceName, ServiceName, ZoneName};
use fixtures::regional::estate::{Estate, Part, Site, Standing};
use std::time::Duration;

/// Times of a build, and what it leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// How long nothing may cross the border before it is cut.
    pub bake: Duration,
    /// How long a zone is dark on the game day.
    pub outage: Duration,
    /// How long a step may take before it is begun again.
    pub limit: Duration,
    /// Whether what was written while data was copied is copied too, once proxies store in the region's own stores.
    pub last_pass: bool,
    /// Zones whose name servers are not told of the new stores, until services have migrated.
    pub left_out: Vec<ZoneName>,
    /// Whether identities of customers come over who did not opt in.
    pub unasked: bool,
}

/// Customers of the bootstrap region, of whom every second one opts in.
const CUSTOMERS: usize = 12;

fn customers() -> impl Iterator<Item = Customer> {
    (1..=CUSTOMERS).map(|number| Customer { name: format!("customer-{number}"), opted_in: number % 2 == 0 })
}

impl Default for Course {
    fn default() -> Self {
        Self {
            bake: Duration::from_secs(20),
            outage: Duration::from_secs(3),
            limit: Duration::from_secs(60),
            last_pass: true,
            left_out: Vec::new(),
            unasked: false,
        }
    }
}

/// The plan of a region.
pub fn plan(estate: &Estate, course: &Course) -> BuildPlan {
    let mut writer = Writer { estate, course, steps: Vec::new(), records: Records::default(), racks: Vec::new() };
    writer.network();
    writer.identity();
    writer.control_plane();
    writer.launch();
    writer.stores();
    writer.migrate();
    writer.leave();
    let no_return = writer.steps.iter().position(|step| step.phase == BuildPhase::Empty);
    writer.stand_alone();
    let region = estate.build.region.clone();
    let no_return = no_return.unwrap_or(writer.steps.len());
    BuildPlan { region, steps: writer.steps, no_return, safety: None, ruled: Ruled::Wholly, guarded: true }
}

struct Writer<'a> {
    estate: &'a Estate,
    course: &'a Course,
    steps: Vec<Step>,
    /// What name servers answer by now.
    records: Records,
    /// Racks that the next step waits for.
    racks: Vec<ZoneName>,
}

impl Writer<'_> {
    fn step(&mut self, phase: BuildPhase, id: &str, act: Act, until: Until, undo: Option<Act>) {
        // What cannot be done before the racks are there waits with the first step that needs them.
        let racks = std::mem::take(&mut self.racks);
        let limit = self.course.limit.max(if let Until::Passed(time) = &until { *time * 2 } else { Duration::ZERO });
        self.steps.push(Step { id: id.to_owned(), phase, racks, act, until, limit, undo, touches: None });
    }

    fn hosts(&self, site: Site, part: Part) -> Vec<HostName> {
        self.estate.hosts(|standing| *standing == Standing { site, part, zone: standing.zone })
    }

    fn instances(&self, site: Site, part: Part) -> Vec<InstanceName> {
        self.estate.instances(|standing| *standing == Standing { site, part, zone: standing.zone })
    }

    /// Instances of one service in one place.
    fn copies(&self, service: &ServiceName, site: Site, part: Part) -> Vec<InstanceName> {
        let mut copies = self.instances(site, part);
        copies.retain(|name| {
            self.estate.placement.instance_by_name(name).is_some_and(|instance| &instance.service == service)
        });
        copies
    }

    /// Has name servers answer from changed records.
    fn names(&mut self, phase: BuildPhase, id: &str, change: impl FnOnce(&Self, Records) -> Records) {
        let before = self.records.clone();
        self.records = change(self, before.clone());
        self.step(phase, id, Act::Names(self.records.clone()), Until::Done, Some(Act::Names(before)));
    }

    /// Has these services answered for by who is in some places.
    fn behind(&self, records: Records, services: &[ServiceName], places: &[(Site, Part)]) -> Records {
        services.iter().fold(records, |records, service| {
            let copies = places.iter().flat_map(|(site, part)| self.copies(service, *site, *part));
            records.with(service, copies.collect())
        })
    }

    fn power_on(&mut self, phase: BuildPhase, id: &str, (site, part): (Site, Part), until: Until) {
        let hosts = self.hosts(site, part);
        self.step(phase, id, Act::PowerOn(hosts.clone()), until, Some(Act::PowerOff(hosts)));
    }

    fn power_off(&mut self, phase: BuildPhase, id: &str, places: &[(Site, Part)]) {
        let hosts: Vec<HostName> = places.iter().flat_map(|(site, part)| self.hosts(*site, *part)).collect();
        self.step(phase, id, Act::PowerOff(hosts.clone()), Until::Done, Some(Act::PowerOn(hosts)));
    }

    fn active(&self, site: Site, part: Part) -> Until {
        Until::Active { instances: self.instances(site, part), without: self.estate.cast.rest.clone() }
    }

    /// Clients have let go of what names no longer say.
    fn drain(&mut self, phase: BuildPhase, id: &str) {
        // Twice the time for which an answer is good: one that is past it is used while the next is fetched.
        let ttl = self.estate.graph.names.as_ref().map_or(Duration::ZERO, |names| names.ttl);
        self.step(phase, id, Act::Nothing, Until::Passed(ttl * 3), None);
    }

    fn network(&mut self) {
        let phase = BuildPhase::Network;
        self.names(phase, "network.names", |this, mut records| {
            records.everywhere = this.instances(Site::Network, Part::Franken);
            this.behind(records, &this.estate.cast.franken(), &[(Site::Network, Part::Franken)])
        });
        let until = self.active(Site::Network, Part::Franken);
        self.power_on(phase, "network.franken", (Site::Network, Part::Franken), until);
    }

    fn identity(&mut self) {
        let (phase, place) = (BuildPhase::Identity, (Site::Network, Part::Identity));
        self.names(phase, "identity.names", |this, records| this.behind(records, &this.estate.cast.identity, &[place]));
        let until = self.active(place.0, place.1);
        self.power_on(phase, "identity.hosts", place, until);
        if self.estate.cast.accounts.is_some() {
            self.step(phase, "identity.customers", Act::Enrol(customers().collect()), Until::Done, None);
        }
    }

    fn control_plane(&mut self) {
        let phase = BuildPhase::ControlPlane;
        let proxies = (Site::Network, Part::Proxy);
        self.names(phase, "control.proxies.names", |this, records| {
            this.behind(records, &this.estate.cast.stores, &[proxies])
        });
        let until = self.active(proxies.0, proxies.1);
        self.power_on(phase, "control.proxies", proxies, until);
        self.buckets(phase, "control", &[Site::Network], Site::Network);
    }

    /// Launches buckets one after the other, and waits until all of them work.
    fn buckets(&mut self, phase: BuildPhase, word: &str, behind: &[Site], site: Site) {
        let buckets = self.estate.cast.core.clone();
        let mut all = Vec::new();
        for (number, services) in buckets.iter().enumerate() {
            let part = Part::Core(number);
            let places: Vec<(Site, Part)> = behind.iter().map(|site| (*site, part)).collect();
            self.names(phase, &format!("{word}.core{number}.names"), |this, records| {
                this.behind(records, services, &places)
            });
            let launched = self.instances(site, part);
            self.power_on(phase, &format!("{word}.core{number}"), (site, part), Until::Answering(launched.clone()));
            all.extend(launched);
        }
        let until = Until::Active { instances: all, without: self.estate.cast.rest.clone() };
        self.step(phase, &format!("{word}.core"), Act::Nothing, until, None);
    }

    fn launch(&mut self) {
        let phase = BuildPhase::Launch;
        self.racks = self.estate.build.zones.clone();
        let until = self.active(Site::Build, Part::Names);
        self.power_on(phase, "launch.names", (Site::Build, Part::Names), until);
        let cast = &self.estate.cast;
        let foundation: Vec<ServiceName> = cast.authority.iter().chain([&cast.packages]).cloned().collect();
        let (own, franken) = ((Site::Build, Part::Foundation), (Site::Network, Part::Franken));
        let until = self.active(own.0, own.1);
        self.power_on(phase, "launch.foundation", own, until);
        // From here on the Franken instance answers names in the bootstrap network, and nothing else.
        self.names(phase, "launch.foundation.names", |this, records| {
            let records = this.behind(records, &foundation, &[own]);
            let names = std::slice::from_ref(&this.estate.cast.names);
            this.behind(records, names, &[(Site::Build, Part::Names), franken])
        });
        let identity = (Site::Build, Part::Identity);
        self.names(phase, "launch.identity.names", |this, records| {
            this.behind(records, &this.estate.cast.identity, &[(Site::Network, Part::Identity), identity])
        });
        let until = self.active(identity.0, identity.1);
        self.power_on(phase, "launch.identity", identity, until);
    }

    fn stores(&mut self) {
        let phase = BuildPhase::Stores;
        let own = (Site::Build, Part::Store);
        let until = self.active(own.0, own.1);
        self.power_on(phase, "stores.hosts", own, until);
        let phase = BuildPhase::Copy;
        self.step(phase, "copy.first", Act::Copy, Until::Done, None);
        // Before the switch data goes to the new stores; from here on there is one place that takes writes.
        let turned_back = Some(Act::Turn { inward: false });
        let until = self.active(Site::Network, Part::Proxy);
        self.step(phase, "copy.turn", Act::Turn { inward: true }, until, turned_back);
        if self.course.last_pass {
            self.step(phase, "copy.last", Act::Copy, Until::Done, None);
        }
        let left_out = self.course.left_out.clone();
        self.names(phase, "copy.names", |this, mut records| {
            records.left_out = left_out;
            this.behind(records, &this.estate.cast.stores, &[own])
        });
        self.drain(phase, "copy.drain");
        if self.estate.cast.accounts.is_some() {
            // A customer's identity is no data of the region that is built until that customer says so.
            let asked = customers().filter(|customer| customer.opted_in || self.course.unasked);
            let admit = Act::Admit(asked.map(|customer| customer.name).collect());
            self.step(phase, "copy.opt-in", admit, Until::Done, None);
        }
    }

    fn migrate(&mut self) {
        let phase = BuildPhase::Migrate;
        self.buckets(phase, "migrate", &[Site::Network, Site::Build], Site::Build);
        let buckets = self.estate.cast.core.clone();
        self.names(phase, "migrate.names", |this, mut records| {
            records.left_out.clear();
            let records = this.behind(records, &this.estate.cast.identity, &[(Site::Build, Part::Identity)]);
            buckets.iter().enumerate().fold(records, |records, (number, services)| {
                this.behind(records, services, &[(Site::Build, Part::Core(number))])
            })
        });
        self.drain(phase, "migrate.drain");
        // The last bucket leans on the others: it goes first.
        for number in (0..buckets.len()).rev() {
            self.power_off(phase, &format!("migrate.core{number}.off"), &[(Site::Network, Part::Core(number))]);
        }
    }

    fn leave(&mut self) {
        self.power_off(BuildPhase::Proxies, "proxies.off", &[(Site::Network, Part::Proxy)]);
        self.step(BuildPhase::Empty, "empty.stores", Act::Empty, Until::Done, None);
        let phase = BuildPhase::Shutdown;
        self.names(phase, "shutdown.names", |this, mut records| {
            records.everywhere.clear();
            this.behind(records, std::slice::from_ref(&this.estate.cast.names), &[(Site::Build, Part::Names)])
        });
        let places = [(Site::Network, Part::Identity), (Site::Network, Part::Franken)];
        self.power_off(phase, "shutdown.hosts", &places);
        let refused = Act::Border(Border::Refused);
        self.step(BuildPhase::AccessList, "border.refused", refused, Until::Done, Some(Act::Border(Border::Open)));
        self.step(BuildPhase::Bake, "border.bake", Act::Nothing, Until::Passed(self.course.bake), None);
        let back = Some(Act::Border(Border::Refused));
        self.step(BuildPhase::Cut, "border.cut", Act::Border(Border::Cut), Until::Done, back);
    }

    fn stand_alone(&mut self) {
        let (phase, rest) = (BuildPhase::Remaining, (Site::Build, Part::Rest));
        self.names(phase, "rest.names", |this, records| this.behind(records, &this.estate.cast.rest, &[rest]));
        let everybody = self.estate.instances(|standing| standing.site == Site::Build);
        let all = || Until::Active { instances: everybody.clone(), without: Vec::new() };
        self.power_on(phase, "rest.hosts", rest, all());
        let phase = BuildPhase::GameDay;
        let outage = Until::Passed(self.course.outage);
        for (number, zone) in self.estate.build.zones.clone().into_iter().enumerate() {
            let hosts = self.estate.hosts(|standing| standing.site == Site::Build && standing.zone == number);
            let off = Act::PowerOff(hosts.clone());
            self.step(phase, &format!("game.{zone}.off"), off, outage.clone(), Some(Act::PowerOn(hosts.clone())));
            self.step(phase, &format!("game.{zone}.on"), Act::PowerOn(hosts), all(), None);
        }
        let hosts = self.estate.hosts(|standing| standing.site == Site::Build);
        let off = Act::PowerOff(hosts.clone());
        self.step(phase, "game.region.off", off, outage, Some(Act::PowerOn(hosts.clone())));
        self.step(phase, "game.region.on", Act::PowerOn(hosts), all(), None);
        self.step(BuildPhase::Open, "open.audit", Act::Audit, Until::Done, None);
    }
}
