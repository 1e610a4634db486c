//! Owns the question for how long something granted is good: what is granted, what is accepted, when it is renewed, and
//! what its end means. Refuses to know keys and signatures.

use super::timer::TimerKind;
use super::{Machine, Nanos, Output};
use crate::config::nanos;
use crate::few::Few;
use crate::wire::{Ask, Failure, Grant, NeedOutcome, Realm, Reply, Text};
use fixtures::graph::identity::{CERTIFICATE, Renew, WhenExpired};
use fixtures::name::ServiceName;
use fixtures::trouble::{InForce, Trouble};
use std::time::Duration;

/// What is granted counts from a little before it was, so that a clock that is behind by less can use it at once.
const BACKDATED: Duration = Duration::from_secs(2);

/// What a process feels of the trouble around it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Felt {
    /// How its name server behaves.
    pub names: Option<Trouble>,
    /// How it grants.
    pub grants: Option<Trouble>,
    /// Nanoseconds by which its host's clock is ahead.
    pub ahead_ns: i64,
}

impl Felt {
    /// Of what is in force on a host, what a process of this service feels.
    pub fn of(in_force: &[InForce], service: Option<&ServiceName>) -> Self {
        let mut felt = Self::default();
        for trouble in in_force.iter().filter(|one| one.is_about(service)).map(|one| &one.trouble) {
            match trouble {
                Trouble::ClockWrong { ahead_ms } => felt.ahead_ns = ahead_ms.saturating_mul(1_000_000),
                Trouble::GrantsRefused | Trouble::GrantsExpired => felt.grants = Some(trouble.clone()),
                // Another version is no trouble with what is shared.
                Trouble::Changed(_) => {}
                _ => felt.names = Some(trouble.clone()),
            }
        }
        felt
    }

    /// What a clock on this host shows.
    pub fn shows(&self, now: Nanos) -> i64 {
        i64::try_from(now).unwrap_or(i64::MAX).saturating_add(self.ahead_ns)
    }
}

impl Grant {
    /// Whether it is good at a time of whoever asks.
    pub fn is_good_at(&self, shown_ns: i64) -> bool {
        self.from_ns <= shown_ns && shown_ns < self.until_ns
    }

    /// What is granted at a time of whoever grants, for so long.
    fn begin(shown_ns: i64, lifetime_ns: u64) -> Self {
        let lifetime = i64::try_from(lifetime_ns).unwrap_or(i64::MAX);
        let from_ns = shown_ns.saturating_sub(signed(nanos(BACKDATED)));
        Self { from_ns, until_ns: shown_ns.saturating_add(lifetime), realm: Realm::default() }
    }
}

fn signed(ns: u64) -> i64 {
    i64::try_from(ns).unwrap_or(i64::MAX)
}

impl Machine {
    /// Grants a need to somebody, or does not.
    pub(super) fn grant(&mut self, now: Nanos, kind: &Text, holder: &Text) -> Reply {
        let reply = Reply::by(&self.by);
        if self.role.config.commons.grants.as_ref().is_some_and(|grants| !grants.iter().any(|known| **known == **kind))
        {
            return Reply { error: Some(Failure::Unknown), ..reply };
        }
        let felt = self.felt.grants.as_ref();
        if felt == Some(&Trouble::GrantsRefused) {
            return Reply { error: Some(Failure::Denied), ..reply };
        }
        if let Some(Err(error)) = self.role.config.grants.map(|limits| self.granted.take(now, &limits, holder)) {
            self.count_not_granted(error);
            return Reply { error: Some(error), ..reply };
        }
        let felt = self.felt.grants.as_ref();
        let commons = &self.role.config.commons;
        let Some(&lifetime) = commons.lifetimes.get(&**kind) else { return reply };
        let mut grant = Grant { realm: commons.realm, ..Grant::begin(self.felt.shows(now), lifetime) };
        if felt == Some(&Trouble::GrantsExpired) {
            let past = signed(lifetime).saturating_mul(2);
            (grant.from_ns, grant.until_ns) = (grant.from_ns.saturating_sub(past), grant.until_ns.saturating_sub(past));
        }
        Reply { grant: Some(Box::new(grant)), ..reply }
    }

