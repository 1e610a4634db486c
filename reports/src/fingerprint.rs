//! Owns how a finding is known again in another run: by the invariant and the culprit, whatever the seed, the world, the
//! scenario and the words. Refuses to know where other runs are kept, and to look for them.

use crate::actions::Told;
use crate::policy::Policy;
use crate::record::Record;
use scenarios::judgement::Finding;
use scenarios::verdict::Verdict;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The invariant and the culprit of a finding as one text, for people and as a key: `S5 app needs.session-cache`.
/// Two findings with the same one have the same thing to mend. Text from outside is in it as it is: who shows it
/// cleans it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(pub String);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The fingerprint of a finding.
///
/// Of a setting counts which need or call it is about, not which of its numbers: whoever waits in vain and whoever gave
/// up waiting lean on the same need. Without a setting the dependency stands for it.
pub fn fingerprint(finding: &Finding) -> Fingerprint {
    let own = format!("services.{}.", finding.service);
    let edge = finding.setting.as_deref().map(|setting| {
        let rest = setting.strip_prefix(&own).unwrap_or(setting);
        match rest.split('.').collect::<Vec<_>>().as_slice() {
            [list @ ("needs" | "calls"), name, _, ..] => format!("{list}.{name}"),
            _ => rest.to_owned(),
        }
    });
    let on = || finding.dependency.as_ref().map(|on| format!("on {on}"));
    let culprit = edge.or_else(on).unwrap_or_else(|| "itself".to_owned());
    Fingerprint(format!("{} {} {culprit}", finding.invariant, finding.service))
}

/// The fingerprints of a run, each once, in the order of its findings.
pub fn fingerprints(record: &Record) -> Vec<Fingerprint> {
    let mut all: Vec<Fingerprint> = Vec::new();
    for print in record.findings.iter().map(fingerprint) {
        if !all.contains(&print) {
            all.push(print);
        }
    }
    all
}

/// Another run in which a finding of this one was found too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// What both have.
    pub fingerprint: Fingerprint,
    /// The other run's id; sorts by time.
    pub run: String,
    /// Its scenario.
    pub scenario: String,
    /// Its world.
    pub world: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// Whether it confirmed the culprit by repair.
    pub confirmed: bool,
}

/// What a page tells that is not in its run: it comes from the team's files and from other runs.
#[derive(Debug, Clone, Copy)]
pub struct Beside<'a> {
    /// By when actions are due, and how a correction is judged.
    pub policy: &'a Policy,
    /// Other runs with a fingerprint of this one, the newest first; `None` where nobody looked for them.
    pub related: Option<&'a [Related]>,
    /// Actions of corrections on the day of the page, of which the overdue ones are told; `None` where nobody looked.
    pub actions: Option<Told<'a>>,
}

impl Default for Beside<'_> {
    fn default() -> Self {
        Self { policy: &Policy::USUAL, related: None, actions: None }
    }
}

impl<'a> Beside<'a> {
    /// A policy, and nothing known of other runs.
    pub fn of(policy: &'a Policy) -> Self {
        Self { policy, ..Self::default() }
    }
}
