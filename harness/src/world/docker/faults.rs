//! Owns faults other than the loss of power: a deed of the plan in the words of the engine's machine, given to the hand
//! (or, for the little that it can do, to the engine), and looked at again and again while it lasts. Refuses to decide
//! when.

use super::built::Built;
use super::region::Layout;
use super::software;
use super::trouble::trouble_probes;
use super::{Shared, at_once};
use crate::controller::{Done, Effect, Input};
use crate::hand::protocol::{self as words, Answer, Ending, LinkRule, Look, PathProbe, Target, Task, TroubleProbe};
use crate::witness::protocol::Tell;
use crate::world::draw;
use agents::config::{Process, nanos};
use anyhow::{Result, bail};
use fixtures::name::{HostName, ServiceName, ZoneName};
use fixtures::trouble::{InForce, Trouble};
use scenarios::plan::{self, Deed};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Pause between two looks at a fault in force. A fault that ends early is seen within that and the look itself.
const LOOK_EVERY: Duration = Duration::from_millis(400);
/// Who is killed because its time to stop is over has ended by then.
const KILLED_WITHIN: Duration = Duration::from_secs(2);
/// Paths on which one network fault is measured: enough to see each direction, few enough to be quick.
const PROBES_MAX: usize = 4;

/// Begins a fault and goes on looking at it.
pub(super) async fn inject(
    shared: &Arc<Shared>,
    built: &Arc<Built>,
    fault: String,
    deed: Deed,
    hosts: Vec<HostName>,
) -> Result<Done> {
    if let Deed::Switch { services, switch } = &deed {
        return switched(shared, built, &fault, (services, *switch), &hosts, true).await;
    }
    let region = Region { shared, built };
    if let (Some(_), Deed::End { services, .. }) = (&shared.attached, &deed) {
        // One whose owner wants no restart is started again in the end.
        let ended = region.with(&hosts, services);
        let hosts = ended.iter().map(ToString::to_string).collect();
        shared.touched().end(ended);
        built.hand.ask(Task::Owe { hosts, withhold: false }).await?;
    }
    let t_ns = || shared.clock.now();
    let (method, effect) = match region.translate(&deed, &hosts) {
        Err(_) if matches!(deed, Deed::Pause) => {
            pause_by_engine(shared, &hosts, true).await?;
            let text = format!("the engine says that it paused {} hosts", hosts.len());
            ("engine", Some(Effect { holds: true, text, ..Effect::default() }))
        }
        // What cannot be had here has no effect, and the run says why.
        Err(why) => ("none", Some(Effect { holds: false, text: format!("{why:#}"), ..Effect::default() })),
        Ok(translated) => {
            let patience = patience(&translated);
            match built.hand.try_ask(Task::Inject { fault: fault.clone(), deed: translated }).await? {
                // It has undone what it had begun. The run goes on, so that everything that is wrong with it is seen.
                Err(why) => ("none", Some(Effect { holds: false, text: why, ..Effect::default() })),
                Ok(Answer::Look(look)) if matches!(deed, Deed::End { .. }) => {
                    ("hand", Some(effect_of(ended(shared, built, &fault, look, patience).await?)))
                }
                Ok(Answer::Look(look)) => {
                    watch(shared, built, fault, &deed);
                    // Hosts that have no power yet cannot be seen not to boot.
                    let seen = (!matches!(deed, Deed::Boot { .. })).then(|| effect_of(look));
                    ("hand", seen)
                }
                Ok(other) => bail!("the hand answered {other:?} to a fault"),
            }
        }
    };
    Ok(Done::Injected { t_ns: t_ns(), method: method.to_owned(), effect })
}

/// The longest time that somebody has who is asked to end.
fn patience(deed: &words::Deed) -> Duration {
    let (words::Deed::End { ending, .. } | words::Deed::EndFirst { ending, .. }) = deed else { return Duration::ZERO };
    match ending {
        Ending::Asked { patience_ms } => {
            Duration::from_millis(patience_ms.iter().flatten().max().copied().unwrap_or_default())
        }
        Ending::Killed => Duration::ZERO,
    }
}

/// Looks again until everybody has ended who was asked to: the hand kills who has not in its owner's time.
async fn ended(shared: &Shared, built: &Built, fault: &str, first: Look, patience: Duration) -> Result<Look> {
    let (mut look, began_ns) = (first, shared.clock.now());
    let most_ns = nanos(if patience.is_zero() { patience } else { patience + KILLED_WITHIN });
    while !look.holds && shared.clock.now().saturating_sub(began_ns) < most_ns {
        tokio::time::sleep(LOOK_EVERY).await;
        look = one_look(built, fault).await?;
    }
    Ok(look)
}

