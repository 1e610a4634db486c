//! Owns the operational readiness review: a checklist for each service, each question answered by the run that shows it,
//! and the map of what faults met whom where. Refuses to take an answer from a declaration: what no run showed was never
//! tested.
//!
//! - [`questions`]: what is asked
//! - [`coverage`]: service × zone × fault

mod coverage;
mod questions;

pub use coverage::{Cell, Coverage};
pub use questions::{QUESTIONS, Question};

use crate::actions::{State, actions};
use crate::history::gone::{Did, Gone};
use crate::history::hits::Hit;
use crate::history::{Entry, shape};
use crate::page::{Page, Text};
use crate::policy::Date;
use crate::record::{CallRow, NeedRow, ServiceRow};
use crate::text::count;
use fixtures::graph::{Graph, Service, State as Storage, Strength};
use fixtures::name::{ServiceName, ZoneName};
use scenarios::verdict::Verdict;
use std::collections::{BTreeMap, BTreeSet};

/// What the review is of.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The graph as it is now.
    pub graph: &'a Graph,
    /// The zones that are to be covered.
    pub zones: &'a BTreeSet<ZoneName>,
    /// All runs; those of other graphs teach lessons, those of this one answer.
    pub runs: &'a [Entry],
    /// The day of the review.
    pub today: Date,
    /// After so many days what a run showed is stale.
    pub stale_after: u32,
}

/// An answer to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A run shows it.
    Shown(Shown),
    /// A run showed it: too long ago, or of a service that was another then.
    Stale(Shown),
    /// The newest run that could show it shows the contrary.
    Failed(Shown),
    /// No run could have shown it.
    Never,
}

/// The run that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its id.
    pub run: String,
    /// Its day.
    pub day: String,
    /// What it shows beyond that; may be empty.
    pub note: String,
}

impl Answer {
    /// The word, in its colour.
    fn mark(&self) -> Text {
        match self {
            Self::Shown(_) => Text::new().mark("held", "shown"),
            Self::Stale(_) => Text::new().mark("stale", "stale"),
            Self::Failed(_) => Text::new().mark("violated", "failed"),
            Self::Never => Text::new().mark("never", "never tested"),
        }
    }

    fn evidence(&self) -> Text {
        match self {
            Self::Shown(shown) | Self::Stale(shown) | Self::Failed(shown) => {
                let note = if shown.note.is_empty() { String::new() } else { format!(": {}", shown.note) };
                Text::new().code(shown.run.clone()).plain(format!(" ({}){note}", shown.day))
            }
            Self::Never => "–".into(),
        }
    }
}

/// One question with its answer.
struct Row {
    id: String,
    asked: Text,
    answer: Answer,
}

/// A service as the record of a run would have it.
pub fn row_of(service: &Service, graph: &Graph) -> ServiceRow {
    let mut calls: Vec<CallRow> = Vec::new();
    for call in &service.calls {
        match calls.iter_mut().find(|row| row.to == call.to) {
            Some(row) if call.strength == Strength::Hard => row.strength = Strength::Hard,
            Some(_) => {}
            None => calls.push(CallRow { to: call.to.clone(), strength: call.strength }),
        }
    }
    let needs = service.needs.iter().map(|need| NeedRow { need: need.kind.to_string(), from: need.from.clone() });
    ServiceRow {
        name: service.name.clone(),
        team: service.team.clone(),
        scope: service.scope,
        entry: service.name == graph.entry.service,
        needs: needs.collect(),
        calls,
    }
}

/// The services of a graph as the record of a run has them, each edge once.
pub fn rows_of(graph: &Graph) -> Vec<ServiceRow> {
    graph.services.iter().map(|service| row_of(service, graph)).collect()
}

/// What makes answers.
struct Review<'a> {
    subject: Subject<'a>,
    /// Runs of this graph that count, the newest first.
    runs: Vec<&'a Entry>,
    shapes: BTreeMap<ServiceName, String>,
    lessons: Vec<questions::Lesson>,
}

/// The review.
pub fn review(subject: Subject<'_>) -> Page {
    let mut runs: Vec<&Entry> =
        subject.runs.iter().filter(|run| run.counts() && run.graph == subject.graph.name.as_str()).collect();
    runs.sort_by(|a, b| b.run.cmp(&a.run));
    let shapes = rows_of(subject.graph).iter().map(|row| (row.name.clone(), shape(row))).collect();
    let mut all: Vec<Entry> = subject.runs.to_vec();
    all.sort_by(|a, b| a.run.cmp(&b.run));
    let verified: Vec<_> = actions(&all).into_iter().filter(|action| action.state == State::Verified).collect();
    let lessons = questions::lessons(&verified, &all);
    Review { subject, runs, shapes, lessons }.page()
}

