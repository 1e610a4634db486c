//! Owns the shape of a fault as people write it, with its defaults in the documentation of each key. Refuses to judge
//! what is in it.

mod change;
mod commons;

use crate::event::Life;
use crate::fault::CutShape;
use crate::plan::Unsynced;
use fixtures::decode::Located;
use fixtures::unit::{Bandwidth, Percent, Span};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// A fault with its place on the timeline: exactly one key that says what is done, and when.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawFault {
    /// Its name, unique in the file.
    #[schemars(required)]
    pub name: Option<Located<String>>,
    /// Hosts lose power, and get it back at the end.
    pub power_off: Option<Located<RawPowerOff>>,
    /// Hosts that get power meanwhile boot late, not at all, or so many at a time.
    pub boot: Option<Located<RawBoot>>,
    /// Hosts are frozen: connections stay, nothing answers.
    pub pause: Option<Located<RawSelection>>,
    /// Service processes get SIGKILL, once: of the services named, else all of the hosts.
    pub kill: Option<Located<RawSelection>>,
    /// Service processes get SIGTERM, once: of the services named, else all of the hosts.
    pub exit: Option<Located<RawSelection>>,
    /// Hosts lose power and get it back at once, once.
    pub restart: Option<Located<RawSelection>>,
    /// Hosts are short of processor time.
    pub processor: Option<Located<RawProcessor>>,
    /// Hosts are short of memory.
    pub memory: Option<Located<RawMemory>>,
    /// Disks have no room.
    pub disk_full: Option<Located<RawDisk>>,
    /// Every write to the disks waits.
    pub disk_slow: Option<Located<RawSlowDisk>>,
    /// Reads and writes of data on the disks fail.
    pub disk_errors: Option<Located<RawDisk>>,
    /// Packets between hosts vanish or are refused.
    pub cut: Option<Located<RawCut>>,
    /// Packets between hosts are late, lost, doubled, or held to a rate.
    pub link: Option<Located<RawLink>>,
    /// A zone answers its health checks and serves badly.
    pub gray_zone: Option<Located<RawGrayZone>>,
    /// Name servers say that nobody is there.
    pub names_empty: Option<Located<RawServers>>,
    /// Name servers answer with what once was.
    pub names_stale: Option<Located<RawServers>>,
    /// Name servers answer with somebody else's addresses.
    pub names_wrong: Option<Located<RawServers>>,
    /// Name servers answer late.
    pub names_slow: Option<Located<RawSlowServers>>,
    /// Name servers do not answer.
    pub names_dead: Option<Located<RawServers>>,
    /// Certificates or credentials are not granted: by the services named, else by all whose grants end.
    pub grants_refused: Option<Located<RawSelection>>,
    /// Certificates or credentials that are granted have ended already: of the services named, else of all whose grants end.
    pub grants_expired: Option<Located<RawSelection>>,
    /// Clocks of hosts are wrong.
    pub clock_wrong: Option<Located<RawClock>>,
    /// Operations that change something (`mutates`) are refused, as a cloud's are that has no capacity left.
    pub freeze: Option<Located<RawSelection>>,
    /// Traffic is moved out of zones: instances of regional and global services there send their callers elsewhere.
    pub shift: Option<Located<RawShift>>,
    /// Customers send so many times as many requests.
    pub surge: Option<Located<RawSurge>>,
    /// A configuration push: running processes of a service take other settings at once.
    pub push: Option<Located<RawRollout>>,
    /// A deployment: processes of a service end and start as another version.
    pub deploy: Option<Located<RawRollout>>,
    /// What it waits for: another fault, after whose round (healed, recovered, quiet) this one's begins; or something
    /// observed in the first round. Default: the beginning of the first round.
    pub after: Option<Located<RawAfter>>,
    /// When it begins, from the beginning of its round or from what it waits for. Default: `0s`.
    pub at: Option<Located<Span>>,
    /// How much later than `at` it may begin: the moment is drawn from the seed. Default: `0s`.
    pub within: Option<Located<Span>>,
    /// From the beginning of one pulse to the beginning of the next; with `times`. Default: it comes once.
    pub every: Option<Located<Span>>,
    /// How many pulses; with `every`.
    pub times: Option<Located<u32>>,
    /// How long it (or each pulse) lasts. Required, but for `kill`, `exit` and `restart`, which happen in one instant.
    pub lasts: Option<Located<Span>>,
}

