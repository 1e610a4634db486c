//! Owns what the page says in words: the verdict at a glance, invariants, whys, action items, the timeline, and what a
//! reader must know before believing it. Refuses to draw.

use super::Sight;
use crate::actions::Told;
use crate::coe::due;
use crate::fingerprint::{Beside, Related, fingerprints};
use crate::gaps;
use crate::harm;
use crate::moments::Moment;
use crate::policy::Policy;
use crate::record::Record;
use crate::text::{count, html, html_to, length, length_ms, list, moment};
use crate::timeline;
use crate::whys::chains;
use scenarios::event::EventId;
use scenarios::verdict::Verdict;

/// Rows of the timeline at most; `events.jsonl` has all.
const TIMELINE_MAX: usize = 500;

/// The verdict in the reader's words, with a sign that needs no colour.
fn verdict(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Violated => ("Violated", "✕"),
        Verdict::Held => ("Held", "✓"),
        Verdict::Inconclusive => ("Inconclusive", "?"),
        Verdict::NotJudged => ("Not judged", "–"),
    }
}

fn ids(evidence: &[EventId]) -> String {
    if evidence.is_empty() { String::new() } else { format!(" <small class=\"ids\">{}</small>", html(&list(evidence))) }
}

/// Plain text in which what stands between back-ticks is code.
fn spans(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return html(text);
    }
    let mut out = String::new();
    for (index, part) in parts.iter().enumerate() {
        if index % 2 == 1 {
            out.push_str(&format!("<code>{}</code>", html(part)));
        } else {
            // Cleaned text has no white space at its ends.
            let before = if part.starts_with(' ') { " " } else { "" };
            let after = if part.ends_with(' ') { " " } else { "" };
            out.push_str(&format!("{before}{}{after}", html(part)));
        }
    }
    out
}

pub(super) fn header(sight: &Sight<'_>) -> String {
    let record = sight.record;
    let (word, sign) = verdict(record.verdict);
    let mut out = format!(
        "<header>\n<p class=\"eyebrow\">blackstart game day · {} · world {} · seed {} · run {}</p>\n<h1>{}</h1>\n<p class=\"verdict v-{}\"><span aria-hidden=\"true\">{sign}</span> {word}</p>\n<p class=\"lead\">{}</p>\n{}",
        html_to(&record.scenario, 80),
        html_to(&record.world, 40),
        record.seed,
        html_to(&record.run, 60),
        html_to(&record.title, 200),
        record.verdict.word(),
        lead(sight),
        super::assumed::warning(sight)
    );
    out.push_str("<dl class=\"figures\">\n");
    for (name, value, note) in figures(sight) {
        let note = if note.is_empty() { note } else { format!("<small>{note}</small>") };
        out.push_str(&format!("<div><dt>{name}</dt><dd>{value}{note}</dd></div>\n"));
    }
    out.push_str("</dl>\n<nav aria-label=\"Parts of this report\">");
    let parts = [
        ("invariants", "Invariants", true),
        ("instances", "Instances", true),
        ("traffic", "Customers", true),
        ("graph", "Call graph", true),
        ("whys", "Whys", !record.findings.is_empty()),
        ("actions", "Action items", !record.findings.is_empty()),
        ("timeline", "Timeline", true),
        ("assumptions", "Assumptions", record.assumptions.is_some()),
        ("about", "Caveats", true),
    ];
    for (id, name, _) in parts.into_iter().filter(|(.., there)| *there) {
        out.push_str(&format!("<a href=\"#{id}\">{name}</a>"));
    }
    out + "</nav>\n</header>\n"
}

/// One sentence on what happened.
fn lead(sight: &Sight<'_>) -> String {
    let causes: Vec<_> = sight.record.findings.iter().filter(|finding| finding.consequence_of.is_none()).collect();
    match (sight.record.verdict, causes.first()) {
        (Verdict::Violated, Some(first)) => {
            let sure = if first.confirmed { "Confirmed cause" } else { "Suspected cause" };
            let more = causes.len() - 1;
            let more = if more > 0 { format!(" And {more} more below.") } else { String::new() };
            format!("{sure}: {}.{more}", spans(first.text.trim_end_matches('.')))
        }
        (Verdict::Violated, None) => "What must be true was not; no culprit was seen.".to_owned(),
        (Verdict::Held, _) => "Everything that this game day judged was as it must be.".to_owned(),
        (Verdict::Inconclusive | Verdict::NotJudged, _) => {
            let why = sight.record.inconclusive.first().map(|reason| html(&reason.text));
            why.unwrap_or_else(|| "Nothing that was asked for could be judged.".to_owned())
        }
    }
}

