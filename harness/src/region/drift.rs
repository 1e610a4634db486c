//! Owns what is different between a standing region as it was declared and left, and as it is found. Refuses to look by
//! itself, and to put anything right.

use crate::world::docker::standing::Made;
use crate::world::docker::survey::Survey;
use fixtures::name::{HostName, ZoneName};
use std::collections::BTreeMap;

/// When each host was started last, as whoever worked on the region left it; or [`DIED`].
pub type Known = BTreeMap<HostName, String>;

/// In place of a moment: the host died while the region's keeper watched, and no fault was aimed at it. A hand that is left alone
/// gives power to whoever has none, so that nothing on the engine need tell of it when the next one looks.
pub const DIED: &str = "died";

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// Whether it is another region than was declared, so that what a game day shows there says nothing of the declared one.
    pub big: bool,
    /// What, for people.
    pub text: String,
}

/// What a region ought to be.
#[derive(Debug, Clone, Copy)]
pub struct Ought<'a> {
    /// How it was built.
    pub made: &'a Made,
    /// The id of its image.
    pub image: &'a str,
    /// Its zones, in the order of their networks.
    pub zones: &'a [ZoneName],
    /// When its hosts were started last.
    pub known: &'a Known,
}

/// Everything that is different on the engine. Rules, faults and versions are told by whoever takes the region over.
pub fn found(ought: Ought<'_>, survey: &Survey) -> Vec<Drift> {
    let mut all = Vec::new();
    hosts(ought, survey, &mut all);
    networks(ought, survey, &mut all);
    for zone in ought.zones.iter().filter(|zone| !survey.disks.contains(*zone)) {
        all.push(Drift { big: true, text: format!("the state of zone {zone} is gone: its volume is not there") });
    }
    for (kind, name) in &survey.extra {
        all.push(Drift { big: false, text: format!("{kind} {name} carries the region's label, and is no part of it") });
    }
    all
}

fn hosts(ought: Ought<'_>, survey: &Survey, all: &mut Vec<Drift>) {
    for (host, id) in &ought.made.hosts {
        let mut tell = |big: bool, text: String| all.push(Drift { big, text });
        let Some(seen) = survey.hosts.get(host) else {
            tell(true, format!("host {host} is missing"));
            continue;
        };
        if seen.id != *id {
            tell(true, format!("host {host} is another container than was made"));
        } else if seen.image != ought.image {
            tell(true, format!("host {host} runs another image than was declared"));
        }
        if !seen.running {
            tell(true, format!("host {host} has no power: it is dead, and no fault is aimed at it"));
            continue;
        }
        if seen.paused {
            tell(true, format!("host {host} is paused by somebody"));
            continue;
        }
        match ought.known.get(host) {
            Some(started) if started == DIED => {
                tell(
                    true,
                    format!("host {host} died, and no fault was aimed at it; it has power since {}", seen.started),
                );
            }
            Some(started) if *started != seen.started => {
                tell(false, format!("host {host} was restarted by somebody, at {}", seen.started));
            }
            _ => {}
        }
    }
}

fn networks(ought: Ought<'_>, survey: &Survey, all: &mut Vec<Drift>) {
    let subnets = ought.zones.len() + 1;
    let wanted: Vec<(usize, String)> = if ought.made.routed {
        (0..subnets).map(|number| (number, ought.made.block.subnet(number))).collect()
    } else {
        vec![(0, ought.made.block.whole(subnets))]
    };
    for (number, subnet) in wanted {
        let whose = || match number.checked_sub(1).and_then(|zone| ought.zones.get(zone)) {
            Some(zone) => format!("the network of zone {zone}"),
            None => "the network of the witness".to_owned(),
        };
        match survey.networks.get(&number) {
            None => all.push(Drift { big: true, text: format!("{} is gone", whose()) }),
            Some(found) if !found.contains(&subnet) => {
                let text = format!("{} has the addresses {}, and not {subnet}", whose(), found.join(", "));
                all.push(Drift { big: true, text });
            }
            Some(_) => {}
        }
    }
}
