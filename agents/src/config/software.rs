//! Owns the line between a service and its host: what of an instance's configuration is its software, which comes as an
//! artefact, and what is the host's own, which whoever provisions it says. Refuses to fetch and to verify anything.
//!
//! The host knows who the instance is, where it listens, how it finds names, whom it believes, and where software comes from.
//! Everything by which it could serve is software: operations, calls, needs, state, budgets, what it grants, whom it watches.
//! The executable itself is the host's run time, as an operating system's image is.

use super::{CallConfig, ControlConfig, InstanceConfig, NeedConfig, StoreConfig};
use crate::artefact::Expected;
use crate::commons::scaler::{DutyConfig, ScalerConfig};
use crate::commons::telemetry::{BoardConfig, MeterConfig};
use crate::commons::{Commons, DirectoryConfig};
use fixtures::graph::grants::Grants;
use fixtures::graph::workers::Workers;
use fixtures::graph::{Acknowledge, Attempts, Health, State, WhenMissing};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// A process that becomes an instance by nothing but what it fetches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GenericConfig {
    /// What the host knows: an instance that offers nothing, and needs nothing but its software.
    pub own: InstanceConfig,
    /// The edition that it is to run.
    pub edition: String,
    /// The lowest version that will do.
    pub version: u64,
    /// The public key of whoever signs, in hexadecimal digits.
    pub signer: String,
}

impl GenericConfig {
    /// What it is to run; `None` where it is no instance of any service.
    pub fn expected(&self) -> Option<Expected> {
        let service = self.own.from.service.clone()?;
        let (edition, version, signer) = (self.edition.clone(), self.version, self.signer.clone());
        Some(Expected { service, edition, version, signer })
    }
}

/// The software of an instance: the payload of an artefact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Software {
    operations: Vec<String>,
    interval_ns: u64,
    queue: u32,
    workers: Option<Workers>,
    grants: Option<Grants>,
    work: Duration,
    needs: Vec<NeedConfig>,
    calls: Vec<CallConfig>,
    state: State,
    store: StoreConfig,
    control: ControlConfig,
    acknowledge: Acknowledge,
    health: Health,
    liveness: Health,
    directory: Option<DirectoryConfig>,
    lifetimes: BTreeMap<String, u64>,
    renew_at_ppm: u32,
    granted: Option<Vec<String>>,
    meter: Option<MeterConfig>,
    board: Option<BoardConfig>,
    scaler: Option<ScalerConfig>,
    duty: Option<DutyConfig>,
}

/// A host's own part in what is common: what is software is named, and the rest is the host's, whom it believes above all.
fn hosts_own(commons: &Commons) -> Commons {
    Commons {
        directory: None,
        lifetimes: BTreeMap::new(),
        renew_at_ppm: 0,
        grants: None,
        meter: None,
        board: None,
        scaler: None,
        duty: None,
        ..commons.clone()
    }
}

impl Software {
    /// Takes a configuration apart: the host's own part, which needs software of the kind `package` for as long as it takes, and
    /// the software, which needs it no more. `None` where the instance does not need any.
    pub fn split(config: InstanceConfig, package: &str) -> Option<(InstanceConfig, Self)> {
        let (asked, needs): (Vec<NeedConfig>, Vec<NeedConfig>) =
            config.needs.into_iter().partition(|need| need.kind == package);
        // Nothing brings it but asking for it.
        let asked = asked.into_iter().take(1);
        let asked: Vec<NeedConfig> = asked
            .map(|need| NeedConfig { attempts: Attempts::Unlimited, when_missing: WhenMissing::Wait, ..need })
            .collect();
        if asked.is_empty() {
            return None;
        }
        let host = hosts_own(&config.commons);
        let Commons { directory, lifetimes, renew_at_ppm, grants: granted, meter, board, scaler, duty, .. } =
            config.commons;
        let software = Self {
            operations: config.operations,
            interval_ns: config.interval_ns,
            queue: config.queue,
            workers: config.workers,
            grants: config.grants,
            work: config.work,
            needs,
            calls: config.calls,
            state: config.state,
            store: config.store,
            control: config.control,
            acknowledge: config.acknowledge,
            health: config.health,
            liveness: config.liveness,
            directory,
            lifetimes,
            renew_at_ppm,
            granted,
            meter,
            board,
            scaler,
            duty,
        };
        let own = InstanceConfig {
            from: config.from,
            name: config.name,
            zone: config.zone,
            listen: config.listen,
            seed: config.seed,
            operations: Vec::new(),
            interval_ns: 0,
            queue: 0,
            workers: None,
            grants: None,
            work: Duration::ZERO,
            needs: asked,
            calls: Vec::new(),
            state: State::None,
            store: StoreConfig::default(),
            control: ControlConfig::default(),
            acknowledge: Acknowledge::AfterSync,
            health: Health::Shallow,
            commons: host,
            liveness: Health::Shallow,
            counts_arrivals: config.counts_arrivals,
        };
        Some((own, software))
    }

    /// The instance that a host becomes with it.
    #[must_use]
    pub fn installed(self, own: &InstanceConfig) -> InstanceConfig {
        let Self { directory, lifetimes, renew_at_ppm, granted: grants, meter, board, scaler, duty, .. } = self;
        let commons = own.commons.clone();
        InstanceConfig {
            operations: self.operations,
            interval_ns: self.interval_ns,
            queue: self.queue,
            workers: self.workers,
            grants: self.grants,
            work: self.work,
            needs: self.needs,
            calls: self.calls,
            state: self.state,
            store: self.store,
            control: self.control,
            acknowledge: self.acknowledge,
            health: self.health,
            liveness: self.liveness,
            commons: Commons { directory, lifetimes, renew_at_ppm, grants, meter, board, scaler, duty, ..commons },
            ..own.clone()
        }
    }
}
