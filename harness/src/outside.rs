//! Owns what others add to a run: conditions that they measure, and traffic that they send. Refuses to know faults, and which
//! world a run is in.
//!
//! Conditions are those of schedules: the same words in a file, asked by the same code ([`crate::serve::question`]).
//!
//! - [`conditions`]: what is asked while a run goes on, and what that makes of the run
//! - [`traffic`]: a command that sends traffic, from the baseline to the end of the run; [`surroundings`]: what it is told;
//!   [`escort`]: who ends it

pub mod conditions;
pub mod escort;
mod surroundings;
pub mod traffic;

use crate::clock::Clock;
use crate::controller::Input;
use crate::doors::Doors;
use crate::schedule::Condition;
use anyhow::Result;
use conditions::Watch;
use scenarios::event::{By, Detail, Event, EventId, Phase, Place};
use scenarios::judgement::InvariantResult;
use scenarios::verdict::Verdict;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// The code of what is told of conditions and of traffic.
pub const CAVEAT: &str = "from-outside";
/// The invariant that what others measure is well before a fault and again after it.
pub const STEADY: &str = "E1";
/// The invariant that traffic says of itself that it was well.
pub const TRAFFIC: &str = "E2";

/// What a person asks for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Well before the first fault, and well again at the end.
    pub steady: Vec<Condition>,
    /// Well all the time, or the run is stopped and healed.
    pub stops: Vec<Condition>,
    /// Who sends traffic, as a shell understands it.
    pub traffic: Option<String>,
}

impl Wanted {
    /// Whether nothing is.
    pub fn is_nothing(&self) -> bool {
        self.steady.is_empty() && self.stops.is_empty() && self.traffic.is_none()
    }
}

/// Where it is told what happens.
#[derive(Clone)]
pub(crate) struct Teller {
    inputs: mpsc::Sender<Input>,
    clock: Arc<Clock>,
}

impl Teller {
    pub(crate) fn new(inputs: mpsc::Sender<Input>, clock: Arc<Clock>) -> Self {
        Self { inputs, clock }
    }

    async fn tell(&self, text: String) {
        let detail = Detail::Caveat { code: CAVEAT.to_owned(), text };
        let (t_ns, by, place) = (self.clock.now(), By::Controller, Place::default());
        // The controller's loop has ended: nobody waits for this.
        let _ended = self.inputs.send(Input::Seen { t_ns, by, place, detail }).await;
    }

    async fn stop(&self, why: String) {
        let _ended = self.inputs.send(Input::Stop { why }).await;
    }
}

/// Waits for a phase that matters; the phase is copied, so that nobody who waits on holds it.
async fn reached(phases: &mut watch::Receiver<Phase>, matters: impl FnMut(&Phase) -> bool) -> Result<Phase> {
    let phase = *phases.wait_for(matters).await?;
    Ok(phase)
}

/// The verdict of one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// [`STEADY`] or [`TRAFFIC`].
    pub id: &'static str,
    /// Which of several.
    pub aspect: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
}

impl Said {
    /// As a row of the record; what was told of it is its evidence.
    pub fn row(&self, events: &[Event]) -> InvariantResult {
        let evidence: Vec<EventId> = events
            .iter()
            .filter(|event| match &event.detail {
                Detail::Caveat { code, text } => code == CAVEAT && text.contains(&format!("`{}`", self.aspect)),
                _ => false,
            })
            .map(|event| event.id)
            .collect();
        InvariantResult {
            id: self.id.to_owned(),
            aspect: Some(self.aspect.clone()),
            verdict: self.verdict,
            reason: self.reason.clone(),
            thresholds: BTreeMap::new(),
            evidence,
        }
    }
}

/// Says where a region is reached, once it has addresses.
pub type Guide = Box<dyn Fn() -> Doors + Send + Sync>;

/// What goes on beside one run.
pub struct Outside {
    phase: watch::Sender<Phase>,
    tasks: Vec<JoinHandle<Result<Said>>>,
}

impl Outside {
    /// Begins to wait for the baseline.
    pub(crate) fn begin(wanted: &Wanted, run: &str, folder: &Path, teller: &Teller, guide: Guide) -> Self {
        let (phase, phases) = watch::channel(Phase::Provision);
        let mut tasks = Vec::new();
        for (conditions, stops) in [(&wanted.steady, false), (&wanted.stops, true)] {
            for condition in conditions {
                let watch =
                    Watch { condition: condition.clone(), stops, phases: phases.clone(), teller: teller.clone() };
                tasks.push(tokio::spawn(watch.go_on()));
            }
        }
        if let Some(command) = &wanted.traffic {
            let sender =
                traffic::Sender { command: command.clone(), run: run.to_owned(), folder: folder.to_owned(), guide };
            tasks.push(tokio::spawn(sender.send(phases, teller.clone())));
        }
        Self { phase, tasks }
    }

    /// The run has come to a phase.
    pub fn enter(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    /// Ends what is left of it, and returns what it says.
    ///
    /// # Errors
    /// Where a command cannot be started, or its output cannot be kept.
    pub async fn finish(self) -> Result<Vec<Said>> {
        self.phase.send_replace(Phase::Ended);
        let mut said = Vec::new();
        for task in self.tasks {
            said.push(task.await??);
        }
        Ok(said)
    }
}
