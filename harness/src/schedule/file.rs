//! Owns the schedule file: its keys, and every problem in it at once. Refuses to know which scenarios there are; whoever
//! opens files says so.

mod raw;
mod regions;

pub use regions::{Of, Region};

use super::calendar::{Dates, Recurrence, Weekly, Windows, Zone};
use super::{Condition, Plan, Question, Schedule, Variants, World};
use fixtures::decode::{Located, decode};
use fixtures::diagnostic::{Diagnostic, Source};
use fixtures::nearest::nearest;
use fixtures::unit::Span;
use raw::{Raw, RawCondition, RawDates, RawSchedule, RawWorld};
use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

/// What the most patient services of the built-in game days take, and as much again.
const TAKES_AT_MOST: Duration = Duration::from_secs(30 * 60);
/// A run of another schedule, and a condition that was not well for a while.
const WAITS_AT_MOST: Duration = Duration::from_secs(10 * 60);
/// As often as a collector usually looks.
const EVERY: Duration = Duration::from_secs(15);
/// Long for a health check, short beside `EVERY`.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The shortest time between two questions.
const EVERY_MIN: Duration = Duration::from_secs(1);
/// Names are labels of metrics and parts of addresses.
const NAME_MAX: usize = 63;

/// What a schedule file says.
#[derive(Debug, Clone, PartialEq)]
pub struct File {
    /// What is run when.
    pub plan: Plan,
    /// What a run may take.
    pub budget: Budget,
    /// What is kept.
    pub retention: Retention,
    /// Who is told of the end of each run.
    pub webhook: Option<Webhook>,
    /// Where the phases of runs are sent as traces: the base address of an OTLP/HTTP receiver.
    pub otlp: Option<String>,
    /// The ledger of known gaps that runs are held with.
    pub known_gaps: Option<String>,
    /// Regions that stand between game days.
    pub regions: Vec<Region>,
}

impl Default for File {
    fn default() -> Self {
        let plan = Plan { schedules: Vec::new(), conditions: Vec::new() };
        let (budget, retention) = (Budget::default(), Retention::default());
        Self { plan, budget, retention, webhook: None, otlp: None, known_gaps: None, regions: Vec::new() }
    }
}

/// What a run may take of the engine's machine and of this one. What is absent is not limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Hosts of its region.
    pub hosts: Option<u64>,
    /// Processes of its region: agents and the first process of each host.
    pub processes: Option<u64>,
    /// Memory that its processes are taken to need, in bytes, at [`MEMORY_OF_A_PROCESS`] each.
    pub memory: Option<u64>,
    /// What must be free where runs are kept, in bytes, before one begins.
    pub disk_free: u64,
}

/// Resident memory of an agent, in bytes: the largest of seventy-five that were measured, rounded up.
pub const MEMORY_OF_A_PROCESS: u64 = 8 << 20;

impl Default for Budget {
    fn default() -> Self {
        // A long game day of 72 hosts leaves some 20 MiB; a full disk must not be what ends it.
        Self { hosts: None, processes: None, memory: None, disk_free: 512 << 20 }
    }
}

/// What is kept of past runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// A run's folder is removed after so many days; its line in the history stays.
    pub days: Option<u32>,
    /// At most so many folders, the newest.
    pub runs: Option<u32>,
}

impl Default for Retention {
    fn default() -> Self {
        Self { days: Some(400), runs: None }
    }
}

/// Who is told of the end of each run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Where.
    pub url: String,
    /// The file with the secret that signs what is told.
    pub secret_file: String,
}

/// What a scenario can be turned into, or why it cannot be run at all.
pub type Resolve<'r> = dyn FnMut(&str) -> Result<Variants, String> + 'r;

/// Reads a schedule file.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(source: &Source, resolve: &mut Resolve<'_>) -> Result<File, Vec<Diagnostic>> {
    let (raw, found) = decode::<Raw>(source);
    let mut reader = Reader { source, found, zone: Zone::UTC };
    let raw = raw.unwrap_or_default();
    let file = reader.file(&raw, resolve);
    if reader.found.is_empty() { Ok(file) } else { Err(reader.found) }
}

