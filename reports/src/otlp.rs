//! Owns a game day as a trace: the run with its phases, rounds and faults as spans, in the JSON of OTLP over HTTP (hexadecimal
//! ids, 64-bit numbers as texts). Refuses to send it.
//!
//! Ids follow from the run's id: the same run gives the same trace, however often it is sent.

use crate::policy::Date;
use crate::record::Record;
use scenarios::event::{Act, Detail, Event, Phase};
use scenarios::measure::word;
use scenarios::plan::Step;
use scenarios::verdict::Verdict;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// `SPAN_KIND_INTERNAL`.
const INTERNAL: u8 = 1;

/// One span; times are nanoseconds of the run.
struct Span {
    /// What its id follows from, unique in the run.
    key: String,
    parent: Option<usize>,
    name: String,
    from_ns: u64,
    to_ns: u64,
    attributes: Vec<Value>,
    events: Vec<Value>,
    /// `Status.code` and message.
    status: Option<(u8, String)>,
}

/// The body of a request to `/v1/traces`.
pub fn traces(record: &Record, events: &[Event]) -> String {
    let base_ns = began_ns(record);
    let spans = spans(record, events, base_ns);
    let trace = format!("{:016x}{:016x}", id(&record.run, "trace, first half"), id(&record.run, "trace, second half"));
    let told: Vec<Value> = spans.iter().map(|span| told(record, &trace, &spans, span, base_ns)).collect();
    let version = record.versions.get("blackstart").map_or("", String::as_str);
    let body = json!({
        "resourceSpans": [{
            "resource": { "attributes": [text("service.name", "blackstart"), text("service.version", version)] },
            "scopeSpans": [{ "scope": { "name": "blackstart", "version": version }, "spans": told }],
        }],
    });
    body.to_string()
}

fn told(record: &Record, trace: &str, spans: &[Span], span: &Span, base_ns: u64) -> Value {
    let moment = |ns: u64| base_ns.saturating_add(ns).to_string();
    let span_id = |span: &Span| format!("{:016x}", id(&record.run, &span.key));
    let mut value = json!({
        "traceId": trace,
        "spanId": span_id(span),
        "name": span.name,
        "kind": INTERNAL,
        "startTimeUnixNano": moment(span.from_ns),
        "endTimeUnixNano": moment(span.to_ns),
        "attributes": span.attributes,
    });
    if let Some(parent) = span.parent.and_then(|at| spans.get(at)) {
        value["parentSpanId"] = Value::from(span_id(parent));
    }
    if !span.events.is_empty() {
        value["events"] = Value::from(span.events.clone());
    }
    if let Some((code, message)) = &span.status {
        value["status"] = json!({ "code": code, "message": message });
    }
    value
}

/// An id that is never zero. FNV-1a: it tells apart, it does not protect.
fn id(run: &str, key: &str) -> u64 {
    let bytes = run.bytes().chain([0]).chain(key.bytes());
    let hash = bytes
        .fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3));
    // Its low bits carry over slowly; collectors sample by them.
    (hash ^ (hash >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9).max(1)
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn number(key: &str, value: usize) -> Value {
    json!({ "key": key, "value": { "intValue": value.to_string() } })
}

fn texts<'a>(key: &str, values: impl IntoIterator<Item = &'a str>) -> Value {
    let values: Vec<Value> = values.into_iter().map(|value| json!({ "stringValue": value })).collect();
    json!({ "key": key, "value": { "arrayValue": { "values": values } } })
}

/// When the run really began, in nanoseconds since 1970: of virtual time the run's id tells.
fn began_ns(record: &Record) -> u64 {
    let by_id = || {
        let clock = record.run.get(9..15)?;
        let part = |at: usize| clock.get(at..at + 2)?.parse::<u64>().ok();
        moment(Date::of_run(&record.run)?, [part(0)?, part(2)?, part(4)?], 0)
    };
    let by_record = || {
        let rest = record.started_utc.get(11..)?.strip_suffix('Z')?;
        let (clock, part) = rest.split_once('.').unwrap_or((rest, "0"));
        let numbers: Vec<u64> = clock.split(':').filter_map(|part| part.parse().ok()).collect();
        let ms = format!("{part:0<3}").get(..3)?.parse().ok()?;
        moment(Date::parse(&record.started_utc)?, numbers.try_into().ok()?, ms)
    };
    if record.world == "sim" { by_id() } else { by_record() }.unwrap_or_default()
}