fn figures(sight: &Sight<'_>) -> Vec<(&'static str, String, String)> {
    let (record, moments) = (sight.record, &sight.moments);
    let failed = sight.episodes.iter().fold(0_u64, |sum, episode| sum.saturating_add(episode.failed));
    let sent: u64 = record
        .measurements
        .availability
        .values()
        .flat_map(|phases| phases.values())
        .fold(0, |sum, one| sum.saturating_add(one.sent));
    let between = |from: &Option<Moment>, to: &Option<Moment>| match (from, to) {
        (Some(from), Some(to)) if to.t_ns >= from.t_ns => {
            (length(to.t_ns - from.t_ns), format!("{} to {}", from.id, to.id))
        }
        (Some(_), None) => ("not in this run".to_owned(), String::new()),
        (Some(_), Some(_)) => ("–".to_owned(), "it was over before".to_owned()),
        (None, _) => ("–".to_owned(), String::new()),
    };
    let late = harm::promised_latency(record).map_or(0, |(_, us)| {
        harm::late(&sight.by_time, us).values().map(|zone| zone.late).fold(0, u64::saturating_add)
    });
    let (mitigate, mitigated) = match moments.impact {
        None if late > 0 => ("–".to_owned(), "no request failed".to_owned()),
        None => ("–".to_owned(), "no customer was harmed".to_owned()),
        Some(_) => between(&moments.impact, &moments.mitigated),
    };
    let (recover, recovered) = between(&moments.healed, &moments.recovered);
    let slowest = record.measurements.restart_to_active_ms.map_or_else(|| "–".to_owned(), length_ms);
    let mut of_sent = if sent > 0 { format!("of {sent} sent while judged") } else { String::new() };
    if late > 0 {
        of_sent.push_str(&format!("; {late} answered late"));
    }
    vec![
        ("Requests failed", failed.to_string(), of_sent),
        ("Time to mitigate", mitigate, mitigated),
        ("Heal to everybody active", recover, recovered),
        ("Slowest return", slowest, "power-on to active".to_owned()),
        (
            "Acknowledged writes lost",
            record.measurements.lost_acknowledged_writes.to_string(),
            format!("of {}", record.measurements.acknowledged_writes),
        ),
        ("Interventions", record.measurements.interventions.to_string(), "must be 0".to_owned()),
    ]
}

pub(super) fn invariants(sight: &Sight<'_>) -> String {
    let mut out = String::from(
        "<section id=\"invariants\" aria-labelledby=\"h-invariants\">\n<h2 id=\"h-invariants\">Invariants</h2>\n<ul class=\"invariants\">\n",
    );
    for result in &sight.record.invariants {
        let (word, sign) = verdict(result.verdict);
        let aspect = result.aspect.as_ref().map_or_else(String::new, |aspect| format!(" ({})", html_to(aspect, 80)));
        out.push_str(&format!(
            "<li class=\"v-{}\"><strong><span aria-hidden=\"true\">{sign}</span> {}{aspect}</strong> <em>{}</em><br>{}{}</li>\n",
            result.verdict.word(),
            html_to(&result.id, 40),
            word.to_lowercase(),
            spans(&result.reason),
            ids(&result.evidence)
        ));
    }
    out + "</ul>\n</section>\n"
}

pub(super) fn whys(sight: &Sight<'_>) -> String {
    if sight.record.findings.is_empty() {
        return String::new();
    }
    let mut out = String::from("<section id=\"whys\" aria-labelledby=\"h-whys\">\n<h2 id=\"h-whys\">Whys</h2>\n");
    for (finding, whys) in chains(sight.record, &sight.by_time) {
        let sure = if finding.confirmed { "confirmed" } else { "suspected" };
        let known = if finding.known { ", a known gap" } else { "" };
        let service =
            sight.service_of(finding.service.as_str()).map_or(String::new(), |at| format!(" data-s=\"{at}\""));
        out.push_str(&format!(
            "<article><h3{service}>{}: <code>{}</code> <small>{sure}{known}, team {}</small></h3>\n<p>{}</p>\n<ol class=\"chain\">\n",
            html_to(&finding.invariant, 40),
            html_to(finding.service.as_str(), 60),
            html_to(finding.team.as_str(), 60),
            spans(&finding.text)
        ));
        for why in &whys {
            out.push_str(&format!(
                "<li><strong>{}</strong> {}{}</li>\n",
                spans(&why.question),
                spans(&why.answer),
                ids(&why.evidence)
            ));
        }
        out.push_str("</ol>\n<p class=\"muted\">What people know and no event shows, why it was built that way and what let it pass, is left blank in coe.md.</p></article>\n");
    }
    out + "</section>\n"
}

