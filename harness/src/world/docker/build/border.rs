//! Owns what is between what stands and what is built, on an engine: how far apart the two are, and what passes. Refuses to
//! decide when.

use super::BuildSite;
use crate::hand::protocol::{Deed, LinkAct, LinkRule, Task};
use crate::world::docker::built::Built;
use anyhow::Result;
use fixtures::name::ZoneName;
use fixtures::regional::estate::{Estate, What};
use fixtures::topology::Topology;
use scenarios::build::observed::Building;
use scenarios::build::plan::Border;
use std::time::Duration;

/// Round trip from one region to the other, and from a local zone to the region beside which it is.
const DISTANCE: Duration = Duration::from_millis(20);
const LINK: Duration = Duration::from_millis(10);
/// The border as the hand knows it.
const REFUSED: &str = "border-refused";
const CUT: &str = "border-cut";

impl BuildSite {
    /// Changes what passes the border. What was seen of calls before is told as it was before.
    pub(super) async fn close(&self, border: Border) -> Result<()> {
        let built = self.shared.need_built()?;
        let mut answers = self.answers.lock().await;
        self.tell_calls(&built, &mut answers).await?;
        let (begun, ended): (Option<(&str, LinkAct)>, &[&str]) = match border {
            Border::Open => (None, &[REFUSED, CUT]),
            Border::Refused => (Some((REFUSED, LinkAct::Refuse)), &[CUT]),
            Border::Cut => (Some((CUT, LinkAct::Drop)), &[REFUSED]),
        };
        if let Some((name, act)) = begun {
            let deed = Deed::Network { rules: self.across(&built, act), probes: Vec::new() };
            built.hand.ask(Task::Inject { fault: name.to_owned(), deed }).await?;
        }
        for name in ended {
            built.hand.ask(Task::Heal { fault: (*name).to_owned() }).await?;
        }
        self.in_force().border = border;
        drop(answers);
        self.tell(Building::Border { border }).await;
        Ok(())
    }

    /// Everything between the zones that stand and those that are built, both ways.
    fn across(&self, built: &Built, act: LinkAct) -> Vec<LinkRule> {
        let layout = &built.layout;
        let subnets = |zones: &[ZoneName]| -> Vec<String> {
            zones.iter().map(|zone| layout.block.subnet(layout.zone_number(zone) + 1)).collect()
        };
        let (here, there) = (subnets(&self.estate.arriving()), subnets(&self.estate.bootstrap.zones));
        vec![LinkRule { from: here.clone(), to: there.clone(), act }, LinkRule { from: there, to: here, act }]
    }
}

/// All zones, with the distance between those that stand and those that are built. An availability zone is where the others
/// of its region are.
pub(super) fn apart(estate: &Estate) -> Topology {
    let mut topology = estate.topology.clone();
    let round_trip = match estate.what {
        What::Region => DISTANCE,
        What::LocalZone { .. } => LINK,
        What::Zone(_) => return topology,
    };
    for here in estate.arriving() {
        for there in &estate.bootstrap.zones {
            let pair = if here < *there { (here.clone(), there.clone()) } else { (there.clone(), here.clone()) };
            topology.latencies.pairs.insert(pair, round_trip);
        }
    }
    topology
}