async fn one_look(built: &Built, fault: &str) -> Result<Look> {
    match built.hand.ask(Task::Look { fault: fault.to_owned() }).await? {
        Answer::Look(look) => Ok(look),
        other => bail!("the hand answered {other:?} and not how it stands with the fault `{fault}`"),
    }
}

/// Looks once more, then ends the fault.
pub(super) async fn heal(
    shared: &Arc<Shared>,
    built: &Arc<Built>,
    fault: String,
    deed: Deed,
    hosts: Vec<HostName>,
) -> Result<Done> {
    if let Deed::Switch { services, switch } = &deed {
        return switched(shared, built, &fault, (services, *switch), &hosts, false).await;
    }
    let was_watched = built.watched().remove(&fault);
    let method = if was_watched {
        look(shared, built, &fault, false).await?;
        built.hand.ask(Task::Heal { fault }).await?;
        "hand"
    } else if matches!(deed, Deed::Pause) {
        pause_by_engine(shared, &hosts, false).await?;
        "engine"
    } else {
        "none"
    };
    Ok(Done::Healed { t_ns: shared.clock.now(), method: method.to_owned() })
}

/// The witness tells instances to obey, or to obey no more; what it sees of it comes with its other notes.
async fn switched(
    shared: &Arc<Shared>,
    built: &Arc<Built>,
    fault: &str,
    what: (&[ServiceName], plan::Switch),
    hosts: &[HostName],
    on: bool,
) -> Result<Done> {
    let order = draw::switch_order((&built.layout.graph, &built.layout.placement), fault, what, hosts, on);
    built.tell_witness(&Tell::Switch(order)).await?;
    let (t_ns, method) = (shared.clock.now(), "switch".to_owned());
    Ok(if on { Done::Injected { t_ns, method, effect: None } } else { Done::Healed { t_ns, method } })
}

async fn pause_by_engine(shared: &Arc<Shared>, hosts: &[HostName], pause: bool) -> Result<()> {
    at_once(hosts.len(), hosts.to_vec(), |host| async move {
        let name = shared.names.object(&format!("host-{host}"));
        if pause { shared.engine.pause(&name).await } else { shared.engine.unpause(&name).await }
    })
    .await
    .map(drop)
}

/// Looks at a fault until it is healed. One that troubles boots can be seen only when its hosts get power: looks before
/// that say nothing.
fn watch(shared: &Arc<Shared>, built: &Arc<Built>, fault: String, deed: &Deed) {
    built.watched().insert(fault.clone());
    let mut waits = matches!(deed, Deed::Boot { .. });
    let (shared, built) = (Arc::clone(shared), Arc::clone(built));
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            // Healed meanwhile, or about to be: whoever heals looks once more.
            if !built.watched().contains(&fault) {
                return;
            }
            match look(&shared, &built, &fault, waits).await {
                Ok(held) => waits &= !held,
                Err(_) => return,
            }
        }
    });
}

/// Looks once, and tells the controller, but for what did not hold where `waits`; returns whether it held.
async fn look(shared: &Shared, built: &Built, fault: &str, waits: bool) -> Result<bool> {
    let look = one_look(built, fault).await?;
    let holds = look.holds;
    if waits && !holds {
        return Ok(false);
    }
    let input = Input::Effect { t_ns: shared.clock.now(), fault: fault.to_owned(), effect: effect_of(look) };
    // The controller's loop has ended: nobody waits for this.
    let _ended = shared.inputs.send(input).await;
    Ok(holds)
}

fn effect_of(look: Look) -> Effect {
    let Look { holds, text, asked, measured } = look;
    Effect { holds, text, asked, measured }
}

/// Translates from hosts, services and zones.
struct Region<'a> {
    shared: &'a Shared,
    built: &'a Built,
}

