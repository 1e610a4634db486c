//! Owns finding out on an engine whether data that is marked for a country left its zone. Refuses to look into packets: they
//! are encrypted. What is stored outside says it: each store there is asked by the witness for each marked value, and who
//! called that store over the border was seen by the hand.
//!
//! What was sent while there was no link is not seen: it is stored nowhere. A store that does not answer is asked again; one
//! that never does is told of, because nothing is known then.

use super::BuildSite;
use crate::world::build::mover::Question;
use agents::wire::{Ask, Failure, Reply};
use anyhow::Result;
use fixtures::name::{InstanceName, ServiceName};
use fixtures::regional::estate::{Estate, Site};
use scenarios::build::observed::{Building, Sought};
use scenarios::event::Place;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Times that a store is asked for one value, and the pause between two: one that is told anew answers in that time.
const TRIES: u32 = 5;
const BETWEEN_TRIES: Duration = Duration::from_millis(500);

/// Who of what is built was seen to call which service over the border.
#[derive(Debug, Default)]
pub(super) struct Callers(BTreeMap<ServiceName, BTreeSet<InstanceName>>);

impl Callers {
    /// Something was seen of calls.
    pub(super) fn look(&mut self, estate: &Estate, place: &Place, seen: &Building) {
        let (Building::Flow { to, crosses: true, .. }, Some(caller)) = (seen, &place.instance) else { return };
        if estate.standing_of(caller).is_some_and(|standing| standing.site == Site::Build) {
            self.0.entry(to.clone()).or_default().insert(caller.clone());
        }
    }

    /// Who sent what `keeper` keeps to a service: itself, unless only one other was seen to call there, to whom it was handed.
    fn sender<'a>(&'a self, keeper: &'a InstanceName, to: &ServiceName) -> &'a InstanceName {
        let Some(callers) = self.0.get(to).filter(|callers| !callers.contains(keeper)) else { return keeper };
        callers.first().filter(|_| callers.len() == 1).unwrap_or(keeper)
    }
}

impl BuildSite {
    /// Asks every store outside the zone for everything that is marked; each value that a service has is told once.
    pub(super) async fn look_abroad(&self) -> Result<()> {
        let kept = self.mover().kept();
        if kept.is_empty() {
            return Ok(());
        }
        let mut found: BTreeMap<(String, ServiceName), InstanceName> = BTreeMap::new();
        for (store, service) in outside(&self.estate) {
            for (key, keeper) in &kept {
                let Some(is_there) = self.has(&store, key).await? else {
                    let text = format!("{store} did not say whether it has data that is marked for a country");
                    self.shared.caveat("residency-unknown", text).await;
                    let unsaid = Building::Unsaid { what: Sought::Marked, name: key.clone() };
                    self.tell_at(self.place_of(&store), unsaid).await;
                    break;
                };
                if is_there {
                    found.insert((key.clone(), service.clone()), keeper.clone());
                }
            }
        }
        for ((key, to), keeper) in found {
            let sender = self.callers().sender(&keeper, &to).clone();
            self.tell_at(self.place_of(&sender), Building::Left { key, to, refused: false }).await;
        }
        Ok(())
    }

    /// Whether a store has something; nothing where it does not say so, however often it is asked.
    async fn has(&self, store: &InstanceName, key: &str) -> Result<Option<bool>> {
        for tried in 0..TRIES {
            if tried > 0 {
                tokio::time::sleep(BETWEEN_TRIES).await;
            }
            let question = Question { to: store.clone(), ask: Ask::Read { key: key.to_owned() } };
            let said = self.ask(question).await?.and_then(|reply| is_there(&reply));
            if said.is_some() {
                return Ok(said);
            }
        }
        Ok(None)
    }

    fn place_of(&self, name: &InstanceName) -> Place {
        let instance = self.estate.placement.instance_by_name(name);
        Place {
            zone: instance.map(|one| one.zone.clone()),
            host: instance.map(|one| self.estate.placement.hosts[one.host].name.clone()),
            service: instance.map(|one| one.service.clone()),
            instance: Some(name.clone()),
        }
    }
}

/// What an answer says; one with an error says nothing of what is there.
fn is_there(reply: &Reply) -> Option<bool> {
    let says = matches!(reply.error, None | Some(Failure::NotFound));
    says.then(|| reply.value.as_ref().is_some_and(|value| !value.is_empty()))
}

/// Everybody who keeps data where the region stands.
fn outside(estate: &Estate) -> Vec<(InstanceName, ServiceName)> {
    let stores = |name: &ServiceName| estate.graph.service(name).is_some_and(|service| service.state.stores());
    let placed = estate.placement.instances.iter();
    let there = placed.filter(|one| estate.standing[one.host].site == Site::Bootstrap && stores(&one.service));
    there.map(|one| (one.name.clone(), one.service.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::{Callers, is_there};
    use agents::wire::{Failure, Reply};
    use fixtures::name::{InstanceName, ServiceName};
    use std::collections::BTreeSet;

    #[test]
    fn an_answer_with_an_error_does_not_say_that_nothing_is_there() {
        let reply =
            |error, value: Option<&str>| Reply { error, value: value.map(ToOwned::to_owned), ..Reply::default() };
        assert_eq!(is_there(&reply(None, Some("data"))), Some(true));
        assert_eq!(is_there(&reply(None, None)), Some(false));
        assert_eq!(is_there(&reply(None, Some(""))), Some(false), "it was taken out");
        assert_eq!(is_there(&reply(Some(Failure::NotFound), None)), Some(false));
        assert_eq!(is_there(&reply(Some(Failure::Overloaded), None)), None);
    }

    #[test]
    fn whoever_keeps_data_sent_it_unless_only_another_one_called() {
        let name = |text: &str| InstanceName(text.to_owned());
        let to = ServiceName::new("store").expect("a name");
        let sender = |called: &[&str]| {
            let mut callers = Callers::default();
            let called: BTreeSet<InstanceName> = called.iter().map(|text| name(text)).collect();
            callers.0.insert(to.clone(), called);
            callers.sender(&name("keeper"), &to).0.clone()
        };
        assert_eq!(sender(&[]), "keeper");
        assert_eq!(sender(&["keeper", "other"]), "keeper");
        assert_eq!(sender(&["other"]), "other");
        assert_eq!(sender(&["other", "third"]), "keeper");
    }
}
