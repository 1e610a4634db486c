//! Owns the walk from an instance that is not active to whoever holds it back. Refuses to decide whether anything is
//! violated: what an instance says of itself may lead the walk, and leads no verdict.
//!
//! Each step goes from an instance to what it waits for: a need that it reports, or one that its graph declares and
//! nobody grants; or a service that its answers name as missing. The walk ends at a dark host, at somebody met before,
//! or where nothing further was seen. The root is the last link before the power: whoever leans on what a fault may
//! take away, not the victim of the fault.

use super::granting::Limit;
use super::{Run, a4, commons, stateful, unstarted};
use crate::event::{By, Detail, EventId, Life, NeedOutcome};
use crate::judgement::Link;
use fixtures::graph::{Attempts, Need, Strength};
use fixtures::name::{ServiceName, ZoneName};
use std::collections::BTreeMap;

/// A walk.
pub(super) struct Trace {
    pub(super) links: Vec<Link>,
    /// `None` where the instance is merely a victim of a live fault.
    pub(super) root: Option<Root>,
}

/// Where a walk ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Root {
    pub(super) service: ServiceName,
    pub(super) dependency: Option<ServiceName>,
    pub(super) setting: Option<String>,
    pub(super) cause: Cause,
}

/// Why somebody is a root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    /// It cannot start without something that is not there.
    Waits(String),
    /// It cannot start although what it asks for is there.
    WaitsInVain(String),
    /// It stopped asking.
    GaveUp(String),
    /// Each waits for the other.
    Cycle(Vec<ServiceName>),
    /// Its answers lack something that is not there.
    Lacks,
    /// Its answers lack something that is there.
    LacksInVain,
    /// It lives in too few zones.
    Pinned,
    /// It asks in other zones than its own.
    CrossesZones,
    /// It keeps asking what is dark.
    Clings,
    /// It keeps asking those that sent it elsewhere.
    Stays,
    /// It is restarted for want of something.
    Restarted,
    /// It waits for what it should not miss.
    HardlySoft,
    /// Its attempts keep up an overload.
    Storm,
    /// It asks somebody else in the place of who is gone, and only then.
    FallsBack,
    /// Its attempts multiply with those of others, until they reach a service.
    Multiplies(ServiceName),
    /// Those who wait for what hangs keep the place of those who do not need it: they ask for this operation.
    Shares(String),
    /// It names nobody, because everybody looks unwell.
    FailsClosed,
    /// It forgets what it knew, because nobody tells it anew.
    Forgets,
    /// It took silence for health.
    Unnoticed,
    /// It looks at all zones together.
    Averages,
    /// It lets its callers wait for longer than they do.
    Late,
    /// The attempts of its customers keep up an overload.
    Insistent,
    /// It carries too little.
    TooSmall,
    /// Too few of it took requests, because somebody took missing data for no load.
    ScaledIn,
    /// Its capacity went to and fro.
    Flaps,
    /// Its members do not reach enough of each other to agree on anything.
    NoQuorum,
    /// It works off what nobody waits for any more.
    Behind,
    /// It asks more of what is behind it than that carries.
    Flooded,
    /// It asks for a need again and again, without a pause to speak of.
    Hammers(String),
    /// It counts what it granted to those who have lost it.
    CountsTheLost,
    /// It grants too slowly for all who start together.
    GrantsSlowly,
    /// Each of its members tells what it knows by itself.
    TellsTheOld,
    /// It hands one write to two, one after the other.
    WritesTwice,
    /// It takes no requests until somebody tells it to.
    WaitsToBeTold,
    /// It takes what was so for what is so.
    OldNews,
    /// It gives who comes back all that it missed at once.
    CopiesAtOnce,
    /// It will not start from its own file, whose end is torn.
    RefusesTorn,
    /// Its owner's restart policy does not start it when power comes back.
    NotStarted,
    /// Another version was rolled out to it; how, in a sentence.
    Changed(String),
    /// Nothing was seen.
    Unobserved,
}

/// One step of a walk.
pub(super) struct Hop {
    pub(super) link: Link,
    pub(super) root: Root,
    pub(super) next: Option<usize>,
}

