//! Owns power of containers that somebody else started: what is owed to them is written down, their restart policies are taken, they
//! die at once with their escorts, and come back through the engine where they were. Refuses to know which hosts a fault means.

use super::super::built::Built;
use super::super::{Shared, start_hosts};
use super::Attachment;
use crate::controller::Done;
use crate::hand::borrowed::Given;
use crate::hand::protocol::{Answer, Target, Task};
use crate::witness::protocol::Tell;
use crate::world::draw;
use anyhow::{Result, bail};
use fixtures::name::HostName;
use scenarios::judge::NOT_STARTED;
use scenarios::plan::Unsynced;
use std::sync::Arc;
use std::time::Duration;

/// How long, and how often, an engine is asked whether it has taken note of the death of escorts.
const LOOKS: usize = 300;
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How an escort's name begins in what the hand says of the dead.
const ESCORT: &str = "escort of ";

/// Takes power from these hosts, all at once, escorts included.
pub(in crate::world::docker) async fn power_off(
    shared: &Arc<Shared>,
    built: &Arc<Built>,
    attachment: &Attachment,
    hosts: &[HostName],
    unsynced: Unsynced,
) -> Result<Done> {
    built.forget_deaths(hosts);
    shared.touched().withhold(hosts, true);
    let names: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    built.hand.ask(Task::Owe { hosts: names.clone(), withhold: true }).await?;
    let theirs = hosts.iter().filter_map(|host| attachment.target(host));
    let escort = |host: &HostName| {
        let target = built.own_target(shared, host)?;
        Some(Target { host: format!("{ESCORT}{host}"), ..target })
    };
    let targets: Vec<Target> = theirs.chain(hosts.iter().filter_map(escort)).collect();
    let order = Task::PowerOff { whole: Vec::new(), hosts: targets, disks: Vec::new() };
    let dark = match built.hand.ask(order).await? {
        Answer::Dark(dark) => dark,
        other => bail!("the hand answered {other:?} to a power-off"),
    };
    built.hand.ask(Task::CloseGates { gates: names }).await?;
    let caveats = match unsynced {
        Unsynced::Kept => Vec::new(),
        Unsynced::Lost | Unsynced::Torn => {
            vec!["what was not synced was not lost: the disks of a project of others are not ours".to_owned()]
        }
    };
    Ok(Done::Dark {
        t_ns: shared.clock.of_mono(dark.last_ns),
        skew_ns: dark.last_ns.saturating_sub(dark.first_ns),
        method: dark.method,
        dead: dark.dead.into_iter().filter(|name| !name.starts_with(ESCORT)).map(HostName).collect(),
        unsynced_lost: Vec::new(),
        torn: Vec::new(),
        caveats,
    })
}

/// Gives power to these hosts. The first time only their escorts have none. As on a machine that boots, only those containers run
/// again whose owner's policy starts them; the others are owed until the project is given back.
pub(in crate::world::docker) async fn power_on(
    shared: &Arc<Shared>,
    built: &Arc<Built>,
    attachment: &Attachment,
    hosts: &[HostName],
) -> Result<Done> {
    let gates: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    if !built.was_lit() {
        built.hand.ask(Task::OpenGates { gates }).await?;
        built.set_lit();
        let method = "none: the project had power".to_owned();
        return Ok(Done::Lit { t_ns: shared.clock.now(), skew_ns: 0, method });
    }
    await_escorts_dead(shared, hosts).await?;
    let (started, left) = by_policy(attachment, hosts);
    shared.touched().withhold(&started, false);
    start_hosts(shared, built, hosts, || ()).await?;
    let given = give(shared, built, &started).await?;
    for (host, policy) in left {
        let text = format!("{host}: its owner's restart policy `{policy}` does not start it when power comes back");
        shared.caveat(NOT_STARTED, text).await;
    }
    if let Some((host, why)) = given.failed.first() {
        bail!("{} container(s) did not get their power back; {host}: {why}", given.failed.len());
    }
    let opened = match built.hand.ask(Task::OpenGates { gates }).await? {
        Answer::Open { last_ns, .. } => last_ns,
        other => bail!("the hand answered {other:?} to a power-on"),
    };
    // What the witness told before this says nothing to whoever waits for the word that hosts have power.
    built.tell_witness(&Tell::Relit(draw::instances_on(&built.layout.placement, hosts))).await?;
    let first_ns = if given.started == 0 { opened } else { given.first_ns };
    Ok(Done::Lit {
        t_ns: shared.clock.of_mono(opened),
        skew_ns: opened.saturating_sub(first_ns),
        method: "engine: one after the other, on the addresses of before".to_owned(),
    })
}

