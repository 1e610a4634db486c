//! Owns the closed set of faults; each kind is one file below `fault/`: what it does, its inverse, its probe of effect,
//! the rights it needs, and whom it hits. Refuses to know how a world performs them.

pub mod boot;
pub mod clock_wrong;
pub mod cut;
pub mod deploy;
pub mod disk_errors;
pub mod disk_full;
pub mod disk_slow;
pub mod exit;
pub mod freeze;
pub mod grants_expired;
pub mod grants_refused;
pub mod gray_zone;
pub mod kill;
pub mod link;
pub mod memory;
pub mod names_dead;
pub mod names_empty;
pub mod names_slow;
pub mod names_stale;
pub mod names_wrong;
mod paths;
pub mod pause;
pub mod power_off;
pub mod processor;
pub mod push;
pub mod restart;
pub mod rollout;
mod selection;
pub mod shift;
pub mod surge;
mod turn;

pub use boot::Boot;
pub use clock_wrong::ClockWrong;
pub use cut::{Cut, CutShape, MEMBERS_MIN};
pub use deploy::Deploy;
pub use disk_errors::DiskErrors;
pub use disk_full::DiskFull;
pub use disk_slow::{DELAY_MIN, DiskSlow};
pub use exit::Exit;
pub use freeze::Freeze;
pub use grants_expired::GrantsExpired;
pub use grants_refused::GrantsRefused;
pub use gray_zone::GrayZone;
pub use kill::Kill;
pub use link::Link;
pub use memory::Memory;
pub use names_dead::NamesDead;
pub use names_empty::NamesEmpty;
pub use names_slow::NamesSlow;
pub use names_stale::NamesStale;
pub use names_wrong::NamesWrong;
pub use pause::Pause;
pub use power_off::PowerOff;
pub use processor::Processor;
pub use push::Push;
pub use restart::Restart;
pub use rollout::Rollout;
pub use selection::{Selection, zones_of};
pub use shift::Shift;
pub use surge::{FACTOR_MAX, Surge};

use crate::plan::{Deed, Switch};
use crate::seed::Draw;
use fixtures::name::{HostName, ServiceName, ZoneName};
use fixtures::placement::Placement;
use fixtures::trouble::Trouble;
use std::time::Duration;

/// Everything that can be done to a region. Each has its inverse: what is injected is healed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Hosts lose power at once, and get it back at once.
    PowerOff(PowerOff),
    /// Hosts do not boot as they should.
    Boot(Boot),
    /// Hosts are frozen.
    Pause(Pause),
    /// Processes are killed, once.
    Kill(Kill),
    /// Processes are asked to end, once.
    Exit(Exit),
    /// Hosts lose power and get it back at once.
    Restart(Restart),
    /// Hosts are short of processor time.
    Processor(Processor),
    /// Hosts are short of memory.
    Memory(Memory),
    /// Disks are full.
    DiskFull(DiskFull),
    /// Disks are slow.
    DiskSlow(DiskSlow),
    /// Disks fail.
    DiskErrors(DiskErrors),
    /// Links are cut.
    Cut(Cut),
    /// Links are bad.
    Link(Link),
    /// A zone looks well and is not.
    GrayZone(GrayZone),
    /// Name servers say that nobody is there.
    NamesEmpty(NamesEmpty),
    /// Name servers answer with what once was.
    NamesStale(NamesStale),
    /// Name servers answer with somebody else's addresses.
    NamesWrong(NamesWrong),
    /// Name servers answer late.
    NamesSlow(NamesSlow),
    /// Name servers do not answer.
    NamesDead(NamesDead),
    /// Certificates or credentials are not granted.
    GrantsRefused(GrantsRefused),
    /// Certificates or credentials that are granted have ended already.
    GrantsExpired(GrantsExpired),
    /// Clocks of hosts are wrong.
    ClockWrong(ClockWrong),
    /// A control plane changes nothing.
    Freeze(Freeze),
    /// Traffic is moved out of zones.
    Shift(Shift),
    /// Customers send more.
    Surge(Surge),
    /// Running processes take other settings.
    Push(Push),
    /// Processes are started again as another version.
    Deploy(Deploy),
}

/// What a kind of fault is, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its key in a game-day file.
    pub kind: &'static str,
    /// What it does.
    pub what: &'static str,
    /// How it is undone.
    pub inverse: &'static str,
    /// How its effect is seen from outside.
    pub probe: &'static str,
    /// What a world must be allowed to do.
    pub rights: &'static str,
}