impl Region<'_> {
    fn layout(&self) -> &Layout {
        &self.built.layout
    }

    /// The deed in the hand's words; an error where the hand cannot do it here, with the reason.
    fn translate(&self, deed: &Deed, hosts: &[HostName]) -> Result<words::Deed> {
        let rights = &self.built.rights;
        if !rights.host_view && !matches!(deed, Deed::Boot { .. }) {
            bail!("the hand has no rights on the engine's machine, which this fault needs");
        }
        let disks = || match &rights.disks {
            Ok(()) => Ok(self.zones(hosts)),
            Err(why) => bail!("zones have no disks of their own here: {why}"),
        };
        Ok(match deed {
            Deed::Power { .. } | Deed::Restart => bail!("power is not taken by a deed"),
            Deed::Switch { .. } => bail!("the witness switches, not the hand"),
            Deed::Boot { trouble } => {
                let gates = hosts.iter().map(ToString::to_string).collect();
                words::Deed::Boot { gates, trouble: *trouble }
            }
            Deed::Pause => words::Deed::Pause { hosts: self.targets(hosts) },
            Deed::End { services, kill } if self.shared.attached.is_some() => {
                let hosts = self.with(hosts, services);
                words::Deed::EndFirst { hosts: self.targets(&hosts), ending: self.ending(&hosts, *kill) }
            }
            Deed::End { services, kill } => {
                let processes = hosts.iter().map(|host| self.processes(host, services)).collect();
                words::Deed::End { hosts: self.targets(hosts), processes, ending: self.ending(hosts, *kill) }
            }
            Deed::Processor { left_milli } => {
                words::Deed::Processor { hosts: self.targets(hosts), left_milli: *left_milli }
            }
            Deed::Memory { fill_milli } => words::Deed::Memory { hosts: self.targets(hosts), fill_milli: *fill_milli },
            Deed::DiskFull => words::Deed::DiskFull { zones: disks()? },
            Deed::DiskSlow { delay_ms } => {
                words::Deed::DiskSlow { zones: disks()?, hosts: self.targets(hosts), delay_ms: *delay_ms }
            }
            Deed::DiskErrors => words::Deed::DiskErrors { zones: disks()? },
            Deed::Trouble { trouble, services } => words::Deed::Trouble {
                hosts: hosts.iter().map(ToString::to_string).collect(),
                in_force: InForce { trouble: trouble.clone(), services: services.clone() },
                probes: self.trouble_probes(trouble, services, hosts),
            },
            Deed::Change { service, version, .. } => {
                let services = std::slice::from_ref(service);
                let trouble = Trouble::Changed(version.clone());
                let probes = self.trouble_probes(&trouble, services, hosts);
                let known: Vec<&HostName> =
                    hosts.iter().filter(|host| self.built.target(self.shared, host).is_some()).collect();
                let ends = version.at_start.then(|| known.iter().map(|host| self.processes(host, services)).collect());
                let in_force = InForce { trouble, services: services.to_vec() };
                words::Deed::Change { hosts: self.targets(hosts), in_force, probes, ends }
            }
            Deed::Network { rules } => {
                let shaped = rules.iter().any(|rule| matches!(rule.act, plan::LinkAct::Shape(_)));
                match (&rights.links, &self.built.shapes) {
                    (Err(why), _) => bail!("packet filter rules cannot be written here: {why}"),
                    (_, Err(why)) if shaped => bail!("packets cannot be shaped here: {why}"),
                    _ => {}
                }
                words::Deed::Network {
                    rules: rules.iter().map(|rule| self.rule(rule)).collect(),
                    probes: self.probes(rules),
                }
            }
        })
    }

    fn trouble_probes(&self, trouble: &Trouble, services: &[ServiceName], hosts: &[HostName]) -> Vec<TroubleProbe> {
        trouble_probes(self.layout(), trouble, services, hosts, &|host| self.targets(std::slice::from_ref(host)).pop())
    }

    fn targets(&self, hosts: &[HostName]) -> Vec<Target> {
        hosts.iter().filter_map(|host| self.built.target(self.shared, host)).collect()
    }

    /// Those of these hosts that carry an instance of one of these services.
    fn with(&self, hosts: &[HostName], services: &[ServiceName]) -> Vec<HostName> {
        let Layout { placement, .. } = self.layout();
        let carries = |host: &&fixtures::placement::Host| {
            host.instances.iter().any(|&index| services.contains(&placement.instances[index].service))
        };
        let carrying = placement.hosts.iter().filter(carries).map(|host| host.name.clone());
        carrying.filter(|host| hosts.contains(host)).collect()
    }

    /// How processes of these hosts are ended: real software that is asked to has the time that its owner gives it.
    fn ending(&self, hosts: &[HostName], kill: bool) -> Ending {
        if kill {
            return Ending::Killed;
        }
        let layout = self.layout();
        let patience = |name: &HostName| {
            let host = layout.placement.hosts.iter().find(|host| &host.name == name)?;
            let (_, _, image) = software::on_host(layout, host)?;
            u64::try_from(image.stop_timeout.as_millis()).ok()
        };
        Ending::Asked { patience_ms: hosts.iter().map(patience).collect() }
    }

    fn zones(&self, hosts: &[HostName]) -> Vec<String> {
        let meant = |host: &&fixtures::placement::Host| hosts.contains(&host.name);
        let zones: BTreeSet<String> =
            self.layout().placement.hosts.iter().filter(meant).map(|host| host.zone.to_string()).collect();
        zones.into_iter().collect()
    }

    /// Places of a host's processes that are instances of these services.
    fn processes(&self, host: &HostName, services: &[ServiceName]) -> Vec<usize> {
        let config = self.layout().host_configs().into_iter().find(|config| &config.host == host);
        let processes = config.map(|config| config.processes).unwrap_or_default();
        let is_meant = |process: &Process| match process {
            Process::Instance(instance) => instance.from.service.as_ref().is_some_and(|name| services.contains(name)),
            Process::Generic(generic) => generic.own.from.service.as_ref().is_some_and(|name| services.contains(name)),
            Process::Program(program) => services.contains(&program.service),
            Process::Canary(_) | Process::Adapter(_) => false,
        };
        processes.iter().enumerate().filter(|(_, process)| is_meant(process)).map(|(index, _)| index).collect()
    }

    fn rule(&self, rule: &plan::LinkRule) -> LinkRule {
        LinkRule { from: self.addresses(&rule.from), to: self.addresses(&rule.to), act: rule.act }
    }

    /// Addresses of hosts; a zone that is meant whole is its subnet, so that rules stay few.
    fn addresses(&self, hosts: &[HostName]) -> Vec<String> {
        let layout = self.layout();
        let mut addresses = Vec::new();
        for zone in layout.zones() {
            let mates: Vec<_> = layout.placement.hosts.iter().filter(|host| host.zone == zone).collect();
            let meant: Vec<_> = mates.iter().filter(|host| hosts.contains(&host.name)).collect();
            if meant.len() == mates.len() && !meant.is_empty() {
                addresses.push(layout.block.subnet(layout.zone_number(&zone) + 1));
            } else {
                addresses.extend(meant.into_iter().map(|host| layout.address(host).to_string()));
            }
        }
        addresses
    }

    /// Paths to measure on: from the first host of each rule's senders to an instance of its receivers, each direction
    /// once.
    fn probes(&self, rules: &[plan::LinkRule]) -> Vec<PathProbe> {
        let mut probes: Vec<PathProbe> = Vec::new();
        for rule in rules {
            let to = |from: &HostName| rule.to.iter().find(|host| *host != from && self.listener(host).is_some());
            let pair = rule.from.iter().find_map(|from| Some((from, to(from)?)));
            let Some((from, to)) = pair.and_then(|(from, to)| Some((from, self.listener(to)?))) else { continue };
            let Some(from) = self.targets(std::slice::from_ref(from)).pop() else { continue };
            let probe = PathProbe { from, to };
            if probes.len() < PROBES_MAX && !probes.contains(&probe) {
                probes.push(probe);
            }
        }
        probes
    }

    /// Where something listens on a host.
    fn listener(&self, host: &HostName) -> Option<String> {
        let layout = self.layout();
        let index = layout.placement.hosts.iter().find(|known| &known.name == host)?.instances.first()?;
        layout.instance_addresses().get(*index).map(ToString::to_string)
    }
}

