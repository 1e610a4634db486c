//! Owns power: taking it from hosts at once and giving it back at once. Refuses to know which hosts a fault means.

use super::built::Built;
use super::faults::disk_cuts;
use super::{Shared, at_once, each_host, start_hosts};
use crate::controller::Done;
use crate::hand::protocol::{Answer, Dark, DiskCut, Target, Task};
use crate::witness::protocol::Tell;
use crate::world::draw;
use anyhow::{Result, bail};
use fixtures::name::{HostName, ZoneName};
use scenarios::plan::Unsynced;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long hosts may take to tell that they passed their gates. It only bounds the measurement of skew: a region whose
/// notes do not get through is judged all the same.
const POWERED_NOTES_WAIT: Duration = Duration::from_secs(3);
/// How long the engine may take to note that hosts are dead: it needs 1.5 s for 22 of them on two cores.
const DEATHS_KNOWN_WAIT: Duration = Duration::from_secs(30);

/// Kills every process of these hosts at once; zones that lose all their hosts lose what they had not synced.
pub(super) async fn power_off(
    shared: &Arc<Shared>,
    built: &Arc<Built>,
    hosts: &[HostName],
    unsynced: Unsynced,
) -> Result<Done> {
    built.forget_deaths(hosts);
    let whole = whole_zones(built, hosts);
    let (disks, caveat) = disk_cuts(built, &whole, unsynced, shared.seed);
    let dark = if built.rights.host_view {
        by_hand(shared, built, hosts, &whole, disks).await?
    } else {
        by_engine(shared, built, hosts).await?
    };
    let gates = hosts.iter().map(ToString::to_string).collect();
    built.hand.ask(Task::CloseGates { gates }).await?;
    Ok(Done::Dark {
        t_ns: shared.clock.of_mono(dark.last_ns),
        skew_ns: dark.last_ns.saturating_sub(dark.first_ns),
        method: dark.method,
        dead: dark.dead.into_iter().map(HostName).collect(),
        unsynced_lost: whole
            .into_iter()
            .filter(|zone| dark.disks.iter().any(|(lost, _)| lost == zone.as_str()))
            .collect(),
        torn: dark.torn.into_iter().map(HostName).collect(),
        caveats: caveat.into_iter().collect(),
    })
}

/// Zones all of whose hosts are among these.
fn whole_zones(built: &Built, hosts: &[HostName]) -> Vec<ZoneName> {
    let wanted: BTreeSet<&HostName> = hosts.iter().collect();
    let is_whole = |zone: &ZoneName| {
        let mut mates = built.layout.placement.hosts_in(zone).peekable();
        mates.peek().is_some() && mates.all(|host| wanted.contains(&host.name))
    };
    built.layout.zones().into_iter().filter(is_whole).collect()
}

async fn by_hand(
    shared: &Shared,
    built: &Built,
    hosts: &[HostName],
    whole_zones: &[ZoneName],
    disks: Vec<DiskCut>,
) -> Result<Dark> {
    let targets: Vec<Target> = hosts.iter().filter_map(|host| built.target(shared, host)).collect();
    // Zones that lose every host die by one write each; a part of a zone dies host by host.
    let zones: BTreeSet<usize> = hosts.iter().filter_map(|host| Some(built.container(host)?.0)).collect();
    let whole = if zones.len() == whole_zones.len() {
        zones.iter().map(|&zone| shared.names.cgroup_path(zone)).collect()
    } else {
        Vec::new()
    };
    match built.hand.ask(Task::PowerOff { whole, hosts: targets, disks }).await? {
        Answer::Dark(dark) => Ok(dark),
        other => bail!("the hand answered {other:?} to a power-off"),
    }
}

