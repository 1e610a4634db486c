//! Owns `blackstart check`.

use super::print;
use crate::cli::CheckFormat;
use crate::load::{self, BadInput, Found, StaticFinding};
use anyhow::Result;
use fixtures::diagnostic::{Severity, render};
use fixtures::graph::Graph;
use fixtures::graph::order::{self, Bucket, First, Order};
use reports::gaps::{Accepted, Gap, accept};
use reports::sarif::Row;
use std::fmt::Write;
use std::path::Path;

/// Checks files, or everything built in; all problems and findings of all files are told before it ends.
///
/// # Errors
/// [`BadInput`] with every problem.
pub fn run(files: &[String], gaps: Option<&Path>, format: CheckFormat, color: bool) -> Result<u8> {
    let builtin: Vec<String>;
    let mut ledger = load::gaps(gaps, color)?;
    let files = if files.is_empty() {
        let scenarios = scenarios::builtin::scenario_names();
        let names = scenarios.chain(fixtures::builtin::topology_names()).chain(fixtures::builtin::graph_names());
        builtin = names.map(str::to_owned).collect();
        // What is wrong with them on purpose is known, and written down beside them.
        ledger.extend(load::builtin_gaps());
        &builtin
    } else {
        files
    };
    let mut all = Found { usable: true, ..Found::default() };
    for found in files.iter().map(|file| load::diagnose(file)) {
        all.usable &= found.usable;
        all.unread += &found.unread;
        for diagnostic in found.diagnostics {
            // Two scenarios of one graph tell of the same graph.
            if !all.diagnostics.contains(&diagnostic) {
                all.diagnostics.push(diagnostic);
            }
        }
        for finding in found.findings {
            if !all.findings.contains(&finding) {
                all.findings.push(finding);
            }
        }
        all.sources.extend(found.sources);
        all.graphs.extend(found.graphs);
    }
    match format {
        CheckFormat::Text => for_people(&all, files.len(), &ledger, color),
        CheckFormat::Json => for_programs(&all, &ledger, reports::sarif::json),
        CheckFormat::Sarif => {
            for_programs(&all, &ledger, |rows| reports::sarif::render(rows, &all.sources, env!("CARGO_PKG_VERSION")))
        }
    }
}

/// Findings, each with the entry that accepts it.
type Weighed<'f> = Vec<(&'f StaticFinding, Option<&'f Gap>)>;

/// The findings with what the ledger says of each, and the entries that are no longer true.
fn weigh<'f>(all: &'f Found, ledger: &'f [Gap]) -> (Weighed<'f>, Vec<&'f Gap>) {
    let named: Vec<_> = all.findings.iter().map(|one| (one.graph.as_str(), &one.finding)).collect();
    let Accepted { by, stale } = accept(&named, &all.graphs, ledger, crate::clock::today());
    (all.findings.iter().zip(by).collect(), stale)
}

fn for_people(all: &Found, files: usize, ledger: &[Gap], color: bool) -> Result<u8> {
    let told = render(&all.diagnostics, &all.sources, color);
    if !all.usable {
        let found: Vec<_> = all.findings.iter().map(|one| one.finding.diagnostic.clone()).collect();
        return Err(BadInput { text: told + &all.unread + &render(&found, &all.sources, color) }.into());
    }
    super::write_err(&told);
    let (weighed, stale) = weigh(all, ledger);
    let open: Vec<_> = weighed.iter().filter(|(_, gap)| gap.is_none()).map(|(one, _)| one).collect();
    let found: Vec<_> = open.iter().map(|one| one.finding.diagnostic.clone()).collect();
    let mut text = render(&found, &all.sources, color);
    for (one, gap) in &weighed {
        if let Some(gap) = gap {
            let finding = &one.finding.diagnostic;
            writeln!(
                text,
                "known gap of `{}`, accepted until {} ({}): {}",
                one.graph, gap.until, gap.owner, finding.message
            )?;
        }
    }
    for gap in &stale {
        let (graph, check, service) = (&gap.scenario, &gap.invariant, &gap.service);
        writeln!(
            text,
            "error: {check} of `{service}` in `{graph}` is not found any more: take it out of the known gaps"
        )?;
    }
    let accepted = weighed.len() - open.len();
    text += &match (open.len(), accepted) {
        (0, 0) => format!("{files} checked, no problem found\n"),
        (0, known) => format!("{files} checked, no problem found but {known} known gap(s)\n"),
        (open, _) => format!("{files} checked, {open} finding(s)\n"),
    };
    print(&text)?;
    Ok(if open.is_empty() && stale.is_empty() { crate::exit::OK } else { crate::exit::VIOLATED })
}

