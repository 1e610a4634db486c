//! A1, acknowledged means durable. Refuses to ask a store what it has; the ledger is the witness's.
//!
//! *Statement*: a write acknowledged to a customer is there after the power comes back.
//!
//! *Oracle*: every key that the witness has an acknowledgement for is read back with the value written. Limit: 0 lost;
//! 0 unreadable from a store that is active; of a replicated store, from every member that answers. A service whose owner
//! says so (`may-lose`) may lose what it acknowledged shortly before its store lost power; how much that was is told.
//!
//! *Horizon*: aspect `process kill`: at least one write was stored on a host that lost power afterwards. Aspect
//! `unsynced data lost`: the world really dropped what a zone's disk had not synced, and a store of that zone had
//! acknowledged a write within 5 s before. A kernel writes back by itself what is older than
//! `vm.dirty_expire_centisecs` (30 s by default, looked at every 5 s, `vm.dirty_writeback_centisecs`): an older write may
//! have been saved by chance. A write that is lost counts to that aspect where its store's disk lost something
//! afterwards, else to the other.
//!
//! *Inconclusive*: an acknowledged write was never read back; or is unreadable because its store never came back, and S5
//! says nothing of it.

use super::finding::sorted;
use super::{Entry, Outcome, Run, count, s5};
use crate::event::{By, Detail, Event, EventId, WriteOutcome};
use crate::judgement::{Finding, InvariantResult, Link};
use crate::verdict::Verdict;
use fixtures::graph::State;
use fixtures::name::{InstanceName, ServiceName, ZoneName};
use fixtures::unit::Span;
use std::collections::BTreeMap;

pub(super) const ENTRY: Entry = Entry {
    id: "A1",
    title: "acknowledged means durable",
    statement: "Every write that was acknowledged before or during the outage is readable after it.",
    judge,
};

const ASPECT_KILL: &str = "process kill";
const ASPECT_UNSYNCED: &str = "unsynced data lost";
/// Events kept as evidence of one result.
const EVIDENCE_MAX: usize = 10;

/// One key of the ledger.
struct Entered<'e> {
    key: &'e str,
    acknowledged: &'e Event,
    stores: Vec<&'e InstanceName>,
    last: Option<(&'e Event, WriteOutcome)>,
}

/// How long before the cut a write must have been acknowledged for its survival to say something.
const TELLING_NS: u64 = 5_000_000_000;

fn judge(run: &Run<'_>) -> Outcome {
    let (promised, ledger): (Vec<_>, Vec<_>) = ledger(run).into_iter().partition(|one| may_be_lost(run, one));
    let cuts = disk_cuts(run);
    // What a disk dropped says nothing of a kill alone; what outlived it outlived the kill as well.
    let (dropped, others): (Vec<_>, Vec<_>) =
        ledger.into_iter().partition(|one| cut_after(run, one, &cuts).is_some() && is_gone(run, one));
    let (killed, mut findings) = process_kill(run, &others);
    let (unsynced, more) = unsynced_lost(run, &dropped, &others, &cuts);
    findings.extend(more);
    // Each is told once, with the aspect that took it.
    let (by_disk, by_kill): (Vec<_>, Vec<_>) =
        promised.into_iter().partition(|one| cut_after(run, one, &cuts).is_some());
    let results = vec![with_promised(run, killed, &by_kill), with_promised(run, unsynced, &by_disk)];
    Outcome { results, findings }
}

/// Gone, and acknowledged so shortly before its store lost power that its owner promised no more.
fn may_be_lost(run: &Run<'_>, entered: &Entered<'_>) -> bool {
    let placement = run.case.placement;
    let acknowledged_ns = entered.acknowledged.t_ns;
    let promised = |name: &&InstanceName| {
        let instance = placement.instance_by_name(name)?;
        let within_ns = u64::try_from(run.case.graph.service(&instance.service)?.may_lose.as_nanos()).ok()?;
        let spells = run.timeline.dark.get(&placement.hosts[instance.host].name).into_iter().flatten();
        let next_ns = spells.into_iter().map(|spell| spell.from_ns).find(|&from_ns| from_ns >= acknowledged_ns)?;
        (next_ns - acknowledged_ns <= within_ns).then_some(())
    };
    is_gone(run, entered) && stores(run, entered).iter().any(|name| promised(name).is_some())
}

