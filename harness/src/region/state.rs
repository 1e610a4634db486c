//! Owns how a standing region stands, as its keeper publishes it for those who look: a file, whole at any time. Refuses to
//! look by itself.

use super::availability::Availability;
use super::folder::{Folder, Lock};
use crate::schedule::moment::Moment;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A keeper says how it stands at least so often.
pub const SAID_EVERY: Duration = Duration::from_secs(2);

/// At what a region is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// It is being built.
    Building,
    /// Everybody is active, and it is watched.
    Well,
    /// It is watched, and not everybody is active.
    Unwell,
    /// It is being taken over; hosts without power get theirs.
    Starting,
    /// A game day is held in it.
    Lent,
    /// Its keeper does not reach it: no engine, or no hand.
    Lost,
    /// Nobody keeps it.
    Unkept,
}

impl Phase {
    /// All, as metrics tell them.
    pub const ALL: [Self; 7] =
        [Self::Building, Self::Well, Self::Unwell, Self::Starting, Self::Lent, Self::Lost, Self::Unkept];

    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Well => "well",
            Self::Unwell => "unwell",
            Self::Starting => "starting",
            Self::Lent => "lent",
            Self::Lost => "lost",
            Self::Unkept => "unkept",
        }
    }
}

/// How a region stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Its name.
    pub name: String,
    /// The id that its objects carry.
    pub run: String,
    /// At what it is.
    pub phase: Phase,
    /// Since when.
    pub since: Moment,
    /// When this was so.
    pub at: Moment,
    /// When it stood first.
    pub built: Option<Moment>,
    /// What is the matter, for people.
    pub why: String,
    /// The game day that is held in it.
    pub day: Option<String>,
    /// Hosts, and instances with how many are active.
    pub hosts: usize,
    /// Instances.
    pub instances: usize,
    /// Those that are active.
    pub active: usize,
    /// Each zone.
    pub zones: Vec<ZoneState>,
    /// How often it came back from the dark, of what its ledger keeps.
    pub black_starts: usize,
    /// How long the last time took from power to active, in milliseconds.
    pub last_black_start_ms: Option<u64>,
    /// What is not as declared, as it was seen last.
    pub drift: Vec<String>,
}

/// What customers of a zone got: shares from 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ZoneState {
    /// It.
    pub zone: String,
    /// In the last five minutes.
    pub now: Option<f64>,
    /// In the last hour.
    pub hour: Option<f64>,
    /// In the last day.
    pub day: Option<f64>,
    /// Ever.
    pub all: Option<f64>,
    /// Requests wanted, ever, and those that were answered.
    pub wanted: u64,
    /// Answered.
    pub answered: u64,
}

/// What its customers got until a moment.
pub fn zones(availability: &Availability, now: Moment) -> Vec<ZoneState> {
    let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3_600));
    let zone = |(name, zone): (&str, &super::availability::Zone)| ZoneState {
        zone: name.to_owned(),
        now: zone.within(now, 5 * minute).share(),
        hour: zone.within(now, hour).share(),
        day: zone.within(now, 24 * hour).share(),
        all: zone.all.share(),
        wanted: zone.all.sent + zone.all.unsent,
        answered: zone.all.answered,
    };
    availability.zones().map(zone).collect()
}

impl State {
    /// What a folder says; of a region whose keeper is gone, that nobody keeps it.
    pub fn read(folder: &Folder) -> Option<Self> {
        let mut state: Self = folder.read("state.json").ok().flatten()?;
        let day = folder.holder(Lock::Day);
        if state.phase != Phase::Building && folder.holder(Lock::Keeper).is_none() {
            state.phase = if day.is_some() { Phase::Lent } else { Phase::Unkept };
            state.why =
                format!("`blackstart region keep {}`, or a server whose schedule names it, keeps it", state.name);
        }
        state.day = day;
        Some(state)
    }

    /// All regions below a root.
    pub fn all(root: &std::path::Path) -> Vec<Self> {
        Folder::all(root).iter().filter_map(Self::read).collect()
    }
}
