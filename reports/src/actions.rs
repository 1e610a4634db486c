//! Owns the life of action items over many runs: open from the run that found something, verified by a later run of the
//! same scenario in which the invariant is held, reopened when it breaks again. Refuses to take anybody's word for it:
//! only runs open and close.

use crate::fingerprint::Fingerprint;
use crate::history::Entry;
use crate::history::list::aligned;
use crate::page::{Page, Text};
use crate::policy::{Date, Policy};
use crate::text::{clean_to, count};
use fixtures::name::TeamName;
use scenarios::verdict::Verdict;
use serde::Serialize;

/// Columns of a long cell in the terminal.
const CELL_COLUMNS: usize = 48;

/// A run, and its day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// Its id.
    pub run: String,
    /// Its day.
    pub day: String,
}

impl Evidence {
    fn of(run: &Entry) -> Self {
        Self { run: run.run.clone(), day: run.day.clone() }
    }

    fn date(&self) -> Option<Date> {
        Date::parse(&self.day)
    }
}

/// Where an action stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It was verified, and broke again.
    Reopened,
    /// No run has shown the success criterion yet.
    Open,
    /// A later run has.
    Verified,
}

impl State {
    /// For people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Reopened => "reopened",
            Self::Open => "open",
            Self::Verified => "verified",
        }
    }
}

/// One thing to mend, over all runs of its scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Action {
    /// By what it is known again.
    pub fingerprint: Fingerprint,
    /// The scenario that tests it.
    pub scenario: String,
    /// The world in which it was found last.
    pub world: String,
    /// The invariant that must be held.
    pub invariant: String,
    /// Who has to act.
    pub team: Option<TeamName>,
    /// What is to be done.
    pub text: String,
    /// What was found, in one sentence.
    pub found: String,
    /// 0, 1 or 2.
    pub priority: u8,
    /// Where it stands.
    pub state: State,
    /// The first run that found it.
    pub first: Evidence,
    /// The run since which it is open (again); of a verified one, the last time it was opened.
    pub opened: Evidence,
    /// The run that showed the success criterion last.
    pub verified: Option<Evidence>,
    /// In how many runs it was found.
    pub times: u64,
    /// Whether a known-gaps file accepts it for now.
    pub known: bool,
    /// The command that tests it again.
    pub replay: String,
}

impl Action {
    /// By when it is due.
    pub fn due(&self, policy: &Policy) -> Option<Date> {
        let days = policy.due_days.get(usize::from(self.priority)).copied()?;
        Some(self.opened.date()?.plus(days))
    }

    /// Days since its last day, where it is not verified and that has passed.
    pub fn overdue(&self, policy: &Policy, today: Date) -> Option<i64> {
        let late = today.since(self.due(policy)?);
        (self.state != State::Verified && late > 0).then_some(late)
    }

    /// Days since it was found first.
    pub fn age(&self, today: Date) -> Option<i64> {
        Some(today.since(self.first.date()?))
    }

    /// What has to be seen.
    pub fn criterion(&self) -> String {
        format!("{} of {} is held", self.invariant, self.scenario)
    }

    fn matches(&self, run: &Entry) -> bool {
        self.scenario == run.scenario
    }

    /// What happens in virtual time may be proved there and in real containers; what happened in real containers only there.
    fn is_proved_in(&self, world: &str) -> bool {
        self.world == world || self.world == "sim"
    }
}

