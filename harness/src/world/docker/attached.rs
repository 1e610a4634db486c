//! Owns a game day on a project that runs already and that somebody else started: its containers are the hosts, and everything is
//! put back. Refuses to change a container, a network or a file that is not ours, but for what the hand owes and gives back.
//!
//! - [`fit`]: which container is which instance, and what stands in the way
//! - [`mod@difference`]: what is not as it was, and what an engine changes by itself
//! - [`power`]: taking power and giving it back
//!
//! Beside each container stands an escort, a container of ours in the machine's own network: it speaks for the software as the
//! adapter on a host of real software does, carries the zone's customers, and dies and rises with its container. Nothing of
//! ours is ever plugged into the project's networks, but for places that are taken while addresses are given back.

pub mod difference;
pub mod fit;
pub(super) mod power;

use super::built::Built;
use super::engine::{ContainerSpec, Engine, ObjectKind};
use super::guard::Guard;
use super::hand_link::{Hand, LEASE_MS};
use super::names::{LABEL_ATTACHED, LABEL_ROLE, LABEL_RUN, ROLE_HAND};
use super::provision::{host_container, import, raise_witness, shared_volume};
use super::raise::Raise;
use super::subnet::Block;
use super::{CALLS_AT_ONCE, Shared, at_once, image, start_hosts};
use crate::controller::{Done, Input};
use crate::hand::STATE_DIR;
use crate::hand::borrowed::Borrowed;
use crate::hand::protocol::{Lease, LeaseEnd, Rights, Target, Task};
use crate::witness::protocol::Tell;
use anyhow::{Context, Result, bail};
use difference::{Difference, Seen, difference};
use fit::Lent;
use fixtures::name::{HostName, ServiceName};
use fixtures::placement::Host;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

/// The first of the ports from which a run takes its own in the machine's network, and how many there are to choose from: they lie
/// below those that kernels give out by themselves.
const PORTS_FROM: u16 = 20_000;
const PORTS: u64 = 9_000;
/// How often health checks are looked at until they have come to a result, and how long after each other: two minutes, which is what
/// an engine's own defaults take to call somebody unhealthy.
const HEALTH_LOOKS: u32 = 120;
const HEALTH_EVERY: Duration = Duration::from_secs(1);

/// A project that a game day is held on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attachment {
    /// The project.
    pub project: String,
    /// The container that each host is.
    pub hosts: BTreeMap<HostName, Lent>,
    /// The same, as the hand knows them.
    pub borrowed: Vec<Borrowed>,
    /// Containers of the project that run and are no part of the graph: nothing is done to them.
    pub beside: Vec<String>,
    /// Services that are asked at their first port in place of a command inside.
    pub asked_by_port: Vec<ServiceName>,
}

impl Attachment {
    /// Of a project, with no container yet.
    pub fn of(project: &str) -> Self {
        Self { project: project.to_owned(), ..Self::default() }
    }

    /// The host that a container of this name is.
    fn host_of(&self, container: &str) -> Option<&HostName> {
        self.hosts.iter().find(|(_, lent)| lent.container == container).map(|(host, _)| host)
    }

    /// A host's container, as the hand knows it.
    pub(super) fn target(&self, host: &HostName) -> Option<Target> {
        let one = self.borrowed.iter().find(|one| one.host == host.as_str())?;
        Some(Target { host: one.host.clone(), cgroup: one.cgroup.clone() })
    }

    /// What a reader of the record must know: codes and sentences.
    pub fn told(&self) -> Vec<(&'static str, String)> {
        let project = &self.project;
        let mut told = vec![(
            "attached",
            format!(
                "held on project `{project}`: its customers here are escorts in the machine's own network, disks lost nothing that \
                 was not synced, and containers came back as fast as the engine starts them, one after the other"
            ),
        )];
        if !self.beside.is_empty() {
            let names = self.beside.join(", ");
            told.push(("attached-beside", format!("no part of the graph, and left alone whatever is dark: {names}")));
        }
        if !self.asked_by_port.is_empty() {
            let names: Vec<&str> = self.asked_by_port.iter().map(ServiceName::as_str).collect();
            let names = names.join(", ");
            told.push(("attached-probes", format!("asked at their first port in place of a command inside: {names}")));
        }
        told
    }
}