/// Which hosts lose power.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawPowerOff {
    /// Only hosts in these zones. Default: the whole region.
    pub zones: Option<Located<Vec<Located<String>>>>,
    /// Only hosts that carry an instance of one of these services. Default: every host.
    pub services: Option<Located<Vec<Located<String>>>>,
    /// Only these hosts. Default: every host.
    pub hosts: Option<Located<Vec<Located<String>>>>,
    /// Only this share of the hosts that fit (at least one), chosen from the seed. Default: all.
    pub share: Option<Located<Percent>>,
    /// What becomes of data that was written and not synced, where a zone loses power as a whole. Default: lost.
    pub unsynced: Option<Located<Unsynced>>,
}

/// Which hosts do not boot as they should: exactly one of `late`, `never`, and `at-once` with `each`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawBoot {
    /// Only hosts in these zones. Default: the whole region.
    pub zones: Option<Located<Vec<Located<String>>>>,
    /// Only hosts that carry an instance of one of these services. Default: every host.
    pub services: Option<Located<Vec<Located<String>>>>,
    /// Only these hosts. Default: every host.
    pub hosts: Option<Located<Vec<Located<String>>>>,
    /// Only this share of the hosts that fit (at least one), chosen from the seed. Default: all.
    pub share: Option<Located<Percent>>,
    /// Each boots so much later.
    pub late: Option<Located<Span>>,
    /// None boots before the fault is healed.
    pub never: Option<Located<bool>>,
    /// So many boot at a time; with `each`.
    pub at_once: Option<Located<u32>>,
    /// How long each takes; with `at-once`.
    pub each: Option<Located<Span>>,
}

/// Which hosts: those that fit every key.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawSelection {
    /// Only hosts in these zones. Default: the whole region.
    pub zones: Option<Located<Vec<Located<String>>>>,
    /// Only hosts that carry an instance of one of these services. Default: every host.
    pub services: Option<Located<Vec<Located<String>>>>,
    /// Only these hosts. Default: every host.
    pub hosts: Option<Located<Vec<Located<String>>>>,
    /// Only this share of the hosts that fit (at least one), chosen from the seed. Default: all.
    pub share: Option<Located<Percent>>,
}

/// Which hosts are short of processor time.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawProcessor {
    /// Only hosts in these zones. Default: the whole region.
    pub zones: Option<Located<Vec<Located<String>>>>,
    /// Only hosts that carry an instance of one of these services. Default: every host.
    pub services: Option<Located<Vec<Located<String>>>>,
    /// Only these hosts. Default: every host.
    pub hosts: Option<Located<Vec<Located<String>>>>,
    /// Only this share of the hosts that fit (at least one), chosen from the seed. Default: all.
    pub share: Option<Located<Percent>>,
    /// What each is left, of one core.
    #[schemars(required)]
    pub left: Option<Located<Percent>>,
}

/// Which hosts are short of memory.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawMemory {
    /// Only hosts in these zones. Default: the whole region.
    pub zones: Option<Located<Vec<Located<String>>>>,
    /// Only hosts that carry an instance of one of these services. Default: every host.
    pub services: Option<Located<Vec<Located<String>>>>,
    /// Only these hosts. Default: every host.
    pub hosts: Option<Located<Vec<Located<String>>>>,
    /// Only this share of the hosts that fit (at least one), chosen from the seed. Default: all.
    pub share: Option<Located<Percent>>,
    /// How far each one's limit is filled.
    #[schemars(required)]
    pub fill: Option<Located<Percent>>,
}

/// Which disks.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawDisk {
    /// Whose disks: a zone has one. Default: the whole region.
    pub zones: Option<Located<Vec<Located<String>>>>,
}

/// Which zones.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawShift {
    /// The zones that traffic leaves.
    #[schemars(required)]
    pub zones: Option<Located<Vec<Located<String>>>>,
    /// Only that of these services. Default: every service.
    pub services: Option<Located<Vec<Located<String>>>>,
}

