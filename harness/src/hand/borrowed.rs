//! Owns containers that are borrowed for a game day, because somebody else started them: which they are, what is owed to each,
//! and that it is given back, by this hand or by one that comes after it. Refuses to know zones and faults.
//!
//! - [`back`]: giving back, one engine call after the other
//! - [`pool`]: which address an engine gives next
//!
//! What is owed is in the journal before it is taken. A container to which nothing is owed is not touched: what its owner does
//! with it meanwhile stays.

mod back;
pub mod pool;

pub(crate) use back::{PLACE, stand};

use super::cgroup;
use super::journal::{Entry, Journal};
use super::protocol::Standing;
use crate::world::docker::sweep;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// So many are given back in answer to one order: a start takes the engine half a second, and an answer has its limit.
const AT_ONCE: usize = 8;

/// A borrowed container, as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Borrowed {
    /// The host that it is in this run.
    pub host: String,
    /// Its id.
    pub id: String,
    /// Its control group.
    pub cgroup: String,
    /// What its owner wants when it ends.
    pub policy: Policy,
    /// Its addresses.
    pub endpoints: Vec<Endpoint>,
}

/// A restart policy, in the engine's words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Policy {
    /// `no`, `always`, `unless-stopped`, `on-failure`; empty is `no`.
    pub name: String,
    /// Of `on-failure`: how often; zero is for ever.
    pub retries: i64,
}

impl Policy {
    /// The one that starts nothing.
    pub fn none() -> Self {
        Self { name: "no".to_owned(), retries: 0 }
    }

    /// Whether an engine starts such a container when its machine has power again. `on-failure` starts who ended; after a loss of
    /// power nobody looks how it ended.
    pub fn starts_with_power(&self) -> bool {
        matches!(self.name.as_str(), "always" | "unless-stopped")
    }

    /// Whether an engine ever starts such a container by itself.
    pub fn restarts(&self) -> bool {
        !matches!(self.name.as_str(), "" | "no")
    }
}

/// A container's address on one network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The network's id.
    pub network: String,
    /// The address.
    pub address: Ipv4Addr,
    /// Whether its owner chose it; else the engine gives the lowest one that is free.
    pub fixed: bool,
}

/// What became of giving back.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Given {
    /// Monotonic clock before the first start; zero where nothing was started.
    pub first_ns: u64,
    /// Monotonic clock after the last one.
    pub last_ns: u64,
    /// How many were started.
    pub started: usize,
    /// Hosts that are still owed something: they did not fit into one answer.
    pub left: Vec<String>,
    /// Host and reason where something could not be given back.
    pub failed: Vec<(String, String)>,
    /// What is not as it was, or may not be.
    pub notes: Vec<String>,
}

/// All of a run.
#[derive(Debug, Default)]
pub(super) struct All {
    known: Vec<Borrowed>,
    /// Hosts that are owed power, and whether their restart policy was taken too.
    owed: BTreeMap<String, bool>,
}

impl All {
    /// What an earlier hand had borrowed, and owed.
    pub(super) fn of_past(known: Vec<Borrowed>, owed: BTreeMap<String, bool>) -> Self {
        Self { known, owed }
    }

    /// Whether anything is owed to anybody.
    pub(super) fn owes(&self) -> bool {
        !self.owed.is_empty()
    }

    /// Takes note of containers. One whose processes are not seen could not be seen to die either.
    pub(super) fn borrow(&mut self, containers: Vec<Borrowed>, journal: &mut Journal) -> Result<(), String> {
        let unseen: Vec<&str> = containers.iter().filter(|one| !is_alive(one)).map(|one| one.host.as_str()).collect();
        if !unseen.is_empty() {
            return Err(format!(
                "no process is seen of {}: they do not run any more, or run elsewhere",
                unseen.join(", ")
            ));
        }
        journal.write(&Entry::Borrowed(containers.clone()))?;
        self.known = containers;
        Ok(())
    }

    /// From now on these hosts are owed power; where it is to be withheld, the engine brings none back until it is given.
    pub(super) fn owe(
        &mut self,
        hosts: &[String],
        withhold: bool,
        standing: &Standing,
        journal: &mut Journal,
    ) -> Result<(), String> {
        journal.write(&Entry::Owed { hosts: hosts.to_vec(), withheld: withhold })?;
        owed_too(&mut self.owed, hosts, withhold);
        let restarted = |one: &&Borrowed| withhold && hosts.contains(&one.host) && one.policy.restarts();
        let restarted: Vec<&Borrowed> = self.known.iter().filter(restarted).collect();
        if !withhold {
            let meant: Vec<&Borrowed> = self.known.iter().filter(|one| hosts.contains(&one.host)).collect();
            let held =
                sweep::by_hand(&standing.socket, async |engine| back::hold_below(engine, standing, &meant).await);
            return held.map_err(|error| format!("{error:#}"));
        }
        if restarted.is_empty() {
            return Ok(());
        }
        let taken = sweep::by_hand(&standing.socket, async |engine| {
            for one in &restarted {
                engine.set_restart(&one.id, &Policy::none()).await?;
            }
            Ok(())
        });
        taken.map_err(|error| format!("{error:#}"))
    }

