//! Owns the report of a build, and the page of the region that was built, as documents. The same record and events give the
//! same bytes. Refuses to say what no event shows.

use super::checks::CheckRow;
use super::{BuildRecord, FlowRow, HandRow, PhaseRow, SoftwareRow, StepRow, Told, leaning, path, told};
use crate::page::{Page, Text};
use crate::text::{count, html, length};
use fixtures::graph::Graph;
use fixtures::name::InstanceName;
use fixtures::regional::Regional;
use scenarios::build::check::Outcome;
use scenarios::build::judge::catalogue;
use scenarios::build::observed::{FlowEnd, ObjectState};
use scenarios::event::Event;
use scenarios::verdict::Verdict;

/// Columns of the picture's bars in Markdown.
const COLUMNS: u64 = 48;
/// Of the picture in a browser, in pixels.
const WIDTH: u64 = 880;
const ROW: u64 = 22;
const LABEL: u64 = 220;
/// Edges over the border told at most.
const FLOWS_MAX: usize = 40;

/// What became of a value, in words.
pub(super) fn object_word(state: ObjectState) -> &'static str {
    match state {
        ObjectState::Copied => "copied, and read back with the same hash",
        ObjectState::Differs => "with another value than before",
        ObjectState::NotCopied => "not copied",
        ObjectState::Kept => "there at the end",
        ObjectState::Lost => "lost",
        ObjectState::Emptied => "taken out of the bootstrap region",
        ObjectState::Marked => "marked for their country, and written in their zone",
    }
}

pub(super) fn end_word(end: FlowEnd) -> &'static str {
    match end {
        FlowEnd::Bootstrap => "bootstrap region",
        FlowEnd::Network => "bootstrap network",
        FlowEnd::Franken => "Franken instance",
        FlowEnd::Proxy => "proxy",
        FlowEnd::Build => "build region",
    }
}

/// A verdict with its colour.
pub(super) fn mark(verdict: Verdict) -> Text {
    let class = match verdict {
        Verdict::Held => "held",
        Verdict::Violated => "violated",
        Verdict::Inconclusive => "inconclusive",
        Verdict::NotJudged => "never",
    };
    Text::new().mark(class, verdict.word())
}

/// The report of a build.
pub fn report(record: &BuildRecord, events: &[Event]) -> Page {
    let told = told(events);
    let mut page = Page::new(format!("The build of {}", record.zone.as_ref().unwrap_or(&record.region)));
    summary(&mut page, record, &told);
    invariants(&mut page, record);
    course(&mut page, &told);
    path::drawn(&mut page, record, &told);
    path::slow(&mut page, record, &told);
    hands(&mut page, record, &told);
    open(&mut page, record);
    leaning::section(&mut page, record, &told, events);
    border(&mut page, &told);
    software(&mut page, &told);
    data(&mut page, &told);
    page.heading("Again");
    page.say(Text::new().code(record.replay.clone()));
    page
}

/// What was built, and beside what.
pub fn what(record: &BuildRecord) -> String {
    match (&record.zone, &record.parent) {
        (Some(zone), Some(parent)) => format!("{zone} into {}, beside {parent}", record.region),
        (Some(zone), None) => format!("{zone} into {}", record.region),
        (None, _) => format!("{} out of {}", record.region, record.bootstrap),
    }
}

/// What such a build is, for somebody who has never seen one.
fn introduction(record: &BuildRecord) -> &'static str {
    match (&record.zone, &record.parent) {
        (Some(_), Some(_)) => {
            "A local zone is built beside a zone of a region that serves customers: a data plane alone, over a link, whose \
             control plane its parent holds. Its names become known to one live zone after the other (peering): never two \
             on one day, and what was changed bakes before the next. Then its hosts are launched; data that is marked for \
             its country is written there and must never leave it; and its game days cut the link, and its power."
        }
        (Some(_), None) => {
            "A zone is built into a region that serves customers. Before its racks land, hosts in another zone stand in for \
             the zonal part of its control plane. Then its names become known to one live zone after the other (peering), \
             its own hosts are launched, and what is regional spreads to it (migration), again one live zone after the \
             other: never two on one day, and what was changed bakes before the next. Harm to customers stops the build \
             and undoes it."
        }
        (None, _) => {
            "A region is built out of another one while that serves customers. Before racks land, hosts in the bootstrap \
             region stand in for it (the bootstrap network); one host, the Franken instance, stands in for names, \
             certificates and software, and proxies for stores. Then everything moves over; an access list refuses what \
             crosses the border between the two, a bake waits for anybody who still tries, and the link is cut."
        }
    }
}

