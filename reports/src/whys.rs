//! Owns the chain of whys of a finding: from the harm down to what can be changed, each answer with the events that show
//! it. Refuses to invent: where evidence ends, the chain ends, and says whether its end can be changed.

mod onset;

use crate::record::Record;
use crate::text::{length, moment};
use onset::Onset;
use scenarios::build::judge::catalogue;
use scenarios::event::{Act, By, Detail, Event, EventId, Life, NeedOutcome};
use scenarios::judgement::{Finding, InvariantResult, Link};

/// One question with its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// The question, plain text.
    pub question: String,
    /// The answer, plain text.
    pub answer: String,
    /// Events that show it.
    pub evidence: Vec<EventId>,
    /// The setting in which the answer can be changed; the last why of a chain that ends in one.
    pub setting: Option<String>,
}

impl Why {
    fn new(question: String, answer: String, evidence: Vec<EventId>) -> Self {
        Self { question, answer, evidence, setting: None }
    }
}

/// The chain of every finding: causes before what only follows from them, and of those the longest first.
pub fn chains<'a>(record: &'a Record, by_time: &[&Event]) -> Vec<(&'a Finding, Vec<Why>)> {
    let own = record.findings.iter().map(|finding| (finding, chain(record, by_time, finding)));
    let mut chains: Vec<(&Finding, Vec<Why>)> = own.collect();
    chains.sort_by_key(|(finding, whys)| (finding.consequence_of.is_some(), std::cmp::Reverse(whys.len())));
    chains
}

fn chain(record: &Record, by_time: &[&Event], finding: &Finding) -> Vec<Why> {
    let mut whys: Vec<Why> = if is_of_a_build(finding) {
        let evidence = finding.chain.iter().flat_map(|link| link.evidence.iter().copied()).collect();
        vec![Why::new(format!("Why was {} violated?", finding.invariant), finding.text.clone(), evidence)]
    } else {
        finding.chain.iter().map(of_link).collect()
    };
    if whys.is_empty() {
        let seen = result_of(record, finding);
        whys.extend(seen.map(|result| {
            let question = format!("Why was {} violated?", result.id);
            Why::new(question, finding.text.clone(), result.evidence.clone())
        }));
    }
    let onset = Onset::of(finding, by_time);
    let own = [given_up(by_time, finding), never_synced(by_time, finding)].concat();
    // A loss of what was not synced tells of its fault itself.
    let sets_off = onset.as_ref().filter(|_| !is_lost_write(finding));
    whys.extend(sets_off.and_then(|onset| onset.trigger(finding)));
    if own.is_empty() {
        let about = |onset: &Onset<'_>| [onset.spread(finding, by_time), onset.lasted(finding, by_time)];
        whys.extend(onset.iter().flat_map(about).flatten());
    }
    whys.extend(own);
    whys.extend(end(record, finding));
    whys.retain(|why| !why.evidence.is_empty());
    whys
}

/// The result that a finding explains; an invariant judged in several aspects has its violated one.
pub(crate) fn result_of<'a>(record: &'a Record, finding: &Finding) -> Option<&'a InvariantResult> {
    let own = record.invariants.iter().filter(|result| result.id == finding.invariant);
    own.max_by_key(|result| result.verdict)
}

fn of_link(link: &Link) -> Why {
    let (who, what, since) = (format!("`{}`", link.who), format!("`{}`", link.waits_for), moment(link.since_ns));
    let customers = link.who.starts_with("customers in ");
    let (question, answer) = match link.how.as_str() {
        "power" => (format!("Why did {who} not run?"), format!("It waited for {} since {since}", link.waits_for)),
        "read back" => (
            format!("Why was the write not there in {who}?"),
            format!("At {since} it did not give back {}", link.waits_for),
        ),
        how if how.starts_with("intervention ") => {
            let act = how.trim_start_matches("intervention ");
            (
                format!("Why is {who} no proof of a return by itself?"),
                format!("An act from outside, `{act}`, came at {since}"),
            )
        }
        how if customers && how.starts_with("write ") => {
            (format!("Why did {} lose a write?", link.who), format!("{what} had acknowledged it at {since}"))
        }
        _ if customers => (
            format!("Why were {} harmed?", link.who),
            format!("Their requests went to {what}, which did not answer in full since {since}"),
        ),
        how if how.starts_with("need ") => {
            let need = how.trim_start_matches("need ").split(',').next().unwrap_or_default();
            let answer = format!("It needs `{need}` from {what}, and did not have it since {since}");
            (format!("Why was {who} not active?"), answer)
        }
        how => of_lack(link, how, (&who, &what, &since)),
    };
    Why::new(question, answer, link.evidence.clone())
}

