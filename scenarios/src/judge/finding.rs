//! Owns the way from walks to findings: one for each root, with everybody it holds back and the sentence for people.
//! Refuses to walk.

use super::culprit::{Cause, Root, Trace, call_path, trace};
use super::slo::{State, Zone};
use super::{Run, commons};
use crate::event::EventId;
use crate::judgement::{Finding, Link};
use crate::timeline::Segment;
use fixtures::graph::Scope;
use fixtures::name::{InstanceName, ServiceName, TeamName, ZoneName};
use std::collections::{BTreeMap, BTreeSet};

/// Canary windows kept as evidence of one link.
const EVIDENCE_MAX: usize = 3;

/// Somebody who was held back, and between which moments it harmed customers.
pub(super) struct Victim {
    pub(super) instance: Option<InstanceName>,
    pub(super) zone: ZoneName,
    pub(super) from_ns: u64,
    pub(super) to_ns: u64,
    pub(super) trace: Trace,
}

impl Victim {
    /// The customers of a zone, between two moments: one link and its root.
    pub(super) fn of_zone(zone: &ZoneName, (from_ns, to_ns): (u64, u64), link: Link, root: Root) -> Self {
        let trace = Trace { links: vec![link], root: Some(root) };
        Self { instance: None, zone: zone.clone(), from_ns, to_ns, trace }
    }
}