/// Without rights: the engine pauses them, as many at once as it will, and they are dark; then it kills them, which must
/// not be at once ([`each_host`]). None that was paused runs again: the signal comes before anything else.
async fn by_engine(shared: &Shared, built: &Built, hosts: &[HostName]) -> Result<Dark> {
    let container = |host: &HostName| shared.names.object(&format!("host-{host}"));
    let moments = Mutex::new(BTreeMap::new());
    let dark = |host: HostName| {
        let now = agents::runtime::clock::mono_ns();
        moments.lock().unwrap_or_else(PoisonError::into_inner).entry(host).or_insert(now);
    };
    let (container, dark) = (&container, &dark);
    at_once(hosts.len(), hosts.to_vec(), |host| async move {
        match shared.engine.pause(&container(&host)).await {
            Ok(()) => dark(host),
            // An engine of a user's own may have no control group for that: such a host is dark when it is dead.
            Err(error) => tracing::debug!("{host} was not paused: {error:#}"),
        }
        Ok(())
    })
    .await?;
    each_host(shared, built, hosts, |host| async move {
        shared.engine.kill(&container(&host)).await?;
        // Its endpoint goes after the answer.
        shared.engine.await_settled(&container(&host)).await?;
        dark(host);
        Ok(())
    })
    .await?;
    let moments = std::mem::take(&mut *moments.lock().unwrap_or_else(PoisonError::into_inner));
    // The engine's answers are timed here, so the controller's own clock is mapped to the engine machine's.
    let here = agents::runtime::clock::mono_ns();
    let there = shared.clock.to_mono(shared.clock.now());
    let map = |ns: &u64| there.saturating_sub(here.saturating_sub(*ns));
    let first_ns = moments.values().min().map_or(there, map);
    let last_ns = moments.values().max().map_or(there, map);
    let dead = hosts.iter().map(ToString::to_string).collect();
    Ok(Dark {
        method: "engine".to_owned(),
        dead,
        processes: hosts.len(),
        first_ns,
        last_ns,
        disks: Vec::new(),
        torn: Vec::new(),
    })
}

/// Waits until the engine has taken note of the deaths: until then it takes the order to start as carried out already,
/// and the host would stay dark. A host that somebody started meanwhile has died all the same.
pub(super) async fn await_known_dead(shared: &Shared, built: &Built, hosts: &[HostName]) -> Result<()> {
    let mut cancelled = shared.cancelled.clone();
    tokio::select! {
        () = built.await_deaths(hosts) => Ok(()),
        _ = cancelled.wait_for(|cancelled| *cancelled) => bail!("cancelled"),
        () = tokio::time::sleep(DEATHS_KNOWN_WAIT) => {
            bail!("{DEATHS_KNOWN_WAIT:?} after power-off the engine still takes hosts for running; is it hung?")
        }
    }
}

/// Starts what is not running (it waits at its gate), then opens all gates at once.
pub(super) async fn power_on(shared: &Arc<Shared>, built: &Arc<Built>, hosts: &[HostName]) -> Result<Done> {
    if built.was_lit() {
        await_known_dead(shared, built, hosts).await?;
        start_hosts(shared, built, hosts, || ()).await?;
    }
    built.forget_powered();
    let gates = hosts.iter().map(ToString::to_string).collect();
    let (first_ns, last_ns) = match built.hand.ask(Task::OpenGates { gates }).await? {
        Answer::Open { first_ns, last_ns } => (first_ns, last_ns),
        other => bail!("the hand answered {other:?} to a power-on"),
    };
    if built.was_lit() {
        built.tell_witness(&Tell::Relit(draw::instances_on(&built.layout.placement, hosts))).await?;
    }
    built.set_lit();
    let passed = built.await_powered(hosts, POWERED_NOTES_WAIT).await;
    let (method, last) = if passed.len() == hosts.len() {
        ("gate", passed.into_iter().max().unwrap_or(last_ns))
    } else {
        ("gate (skew of the hand alone: not every host's note arrived)", last_ns)
    };
    let skew_ns = last.max(last_ns).saturating_sub(first_ns);
    Ok(Done::Lit { t_ns: shared.clock.of_mono(last_ns), skew_ns, method: method.to_owned() })
}
