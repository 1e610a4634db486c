//! Owns `blackstart measure`: what a graph does in virtual time when each service starts alone, when power comes back in
//! many orders, and when each of its edges is cut.

use super::print;
use crate::cli::MeasureArgs;
use crate::load;
use crate::measure::alone::{Alone, alone};
use crate::measure::edges::{Edge, edges};
use crate::measure::orders::{Ordered, orders};
use anyhow::Result;
use fixtures::graph::Strength;
use fixtures::name::ServiceName;
use scenarios::verdict::Verdict;
use std::fmt::Write;

/// Services of an order that are named.
const NAMED_MAX: usize = 8;

/// Measures and prints; 1 where a service does not start alone, an order does not converge, or an edge is harder than it
/// is declared.
///
/// # Errors
/// Bad input.
pub fn run(args: &MeasureArgs, color: bool) -> Result<u8> {
    let (graph, warnings) = load::graph(&args.graph, color)?;
    load::images::in_virtual_time(&graph)?;
    super::write_err(&warnings);
    let (alone, orders) = (alone(&graph, args.seed)?, orders(&graph, args.orders, args.seed)?);
    let edges = edges(&graph, args.seed)?;
    let text = format!(
        "{}: {} services, in virtual time, seed {}\n\n{}\n{}\n{}",
        graph.name,
        graph.services.len(),
        args.seed,
        told_alone(&alone)?,
        told_orders(&orders)?,
        told_edges(&edges)?
    );
    print(&text)?;
    let bad = alone.iter().any(|one| one.verdict == Verdict::Violated)
        || orders.iter().any(|one| one.verdict == Verdict::Violated)
        || edges.iter().any(|edge| !edge.harder().is_empty());
    Ok(if bad { crate::exit::VIOLATED } else { crate::exit::OK })
}

fn told_alone(alone: &[Alone]) -> Result<String> {
    let mut text = "each service alone, with its certificate and credential source (S1)\n".to_owned();
    for one in alone {
        let with: Vec<&str> = one.with.iter().map(ServiceName::as_str).collect();
        let with = if with.is_empty() { "nobody".to_owned() } else { with.join(", ") };
        let setting = one.setting.as_ref().map(|setting| format!("; change {setting}")).unwrap_or_default();
        writeln!(text, "  {:<24} {:<12} with {with}{setting}", one.service.as_str(), one.verdict.word())?;
    }
    Ok(text)
}

fn told_orders(orders: &[Ordered]) -> Result<String> {
    let held = orders.iter().filter(|one| one.verdict == Verdict::Held).count();
    let mut text = format!("power back in {} orders: {held} came back whole (S4, S5)\n", orders.len());
    let took = |one: &&Ordered| one.after_last_ms;
    let timed = || orders.iter().filter(|one| one.after_last_ms.is_some());
    for (word, one) in [("best", timed().min_by_key(took)), ("worst", timed().max_by_key(took))] {
        if let Some(one) = one {
            let seconds = one.after_last_ms.unwrap_or_default() as f64 / 1e3;
            writeln!(text, "  {word:<8} {seconds:>5.1} s after the last, {}", named(one))?;
        }
    }
    for one in orders.iter().filter(|one| one.verdict != Verdict::Held) {
        writeln!(text, "  {:<8} {}: {}", one.verdict.word(), named(one), one.reason)?;
    }
    Ok(text)
}

fn named(one: &Ordered) -> String {
    if one.kind == "all at once" {
        return one.kind.to_owned();
    }
    let shown: Vec<&str> = one.services.iter().take(NAMED_MAX).map(ServiceName::as_str).collect();
    let more = one.services.len().saturating_sub(NAMED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}: {}{more}", one.kind, shown.join(", "))
}

fn told_edges(edges: &[Edge]) -> Result<String> {
    let mut text = format!(
        "every edge, declared and measured (D1)\n  {:<24} {:<24} {:<16} {:<8} {:<8}\n",
        "from", "to", "declared", "at call", "at start"
    );
    for edge in edges {
        let call = match edge.call {
            Some(Strength::Hard) => "hard",
            Some(Strength::Soft) => "soft",
            None => "",
        };
        let declared = match (&edge.need, call) {
            (Some(_), "") => "need".to_owned(),
            (Some(_), call) => format!("need, {call}"),
            (None, call) => call.to_owned(),
        };
        let harder = edge.harder();
        let mark = if harder.is_empty() { String::new() } else { format!("  HARDER: {}", harder.join("; ")) };
        writeln!(
            text,
            "  {:<24} {:<24} {declared:<16} {:<8} {:<8}{mark}",
            edge.from.as_str(),
            edge.to.as_str(),
            edge.at_call.word(),
            edge.at_start.word()
        )?;
    }
    Ok(text)
}
