//! Owns the words for defects that a build can play: what somebody wrote into a configuration by hand, and what the builder
//! leaves out. Refuses to know what finds them.

use super::Spec;
use crate::world::build::told::{ByHand, Tampering};
use fixtures::name::ServiceName;
use scenarios::build::plan::Ruled;
use scenarios::build::zone::Pieces;
use std::fmt;
use std::str::FromStr;

/// What they look like, for whoever wrote another word.
const WORDS: &str = "pinned:SERVICE:TO, pinned-need:SERVICE, old-addresses:SERVICE, needs:SERVICE:FROM, one-zone:SERVICE, \
                     backup:SERVICE:TO, capacity:SERVICE:NUMBER, foreign-identity:SERVICE, altered-artefact:SERVICE, \
                     foreign-signer:SERVICE, no-last-pass, altered-copy, unasked; of a zone alone: forgotten:SERVICE, \
                     two-zones-a-day, halves-across-zones";

/// A defect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Defect {
    /// Somebody wrote something by hand.
    ByHand(ByHand),
    /// What was written while data was copied is not copied.
    NoLastPass,
    /// Identities of customers come over who did not opt in.
    Unasked,
    /// Names of a service lead to the new zone alone from peering on.
    Forgotten(ServiceName),
    /// Live zones are changed one right after the other.
    TwoZonesADay,
    /// Each live zone is told half before any is told all.
    HalvesAcrossZones,
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
            ["one-zone", service] => ByHand::OneZone { service: name(service)? },
            ["needs", service, from] => ByHand::Needs { service: name(service)?, from: name(from)? },
            ["backup", service, to] => ByHand::Backup { service: name(service)?, to: name(to)? },
            ["capacity", service, number] => {
                let per_second = number.parse().map_err(|_| format!("`{number}` is no number of requests a second"))?;
                ByHand::Capacity { service: name(service)?, per_second }
            }
            ["altered-artefact", service] => ByHand::Tampered { service: name(service)?, how: Tampering::Altered },
            ["foreign-signer", service] => ByHand::Tampered { service: name(service)?, how: Tampering::ForeignSigner },
            ["foreign-identity", service] => ByHand::ForeignIdentity { service: name(service)? },
            ["altered-copy"] => ByHand::AlteredCopy,
            ["no-last-pass"] => return Ok(Self::NoLastPass),
            ["unasked"] => return Ok(Self::Unasked),
            ["forgotten", service] => return Ok(Self::Forgotten(name(service)?)),
            ["two-zones-a-day"] => return Ok(Self::TwoZonesADay),
            ["halves-across-zones"] => return Ok(Self::HalvesAcrossZones),
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
            Self::ByHand(ByHand::ForeignIdentity { service }) => write!(f, "foreign-identity:{service}"),
            Self::ByHand(ByHand::OneZone { service }) => write!(f, "one-zone:{service}"),
            Self::ByHand(ByHand::Needs { service, from }) => write!(f, "needs:{service}:{from}"),
            Self::ByHand(ByHand::Capacity { service, per_second }) => write!(f, "capacity:{service}:{per_second}"),
            Self::ByHand(ByHand::Backup { service, to }) => write!(f, "backup:{service}:{to}"),
            Self::ByHand(ByHand::Tampered { service, how: Tampering::Altered }) => {
                write!(f, "altered-artefact:{service}")
            }
            Self::ByHand(ByHand::Tampered { service, .. }) => write!(f, "foreign-signer:{service}"),
            Self::ByHand(ByHand::AlteredCopy) => f.write_str("altered-copy"),
            Self::NoLastPass => f.write_str("no-last-pass"),
            Self::Unasked => f.write_str("unasked"),
            Self::Forgotten(service) => write!(f, "forgotten:{service}"),
            Self::TwoZonesADay => f.write_str("two-zones-a-day"),
            Self::HalvesAcrossZones => f.write_str("halves-across-zones"),
        }
    }
}

impl Defect {
    /// Has a build play it. One of a zone changes nothing in the build of a region, and the other way round.
    pub fn play(self, spec: &mut Spec) {
        match (self, &mut spec.zone) {
            (Self::ByHand(by_hand), _) => spec.by_hand.push(by_hand),
            (Self::NoLastPass, _) => spec.course.last_pass = false,
            (Self::Unasked, _) => spec.course.unasked = true,
            (Self::Forgotten(service), Some(zone)) => zone.course.forgotten.push(service),
            (Self::TwoZonesADay, Some(zone)) => zone.course.ruled = Ruled::Not,
            (Self::HalvesAcrossZones, Some(zone)) => {
                zone.course.pieces = Pieces::HalvesAcrossZones;
                // One that keeps to the share refuses the plan; and who keeps to nothing at all does not keep to days either.
                if zone.course.ruled == Ruled::Wholly {
                    zone.course.ruled = Ruled::ButForShares;
                }
            }
            (Self::Forgotten(_) | Self::TwoZonesADay | Self::HalvesAcrossZones, None) => {}
        }
    }

    /// Whether it can be played: in the build of a zone, or of a region.
    pub fn is_of(&self, is_zone: bool) -> bool {
        match self {
            // A zone has the identities of its region.
            Self::ByHand(ByHand::ForeignIdentity { .. } | ByHand::AlteredCopy) => !is_zone,
            Self::ByHand(_) => true,
            Self::NoLastPass | Self::Unasked => !is_zone,
            Self::Forgotten(_) | Self::TwoZonesADay | Self::HalvesAcrossZones => is_zone,
        }
    }

    /// Services that it speaks of.
    pub fn services(&self) -> Vec<&ServiceName> {
        match self {
            Self::ByHand(by_hand) => by_hand.services(),
            Self::Forgotten(service) => vec![service],
            Self::NoLastPass | Self::Unasked | Self::TwoZonesADay | Self::HalvesAcrossZones => Vec::new(),
        }
    }
}