/// A result with what was lost within the promise.
fn with_promised(run: &Run<'_>, mut result: InvariantResult, promised: &[Entered<'_>]) -> InvariantResult {
    let services = run.case.graph.services.iter().filter(|service| !service.may_lose.is_zero());
    for service in services {
        let limit = format!("acknowledged at most {} before", Span(service.may_lose));
        result.thresholds.insert(format!("what `{}` may lose", service.name), limit);
    }
    if promised.is_empty() {
        return result;
    }
    let told =
        format!("{} lost within what the owner of the store may lose", count(promised.len(), "acknowledged write"));
    let evidence = promised.iter().flat_map(|one| [Some(one.acknowledged.id), one.last.map(|(event, _)| event.id)]);
    result.evidence =
        sorted(result.evidence.into_iter().chain(evidence.flatten())).into_iter().take(EVIDENCE_MAX).collect();
    if result.verdict == Verdict::NotJudged {
        result.verdict = Verdict::Held;
        result.reason = format!("nothing was lost beyond the promise: {told}");
    } else {
        result.reason = format!("{}; {told}", result.reason);
    }
    result
}

/// When a zone's disk lost what was not synced, and the event that says so.
type DiskCut<'e> = (&'e ZoneName, u64, EventId);

fn disk_cuts<'e>(run: &Run<'e>) -> Vec<DiskCut<'e>> {
    let zones = |event: &'e Event| match &event.detail {
        Detail::StepDone { unsynced_lost, .. } => unsynced_lost.as_slice(),
        _ => &[],
    };
    run.events.iter().flat_map(|event| zones(event).iter().map(move |zone| (zone, event.t_ns, event.id))).collect()
}

/// The first cut of a disk of its stores after it was acknowledged.
fn cut_after<'c, 'e>(run: &Run<'_>, entered: &Entered<'_>, cuts: &'c [DiskCut<'e>]) -> Option<&'c DiskCut<'e>> {
    let zones: Vec<&ZoneName> = stores(run, entered)
        .into_iter()
        .filter_map(|name| Some(&run.case.placement.instance_by_name(name)?.zone))
        .collect();
    cuts.iter().find(|(zone, t_ns, _)| *t_ns >= entered.acknowledged.t_ns && zones.contains(zone))
}

/// Lost, or unreadable although its store is active.
fn is_gone(run: &Run<'_>, entered: &Entered<'_>) -> bool {
    match entered.last {
        Some((_, WriteOutcome::Lost)) => true,
        Some((_, WriteOutcome::Unreadable)) => store_is_active(run, entered),
        _ => false,
    }
}

fn unsynced_lost(
    run: &Run<'_>,
    dropped: &[Entered<'_>],
    others: &[Entered<'_>],
    cuts: &[DiskCut<'_>],
) -> (InvariantResult, Vec<Finding>) {
    let judged = |verdict, reason: String, evidence| result(ASPECT_UNSYNCED, verdict, reason, evidence);
    let survived: Vec<(&Entered<'_>, &DiskCut<'_>)> =
        others.iter().filter_map(|one| Some((one, cut_after(run, one, cuts)?))).collect();
    let exposed = dropped.len() + survived.len();
    if !dropped.is_empty() {
        let reason = format!(
            "of {exposed} writes that were acknowledged before a disk lost what it had not synced, {} were gone",
            dropped.len()
        );
        let bad: Vec<&Entered<'_>> = dropped.iter().collect();
        let evidence = sorted(bad.iter().flat_map(|one| {
            let cut = cut_after(run, one, cuts).map(|(.., event)| *event);
            [one.acknowledged.id].into_iter().chain(cut).chain(one.last.map(|(event, _)| event.id))
        }));
        return (judged(Verdict::Violated, reason, evidence), findings(run, &bad, None));
    }
    let telling = survived.iter().filter(|(one, (_, cut_ns, _))| cut_ns - one.acknowledged.t_ns <= TELLING_NS);
    let telling: Vec<_> = telling.collect();
    if telling.is_empty() {
        return (judged(Verdict::NotJudged, why_untold(run, cuts, exposed), Vec::new()), Vec::new());
    }
    let reason = format!(
        "all {exposed} writes that were acknowledged before a disk lost what it had not synced were read back, {} of them \
         acknowledged within 5 s before",
        telling.len()
    );
    let evidence = sorted(telling.iter().flat_map(|(one, (.., cut))| [one.acknowledged.id, *cut]));
    (judged(Verdict::Held, reason, evidence), Vec::new())
}

fn why_untold(run: &Run<'_>, cuts: &[DiskCut<'_>], exposed: usize) -> String {
    let kept = run.events.iter().find_map(|event| match &event.detail {
        Detail::Caveat { code, text } if code == "unsynced-kept" => Some(text.as_str()),
        _ => None,
    });
    if cuts.is_empty() {
        let why = kept.unwrap_or("no zone lost power whole, with its disk");
        return format!(
            "{why}, so a store that acknowledges before it syncs looks like one that does not; a loss of power of a store's \
             whole zone where zones have disks of their own would reveal it"
        );
    }
    format!(
        "{} stood where a disk lost what it had not synced, none of them within 5 s before: more frequent writes \
         (`traffic.writes`) would do",
        count(exposed, "acknowledged write")
    )
}

fn result(aspect: &str, verdict: Verdict, reason: String, evidence: Vec<EventId>) -> InvariantResult {
    InvariantResult {
        id: ENTRY.id.to_owned(),
        aspect: Some(aspect.to_owned()),
        verdict,
        reason,
        thresholds: BTreeMap::from([("lost".to_owned(), "0".to_owned())]),
        evidence: evidence.into_iter().take(EVIDENCE_MAX).collect(),
    }
}

fn ledger<'a>(run: &Run<'a>) -> Vec<Entered<'a>> {
    let mut ledger: BTreeMap<&str, Entered<'_>> = BTreeMap::new();
    let mut outcomes: BTreeMap<&str, (&Event, WriteOutcome)> = BTreeMap::new();
    for event in run.events.iter().filter(|event| event.by == By::Witness) {
        let Detail::Write { key, outcome, stored_at } = &event.detail else { continue };
        if *outcome == WriteOutcome::Acknowledged {
            let entered = Entered { key, acknowledged: event, stores: stored_at.iter().collect(), last: None };
            ledger.entry(key).or_insert(entered);
        } else {
            outcomes.insert(key, (event, *outcome));
        }
    }
    for entered in ledger.values_mut() {
        entered.last = outcomes.get(entered.key).copied();
    }
    ledger.into_values().collect()
}