fn summary(page: &mut Page, record: &BuildRecord, told: &Told) {
    let from = told.phases.first().map_or(0, |phase| phase.from_ns);
    let to = told.phases.last().map_or(0, |phase| phase.to_ns);
    let time = if record.world == "sim" { " of virtual time" } else { "" };
    page.say(introduction(record));
    page.say(
        Text::new()
            .strong(what(record))
            .plain(format!(
                ", {} and {} in all, in {}{time}: {}. Verdict: ",
                count(record.services, "service"),
                count(record.instances, "instance"),
                length(to.saturating_sub(from)),
                record.ending,
            ))
            .append(mark(record.verdict))
            .plain("."),
    );
    for reason in &record.inconclusive {
        let evidence = reason.evidence.iter().map(ToString::to_string);
        page.say(Text::told(&reason.text).plain("; seen in ").codes(evidence.collect::<Vec<String>>()));
    }
}

fn invariants(page: &mut Page, record: &BuildRecord) {
    page.heading("Invariants");
    let title = |id: &str| catalogue().iter().find(|entry| entry.id == id).map_or("", |entry| entry.title);
    let row = |result: &scenarios::judgement::InvariantResult| {
        vec![
            Text::new().code(result.id.clone()).plain(format!(" {}", title(&result.id))),
            mark(result.verdict),
            Text::told(&result.reason),
        ]
    };
    page.table(&["invariant", "verdict", "what was seen"], record.invariants.iter().map(row).collect(), "None.");
    page.subheading("Findings");
    let item = |finding: &scenarios::judgement::Finding| {
        let evidence: Vec<String> =
            finding.chain.iter().flat_map(|link| &link.evidence).map(ToString::to_string).collect();
        let setting = finding.setting.clone().unwrap_or_default();
        Text::new()
            .code(finding.invariant.clone())
            .plain(": ")
            .append(Text::told(&finding.text))
            .plain(format!(". Team {}; to change: ", finding.team))
            .code(setting)
            .plain("; seen in ")
            .codes(evidence)
    };
    page.list(record.findings.iter().map(item).collect(), "Nothing was found.");
}

/// Steps come one after the other: all of them are on the critical path. What is not work on it is waiting.
fn course(page: &mut Page, told: &Told) {
    page.heading("Phases, and the critical path");
    page.say(
        Text::new()
            .plain(
                "Each phase follows the one before, so that the path from the first to the last is the critical path; ",
            )
            .code("░")
            .plain(" is time in which a step could not begin because it waited for something from outside, ")
            .code("█")
            .plain(" is work."),
    );
    let (text, svg) = (bars(told), drawing(told));
    page.picture(text, svg);
    let total = span(told).1.max(1);
    let row = |phase: &PhaseRow| {
        let took = phase.to_ns.saturating_sub(phase.from_ns);
        let waited: u64 = phase.steps.iter().map(waited).sum();
        vec![
            phase.phase.word().into(),
            length(phase.from_ns).into(),
            length(took).into(),
            format!("{} %", took * 100 / total).into(),
            if waited == 0 { "–".into() } else { length(waited).into() },
            longest(phase),
        ]
    };
    let head = ["phase", "began", "took", "of all", "waited", "most of it"];
    page.table(&head, told.phases.iter().map(row).collect(), "No phase was begun.");
    let landed = |(zone, at): &(String, u64)| Text::new().code(zone.clone()).plain(format!(" at {}", length(*at)));
    page.subheading("Racks landed");
    page.list(told.landed.iter().map(landed).collect(), "None.");
}

/// The step of a phase that took longest, of how many.
fn longest(phase: &PhaseRow) -> Text {
    let took = |step: &&StepRow| step.to_ns.saturating_sub(step.ready_ns);
    let steps = count(phase.steps.len(), "step");
    match phase.steps.iter().max_by_key(took) {
        Some(step) if phase.steps.len() > 1 => {
            let took = length(took(&step));
            Text::new().code(step.id.clone()).plain(format!(" took {took} (of {steps})"))
        }
        _ => steps.into(),
    }
}

pub(super) fn waited(step: &StepRow) -> u64 {
    if step.waited_for.is_empty() { 0 } else { step.begun_ns.saturating_sub(step.ready_ns) }
}

/// When it began, and how long it took.
pub(super) fn span(told: &Told) -> (u64, u64) {
    let from = told.phases.first().map_or(0, |phase| phase.from_ns);
    let to = told.phases.last().map_or(0, |phase| phase.to_ns);
    (from, to.saturating_sub(from))
}

