//! Owns taking over a region that stands, and giving it back: a hand and a witness of one's own, power for hosts that have
//! none, and all that was done undone. Refuses to build and to remove a region.
//!
//! What makes that safe is the hand's lease: whoever took the region over and dies leaves a hand that heals everything, gives
//! power to every host, and stands until the next one comes.

use super::built::Built;
use super::engine::ObjectKind;
use super::faults::base_latencies;
use super::hand_link::{Hand, LEASE_MS};
use super::names::LABEL_ROLE;
use super::provision::raise_witness;
use super::raise::Raise;
use super::region::Layout;
use super::standing::{Made, Standing};
use super::{CALLS_AT_ONCE, Shared, at_once, start_hosts};
use crate::controller::Done;
use crate::hand::protocol::{Answer, Lease, LeaseEnd, Rights, TakenOver, Task};
use crate::witness::protocol::Tell;
use crate::world::draw;
use anyhow::{Context, Result, bail};
use fixtures::name::HostName;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Raises a hand and a witness over a region that stands, whoever had one there before.
pub(super) async fn take_over(shared: &Arc<Shared>, standing: &Standing) -> Result<()> {
    release(shared).await?;
    let (hand, rights) = raise_hand(shared, standing).await?;
    shared.going_on()?;
    let built = Arc::new(linked(shared, &standing.made, hand, rights).await?);
    shared.set_built(Arc::clone(&built));
    find_hosts(shared, &built, standing).await?;
    match built.hand.ask(Task::TakeOver).await? {
        Answer::TakenOver(found) => tell(shared, found).await,
        other => bail!("the hand answered {other:?} to a region that it takes over"),
    }
    shared.going_on()?;
    raise_witness(shared, &built).await?;
    shared.follow_engine();
    let watch = built.layout.watch_of(standing);
    built.tell_witness(&Tell::Begin(Box::new(watch))).await
}

/// Removes the hand and the witness of whoever had the region before.
async fn release(shared: &Shared) -> Result<()> {
    for found in shared.engine.find(ObjectKind::Container, &shared.names.label()).await? {
        if found.labels.contains_key(LABEL_ROLE) {
            shared.engine.remove_container(&found.name).await?;
        }
    }
    Ok(())
}

async fn raise_hand(shared: &Arc<Shared>, standing: &Standing) -> Result<(Hand, Rights)> {
    let watcher = Arc::clone(shared);
    let raise = Raise {
        engine: &shared.engine,
        names: &shared.names,
        image: shared.image(),
        no_rights: shared.options.no_rights,
        lease: Lease { silence_ms: LEASE_MS, then: LeaseEnd::HealAndStand },
        day: standing.day.as_deref(),
    };
    raise.raise(move || watcher.part_gone("the hand")).await
}

/// What the region's files, its seed and how it was built make of it.
pub(super) async fn linked(shared: &Shared, made: &Made, hand: Hand, rights: Rights) -> Result<Built> {
    let mut shapes = Err("zones share one bridge".to_owned());
    if made.routed {
        let subnets = shared.topology.zones().count() + 1;
        let bridges = (0..subnets).map(|subnet| shared.names.bridge(subnet)).collect();
        shapes = super::provision::link(shared, &hand, bridges).await?;
    }
    let layout = Layout { apart: made.apart.clone(), ..shared.layout(made.block.clone(), made.keys.clone()) };
    if shapes.is_ok() {
        hand.ask(Task::Latencies { rules: base_latencies(&layout) }).await?;
    }
    Ok(Built::new(hand, rights, layout, made.routed, shapes))
}

/// Every host must be there as it was made: one that is not cannot be given power by anybody.
async fn find_hosts(shared: &Shared, built: &Built, standing: &Standing) -> Result<()> {
    let mut missing = Vec::new();
    for host in &built.layout.placement.hosts {
        let zone = built.layout.number_of(host);
        match standing.made.hosts.get(&host.name) {
            Some(id) if shared.engine.inspect(id).await.is_ok() => built.created(&host.name, zone, id.clone()),
            _ => missing.push(host.name.to_string()),
        }
    }
    if let Some(first) = missing.first() {
        let (many, name) = (missing.len(), &standing.name);
        bail!(
            "{many} hosts of region `{name}` are not there any more, such as {first}: `blackstart region down {name}` removes \
             what there is of it, and `region up` builds it anew"
        );
    }
    Ok(())
}

async fn tell(shared: &Shared, found: TakenOver) {
    if found.rules_gone {
        shared.caveat("region-drift", "its packet filter rules were gone, and were made anew".to_owned()).await;
    }
    if !found.healed.is_empty() {
        let text = format!("faults were in force in it, and were healed: {}", found.healed.join(", "));
        shared.caveat("region-drift", text).await;
    }
    for (kind, what) in found.troubled {
        shared.caveat("region-drift", format!("{kind}: {what}")).await;
    }
}