/// Which customers send more.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawSurge {
    /// Only those in these zones. Default: all.
    pub zones: Option<Located<Vec<Located<String>>>>,
    /// How many times as much: a whole number from 2 to 100.
    #[schemars(required)]
    pub factor: Option<Located<u32>>,
}

/// Which disks are slow.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawSlowDisk {
    /// Whose disks: a zone has one. Default: the whole region.
    pub zones: Option<Located<Vec<Located<String>>>>,
    /// How long every write waits; at least `200ms`.
    #[schemars(required)]
    pub delay: Option<Located<Span>>,
}

/// One end of a link: hosts that fit every key.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawSet {
    /// Only hosts in these zones. Default: the whole region.
    pub zones: Option<Located<Vec<Located<String>>>>,
    /// Only hosts that carry an instance of one of these services. Default: every host.
    pub services: Option<Located<Vec<Located<String>>>>,
    /// Only these hosts. Default: every host.
    pub hosts: Option<Located<Vec<Located<String>>>>,
}

/// Which links are cut.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawCut {
    /// One side; of a partial partition, among whom it is made. Default of a partial partition: the whole region.
    pub from: Option<Located<RawSet>>,
    /// The other side. Default: every other host of the same region.
    pub to: Option<Located<RawSet>>,
    /// All links, or a partial partition among the zones of `from` (where that is one zone: among its hosts).
    /// Default: full.
    pub shape: Option<Located<CutShape>>,
    /// Only packets of `from` to `to`. Default: false.
    pub one_way: Option<Located<bool>>,
    /// Packets are refused, so that callers learn of it at once; else they vanish. Default: false.
    pub refuse: Option<Located<bool>>,
}

/// Which links are bad, and how: at least one of `latency`, `jitter`, `loss`, `duplicate` and `bandwidth`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawLink {
    /// One side.
    #[schemars(required)]
    pub from: Option<Located<RawSet>>,
    /// The other side. Default: every other host of the same region.
    pub to: Option<Located<RawSet>>,
    /// Added to each direction. Default: `0s`.
    pub latency: Option<Located<Span>>,
    /// How much earlier or later than `latency`, evenly distributed; at most `latency`. Default: `0s`.
    pub jitter: Option<Located<Span>>,
    /// Packets of each direction that are lost. Default: `0%`.
    pub loss: Option<Located<Percent>>,
    /// Packets of each direction that come twice. Default: `0%`.
    pub duplicate: Option<Located<Percent>>,
    /// What each direction carries. Default: no limit.
    pub bandwidth: Option<Located<Bandwidth>>,
    /// Only packets of `from` to `to`. Default: false.
    pub one_way: Option<Located<bool>>,
}

/// Which zone is gray, and how: at least one of `latency` and `loss`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawGrayZone {
    /// The zone.
    #[schemars(required)]
    pub zone: Option<Located<String>>,
    /// Added to each direction. Default: `0s`.
    pub latency: Option<Located<Span>>,
    /// Packets of each direction that are lost. Default: `0%`.
    pub loss: Option<Located<Percent>>,
}

pub use change::{RawCallSettings, RawRollout, RawVersion};
pub use commons::RawClock;
use commons::{RawServers, RawSlowServers};

/// What a fault waits for.
#[derive(Debug, Clone)]
pub enum RawAfter {
    /// The name of another fault.
    Round(String),
    /// Something observed.
    Event(RawObserved),
}

/// A change that the witness observes: some instance becomes what it was not before.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawObserved {
    /// Of this service.
    #[schemars(required)]
    pub service: Option<Located<String>>,
    /// In this zone. Default: any.
    pub zone: Option<Located<String>>,
    /// What it becomes.
    #[schemars(required)]
    pub becomes: Option<Located<Life>>,
}

impl JsonSchema for RawAfter {
    fn schema_name() -> Cow<'static, str> {
        "After".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let observed = generator.subschema_for::<RawObserved>();
        json_schema!({ "oneOf": [{ "type": "string" }, observed] })
    }
}