fn bars(told: &Told) -> String {
    let (from, total) = span(told);
    let column = |at: u64| at.saturating_sub(from) * COLUMNS / total.max(1);
    let mut text = String::new();
    for phase in &told.phases {
        let (begin, end) = (column(phase.from_ns), column(phase.to_ns).max(column(phase.from_ns) + 1));
        let is_wait = |at: u64| {
            let waits = phase.steps.iter().filter(|step| waited(step) > 0);
            waits.into_iter().any(|step| (column(step.ready_ns)..column(step.begun_ns)).contains(&at))
        };
        let bar: String = (0..end)
            .map(|at| match at {
                _ if at < begin => ' ',
                _ if is_wait(at) => '░',
                _ => '█',
            })
            .collect();
        text += &format!("{:<29} {bar} {}\n", phase.phase.word(), length(phase.to_ns.saturating_sub(phase.from_ns)));
    }
    text
}

fn drawing(told: &Told) -> String {
    let (from, total) = span(told);
    let x = |at: u64| LABEL + at.saturating_sub(from) * (WIDTH - LABEL - 80) / total.max(1);
    let height = told.phases.len() as u64 * ROW + 8;
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"Phases of the build over time\" font-size=\"13\">"
    );
    let mut before: Option<(u64, u64)> = None;
    for (number, phase) in (0_u64..).zip(&told.phases) {
        let (y, begin, end) = (number * ROW + 4, x(phase.from_ns), x(phase.to_ns).max(x(phase.from_ns) + 2));
        if let Some((at, above)) = before {
            svg += &format!("<path d=\"M{at} {above}V{}\" stroke=\"currentColor\" fill=\"none\"/>", y + 2);
        }
        svg += &format!("<text x=\"0\" y=\"{}\" fill=\"currentColor\">{}</text>", y + 13, html(phase.phase.word()));
        svg += &format!("<rect x=\"{begin}\" y=\"{y}\" width=\"{}\" height=\"15\" fill=\"#3b7dd8\"/>", end - begin);
        for step in phase.steps.iter().filter(|step| waited(step) > 0) {
            let (left, right) = (x(step.ready_ns), x(step.begun_ns));
            svg += &format!(
                "<rect x=\"{left}\" y=\"{y}\" width=\"{}\" height=\"15\" fill=\"#d9a441\"><title>{}</title></rect>",
                right.saturating_sub(left).max(1),
                html(&step.waited_for)
            );
        }
        let took = length(phase.to_ns.saturating_sub(phase.from_ns));
        svg += &format!("<text x=\"{}\" y=\"{}\" fill=\"currentColor\">{}</text>", end + 6, y + 13, html(&took));
        before = Some((end, y + 15));
    }
    svg + "</svg>"
}

fn hands(page: &mut Page, record: &BuildRecord, told: &Told) {
    page.heading("Tried again, undone, done by hand");
    let steps = || told.phases.iter().flat_map(|phase| &phase.steps);
    let retried = steps().filter(|step| step.attempts > 1 || !step.failed.is_empty());
    let item = |step: &StepRow| {
        let failed = if step.failed.is_empty() { String::new() } else { format!(", and failed: {}", step.failed) };
        let begun =
            if step.attempts == 0 { "not begun".to_owned() } else { format!("begun {}", count(step.attempts, "time")) };
        Text::new().code(step.id.clone()).plain(format!(" was {begun}{failed}"))
    };
    page.list(retried.map(item).collect(), "No step was begun twice.");
    let undone = steps().filter(|step| step.undone).map(|step| Text::new().code(step.id.clone()));
    page.list(undone.collect(), "No step was undone.");
    let hands = if record.by_hand == 0 { "none".to_owned() } else { count(record.by_hand, "act") };
    page.say(Text::new().plain("Steps that needed a hand: ").strong(hands).plain(". The bar for automation is none."));
    let item = |hand: &HandRow| {
        let step = if hand.step.is_empty() { Text::new() } else { Text::new().code(hand.step.clone()).plain(": ") };
        let seen = hand.evidence.to_string();
        step.append(Text::told(&hand.what)).plain(format!(" (team {}; seen in ", hand.team)).code(seen).plain(")")
    };
    if !record.hands.is_empty() {
        page.list(record.hands.iter().map(item).collect(), "None.");
    }
}