impl Review<'_> {
    fn page(&self) -> Page {
        let graph = self.subject.graph;
        let mut page = Page::new(format!("Operational readiness of {}", graph.name));
        page.say(graph.title.clone());
        page.say(format!(
            "{}, {} that count, {} of verified corrections. Told on {}; what was shown more than {} ago is stale, and so is \
             what was shown of a service whose needs or calls were others.",
            count(graph.services.len(), "service"),
            count(self.runs.len(), "run"),
            count(self.lessons.len(), "lesson"),
            self.subject.today,
            count(self.subject.stale_after, "day")
        ));
        let checklists: Vec<(&Service, Vec<Row>)> =
            graph.services.iter().map(|service| (service, self.checklist(service))).collect();
        page.heading("Where it stands");
        let row = |(service, rows): &(&Service, Vec<Row>)| {
            let of = |wanted: fn(&Answer) -> bool| rows.iter().filter(|row| wanted(&row.answer)).count().to_string();
            vec![
                Text::new().code(service.name.to_string()),
                Text::new().code(service.team.to_string()),
                of(|answer| matches!(answer, Answer::Shown(_))).into(),
                of(|answer| matches!(answer, Answer::Failed(_))).into(),
                of(|answer| matches!(answer, Answer::Stale(_))).into(),
                of(|answer| matches!(answer, Answer::Never)).into(),
            ]
        };
        let head = ["service", "team", "shown", "failed", "stale", "never tested"];
        page.table(&head, checklists.iter().map(row).collect(), "The graph has no service.");
        Coverage::new(&self.runs, &self.subject, &self.shapes).draw(&mut page, &self.subject);
        page.heading("Checklists");
        for (service, rows) in checklists {
            page.subheading(Text::new().code(service.name.to_string()).plain(", team ").code(service.team.to_string()));
            let cells = |row: Row| vec![row.id.into(), row.asked, row.answer.mark(), row.answer.evidence()];
            page.table(&["", "question", "answer", "evidence"], rows.into_iter().map(cells).collect(), "");
        }
        page
    }

    fn checklist(&self, service: &Service) -> Vec<Row> {
        let stores = service.state != Storage::None;
        let asked = QUESTIONS.iter().filter(|question| stores || !question.of_stores);
        let mut rows: Vec<Row> = asked
            .map(|question| Row {
                id: question.id.to_owned(),
                asked: question.text.into(),
                answer: self
                    .answer(&service.name, question.invariants, |hit| question.faults.contains(&hit.fault.as_str())),
            })
            .collect();
        rows.extend(self.failure_model(service));
        for lesson in self.lessons.iter().filter(|lesson| !lesson.is_of(self.subject.graph, &service.name)) {
            let answer =
                self.answer(&service.name, &[lesson.invariant.as_str()], |hit| lesson.faults.contains(&hit.fault));
            rows.push(Row { id: "lesson".to_owned(), asked: lesson.asked(), answer });
        }
        rows
    }

    /// What the newest run says that judged one of the invariants while such a fault met the service.
    fn answer(&self, service: &ServiceName, invariants: &[&str], is_meant: impl Fn(&Hit) -> bool) -> Answer {
        for run in &self.runs {
            let met = run.hits.iter().filter(|hit| is_meant(hit) && hit.met(service));
            let zones: BTreeSet<&str> = met.map(|hit| hit.zone.as_str()).collect();
            if zones.is_empty() {
                continue;
            }
            let outcomes: Vec<Outcome> =
                invariants.iter().filter_map(|invariant| outcome(run, service, invariant)).collect();
            let failed = outcomes.iter().find_map(|outcome| match outcome {
                Outcome::Failed(note) => Some(note.clone()),
                Outcome::Held => None,
            });
            let shown = |note: String| Shown { run: run.run.clone(), day: run.day.clone(), note };
            match (failed, outcomes.is_empty()) {
                (Some(note), _) => return Answer::Failed(shown(note)),
                (None, true) => {}
                (None, false) => {
                    let zones = zones.into_iter().collect::<Vec<_>>().join(", ");
                    return self.aged(service, run, shown(format!("in {zones}")));
                }
            }
        }
        Answer::Never
    }

    fn aged(&self, service: &ServiceName, run: &Entry, mut shown: Shown) -> Answer {
        match stale(run, service, &self.subject, &self.shapes) {
            Some(why) => {
                shown.note = if shown.note.is_empty() { why.to_owned() } else { format!("{}; {why}", shown.note) };
                Answer::Stale(shown)
            }
            None => Answer::Shown(shown),
        }
    }

    /// A row for each dependency: what the service does without it, and whether that is what was declared.
    fn failure_model(&self, service: &Service) -> Vec<Row> {
        let row = row_of(service, self.subject.graph);
        let mut rows = Vec::new();
        for need in &row.needs {
            let asked = Text::new().plain("What does it do when it must start without ").code(need.from.to_string());
            let asked = asked.plain(format!(", which grants it {}?", need.need));
            rows.push((asked, need.from.clone(), true, None));
        }
        for call in &row.calls {
            let how = if call.strength == Strength::Hard { "hard" } else { "soft" };
            let asked = Text::new().plain("What does it do while ").code(call.to.to_string());
            rows.push((asked.plain(format!(" is gone? Declared {how}.")), call.to.clone(), false, Some(call.strength)));
        }
        let answered = |(asked, on, at_start, strength)| Row {
            id: "failure model".to_owned(),
            asked,
            answer: self.without(&service.name, &on, at_start, strength),
        };
        rows.into_iter().map(answered).collect()
    }

    fn without(&self, service: &ServiceName, on: &ServiceName, at_start: bool, declared: Option<Strength>) -> Answer {
        let meant = |gone: &&Gone| &gone.service == service && &gone.dependency == on && (gone.at_start || !at_start);
        for run in &self.runs {
            let Some(gone) = run.gone.iter().filter(meant).min_by_key(|gone| gone.others_away) else { continue };
            let others = match gone.others_away {
                0 => String::new(),
                number => format!(", while {number} other dependencies were gone too"),
            };
            let note = format!("{}{others}", gone.did.words());
            let shown = Shown { run: run.run.clone(), day: run.day.clone(), note };
            // With others gone too nobody can say that this one was to blame.
            let broken = gone.others_away == 0
                && match declared {
                    Some(Strength::Soft) => gone.did > Did::Degraded,
                    Some(Strength::Hard) => gone.did > Did::Failed,
                    None => false,
                };
            return if broken { Answer::Failed(shown) } else { self.aged(service, run, shown) };
        }
        Answer::Never
    }
}

