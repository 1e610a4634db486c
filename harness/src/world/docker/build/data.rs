//! Owns the way of the mover's questions to instances and back: the witness asks them, from outside of both regions. Refuses to
//! decide what is asked.

use super::{AGAIN, BuildSite};
use crate::witness::protocol::Errand;
use crate::world::build::mover::{Handed, Mover, Question};
use agents::wire::{Ask, Reply};
use anyhow::Result;
use fixtures::name::{InstanceName, ZoneName};
use fixtures::regional::estate::{Site, What};
use std::sync::{MutexGuard, PoisonError};

/// How long the mover waits for an answer.
const TIMEOUT_NS: u64 = 2_000_000_000;

impl BuildSite {
    pub(super) fn mover(&self) -> MutexGuard<'_, Mover> {
        self.mover.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A write was acknowledged to the witness. One to a zone of the region that is built that is stored in the bootstrap region
    /// came over a proxy.
    pub fn was_acknowledged(&self, key: &str, stored_at: &[InstanceName]) {
        let mut mover = self.mover();
        mover.was_acknowledged(key.to_owned(), stored_at.to_vec());
        if self.estate.what != What::Region {
            return;
        }
        let of_zone = key.strip_prefix(AGAIN).and_then(|rest| rest.split_once('-')).map_or(key, |(_, rest)| rest);
        let is_ours =
            |zone: &ZoneName| of_zone.strip_prefix(zone.as_str()).is_some_and(|number| number.starts_with('-'));
        if !self.estate.build.zones.iter().any(is_ours) {
            return;
        }
        let there = |name: &&InstanceName| {
            self.estate.standing_of(name).is_some_and(|standing| standing.site == Site::Bootstrap)
        };
        let stored_at: Vec<InstanceName> = stored_at.iter().filter(there).cloned().collect();
        let keeper = stored_at.first().and_then(|name| self.estate.placement.instance_by_name(name));
        if let Some(service) = keeper.map(|keeper| keeper.service.clone()) {
            mover.handed(vec![Handed { service, key: key.to_owned(), stored_at }]);
        }
    }

    /// Moves data until there is none to be moved.
    pub(super) async fn move_data(&self, begin: impl FnOnce(&mut Mover)) -> Result<()> {
        begin(&mut self.mover());
        loop {
            let (next, seen) = {
                let mut mover = self.mover();
                let next = mover.next();
                (next, std::mem::take(&mut mover.seen))
            };
            for seen in seen {
                self.tell(seen).await;
            }
            let Some(question) = next else { return Ok(()) };
            let reply = self.ask(question).await?;
            self.mover().answered(reply.ok_or("silent"));
        }
    }

    /// Asks an instance once; nothing where it does not answer.
    pub(super) async fn ask(&self, Question { to, ask }: Question) -> Result<Option<Reply>> {
        let Some(probe) = self.estate.placement.instances.iter().position(|instance| instance.name == to) else {
            return Ok(None);
        };
        let (key, store) = match ask {
            Ask::Read { key } => (key, None),
            Ask::Work { operation, write: Some(write), .. } => (write.key, Some((operation.to_string(), write.value))),
            _ => return Ok(None),
        };
        let errand = Errand { number: self.number(), probe, key, store, timeout_ns: TIMEOUT_NS };
        Ok(self.shared.need_built()?.ask_instance(errand).await)
    }
}
