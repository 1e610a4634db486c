//! Owns the weekly operations review: what the week's runs say together, for a meeting of all teams. Refuses to choose by
//! taste: what is to be discussed is chosen by what was lost and by what is new, and the reason is told.

use crate::actions::{Action, HEAD, State, Told, actions};
use crate::fingerprint::Fingerprint;
use crate::history::list::mark;
use crate::history::trend::trends;
use crate::history::{Entry, Found, list};
use crate::page::{Page, Text};
use crate::policy::{Date, Policy};
use crate::text::{count, length_ms, share};
use crate::week::Week;
use fixtures::name::{ServiceName, TeamName};
use scenarios::verdict::Verdict;
use std::collections::{BTreeMap, BTreeSet};

/// Corrections that one meeting can discuss.
const DISCUSSED_MAX: usize = 2;

/// What the week leaves.
struct Sight<'a> {
    week: Week,
    policy: &'a Policy,
    today: Date,
    /// Runs of the week, by time.
    runs: Vec<&'a Entry>,
    /// Runs up to its end, by time.
    known: Vec<Entry>,
    actions: Vec<Action>,
    /// The first run of each fingerprint.
    first: BTreeMap<Fingerprint, (String, Option<Date>)>,
}

/// The review of a week, from all runs. What happened after its end is not in it, and the day of the review is today or
/// the day after the week, whichever is earlier, so that an old week's review stays what it was.
pub fn review(runs: &[Entry], week: Week, policy: &Policy, today: Date) -> Page {
    let up_to = |run: &&Entry| run.date().is_some_and(|day| day <= week.last());
    let mut known: Vec<Entry> = runs.iter().filter(up_to).cloned().collect();
    known.sort_by(|a, b| a.run.cmp(&b.run));
    let own = |run: &&Entry| run.date().is_some_and(|day| week.has(day));
    let mut own: Vec<&Entry> = runs.iter().filter(own).collect();
    own.sort_by(|a, b| a.run.cmp(&b.run));
    let mut first = BTreeMap::new();
    for run in known.iter().filter(|run| run.counts()) {
        for found in &run.findings {
            first.entry(found.fingerprint.clone()).or_insert_with(|| (run.run.clone(), run.date()));
        }
    }
    let actions = actions(&known);
    let sight = Sight { week, policy, today: today.min(week.last().plus(1)), runs: own, known, actions, first };
    sight.page()
}

/// A fingerprint of the week with where it was found.
struct Seen<'a> {
    found: &'a Found,
    runs: Vec<&'a Entry>,
}