/// Hosts of a project whose containers end by our doing.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// Their power is withheld.
    withheld: BTreeSet<HostName>,
    /// Their processes were ended.
    ended: BTreeSet<HostName>,
}

impl Touched {
    /// Power is withheld from hosts, or is theirs again.
    pub(super) fn withhold(&mut self, hosts: &[HostName], is_so: bool) {
        for host in hosts {
            if is_so { drop(self.withheld.replace(host.clone())) } else { drop(self.withheld.take(host)) }
        }
    }

    /// Processes of hosts are ended.
    pub(super) fn end(&mut self, hosts: impl IntoIterator<Item = HostName>) {
        self.ended.extend(hosts);
    }

    /// Whether an engine's event is nobody's act: a health check is a command in a container, as a person's is; and whoever ends while
    /// nothing withholds its power is started again by its owner's policy, which is no more than a host's own supervisor does.
    fn is_nobodys(&self, host: &HostName, action: &str, restarts: bool) -> bool {
        let own_way = (restarts || self.ended.contains(host)) && !self.withheld.contains(host);
        action.starts_with("exec_")
            || action.starts_with("health_status")
            || (own_way && matches!(action, "die" | "start"))
    }
}

/// The run that is attached to a project, dead or alive.
///
/// # Errors
/// Where the engine does not answer.
pub async fn run_attached_to(engine: &Engine, project: &str) -> Result<Option<String>> {
    let found = engine.find(ObjectKind::Container, &format!("{LABEL_ATTACHED}={project}")).await?;
    let mut hands = found.iter().filter(|found| found.labels.get(LABEL_ROLE).is_some_and(|role| role == ROLE_HAND));
    Ok(hands.find_map(|found| found.labels.get(LABEL_RUN).cloned()))
}

/// Borrows the project's containers, and sets escorts beside them, which wait for power.
pub(super) async fn provision(shared: &Arc<Shared>, attachment: &Attachment) -> Result<()> {
    shared.guard_with(Guard::set_up(&shared.names.run, false)?);
    import(shared).await?;
    claim(shared, attachment).await?;
    shared_volume(shared).await?;
    let before = look(&shared.engine, &attachment.project, &attachment.borrowed).await?;
    *shared.seen_before.lock().unwrap_or_else(PoisonError::into_inner) = before;
    let (hand, rights) = raise_hand(shared).await?;
    if !rights.host_view {
        bail!(
            "the hand sees no process of the engine's machine, and could not take power from containers at once and give it back by \
             itself: a game day on a project of others needs an engine that grants it rights (docs/attach.md)"
        );
    }
    hand.ask(Task::Borrow { containers: attachment.borrowed.clone() }).await?;
    shared.going_on()?;
    let built = Arc::new(layout(shared, hand, rights)?);
    shared.set_built(Arc::clone(&built));
    let configs = built.layout.host_configs();
    let file = |config: &agents::config::HostConfig| {
        Ok((format!("hosts/{}.json", config.host), serde_json::to_string(config)?))
    };
    let files = configs.iter().map(file).collect::<Result<Vec<_>>>()?;
    let gates = configs.iter().map(|config| config.host.to_string()).collect();
    built.hand.ask(Task::Prepare { files, gates }).await?;
    raise_witness(shared, &built).await?;
    follow(shared, attachment);
    escorts(shared, &built).await?;
    built.tell_witness(&Tell::Begin(Box::new(built.layout.watch()))).await
}

