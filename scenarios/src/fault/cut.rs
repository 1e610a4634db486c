//! Owns cut links between hosts: all between two sets, or a partial partition among several. Inverse: packets pass as
//! before. Refuses to know packet filters.

use super::{Aim, Entry, Selection, paths, zones_of};
use crate::plan::{Deed, LinkAct, LinkRule};
use crate::seed::Draw;
use fixtures::name::HostName;
use fixtures::placement::Placement;

/// Its row in the table of faults.
pub const ENTRY: Entry = Entry {
    kind: "cut",
    what: "packets between two sets of hosts vanish or are refused: all of them, all but over a bridge, or so that each \
           hears another majority",
    inverse: "packets pass as before",
    probe: "connections across the cut fail in the way that was asked, and the rules have counted packets",
    rights: "the engine's host: its network namespace and packet filter",
};

/// Fewer members than this cannot be partitioned in part.
pub const MEMBERS_MIN: usize = 3;

/// Links are cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// One side, or everybody among whom a partial partition is made. One-way: the senders.
    pub from: Selection,
    /// The other side; `None` is every other host of the same regions. A partial partition has none.
    pub to: Option<Selection>,
    /// Which links.
    pub shape: CutShape,
    /// Only packets of `from` to `to`.
    pub one_way: bool,
    /// Packets are refused, so that callers learn of it at once; else they vanish.
    pub refuse: bool,
}

/// Which links are cut. Partial partitions are made among the zones of `from`, or, where that is one zone, among its
/// hosts; who is where in them is chosen from the seed. (The shapes are those of Jepsen's nemesis.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CutShape {
    /// All between two sets.
    Full,
    /// Two halves that only one member in the middle still reaches, both ways.
    Bridge,
    /// Each member hears a majority, and no two hear the same one. Of three members, each hears one of the others and
    /// not the one that hears it.
    MajorityRing,
}

impl Cut {
    pub(super) fn aim(&self, placement: &Placement, draw: Draw<'_>) -> Aim {
        let act = if self.refuse { LinkAct::Refuse } else { LinkAct::Drop };
        if self.shape == CutShape::Full {
            let ends = paths::ends(&self.from, self.to.as_ref(), placement, draw);
            let rules = ends.rules(act, self.one_way);
            return Aim { zones: ends.disturbed(placement), hosts: ends.from, deed: Deed::Network { rules } };
        }
        let mut members = self.members(placement, draw);
        draw.of("order").shuffle(&mut members);
        let unheard = if self.shape == CutShape::Bridge { bridge(members.len()) } else { majority_ring(members.len()) };
        let rule = |(from, to): (usize, usize)| LinkRule { from: members[from].clone(), to: members[to].clone(), act };
        let rules: Vec<LinkRule> = unheard.into_iter().map(rule).collect();
        let touched: Vec<HostName> = rules.iter().flat_map(|rule| rule.from.iter().chain(&rule.to)).cloned().collect();
        Aim {
            zones: zones_of(&touched, placement),
            hosts: self.from.resolve(placement, draw),
            deed: Deed::Network { rules },
        }
    }

    /// Among whom a partial partition is made: the hosts of each zone, or each host of the one zone.
    pub fn members(&self, placement: &Placement, draw: Draw<'_>) -> Vec<Vec<HostName>> {
        let hosts = self.from.resolve(placement, draw);
        let zones = zones_of(&hosts, placement);
        if zones.len() == 1 {
            return hosts.into_iter().map(|host| vec![host]).collect();
        }
        let in_zone = |zone| {
            let mates = placement.hosts_in(zone).filter(|host| hosts.contains(&host.name));
            mates.map(|host| host.name.clone()).collect()
        };
        zones.iter().map(in_zone).collect()
    }
}

/// Who does not hear whom, as (sender, receiver): the first is the bridge, the others are two halves.
fn bridge(members: usize) -> Vec<(usize, usize)> {
    let middle = 1 + members.saturating_sub(1) / 2;
    let pairs = (1..middle).flat_map(|left| (middle..members).map(move |right| (left, right)));
    pairs.flat_map(|(left, right)| [(left, right), (right, left)]).collect()
}

/// Who does not hear whom, as (sender, receiver): each hears the majority of which it is the middle, round the ring.
fn majority_ring(members: usize) -> Vec<(usize, usize)> {
    if members < MEMBERS_MIN {
        return Vec::new();
    }
    let majority = members / 2 + 1;
    let before = majority / 2;
    // Places round the ring, from the first that this receiver hears.
    let place = |receiver: usize, sender: usize| (sender + members + before - receiver) % members;
    let pairs = (0..members).flat_map(|receiver| (0..members).map(move |sender| (sender, receiver)));
    pairs.filter(|(sender, receiver)| place(*receiver, *sender) >= majority).collect()
}
