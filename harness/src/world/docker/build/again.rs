//! Owns taking up a build whose builder died, or that was paused: a hand and a witness over the hosts that stand, and what is in force as the ledger
//! says it. Refuses to decide which step is next.
//!
//! A gate is a lock of the hand that closed it, and opens with that hand's end. So hosts that are to be in the dark are ended
//! before the old hand is, and are started again when they get power. The old hand goes after the new one has come: a run
//! without a hand is a dead one, and would be removed.

use super::{BuildSite, InForce};
use crate::builder::ledger::Ledger;
use crate::hand::protocol::{LeaseEnd, Task};
use crate::world::docker::engine::ObjectKind;
use crate::world::docker::names::{LABEL_HOST, LABEL_ROLE};
use crate::world::docker::standing::Made;
use crate::world::docker::{CALLS_AT_ONCE, adopt, at_once, guard, provision};
use anyhow::{Result, bail};
use fixtures::name::HostName;
use fixtures::regional::estate::{Estate, Site};
use scenarios::build::observed::Building;
use scenarios::build::plan::{Act, Border, BuildPlan};
use scenarios::build::records::Records;
use scenarios::event::{Detail, Event, WriteOutcome};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How the name of a hand ends whose builder died, while another one comes.
const BEFORE: &str = "-before";

impl BuildSite {
    /// Takes the build up: `made` was there, `ledger` was done, `events` were seen.
    ///
    /// # Errors
    /// Where the engine or the hand does not do it, or nothing stands any more.
    pub async fn take_up(&self, made: &Made, (plan, ledger): (&BuildPlan, &Ledger), events: &[Event]) -> Result<()> {
        let (shared, border) = (&self.shared, self.recall(plan, ledger));
        if let Some(secret) = &made.signs {
            // Software that hosts have stays what the same signer signed.
            self.signs.get_or_init(|| secret.clone());
        }
        self.recall_data(plan, ledger, events);
        shared.guard_with(guard::Guard::set_up(&shared.names.run, shared.options.no_rights)?);
        let running = self.end_the_dark(made).await?;
        let (name, label) = (shared.names.object("hand"), shared.names.label());
        shared.engine.rename(&name, &format!("{name}{BEFORE}")).await?;
        let (hand, rights) = provision::raise_hand(shared, LeaseEnd::HealAndRemove).await?;
        for found in shared.engine.find(ObjectKind::Container, &label).await? {
            let is_half_made =
                found.labels.get(LABEL_HOST).is_some_and(|host| !made.hosts.keys().any(|made| made.as_str() == host));
            if is_half_made || (found.labels.contains_key(LABEL_ROLE) && found.name != name) {
                shared.engine.remove_container(&found.name).await?;
            }
        }
        let built = Arc::new(adopt::linked(shared, made, hand, rights).await?);
        shared.set_built(Arc::clone(&built));
        for host in &built.layout.placement.hosts {
            if let Some(id) = made.hosts.get(&host.name) {
                built.created(&host.name, built.layout.zone_number(&host.zone), id.clone());
            }
            if !running.contains(&host.name) {
                built.died(host.name.clone());
            }
        }
        let hosts = built.layout.placement.hosts.iter().map(|host| &host.name);
        let gates = hosts.filter(|host| !running.contains(*host)).map(ToString::to_string).collect();
        built.hand.ask(Task::CloseGates { gates }).await?;
        built.hand.ask(Task::TakeOver).await?;
        built.hand.ask(Task::Wires { wires: built.wires(shared) }).await?;
        built.hand.ask(Task::Tap).await?;
        self.favour(&built).await?;
        provision::raise_witness(shared, &built).await?;
        shared.follow_engine();
        // The old hand's rules went when the new one came.
        self.close(border).await?;
        self.watch(&built).await
    }

    /// What was in force; returns what passed the border.
    fn recall(&self, plan: &BuildPlan, ledger: &Ledger) -> Border {
        let before = self.in_force().records.clone();
        let in_force = recalled(&self.estate, plan, ledger, before);
        let border = in_force.border;
        *self.in_force() = in_force;
        border
    }