fn process_kill(run: &Run<'_>, ledger: &[Entered<'_>]) -> (InvariantResult, Vec<Finding>) {
    let of = |wanted: WriteOutcome| -> Vec<&Entered<'_>> {
        ledger.iter().filter(|one| one.last.is_some_and(|(_, outcome)| outcome == wanted)).collect()
    };
    let lost = of(WriteOutcome::Lost);
    let unreadable = of(WriteOutcome::Unreadable);
    let (from_active, from_inactive): (Vec<_>, Vec<_>) =
        unreadable.into_iter().partition(|one| store_is_active(run, one));
    let bad: Vec<&Entered<'_>> = lost.iter().chain(&from_active).copied().collect();
    let ids = |entries: &[&Entered<'_>]| {
        sorted(
            entries.iter().flat_map(|one| [one.acknowledged.id].into_iter().chain(one.last.map(|(event, _)| event.id))),
        )
    };
    let judged = |verdict, reason, evidence| result(ASPECT_KILL, verdict, reason, evidence);
    if !bad.is_empty() {
        let reason = format!(
            "of {} acknowledged writes {} were lost and {} were unreadable although their store was active",
            ledger.len(),
            lost.len(),
            from_active.len()
        );
        let mut findings = findings(run, &bad, None);
        findings.extend(self::findings(run, &from_inactive, Some("S5")));
        return (judged(Verdict::Violated, reason, ids(&bad)), findings);
    }
    if !from_inactive.is_empty() {
        let reason = format!(
            "of {} acknowledged writes {} could not be read because their store did not come back",
            ledger.len(),
            from_inactive.len()
        );
        let evidence = ids(&from_inactive);
        let asked = run.case.scenario.invariants.iter().any(|id| id == s5::ENTRY.id);
        let follows = asked && (s5::ENTRY.judge)(run).results.iter().any(|result| result.verdict == Verdict::Violated);
        return if follows {
            (judged(Verdict::Violated, reason, evidence), findings(run, &from_inactive, Some("S5")))
        } else {
            (judged(Verdict::Inconclusive, reason, evidence), Vec::new())
        };
    }
    let exposed = ledger.iter().filter(|one| lost_power_later(run, one)).count();
    if exposed == 0 {
        let reason = "no acknowledged write was stored on a host that lost power afterwards: a fault in the zone of a store \
                      that takes writes would do";
        return (judged(Verdict::NotJudged, reason.to_owned(), Vec::new()), Vec::new());
    }
    let unread: Vec<&Entered<'_>> = ledger.iter().filter(|one| one.last.is_none()).collect();
    if !unread.is_empty() {
        let reason = format!("{} acknowledged writes were never read back", unread.len());
        return (judged(Verdict::Inconclusive, reason, ids(&unread)), Vec::new());
    }
    let all: Vec<&Entered<'_>> = ledger.iter().collect();
    let reason = format!(
        "all {} acknowledged writes were read back, {exposed} of them stored where power was lost afterwards",
        ledger.len()
    );
    (judged(Verdict::Held, reason, ids(&all)), Vec::new())
}