/// One run at a time has a project: an engine gives a container's name to one of all who ask for it. It is never started, and goes
/// with the run.
async fn claim(shared: &Shared, attachment: &Attachment) -> Result<()> {
    let project = &attachment.project;
    let spec = ContainerSpec {
        name: format!("blackstart-attached-{project}"),
        image: shared.image(),
        command: vec![image::EXECUTABLE.to_owned()],
        labels: shared.names.labels(&[]),
        ..ContainerSpec::default()
    };
    shared.engine.create(&spec).await.map(drop).with_context(|| {
        format!("project `{project}` cannot be had: where another run is attached to it, wait for that, or `blackstart clean`")
    })
}

async fn raise_hand(shared: &Arc<Shared>) -> Result<(Hand, Rights)> {
    let watcher = Arc::clone(shared);
    let raise = Raise {
        engine: &shared.engine,
        names: &shared.names,
        image: shared.image(),
        no_rights: false,
        lease: Lease { silence_ms: LEASE_MS, then: LeaseEnd::HealAndRemove },
        day: None,
    };
    raise.raise(move || watcher.part_gone("the hand")).await
}

/// Escorts and the witness have addresses of the machine's own loopback.
fn layout(shared: &Shared, hand: Hand, rights: Rights) -> Result<Built> {
    let subnets = shared.topology.zones().count() + 1;
    let hosts = &shared.placement.hosts;
    let most =
        shared.topology.zones().map(|(_, zone)| hosts.iter().filter(|host| host.zone == zone.name).count()).max();
    let number = u64::from_str_radix(&shared.names.short, 16).unwrap_or_default();
    let block = Block::on_loopback(number, subnets, most.unwrap_or(0)).context("the graph has too many instances")?;
    let layout = shared.layout(block, None);
    Ok(Built::new(hand, rights, layout, false, Err("the project's own networks are left as they are".to_owned())))
}

/// The ports of a run with this short id.
pub(super) fn ports_of(short: &str) -> u16 {
    let number = u64::from_str_radix(short, 16).unwrap_or_default() % PORTS;
    PORTS_FROM + u16::try_from(number).unwrap_or_default()
}

/// Makes the escorts, and has them wait at their gates.
async fn escorts(shared: &Arc<Shared>, built: &Arc<Built>) -> Result<()> {
    at_once(CALLS_AT_ONCE, built.layout.placement.hosts.clone(), |host: Host| async move {
        shared.going_on()?;
        let zone = built.layout.zone_number(&host.zone);
        let id = shared.engine.create(&escort(shared, &host, zone)).await?;
        built.created(&host.name, zone, id);
        Ok(())
    })
    .await?;
    let names: Vec<HostName> = built.layout.placement.hosts.iter().map(|host| host.name.clone()).collect();
    start_hosts(shared, built, &names, || shared.progress("escorts", names.len())).await
}

fn escort(shared: &Shared, host: &Host, zone: usize) -> ContainerSpec {
    ContainerSpec {
        machine_network: true,
        in_memory: vec![STATE_DIR.to_owned()],
        cgroup_parent: shared.names.cgroup_parent(zone),
        ..host_container(shared, host)
    }
}

/// Passes on the engine's events about the project's containers that may be somebody's act, or ours.
fn follow(shared: &Arc<Shared>, attachment: &Attachment) {
    let (shared, attachment) = (Arc::clone(shared), attachment.clone());
    let label = format!("{}={}", super::engine::project::COMPOSE_PROJECT, attachment.project);
    let mut events = shared.engine.events(&label);
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            let Some(host) = attachment.host_of(&event.container).cloned() else { continue };
            let restarts = attachment.borrowed.iter().any(|one| one.host == host.as_str() && one.policy.restarts());
            if shared.touched().is_nobodys(&host, &event.action, restarts) {
                continue;
            }
            if let ("die", Some(built)) = (event.action.as_str(), shared.built()) {
                built.died(host.clone());
            }
            let input = Input::Engine { t_ns: shared.clock.of_wall(event.wall_ns), host, action: event.action };
            if shared.inputs.send(input).await.is_err() {
                return;
            }
        }
        shared.part_gone("the engine's event stream");
    });
}