pub(super) fn actions(sight: &Sight<'_>, policy: &Policy) -> String {
    if sight.record.findings.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "<section id=\"actions\" aria-labelledby=\"h-actions\">\n<h2 id=\"h-actions\">Action items</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">change</th><th scope=\"col\">owner</th><th scope=\"col\">priority</th><th scope=\"col\">due</th><th scope=\"col\">done when</th></tr></thead>\n<tbody>\n",
    );
    for finding in &sight.record.findings {
        let (priority, day) = due(sight.record, finding, policy);
        let what =
            finding.setting.as_deref().map_or_else(|| format!("the design of {}", finding.service), str::to_owned);
        out.push_str(&format!(
            "<tr><th scope=\"row\"><code>{}</code></th><td>{}</td><td>{priority}</td><td>{}</td><td>{} is held in <code>{}</code></td></tr>\n",
            html_to(&what, 200),
            html_to(finding.team.as_str(), 60),
            day.map_or_else(|| "to be named".to_owned(), |day| day.to_string()),
            html_to(&finding.invariant, 40),
            html_to(&sight.record.replay, 200)
        ));
    }
    out + "</tbody></table></div>\n</section>\n"
}

pub(super) fn timeline(sight: &Sight<'_>) -> String {
    let rows = timeline::rows(sight.record, sight.events);
    let mut out = String::from(
        "<section id=\"timeline\" aria-labelledby=\"h-timeline\">\n<h2 id=\"h-timeline\">Timeline</h2>\n<div class=\"scroll\"><table class=\"moments\">\n<thead><tr><th scope=\"col\">UTC</th><th scope=\"col\">run time</th><th scope=\"col\">what</th><th scope=\"col\">event</th></tr></thead>\n<tbody>\n",
    );
    for row in rows.iter().take(TIMELINE_MAX) {
        out.push_str(&format!(
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
            html_to(&row.utc, 40),
            moment(row.t_ns),
            html_to(&row.text, 300),
            row.evidence
        ));
    }
    out.push_str("</tbody></table></div>\n");
    if rows.len() > TIMELINE_MAX {
        out.push_str(&format!("<p>{} later rows are in the Markdown page.</p>\n", rows.len() - TIMELINE_MAX));
    }
    out + "</section>\n"
}

pub(super) fn about(sight: &Sight<'_>, beside: &Beside<'_>) -> String {
    let record = sight.record;
    let mut out = String::from(
        "<section id=\"about\" aria-labelledby=\"h-about\">\n<h2 id=\"h-about\">Before you believe it</h2>\n<ul>\n",
    );
    for reason in record.inconclusive.iter().chain(&record.caveats) {
        out.push_str(&format!("<li>{}{}</li>\n", spans(&reason.text), ids(&reason.evidence)));
    }
    for gap in &record.known_gaps {
        out.push_str(&format!(
            "<li>Known gap {} <code>{}</code> of {}: {}.</li>\n",
            html_to(&gap.invariant, 40),
            html_to(gap.service.as_str(), 60),
            html_to(&gap.owner, 60),
            html_to(&gaps::told(gap), 120)
        ));
    }
    for row in record.residue.iter().take(20) {
        out.push_str(&format!(
            "<li>Left behind: {} <code>{}</code></li>\n",
            html_to(&row.object, 40),
            html_to(&row.name, 120)
        ));
    }
    out.push_str(&found_again(record, beside.related));
    for line in beside.actions.iter().flat_map(Told::overdue) {
        out.push_str(&format!("<li>Overdue: {}</li>\n", spans(&line)));
    }
    out.push_str(&format!(
        "<li>{} on {} in the record; {} events were observed.</li>\n<li>Repeat it: <code>{}</code></li>\n</ul>\n",
        count(record.instances.len(), "instance"),
        count(record.hosts.len(), "host"),
        sight.events.len(),
        html(&record.replay)
    ));
    if !record.parameters.is_empty() {
        out.push_str("<details><summary>What the result leans on</summary>\n<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">parameter</th><th scope=\"col\">value</th><th scope=\"col\">origin</th></tr></thead>\n<tbody>\n");
        for (name, parameter) in record.parameters.iter().take(200) {
            let origin = match parameter.origin {
                crate::record::Origin::Measured => "measured",
                crate::record::Origin::Declared => "declared",
                crate::record::Origin::Assumed => "assumed",
            };
            out.push_str(&format!(
                "<tr><th scope=\"row\">{}</th><td>{}</td><td>{origin}</td></tr>\n",
                html_to(name, 80),
                html_to(&parameter.value, 120)
            ));
        }
        out.push_str("</tbody></table></div></details>\n");
    }
    out + "</section>\n"
}

/// Other runs in which a finding of this one was found too; nothing where nobody looked.
fn found_again(record: &Record, related: Option<&[Related]>) -> String {
    let Some(related) = related else { return String::new() };
    let mut out = String::new();
    for print in fingerprints(record) {
        let own: Vec<&Related> = related.iter().filter(|other| other.fingerprint == print).collect();
        let runs: Vec<&str> = own.iter().map(|other| other.run.as_str()).collect();
        let told = match runs.len() {
            0 => "in no other run of the history".to_owned(),
            number => format!("in {}: {}", count(number, "other run"), list(&runs)),
        };
        out.push_str(&format!(
            "<li>Fingerprint <code>{}</code> {}.</li>\n",
            html_to(&print.0, 120),
            html_to(&told, 700)
        ));
    }
    out
}