impl Run<'_> {
    /// The setting by which a service stores as it does; of real software, which has none of ours, its image.
    pub(super) fn storing(&self, service: &ServiceName, field: &str) -> String {
        let is_real = self.case.graph.service(service).is_some_and(|known| known.image.is_some());
        format!("services.{service}.{}", if is_real { "image" } else { field })
    }

    /// An instance that one thing held back all through a stretch: what it waited for and how, since when, and the events
    /// that show it.
    pub(super) fn held_back(
        &self,
        instance: usize,
        segment: &Segment,
        (waits_for, how): (String, &str),
        (since_ns, evidence): (u64, Vec<EventId>),
        root: Root,
    ) -> Victim {
        let placed = &self.case.placement.instances[instance];
        let link = Link { who: placed.name.to_string(), waits_for, how: how.to_owned(), since_ns, evidence };
        Victim {
            instance: Some(placed.name.clone()),
            zone: placed.zone.clone(),
            from_ns: segment.start_ns,
            to_ns: segment.end_ns,
            trace: Trace { links: vec![link], root: Some(root) },
        }
    }

    /// One finding for each root, in the order of services and settings.
    pub(super) fn findings(&self, invariant: &str, victims: Vec<Victim>) -> Vec<Finding> {
        let mut by_root: BTreeMap<Root, Vec<Victim>> = BTreeMap::new();
        for victim in victims {
            // The root of a cycle lists its services; those who merely wait in it have the same root.
            if let Some(root) = victim.trace.root.clone() {
                by_root.entry(root).or_default().push(victim);
            }
        }
        by_root.into_iter().map(|(root, victims)| self.finding(invariant, &root, &victims)).collect()
    }

    fn finding(&self, invariant: &str, root: &Root, victims: &[Victim]) -> Finding {
        let mut affected: Vec<InstanceName> = victims.iter().filter_map(|victim| victim.instance.clone()).collect();
        affected.sort();
        affected.dedup();
        // The longest; of equally long ones the first.
        let longest = victims.iter().rev().max_by_key(|victim| victim.trace.links.len());
        let chain = longest.map_or_else(Vec::new, |victim| {
            let customers = self.customers(&victim.zone, victim.from_ns, victim.to_ns);
            customers.into_iter().chain(victim.trace.links.iter().cloned()).collect()
        });
        Finding {
            invariant: invariant.to_owned(),
            service: root.service.clone(),
            team: self.team(&root.service),
            dependency: root.dependency.clone(),
            setting: root.setting.clone(),
            text: sentence(root),
            confirmed: false,
            consequence_of: None,
            affected,
            chain,
            known: false,
        }
    }

    /// The team of a service of the graph.
    pub(super) fn team(&self, service: &ServiceName) -> TeamName {
        let known = self.case.graph.service(service).or(self.case.graph.services.first());
        let team = known.map(|service| service.team.clone());
        team.unwrap_or_else(|| TeamName::new("unknown").expect("`unknown` follows the rules of names"))
    }

    /// What customers in a zone waited for, where their requests failed between two moments.
    pub(super) fn customers(&self, zone: &ZoneName, from_ns: u64, to_ns: u64) -> Option<Link> {
        let failing = self.canaries.iter().filter(|window| {
            window.zone == zone && window.start_ns < to_ns && window.end_ns > from_ns && window.failures() > 0
        });
        let failing: Vec<_> = failing.take(EVIDENCE_MAX).collect();
        let since_ns = failing.first()?.start_ns;
        Some(Link {
            who: format!("customers in {zone}"),
            waits_for: self.case.graph.entry.service.to_string(),
            how: "request".to_owned(),
            since_ns,
            evidence: failing.iter().map(|window| window.event).collect(),
        })
    }

    /// Who is to blame where customers of a zone did not get what they are promised: from the failures that they saw,
    /// down to whoever was not there.
    pub(super) fn blame(&self, slo: &Zone<'_>) -> Victim {
        let at_ns = self.moment_of_harm(slo);
        let entry = &self.case.graph.entry.service;
        let named = slo.tally.main_cause().filter(|_| slo.state == State::Unavailable);
        let missing = named.and_then(|cause| cause.strip_prefix("missing:"));
        let missing =
            missing.and_then(|name| self.case.graph.services.iter().find(|service| service.name.as_str() == name));
        let trace = match missing {
            Some(missing) => self.blame_missing(slo.zone, &missing.name, at_ns),
            None => self.blame_entry(slo, entry, at_ns),
        };
        Victim { instance: None, zone: slo.zone.clone(), from_ns: slo.start_ns, to_ns: slo.end_ns, trace }
    }

    /// When lives are looked at: when the last window with failures began, because at the very end of the stretch the
    /// next act is already under way.
    fn moment_of_harm(&self, slo: &Zone<'_>) -> u64 {
        let failing = self.canaries.iter().filter(|window| {
            window.zone == slo.zone && window.inside(slo.start_ns, slo.end_ns) && window.failures() > 0
        });
        failing.map(|window| window.start_ns).max().unwrap_or(slo.start_ns)
    }

    /// Along the calls from the entry to what is missing, and from there as far as lives lead. Where the missing one
    /// is dark, or was up all the time, its caller is the root: it leans on what it cannot have or does not reach.
    fn blame_missing(&self, zone: &ZoneName, missing: &ServiceName, at_ns: u64) -> Trace {
        if let Some(trace) = commons::blind(self, zone, missing, at_ns) {
            return trace;
        }
        let entry = &self.case.graph.entry.service;
        let path = call_path(self, entry, missing);
        let mut links: Vec<Link> =
            path.windows(2).map(|pair| self.call_link(zone, &pair[0], &pair[1], at_ns)).collect();
        let targets = self.reach(zone, missing);
        if self.is_pinned(missing) && targets.iter().all(|&target| self.is_dark(target, at_ns)) {
            return Trace { links, root: Some(super::z3::root(missing)) };
        }
        let inactive: Vec<usize> = targets.iter().copied().filter(|&target| !self.is_active(target, at_ns)).collect();
        let stuck = inactive.iter().copied().find(|&target| !self.is_dark(target, at_ns));
        if let Some(further) = stuck.or(inactive.first().copied()) {
            let further = trace(self, further, at_ns);
            links.extend(further.links);
            if further.root.is_some() {
                return Trace { links, root: further.root };
            }
        }
        let caller = path.len().checked_sub(2).and_then(|position| path.get(position)).unwrap_or(entry);
        let granted = inactive.len() < targets.len();
        let root = Root {
            service: caller.clone(),
            dependency: Some(missing.clone()),
            setting: commons::poisoned_lookups(self, caller, at_ns)
                .filter(|_| granted)
                .or((!path.is_empty()).then(|| format!("services.{caller}.calls.{missing}"))),
            cause: if granted { Cause::LacksInVain } else { Cause::Lacks },
        };
        Trace { links, root: Some(root) }
    }

    /// Whether a service that is not zonal lives in one zone.
    fn is_pinned(&self, service: &ServiceName) -> bool {
        let zonal = self.case.graph.service(service).is_none_or(|service| service.scope == Scope::Zonal);
        let copies = self.case.placement.instances.iter().filter(|instance| &instance.service == service);
        let zones: BTreeSet<&ZoneName> = copies.map(|instance| &instance.zone).collect();
        !zonal && zones.len() == 1
    }

    fn call_link(&self, zone: &ZoneName, from: &ServiceName, to: &ServiceName, at_ns: u64) -> Link {
        let target = self.reach(zone, from).into_iter().find(|&target| !self.is_active(target, at_ns));
        let instance = target.map(|target| &self.case.placement.instances[target].name);
        let span = instance.and_then(|instance| self.timeline.life_at(instance, at_ns));
        Link {
            who: instance.map_or_else(|| from.to_string(), InstanceName::to_string),
            waits_for: to.to_string(),
            how: "call".to_owned(),
            since_ns: span.map_or(0, |span| span.from_ns),
            evidence: span.map(|span| span.event).into_iter().collect(),
        }
    }

    /// Nothing is named as missing: the entry itself does not answer, or is slow.
    fn blame_entry(&self, slo: &Zone<'_>, entry: &ServiceName, at_ns: u64) -> Trace {
        let mut targets = self.reach(slo.zone, entry).into_iter();
        let stuck = targets.find(|&target| !self.is_active(target, at_ns) && !self.is_dark(target, at_ns));
        if let Some(stuck) = stuck.filter(|_| slo.state == State::Unavailable) {
            return trace(self, stuck, at_ns);
        }
        let root = Root { service: entry.clone(), dependency: None, setting: None, cause: Cause::Unobserved };
        Trace { links: Vec::new(), root: Some(root) }
    }
}