/// Walks from an instance that is not active at a moment.
pub(super) fn trace(run: &Run<'_>, start: usize, at_ns: u64) -> Trace {
    let placement = run.case.placement;
    let (mut links, mut roots, mut passed): (Vec<Link>, Vec<Root>, Vec<usize>) = Default::default();
    let mut here = start;
    loop {
        if let Some(position) = passed.iter().position(|&instance| instance == here) {
            let root = cycle(&roots[position..], &passed[position..], run);
            return Trace { links, root };
        }
        let host = &placement.hosts[placement.instances[here].host].name;
        if let Some(spell) = run.timeline.dark_at(host, at_ns) {
            links.push(Link {
                who: placement.instances[here].name.to_string(),
                waits_for: format!("power of {host}, which `{}` keeps dark", spell.fault),
                how: "power".to_owned(),
                since_ns: spell.from_ns,
                evidence: vec![spell.event],
            });
            break;
        }
        if let Some((fault, since_ns, event)) = run.switch_at(here, at_ns) {
            links.push(Link {
                who: placement.instances[here].name.to_string(),
                waits_for: format!("the end of `{fault}`, which keeps it from that"),
                how: "switch".to_owned(),
                since_ns,
                evidence: vec![event],
            });
            break;
        }
        passed.push(here);
        let hop = hop(run, here, at_ns);
        links.push(hop.link);
        roots.push(hop.root);
        match hop.next {
            Some(next) => here = next,
            None => break,
        }
    }
    Trace { links, root: roots.pop() }
}

/// One root for a circle, wherever it was entered.
fn cycle(roots: &[Root], passed: &[usize], run: &Run<'_>) -> Option<Root> {
    let first = (0..roots.len()).min_by_key(|&position| &roots[position])?;
    let service = |position: usize| run.case.placement.instances[passed[position % passed.len()]].service.clone();
    let services = (first..=first + roots.len()).map(service).collect();
    Some(Root { cause: Cause::Cycle(services), ..roots[first].clone() })
}

fn hop(run: &Run<'_>, here: usize, at_ns: u64) -> Hop {
    let name = &run.case.placement.instances[here].name;
    match run.timeline.life_at(name, at_ns) {
        Some(span) if span.life == Life::Serving && !span.missing.is_empty() => {
            lacking(run, here, at_ns, &span.missing)
        }
        Some(span) if span.life == Life::Serving => {
            unstarted::unstarted(run, here, at_ns, true).unwrap_or_else(|| of_state(run, here, at_ns))
        }
        _ => unstarted::unstarted(run, here, at_ns, false)
            .or_else(|| reported_need(run, here, at_ns))
            .or_else(|| declared_need(run, here, at_ns))
            .or_else(|| given_up(run, here, at_ns))
            .or_else(|| undirected(run, here, at_ns))
            .or_else(|| a4::refusing(run, here, at_ns))
            .or_else(|| turned_away(run, here, at_ns))
            .unwrap_or_else(|| unobserved(run, here, at_ns)),
    }
}

/// A link that begins at an instance, with the event that shows its state.
pub(super) fn link(
    run: &Run<'_>,
    here: usize,
    at_ns: u64,
    waits_for: String,
    how: String,
    told: Option<EventId>,
) -> Link {
    let instance = &run.case.placement.instances[here];
    let span = run.timeline.life_at(&instance.name, at_ns);
    let mut evidence: Vec<EventId> = span.map(|span| span.event).into_iter().chain(told).collect();
    evidence.dedup();
    Link { who: instance.name.to_string(), waits_for, how, since_ns: span.map_or(0, |span| span.from_ns), evidence }
}

fn unobserved(run: &Run<'_>, here: usize, at_ns: u64) -> Hop {
    let service = run.case.placement.instances[here].service.clone();
    let link = link(run, here, at_ns, "something that was not observed".to_owned(), "unknown".to_owned(), None);
    Hop { link, root: Root { service, dependency: None, setting: None, cause: Cause::Unobserved }, next: None }
}

/// What the instance itself says it is asking for since it has power.
fn reported_need(run: &Run<'_>, here: usize, at_ns: u64) -> Option<Hop> {
    let placement = run.case.placement;
    let instance = &placement.instances[here];
    let since_ns = run.timeline.powered_since(&placement.hosts[instance.host].name, at_ns);
    let mut latest: BTreeMap<&str, (u64, EventId, &ServiceName, NeedOutcome)> = BTreeMap::new();
    for event in run.events.iter().filter(|event| event.t_ns >= since_ns && event.t_ns <= at_ns) {
        if let Detail::Need { need, from, outcome, .. } = &event.detail
            && event.by == By::Own
            && event.place.instance.as_ref() == Some(&instance.name)
        {
            let known = latest.entry(need).or_insert((event.t_ns, event.id, from, *outcome));
            if (known.0, known.1) <= (event.t_ns, event.id) {
                *known = (event.t_ns, event.id, from, *outcome);
            }
        }
    }
    // Who gave up will not come back, whatever else it waits for; after that, what nobody can grant weighs most.
    let open = latest.into_iter().filter(|(_, (.., outcome))| *outcome != NeedOutcome::Acquired);
    let (need, (_, event, from, outcome)) = open.max_by_key(|(_, (t_ns, _, from, outcome))| {
        (*outcome == NeedOutcome::GaveUp, granting(run, &instance.zone, from, at_ns).is_none(), *t_ns)
    })?;
    Some(need_hop(run, here, at_ns, need, from, outcome == NeedOutcome::GaveUp, Some(event)))
}

