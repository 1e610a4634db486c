//! Owns a page for each service of a graph: what it offers, needs and calls, who calls it, who owns it, and what it was
//! seen to do when each dependency was gone. The same graph and the same runs give the same bytes. Refuses to know today,
//! and to say "as measured" of what no run showed.

use crate::actions::{Action, State, actions};
use crate::history::Entry;
use crate::history::gone::{Did, Gone};
use crate::history::list::mark;
use crate::orr::rows_of;
use crate::page::{Arrow, Diagram, Page, Text};
use crate::record::ServiceRow;
use crate::text::{count, length_ms};
use fixtures::graph::{
    Acknowledge, Attempts, Backoff, Call, Graph, Health, Need, Plane, Routing, Scope, Service, State as Storage,
    Strength, WhenMissing,
};
use fixtures::name::ServiceName;
use fixtures::unit::Span;
use std::collections::BTreeSet;

/// Runs that a page tells of one service.
const RUNS_MAX: usize = 8;

/// Services in one picture; a larger graph is told as a table alone.
const DRAWN_MAX: usize = 60;

/// What pages are written from.
struct Sight<'a> {
    graph: &'a Graph,
    rows: Vec<ServiceRow>,
    /// Runs on this graph that count, the newest first.
    runs: Vec<&'a Entry>,
    actions: Vec<Action>,
}

/// The pages by the name of their file: `README.md`, and one for each service.
pub fn pages(graph: &Graph, runs: &[Entry]) -> Vec<(String, Page)> {
    let mut own: Vec<&Entry> = runs.iter().filter(|run| run.counts() && run.graph == graph.name.as_str()).collect();
    own.sort_by(|a, b| b.run.cmp(&a.run));
    // Runs on another graph may verify what was found on this one: its repaired twin.
    let mut actions = actions(runs);
    actions.retain(|action| own.iter().any(|run| run.run == action.opened.run));
    let sight = Sight { graph, rows: rows_of(graph), actions, runs: own };
    let mut pages = vec![("README.md".to_owned(), sight.index())];
    pages.extend(graph.services.iter().map(|service| (file(&service.name), sight.service(service))));
    pages
}

fn file(service: &ServiceName) -> String {
    // A service may be called `readme`, and file systems exist that know no case.
    if service.as_str() == "readme" { "service-readme.md".to_owned() } else { format!("{service}.md") }
}

fn link(service: &ServiceName) -> Text {
    Text::new().link(service.to_string(), file(service))
}

fn links<'a>(services: impl IntoIterator<Item = &'a ServiceName>) -> Text {
    let mut text = Text::new();
    let all: BTreeSet<&ServiceName> = services.into_iter().collect();
    for (position, service) in all.iter().enumerate() {
        text = if position > 0 { text.plain(", ") } else { text }.append(link(service));
    }
    if all.is_empty() { "–".into() } else { text }
}

fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::Zonal => "zonal: an independent copy in each zone, which calls only its own zone's copies",
        Scope::Regional => "regional: one service spread over the zones",
        Scope::Global => "global: one in the partition",
    }
}

fn storage(service: &Service) -> &'static str {
    match (service.state, service.acknowledge) {
        (Storage::None, _) => "nothing",
        (Storage::Memory, _) => "in memory, gone with the process",
        (Storage::Disk, Acknowledge::AfterSync) => {
            "in a file on its host; writes are acknowledged after they are synced"
        }
        (Storage::Disk, Acknowledge::BeforeSync) => {
            "in a file on its host; writes are acknowledged before they are synced"
        }
        (Storage::Replicated, _) => "spread over zones with a quorum",
        (Storage::Queue, _) => "a durable queue",
        (Storage::Cache, _) => "a cache in front of a store",
    }
}

fn span(duration: std::time::Duration) -> String {
    Span(duration).to_string()
}

fn backoff(backoff: &Backoff) -> String {
    let jitter = if backoff.jitter { "with jitter" } else { "without jitter" };
    format!("{} to {}, {jitter}", span(backoff.base), span(backoff.cap))
}