/// What earlier builds found and nobody had shown to be gone.
fn open(page: &mut Page, record: &BuildRecord) {
    if record.checks.is_empty() {
        return;
    }
    page.heading("Open from earlier builds");
    page.say("Findings of earlier builds that no build since had shown to be gone, asked for before the phase named.");
    let row = |row: &CheckRow| {
        let (check, finding) = (&row.check, &row.check.finding);
        let outcome = match row.outcome {
            Outcome::Gone => Text::new().mark("held", row.outcome.word()),
            Outcome::FoundAgain => Text::new().mark("violated", row.outcome.word()),
            Outcome::Open => row.outcome.word().into(),
        };
        vec![
            Text::new().code(check.from.clone()),
            Text::new().code(finding.invariant.clone()),
            Text::told(&finding.text),
            finding.team.to_string().into(),
            check.before.word().into(),
            outcome,
        ]
    };
    let head = ["build", "invariant", "what it found", "team", "asked before", "now"];
    page.table(&head, record.checks.iter().map(row).collect(), "None.");
}

fn border(page: &mut Page, told: &Told) {
    page.heading("Who called whom across");
    page.say("Calls that the hand saw over the border, or to what stood in for something, by caller; the most first.");
    let mut flows: Vec<&FlowRow> = told.flows.iter().collect();
    flows.sort_by_key(|flow| std::cmp::Reverse(flow.calls));
    let row = |flow: &&FlowRow| {
        vec![
            Text::new().code(flow.from.to_string()),
            Text::new().code(flow.to.to_string()),
            end_word(flow.end).into(),
            flow.calls.to_string().into(),
            flow.crossed.to_string().into(),
            if flow.refused > 0 { Text::new().mark("violated", flow.refused.to_string()) } else { "0".into() },
        ]
    };
    let head = ["caller", "called", "where", "calls", "over the border", "refused"];
    page.table(&head, flows.iter().take(FLOWS_MAX).map(row).collect(), "Nobody.");
    if flows.len() > FLOWS_MAX {
        let left = count(flows.len() - FLOWS_MAX, "edge");
        page.say(format!(
            "{left} with fewer calls are left out here. The command at the end of this report writes all of them anew, into the \
             events of the build."
        ));
    }
}

/// From whom hosts that began generic have what they run.
fn software(page: &mut Page, told: &Told) {
    page.heading("Software");
    page.say(
        "Hosts that began generic, and what they verified before they ran it: signature, service and zone, version, hash. A copy \
         on a host's own disk is verified at every start, and needs no repository.",
    );
    let row = |(from, row): (&Option<InstanceName>, &SoftwareRow)| {
        let who = from.as_ref().map_or_else(|| "the host's own disk".into(), |name| Text::new().code(name.to_string()));
        let refused = if row.refused > 0 { Text::new().mark("violated", row.refused.to_string()) } else { "0".into() };
        vec![who, row.verified.to_string().into(), refused]
    };
    let rows = told.software.iter().map(row).collect();
    page.table(&["from", "verified", "refused, or damaged"], rows, "No host was seen to fetch any.");
}

fn data(page: &mut Page, told: &Told) {
    page.heading("Data");
    let item = |(word, number): (&&str, &usize)| Text::new().plain(format!("{}: {word}", count(*number, "value")));
    page.list(told.objects.iter().map(item).collect(), "Nothing was copied.");
}

/// The page of a region: where everything is, and whose it is.
pub fn region(regional: &Regional, graph: &Graph) -> Page {
    let mut page = Page::new(format!("Region {}", regional.region));
    page.say("Generated from the region's name and its graph: whoever wants something else changes those.");
    page.heading("Addresses");
    let subnet = |(zone, subnet): (&fixtures::name::ZoneName, &fixtures::regional::network::Subnet)| {
        let bootstrap = regional.network.bootstrap.get(zone).map(ToString::to_string).unwrap_or_default();
        vec![Text::new().code(zone.to_string()), subnet.to_string().into(), bootstrap.into()]
    };
    let rows = regional.network.zones.iter().map(subnet).collect();
    page.say(Text::new().plain("All of it is in ").code(regional.network.block.to_string()).plain("."));
    page.table(&["zone", "subnet", "while it is built"], rows, "It has no zone.");
    page.heading("DNS zones");
    page.list(regional.dns_zones.iter().map(|zone| Text::new().code(zone.clone())).collect(), "None.");
    page.heading("Endpoints");
    let row = |(endpoint, service): (&String, &fixtures::name::ServiceName)| {
        let team = graph.service(service).map(|service| service.team.to_string()).unwrap_or_default();
        let runbook = Text::new().link(service.to_string(), format!("services/{service}.md"));
        vec![Text::new().code(endpoint.clone()), runbook, team.into()]
    };
    page.table(&["endpoint", "service", "team"], regional.endpoints.iter().map(row).collect(), "None.");
    page
}