/// The actions that runs opened, the most urgent first: reopened, then open, then verified, each by priority and age.
pub fn actions(runs: &[Entry]) -> Vec<Action> {
    let mut sorted: Vec<&Entry> = runs.iter().filter(|run| run.counts()).collect();
    sorted.sort_by(|a, b| a.run.cmp(&b.run));
    let mut actions: Vec<Action> = Vec::new();
    for run in sorted {
        for action in actions.iter_mut().filter(|action| action.matches(run) && action.is_proved_in(&run.world)) {
            if action.state != State::Verified && run.invariants.get(&action.invariant) == Some(&Verdict::Held) {
                (action.state, action.verified) = (State::Verified, Some(Evidence::of(run)));
            }
        }
        for position in 0..run.findings.len() {
            found(&mut actions, run, position);
        }
    }
    actions.sort_by(|a, b| {
        (a.state, a.priority, &a.opened.run, &a.scenario, &a.fingerprint).cmp(&(
            b.state,
            b.priority,
            &b.opened.run,
            &b.scenario,
            &b.fingerprint,
        ))
    });
    actions
}

fn found(actions: &mut Vec<Action>, run: &Entry, position: usize) {
    let Some(finding) = run.findings.get(position) else { return };
    let known = actions.iter_mut().find(|action| action.matches(run) && action.fingerprint == finding.fingerprint);
    if let Some(action) = known {
        if action.state == State::Verified {
            (action.state, action.opened) = (State::Reopened, Evidence::of(run));
        }
        // Several findings of one run may have one fingerprint.
        let again = run.findings.iter().take(position).any(|other| other.fingerprint == finding.fingerprint);
        action.times += u64::from(!again);
        action.priority = if again { action.priority.min(finding.priority) } else { finding.priority };
        (action.team, action.known, action.world) = (finding.team.clone(), finding.known, run.world.clone());
        (action.found, action.replay) = (finding.text.clone(), run.replay.clone());
        return;
    }
    actions.push(Action {
        fingerprint: finding.fingerprint.clone(),
        scenario: run.scenario.clone(),
        world: run.world.clone(),
        invariant: finding.invariant.clone(),
        team: finding.team.clone(),
        text: to_do(finding),
        found: finding.text.clone(),
        priority: finding.priority,
        state: State::Open,
        first: Evidence::of(run),
        opened: Evidence::of(run),
        verified: None,
        times: 1,
        known: finding.known,
        replay: run.replay.clone(),
    });
}

fn to_do(finding: &crate::history::Found) -> String {
    let invariant = &finding.invariant;
    let Some(service) = &finding.service else { return format!("find what violated {invariant}") };
    let what = finding.setting.clone().unwrap_or_else(|| format!("the design of {service}"));
    match &finding.dependency {
        Some(on) => {
            format!("change {what} so that {service} keeps {invariant} while {on} is away and after it returns")
        }
        None => format!("change {what} so that {service} keeps {invariant}"),
    }
}

/// Heads of a table of actions.
pub(crate) const HEAD: [&str; 8] = ["due", "state", "team", "priority", "action", "tested by", "age", "evidence"];

/// Actions as they are told on a day.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// The actions.
    pub actions: &'a [Action],
    /// By when each is due.
    pub policy: &'a Policy,
    /// The day on which they are told.
    pub today: Date,
}

