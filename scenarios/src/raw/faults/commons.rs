//! Owns the shape of faults of what a region shares, as people write them: names and clocks. Refuses to judge what is in
//! it.

use super::{Names, Written};
use fixtures::decode::Located;
use fixtures::unit::{Percent, Span};
use schemars::JsonSchema;
use serde::Deserialize;

/// Which name servers.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawServers {
    /// Only servers in these zones. Default: the whole region.
    pub zones: Names,
    /// Only servers on these hosts. Default: every host.
    pub hosts: Names,
    /// Only this share of the hosts that fit (at least one), chosen from the seed. Default: all.
    pub share: Option<Located<Percent>>,
}

/// Which name servers are slow.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawSlowServers {
    /// Only servers in these zones. Default: the whole region.
    pub zones: Names,
    /// Only servers on these hosts. Default: every host.
    pub hosts: Names,
    /// Only this share of the hosts that fit (at least one), chosen from the seed. Default: all.
    pub share: Option<Located<Percent>>,
    /// How late every answer comes.
    #[schemars(required)]
    pub delay: Option<Located<Span>>,
}

/// Which clocks are wrong: exactly one of `ahead` and `behind`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawClock {
    /// Only hosts in these zones. Default: the whole region.
    pub zones: Names,
    /// Only hosts that carry an instance of one of these services. Default: every host.
    pub services: Names,
    /// Only these hosts. Default: every host.
    pub hosts: Names,
    /// Only this share of the hosts that fit (at least one), chosen from the seed. Default: all.
    pub share: Option<Located<Percent>>,
    /// So much ahead.
    pub ahead: Option<Located<Span>>,
    /// So much behind.
    pub behind: Option<Located<Span>>,
}

impl RawServers {
    /// Its choice of hosts.
    pub fn written(&self) -> Written<'_> {
        Written::new(&self.zones, &None, &self.hosts, &self.share)
    }
}

impl RawSlowServers {
    /// Its choice of hosts.
    pub fn written(&self) -> Written<'_> {
        Written::new(&self.zones, &None, &self.hosts, &self.share)
    }
}

impl RawClock {
    /// Its choice of hosts.
    pub fn written(&self) -> Written<'_> {
        Written::new(&self.zones, &self.services, &self.hosts, &self.share)
    }
}