/// The first need of its graph that nobody in reach could grant: finds the culprit where instances are silent.
fn declared_need(run: &Run<'_>, here: usize, at_ns: u64) -> Option<Hop> {
    let instance = &run.case.placement.instances[here];
    let needs = &run.case.graph.service(&instance.service)?.needs;
    let need = needs.iter().find(|need| granting(run, &instance.zone, &need.from, at_ns).is_none())?;
    Some(need_hop(run, here, at_ns, need.kind.as_str(), &need.from, false, None))
}

/// A need of its graph that may have been given up for good: everything could be granted, and it does not start.
fn given_up(run: &Run<'_>, here: usize, at_ns: u64) -> Option<Hop> {
    let instance = &run.case.placement.instances[here];
    let needs = &run.case.graph.service(&instance.service)?.needs;
    let need = needs.iter().find(|need| matches!(need.attempts, Attempts::AtMost(_)))?;
    Some(need_hop(run, here, at_ns, need.kind.as_str(), &need.from, true, None))
}

/// An active instance of a service in reach of a zone.
pub(super) fn granting(run: &Run<'_>, zone: &ZoneName, service: &ServiceName, at_ns: u64) -> Option<usize> {
    run.reach(zone, service).into_iter().find(|&target| run.is_active(target, at_ns))
}

fn need_hop(
    run: &Run<'_>,
    here: usize,
    at_ns: u64,
    need: &str,
    from: &ServiceName,
    gave_up: bool,
    told: Option<EventId>,
) -> Hop {
    let instance = &run.case.placement.instances[here];
    if let Some(hop) = nameless(run, here, at_ns, need, told).filter(|_| !gave_up) {
        return hop;
    }
    let setting = format!("services.{}.needs.{need}", instance.service);
    let granted = granting(run, &instance.zone, from, at_ns).is_some();
    let (setting, cause) =
        if let Some(poisoned) = commons::poisoned_lookups(run, &instance.service, at_ns).filter(|_| granted) {
            (poisoned, Cause::WaitsInVain(need.to_owned()))
        } else if gave_up {
            let what = if commons::never_renews(run, &instance.service, need) { "renew" } else { "attempts" };
            (format!("{setting}.{what}"), Cause::GaveUp(need.to_owned()))
        } else if granted {
            (setting, Cause::WaitsInVain(need.to_owned()))
        } else {
            (setting, Cause::Waits(need.to_owned()))
        };
    // What it gave up on may be dark or not: it would not come back either way, so the walk ends with it.
    let next = (!gave_up && !granted).then(|| inactive(run, &instance.zone, from, at_ns, true)).flatten();
    let root =
        Root { service: instance.service.clone(), dependency: Some(from.clone()), setting: Some(setting), cause };
    Hop { link: link(run, here, at_ns, from.to_string(), format!("need {need}"), told), root, next }
}

/// A need of its graph whose granter it may not find, where it says nothing.
fn undirected(run: &Run<'_>, here: usize, at_ns: u64) -> Option<Hop> {
    let need = run.service_of(here)?.needs.first()?;
    nameless(run, here, at_ns, need.kind.as_str(), None)
}

/// A need of its graph that is granted within limits, where those who asked for it were turned away.
fn turned_away(run: &Run<'_>, here: usize, at_ns: u64) -> Option<Hop> {
    let instance = &run.case.placement.instances[here];
    let since_ns = run.timeline.powered_since(run.host_name(here), at_ns);
    let needs = &run.case.graph.service(&instance.service)?.needs;
    let away = |need: &&Need, limit| !run.turned_away(&need.from, limit, since_ns, at_ns).is_empty();
    let need = needs.iter().find(|need| away(need, Limit::Quota) || away(need, Limit::Pace))?;
    Some(need_hop(run, here, at_ns, need.kind.as_str(), &need.from, false, None))
}

/// Where no name server of the region answers, who has just started finds nobody, and be they well.
fn nameless(run: &Run<'_>, here: usize, at_ns: u64, need: &str, told: Option<EventId>) -> Option<Hop> {
    let (placement, instance) = (run.case.placement, &run.case.placement.instances[here]);
    let names = &run.case.graph.names.as_ref()?.service;
    let region = |index: usize| &placement.hosts[placement.instances[index].host].region;
    let serves = |&index: &usize| &placement.instances[index].service == names && region(index) == region(here);
    let servers: Vec<usize> = (0..placement.instances.len()).filter(serves).collect();
    let has_seeds = run.service_of(here).is_some_and(|service| service.lookups.seeds);
    if has_seeds || servers.contains(&here) || servers.iter().any(|&server| run.is_active(server, at_ns)) {
        return None;
    }
    let next = servers.iter().copied().min_by_key(|&server| placement.instances[server].zone != instance.zone);
    let (service, dependency) = (instance.service.clone(), Some(names.clone()));
    let setting = Some(format!("services.{service}.lookups.seeds"));
    let root = Root { service, dependency, setting, cause: Cause::Waits("addresses".to_owned()) };
    Some(Hop { link: link(run, here, at_ns, names.to_string(), format!("lookup, for its {need}"), told), root, next })
}