/// Whether one of its stores was active when it could not be read. Where nobody knows who stored it: any instance of
/// the services that store writes.
fn store_is_active(run: &Run<'_>, entered: &Entered<'_>) -> bool {
    let at_ns = entered.last.map_or(run.timeline.end_ns, |(event, _)| event.t_ns);
    stores(run, entered).iter().any(|name| run.timeline.is_active(name, at_ns))
}

fn lost_power_later(run: &Run<'_>, entered: &Entered<'_>) -> bool {
    let placement = run.case.placement;
    stores(run, entered).iter().any(|name| {
        let host = placement.instance_by_name(name).map(|instance| &placement.hosts[instance.host].name);
        let spells = host.and_then(|host| run.timeline.dark.get(host)).into_iter().flatten();
        spells.into_iter().any(|spell| spell.from_ns >= entered.acknowledged.t_ns)
    })
}

fn stores<'x>(run: &Run<'x>, entered: &Entered<'x>) -> Vec<&'x InstanceName> {
    if !entered.stores.is_empty() {
        return entered.stores.clone();
    }
    let service = storing_service(run);
    let copies = run.case.placement.instances.iter().filter(|instance| Some(&instance.service) == service.as_ref());
    copies.map(|instance| &instance.name).collect()
}

/// Where a write ends up.
fn storing_service(run: &Run<'_>) -> Option<ServiceName> {
    run.case.graph.keepers().first().map(|keeper| keeper.name.clone())
}

/// One finding for each service that stored what is gone.
fn findings(run: &Run<'_>, bad: &[&Entered<'_>], consequence_of: Option<&str>) -> Vec<Finding> {
    let mut by_service: BTreeMap<ServiceName, Vec<&Entered<'_>>> = BTreeMap::new();
    for &entered in bad {
        let store = stores(run, entered).first().and_then(|name| run.case.placement.instance_by_name(name));
        let service = store.map(|instance| instance.service.clone()).or_else(|| storing_service(run));
        by_service.entry(service.unwrap_or_else(|| run.case.graph.entry.service.clone())).or_default().push(entered);
    }
    by_service.into_iter().map(|(service, entries)| finding(run, service, &entries, consequence_of)).collect()
}

fn finding(run: &Run<'_>, service: ServiceName, entries: &[&Entered<'_>], consequence_of: Option<&str>) -> Finding {
    // What is kept in memory is gone with the process, however early or late it is acknowledged.
    let in_memory = run.case.graph.service(&service).is_some_and(|known| known.state == State::Memory);
    let setting = run.storing(&service, if in_memory { "state" } else { "acknowledge" });
    let mut affected: Vec<InstanceName> = entries.iter().flat_map(|one| stores(run, one)).cloned().collect();
    affected.sort();
    affected.dedup();
    let text = if consequence_of.is_some() {
        format!("{} acknowledged writes cannot be read because `{service}` did not come back", entries.len())
    } else {
        format!("`{service}` acknowledged {} writes that were gone after the power came back", entries.len())
    };
    Finding {
        invariant: ENTRY.id.to_owned(),
        team: run.team(&service),
        dependency: None,
        setting: consequence_of.is_none().then_some(setting),
        text,
        confirmed: false,
        consequence_of: consequence_of.map(str::to_owned),
        affected,
        chain: entries.first().map_or_else(Vec::new, |first| chain(run, &service, first)),
        known: false,
        service,
    }
}

fn chain(run: &Run<'_>, service: &ServiceName, first: &Entered<'_>) -> Vec<Link> {
    let zone = first.acknowledged.place.zone.as_ref().map_or("the region", ZoneName::as_str);
    let store = stores(run, first).first().map_or_else(|| service.to_string(), |name| name.to_string());
    let since_ns = first.acknowledged.t_ns;
    let last = first.last.map(|(event, _)| event);
    let customers = Link {
        who: format!("customers in {zone}"),
        waits_for: store.clone(),
        how: format!("write {}", first.key),
        since_ns,
        evidence: vec![first.acknowledged.id],
    };
    let gone = Link {
        who: store,
        waits_for: "the value it acknowledged".to_owned(),
        how: "read back".to_owned(),
        since_ns: last.map_or(since_ns, |event| event.t_ns),
        evidence: last.map(|event| event.id).into_iter().collect(),
    };
    vec![customers, gone]
}