impl Sight<'_> {
    fn page(&self) -> Page {
        let mut page = Page::new(format!("Operations review {}", self.week));
        page.say(format!("Game days from {} to {}; told on {}.", self.week.first(), self.week.last(), self.today));
        self.glance(&mut page);
        self.discussion(&mut page);
        self.found(&mut page);
        self.blockers(&mut page);
        self.overdue(&mut page);
        self.changed(&mut page);
        self.verdicts(&mut page);
        let scenarios: BTreeSet<(&str, &str)> =
            self.runs.iter().map(|run| (run.scenario.as_str(), run.world.as_str())).collect();
        let own: Vec<_> = trends(&self.known);
        let own: Vec<_> = own.into_iter().filter(|trend| scenarios.contains(&(trend.scenario, trend.world))).collect();
        list::draw(&mut page, &own);
        page
    }

    fn is_new(&self, fingerprint: &Fingerprint) -> bool {
        self.first.get(fingerprint).and_then(|(_, day)| *day).is_some_and(|day| self.week.has(day))
    }

    fn late(&self) -> Vec<Action> {
        let late = |action: &&Action| action.overdue(self.policy, self.today).is_some();
        self.actions.iter().filter(late).cloned().collect()
    }

    /// Fingerprints of the week, causes only, each once; the most urgent first.
    fn seen(&self) -> Vec<Seen<'_>> {
        let mut seen: BTreeMap<&Fingerprint, Seen<'_>> = BTreeMap::new();
        for run in self.runs.iter().filter(|run| run.counts()) {
            for found in run.findings.iter().filter(|found| !found.follows) {
                let row = seen.entry(&found.fingerprint).or_insert(Seen { found, runs: Vec::new() });
                if row.runs.last().is_none_or(|last| last.run != run.run) {
                    row.runs.push(run);
                }
            }
        }
        let mut rows: Vec<Seen<'_>> = seen.into_values().collect();
        rows.sort_by_key(|row| (row.found.priority, row.found.fingerprint.clone()));
        rows
    }

    fn glance(&self, page: &mut Page) {
        let of = |runs: &[&Entry], wanted: Verdict| runs.iter().filter(|run| run.verdict == wanted).count();
        let unsure = |runs: &[&Entry]| of(runs, Verdict::Inconclusive) + of(runs, Verdict::NotJudged);
        let told = |runs: &[&Entry]| {
            let (held, violated) = (of(runs, Verdict::Held), of(runs, Verdict::Violated));
            format!("{}: {held} held, {violated} violated, {} inconclusive", count(runs.len(), "run"), unsure(runs))
        };
        let before = self.week.before();
        let earlier: Vec<&Entry> =
            self.known.iter().filter(|run| run.date().is_some_and(|day| before.has(day))).collect();
        let new = self.seen().iter().filter(|row| self.is_new(&row.found.fingerprint)).count();
        let again = self.seen().len() - new;
        page.heading("At a glance");
        page.list(
            vec![
                Text::new().strong(format!("{}.", told(&self.runs))),
                format!("The week before: {}.", told(&earlier)).into(),
                format!("{} new, {again} recurring.", count(new, "finding")).into(),
                format!("{} overdue.", count(self.late().len(), "action")).into(),
            ],
            "",
        );
    }

    /// One or two corrections, by what was lost and what is new; two of one cause would be one discussion.
    fn discussion(&self, page: &mut Page) {
        let mut all: Vec<&&Entry> = self.runs.iter().filter(|run| run.verdict == Verdict::Violated).collect();
        all.sort_by_key(|run| std::cmp::Reverse(self.weight(run)));
        let mut chosen: Vec<&Entry> = Vec::new();
        for run in all {
            let prints =
                |run: &Entry| run.findings.iter().map(|found| found.fingerprint.clone()).collect::<BTreeSet<_>>();
            if chosen.len() < DISCUSSED_MAX && chosen.iter().all(|other| prints(other).is_disjoint(&prints(run))) {
                chosen.push(run);
            }
        }
        page.heading("To discuss");
        let item = |run: &&Entry| {
            Text::new()
                .strong(run.title.clone())
                .plain(" (")
                .code(format!("{}/coe.html", run.run))
                .plain(format!("): {}.", self.reason(run)))
        };
        page.list(
            chosen.iter().map(item).collect(),
            "Nothing was violated this week: no correction is to be discussed.",
        );
    }

    /// Data lost weighs more than anything, then what nobody knew, then requests lost in thousandths.
    fn weight(&self, run: &Entry) -> (u64, usize, u64, String) {
        let figures = &run.figures;
        let causes = run.findings.iter().filter(|found| !found.follows && !found.known);
        let new = causes.filter(|found| self.is_new(&found.fingerprint)).count();
        let lost = figures.lost.saturating_mul(1000).checked_div(figures.sent).unwrap_or(0);
        (figures.lost_writes, new, lost, run.run.clone())
    }

    fn reason(&self, run: &Entry) -> String {
        let figures = &run.figures;
        let mut reasons = Vec::new();
        if figures.lost_writes > 0 {
            reasons.push(format!("{} were lost", count(figures.lost_writes, "acknowledged write")));
        }
        let (_, new, _, _) = self.weight(run);
        if new > 0 {
            reasons.push(format!("{} new", count(new, "finding")));
        }
        if figures.lost > 0 {
            reasons.push(format!("{} of {} requests were not answered", figures.lost, figures.sent));
        }
        if figures.never_back > 0 {
            reasons.push(format!("{} never came back", count(figures.never_back, "instance")));
        }
        let again =
            self.actions.iter().filter(|action| action.state == State::Reopened && action.opened.run == run.run);
        reasons.extend(again.map(|action| format!("{} had been verified and broke again", action.fingerprint)));
        if reasons.is_empty() { "it was violated".to_owned() } else { reasons.join("; ") }
    }

    fn found(&self, page: &mut Page) {
        let (new, again): (Vec<Seen<'_>>, Vec<Seen<'_>>) =
            self.seen().into_iter().partition(|row| self.is_new(&row.found.fingerprint));
        page.heading("New findings");
        let row = |seen: &Seen<'_>| {
            vec![
                Text::new().code(seen.found.fingerprint.to_string()),
                team(seen.found.team.as_ref()),
                Text::told(&seen.found.text),
                runs(&seen.runs),
            ]
        };
        let head = ["finding", "team", "what was seen", "runs"];
        page.table(&head, new.iter().map(row).collect(), "No finding is new.");
        page.heading("Recurring findings");
        let row = |seen: &Seen<'_>| {
            let first = self.first.get(&seen.found.fingerprint).and_then(|(_, day)| *day);
            let of_all = |run: &&Entry| run.findings.iter().any(|found| found.fingerprint == seen.found.fingerprint);
            let times = self.known.iter().filter(of_all).count();
            vec![
                Text::new().code(seen.found.fingerprint.to_string()),
                team(seen.found.team.as_ref()),
                first.map_or_else(|| "–".to_owned(), |day| day.to_string()).into(),
                times.to_string().into(),
                runs(&seen.runs),
            ]
        };
        let head = ["finding", "team", "first found", "times in all", "runs of the week"];
        page.table(&head, again.iter().map(row).collect(), "Nothing was found again.");
    }

    /// The same cause in several services of several teams: mended once, by whoever owns what they lean on.
    fn blockers(&self, page: &mut Page) {
        page.heading("Blockers that several teams share");
        let due = self.week.last().plus(self.policy.due_days[1]);
        let row = |blocker: &Blocker| {
            let owner = blocker.owner();
            let text = format!("mend it once for all: {}", blocker.what());
            vec![
                Text::new().strong(blocker.cause.clone()),
                Text::new().codes(&blocker.services),
                Text::new().codes(&blocker.teams),
                text.into(),
                owner.map_or_else(|| "–".into(), |team| Text::new().code(team.to_string())),
                due.to_string().into(),
            ]
        };
        let head = ["cause", "services", "teams", "proposed central action", "owner", "due"];
        let rows = blockers(&self.open_findings()).iter().map(row).collect();
        page.table(&head, rows, "No open finding has its cause in common with one of another team.");
    }

    /// The last sight of everything that is open at the end of the week.
    fn open_findings(&self) -> Vec<&Found> {
        let open: BTreeSet<(&str, &Fingerprint)> = self
            .actions
            .iter()
            .filter(|action| action.state != State::Verified)
            .map(|action| (action.scenario.as_str(), &action.fingerprint))
            .collect();
        let mut last: BTreeMap<&Fingerprint, &Found> = BTreeMap::new();
        for run in self.known.iter().filter(|run| run.counts()) {
            let own = run.findings.iter().filter(|found| open.contains(&(run.scenario.as_str(), &found.fingerprint)));
            last.extend(own.map(|found| (&found.fingerprint, found)));
        }
        last.into_values().collect()
    }

    fn overdue(&self, page: &mut Page) {
        page.heading("Actions overdue");
        let late = self.late();
        let told = Told { actions: &late, policy: self.policy, today: self.today };
        page.table(&HEAD, told.rows(), "No action is overdue.");
    }

    /// Actions that the week's runs verified or reopened.
    fn changed(&self, page: &mut Page) {
        page.heading("Verified and reopened");
        let own = |run: Option<&str>| run.is_some_and(|run| self.runs.iter().any(|own| own.run == run));
        let item = |action: &Action| {
            let verified = action.verified.as_ref().map(|run| run.run.as_str());
            let (state, word, run) = match action.state {
                State::Verified if own(verified) => ("held", "verified", verified?),
                State::Reopened if own(Some(&action.opened.run)) => {
                    ("violated", "reopened", action.opened.run.as_str())
                }
                _ => return None,
            };
            let text = Text::new().mark(state, word).plain(" ").code(action.fingerprint.to_string()).plain(" by ");
            Some(text.code(run).plain(format!(": {}", action.text)))
        };
        page.list(self.actions.iter().filter_map(item).collect(), "No action was verified or reopened.");
    }

    fn verdicts(&self, page: &mut Page) {
        page.heading("Runs and verdicts");
        let mut groups: BTreeMap<(&str, &str), Vec<&Entry>> = BTreeMap::new();
        for run in &self.runs {
            groups.entry((&run.scenario, &run.world)).or_default().push(run);
        }
        let row = |((scenario, world), runs): ((&str, &str), Vec<&Entry>)| {
            let slowest = runs.iter().filter_map(|run| run.figures.slowest_ms).reduce(f64::max);
            let lowest = runs.iter().filter_map(|run| run.figures.lowest_share).reduce(f64::min);
            let mut verdicts = Text::new();
            for (position, run) in runs.iter().enumerate() {
                verdicts = if position > 0 { verdicts.plain(" ") } else { verdicts }.append(mark(run.verdict));
            }
            vec![
                Text::new().code(scenario),
                Text::new().code(world),
                runs.len().to_string().into(),
                verdicts,
                slowest.map_or_else(|| "–".to_owned(), length_ms).into(),
                share(lowest).into(),
                runs.iter().map(|run| run.figures.lost_writes).sum::<u64>().to_string().into(),
            ]
        };
        let head = ["scenario", "world", "runs", "verdicts", "slowest return", "lowest share", "writes lost"];
        page.table(&head, groups.into_iter().map(row).collect(), "No game day was held this week.");
    }
}