/// Evidence of several links and events, ascending, each once.
pub(super) fn sorted(events: impl IntoIterator<Item = EventId>) -> Vec<EventId> {
    let mut events: Vec<EventId> = events.into_iter().collect();
    events.sort();
    events.dedup();
    events
}

fn sentence(root: &Root) -> String {
    let service = &root.service;
    let on = root.dependency.as_ref().map_or_else(String::new, ServiceName::to_string);
    match &root.cause {
        Cause::Waits(need) => format!("`{service}` cannot start without `{need}` from `{on}`, which was not there"),
        Cause::WaitsInVain(need) => format!("`{service}` still waited for `{need}` although `{on}` was active"),
        Cause::GaveUp(need) => format!("`{service}` gave up asking `{on}` for `{need}` and will never ask again"),
        Cause::Cycle(services) => {
            let names: Vec<&str> = services.iter().map(ServiceName::as_str).collect();
            format!("start-up cycle: {}: each waits for the next", names.join(" -> "))
        }
        Cause::Lacks => format!("`{service}` does not answer in full without `{on}`, which was not there"),
        Cause::Hammers(need) => format!("`{service}` asks `{on}` for `{need}` again and again, with hardly a pause"),
        Cause::RefusesTorn => {
            format!("`{service}` refuses to start from its own file, because power went while it wrote")
        }
        Cause::LacksInVain => format!("`{service}` did not reach `{on}` although an instance of it was active"),
        Cause::Pinned => format!("`{service}` should be in every zone, and all of it was in the dark one"),
        Cause::CrossesZones => format!("`{service}` is zonal and asked `{on}` in other zones than its own"),
        Cause::Clings => {
            format!("`{service}` kept asking copies of `{on}` that were dark, although others could answer")
        }
        Cause::Stays => format!("`{service}` kept asking copies of `{on}` that had sent it elsewhere"),
        Cause::Restarted => format!("`{service}` was restarted because `{on}` was gone"),
        Cause::HardlySoft => format!("`{service}` calls `{on}` softly, and made its customers wait or fail for it"),
        Cause::Storm => format!("`{service}` tried `{on}` again and again, and so kept it from ever catching up"),
        Cause::Multiplies(reached) => {
            format!(
                "`{service}` asks `{on}` again while others on the way do so too, and `{reached}` gets their product"
            )
        }
        Cause::Shares(operation) => {
            format!("`{service}` had no room for `{operation}`, because requests that wait for `{on}` kept all of it")
        }
        Cause::FailsClosed => {
            format!("`{service}` named no instance of `{on}`, because all of them looked unwell for one reason")
        }
        Cause::Forgets => format!("`{service}` forgot whom it can ask, because `{on}` told it nobody any more"),
        Cause::Unnoticed => format!("`{service}` raised no alarm on whoever had lost power and told nothing"),
        Cause::Averages => format!("alarms of `{service}` look at all zones together, in which one of them is lost"),
        Cause::Late => format!("`{service}` kept requests waiting for longer than their callers do, and then did them"),
        Cause::Insistent => {
            format!("customers of `{service}` tried again and again, and so kept `{on}` from ever catching up")
        }
        Cause::TooSmall => format!("`{service}` carries less than what arrives when a part of it is gone"),
        Cause::ScaledIn => {
            format!("`{service}` was scaled in while nobody told its load, and those that stood by were missed")
        }
        Cause::Flaps => format!("instances of `{service}` were taken out and called back again and again"),
        Cause::Behind => format!("`{service}` was busy with what nobody waited for any more"),
        Cause::Flooded => format!("`{service}` asked more of `{on}` than that carries"),
        Cause::NoQuorum => {
            format!("the members of `{service}` that had power and links were too few to agree on anything")
        }
        Cause::Changed(how) => how.clone(),
        Cause::Unobserved => {
            format!("customers or probes of `{service}` did not get what they should; why was not observed")
        }
        Cause::CountsTheLost
        | Cause::NotStarted
        | Cause::GrantsSlowly
        | Cause::TellsTheOld
        | Cause::WritesTwice
        | Cause::WaitsToBeTold
        | Cause::OldNews
        | Cause::CopiesAtOnce
        | Cause::FallsBack => sentence_of_a_return(&root.cause, service, &on),
    }
}

