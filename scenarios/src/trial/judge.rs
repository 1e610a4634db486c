//! Owns the verdicts of a trial: S1, S2, S3, S8, D6 and D9, from what was observed from outside. Refuses to judge what its
//! experiments could not have shown.

use super::edges::{Edge, Hardness};
use super::telemetry::is_telemetry;
use super::{Asked, Bounds, Experiment, Knock, Play, Purpose, Step, seconds};
use crate::verdict::Verdict;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// Calls are held up where they take longer than usual, so many times and by so many milliseconds: on average over the whole step,
/// the slowest left out. A busy machine makes some calls slow, and not all; what telemetry keeps in a buffer makes the first ones quick.
const HELD_UP_TIMES: u64 = 3;
const HELD_UP_MS: u64 = 500;

/// The verdict on one invariant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Judged {
    /// Its id.
    pub id: String,
    /// Its statement.
    pub statement: String,
    /// The verdict.
    #[schemars(with = "String")]
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// What was seen, one sentence an experiment.
    pub evidence: Vec<String>,
}

/// What is judged together.
struct Court<'a> {
    experiments: &'a [Experiment],
    edges: &'a [Edge],
    bounds: &'a Bounds,
}

/// Judges everything, in the order of the catalogue.
pub fn judge(experiments: &[Experiment], edges: &[Edge], bounds: &Bounds) -> Vec<Judged> {
    let court = Court { experiments, edges, bounds };
    let with = |id: &str, statement: &str, (verdict, reason, evidence): Told| Judged {
        id: id.to_owned(),
        statement: statement.to_owned(),
        verdict,
        reason,
        evidence,
    };
    vec![
        with("S1", "comes to answer with nothing but its needs", court.s1()),
        with("S2", "errors, and does not crash, while dependencies are missing", court.s2()),
        with("S3", "heals without a restart when dependencies appear", court.s3()),
        with("S8", "keeps trying through a long absence", court.s8()),
        with("D6", "stays up, with liveness local, when dependencies go away", court.d6()),
        with("D9", "is not held up by telemetry", court.d9()),
    ]
}

type Told = (Verdict, String, Vec<String>);

fn told(verdict: Verdict, reason: impl Into<String>) -> Told {
    (verdict, reason.into(), Vec::new())
}

fn summed(asked: &Asked) -> String {
    let mut text = format!("{} of {} well", asked.well, asked.well + asked.not_well());
    for (count, word) in [
        (asked.errors, "errors"),
        (asked.refused, "refused"),
        (asked.silent, "unanswered"),
        (asked.broken, "broken off"),
    ] {
        if count > 0 {
            let _always = write!(text, ", {count} {word}");
        }
    }
    match &asked.last_trouble {
        Some(trouble) if asked.not_well() > 0 => format!("{text} (last: {trouble})"),
        _ => text,
    }
}