/// An instance of a service in reach that is not active: rather one with power, and rather in the same zone.
fn inactive(run: &Run<'_>, zone: &ZoneName, service: &ServiceName, at_ns: u64, dark_too: bool) -> Option<usize> {
    let inactive = run.reach(zone, service).into_iter().filter(|&target| !run.is_active(target, at_ns));
    let eligible = inactive.filter(|&target| dark_too || !run.is_dark(target, at_ns));
    eligible.min_by_key(|&target| (run.is_dark(target, at_ns), &run.case.placement.instances[target].zone != zone))
}

/// Follows what the answers name as missing; what is no victim of a live fault comes first.
fn lacking(run: &Run<'_>, here: usize, at_ns: u64, missing: &[ServiceName]) -> Hop {
    let instance = &run.case.placement.instances[here];
    let (service, zone) = (&instance.service, &instance.zone);
    if let Some(need) = commons::lost_need(run, service, missing) {
        return need_hop(run, here, at_ns, need.kind.as_str(), &need.from, false, None);
    }
    let wanted = missing.iter().find(|missing| !run.is_dark_for(zone, missing, at_ns)).or(missing.first());
    let Some(wanted) = wanted else { return unobserved(run, here, at_ns) };
    if wanted == service {
        return no_quorum(run, here, at_ns);
    }
    let path = call_path(run, service, wanted);
    // The one called next on the way; of a service that nobody calls, the service itself.
    let called = path.get(1).unwrap_or(wanted);
    let call = run.case.graph.service(service).and_then(|from| from.calls.iter().find(|call| &call.to == called));
    let how = match call.map(|call| call.strength) {
        Some(Strength::Hard) => "hard call",
        Some(Strength::Soft) => "soft call",
        None => "call",
    };
    let granted = granting(run, zone, called, at_ns).is_some();
    let poisoned = commons::poisoned_lookups(run, service, at_ns).filter(|_| granted);
    let unknown = commons::unknown_name(run, service, missing);
    let root = Root {
        service: service.clone(),
        dependency: Some(called.clone()),
        setting: poisoned.or(unknown).or(call.map(|_| format!("services.{service}.calls.{called}"))),
        cause: if granted { Cause::LacksInVain } else { Cause::Lacks },
    };
    // Where somebody else could answer, a dark instance is no reason to fail.
    let next = inactive(run, zone, called, at_ns, !granted);
    Hop { link: link(run, here, at_ns, called.to_string(), how.to_owned(), None), root, next }
}

/// A member of a replicated store that names its own service as missing lacks the rest of it.
fn no_quorum(run: &Run<'_>, here: usize, at_ns: u64) -> Hop {
    let service = &run.case.placement.instances[here].service;
    let link = link(run, here, at_ns, format!("a quorum of `{service}`"), "agreement".to_owned(), None);
    Hop { link, root: stateful::without_quorum(service), next: None }
}

/// What its kind of state explains; else nothing was seen.
fn of_state(run: &Run<'_>, here: usize, at_ns: u64) -> Hop {
    let Some((root, waits_for)) = stateful::root(run, &run.case.placement.instances[here].service) else {
        return unobserved(run, here, at_ns);
    };
    Hop { link: link(run, here, at_ns, waits_for, "state".to_owned(), None), root, next: None }
}

/// The shortest way of calls from one service to another, both included; empty where there is none.
pub(super) fn call_path(run: &Run<'_>, from: &ServiceName, to: &ServiceName) -> Vec<ServiceName> {
    let mut ways = vec![vec![from.clone()]];
    let mut seen = vec![from.clone()];
    let mut position = 0;
    while let Some(way) = ways.get(position).cloned() {
        position += 1;
        let Some(last) = way.last() else { continue };
        if last == to && way.len() > 1 {
            return way;
        }
        for call in run.case.graph.service(last).into_iter().flat_map(|service| &service.calls) {
            if !seen.contains(&call.to) {
                seen.push(call.to.clone());
                let mut longer = way.clone();
                longer.push(call.to.clone());
                ways.push(longer);
            }
        }
    }
    Vec::new()
}