    fn recall_data(&self, plan: &BuildPlan, ledger: &Ledger, events: &[Event]) {
        for step in plan.steps.iter().filter(|step| ledger.done.contains_key(&step.id)) {
            if let Act::Enrol(customers) = &step.act {
                self.mover().recall_customers(customers);
            }
        }
        for event in events {
            match &event.detail {
                Detail::Write { key, outcome: WriteOutcome::Acknowledged, stored_at } => {
                    self.was_acknowledged(key, stored_at);
                }
                Detail::Build { seen: seen @ Building::Object { .. } } => {
                    let placement = &self.estate.placement;
                    let service = |name: &_| placement.instance_by_name(name).map(|one| one.service.clone());
                    self.mover().recall(seen, service);
                }
                Detail::Build { seen: seen @ Building::Flow { .. } } => {
                    self.callers().look(&self.estate, &event.place, seen);
                }
                _ => {}
            }
        }
    }

    /// Ends hosts that run and are to have no power; those that run then, as what is in force has it.
    async fn end_the_dark(&self, made: &Made) -> Result<BTreeSet<HostName>> {
        let shared = &self.shared;
        let looked = at_once(CALLS_AT_ONCE, made.hosts.clone().into_iter().collect(), |(host, id)| async move {
            Ok(shared.engine.inspect(&id).await.ok().map(|seen| (host, seen.running)))
        });
        let there: Vec<(HostName, bool)> = looked.await?.into_iter().flatten().collect();
        if there.len() < made.hosts.len() {
            bail!(
                "{} of {} hosts of the build are not there any more: it was removed, because nobody had taken it up in time",
                made.hosts.len() - there.len(),
                made.hosts.len()
            );
        }
        let lit = self.in_force().lit.clone();
        let (wanted, unwanted): (Vec<HostName>, Vec<HostName>) =
            there.iter().filter(|(_, runs)| *runs).map(|(host, _)| host.clone()).partition(|host| lit.contains(host));
        at_once(CALLS_AT_ONCE, unwanted, |host| async move {
            let container = shared.names.object(&format!("host-{host}"));
            shared.engine.kill(&container).await?;
            shared.engine.await_settled(&container).await
        })
        .await?;
        let running: BTreeSet<HostName> = wanted.into_iter().collect();
        let mut in_force = self.in_force();
        in_force.dead = made.hosts.keys().filter(|host| !running.contains(*host)).cloned().collect();
        in_force.lit.retain(|host| running.contains(host));
        Ok(running)
    }
}

/// What steps that are done amount to. One that was begun and is not done is begun anew, whatever came of it.
fn recalled(estate: &Estate, plan: &BuildPlan, ledger: &Ledger, before: Records) -> InForce {
    let mut in_force = InForce::at_first(estate, before);
    in_force.lit = estate.hosts(|standing| standing.site == Site::Bootstrap).into_iter().collect();
    for step in plan.steps.iter().filter(|step| ledger.done.contains_key(&step.id)) {
        match &step.act {
            Act::PowerOn(hosts) => in_force.lit.extend(hosts.iter().cloned()),
            Act::PowerOff(hosts) => in_force.lit.retain(|host| !hosts.contains(host)),
            Act::Names(records) => drop(in_force.name(estate, records)),
            Act::Turn { inward } => in_force.inward = *inward,
            Act::Border(border) => in_force.border = *border,
            _ => {}
        }
    }
    // What was begun and is not done may have been told to some already, and is told to all anew.
    let open = ledger.open.as_ref().and_then(|(id, _)| plan.steps.iter().find(|step| step.id == *id));
    if let Some(Act::Names(records)) = open.map(|step| &step.act) {
        let unsure = in_force.clone().name(estate, records);
        in_force.told.retain(|index, _| !unsure.contains(index));
    }
    in_force
}