impl Told<'_> {
    fn cells(&self, action: &Action) -> [String; 8] {
        let due = action.due(self.policy).map_or_else(|| "–".to_owned(), |day| day.to_string());
        let late = action.overdue(self.policy, self.today);
        let due = late.map_or(due.clone(), |days| format!("{due}, {} late", count(days.unsigned_abs(), "day")));
        let known = if action.known { " (known gap)" } else { "" };
        let evidence = match (&action.state, &action.verified) {
            (State::Verified, Some(run)) => format!("held in {}", run.run),
            _ => format!("violated in {}", action.opened.run),
        };
        [
            due,
            format!("{}{known}", action.state.word()),
            action.team.as_ref().map_or_else(|| "–".to_owned(), ToString::to_string),
            format!("P{}", action.priority),
            action.text.clone(),
            action.scenario.clone(),
            action.age(self.today).map_or_else(|| "–".to_owned(), |days| count(days.unsigned_abs(), "day")),
            evidence,
        ]
    }

    /// For a terminal.
    pub fn text(&self) -> String {
        if self.actions.is_empty() {
            return "no action fits\n".to_owned();
        }
        let mut rows: Vec<Vec<String>> = vec![HEAD.iter().map(|name| (*name).to_owned()).collect()];
        for action in self.actions {
            let mut cells = self.cells(action);
            // What is to be done is told at length elsewhere; here a line stays a line.
            cells[4] = action.fingerprint.to_string();
            rows.push(cells.iter().map(|cell| clean_to(cell, CELL_COLUMNS)).collect());
        }
        format!("{}\n{}\n", aligned(&rows).trim_end(), self.sentence())
    }

    /// How many, and how many of them late.
    pub fn sentence(&self) -> String {
        let of = |state| self.actions.iter().filter(|action| action.state == state).count();
        format!(
            "{}: {} open, {} reopened, {} verified; {} overdue",
            count(self.actions.len(), "action"),
            of(State::Open),
            of(State::Reopened),
            of(State::Verified),
            self.actions.iter().filter(|action| action.overdue(self.policy, self.today).is_some()).count()
        )
    }

    /// For programs, as JSON.
    pub fn json(&self) -> String {
        let row = |action: &Action| {
            let mut value = serde_json::to_value(action).unwrap_or_default();
            value["due"] = action.due(self.policy).map(|day| day.to_string()).into();
            value["days_overdue"] = action.overdue(self.policy, self.today).into();
            value["age_days"] = action.age(self.today).into();
            value["criterion"] = action.criterion().into();
            value
        };
        let rows: Vec<serde_json::Value> = self.actions.iter().map(row).collect();
        crate::text::json(&serde_json::json!({ "today": self.today.to_string(), "actions": rows }))
    }

    /// The overdue ones, a sentence each, plain text in which names are between back-ticks; of many the most urgent.
    pub(crate) fn overdue(&self) -> Vec<String> {
        const SHOWN: usize = 10;
        let late = |action: &&Action| action.overdue(self.policy, self.today).is_some();
        let all: Vec<&Action> = self.actions.iter().filter(late).collect();
        let mut lines: Vec<String> = all.iter().take(SHOWN).filter_map(|action| self.overdue_line(action)).collect();
        if all.len() > SHOWN {
            lines.push(format!("and {} more: `blackstart coe actions --overdue`", all.len() - SHOWN));
        }
        lines
    }

    fn overdue_line(&self, action: &Action) -> Option<String> {
        let (days, due) = (action.overdue(self.policy, self.today)?, action.due(self.policy)?);
        let team = action.team.as_ref().map_or_else(|| "of no team".to_owned(), |team| format!("of team `{team}`"));
        let name = |text: &str| clean_to(text, 160).replace('`', "'");
        Some(format!(
            "{} overdue since {due}, P{} {team}: {} ({}, {} in `{}`)",
            count(days.unsigned_abs(), "day"),
            action.priority,
            name(&action.text),
            name(&action.criterion()),
            action.state.word(),
            name(&action.opened.run)
        ))
    }

    /// As rows of a table with [`HEAD`].
    pub(crate) fn rows(&self) -> Vec<Vec<Text>> {
        let row = |action: &Action| {
            let mut row: Vec<Text> = self.cells(action).into_iter().map(Text::from).collect();
            let late = action.overdue(self.policy, self.today).is_some();
            let [due, state, ..] = self.cells(action);
            if late {
                row[0] = Text::new().mark("violated", due);
            }
            row[1] = Text::new().mark(if action.state == State::Verified { "held" } else { "stale" }, state);
            row[5] = Text::new().code(action.scenario.clone());
            row
        };
        self.actions.iter().map(row).collect()
    }

    /// As a page.
    pub fn page(&self) -> Page {
        let mut page = Page::new("Actions of corrections");
        page.say(format!("{}. Told on {}.", self.sentence(), self.today));
        page.table(&HEAD, self.rows(), "No action fits.");
        page
    }
}