/// Question and answer of somebody who was up, and lacked something.
fn of_lack(link: &Link, how: &str, (who, what, since): (&str, &str, &str)) -> (String, String) {
    let answers = format!("Why did {who} not answer in full?");
    match how {
        "call to another zone" => {
            (answers, format!("It asks {what} in other zones than its own, and did not get what it asks since {since}"))
        }
        "lookup" => (answers, format!("It did not learn from {what} whom to ask since {since}")),
        "agreement" => (answers, format!("It waited for {} since {since}", link.waits_for)),
        how if how.starts_with("register ") => (
            format!("Why is there no one order of what {who} said?"),
            format!("What it answered at {since} fits no order with all other answers"),
        ),
        "switch" | "state" => {
            (format!("Why was {who} not active?"), format!("It waited for {} since {since}", link.waits_for))
        }
        "soft call" => (
            format!("Why did {who} not answer in full and in time?"),
            format!("It calls {what} (soft), and did not get what it asks since {since}"),
        ),
        how if how.ends_with("call") => {
            let strength = how.trim_end_matches("call").trim();
            let strength = if strength.is_empty() { String::new() } else { format!(" ({strength})") };
            (answers, format!("It calls {what}{strength}, and did not get what it asks since {since}"))
        }
        _ => (format!("Why was {who} not active?"), format!("What it lacked since {since} was not observed")),
    }
}

/// Who gave up, and whether what it wanted came later.
fn given_up(by_time: &[&Event], finding: &Finding) -> Vec<Why> {
    let mut all: Vec<_> = by_time
        .iter()
        .rev()
        .filter_map(|event| match &event.detail {
            Detail::Need { need, from, outcome: NeedOutcome::GaveUp, attempts }
                if event.by == By::Own && is_of(event, finding) =>
            {
                Some((*event, need, from, *attempts))
            }
            _ => None,
        })
        .collect();
    // Of several, the one whom the chain is about; it comes first after a stable sort.
    let in_chain = |event: &Event| {
        let name = event.place.instance.as_ref().map_or("", |name| name.as_str());
        finding.chain.iter().any(|link| link.who == name)
    };
    all.sort_by_key(|(event, ..)| !in_chain(event));
    let gave_up = all.into_iter().next();
    let Some((event, need, from, attempts)) =
        gave_up.filter(|(_, _, from, _)| finding.dependency.as_ref() == Some(*from))
    else {
        return Vec::new();
    };
    let who = event.place.instance.as_ref().map_or(finding.service.as_str(), |name| name.as_str());
    let mut whys = vec![Why::new(
        format!("Why did `{who}` not get `{need}` later?"),
        format!("It says of itself that it gave up for good at {}, after {attempts} asks", moment(event.t_ns)),
        vec![event.id],
    )];
    let powered = by_time.iter().rev().find(|heal| heal.t_ns <= event.t_ns && is_done(heal, Act::Heal));
    let Some(powered) = powered else { return whys };
    let first_active = by_time.iter().find(|later| {
        later.t_ns >= powered.t_ns
            && later.place.service.as_ref() == Some(from)
            && seen(later) == Some(Life::Active)
            && near(later, event)
    });
    if let Some(active) = first_active.filter(|active| active.t_ns > event.t_ns) {
        let name = active.place.instance.as_ref().map_or(from.as_str(), |name| name.as_str());
        whys.push(Why::new(
            format!("Why were {attempts} asks not enough?"),
            format!(
                "`{name}` was seen active at {}, {} after power-on and {} after `{who}` had given up",
                moment(active.t_ns),
                length(active.t_ns - powered.t_ns),
                length(active.t_ns - event.t_ns)
            ),
            vec![powered.id, event.id, active.id],
        ));
    } else if first_active.is_none() {
        whys.push(Why::new(
            format!("Why were {attempts} asks not enough?"),
            format!("No instance of `{from}` in its zone was seen active between power-on and the end of the run"),
            vec![powered.id, event.id],
        ));
    }
    whys
}

