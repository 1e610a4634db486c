//! Owns how an instance of a scaler gets to know what it decides on, and how it tells instances what to do. Refuses to decide
//! ([`super::scaling`]), and to tell anybody outside its own zone.
//!
//! Once in an interval it decides on what the last interval brought: the load, as telemetry has summed it up, and what each
//! instance said that it does. Then it asks both again. Nothing waits for it: an instance that is told nothing goes on.

use super::duty::{STANDS_BY, TAKES};
use super::exchange::{Ended, Purpose, Sending};
use super::route::Route;
use super::scaling::Group;
use super::timer::TimerKind;
use super::{Machine, Nanos, Output};
use crate::commons::scaler::ScalerConfig;
use crate::wire::{Ask, Failure, LoadOf, Note};
use fixtures::graph::{Breaker, Routing};
use fixtures::name::ZoneName;
use std::time::Duration;

/// Whoever of telemetry does not answer is left alone for a while, where others do.
const BREAKER: Breaker = Breaker { failures: 1, open_for: Duration::from_secs(5) };

/// What an instance of a scaler knows.
#[derive(Debug)]
pub(super) struct Scaler {
    telemetry: Route,
    groups: Vec<Group>,
}

impl Scaler {
    pub(super) fn of(config: &ScalerConfig, zone: &ZoneName) -> Box<Self> {
        // By addresses, as telemetry's instances know each other.
        let telemetry = Route::new(&config.telemetry, Some(BREAKER), Routing::ZoneFirst, zone, 0, None);
        let groups = config.groups.iter().map(|group| Group::new(group.scale, group.members.len())).collect();
        Box::new(Self { telemetry, groups })
    }
}

impl Machine {
    /// An interval is over: decides, tells, and asks anew.
    pub(super) fn scale(&mut self, now: Nanos, out: &mut Vec<Output>) {
        let Some(config) = &self.role.config.commons.scaler else { return };
        let Some(scaler) = &mut self.scaler else { return };
        self.timers.set(now.saturating_add(config.interval_ns), TimerKind::Scaler);
        let frozen = self.switches.is_frozen(now);
        let zone = &self.role.config.zone;
        let timeout = config.timeout_ns;
        for (place, (group, known)) in scaler.groups.iter_mut().zip(&config.groups).enumerate() {
            let orders = group.decide(now, frozen);
            if let Some((from, to, cause)) = group.changed() {
                out.push(Output::Note(Note::Scaled { group: known.service.clone(), from, to, cause }));
            }
            for (member, (target, order)) in known.members.iter().zip(orders).enumerate() {
                let (to, secure) = (target.address, target.secure.clone());
                let purpose = Purpose::Duty { group: place, member };
                let sending = Sending { purpose, target: member, to, secure, ask: Ask::Duty { order }, timeout };
                self.exchange.send(now, sending, &mut self.timers, out);
            }
            let Some(target) = scaler.telemetry.pick(now, &[]) else { continue };
            let (to, secure) = (scaler.telemetry.address(target), scaler.telemetry.secure(target));
            let ask = Ask::Load(Box::new(LoadOf { zone: zone.clone(), service: known.service.clone() }));
            let sending = Sending { purpose: Purpose::Load { group: place }, target, to, secure, ask, timeout };
            self.exchange.send(now, sending, &mut self.timers, out);
        }
    }

    /// Telemetry has answered, or has not.
    pub(super) fn load_told(&mut self, now: Nanos, group: usize, ended: &Ended) {
        let Some(scaler) = &mut self.scaler else { return };
        match &ended.result {
            Ok(_) => scaler.telemetry.succeeded(ended.target, ended.to),
            Err(_) => scaler.telemetry.failed(ended.target, ended.to, now),
        }
        let load = ended.result.as_ref().ok().filter(|reply| reply.error.is_none());
        let load = load.and_then(|reply| reply.value.as_ref()?.parse().ok());
        if let Some(group) = scaler.groups.get_mut(group) {
            group.load_told(load);
        }
    }

    /// An instance has said what it does, or has not.
    pub(super) fn duty_told(&mut self, (group, member): (usize, usize), ended: &Ended) {
        let Some(group) = self.scaler.as_mut().and_then(|scaler| scaler.groups.get_mut(group)) else { return };
        let Ok(reply) = &ended.result else { return };
        match (reply.error, reply.value.as_deref()) {
            (None, Some(TAKES)) => group.does(member, true),
            (None, Some(STANDS_BY)) => group.does(member, false),
            // It answers, and changes nothing.
            (Some(Failure::Capacity), _) => group.refuses(member),
            _ => {}
        }
    }
}