    /// Something was granted; false where it is no good to this instance.
    pub(super) fn take_grant(&mut self, now: Nanos, index: usize, grant: Option<Grant>) -> bool {
        let Some(grant) = grant else { return true };
        let shown = self.felt.shows(now);
        if !grant.is_good_at(shown) {
            return false;
        }
        let config = &self.role.config;
        let left = u64::try_from(grant.until_ns.saturating_sub(shown)).unwrap_or_default();
        if config.needs[index].renew == Renew::BeforeExpiry {
            let at = u128::from(left) * u128::from(config.commons.renew_at_ppm) / 1_000_000;
            let at = u64::try_from(at).unwrap_or(u64::MAX);
            // A tenth earlier or later: a fleet that started together must not renew together.
            let at = at - at / 10 + self.rng.u64(0..=at / 5);
            self.timers.set(now.saturating_add(at), TimerKind::Need(index));
        }
        self.timers.set(now.saturating_add(left), TimerKind::Expiry(index));
        self.needs[index].grant = Some(grant);
        true
    }

    /// The clock, or what it is compared with, has changed.
    pub(super) fn expire_by_clock(&mut self, now: Nanos, out: &mut Vec<Output>) {
        let shown = self.felt.shows(now);
        for index in 0..self.needs.len() {
            let Some(grant) = self.needs[index].grant else { continue };
            if grant.until_ns <= shown {
                self.expired(now, index, out);
            } else {
                let left = u64::try_from(grant.until_ns - shown).unwrap_or_default();
                self.timers.set(now.saturating_add(left), TimerKind::Expiry(index));
            }
        }
    }

    /// What was granted has ended, as this instance's clock shows it.
    pub(super) fn expired(&mut self, now: Nanos, index: usize, out: &mut Vec<Output>) {
        let need = &self.role.config.needs[index];
        let (renew, when_expired) = (need.renew, need.when_expired);
        if renew == Renew::Never {
            self.note_need(index, NeedOutcome::GaveUp, out);
        } else {
            self.note_need(index, NeedOutcome::Waiting, out);
            if !self.needs[index].is_asked() {
                self.timers.set(now, TimerKind::Need(index));
            }
        }
        if when_expired == WhenExpired::Stop && self.needs[index].lose() {
            self.serving = false;
        }
    }

    /// Who would have to grant what this instance has lost; nobody where it serves.
    pub(super) fn lacks(&self) -> Few<ServiceName> {
        let needs = self.needs.iter().zip(&self.role.config.needs);
        let lost = needs.filter(|(need, _)| !self.serving && !need.is_acquired());
        lost.map(|(_, config)| config.from.clone()).take(1).collect()
    }

    /// What it shows to whoever asks it over TLS.
    pub(super) fn own_certificate(&self, now: Nanos) -> Option<Grant> {
        let config = &self.role.config;
        if config.commons.is_authority {
            let lifetime = config.commons.lifetimes.get(CERTIFICATE).copied().unwrap_or(u64::MAX);
            return Some(Grant { realm: config.commons.realm, ..Grant::begin(self.felt.shows(now), lifetime) });
        }
        let index = config.needs.iter().position(|need| need.kind == CERTIFICATE)?;
        self.needs[index].grant
    }

    /// Whether whoever it asks is whom it wanted, by what they show: of its own realm, or of the one across the border, where
    /// it was told to believe that too.
    pub(super) fn believes_server(&self, now: Nanos, shown: Grant) -> bool {
        let commons = &self.role.config.commons;
        let known = shown.realm == commons.realm || commons.abroad.as_ref().is_some_and(|one| one.realm == shown.realm);
        known && shown.is_good_at(self.felt.shows(now))
    }

    /// Whether it takes what a caller shows. Of callers it never believes more than its own realm.
    pub(super) fn believes_caller(&self, now: Nanos, shown: Grant) -> bool {
        shown.realm == self.role.config.commons.realm && shown.is_good_at(self.felt.shows(now))
    }

    /// What it shows to whom it asks. Who believes another realm too shows nothing there: nobody would take it, and no service
    /// is to see two identities.
    pub(super) fn shown_to(&self, now: Nanos, server: Grant) -> Option<Grant> {
        let commons = &self.role.config.commons;
        self.own_certificate(now).filter(|_| commons.abroad.is_none() || commons.realm == server.realm)
    }

    /// Whether it would store something for somebody who has not shown who that is, and must not.
    pub(super) fn wants_proof(&self, ask: &Ask) -> bool {
        self.role.config.commons.proven_only && matches!(ask, Ask::Work { write: Some(_), .. })
    }
}
