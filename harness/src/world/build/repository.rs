//! Owns what a repository of packages gives out while something is built: the artefact of each instance that begins on a generic
//! host, and what such a host knows itself. Refuses to know where artefacts are kept, and when they change.
//!
//! An artefact is of a service in a zone, in one edition for the bootstrap network (where proxies have the names of stores) and
//! one for what is built.

use super::told::{ByHand, Tampering};
use agents::artefact::{Expected, Signer, altered};
use agents::config::{GenericConfig, InstanceConfig, Software};
use fixtures::regional::cast::PACKAGE;
use fixtures::regional::estate::{Estate, Site};

/// Who signs, and what somebody did to what was signed.
#[derive(Debug)]
pub(crate) struct Repository {
    signer: Signer,
    foreign: Signer,
    by_hand: Vec<ByHand>,
}

/// An instance as it begins on a generic host.
#[derive(Debug)]
pub(crate) struct Packed {
    /// What its host knows.
    pub(crate) generic: GenericConfig,
    /// What it is to run.
    pub(crate) expected: Expected,
    /// The artefact as a repository gives it out.
    pub(crate) artefact: String,
}

impl Repository {
    /// One whose key follows from a secret.
    pub(crate) fn new(secret: &[u8], by_hand: &[ByHand]) -> Self {
        let signer = Signer::of(&[b"artefacts of ".as_slice(), secret].concat());
        let foreign = Signer::of(&[b"somebody else than ".as_slice(), secret].concat());
        Self { signer, foreign, by_hand: by_hand.to_vec() }
    }

    /// Packs the software of an instance, by its place in the placement; `None` where its host is not generic.
    pub(crate) fn pack(&self, estate: &Estate, index: usize, version: u64, config: InstanceConfig) -> Option<Packed> {
        if !estate.is_generic(index) {
            return None;
        }
        let edition = edition(estate, index, &config)?;
        let (own, software) = Software::split(config, PACKAGE)?;
        let generic = GenericConfig { own, edition, version, signer: self.signer.public() };
        let expected = generic.expected()?;
        let service = &expected.service;
        // It is a plain tree of texts, numbers and lists: it always serialises.
        let payload = serde_json::to_string(&software).ok()?;
        let tampered = self.by_hand.iter().find_map(|one| match one {
            ByHand::Tampered { service: meant, how } if meant == service => Some(*how),
            _ => None,
        });
        let signer = if tampered == Some(Tampering::ForeignSigner) { &self.foreign } else { &self.signer };
        let artefact = signer.pack(service, &expected.edition, version, &payload);
        let artefact = if tampered == Some(Tampering::Altered) { altered(&artefact) } else { artefact };
        Some(Packed { generic, expected, artefact })
    }
}

/// For where an artefact is made.
fn edition(estate: &Estate, index: usize, config: &InstanceConfig) -> Option<String> {
    let site = estate.standing.get(estate.placement.instances.get(index)?.host)?.site;
    // Whoever watches has a list of the others of its service: each has another one.
    let part = if config.commons.board.is_some() { config.name.to_string() } else { config.zone.to_string() };
    Some(if site == Site::Network { format!("{part}-bootstrap") } else { part })
}