/// By hand, because an untagged enum would lose the place of what is wrong.
impl<'de> Deserialize<'de> for RawAfter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AfterVisitor;

        impl<'de> Visitor<'de> for AfterVisitor {
            type Value = RawAfter;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a fault, or a table such as { service = \"store\", becomes = \"active\" }")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<RawAfter, E> {
                Ok(RawAfter::Round(text.to_owned()))
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<RawAfter, M::Error> {
                RawObserved::deserialize(MapAccessDeserializer::new(map)).map(RawAfter::Event)
            }
        }

        deserializer.deserialize_any(AfterVisitor)
    }
}

/// A list of names as written.
type Names = Option<Located<Vec<Located<String>>>>;

/// One choice of hosts as written, whichever kind of fault it stands in.
#[derive(Debug, Clone, Copy)]
pub struct Written<'r> {
    /// `zones`.
    pub zones: Option<&'r Located<Vec<Located<String>>>>,
    /// `services`.
    pub services: Option<&'r Located<Vec<Located<String>>>>,
    /// `hosts`.
    pub hosts: Option<&'r Located<Vec<Located<String>>>>,
    /// `share`.
    pub share: Option<&'r Located<Percent>>,
}

impl<'r> Written<'r> {
    fn new(zones: &'r Names, services: &'r Names, hosts: &'r Names, share: &'r Option<Located<Percent>>) -> Self {
        Self { zones: zones.as_ref(), services: services.as_ref(), hosts: hosts.as_ref(), share: share.as_ref() }
    }
}

impl RawPowerOff {
    /// Its choice of hosts.
    pub fn written(&self) -> Written<'_> {
        Written::new(&self.zones, &self.services, &self.hosts, &self.share)
    }
}

impl RawBoot {
    /// Its choice of hosts.
    pub fn written(&self) -> Written<'_> {
        Written::new(&self.zones, &self.services, &self.hosts, &self.share)
    }
}

impl RawSelection {
    /// Its choice of hosts.
    pub fn written(&self) -> Written<'_> {
        Written::new(&self.zones, &self.services, &self.hosts, &self.share)
    }
}

impl RawProcessor {
    /// Its choice of hosts.
    pub fn written(&self) -> Written<'_> {
        Written::new(&self.zones, &self.services, &self.hosts, &self.share)
    }
}

impl RawMemory {
    /// Its choice of hosts.
    pub fn written(&self) -> Written<'_> {
        Written::new(&self.zones, &self.services, &self.hosts, &self.share)
    }
}

impl RawSet {
    /// Its choice of hosts.
    pub fn written(&self) -> Written<'_> {
        Written::new(&self.zones, &self.services, &self.hosts, &None)
    }
}

impl RawDisk {
    /// Its choice of zones.
    pub fn written(&self) -> Written<'_> {
        Written::new(&self.zones, &None, &None, &None)
    }
}

impl RawSlowDisk {
    /// Its choice of zones.
    pub fn written(&self) -> Written<'_> {
        Written::new(&self.zones, &None, &None, &None)
    }
}

impl RawShift {
    /// Its choice of zones and services.
    pub fn written(&self) -> Written<'_> {
        Written::new(&self.zones, &self.services, &None, &None)
    }
}

impl RawSurge {
    /// Its choice of zones.
    pub fn written(&self) -> Written<'_> {
        Written::new(&self.zones, &None, &None, &None)
    }
}