    /// Gives back what is owed to these hosts (none is all), as far as it fits into one answer.
    pub(super) fn give_back(
        &mut self,
        hosts: &[String],
        standing: &Standing,
        journal: &mut Journal,
    ) -> Result<Given, String> {
        let all: Vec<String> = self.owed.keys().cloned().collect();
        self.give(if hosts.is_empty() { &all } else { hosts }, AT_ONCE, standing, journal)
    }

    /// Gives everything back; returns what could not be, with the reason.
    pub(super) fn give_all(&mut self, standing: &Standing, journal: &mut Journal) -> Vec<(String, String)> {
        if !self.owes() {
            return Vec::new();
        }
        let all: Vec<String> = self.owed.keys().cloned().collect();
        let kind = || "container without power".to_owned();
        match self.give(&all, usize::MAX, standing, journal) {
            Ok(given) => given.failed.into_iter().map(|(host, why)| (kind(), format!("{host} ({why})"))).collect(),
            Err(why) => all.into_iter().map(|host| (kind(), format!("{host} ({why})"))).collect(),
        }
    }

    fn give(
        &mut self,
        hosts: &[String],
        most: usize,
        standing: &Standing,
        journal: &mut Journal,
    ) -> Result<Given, String> {
        let mut now = in_order(&self.known, hosts, &self.owed);
        let later = now.split_off(now.len().min(most));
        if now.is_empty() {
            return Ok(Given::default());
        }
        let given = sweep::by_hand(&standing.socket, async |engine| back::give(engine, standing, &now).await);
        let mut given = given.map_err(|error| format!("{error:#}"))?;
        for (one, _) in now.iter().filter(|(one, _)| !given.failed.iter().any(|(host, _)| *host == one.host)) {
            journal.write(&Entry::Given { host: one.host.clone() })?;
            self.owed.remove(&one.host);
        }
        given.left = later.into_iter().map(|(one, _)| one.host).collect();
        Ok(given)
    }
}

/// Adds hosts to those that are owed something.
pub(super) fn owed_too(owed: &mut BTreeMap<String, bool>, hosts: &[String], withheld: bool) {
    for host in hosts {
        *owed.entry(host.clone()).or_default() |= withheld;
    }
}

/// Those of these hosts that are owed something, and whether their restart policy too: by their addresses, because an engine gives
/// the lowest one that is free to whoever starts next.
fn in_order(known: &[Borrowed], hosts: &[String], owed: &BTreeMap<String, bool>) -> Vec<(Borrowed, bool)> {
    let meant = known.iter().filter(|one| hosts.contains(&one.host));
    let mut meant: Vec<(Borrowed, bool)> = meant.filter_map(|one| Some((one.clone(), *owed.get(&one.host)?))).collect();
    let lowest = |one: &Borrowed| one.endpoints.iter().map(|endpoint| endpoint.address).min();
    meant.sort_by_key(|(one, _)| (lowest(one), one.host.clone()));
    meant
}

/// Whether a process of it is there.
fn is_alive(one: &Borrowed) -> bool {
    let root = cgroup::listing_root();
    root.is_some_and(|root| !cgroup::processes(&root.join(one.cgroup.trim_start_matches('/'))).is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn borrowed(host: &str, addresses: &[[u8; 4]]) -> Borrowed {
        let endpoint =
            |address: &[u8; 4]| Endpoint { network: "n".to_owned(), address: Ipv4Addr::from(*address), fixed: false };
        Borrowed {
            host: host.to_owned(),
            id: format!("id-{host}"),
            cgroup: format!("/docker/id-{host}"),
            policy: Policy { name: "always".to_owned(), retries: 0 },
            endpoints: addresses.iter().map(endpoint).collect(),
        }
    }

    #[test]
    fn who_has_the_lowest_address_comes_first_and_who_is_owed_nothing_is_left_alone() {
        let known =
            [borrowed("c", &[[10, 0, 0, 10]]), borrowed("a", &[[10, 0, 0, 9]]), borrowed("b", &[[10, 0, 0, 2]])];
        let all: Vec<String> = ["a", "b", "c"].map(str::to_owned).into();
        let mut owed = BTreeMap::new();
        owed_too(&mut owed, &all[..1], true);
        owed_too(&mut owed, &all[..1], false);
        owed_too(&mut owed, &all[2..], false);
        let order = in_order(&known, &all, &owed);
        let order: Vec<(&str, bool)> = order.iter().map(|(one, withheld)| (one.host.as_str(), *withheld)).collect();
        assert_eq!(order, [("a", true), ("c", false)], "a policy that was taken stays owed until it is given back");
    }

    #[test]
    fn only_a_policy_that_restarts_has_to_be_taken() {
        let restarts = |name: &str| Policy { name: name.to_owned(), retries: 0 }.restarts();
        assert!(["always", "unless-stopped", "on-failure"].into_iter().all(restarts));
        assert!(!restarts("") && !restarts("no") && !Policy::none().restarts());
    }

    #[test]
    fn after_a_loss_of_power_only_two_policies_start_a_container() {
        let starts = |name: &str| Policy { name: name.to_owned(), retries: 0 }.starts_with_power();
        assert!(starts("always") && starts("unless-stopped"));
        assert!(!starts("on-failure") && !starts("no") && !starts(""));
    }
}
