//! Owns the words for defects that a build can play: what somebody wrote into a configuration by hand, and what the builder
//! leaves out. Refuses to know what finds them.

use super::Spec;
use crate::world::build::told::{ByHand, Tampering};
use fixtures::name::ServiceName;
use std::fmt;
use std::str::FromStr;

/// What they look like, for whoever wrote another word.
const WORDS: &str = "pinned:SERVICE:TO, pinned-need:SERVICE, old-addresses:SERVICE, needs:SERVICE:FROM, backup:SERVICE:TO, capacity:SERVICE:NUMBER, \
                     altered-artefact:SERVICE, foreign-signer:SERVICE, no-last-pass, unasked";

/// A defect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Defect {
    /// Somebody wrote something by hand.
    ByHand(ByHand),
    /// What was written while data was copied is not copied.
    NoLastPass,
    /// Identities of customers come over who did not opt in.
    Unasked,
}

impl FromStr for Defect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = |name: &str| ServiceName::new(name).map_err(|error| error.to_string());
        let words: Vec<&str> = text.split(':').collect();
        Ok(Self::ByHand(match words[..] {
            ["pinned", service, to] => ByHand::Pinned { service: name(service)?, to: name(to)? },
            ["pinned-need", service] => ByHand::PinnedNeed { service: name(service)? },
            ["old-addresses", service] => ByHand::OldAddresses { service: name(service)? },
            ["needs", service, from] => ByHand::Needs { service: name(service)?, from: name(from)? },
            ["backup", service, to] => ByHand::Backup { service: name(service)?, to: name(to)? },
            ["capacity", service, number] => {
                let per_second = number.parse().map_err(|_| format!("`{number}` is no number of requests a second"))?;
                ByHand::Capacity { service: name(service)?, per_second }
            }
            ["altered-artefact", service] => ByHand::Tampered { service: name(service)?, how: Tampering::Altered },
            ["foreign-signer", service] => ByHand::Tampered { service: name(service)?, how: Tampering::ForeignSigner },
            ["no-last-pass"] => return Ok(Self::NoLastPass),
            ["unasked"] => return Ok(Self::Unasked),
            _ => return Err(format!("there is no such defect; there are {WORDS}")),
        }))
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByHand(ByHand::Pinned { service, to }) => write!(f, "pinned:{service}:{to}"),
            Self::ByHand(ByHand::PinnedNeed { service }) => write!(f, "pinned-need:{service}"),
            Self::ByHand(ByHand::OldAddresses { service }) => write!(f, "old-addresses:{service}"),
            Self::ByHand(ByHand::Needs { service, from }) => write!(f, "needs:{service}:{from}"),
            Self::ByHand(ByHand::Capacity { service, per_second }) => write!(f, "capacity:{service}:{per_second}"),
            Self::ByHand(ByHand::Backup { service, to }) => write!(f, "backup:{service}:{to}"),
            Self::ByHand(ByHand::Tampered { service, how: Tampering::Altered }) => {
                write!(f, "altered-artefact:{service}")
            }
            Self::ByHand(ByHand::Tampered { service, .. }) => write!(f, "foreign-signer:{service}"),
            Self::NoLastPass => f.write_str("no-last-pass"),
            Self::Unasked => f.write_str("unasked"),
        }
    }
}

impl Defect {
    /// Has a build play it.
    pub fn play(self, spec: &mut Spec) {
        match self {
            Self::ByHand(by_hand) => spec.by_hand.push(by_hand),
            Self::NoLastPass => spec.course.last_pass = false,
            Self::Unasked => spec.course.unasked = true,
        }
    }

    /// Services that it speaks of.
    pub fn services(&self) -> Vec<&ServiceName> {
        match self {
            Self::ByHand(by_hand) => by_hand.services(),
            Self::NoLastPass | Self::Unasked => Vec::new(),
        }
    }
}
