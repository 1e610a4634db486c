//! Owns the watch over customers of zones that have a new version, and the end of a rollout that harms them: no further
//! zone, and back where it has been. Refuses to judge customers ([`scenarios::guard`] does), and to know how it goes back.

use super::{Command, Controller, Nanos};
use scenarios::event::{By, Detail, Place};
use scenarios::guard::Watch;
use scenarios::plan::{Deed, Step};
use scenarios::scenario::Scenario;
use scenarios::timeline::ns;

/// Zones that have a version of a rollout that stops on failure.
#[derive(Debug, Default)]
pub(super) struct Rollouts {
    watched: Vec<Watched>,
}

#[derive(Debug)]
struct Watched {
    /// The step that gave the zone its version.
    step: String,
    rollout: String,
    watch: Watch,
}

/// The name of the rollout that a step belongs to, where it stops on failure.
fn guarded(step: &Step) -> Option<&str> {
    match &step.deed {
        Deed::Change { version, guarded: true, .. } => Some(&version.name),
        _ => None,
    }
}

impl Rollouts {
    /// A step was carried out: its zones are watched from when they must have got over the change itself.
    pub(super) fn begun(&mut self, t_ns: Nanos, step: &Step, scenario: &Scenario) {
        let Some(rollout) = guarded(step) else { return };
        let shift_ns = ns(scenario.windows.shift);
        let watched = |zone: &fixtures::name::ZoneName| Watched {
            step: step.id.clone(),
            rollout: rollout.to_owned(),
            watch: Watch::new(zone.clone(), t_ns.saturating_add(shift_ns)),
        };
        self.watched.extend(step.zones.iter().map(watched));
    }

    /// A step was undone.
    pub(super) fn ended(&mut self, step: &Step) {
        self.watched.retain(|one| one.step != step.pair);
    }

    /// Takes the rollout that harms customers out of what is watched; with it goes a sentence.
    fn harmful(&mut self, scenario: &Scenario) -> Option<(String, String)> {
        let failing = |one: &Watched| Some((one.rollout.clone(), one.watch.failure(&scenario.steady_state)?));
        let (rollout, text) = self.watched.iter().find_map(failing)?;
        self.watched.retain(|one| one.rollout != rollout);
        Some((rollout, text))
    }
}

impl Controller {
    /// Something was seen; where it shows that a new version harms customers, its rollout is stopped.
    pub(super) fn watch_customers(
        &mut self,
        now: Nanos,
        (t_ns, by): (Nanos, By),
        place: &Place,
        detail: &Detail,
        out: &mut Vec<Command>,
    ) {
        if by != By::Canary || self.rollouts.watched.is_empty() {
            return;
        }
        for one in &mut self.rollouts.watched {
            one.watch.saw(t_ns, place, detail);
        }
        let Some((rollout, text)) = self.rollouts.harmful(&self.scenario) else { return };
        let left_out = self.agenda.stop(now, |step| guarded(step) == Some(&rollout));
        self.log(now, Detail::RolloutStopped { rollout, text, left_out }, out);
    }
}