/// Hosts whose containers are started when power comes back, and those that are not, with their policies.
fn by_policy(attachment: &Attachment, hosts: &[HostName]) -> (Vec<HostName>, Vec<(HostName, String)>) {
    let (mut started, mut left) = (Vec::new(), Vec::new());
    for host in hosts {
        let policy = attachment.borrowed.iter().find(|one| one.host == host.as_str()).map(|one| &one.policy);
        match policy.filter(|policy| !policy.starts_with_power()) {
            Some(policy) if policy.name.is_empty() => left.push((host.clone(), "no".to_owned())),
            Some(policy) => left.push((host.clone(), policy.name.clone())),
            None => started.push(host.clone()),
        }
    }
    (started, left)
}

/// Has the hand give back what is owed to these hosts, until nothing is left.
pub(in crate::world::docker) async fn give(shared: &Shared, built: &Built, hosts: &[HostName]) -> Result<Given> {
    let mut hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    let mut all = Given::default();
    while !hosts.is_empty() {
        let given = match built.hand.ask(Task::GiveBack { hosts }).await? {
            Answer::Given(given) => given,
            other => bail!("the hand answered {other:?} to what it owes"),
        };
        if given.started > 0 {
            all.first_ns = if all.started == 0 { given.first_ns } else { all.first_ns };
            (all.last_ns, all.started) = (given.last_ns, all.started + given.started);
        }
        all.failed.extend(given.failed);
        all.notes.extend(given.notes);
        hosts = given.left;
    }
    for note in &all.notes {
        shared.caveat("attached-address", note.clone()).await;
    }
    Ok(all)
}

/// An engine that still takes an escort for running answers an order to start it with success, and does nothing.
async fn await_escorts_dead(shared: &Shared, hosts: &[HostName]) -> Result<()> {
    for host in hosts {
        let name = shared.names.object(&format!("host-{host}"));
        let mut looks = 0;
        while shared.engine.inspect(&name).await?.running {
            looks += 1;
            if looks > LOOKS || *shared.cancelled.borrow() {
                bail!("the engine still takes {name} for running, which was killed; is it hung?");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hand::borrowed::{Borrowed, Policy};

    #[test]
    fn only_those_are_started_whose_owners_policy_starts_them() {
        let borrowed = |host: &str, policy: &str| Borrowed {
            host: host.to_owned(),
            id: host.to_owned(),
            cgroup: String::new(),
            policy: Policy { name: policy.to_owned(), retries: 0 },
            endpoints: Vec::new(),
        };
        let policies =
            [("a", "always"), ("b", "no"), ("c", "on-failure"), ("d", "unless-stopped"), ("e", ""), ("f", "always")];
        let borrowed = policies.map(|(host, policy)| borrowed(host, policy)).into();
        let attachment = Attachment { borrowed, ..Attachment::of("shop") };
        let names = |hosts: &[&str]| hosts.iter().map(|host| HostName((*host).to_owned())).collect::<Vec<_>>();
        let (started, left) = by_policy(&attachment, &names(&["a", "b", "c", "d", "e"]));
        assert_eq!(started, names(&["a", "d"]));
        let left: Vec<(&str, &str)> = left.iter().map(|(host, policy)| (host.as_str(), policy.as_str())).collect();
        assert_eq!(left, [("b", "no"), ("c", "on-failure"), ("e", "no")]);
    }
}