fn moment(day: Date, [hours, minutes, seconds]: [u64; 3], ms: u64) -> Option<u64> {
    let days = u64::try_from(day.since(Date::parse("1970-01-01")?)).ok()?;
    let seconds = ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
    (seconds * 1000 + ms).checked_mul(1_000_000)
}

/// The run first, then rounds, phases, faults with their injects and heals; parents before their children.
fn spans(record: &Record, events: &[Event], base_ns: u64) -> Vec<Span> {
    let end_ns = events.iter().map(|event| event.t_ns).max().unwrap_or_default();
    let mut spans = vec![root(record, base_ns, end_ns)];
    let mut rounds = BTreeMap::new();
    phases(record, events, end_ns, &mut spans, &mut rounds);
    faults(record, events, end_ns, &mut spans, &mut rounds);
    // An intent comes before the phase that its effect begins: parents reach as far as their children.
    for at in (1..spans.len()).rev() {
        let (from_ns, to_ns) = (spans[at].from_ns, spans[at].to_ns);
        if let Some(parent) = spans[at].parent {
            spans[parent].from_ns = spans[parent].from_ns.min(from_ns);
            spans[parent].to_ns = spans[parent].to_ns.max(to_ns);
        }
    }
    spans
}

fn common(record: &Record) -> Vec<Value> {
    vec![text("blackstart.run", &record.run), text("blackstart.scenario", &record.scenario)]
}

fn root(record: &Record, base_ns: u64, end_ns: u64) -> Span {
    let mut attributes = common(record);
    attributes.extend([
        text("blackstart.world", &record.world),
        text("blackstart.graph", &record.graph),
        // Larger than a signed number of 64 bits may be.
        text("blackstart.seed", &record.seed.to_string()),
        text("blackstart.verdict", record.verdict.word()),
    ]);
    let at = |ns: u64| base_ns.saturating_add(ns).to_string();
    let judged = record.invariants.iter().map(|result| {
        json!({
            "timeUnixNano": at(end_ns),
            "name": "invariant",
            "attributes": [text("blackstart.invariant", &result.id), text("blackstart.verdict", result.verdict.word())],
        })
    });
    let found = record.findings.iter().map(|finding| {
        json!({
            "timeUnixNano": at(end_ns),
            "name": "finding",
            "attributes": [
                text("blackstart.invariant", &finding.invariant),
                text("blackstart.service", finding.service.as_str()),
                text("blackstart.team", finding.team.as_str()),
                text("blackstart.text", &finding.text),
            ],
        })
    });
    let status = match record.verdict {
        Verdict::Held => Some((1, String::new())),
        Verdict::Violated => Some((2, "violated".to_owned())),
        Verdict::Inconclusive | Verdict::NotJudged => None,
    };
    Span {
        key: "run".to_owned(),
        parent: None,
        name: format!("game day {}", record.scenario),
        from_ns: 0,
        to_ns: end_ns,
        attributes,
        events: judged.chain(found).collect(),
        status,
    }
}

/// The span of a round, made where it is asked for first.
fn round(
    record: &Record,
    number_of: usize,
    at_ns: u64,
    spans: &mut Vec<Span>,
    rounds: &mut BTreeMap<usize, usize>,
) -> usize {
    *rounds.entry(number_of).or_insert_with(|| {
        let mut attributes = common(record);
        attributes.push(number("blackstart.round", number_of));
        spans.push(Span {
            key: format!("round {number_of}"),
            parent: Some(0),
            name: format!("round {number_of}"),
            from_ns: at_ns,
            to_ns: at_ns,
            attributes,
            events: Vec::new(),
            status: None,
        });
        spans.len() - 1
    })
}