impl RawFault {
    /// Every kind that is written, with its place.
    pub fn kinds(&self) -> Vec<(&'static str, Range<usize>)> {
        fn place<T>(kind: &'static str, value: &Option<Located<T>>) -> Option<(&'static str, Range<usize>)> {
            value.as_ref().map(|value| (kind, value.span()))
        }
        let all = [
            place("power-off", &self.power_off),
            place("boot", &self.boot),
            place("pause", &self.pause),
            place("kill", &self.kill),
            place("exit", &self.exit),
            place("restart", &self.restart),
            place("processor", &self.processor),
            place("memory", &self.memory),
            place("disk-full", &self.disk_full),
            place("disk-slow", &self.disk_slow),
            place("disk-errors", &self.disk_errors),
            place("cut", &self.cut),
            place("link", &self.link),
            place("gray-zone", &self.gray_zone),
            place("names-empty", &self.names_empty),
            place("names-stale", &self.names_stale),
            place("names-wrong", &self.names_wrong),
            place("names-slow", &self.names_slow),
            place("names-dead", &self.names_dead),
            place("grants-refused", &self.grants_refused),
            place("grants-expired", &self.grants_expired),
            place("clock-wrong", &self.clock_wrong),
            place("freeze", &self.freeze),
            place("shift", &self.shift),
            place("surge", &self.surge),
            place("push", &self.push),
            place("deploy", &self.deploy),
        ];
        all.into_iter().flatten().collect()
    }

    /// Every zone, service and host that is named, with its place.
    pub fn names(&self) -> Vec<(Named, &Located<String>)> {
        let mut names = Vec::new();
        for choice in self.choices() {
            for (named, list) in
                [(Named::Zone, choice.zones), (Named::Service, choice.services), (Named::Host, choice.hosts)]
            {
                names.extend(list.into_iter().flat_map(Located::get).map(|text| (named, text)));
            }
        }
        let gray = self.gray_zone.as_ref().and_then(|gray| gray.get().zone.as_ref());
        names.extend(gray.map(|zone| (Named::Zone, zone)));
        let service = self.rollout().and_then(|rollout| rollout.service.as_ref());
        names.extend(service.map(|service| (Named::Service, service)));
        if let Some(RawAfter::Event(observed)) = self.after.as_ref().map(Located::get) {
            names.extend(observed.service.as_ref().map(|service| (Named::Service, service)));
            names.extend(observed.zone.as_ref().map(|zone| (Named::Zone, zone)));
        }
        names
    }

    /// The version that is rolled out, where one is.
    pub fn rollout(&self) -> Option<&RawRollout> {
        self.push.as_ref().or(self.deploy.as_ref()).map(Located::get)
    }

    /// Every choice of hosts.
    fn choices(&self) -> Vec<Written<'_>> {
        fn of<'r, T>(raw: &'r Option<Located<T>>, written: impl Fn(&'r T) -> Written<'r>) -> Option<Written<'r>> {
            raw.as_ref().map(|raw| written(raw.get()))
        }
        let cut = self.cut.as_ref().map(Located::get);
        let link = self.link.as_ref().map(Located::get);
        let all = [
            of(&self.power_off, RawPowerOff::written),
            of(&self.boot, RawBoot::written),
            of(&self.pause, RawSelection::written),
            of(&self.kill, RawSelection::written),
            of(&self.exit, RawSelection::written),
            of(&self.restart, RawSelection::written),
            of(&self.processor, RawProcessor::written),
            of(&self.memory, RawMemory::written),
            of(&self.disk_full, RawDisk::written),
            of(&self.disk_slow, RawSlowDisk::written),
            of(&self.disk_errors, RawDisk::written),
            of(&self.freeze, RawSelection::written),
            of(&self.shift, RawShift::written),
            of(&self.surge, RawSurge::written),
            cut.and_then(|cut| of(&cut.from, RawSet::written)),
            cut.and_then(|cut| of(&cut.to, RawSet::written)),
            link.and_then(|link| of(&link.from, RawSet::written)),
            link.and_then(|link| of(&link.to, RawSet::written)),
            of(&self.names_empty, RawServers::written),
            of(&self.names_stale, RawServers::written),
            of(&self.names_wrong, RawServers::written),
            of(&self.names_slow, RawSlowServers::written),
            of(&self.names_dead, RawServers::written),
            of(&self.grants_refused, RawSelection::written),
            of(&self.grants_expired, RawSelection::written),
            of(&self.clock_wrong, RawClock::written),
            of(&self.push, RawRollout::written),
            of(&self.deploy, RawRollout::written),
        ];
        all.into_iter().flatten().collect()
    }
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Named {
    /// A zone of the topology.
    Zone,
    /// A service of the graph.
    Service,
    /// A host of the placement.
    Host,
    /// An operation of the entry service.
    Operation,
}
