//! Owns the order in which a zone is built into a region that serves customers, and a local zone beside one. Refuses to know
//! how anything is done; and to hurry: what changes a live zone is under rules.
//!
//! What is built apart from the live zones goes as fast as it can. Peering is what they notice: each live zone in turn is
//! told of the new one, on a day of its own, and what was changed bakes before the next.

use super::plan::{Act, BuildPhase, BuildPlan, Safety, Step, Until};
use super::records::Records;
use fixtures::name::{HostName, InstanceName, RegionName, ZoneName};
use std::time::Duration;

/// Hosts that are given power together, and who is on them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    /// The hosts.
    pub hosts: Vec<HostName>,
    /// Their instances.
    pub instances: Vec<InstanceName>,
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
    /// Who is behind each name now, and at the end.
    pub records: (Records, Records),
}

/// The plan of a zone. Where nobody keeps to the rules, live zones are changed one right after the other: the defect that B7 finds.
pub fn plan(new: &NewZone, safety: Safety, ruled: bool, limit: Duration) -> BuildPlan {
    let mut steps: Vec<Step> = Vec::new();
    let mut add = |phase, id: String, act: Act, until: Until, undo: Option<Act>, touches: Option<ZoneName>| {
        let racks = if phase == BuildPhase::Launch { vec![new.zone.clone()] } else { Vec::new() };
        let limit = limit.max(if let Until::Passed(time) = &until { *time * 2 } else { Duration::ZERO });
        steps.push(Step { id, phase, racks, act, until, limit, undo, touches });
    };
    let on = |group: &Group| (Act::PowerOn(group.hosts.clone()), Some(Act::PowerOff(group.hosts.clone())));
    let active = |group: &Group| Until::Active { instances: group.instances.clone(), without: Vec::new() };
    if !new.stand_in.hosts.is_empty() {
        let (act, undo) = on(&new.stand_in);
        add(BuildPhase::ControlPlane, "control.stand-in".to_owned(), act, active(&new.stand_in), undo, None);
    }
    let (before, after) = &new.records;
    for (position, zone) in new.live.iter().enumerate() {
        // Those that come later go on as before.
        let told = |through: usize| Records { left_out: new.live[through..].to_vec(), ..after.clone() };
        let undone = if position == 0 { before.clone() } else { told(position) };
        let (act, undo) = (Act::Names(told(position + 1)), Some(Act::Names(undone)));
        let until = Until::Passed(if ruled { safety.bake } else { Duration::ZERO });
        add(BuildPhase::Peering, format!("peering.{zone}"), act, until, undo, Some(zone.clone()));
    }
    for (word, group) in [("control", &new.control), ("data", &new.data)] {
        if !group.hosts.is_empty() {
            let (act, undo) = on(group);
            add(BuildPhase::Launch, format!("launch.{word}"), act, active(group), undo, None);
        }
    }
    if !new.stand_in.hosts.is_empty() {
        let off = Act::PowerOff(new.stand_in.hosts.clone());
        let undo = Some(Act::PowerOn(new.stand_in.hosts.clone()));
        add(BuildPhase::Migrate, "migrate.stand-in.off".to_owned(), off, Until::Done, undo, None);
    }
    let all: Vec<HostName> = new.control.hosts.iter().chain(&new.data.hosts).cloned().collect();
    let everybody = new.control.instances.iter().chain(&new.data.instances).cloned().collect();
    let back = Until::Active { instances: everybody, without: Vec::new() };
    let undo = Some(Act::PowerOn(all.clone()));
    let outage = Until::Passed(Duration::from_secs(3));
    add(BuildPhase::GameDay, format!("game.{}.off", new.zone), Act::PowerOff(all.clone()), outage, undo, None);
    add(BuildPhase::GameDay, format!("game.{}.on", new.zone), Act::PowerOn(all), back, None, None);
    add(BuildPhase::Open, "open".to_owned(), Act::Nothing, Until::Done, None, None);
    let no_return = steps.len();
    BuildPlan { region: new.region.clone(), steps, no_return, safety: Some(safety), ruled, guarded: true }
}