fn team(team: Option<&TeamName>) -> Text {
    team.map_or_else(|| "–".into(), |team| Text::new().code(team.to_string()))
}

fn runs(runs: &[&Entry]) -> Text {
    let shown = Text::new().codes(runs.iter().take(4).map(|run| &run.run));
    if runs.len() > 4 { shown.plain(format!(" and {} more", runs.len() - 4)) } else { shown }
}

/// One cause in several services.
struct Blocker {
    cause: String,
    services: BTreeSet<ServiceName>,
    teams: BTreeSet<TeamName>,
    /// The team of what they lean on.
    leaned_on: Option<TeamName>,
    /// How many findings each team has of it.
    share: BTreeMap<TeamName, u64>,
}

impl Blocker {
    /// One owner: whoever owns what all lean on; without such a one, the team with most of it.
    fn owner(&self) -> Option<&TeamName> {
        let most = || self.share.iter().max_by_key(|(team, number)| (**number, std::cmp::Reverse((*team).clone())));
        self.leaned_on.as_ref().or_else(|| most().map(|(team, _)| team))
    }

    fn what(&self) -> String {
        format!("{}, in {} of {}", self.cause, count(self.services.len(), "service"), count(self.teams.len(), "team"))
    }
}

/// Causes that services of more than one team have in common, the widest first.
fn blockers(open: &[&Found]) -> Vec<Blocker> {
    let mut all: BTreeMap<String, Blocker> = BTreeMap::new();
    for found in open {
        let (Some(service), Some(team), Some(cause)) = (&found.service, &found.team, cause(found)) else { continue };
        let new = || Blocker {
            cause: cause.clone(),
            services: BTreeSet::new(),
            teams: BTreeSet::new(),
            leaned_on: found.dependency_team.clone(),
            share: BTreeMap::new(),
        };
        let blocker = all.entry(cause.clone()).or_insert_with(new);
        blocker.services.insert(service.clone());
        blocker.teams.insert(team.clone());
        *blocker.share.entry(team.clone()).or_default() += 1;
    }
    let mut shared: Vec<Blocker> =
        all.into_values().filter(|one| one.services.len() > 1 && one.teams.len() > 1).collect();
    shared.sort_by_key(|one| (std::cmp::Reverse(one.services.len()), one.cause.clone()));
    shared
}

/// What findings of several services have in common: what they lean on, and how; without a dependency the setting.
fn cause(found: &Found) -> Option<String> {
    let setting = found.setting.as_deref().map(|setting| {
        let own = found.service.as_ref().map(|service| format!("services.{service}."));
        own.and_then(|own| setting.strip_prefix(&own).map(str::to_owned)).unwrap_or_else(|| setting.to_owned())
    });
    let how = setting.as_deref().and_then(|setting| setting.split('.').next()).unwrap_or("calls");
    match (&found.dependency, &setting) {
        (Some(on), _) if how == "needs" => Some(format!("{on} is needed at start")),
        (Some(on), _) => Some(format!("{on} is called without an answer to its absence")),
        (None, Some(setting)) => Some(format!("the setting {setting}")),
        (None, None) => None,
    }
}