/// Whether an event is about an instance of the culprit; the place of an early event names the instance only.
fn is_of(event: &Event, finding: &Finding) -> bool {
    match (&event.place.service, &event.place.instance) {
        (Some(service), _) => *service == finding.service,
        (None, Some(instance)) => finding.affected.contains(instance),
        (None, None) => false,
    }
}

/// Whether both are in the same zone, where both say so.
fn near(one: &Event, other: &Event) -> bool {
    one.place.zone.is_none() || other.place.zone.is_none() || one.place.zone == other.place.zone
}

/// What the witness saw of an instance.
fn seen(event: &Event) -> Option<Life> {
    match &event.detail {
        Detail::State { to: life, .. } | Detail::Probe { outcome: life, .. } if event.by == By::Witness => Some(*life),
        _ => None,
    }
}

fn is_done(event: &Event, wanted: Act) -> bool {
    matches!(&event.detail, Detail::StepDone { act, .. } if *act == wanted)
}

/// Whether it is one of the invariants of builds, whose findings say the cause in their text.
pub(crate) fn is_of_a_build(finding: &Finding) -> bool {
    catalogue().iter().any(|entry| entry.id == finding.invariant)
}

fn is_lost_write(finding: &Finding) -> bool {
    finding.setting.as_deref().is_some_and(|path| path.ends_with(".acknowledge") || path.ends_with(".state"))
}

/// What a power-off took that had been acknowledged.
fn never_synced(by_time: &[&Event], finding: &Finding) -> Vec<Why> {
    let off = by_time.iter().find(|event| is_done(event, Act::Inject));
    let (true, Some(off)) = (is_lost_write(finding), off) else { return Vec::new() };
    let Detail::StepDone { unsynced_lost, hosts, .. } = &off.detail else { return Vec::new() };
    let answer = if unsynced_lost.is_empty() {
        format!(
            "At {} the power of {} hosts went off: what a process only held in memory went with it",
            moment(off.t_ns),
            hosts.len()
        )
    } else {
        let zones: Vec<&str> = unsynced_lost.iter().map(|zone| zone.as_str()).collect();
        format!(
            "At {} the power went off, and the disks of {} lost what was not synced",
            moment(off.t_ns),
            zones.join(", ")
        )
    };
    let question = format!("Why did `{}` not have it any more?", finding.service);
    vec![Why::new(question, answer, vec![off.id])]
}

/// What can be changed. A cause that was not observed has no such end: that is for people.
fn end(record: &Record, finding: &Finding) -> Option<Why> {
    let leans = match &finding.dependency {
        Some(on) => format!("`{}` is built to lean on `{on}`", finding.service),
        None => format!("`{}` is built that way", finding.service),
    };
    let answer = match (&finding.setting, &finding.consequence_of) {
        (Some(setting), _) if setting.starts_with("traffic.") => {
            let service = &finding.service;
            format!("Customers of `{service}` do as the scenario says in `{setting}`, which can be changed")
        }
        (Some(setting), _) if setting.starts_with("faults.") => {
            format!("the game day rolls it out that way: `{setting}` can be changed")
        }
        (Some(setting), _) if is_of_a_build(finding) => {
            format!("{leans}: the build goes by `{setting}`, which can be changed")
        }
        (Some(setting), _) => format!("{leans}: the graph says so in `{setting}`, which can be changed"),
        (None, Some(other)) => format!("{leans}, and the cause found for {other} sets it off"),
        (None, None) => return None,
    };
    let deepest = finding.chain.last().map(|link| link.evidence.clone()).filter(|ids| !ids.is_empty());
    let seen = || result_of(record, finding).map(|result| result.evidence.clone());
    let evidence = deepest.or_else(seen).unwrap_or_default();
    let setting = finding.setting.clone();
    Some(Why { setting, ..Why::new("Why was that possible?".to_owned(), answer, evidence) })
}
