//! Owns the shape of a build's plan: steps in their order, each with what is done, what must come of it, and how it is
//! undone. Refuses to know who performs them.

use super::records::Records;
use fixtures::name::{HostName, InstanceName, RegionName, ServiceName, ZoneName};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Phases of a build, in the order of a region's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BuildPhase {
    /// A bootstrap network with a Franken instance.
    Network,
    /// Who grants what others need to start.
    Identity,
    /// The compute control plane, in buckets, over proxies for what it leans on.
    ControlPlane,
    /// The first hosts of the new place.
    Launch,
    /// A zone's names and endpoints become known to the zones that live.
    Peering,
    /// Its own stores.
    Stores,
    /// Data comes over.
    Copy,
    /// Services scale up here and down there.
    Migrate,
    /// Proxies go.
    Proxies,
    /// What was stored in the bootstrap region goes.
    Empty,
    /// The bootstrap network goes.
    Shutdown,
    /// The border refuses.
    AccessList,
    /// Nothing is done, and everything is looked at.
    Bake,
    /// The border is gone.
    Cut,
    /// Everything else.
    Remaining,
    /// Power is pulled.
    GameDay,
    /// Customers may come.
    Open,
}

impl BuildPhase {
    /// As in events and documents.
    pub fn word(self) -> &'static str {
        match self {
            Self::Network => "bootstrap network",
            Self::Identity => "identity",
            Self::ControlPlane => "control plane",
            Self::Launch => "launch of hosts",
            Self::Peering => "peering",
            Self::Stores => "stores",
            Self::Copy => "copy",
            Self::Migrate => "migration",
            Self::Proxies => "proxies go",
            Self::Empty => "bootstrap stores emptied",
            Self::Shutdown => "bootstrap network shut down",
            Self::AccessList => "access list",
            Self::Bake => "bake",
            Self::Cut => "cut",
            Self::Remaining => "remaining services",
            Self::GameDay => "game day",
            Self::Open => "open",
        }
    }
}

/// Phases with their keys: as in events, and on the command line.
const KEYS: [(BuildPhase, &str); 17] = [
    (BuildPhase::Network, "network"),
    (BuildPhase::Identity, "identity"),
    (BuildPhase::ControlPlane, "control-plane"),
    (BuildPhase::Launch, "launch"),
    (BuildPhase::Peering, "peering"),
    (BuildPhase::Stores, "stores"),
    (BuildPhase::Copy, "copy"),
    (BuildPhase::Migrate, "migrate"),
    (BuildPhase::Proxies, "proxies"),
    (BuildPhase::Empty, "empty"),
    (BuildPhase::Shutdown, "shutdown"),
    (BuildPhase::AccessList, "access-list"),
    (BuildPhase::Bake, "bake"),
    (BuildPhase::Cut, "cut"),
    (BuildPhase::Remaining, "remaining"),
    (BuildPhase::GameDay, "game-day"),
    (BuildPhase::Open, "open"),
];

impl BuildPhase {
    /// As in events, and on the command line: `access-list`.
    pub fn key(self) -> &'static str {
        KEYS.iter().find(|(phase, _)| *phase == self).map_or("", |(_, key)| key)
    }
}

impl std::str::FromStr for BuildPhase {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = KEYS.iter().find(|(_, key)| *key == text);
        let all = || KEYS.map(|(_, key)| key).join(", ");
        found.map(|(phase, _)| *phase).ok_or_else(|| format!("`{text}` is no phase of a build; phases are {}", all()))
    }
}

/// What passes between the bootstrap region's side and the build region's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Border {
    /// Everything.
    Open,
    /// Nothing, and whoever tries is told: the access list.
    Refused,
    /// Nothing, and nobody is told: there is no link.
    Cut,
}

impl Border {
    /// In documents.
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Refused => "closed: what crosses it is refused",
            Self::Cut => "cut",
        }
    }
}

/// A customer of the bootstrap region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// Its name.
    pub name: String,
    /// Whether it wants to be known in the region that is built.
    pub opted_in: bool,
}

