//! Owns what stands in a run at a moment, and what changed since another one: the words that go over the wire. Refuses to
//! know how either is found out.

use super::zone::Customers;
use crate::record::Record;
use crate::text::{clean, clean_to};
use scenarios::event::{Act, Detail, Life, Phase};
use scenarios::verdict::Verdict;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// How an instance stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stand {
    /// Its host has no power.
    Off,
    /// It has power and does not answer.
    Starting,
    /// It answers, with errors.
    Serving,
    /// It answers, and in full but for soft dependencies.
    Degraded,
    /// A request through it succeeds in full.
    Active,
}

impl Stand {
    /// All, from dark to well.
    pub const ALL: [Self; 5] = [Self::Off, Self::Starting, Self::Serving, Self::Degraded, Self::Active];

    /// Its letter on the wire.
    pub fn letter(self) -> u8 {
        match self {
            Self::Off => b'o',
            Self::Starting => b't',
            Self::Serving => b's',
            Self::Degraded => b'd',
            Self::Active => b'a',
        }
    }

    /// What a letter means; off where it is none.
    pub fn of_letter(letter: u8) -> Self {
        Self::ALL.into_iter().find(|stand| stand.letter() == letter).unwrap_or(Self::Off)
    }

    /// The word of the design.
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => Life::Off.word(),
            Self::Starting => Life::Starting.word(),
            Self::Serving => Life::Serving.word(),
            Self::Degraded => "degraded",
            Self::Active => Life::Active.word(),
        }
    }
}

/// One character for each of many.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Letters(Vec<u8>);

impl Letters {
    /// So many of one.
    pub fn of(letter: u8, count: usize) -> Self {
        Self(vec![letter; count])
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One of them.
    pub fn get_byte(&self, at: usize) -> u8 {
        self.0.get(at).copied().unwrap_or_default()
    }

    /// All of them.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn set_byte(&mut self, at: usize, letter: u8) {
        if let Some(own) = self.0.get_mut(at) {
            *own = letter;
        }
    }

    /// One of them that is a digit, as its number.
    pub fn get(&self, at: usize) -> u8 {
        self.get_byte(at).saturating_sub(b'0')
    }

    pub(super) fn set(&mut self, at: usize, digit: u8) {
        self.set_byte(at, b'0' + digit);
    }
}

impl From<Letters> for String {
    fn from(letters: Letters) -> Self {
        letters.0.into_iter().map(char::from).collect()
    }
}

impl TryFrom<String> for Letters {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, &'static str> {
        if text.is_ascii() { Ok(Self(text.into_bytes())) } else { Err("a letter that nobody sends") }
    }
}

/// Everything that stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Now {
    /// The latest moment of the run that anything was seen of, in milliseconds.
    pub t_ms: u64,
    /// The phase; absent before the first.
    pub phase: Option<PhaseNow>,
    /// When each round began.
    pub rounds: Vec<Option<u64>>,
    /// How each instance stands, a letter each.
    pub instances: Letters,
    /// What instances name as missing; services by instance.
    pub missing: BTreeMap<usize, Vec<usize>>,
    /// Hosts, a digit each: 1 has power, 2 has a fault in force, 3 both.
    pub hosts: Letters,
    /// What customers of each zone get.
    pub zones: Vec<Customers>,
    /// How each step of the plan stands.
    pub steps: Vec<StepNow>,
    /// Entries of the timeline since the beginning.
    pub told: u64,
    /// The last ones of them, oldest first.
    pub timeline: VecDeque<Entry>,
    /// How the run ended; absent while it goes on.
    pub ending: Option<Ending>,
    /// Lines that were no event.
    pub unread: u64,
}

impl Now {
    /// How many instances stand how, in the order of [`Stand::ALL`].
    pub fn counts(&self) -> [usize; 5] {
        Stand::ALL.map(|stand| self.instances.bytes().iter().filter(|letter| **letter == stand.letter()).count())
    }

    /// What a viewer does with a delta; the page's script does the same.
    pub fn apply(&mut self, delta: &Delta) {
        self.t_ms = delta.t_ms;
        self.phase = delta.phase.or(self.phase);
        replace(&mut self.rounds, delta.rounds.as_ref());
        replace(&mut self.instances, delta.all.as_ref());
        for (at, letter) in &delta.few {
            self.instances.set_byte(*at, u8::try_from(*letter).unwrap_or_default());
        }
        for (at, missing) in &delta.missing {
            if missing.is_empty() {
                self.missing.remove(at);
            } else {
                self.missing.insert(*at, missing.clone());
            }
        }
        replace(&mut self.hosts, delta.hosts.as_ref());
        for (at, more) in &delta.zones {
            if let Some(zone) = self.zones.get_mut(*at) {
                zone.apply(more);
            }
        }
        for (at, step) in &delta.steps {
            replace(&mut self.steps[*at], Some(step));
        }
        replace(&mut self.told, delta.told.as_ref());
        self.timeline.extend(delta.timeline.iter().cloned());
        while self.timeline.len() > super::TIMELINE_MAX {
            self.timeline.pop_front();
        }
        if delta.ending.is_some() {
            self.ending.clone_from(&delta.ending);
        }
        replace(&mut self.unread, delta.unread.as_ref());
    }
}