/// Gives power to those of these hosts that have none, all at once; to those that have it nothing is done.
pub(super) async fn light(shared: &Arc<Shared>, built: &Arc<Built>, hosts: &[HostName]) -> Result<Done> {
    let dark = dark(shared, hosts).await?;
    built.set_lit();
    shared.relit.store(dark.len(), Ordering::Relaxed);
    if dark.is_empty() {
        versions(shared, built).await?;
        let t_ns = shared.clock.now();
        tell_anew(built, hosts).await?;
        return Ok(Done::Lit { t_ns, skew_ns: 0, method: "none: every host had power".to_owned() });
    }
    let (first_ns, last_ns) = give_power(shared, built, &dark).await?;
    tell_anew(built, hosts).await?;
    Ok(Done::Lit {
        t_ns: shared.clock.of_mono(last_ns),
        skew_ns: last_ns.saturating_sub(first_ns),
        method: format!("gate, for {} of {} hosts", dark.len(), hosts.len()),
    })
}

/// What the witness told of these hosts before the word that they have power says nothing to whoever waits for that word: it
/// tells how each stands once more.
async fn tell_anew(built: &Built, hosts: &[HostName]) -> Result<()> {
    built.tell_witness(&Tell::Relit(draw::instances_on(&built.layout.placement, hosts))).await
}

/// An instance that runs another version than the graph's is left over from somebody who did not end what they had begun.
async fn versions(shared: &Shared, built: &Built) -> Result<()> {
    let versions = built.ask_versions().await?;
    let instances = &built.layout.placement.instances;
    let name = |place: &usize| instances.get(*place).map(|instance| instance.name.to_string()).unwrap_or_default();
    let told: Vec<String> =
        versions.iter().map(|(place, version)| format!("{} runs version `{version}`", name(place))).collect();
    if told.is_empty() {
        return Ok(());
    }
    let text = format!("{}, which nobody brings now", told.join(", "));
    shared.caveat("region-drift", text.clone()).await;
    match shared.standing() {
        Some(standing) if !standing.accepts_drift => {
            bail!("the region is another than was declared: {text}; --accept-drift holds the game day all the same")
        }
        _ => Ok(()),
    }
}

/// Which of these hosts do not run.
async fn dark(shared: &Shared, hosts: &[HostName]) -> Result<Vec<HostName>> {
    let looked = at_once(CALLS_AT_ONCE, hosts.to_vec(), |host| async move {
        let seen = shared.engine.inspect(&shared.names.object(&format!("host-{host}"))).await?;
        Ok((!seen.running).then_some(host))
    });
    let mut dark: Vec<HostName> = looked.await?.into_iter().flatten().collect();
    dark.sort();
    Ok(dark)
}

/// Has hosts wait at their gates, and opens all gates together; before the first and after the last, on the machine's clock.
async fn give_power(shared: &Arc<Shared>, built: &Arc<Built>, dark: &[HostName]) -> Result<(u64, u64)> {
    let gates: Vec<String> = dark.iter().map(ToString::to_string).collect();
    built.hand.ask(Task::CloseGates { gates: gates.clone() }).await?;
    start_hosts(shared, built, dark, || ()).await?;
    let opened = built.hand.ask(Task::OpenGates { gates }).await?;
    tell_anew(built, dark).await?;
    match opened {
        Answer::Open { first_ns, last_ns } => Ok((first_ns, last_ns)),
        other => bail!("the hand answered {other:?} to a power-on"),
    }
}

/// Ends what was begun, and gives power to hosts that have none. What could not be given back is told as residue. The hand
/// stands until the next one takes the region over.
pub(super) async fn give_back(shared: &Arc<Shared>) -> Result<Done> {
    let Some(built) = shared.built() else {
        // Nothing was taken: the hand that was raised, if any, stands by its lease.
        return Ok(Done::TornDown { residue: Vec::new(), others: Vec::new() });
    };
    let mut residue = match built.hand.ask(Task::TakeOver).await.context("the region cannot be given back")? {
        Answer::TakenOver(found) => found.troubled,
        other => bail!("the hand answered {other:?} to a region that is given back"),
    };
    let hosts: Vec<HostName> = built.layout.placement.hosts.iter().map(|host| host.name.clone()).collect();
    let without = dark(shared, &hosts).await?;
    if !without.is_empty() {
        built.await_deaths_or_go_on(&without).await;
        give_power(shared, &built, &without).await?;
    }
    for host in dark(shared, &hosts).await? {
        residue.push(("host without power".to_owned(), host.to_string()));
    }
    shared.tearing_down.store(true, Ordering::Relaxed);
    Ok(Done::TornDown { residue, others: Vec::new() })
}