fn phases(record: &Record, events: &[Event], end_ns: u64, spans: &mut Vec<Span>, rounds: &mut BTreeMap<usize, usize>) {
    let mut begun = Vec::new();
    for event in events {
        if let Detail::Phase { phase, round } = event.detail {
            begun.push((event, phase, round));
        }
    }
    for (at, (event, phase, number_of)) in begun.iter().enumerate() {
        if *phase == Phase::Ended {
            continue;
        }
        let in_round = matches!(phase, Phase::Outage | Phase::PowerOn | Phase::Recovery | Phase::Quiet);
        let parent = if in_round { round(record, *number_of, event.t_ns, spans, rounds) } else { 0 };
        let mut attributes = common(record);
        attributes.extend([text("blackstart.phase", word(*phase)), number("blackstart.round", *number_of)]);
        let next_ns = begun.get(at + 1).map_or(end_ns, |(next, ..)| next.t_ns);
        spans.push(Span {
            key: format!("phase {}", event.id),
            parent: Some(parent),
            name: word(*phase).to_owned(),
            from_ns: event.t_ns,
            to_ns: next_ns.max(event.t_ns),
            attributes,
            events: Vec::new(),
            status: None,
        });
    }
}

/// When an act was about to happen, and when it took effect.
#[derive(Clone, Copy, Default)]
struct Acted {
    intent_ns: Option<u64>,
    done_ns: Option<u64>,
}

impl Acted {
    fn span(self) -> Option<(u64, u64)> {
        let from_ns = self.intent_ns.or(self.done_ns)?;
        Some((from_ns, self.done_ns.unwrap_or(from_ns).max(from_ns)))
    }
}

fn faults(record: &Record, events: &[Event], end_ns: u64, spans: &mut Vec<Span>, rounds: &mut BTreeMap<usize, usize>) {
    let mut acted: BTreeMap<&str, Acted> = BTreeMap::new();
    for event in events {
        match &event.detail {
            Detail::StepIntent { step, .. } => acted.entry(step).or_default().intent_ns = Some(event.t_ns),
            Detail::StepDone { step, .. } => acted.entry(step).or_default().done_ns = Some(event.t_ns),
            _ => {}
        }
    }
    for (number_of, steps) in record.plan.rounds.iter().map(|round| &round.steps).enumerate() {
        for inject in steps.iter().filter(|step| step.act == Act::Inject) {
            let Some((from_ns, done_ns)) = acted.get(inject.id.as_str()).and_then(|acted| acted.span()) else {
                continue;
            };
            let heal = acted.get(inject.pair.as_str()).and_then(|acted| acted.span());
            let healed = acted.get(inject.pair.as_str()).is_some_and(|acted| acted.done_ns.is_some());
            let parent = round(record, number_of, from_ns, spans, rounds);
            let to_ns = heal.filter(|_| healed).map_or(end_ns, |(_, healed_ns)| healed_ns).max(done_ns);
            let span = |key: &str, parent, name: String, from_ns, to_ns| Span {
                key: key.to_owned(),
                parent: Some(parent),
                name,
                from_ns,
                to_ns,
                attributes: aimed(record, inject),
                events: Vec::new(),
                status: None,
            };
            let mut whole =
                span(&format!("fault {}", inject.id), parent, format!("fault {}", inject.fault), from_ns, to_ns);
            whole.attributes.push(json!({ "key": "blackstart.healed", "value": { "boolValue": healed } }));
            spans.push(whole);
            let fault = spans.len() - 1;
            spans.push(span(&inject.id, fault, format!("inject {}", inject.fault), from_ns, done_ns));
            if let Some((from_ns, to_ns)) = heal {
                spans.push(span(&inject.pair, fault, format!("heal {}", inject.fault), from_ns, to_ns));
            }
        }
    }
}

/// What a fault is, and where.
fn aimed(record: &Record, step: &Step) -> Vec<Value> {
    let hosts = record.hosts.iter().filter(|host| step.hosts.contains(&host.name)).map(|host| host.zone.as_str());
    let zones: std::collections::BTreeSet<&str> = hosts.chain(step.zones.iter().map(|zone| zone.as_str())).collect();
    let kind = step.deed.word();
    let mut attributes = common(record);
    attributes.extend([
        text("blackstart.fault", &step.fault),
        text("blackstart.fault.kind", if kind.is_empty() { "power" } else { kind }),
        texts("blackstart.zones", zones),
        number("blackstart.hosts", step.hosts.len()),
    ]);
    attributes
}