/// What shows itself on a bad day alone, and when everything comes back.
fn sentence_of_a_return(cause: &Cause, service: &ServiceName, on: &str) -> String {
    match cause {
        Cause::CountsTheLost => {
            format!("`{service}` had nothing left for those who came back, because it still counted what they had lost")
        }
        Cause::NotStarted => {
            format!("`{service}` is not started when power comes back: its restart policy leaves it")
        }
        Cause::GrantsSlowly => format!("`{service}` grants too slowly for all who start together"),
        Cause::TellsTheOld => {
            format!("members of `{service}` told what each knew by itself, and not what was written last")
        }
        Cause::WritesTwice => {
            format!(
                "`{service}` hands one write to `{on}` and to another, and nothing undoes the one where the other fails"
            )
        }
        Cause::WaitsToBeTold => format!("`{service}` takes no requests after a start until `{on}` tells it to"),
        Cause::CopiesAtOnce => {
            format!("`{service}` copied all that a member had missed at once, with the capacity that customers needed")
        }
        Cause::OldNews => {
            format!("`{service}` took what it was told late for what is so now, and alarmed on what was over")
        }
        Cause::FallsBack => {
            format!(
                "`{service}` asks `{on}` only where another service is gone, so that nothing shows on a good day whether that works"
            )
        }
        _ => String::new(),
    }
}