impl Sight<'_> {
    fn row(&self, service: &ServiceName) -> Option<&ServiceRow> {
        self.rows.iter().find(|row| &row.name == service)
    }

    /// Who needs or calls a service.
    fn callers(&self, service: &ServiceName) -> Vec<&ServiceRow> {
        let leans = |row: &&ServiceRow| {
            row.needs.iter().any(|need| &need.from == service) || row.calls.iter().any(|call| &call.to == service)
        };
        self.rows.iter().filter(leans).collect()
    }

    fn index(&self) -> Page {
        let graph = self.graph;
        let mut page = Page::new(format!("Services of {}", graph.name));
        page.say(graph.title.clone());
        page.say(
            Text::new()
                .plain("Customers call ")
                .append(link(&graph.entry.service))
                .plain(", operation ")
                .code(graph.entry.operation.to_string()),
        );
        page.say(match self.runs.first() {
            Some(newest) => Text::new()
                .plain(format!("As measured in {}, the newest of them ", count(self.runs.len(), "run")))
                .code(newest.run.clone())
                .plain("."),
            None => "No run was held on this graph: everything here is as declared.".into(),
        });
        if graph.services.len() <= DRAWN_MAX {
            page.diagram(self.diagram(&graph.services.iter().map(|one| &one.name).collect::<Vec<_>>(), None));
        }
        let row = |service: &Service| {
            let callers = self.callers(&service.name).len();
            vec![
                link(&service.name),
                Text::new().code(service.team.to_string()),
                scope(service.scope).split(':').next().unwrap_or_default().into(),
                service.needs.len().to_string().into(),
                service.calls.len().to_string().into(),
                callers.to_string().into(),
            ]
        };
        page.heading("Services");
        let head = ["service", "team", "scope", "needs", "calls", "callers"];
        page.table(&head, graph.services.iter().map(row).collect(), "The graph has no service.");
        page
    }

    /// Boxes for these services with every edge among them; for one's own page only those that begin or end there.
    fn diagram(&self, services: &[&ServiceName], own: Option<&ServiceName>) -> Diagram {
        let place = |name: &ServiceName| services.iter().position(|other| *other == name);
        let meant = |from: &ServiceName, to: &ServiceName| own.is_none_or(|own| from == own || to == own);
        let mut arrows = Vec::new();
        for row in &self.rows {
            let Some(from) = place(&row.name) else { continue };
            for need in row.needs.iter().filter(|need| meant(&row.name, &need.from)) {
                arrows.extend(place(&need.from).map(|to| (from, to, Arrow::Need)));
            }
            for call in row.calls.iter().filter(|call| meant(&row.name, &call.to)) {
                let how = if call.strength == Strength::Hard { Arrow::Hard } else { Arrow::Soft };
                arrows.extend(place(&call.to).map(|to| (from, to, how)));
            }
        }
        arrows.sort_unstable();
        arrows.dedup();
        Diagram { boxes: services.iter().map(ToString::to_string).collect(), arrows, own: own.and_then(place) }
    }

    fn service(&self, service: &Service) -> Page {
        let mut page = Page::new(service.name.to_string());
        page.say(
            Text::new()
                .plain("Owned by team ")
                .code(service.team.to_string())
                .plain(". ")
                .link("All services", "README.md"),
        );
        self.facts(&mut page, service);
        let callers = self.callers(&service.name);
        let mut around: BTreeSet<&ServiceName> = callers.iter().map(|row| &row.name).collect();
        if let Some(row) = self.row(&service.name) {
            around.extend(row.needs.iter().map(|need| &need.from).chain(row.calls.iter().map(|call| &call.to)));
        }
        around.insert(&service.name);
        page.heading("Who leans on whom");
        if around.len() <= DRAWN_MAX {
            let around: Vec<&ServiceName> = around.into_iter().collect();
            page.diagram(self.diagram(&around, Some(&service.name)));
        }
        page.say(Text::new().plain("Called or needed by: ").append(links(callers.iter().map(|row| &row.name))));
        Self::needs(&mut page, service);
        Self::calls(&mut page, service);
        self.without(&mut page, service);
        self.measured(&mut page, service);
        page
    }

    fn facts(&self, page: &mut Page, service: &Service) {
        let plane = match service.plane {
            Plane::Control => "control plane",
            Plane::Data => "data plane",
        };
        let capacity = service.capacity.map_or_else(
            || "more than any test sends".to_owned(),
            |rate| format!("{rate} an instance, and {} wait at most", count(service.queue, "request")),
        );
        let health = match service.health {
            Health::Shallow => "ready when it serves itself",
            Health::Deep => "ready only when its hard dependencies answer too",
        };
        let entry = if self.graph.entry.service == service.name { "yes" } else { "no" };
        let fact = |name: &str, value: String| vec![Text::from(name), Text::from(value)];
        page.table(
            &["", ""],
            vec![
                fact("scope", scope(service.scope).to_owned()),
                fact("plane", plane.to_owned()),
                fact("instances in each zone", service.instances_per_zone.to_string()),
                fact("called by customers", entry.to_owned()),
                fact("capacity", capacity),
                fact("work of one request", span(service.work)),
                fact("remembers", storage(service).to_owned()),
                fact("health check", health.to_owned()),
            ],
            "",
        );
        page.heading("Endpoints");
        let mut items: Vec<Text> =
            service.operations.iter().map(|operation| Text::new().code(format!("POST /work/{operation}"))).collect();
        let own = self.rows.iter().flat_map(|row| &row.needs).filter(|need| need.from == service.name);
        let granted: BTreeSet<&String> = own.map(|need| &need.need).collect();
        items.extend(granted.into_iter().map(|need| Text::new().code(format!("GET /need/{need}"))));
        items.push(Text::new().code("GET /readyz").plain(", ").code("GET /livez").plain(", ").code("GET /metrics"));
        page.list(items, "");
    }

    fn needs(page: &mut Page, service: &Service) {
        page.heading("Needs, before it can serve");
        let row = |need: &Need| {
            let attempts = match need.attempts {
                Attempts::Unlimited => "asks for ever".to_owned(),
                Attempts::AtMost(limit) => format!("gives up after {limit}"),
            };
            let missing = match need.when_missing {
                WhenMissing::Wait => "stays up and asks again",
                WhenMissing::Exit => "exits, and is started again by its host",
            };
            vec![
                Text::new().code(need.kind.to_string()),
                link(&need.from),
                attempts.into(),
                missing.into(),
                span(need.timeout).into(),
                backoff(&need.backoff).into(),
            ]
        };
        let head = ["need", "from", "attempts", "while missing", "timeout", "pause"];
        page.table(&head, service.needs.iter().map(row).collect(), "Nothing.");
    }

    fn calls(page: &mut Page, service: &Service) {
        page.heading("Calls, while it serves");
        let row = |call: &Call| {
            let strength = if call.strength == Strength::Hard { "hard" } else { "soft" };
            let routing = match call.routing {
                Routing::ZoneFirst => "own zone first",
                Routing::Spread => "all alike",
            };
            let breaker = call.breaker.map_or_else(
                || "none".to_owned(),
                |breaker| format!("opens after {}, for {}", breaker.failures, span(breaker.open_for)),
            );
            let writes = if call.carries_writes { "yes" } else { "no" };
            vec![
                link(&call.to),
                Text::new().code(call.operation.to_string()),
                Text::new().codes(call.during.iter().map(ToString::to_string)),
                strength.into(),
                span(call.timeout).into(),
                call.attempts.to_string().into(),
                breaker.into(),
                routing.into(),
                writes.into(),
            ]
        };
        let head = ["to", "operation", "during", "declared", "timeout", "attempts", "breaker", "routing", "writes"];
        page.table(&head, service.calls.iter().map(row).collect(), "Nobody.");
    }

    /// What the newest run shows of the service without this dependency, where least else was gone.
    fn sight(&self, service: &ServiceName, on: &ServiceName, at_start: bool) -> Option<(&Entry, &Gone)> {
        let meant = |gone: &&Gone| &gone.service == service && &gone.dependency == on && gone.at_start == at_start;
        let all = self.runs.iter().filter_map(|run| Some((*run, run.gone.iter().find(meant)?)));
        // The runs are sorted, the newest first: of equals the first one is taken.
        all.min_by_key(|(_, gone)| gone.others_away)
    }

    fn without(&self, page: &mut Page, service: &Service) {
        page.heading("When a dependency is gone");
        let Some(row) = self.row(&service.name) else { return };
        let mut declared: Vec<(&ServiceName, String)> =
            row.needs.iter().map(|need| (&need.from, "a need".to_owned())).collect();
        for call in &row.calls {
            let how = if call.strength == Strength::Hard { "hard call" } else { "soft call" };
            match declared.iter_mut().find(|(on, _)| *on == &call.to) {
                Some((_, known)) => *known = format!("{known}, {how}"),
                None => declared.push((&call.to, how.to_owned())),
            }
        }
        let told = |on: &ServiceName, at_start: bool| match self.sight(&service.name, on, at_start) {
            Some((run, gone)) => {
                let class = match gone.did {
                    Did::Unharmed | Did::Degraded => "held",
                    Did::Failed | Did::Silent => "violated",
                };
                let others = match gone.others_away {
                    0 => String::new(),
                    number => format!(" with {number} others gone too"),
                };
                Text::new().mark(class, gone.did.words()).plain(format!("{others} (")).code(run.run.clone()).plain(")")
            }
            None => Text::new().mark("never", "never tested"),
        };
        let row =
            |(on, how): &(&ServiceName, String)| vec![link(on), how.clone().into(), told(on, true), told(on, false)];
        let head = ["gone", "declared", "when it starts meanwhile", "when it was serving"];
        page.table(&head, declared.iter().map(row).collect(), "It has none.");
    }

    fn measured(&self, page: &mut Page, service: &Service) {
        page.heading("As measured");
        let name = &service.name;
        let took: Vec<f64> = self.runs.iter().filter_map(|run| run.returns_ms.get(name)).copied().collect();
        let mut sorted = took.clone();
        sorted.sort_by(f64::total_cmp);
        if let (Some(middle), Some(slowest)) = (crate::history::rank::median(&sorted), sorted.last()) {
            page.say(format!(
                "From power to active, its slowest instance: {} in the middle of {}, {} at most.",
                length_ms(middle),
                count(took.len(), "run"),
                length_ms(*slowest)
            ));
        }
        let row = |run: &&Entry| {
            let met = run.hits.iter().filter(|hit| hit.met(name));
            let met: BTreeSet<String> = met.map(|hit| format!("{} in {}", hit.fault, hit.zone)).collect();
            if met.is_empty() {
                return None;
            }
            let harmed = run.harmed.iter().filter(|row| &row.service == name);
            let harmed: BTreeSet<String> = harmed
                .map(|row| format!("{} {}", row.invariant, if row.culprit { "by it" } else { "held back" }))
                .collect();
            let took = run.returns_ms.get(name).map_or_else(|| "–".to_owned(), |ms| length_ms(*ms));
            let harmed =
                if harmed.is_empty() { "–".to_owned() } else { harmed.into_iter().collect::<Vec<_>>().join(", ") };
            let met = met.into_iter().collect::<Vec<_>>().join(", ");
            Some(vec![Text::new().code(run.run.clone()), mark(run.verdict), met.into(), took.into(), harmed.into()])
        };
        let rows: Vec<Vec<Text>> = self.runs.iter().filter_map(row).take(RUNS_MAX).collect();
        let head = ["run", "verdict of the run", "faults that met it", "return", "violated there"];
        page.table(&head, rows, "No run's fault met it: nothing is measured.");
        page.heading("Actions");
        let own = format!(" {name} ");
        let item = |action: &&Action| {
            let state = if action.state == State::Verified { "held" } else { "stale" };
            Text::new()
                .mark(state, action.state.word())
                .plain(" ")
                .code(action.fingerprint.to_string())
                .plain(format!(": {} (", action.text))
                .code(action.opened.run.clone())
                .plain(")")
        };
        let mine = self.actions.iter().filter(|action| action.fingerprint.0.contains(&own));
        page.list(mine.collect::<Vec<_>>().iter().map(item).collect(), "None.");
    }
}