/// What is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Give hosts power.
    PowerOn(Vec<HostName>),
    /// Take power from hosts.
    PowerOff(Vec<HostName>),
    /// Have every name server of the region answer from these records.
    Names(Records),
    /// Copy what was written over proxies and is not in the region's own stores yet, and check each value's hash.
    Copy,
    /// Have proxies store in the region's own stores, or in the bootstrap region's again.
    Turn {
        /// True: the region's own.
        inward: bool,
    },
    /// Take what was copied out of the bootstrap region's stores.
    Empty,
    /// Change what passes the border.
    Border(Border),
    /// Have the bootstrap region know these customers.
    Enrol(Vec<Customer>),
    /// Bring the identities of these customers over.
    Admit(Vec<String>),
    /// As customers of a zone, have these keep data that is marked for the zone's country.
    Mark(Vec<InstanceName>),
    /// Read everything that was acknowledged from where it ought to be now.
    Audit,
    /// Nothing.
    Nothing,
}

impl Act {
    /// In a few words.
    pub fn words(&self) -> String {
        match self {
            Self::PowerOn(hosts) => format!("power on {}", count(hosts.len(), "host")),
            Self::PowerOff(hosts) => format!("power off {}", count(hosts.len(), "host")),
            Self::Names(records) => format!("names of {}", count(records.behind.len(), "service")),
            Self::Copy => "copy what is not there yet".to_owned(),
            Self::Turn { inward: true } => "proxies store in the region's own stores".to_owned(),
            Self::Turn { inward: false } => "proxies store in the bootstrap region's stores".to_owned(),
            Self::Empty => "take what was copied out of the bootstrap region's stores".to_owned(),
            Self::Border(Border::Open) => "open the border".to_owned(),
            Self::Border(Border::Refused) => "refuse what crosses the border".to_owned(),
            Self::Border(Border::Cut) => "cut the link".to_owned(),
            Self::Enrol(customers) => format!("make {} known", count(customers.len(), "customer")),
            Self::Admit(customers) => format!("bring over {} who opted in", count(customers.len(), "customer")),
            Self::Mark(keepers) => format!("keep data marked for its country at {}", count(keepers.len(), "instance")),
            Self::Audit => "read back what was acknowledged".to_owned(),
            Self::Nothing => "wait".to_owned(),
        }
    }
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// When a step is over, once its act is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Until {
    /// At once.
    Done,
    /// So much time has passed.
    Passed(Duration),
    /// These answer, in full or not.
    Answering(Vec<InstanceName>),
    /// These answer in full, but for services that are built later.
    Active {
        /// They.
        instances: Vec<InstanceName>,
        /// What may be missing.
        without: Vec<ServiceName>,
    },
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its id, unique in the plan: `migrate.core1.drain`.
    pub id: String,
    /// The phase that it belongs to.
    pub phase: BuildPhase,
    /// Zones whose racks must have landed before it.
    pub racks: Vec<ZoneName>,
    /// What is done.
    pub act: Act,
    /// What must come of it.
    pub until: Until,
    /// How long that may take. It is begun again then, a few times.
    pub limit: Duration,
    /// What undoes it; nothing where there is nothing to be undone.
    pub undo: Option<Act>,
    /// The live zone that it changes.
    pub touches: Option<ZoneName>,
}

/// Rules for steps that change a live region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Safety {
    /// The length of a (virtual) day: no two zones are changed on one.
    pub day: Duration,
    /// From the end of one zone's change to the next zone's.
    pub bake: Duration,
    /// The most zones of a region that may differ from the others at once, in percent of them.
    pub share_percent: u32,
}

/// Which of these rules the builder keeps to; the judge knows all of them in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruled {
    /// All.
    Wholly,
    /// Days and bakes, and no share: the half of a defect that B7 finds.
    ButForShares,
    /// None: another.
    Not,
}

/// A build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildPlan {
    /// The region.
    pub region: RegionName,
    /// Its steps, in their order.
    pub steps: Vec<Step>,
    /// From this step on (by its place) nothing can be undone; the number of steps where everything can.
    pub no_return: usize,
    /// Rules, where a live region is changed.
    pub safety: Option<Safety>,
    /// Which of them the builder keeps to.
    pub ruled: Ruled,
    /// Whether harm to customers stops the build and rolls it back.
    pub guarded: bool,
}

impl BuildPlan {
    /// The place of a step.
    pub fn place(&self, id: &str) -> Option<usize> {
        self.steps.iter().position(|step| step.id == id)
    }

    /// Phases in the order in which they come.
    pub fn phases(&self) -> Vec<BuildPhase> {
        let mut phases: Vec<BuildPhase> = self.steps.iter().map(|step| step.phase).collect();
        phases.dedup();
        phases
    }
}