/// Every kind of fault.
pub fn catalogue() -> &'static [Entry] {
    &[
        power_off::ENTRY,
        boot::ENTRY,
        pause::ENTRY,
        kill::ENTRY,
        exit::ENTRY,
        restart::ENTRY,
        processor::ENTRY,
        memory::ENTRY,
        disk_full::ENTRY,
        disk_slow::ENTRY,
        disk_errors::ENTRY,
        cut::ENTRY,
        link::ENTRY,
        gray_zone::ENTRY,
        names_empty::ENTRY,
        names_stale::ENTRY,
        names_wrong::ENTRY,
        names_slow::ENTRY,
        names_dead::ENTRY,
        grants_refused::ENTRY,
        grants_expired::ENTRY,
        clock_wrong::ENTRY,
        freeze::ENTRY,
        shift::ENTRY,
        surge::ENTRY,
        push::ENTRY,
        deploy::ENTRY,
    ]
}

/// A fault on a placement: whom it hits, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aim {
    /// The hosts it is aimed at, in placement order.
    pub hosts: Vec<HostName>,
    /// The zones that cannot be expected to carry on meanwhile.
    pub zones: Vec<ZoneName>,
    /// What happens to them.
    pub deed: Deed,
}

/// A part of a fault that begins so long after the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wave {
    /// What tells it from the others; `None` where there is one.
    pub name: Option<String>,
    /// How long after the fault's beginning.
    pub after: Duration,
    /// Whom it hits, and with what.
    pub aim: Aim,
}

impl Wave {
    fn only(aim: Aim) -> Self {
        Self { name: None, after: Duration::ZERO, aim }
    }
}

impl Aim {
    /// A deed on whatever a selection means, which disturbs their zones.
    fn whole(selection: &Selection, placement: &Placement, draw: Draw<'_>, deed: Deed) -> Self {
        let hosts = selection.resolve(placement, draw);
        Self { zones: zones_of(&hosts, placement), hosts, deed }
    }

    /// A switch at the services that a selection means, or at all. No zone is disturbed by it.
    fn switched(selection: &Selection, placement: &Placement, draw: Draw<'_>, switch: Switch) -> Self {
        let hosts = selection.resolve(placement, draw);
        let services = services_on(&hosts, &selection.services, placement);
        Self { zones: Vec::new(), hosts, deed: Deed::Switch { services, switch } }
    }

    /// Trouble of the name servers on the hosts that a selection means; nobody where the region has none.
    fn of_names(
        selection: &Selection,
        placement: &Placement,
        draw: Draw<'_>,
        trouble: Trouble,
        disturbs: bool,
    ) -> Self {
        let services: Vec<ServiceName> = placement.roles.names.iter().cloned().collect();
        let aim = Self::of_services(selection, services, placement, draw, trouble);
        if disturbs { Self { zones: zones_of(&aim.hosts, placement), ..aim } } else { aim }
    }

    /// Trouble of those who grant on the hosts that a selection means; nobody where nothing that is granted ends.
    fn of_grants(selection: &Selection, placement: &Placement, draw: Draw<'_>, trouble: Trouble) -> Self {
        let is_meant = |service: &&ServiceName| selection.services.is_empty() || selection.services.contains(service);
        let services = placement.roles.granters.iter().filter(is_meant).cloned().collect();
        let aim = Self::of_services(selection, services, placement, draw, trouble);
        Self { zones: zones_of(&aim.hosts, placement), ..aim }
    }

    fn of_services(
        selection: &Selection,
        services: Vec<ServiceName>,
        placement: &Placement,
        draw: Draw<'_>,
        trouble: Trouble,
    ) -> Self {
        let narrowed = Selection { services: services.clone(), ..selection.clone() };
        let hosts = if services.is_empty() { Vec::new() } else { narrowed.resolve(placement, draw) };
        Self { hosts, zones: Vec::new(), deed: Deed::Trouble { trouble, services } }
    }
}