impl Court<'_> {
    fn find(&self, purpose: &Purpose) -> Option<&Experiment> {
        self.experiments.iter().find(|experiment| experiment.purpose == *purpose)
    }

    fn control(&self) -> Option<&Experiment> {
        self.find(&Purpose::Control)
    }

    /// The control's first step, where it came to answer in it.
    fn well(&self) -> Option<&Step> {
        self.control()?.steps.first().filter(|step| step.probe.well > 0)
    }

    /// Why nothing that compares can be judged.
    fn no_control(&self) -> Option<String> {
        if self.well().is_some() {
            return None;
        }
        let Some(control) = self.control() else { return Some("there was no control".to_owned()) };
        let how = match (&control.exit, control.steps.first()) {
            (Some(exit), _) => exit.to_string(),
            (None, Some(step)) => format!(
                "it did not answer in {} ({})",
                seconds(step.ended_ms - step.began_ms),
                step.probe.last_trouble.clone().unwrap_or_else(|| "never asked".to_owned())
            ),
            (None, None) => "it was not started".to_owned(),
        };
        Some(format!(
            "with every dependency played by a mock {how}: is the probe right, and is there a --play that satisfies it?"
        ))
    }

    fn wants_nothing(&self) -> bool {
        self.edges.iter().all(|edge| edge.allowed)
    }

    fn missing(&self) -> impl Iterator<Item = (Play, &Experiment)> {
        self.experiments.iter().filter_map(|experiment| match experiment.purpose {
            Purpose::Missing { play } => Some((play, experiment)),
            _ => None,
        })
    }

    fn named(&self, hardness: Hardness) -> String {
        let names = self.edges.iter().filter(|edge| edge.hardness == hardness && !edge.allowed);
        names.map(|edge| format!("`{}`", edge.name)).collect::<Vec<_>>().join(", ")
    }

    fn s1(&self) -> Told {
        let Some(sealed) = self.find(&Purpose::Missing { play: Play::Vanish }) else {
            return told(Verdict::NotJudged, "no experiment left it alone with its needs");
        };
        let Some(step) = sealed.steps.first() else {
            return told(Verdict::Inconclusive, "it could not be started");
        };
        let wanted = sealed.wanted().fold(Vec::<String>::new(), |mut names, knock| {
            let name = knock.dependency.to_string();
            if !names.contains(&name) {
                names.push(name);
            }
            names
        });
        let evidence = vec![format!("missing-vanish: probe {}; wanted {}", summed(&step.probe), list(&wanted))];
        if let Some(after) = step.probe.first_well_ms {
            let names = if wanted.is_empty() { "nobody".to_owned() } else { list(&wanted) };
            let reason = format!("it answers {} after its start, alone; it wanted to reach {names}", seconds(after));
            return (Verdict::Held, reason, evidence);
        }
        if let Some(why) = self.no_control() {
            return (Verdict::Inconclusive, why, evidence);
        }
        let how = match &sealed.exit {
            Some(exit) => exit.to_string(),
            None => format!("it does not answer in {}", seconds(step.ended_ms - step.began_ms)),
        };
        let culprits = self.named(Hardness::HardAtStart);
        let culprits = if culprits.is_empty() { list(&wanted) } else { culprits };
        (Verdict::Violated, format!("{how}; it cannot start without {culprits}"), evidence)
    }

    fn s2(&self) -> Told {
        if self.wants_nothing() {
            return told(Verdict::NotJudged, "it wanted to reach nobody, so nobody could be missing");
        }
        let (mut evidence, mut against) = (Vec::new(), Vec::new());
        for (play, experiment) in self.missing() {
            let Some(step) = experiment.steps.first() else { continue };
            evidence.push(format!("{}: call {}", experiment.purpose.name(), summed(&step.call)));
            // One that ended after its dependencies were back did not end for want of them.
            if let Some(exit) = experiment.exit.as_ref().filter(|exit| exit.at_ms <= step.ended_ms) {
                against.push(format!("{}: {exit}", play.told()));
            } else if step.call.silent + step.call.broken > 0 && step.call.well + step.call.errors == 0 {
                let bound = seconds(self.bounds.answer_within_ms);
                against.push(format!("{}: no call was answered in {bound}", play.told()));
            }
        }
        if evidence.is_empty() {
            return told(Verdict::NotJudged, "no experiment left its dependencies out");
        }
        let ended_anyway = self.control().is_some_and(|control| control.exit.is_some() && self.well().is_none());
        match self.no_control() {
            Some(why) if !against.is_empty() && ended_anyway => (Verdict::Inconclusive, why, evidence),
            _ if !against.is_empty() => (Verdict::Violated, against.join("; "), evidence),
            _ => {
                let silent =
                    self.missing().filter(|(_, one)| one.steps.iter().take(1).all(|step| !answers(&step.call)));
                let silent = silent.map(|(play, _)| play.told()).collect::<Vec<_>>();
                let reason = if silent.is_empty() {
                    "it stays up and answers, whatever way its dependencies are missing".to_owned()
                } else {
                    format!("it stays up, but listens to nobody while {}", silent.join(", or while "))
                };
                (Verdict::Held, self.by_what(reason), evidence)
            }
        }
    }

    fn s3(&self) -> Told {
        if let Some(told) = self.cannot_heal() {
            return told;
        }
        let (mut evidence, mut against, mut slowest, mut shown) = (Vec::new(), Vec::new(), 0, false);
        for (play, experiment) in self.missing() {
            match healed(experiment) {
                Healed::Never(how) => {
                    evidence.push(format!("{}: {how}", experiment.purpose.name()));
                    against.push(format!("where {}: {how}", play.told()));
                }
                Healed::After { ms, was_harmed } => {
                    evidence.push(format!("{}: a call succeeds {} later", experiment.purpose.name(), seconds(ms)));
                    shown |= was_harmed || self.reached_again(experiment);
                    slowest = slowest.max(ms);
                }
            }
        }
        if !against.is_empty() {
            return (Verdict::Violated, against.join("; "), evidence);
        }
        if !shown {
            return (Verdict::NotJudged, NOTHING_LACKED.to_owned(), evidence);
        }
        let reason =
            format!("calls succeed at most {} after its dependencies appeared, without a restart", seconds(slowest));
        (Verdict::Held, self.by_what(reason), evidence)
    }

    fn s8(&self) -> Told {
        if let Some(told) = self.cannot_heal() {
            return told;
        }
        let Some(experiment) = self.find(&Purpose::Absence) else {
            return told(Verdict::NotJudged, "no absence was tried");
        };
        let length = experiment.steps.first().map_or(0, |step| step.ended_ms - step.began_ms);
        let length = seconds(length);
        let tries = experiment.steps.first().map(|step| {
            let last = step.knocks.iter().filter(|knock| !knock.allowed).map(|knock| knock.last_ms).max();
            last.map_or_else(|| "it never tried".to_owned(), |last| format!("its last try was at {}", seconds(last)))
        });
        let evidence = vec![format!("absence: {}", tries.unwrap_or_default())];
        match healed(experiment) {
            Healed::Never(how) => {
                (Verdict::Violated, format!("after {length} without its dependencies {how}"), evidence)
            }
            Healed::After { was_harmed, .. } if !was_harmed && !self.reached_again(experiment) => {
                (Verdict::NotJudged, NOTHING_LACKED.to_owned(), evidence)
            }
            Healed::After { ms, .. } => {
                let reason = format!("after {length} without its dependencies a call succeeds {} later", seconds(ms));
                (Verdict::Held, self.by_what(reason), evidence)
            }
        }
    }

    /// Why healing cannot be judged.
    fn cannot_heal(&self) -> Option<Told> {
        if self.wants_nothing() {
            return Some(told(Verdict::NotJudged, "it wanted to reach nobody, so nothing had to heal"));
        }
        if let Some(why) = self.no_control() {
            return Some(told(Verdict::Inconclusive, why));
        }
        self.no_call_succeeds().map(|why| told(Verdict::Inconclusive, why))
    }

    /// Whether no call succeeds although everybody is there: then calls say nothing of who is not.
    fn no_call_succeeds(&self) -> Option<String> {
        let calls = &self.well()?.call;
        (calls.well == 0)
            .then(|| format!("with every dependency played by a mock no call succeeds ({})", summed(calls)))
    }

    /// A reason, with what stood for calls where none was given.
    fn by_what(&self, reason: String) -> String {
        if self.bounds.has_call { reason } else { format!("{reason} (by its probe: no --call was given)") }
    }

    /// Whether it went for somebody who had been missing once that one was there. Telemetry is no dependency that it lacks.
    fn reached_again(&self, experiment: &Experiment) -> bool {
        let missed = |name: &str| {
            let before = experiment.steps.first().into_iter().flat_map(|step| &step.knocks);
            before.into_iter().any(|knock| !knock.allowed && knock.dependency.name == name)
        };
        experiment.steps.get(1).is_some_and(|step| {
            step.knocks.iter().any(|knock| {
                let Knock { dependency, allowed, .. } = knock;
                let telemetry = is_telemetry(dependency, &self.bounds.telemetry);
                !allowed && !telemetry && dependency.port > 0 && missed(&dependency.name)
            })
        })
    }

    /// Why the liveness check says nothing: it is as unwell where everybody is there.
    fn liveness_is_no_measure(&self, away: &Asked) -> Option<String> {
        let there = &self.well()?.liveness;
        let all = |asked: &Asked| u64::from(asked.well + asked.unwell());
        // The shares of what was not well, multiplied out.
        let as_often = u64::from(there.unwell()) * all(away) >= u64::from(away.unwell()) * all(there);
        let never = there.is_any() && there.well == 0;
        (never || (there.unwell() > 0 && as_often)).then(|| {
            let how = summed(there);
            format!("its liveness check is not well where everybody is there either ({how}): is --liveness right?")
        })
    }

    fn d6(&self) -> Told {
        if self.wants_nothing() {
            return told(Verdict::NotJudged, "it wanted to reach nobody, so nobody could go away");
        }
        if let Some(why) = self.no_control() {
            return told(Verdict::Inconclusive, why);
        }
        let Some(control) = self.control() else { return told(Verdict::NotJudged, "there was no control") };
        if control.wanted().next().is_none() {
            return told(Verdict::NotJudged, "it wanted to reach nobody, so nobody could go away");
        }
        let Some(away) = control.steps.get(1) else {
            let how = control.exit.as_ref().map(ToString::to_string).unwrap_or_default();
            return told(Verdict::Inconclusive, format!("nothing went away: {how}"));
        };
        let evidence = vec![format!("control: liveness {}, call {}", summed(&away.liveness), summed(&away.call))];
        let length = seconds(away.ended_ms - away.began_ms);
        if let Some(exit) = &control.exit {
            return (Verdict::Violated, format!("when its dependencies went away, {exit}"), evidence);
        }
        let unwell = away.liveness.not_well();
        if let Some(why) = self.liveness_is_no_measure(&away.liveness).filter(|_| unwell > 0) {
            return (Verdict::Inconclusive, why, evidence);
        }
        // One slow check among good ones is a busy machine.
        if unwell > 1 || (unwell == 1 && away.liveness.well < 2) {
            let reason = format!(
                "its liveness check leans on its dependencies: {} while they were away",
                summed(&away.liveness)
            );
            return (Verdict::Violated, reason, evidence);
        }
        let reason = if self.bounds.has_liveness {
            format!("it stays up and its liveness check stays well for {length} without its dependencies")
        } else {
            format!("it stays up for {length} without its dependencies (no --liveness was given)")
        };
        (Verdict::Held, reason, evidence)
    }

    fn d9(&self) -> Told {
        let names: Vec<String> =
            self.edges.iter().filter(|edge| edge.telemetry).map(|edge| edge.name.clone()).collect();
        if names.is_empty() {
            return told(Verdict::NotJudged, "it wanted to reach no telemetry (--telemetry NAME says what is)");
        }
        let (Some(well), None) = (self.well(), self.no_control()) else {
            return told(Verdict::Inconclusive, self.no_control().unwrap_or_default());
        };
        if let Some(why) = self.no_call_succeeds() {
            return told(Verdict::Inconclusive, why);
        }
        let usual = well.call.usual_well_ms();
        let (mut evidence, mut against) = (Vec::new(), Vec::new());
        let held_up_ms = usual * HELD_UP_TIMES + HELD_UP_MS;
        for experiment in self.experiments {
            let (Purpose::Telemetry { play }, Some(step)) = (&experiment.purpose, experiment.steps.first()) else {
                continue;
            };
            let (took, name) = (step.call.usual_well_ms(), experiment.purpose.name());
            evidence.push(format!("{name}: call {}, {took} ms each (usually {usual} ms)", summed(&step.call)));
            let what = list(&names);
            let how = match play {
                Play::Hang => format!("while {what} accepts and says nothing"),
                _ => format!("while packets to {what} vanish"),
            };
            if let Some(exit) = &experiment.exit {
                against.push(format!("{how} {exit}"));
            } else if step.probe.well == 0 {
                against.push(format!("{how} it does not answer in {}", seconds(step.ended_ms - step.began_ms)));
            } else if step.call.well == 0 {
                against.push(format!("{how} no call succeeds"));
            } else if took > held_up_ms {
                against.push(format!("{how} calls take {took} ms instead of {usual} ms"));
            } else if step.call.silent > 1 || (step.call.silent == 1 && step.call.waiting_ms > held_up_ms) {
                against.push(format!("{how} calls succeed at first, and then none is answered"));
            }
        }
        match (evidence.is_empty(), against.is_empty()) {
            (true, _) => told(Verdict::NotJudged, "no experiment took its telemetry away"),
            (_, false) => (Verdict::Violated, against.join("; "), evidence),
            _ => (Verdict::Held, format!("without {} it starts and answers as with it", list(&names)), evidence),
        }
    }
}

/// Why healing is not judged of an image whose calls never failed.
const NOTHING_LACKED: &str =
    "no call lacked anything, and it did not try again either: give a --call that uses what it depends on";

fn answers(asked: &Asked) -> bool {
    asked.well + asked.errors > 0
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
}

enum Healed {
    After { ms: u64, was_harmed: bool },
    Never(String),
}

/// Whether a call succeeds once what was missing is there.
fn healed(experiment: &Experiment) -> Healed {
    let [missing, there, ..] = experiment.steps.as_slice() else {
        let exit = experiment.exit.as_ref();
        return Healed::Never(
            exit.map_or_else(|| "it was not started".to_owned(), |exit| format!("only a restart helps: {exit}")),
        );
    };
    if let (None, Some(exit)) = (there.call.first_well_ms, &experiment.exit) {
        return Healed::Never(format!("only a restart helps: {exit}"));
    }
    match there.call.first_well_ms {
        Some(ms) => Healed::After { ms, was_harmed: missing.call.not_well() > 0 },
        None => Healed::Never(format!(
            "no call succeeds in {} ({})",
            seconds(there.ended_ms - there.began_ms),
            there.call.last_trouble.clone().unwrap_or_default()
        )),
    }
}