/// What a run says of one service and one invariant.
enum Outcome {
    Held,
    Failed(String),
}

/// `None` where the run says nothing: the invariant was not judged, or violated without a culprit.
fn outcome(run: &Entry, service: &ServiceName, invariant: &str) -> Option<Outcome> {
    match run.invariants.get(invariant)? {
        Verdict::Held => Some(Outcome::Held),
        Verdict::Violated => {
            let own = run.findings.iter().filter(|found| found.invariant == invariant);
            let culprits: Vec<&ServiceName> = own.filter_map(|found| found.service.as_ref()).collect();
            let harmed = run.harmed.iter().find(|row| row.invariant == invariant && &row.service == service);
            match harmed {
                Some(row) if row.culprit => Some(Outcome::Failed(format!("{invariant} was violated by it"))),
                Some(_) => {
                    let by: Vec<String> = culprits.iter().map(ToString::to_string).collect();
                    Some(Outcome::Failed(format!("{invariant} was violated; it was held back by {}", by.join(", "))))
                }
                // Others were to blame, and this one was not even held back.
                None if !culprits.is_empty() => Some(Outcome::Held),
                None => None,
            }
        }
        Verdict::Inconclusive | Verdict::NotJudged => None,
    }
}

/// Why what a run showed of a service counts no more.
fn stale(
    run: &Entry,
    service: &ServiceName,
    subject: &Subject<'_>,
    shapes: &BTreeMap<ServiceName, String>,
) -> Option<&'static str> {
    let now = shapes.get(service);
    if run.shapes.get(service).is_some_and(|then| Some(then) != now) {
        return Some("its needs or calls were others then");
    }
    let age = subject.today.since(run.date()?);
    (age > i64::from(subject.stale_after)).then_some("too long ago")
}