impl Fault {
    /// What people are told of its kind.
    pub fn entry(&self) -> &'static Entry {
        match self {
            Self::PowerOff(_) => &power_off::ENTRY,
            Self::Boot(_) => &boot::ENTRY,
            Self::Pause(_) => &pause::ENTRY,
            Self::Kill(_) => &kill::ENTRY,
            Self::Exit(_) => &exit::ENTRY,
            Self::Restart(_) => &restart::ENTRY,
            Self::Processor(_) => &processor::ENTRY,
            Self::Memory(_) => &memory::ENTRY,
            Self::DiskFull(_) => &disk_full::ENTRY,
            Self::DiskSlow(_) => &disk_slow::ENTRY,
            Self::DiskErrors(_) => &disk_errors::ENTRY,
            Self::Cut(_) => &cut::ENTRY,
            Self::Link(_) => &link::ENTRY,
            Self::GrayZone(_) => &gray_zone::ENTRY,
            Self::NamesEmpty(_) => &names_empty::ENTRY,
            Self::NamesStale(_) => &names_stale::ENTRY,
            Self::NamesWrong(_) => &names_wrong::ENTRY,
            Self::NamesSlow(_) => &names_slow::ENTRY,
            Self::NamesDead(_) => &names_dead::ENTRY,
            Self::GrantsRefused(_) => &grants_refused::ENTRY,
            Self::GrantsExpired(_) => &grants_expired::ENTRY,
            Self::ClockWrong(_) => &clock_wrong::ENTRY,
            Self::Freeze(_) => &freeze::ENTRY,
            Self::Shift(_) => &shift::ENTRY,
            Self::Surge(_) => &surge::ENTRY,
            Self::Push(_) => &push::ENTRY,
            Self::Deploy(_) => &deploy::ENTRY,
        }
    }

    /// Whether it happens in one instant, so that there is nothing that lasts.
    pub fn is_instant(&self) -> bool {
        matches!(self, Self::Kill(_) | Self::Exit(_) | Self::Restart(_))
    }

    /// Whether it takes power from hosts.
    pub fn takes_power(&self) -> bool {
        matches!(self, Self::PowerOff(_) | Self::Restart(_))
    }

    /// Whom it hits on a placement, and with what.
    pub fn aim(&self, placement: &Placement, draw: Draw<'_>) -> Aim {
        match self {
            Self::PowerOff(fault) => fault.aim(placement, draw),
            Self::Boot(fault) => fault.aim(placement, draw),
            Self::Pause(fault) => fault.aim(placement, draw),
            Self::Kill(fault) => fault.aim(placement, draw),
            Self::Exit(fault) => fault.aim(placement, draw),
            Self::Restart(fault) => fault.aim(placement, draw),
            Self::Processor(fault) => fault.aim(placement, draw),
            Self::Memory(fault) => fault.aim(placement, draw),
            Self::DiskFull(fault) => fault.aim(placement, draw),
            Self::DiskSlow(fault) => fault.aim(placement, draw),
            Self::DiskErrors(fault) => fault.aim(placement, draw),
            Self::Cut(fault) => fault.aim(placement, draw),
            Self::Link(fault) => fault.aim(placement, draw),
            Self::GrayZone(fault) => fault.aim(placement, draw),
            Self::NamesEmpty(fault) => fault.aim(placement, draw),
            Self::NamesStale(fault) => fault.aim(placement, draw),
            Self::NamesWrong(fault) => fault.aim(placement, draw),
            Self::NamesSlow(fault) => fault.aim(placement, draw),
            Self::NamesDead(fault) => fault.aim(placement, draw),
            Self::GrantsRefused(fault) => fault.aim(placement, draw),
            Self::GrantsExpired(fault) => fault.aim(placement, draw),
            Self::ClockWrong(fault) => fault.aim(placement, draw),
            Self::Freeze(fault) => fault.aim(placement, draw),
            Self::Shift(fault) => fault.aim(placement, draw),
            Self::Surge(fault) => fault.aim(placement, draw),
            Self::Push(fault) => fault.0.aim(false, placement, draw),
            Self::Deploy(fault) => fault.0.aim(true, placement, draw),
        }
    }

    /// Its parts in the order in which they begin: one, but for a version that goes from zone to zone.
    pub fn waves(&self, placement: &Placement, draw: Draw<'_>) -> Vec<Wave> {
        match self {
            Self::Push(fault) => fault.0.waves(false, placement, draw),
            Self::Deploy(fault) => fault.0.waves(true, placement, draw),
            other => vec![Wave::only(other.aim(placement, draw))],
        }
    }

    /// The version that it brings to a service, where it does.
    pub fn rollout(&self) -> Option<&Rollout> {
        match self {
            Self::Push(Push(rollout)) | Self::Deploy(Deploy(rollout)) => Some(rollout),
            _ => None,
        }
    }
}

/// The services whose processes on some hosts are meant: the named ones, or, where none is named, all, in placement
/// order.
fn services_on(hosts: &[HostName], named: &[ServiceName], placement: &Placement) -> Vec<ServiceName> {
    let mut services: Vec<ServiceName> = Vec::new();
    for instance in placement.instances.iter().filter(|instance| hosts.contains(&placement.hosts[instance.host].name)) {
        let meant = named.is_empty() || named.contains(&instance.service);
        if meant && !services.contains(&instance.service) {
            services.push(instance.service.clone());
        }
    }
    services
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