/// The topology's latency between its zones, half a round trip in each direction.
pub(super) fn base_latencies(layout: &Layout) -> Vec<LinkRule> {
    let zones: Vec<ZoneName> = layout.zones();
    let subnet = |zone: &ZoneName| layout.block.subnet(layout.zone_number(zone) + 1);
    let mut rules = Vec::new();
    for from in &zones {
        for to in zones.iter().filter(|to| *to != from) {
            let latency_us = nanos(layout.topology.latencies.round_trip(from, to)) / 2_000;
            if latency_us > 0 {
                let act = words::LinkAct::Shape(words::Shape { latency_us, ..words::Shape::default() });
                rules.push(LinkRule { from: vec![subnet(from)], to: vec![subnet(to)], act });
            }
        }
    }
    rules
}

impl Built {
    /// Faults that are looked at.
    pub(super) fn watched(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.watched.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The hand's disks of zones that lose power whole, and why a zone's disk cannot lose anything.
pub(super) fn disk_cuts(
    built: &Built,
    whole_zones: &[ZoneName],
    unsynced: plan::Unsynced,
    seed: u64,
) -> (Vec<words::DiskCut>, Option<String>) {
    let torn = match unsynced {
        plan::Unsynced::Kept => return (Vec::new(), None),
        plan::Unsynced::Lost => None,
        plan::Unsynced::Torn => Some(words::Tearing { seed, real: real_hosts(&built.layout) }),
    };
    let cut = |zone: &ZoneName| words::DiskCut { zone: zone.to_string(), torn: torn.clone() };
    match &built.rights.disks {
        Ok(()) => (whole_zones.iter().map(cut).collect(), None),
        Err(why) => (Vec::new(), Some(format!("what was not synced was not lost: {why}"))),
    }
}

/// Every host of real software.
fn real_hosts(layout: &Layout) -> Vec<String> {
    let is_real = |host: &&fixtures::placement::Host| software::on_host(layout, host).is_some();
    layout.placement.hosts.iter().filter(is_real).map(|host| host.name.to_string()).collect()
}