fn replace<T: Clone>(own: &mut T, new: Option<&T>) {
    if let Some(new) = new {
        own.clone_from(new);
    }
}

/// What changed; what is absent did not.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Delta {
    /// As there.
    pub t_ms: u64,
    /// As there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<PhaseNow>,
    /// As there, all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rounds: Option<Vec<Option<u64>>>,
    /// Instances that stand otherwise, where they are few.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub few: Vec<(usize, char)>,
    /// All instances, where that is shorter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub all: Option<Letters>,
    /// Instances that name others as missing than before; with an empty list, nobody any more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<(usize, Vec<usize>)>,
    /// As there, all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hosts: Option<Letters>,
    /// Zones with further windows: those alone, and the sums.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub zones: Vec<(usize, Customers)>,
    /// Steps that stand otherwise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<(usize, StepNow)>,
    /// As there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told: Option<u64>,
    /// Further entries.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<Entry>,
    /// As there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ending: Option<Ending>,
    /// As there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread: Option<u64>,
}

/// Bytes that one of a few takes, such as `[123,"a"],`.
const FEW_BYTES: usize = 10;

impl Delta {
    /// Those that changed, or all, whichever is shorter.
    pub(super) fn instances(&mut self, now: &Letters, changed: &[usize]) {
        if changed.len() * FEW_BYTES > now.len() {
            self.all = Some(now.clone());
        } else {
            self.few = changed.iter().map(|&at| (at, char::from(now.get_byte(at)))).collect();
        }
    }
}

/// The phase that a run is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseNow {
    /// Which.
    pub phase: Phase,
    /// Its round, from 0.
    pub round: usize,
    /// Since when.
    pub since_ms: u64,
}

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StepNow {
    /// Its state.
    pub state: StepState,
    /// When it came into it.
    pub t_ms: u64,
    /// Of an inject: what looks at its effect say.
    pub proof: Proof,
}

/// States of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// Not begun.
    #[default]
    Planned,
    /// Under way.
    Begun,
    /// Done.
    Done,
    /// It will not be done: its rollout was stopped.
    LeftOut,
}

/// What looks at a fault say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// Nobody has looked.
    #[default]
    None,
    /// It is in force.
    Holds,
    /// It is not.
    Fails,
}

/// One entry of the timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Number of the event that shows it.
    pub id: u64,
    /// When.
    pub t_ms: u64,
    /// What kind of thing it is.
    pub weight: Weight,
    /// In words, without controls.
    pub text: String,
}

/// Kinds of entries, for a sign beside the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// The run goes on to its next part.
    Phase,
    /// A fault begins.
    Fault,
    /// A fault ends.
    Heal,
    /// Customers are harmed, data is lost, somebody meddled, or the result is in doubt.
    Bad,
    /// Customers are served again.
    Good,
    /// Anything else.
    Note,
}

impl Weight {
    /// Of an event.
    pub fn of(detail: &Detail) -> Self {
        match detail {
            Detail::Phase { .. } => Self::Phase,
            Detail::StepDone { act: Act::Inject, .. } | Detail::StepIntent { act: Act::Inject, .. } => Self::Fault,
            Detail::StepDone { act: Act::Heal, .. } | Detail::StepIntent { act: Act::Heal, .. } => Self::Heal,
            Detail::FaultEffect { holds: false, .. }
            | Detail::Host { .. }
            | Detail::Need { .. }
            | Detail::Write { .. }
            | Detail::RolloutStopped { .. }
            | Detail::Intervention { .. }
            | Detail::Caveat { .. }
            | Detail::Residue { .. } => Self::Bad,
            _ => Self::Note,
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    /// In which way.
    pub how: How,
    /// A sentence, where there is something to say.
    pub text: String,
    /// The verdict.
    pub verdict: Option<Verdict>,
    /// Each invariant asked for.
    pub invariants: Vec<Judged>,
    /// Causes of what was violated, in words.
    pub findings: Vec<String>,
}

/// Ways to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// Everything was removed, and the record is being written.
    Judging,
    /// The record is there.
    Judged,
    /// There will be no record.
    Lost,
}

/// One invariant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// Its id, and which side of it.
    pub id: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
}

impl Ending {
    pub(super) fn judging() -> Self {
        Self { how: How::Judging, text: String::new(), verdict: None, invariants: Vec::new(), findings: Vec::new() }
    }

    pub(super) fn lost(text: String) -> Self {
        Self { how: How::Lost, text, ..Self::judging() }
    }

    pub(super) fn judged(record: &Record) -> Self {
        let id = |id: &str, aspect: Option<&String>| match aspect {
            Some(aspect) => format!("{} ({})", clean_to(id, 40), clean_to(aspect, 80)),
            None => clean_to(id, 40),
        };
        let judged = |one: &scenarios::judgement::InvariantResult| Judged {
            id: id(&one.id, one.aspect.as_ref()),
            verdict: one.verdict,
            reason: clean(&one.reason),
        };
        let causes = record.findings.iter().filter(|finding| finding.consequence_of.is_none());
        Self {
            how: How::Judged,
            text: record.inconclusive.first().map(|reason| clean(&reason.text)).unwrap_or_default(),
            verdict: Some(record.verdict),
            invariants: record.invariants.iter().map(judged).collect(),
            findings: causes.map(|finding| clean(&finding.text)).collect(),
        }
    }
}
