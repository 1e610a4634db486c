//! Owns how a simulated generic host comes to its software: the same artefacts as in containers, packed and verified by the same
//! code, decide whether what a repository granted is any good. Refuses to move their bytes: a grant stands for them.

use super::calls::Key;
use super::engine::Engine;
use crate::world::build::repository::Repository;
use agents::artefact::{Expected, Manifest};
use agents::machine::Outcome;
use agents::machine::role::Role;
use agents::wire::{Delivery, Failure, Note};
use fixtures::regional::cast::PACKAGE;
use fixtures::regional::estate::Estate;
use std::sync::Arc;

/// The software of a process on a generic host.
#[derive(Debug, Clone)]
pub(super) struct Packaged {
    /// The role that it has with its software on the host's disk: it needs to ask nobody for it.
    role: Arc<Role>,
    /// What it is to run, and what repositories give out as that.
    goods: Arc<(Expected, String)>,
    /// What is on the host's disk, synced.
    kept: Option<Manifest>,
    refused: u64,
}

impl Packaged {
    /// Of an instance, by its place in the placement, with the role that it begins with; `None` where its host is not generic.
    pub(super) fn of(
        repository: &Repository,
        (estate, index): (&Estate, usize),
        version: u64,
        role: &Role,
    ) -> Option<Self> {
        let packed = repository.pack(estate, index, version, role.config.clone())?;
        let mut config = role.config.clone();
        config.needs.retain(|need| need.kind != PACKAGE);
        let (role, goods) = (Arc::new(Role::new(config)), Arc::new((packed.expected, packed.artefact)));
        Some(Self { role, goods, kept: None, refused: 0 })
    }

    /// The role of whoever has the software already.
    pub(super) fn role(&self) -> Option<&Arc<Role>> {
        self.kept.is_some().then_some(&self.role)
    }

    /// Takes what was given out, or refuses it; what is to be told of that, if anything.
    fn take(&mut self, from: &str) -> (bool, Option<Note>) {
        let (expected, artefact) = &*self.goods;
        let from = from.to_owned();
        match expected.open(artefact.as_bytes()) {
            Ok(opened) => {
                let (version, sha256) = (opened.manifest.version, opened.manifest.sha256.clone());
                self.kept = Some(opened.manifest);
                let delivery = Delivery::Fetched;
                (true, Some(Note::Software { delivery, version, sha256, from, why: String::new() }))
            }
            Err(refusal) => {
                self.refused += 1;
                let (delivery, sha256, why) = (Delivery::Refused, String::new(), refusal.to_string());
                let note = Note::Software { delivery, version: 0, sha256, from, why };
                (false, self.refused.is_power_of_two().then_some(note))
            }
        }
    }
}

impl Engine {
    /// An answer on its way to a process: what was granted of software that is no good is as if it had been denied.
    pub(super) fn delivered(&mut self, index: u32, key: Key, outcome: Outcome) -> Outcome {
        let fetches = self.taps.as_mut().is_some_and(|taps| taps.fetching.remove(&key));
        let (true, Outcome::Reply(mut reply)) = (fetches, outcome.clone()) else { return outcome };
        let Some(packaged) = self.processes[index as usize].software.as_mut().filter(|_| reply.error.is_none()) else {
            return outcome;
        };
        let (taken, note) = packaged.take(&reply.by);
        if let Some(note) = note {
            self.note(index, note);
        }
        if !taken {
            reply.error = Some(Failure::Denied);
        }
        Outcome::Reply(reply)
    }

    /// A process begins with the software that is on its host's disk.
    pub(super) fn tell_of_kept(&mut self, index: u32) {
        let kept = self.processes[index as usize].software.as_ref().and_then(|packaged| packaged.kept.as_ref());
        let Some(Manifest { version, sha256, .. }) = kept.cloned() else { return };
        let (delivery, from, why) = (Delivery::Kept, String::new(), String::new());
        self.note(index, Note::Software { delivery, version, sha256, from, why });
    }
}