/// Reads the conditions of a file that says nothing else.
///
/// # Errors
/// Everything that is wrong with it; a file without a condition is.
pub fn conditions(source: &Source) -> Result<Vec<Condition>, Vec<Diagnostic>> {
    let file = load(source, &mut |name| Err(format!("`{name}` is not run from here: this file has conditions alone")))?;
    if !file.plan.schedules.is_empty() || file.plan.conditions.is_empty() {
        let message = "this file has `[[conditions]]`, at least one, and nothing else".to_owned();
        return Err(vec![Diagnostic::error("bad-value", source, None, message)]);
    }
    Ok(file.plan.conditions)
}

/// The schema for editors.
pub fn schema() -> schemars::Schema {
    fixtures::schema::of::<Raw>()
}

struct Reader<'s> {
    source: &'s Source,
    found: Vec<Diagnostic>,
    /// What holds where a schedule names none.
    zone: Zone,
}

impl Reader<'_> {
    fn wrong(&mut self, span: Option<Range<usize>>, message: String, help: &str) {
        let wrong = Diagnostic::error("bad-value", self.source, span, message);
        self.found.push(if help.is_empty() { wrong } else { wrong.with_help(help) });
    }

    fn missing(&mut self, what: &str, key: &str, help: &str) {
        let missing = Diagnostic::error("missing-key", self.source, None, format!("{what} has no `{key}`"));
        self.found.push(missing.with_help(help));
    }

    fn file(&mut self, raw: &Raw, resolve: &mut Resolve<'_>) -> File {
        self.zone = self.zone_of(raw.time_zone.as_ref()).unwrap_or(Zone::UTC);
        let dates: Vec<Dates> = raw.blocked_dates.iter().flatten().filter_map(|raw| self.dates(raw)).collect();
        let conditions = raw.conditions.iter().flatten().filter_map(|raw| self.condition(raw)).collect::<Vec<_>>();
        self.unique("condition", raw.conditions.iter().flatten().map(|raw| raw.name.as_ref()));
        self.unique("schedule", raw.schedules.iter().flatten().map(|raw| raw.name.as_ref()));
        self.unique("region", raw.regions.iter().flatten().map(|raw| raw.name.as_ref()));
        let regions: Vec<Region> = raw.regions.iter().flatten().filter_map(|raw| self.region(raw)).collect();
        let schedules = raw.schedules.iter().flatten();
        let known = (conditions.as_slice(), regions.as_slice());
        let schedules = schedules.filter_map(|raw| self.schedule(raw, known, &dates, resolve)).collect();
        let (budget, retention) = (raw.budget.clone().unwrap_or_default(), raw.retention.clone().unwrap_or_default());
        let usual = (Budget::default(), Retention::default());
        let count = |value: &Option<Located<u32>>| value.as_ref().map(|value| u64::from(*value.get()));
        File {
            plan: Plan { schedules, conditions },
            budget: Budget {
                hosts: count(&budget.hosts),
                processes: count(&budget.processes),
                memory: budget.memory.map(|bytes| bytes.get().0),
                disk_free: budget.disk_free.map_or(usual.0.disk_free, |bytes| bytes.get().0),
            },
            retention: Retention {
                days: retention.days.map(|days| *days.get()).or(usual.1.days),
                runs: retention.runs.map(|runs| *runs.get()),
            },
            webhook: raw.webhook.as_ref().and_then(|raw| {
                let (url, secret) = (raw.url.as_ref(), raw.secret_file.as_ref());
                if url.is_none() || secret.is_none() {
                    self.missing("`webhook`", "url` or `secret-file", "a webhook has both: what is told is signed");
                }
                let url = self.url(url?)?;
                Some(Webhook { url, secret_file: secret?.get().clone() })
            }),
            otlp: raw.otlp.as_ref().and_then(|url| self.url(url)),
            known_gaps: raw.known_gaps.as_ref().map(|path| path.get().clone()),
            regions,
        }
    }

    fn schedule(
        &mut self,
        raw: &RawSchedule,
        (conditions, regions): (&[Condition], &[Region]),
        dates: &[Dates],
        resolve: &mut Resolve<'_>,
    ) -> Option<Schedule> {
        let name = self.name("a schedule", raw.name.as_ref());
        let what = name.as_ref().map_or_else(|| "a schedule".to_owned(), |name| format!("schedule `{name}`"));
        let zone = raw.time_zone.as_ref().map_or(Some(self.zone), |zone| self.zone_of(Some(zone)));
        let due = self.due(raw.cron.as_ref(), &what, zone.unwrap_or(Zone::UTC));
        let windows = Windows {
            zone: zone.unwrap_or(Zone::UTC),
            allowed: self.weekly(raw.allowed.as_ref()),
            blocked: self.weekly(raw.blocked.as_ref()),
            dates: dates.to_vec(),
        };
        let scenarios = self.scenarios(raw, &what, resolve);
        let takes_at_most = span(raw.takes_at_most.as_ref(), TAKES_AT_MOST);
        let named = raw.conditions.as_ref();
        let conditions = match named {
            None => (0..conditions.len()).collect(),
            Some(named) => named.iter().filter_map(|name| self.named(name, conditions)).collect(),
        };
        let region = self.named_region(raw.region.as_ref(), regions);
        if let (Some(_), Some(RawWorld::Sim)) = (&region, raw.world.as_ref().map(Located::get)) {
            let help = "a region stands on an engine; leave out `world`, or `region`";
            self.wrong(
                raw.region.as_ref().map(Located::span),
                format!("{what} is held in virtual time, and in a region"),
                help,
            );
        }
        Some(Schedule {
            region,
            name: name?,
            due: due?,
            jitter: span(raw.jitter.as_ref(), Duration::ZERO),
            windows,
            scenarios,
            world: raw.world.as_ref().map_or(World::Docker, |world| match world.get() {
                RawWorld::Docker => World::Docker,
                RawWorld::Sim => World::Sim,
            }),
            takes_at_most,
            waits_at_most: span(raw.waits_at_most.as_ref(), WAITS_AT_MOST),
            missed_within: span(raw.missed_within.as_ref(), Duration::ZERO),
            conditions,
        })
    }

    fn scenarios(&mut self, raw: &RawSchedule, what: &str, resolve: &mut Resolve<'_>) -> Vec<Variants> {
        let named = raw.scenarios.as_deref().unwrap_or_default();
        if named.is_empty() {
            self.missing(what, "scenarios", "names of built-in scenarios (`blackstart list`), or files");
        }
        let turns = raw.every_zone.as_ref().is_none_or(|every| *every.get());
        let mut all = Vec::new();
        for name in named {
            match resolve(name.get()) {
                Ok(variants) if turns => all.push(variants),
                Ok(variants) => all.push(Variants { turns: variants.turns.into_iter().take(1).collect(), ..variants }),
                Err(why) => {
                    let (what, help) = why.split_once("\nhelp: ").unwrap_or((&why, ""));
                    self.wrong(Some(name.span()), what.to_owned(), help);
                }
            }
        }
        all
    }

    fn due(&mut self, cron: Option<&Located<String>>, what: &str, zone: Zone) -> Option<Recurrence> {
        let help = "five fields: minute, hour, day of the month, month, day of the week; such as \"0 10 * * TUE\"";
        let Some(cron) = cron else {
            self.missing(what, "cron", help);
            return None;
        };
        match Recurrence::parse(cron.get(), zone) {
            Ok(due) => Some(due),
            Err(why) => {
                self.wrong(Some(cron.span()), format!("`{}` is no cron expression: {why}", cron.get()), help);
                None
            }
        }
    }

    fn weekly(&mut self, texts: Option<&Vec<Located<String>>>) -> Vec<Weekly> {
        let mut all = Vec::new();
        for text in texts.into_iter().flatten() {
            match Weekly::parse(text.get()) {
                Some(weekly) => all.push(weekly),
                None => {
                    let help = "days and hours, such as \"Mon-Fri 09:00-17:00\", \"Sat,Sun 10:00-12:00\" or \"daily 22:00-04:00\"";
                    self.wrong(Some(text.span()), format!("`{}` is no window of the week", text.get()), help);
                }
            }
        }
        all
    }

    fn dates(&mut self, raw: &RawDates) -> Option<Dates> {
        let help =
            "blocked dates have `from`, `to` (both such as \"2026-12-24\", the first not after the last) and `reason`";
        let text = |value: &Option<Located<String>>| value.as_ref().map(|value| value.get().clone());
        let (Some(from), Some(reason)) = (text(&raw.from), text(&raw.reason)) else {
            self.missing("`blocked-dates`", "from` or `reason", help);
            return None;
        };
        let to = text(&raw.to).unwrap_or_else(|| from.clone());
        let dates = Dates::new(&from, &to, &reason);
        if dates.is_none() {
            let span = raw.from.as_ref().map(Located::span);
            self.wrong(span, format!("`{from}` to `{to}` are no days in a row"), help);
        }
        dates
    }

    fn condition(&mut self, raw: &RawCondition) -> Option<Condition> {
        let name = self.name("a condition", raw.name.as_ref());
        let what = name.as_ref().map_or_else(|| "a condition".to_owned(), |name| format!("condition `{name}`"));
        let question = self.question(raw, &what);
        let every = span(raw.every.as_ref(), EVERY);
        if every < EVERY_MIN {
            let at = raw.every.as_ref().map(Located::span);
            self.wrong(at, format!("{what} is asked more than once in {}", Span(EVERY_MIN)), "a longer `every`");
        }
        Some(Condition {
            name: name?,
            question: question?,
            well_for: span(raw.well_for.as_ref(), Duration::ZERO),
            every,
            timeout: span(raw.timeout.as_ref(), TIMEOUT),
        })
    }

    fn question(&mut self, raw: &RawCondition, what: &str) -> Option<Question> {
        let help = "either `http` (an address that answers 200 to 299), or `prometheus` (a server), `query`, and `below` or `above`";
        let limit = |value: &Option<Located<f64>>| value.as_ref().map(|value| *value.get());
        match (&raw.http, &raw.prometheus, &raw.query) {
            (Some(http), None, None) => Some(Question::Http { url: self.url(http)? }),
            (None, Some(server), Some(query)) => {
                let (below, above) = (limit(&raw.below), limit(&raw.above));
                if below.is_none() && above.is_none() {
                    self.missing(what, "below` or `above", "what the values of the query must be below, or above");
                }
                Some(Question::Prometheus { url: self.url(server)?, query: query.get().clone(), below, above })
            }
            _ => {
                self.missing(what, "http` or `prometheus` with `query", help);
                None
            }
        }
    }

    fn named(&mut self, name: &Located<String>, conditions: &[Condition]) -> Option<usize> {
        let place = conditions.iter().position(|condition| condition.name == *name.get());
        if place.is_none() {
            let names = conditions.iter().map(|condition| condition.name.as_str());
            let help = nearest(name.get(), names).map(|name| format!("did you mean `{name}`?"));
            let message = format!("there is no condition `{}`", name.get());
            self.wrong(
                Some(name.span()),
                message,
                &help.unwrap_or_else(|| "each is a `[[conditions]]` of this file".to_owned()),
            );
        }
        place
    }

    fn name(&mut self, what: &str, name: Option<&Located<String>>) -> Option<String> {
        let help = "a name is made of small letters, digits and hyphens, such as `weekly-zone`";
        let Some(name) = name else {
            self.missing(what, "name", help);
            return None;
        };
        let text = name.get();
        let is_label = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if text.is_empty() || text.len() > NAME_MAX || !text.bytes().all(is_label) {
            self.wrong(Some(name.span()), format!("`{text}` is no name"), help);
            return None;
        }
        Some(text.clone())
    }

    fn unique<'n>(&mut self, what: &str, names: impl Iterator<Item = Option<&'n Located<String>>>) {
        let mut seen = BTreeSet::new();
        for name in names.flatten() {
            if !seen.insert(name.get()) {
                self.wrong(
                    Some(name.span()),
                    format!("another {what} is named `{}` too", name.get()),
                    "names are told apart",
                );
            }
        }
    }

    fn zone_of(&mut self, name: Option<&Located<String>>) -> Option<Zone> {
        let name = name?;
        let zone = Zone::parse(name.get());
        if zone.is_none() {
            let help = nearest(name.get(), Zone::names()).map(|name| format!("did you mean `{name}`?"));
            let help =
                help.unwrap_or_else(|| "a name of the IANA database, such as \"Europe/Dublin\" or \"UTC\"".to_owned());
            self.wrong(Some(name.span()), format!("there is no time zone `{}`", name.get()), &help);
        }
        zone
    }

    fn url(&mut self, url: &Located<String>) -> Option<String> {
        let text = url.get();
        let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
        let host = rest.map(|rest| rest.split(['/', '?']).next().unwrap_or_default()).unwrap_or_default();
        if host.is_empty() || host.contains('@') || text.contains(char::is_whitespace) {
            self.wrong(
                Some(url.span()),
                format!("`{text}` is no address"),
                "such as \"http://127.0.0.1:9090\", without a name or a password",
            );
            return None;
        }
        Some(text.trim_end_matches('/').to_owned())
    }
}

fn span(value: Option<&Located<Span>>, usual: Duration) -> Duration {
    value.map_or(usual, |value| value.get().0)
}
