//! Owns `blackstart check`.

use super::print;
use crate::cli::CheckFormat;
use crate::load::{self, BadInput};
use anyhow::Result;
use fixtures::diagnostic::{Diagnostic, Severity, Source};
use fixtures::graph::Graph;
use fixtures::graph::order::{self, Bucket, First, Order};
use std::fmt::Write;

/// Checks files, or everything built in; all problems of all files are told before it ends.
///
/// # Errors
/// [`BadInput`] with every problem.
pub fn run(files: &[String], format: CheckFormat, color: bool) -> Result<u8> {
    let builtin: Vec<String>;
    let files = if files.is_empty() {
        let scenarios = scenarios::builtin::scenario_names();
        let names = scenarios.chain(fixtures::builtin::topology_names()).chain(fixtures::builtin::graph_names());
        builtin = names.map(str::to_owned).collect();
        &builtin
    } else {
        files
    };
    match format {
        CheckFormat::Text => for_people(files, color),
        CheckFormat::Json => for_programs(files, |found, _| reports::sarif::json(found)),
        CheckFormat::Sarif => {
            for_programs(files, |found, sources| reports::sarif::render(found, sources, env!("CARGO_PKG_VERSION")))
        }
    }
}

fn for_people(files: &[String], color: bool) -> Result<u8> {
    let mut problems = String::new();
    let mut fine = 0;
    for file in files {
        match load::check(file, color) {
            Ok(warnings) => {
                fine += 1;
                super::write_err(&warnings);
            }
            Err(bad) => problems += &bad.text,
        }
    }
    if problems.is_empty() {
        print(&format!("{fine} checked, no problem found"))?;
        return Ok(crate::exit::OK);
    }
    Err(BadInput { text: problems }.into())
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
fn for_programs(files: &[String], render: impl Fn(&[Diagnostic], &[Source]) -> String) -> Result<u8> {
    let (mut diagnostics, mut sources) = (Vec::new(), Vec::new());
    for file in files {
        let found = load::diagnose(file);
        for diagnostic in found.diagnostics {
            // Two scenarios of one graph tell of the same graph.
            if !diagnostics.contains(&diagnostic) {
                diagnostics.push(diagnostic);
            }
        }
        sources.extend(found.sources);
    }
    print(&render(&diagnostics, &sources))?;
    let bad = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    Ok(if bad { crate::exit::USAGE } else { crate::exit::OK })
}
