//! Owns the whys about the fault under which a finding came to light: what set it off, how far it spread, and whether it
//! ended with the fault. Refuses to say whether that was right: the judge has.

use super::{Why, is_done, is_of, seen};
use crate::text::{length, moment};
use scenarios::event::{Act, Detail, Event, Life};
use scenarios::judgement::Finding;

/// Events that one why cites at most of those who were reached.
const CITED: usize = 5;

/// The fault that was in force, or had been last, when something began.
pub(super) struct Onset<'a> {
    inject: &'a Event,
    heal: Option<&'a Event>,
}

impl<'a> Onset<'a> {
    /// The last fault that began before the deepest step of the chain, or the first of the run; nothing where none began.
    /// Who is said to lack power lacks it by a fault in force: where none is, by the one that the outage then begins.
    pub(super) fn of(finding: &Finding, by_time: &[&'a Event]) -> Option<Self> {
        let deepest = finding.chain.last();
        let since = deepest.map_or(0, |link| link.since_ns);
        let mut begun: Vec<Self> = Vec::new();
        for inject in by_time.iter().copied().filter(|event| is_done(event, Act::Inject)) {
            let own = fault(inject)?.0;
            let is_its_heal = |event: &&&Event| {
                event.t_ns >= inject.t_ns
                    && is_done(event, Act::Heal)
                    && fault(event).is_some_and(|(name, ..)| name == own)
            };
            begun.push(Self { inject, heal: by_time.iter().find(is_its_heal).copied() });
        }
        let dark = deepest.is_some_and(|link| link.how == "power");
        let is_over = |onset: &Self| onset.heal.is_some_and(|heal| heal.t_ns <= since);
        let before = begun.iter().rposition(|onset| onset.inject.t_ns <= since && !(dark && is_over(onset)));
        let later = begun.iter().position(|onset| onset.inject.t_ns > since);
        let at = before.or(later).unwrap_or(0);
        (at < begun.len()).then(|| begun.swap_remove(at))
    }

    /// What set it off; nothing where the chain speaks of that already.
    pub(super) fn trigger(&self, finding: &Finding) -> Option<Why> {
        if finding.chain.iter().any(|link| link.how == "power" || link.how.starts_with("intervention ")) {
            return None;
        }
        let (name, what, hosts) = fault(self.inject)?;
        let what = if what.is_empty() { "loss of power" } else { what };
        let until = self.heal.map_or("the end of the run".to_owned(), |heal| moment(heal.t_ns));
        let hosts = if hosts == 1 { "one host".to_owned() } else { format!("{hosts} hosts") };
        let answer = format!(
            "The fault `{name}` ({what}) was in force on {hosts} from {} until {until}",
            moment(self.inject.t_ns)
        );
        Some(Why::new("Why did that begin then?".to_owned(), answer, self.ends().collect()))
    }

    /// How far it reached among the culprit's instances.
    pub(super) fn spread(&self, finding: &Finding, by_time: &[&Event]) -> Option<Why> {
        let mut reached: Vec<&Event> = Vec::new();
        for event in by_time.iter().filter(|event| event.t_ns >= self.inject.t_ns && is_of(event, finding)) {
            let known = reached.iter().any(|other| other.place.instance == event.place.instance);
            if !known && seen(event).is_some_and(|life| life != Life::Active) {
                reached.push(event);
            }
        }
        let first = reached.first()?;
        let service = &finding.service;
        let many = if reached.len() == 1 { "One instance".to_owned() } else { format!("{} instances", reached.len()) };
        let answer = format!(
            "{many} of `{service}` stopped being active under it, the first {} after it began",
            length(first.t_ns - self.inject.t_ns)
        );
        let evidence = reached.iter().take(CITED).map(|event| event.id).collect();
        Some(Why::new(format!("Why was that a matter of `{service}`?"), answer, evidence))
    }

    /// Whether it ended with the fault.
    pub(super) fn lasted(&self, finding: &Finding, by_time: &[&Event]) -> Option<Why> {
        let heal = self.heal?;
        let service = &finding.service;
        let is_back =
            |event: &&&Event| event.t_ns >= heal.t_ns && is_of(event, finding) && seen(event) == Some(Life::Active);
        let Some(active) = by_time.iter().find(is_back) else {
            let answer = format!("No instance of `{service}` was seen to become active after it");
            return Some(Why::new("Why was it not over with the fault?".to_owned(), answer, vec![heal.id]));
        };
        let name = active.place.instance.as_ref().map_or(service.as_str(), |name| name.as_str());
        let later = length(active.t_ns - heal.t_ns);
        let answer = format!("The fault ended, and `{name}` was seen active again {later} later");
        Some(Why::new("Why did it end?".to_owned(), answer, vec![heal.id, active.id]))
    }

    fn ends(&self) -> impl Iterator<Item = scenarios::event::EventId> {
        std::iter::once(self.inject.id).chain(self.heal.map(|heal| heal.id))
    }
}

/// Of an act on a fault, its name, its kind in a word, and how many hosts it is on.
fn fault(event: &Event) -> Option<(&str, &str, usize)> {
    match &event.detail {
        Detail::StepDone { fault, what, hosts, .. } => Some((fault, what, hosts.len())),
        _ => None,
    }
}