/// Prints in which order the services of a graph could be brought up; 1 where some can never start.
///
/// # Errors
/// [`BadInput`] with every problem; a cycle is none here, but the answer.
pub fn order(graph: &str, color: bool) -> Result<u8> {
    let (graph, warnings) = load::graph(graph, color)?;
    super::write_err(&warnings);
    let order = order::order(&graph);
    print(&told(&graph, &order)?)?;
    Ok(if order.cycles.is_empty() { crate::exit::OK } else { crate::exit::VIOLATED })
}

fn told(graph: &Graph, order: &Order) -> Result<String> {
    let mut text = format!("{}: {} services\n\nstart-up cycles: {}\n", graph.name, graph.services.len(), {
        if order.cycles.is_empty() { "none".to_owned() } else { order.cycles.len().to_string() }
    });
    for cycle in &order.cycles {
        let names: Vec<&str> = cycle.iter().map(|name| name.as_str()).collect();
        writeln!(text, "  {}", names.join(" needs "))?;
    }
    text += "must exist first:\n";
    for First { service, needed_by, from_outside } in &order.first {
        let how =
            if *from_outside { "has to come from outside, since it is part of a cycle" } else { "starts by itself" };
        writeln!(text, "  {service} (needed by {needed_by}): {how}")?;
    }
    if order.first.is_empty() {
        text += "  nobody: nothing needs anything to start\n";
    }
    text += "buckets, in which no order is needed, and each of which can become active without the next:\n";
    for (number, Bucket { name, services }) in order.buckets.iter().enumerate() {
        let names: Vec<&str> = services.iter().map(|name| name.as_str()).collect();
        writeln!(text, "  {}. {name} ({}): {}", number + 1, names.len(), names.join(", "))?;
    }
    Ok(text)
}

/// Everything found is the result, on standard output; the exit status says whether anything of it is an error.
fn for_programs(all: &Found, ledger: &[Gap], render: impl Fn(&[Row<'_>]) -> String) -> Result<u8> {
    let nothing = fixtures::diagnostic::Source { name: String::new(), text: String::new() };
    let message = |line: &str| line.strip_prefix("error: ").map(str::to_owned);
    let unread: Vec<_> = all.unread.lines().filter_map(message).collect();
    let unread: Vec<_> = unread
        .into_iter()
        .map(|text| fixtures::diagnostic::Diagnostic::error("unreadable", &nothing, None, text))
        .collect();
    let (weighed, stale) = weigh(all, ledger);
    let stale: Vec<_> = stale
        .into_iter()
        .map(|gap| {
            let text = format!("{} of `{}` in `{}` is not found any more", gap.invariant, gap.service, gap.scenario);
            fixtures::diagnostic::Diagnostic::error("stale-gap", &nothing, None, text)
        })
        .collect();
    let plain = all.diagnostics.iter().chain(&unread).chain(&stale).map(Row::from);
    let checked = weighed.iter().map(|(one, gap)| Row {
        diagnostic: &one.finding.diagnostic,
        finding: Some(&one.finding),
        accepted: gap.map(|gap| gap.reason.as_str()),
    });
    let rows: Vec<Row<'_>> = plain.chain(checked).collect();
    print(&render(&rows))?;
    let bad = all.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    let open = weighed.iter().any(|(_, gap)| gap.is_none());
    Ok(match (bad || !unread.is_empty() || !all.usable, open || !stale.is_empty()) {
        (true, _) => crate::exit::USAGE,
        (false, true) => crate::exit::VIOLATED,
        (false, false) => crate::exit::OK,
    })
}