/// Everything that the engine says of the project's containers, running or not, and of their networks.
///
/// # Errors
/// Where the engine does not answer.
pub async fn look(engine: &Engine, project: &str, borrowed: &[Borrowed]) -> Result<Seen> {
    let mut seen = Seen::default();
    let mut networks = BTreeSet::new();
    for member in engine.members(project).await? {
        let said = engine.all_of_container(&member.id).await?;
        seen.add(format!("container {}", member.name), said.as_ref());
        networks.extend(member.endpoints.into_iter().map(|endpoint| endpoint.network));
    }
    // Whoever does not run has no address there.
    networks.extend(borrowed.iter().flat_map(|one| &one.endpoints).map(|endpoint| endpoint.network.clone()));
    for network in networks {
        let said = engine.all_of_network(&network).await?;
        let name = said.as_ref().and_then(|said| said.get("Name")?.as_str());
        seen.add(format!("network {}", name.unwrap_or(&network)), said.as_ref());
    }
    Ok(seen)
}

impl Shared {
    pub(super) fn touched(&self) -> MutexGuard<'_, Touched> {
        self.touched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is there once the health checks of whoever was healthy have come to a result again, or long enough was waited for it.
async fn settled(shared: &Shared, attachment: &Attachment, before: &Seen) -> Result<Seen> {
    let mut looks = 0;
    loop {
        let after = look(&shared.engine, &attachment.project, &attachment.borrowed).await?;
        looks += 1;
        if looks >= HEALTH_LOOKS || !after.is_settling_since(before) {
            return Ok(after);
        }
        tokio::time::sleep(HEALTH_EVERY).await;
    }
}

/// Gives everything back, removes what is ours, and looks what is not as it was.
pub(super) async fn give_back(shared: &Arc<Shared>, attachment: &Attachment) -> Result<Done> {
    shared.tearing_down.store(true, Ordering::Relaxed);
    if let Some(built) = shared.built() {
        let hosts: Vec<HostName> = attachment.hosts.keys().cloned().collect();
        // Those that their owner's policy did not start are started now, and that is no one's act.
        shared.touched().withhold(&hosts, false);
        shared.touched().end(hosts.iter().cloned());
        // What fails here the hand tries once more at its end, or another one in its place; what is left then is told.
        match power::give(shared, &built, &hosts).await {
            Ok(given) => {
                given.failed.iter().for_each(|(host, why)| tracing::warn!("{host} is not given back yet: {why}"))
            }
            Err(error) => tracing::warn!("the project is not given back yet: {error:#}"),
        }
    }
    let done = shared.remove_all().await;
    shared.stand_down();
    // Containers that were started again have new interfaces and mounts: what else is new on the machine cannot be told from them.
    let Done::TornDown { mut residue, others: _ } = done? else { bail!("the end of a run has no other outcome") };
    let before = shared.seen_before.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let after = settled(shared, attachment, &before).await?;
    let found: Difference = difference(&before, &after);
    residue.extend(found.residue());
    shared.caveat("attached-engine", found.told()).await;
    *shared.difference.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
    Ok(Done::TornDown { residue, others: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_owners_policy_does_is_nobodys_act_but_not_while_power_is_withheld() {
        let (web, db) = (HostName("az1-web-0".to_owned()), HostName("az1-db-0".to_owned()));
        let mut touched = Touched::default();
        assert!(touched.is_nobodys(&web, "start", true) && !touched.is_nobodys(&db, "die", false));
        assert!(!touched.is_nobodys(&web, "stop", true) && touched.is_nobodys(&web, "exec_create: curl", false));
        touched.withhold(std::slice::from_ref(&web), true);
        assert!(!touched.is_nobodys(&web, "start", true), "somebody brought a dark host back");
        touched.withhold(std::slice::from_ref(&web), false);
        touched.end([db.clone()]);
        assert!(touched.is_nobodys(&web, "start", true) && touched.is_nobodys(&db, "die", false));
    }

    #[test]
    fn ports_lie_below_those_that_kernels_give_out() {
        assert!(["000000", "abcdef", "ffffff"].into_iter().all(|short| (20_000..29_000).contains(&ports_of(short))));
    }
}
