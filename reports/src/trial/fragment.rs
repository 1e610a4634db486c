//! Owns the graph that a trial measured, as a file that `blackstart check` accepts: the service on trial, everybody whom it
//! tried to reach as a service of its own, and each edge as hard as it was seen to be. Refuses to guess what was not seen.

use super::TrialRecord;
use crate::text::clean;
use fixtures::name::{NAME_CHARS_MAX, ServiceName};
use fixtures::write::escaped;
use scenarios::trial::edges::{Edge, Hardness};
use std::collections::BTreeMap;
use std::fmt::Write;

/// A name as services have them: lower-case letters, digits and hyphens. The same text gives the same name.
pub fn service_name(text: &str) -> String {
    let mut name: String = text
        .to_ascii_lowercase()
        .chars()
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' })
        .collect();
    if !name.starts_with(|first: char| first.is_ascii_lowercase()) {
        name = format!("at-{name}");
    }
    name.truncate(NAME_CHARS_MAX);
    let name = name.trim_end_matches('-');
    if ServiceName::new(name).is_ok() { name.to_owned() } else { "service".to_owned() }
}

/// The file.
pub fn render(record: &TrialRecord) -> String {
    let own = service_name(&record.service);
    let names = names(&own, &record.edges);
    let mut out = String::new();
    let mut line = |text: String| writeln!(out, "{text}").unwrap_or_default();
    line(format!(
        "# What `blackstart try` saw {} reach for, and how hard it leans on each: run {}.",
        clean(&record.image),
        record.run
    ));
    line("# Measured: which edges there are, and their hardness. Assumed: teams, scopes, time-outs, what stands behind a name.".to_owned());
    line(format!(
        "name = \"{own}\"\ntitle = \"{} and whom it reaches for, as measured\"",
        escaped(&clean(&record.image))
    ));
    line(format!("entry = {{ service = \"{own}\", operation = \"serve\" }}\n"));
    line(format!("[[services]]\nname = \"{own}\"\nteam = \"unknown\"\nscope = \"regional\"\noperations = [\"serve\"]"));
    for (edge, name) in &names {
        let why = clean(&edge.reason);
        let table = match edge.hardness {
            Hardness::HardAtStart => format!("needs]]\n# hard at start: {why}\nkind = \"{name}\"\nfrom = \"{name}\""),
            Hardness::NotMeasured if edge.allowed => {
                format!("needs]]\n# an allowed need\nkind = \"{name}\"\nfrom = \"{name}\"")
            }
            Hardness::HardAtCall => call(name, "hard at call", "hard", &why),
            Hardness::Soft => call(name, "soft", "soft", &why),
            Hardness::NotMeasured => call(name, "not measured, taken for hard", "hard", &why),
        };
        line(format!("\n[[services.{table}"));
    }
    for (edge, name) in &names {
        let kind = if edge.telemetry { ", telemetry" } else { "" };
        let ports = if edge.ports.is_empty() { "name only".to_owned() } else { edge.ports.join(", ") };
        line(format!("\n# `{}` ({ports}{kind})", clean(&edge.name)));
        line(format!(
            "[[services]]\nname = \"{name}\"\nteam = \"unknown\"\nscope = \"regional\"\noperations = [\"serve\"]"
        ));
    }
    out
}

fn call(to: &str, measured: &str, strength: &str, why: &str) -> String {
    format!("calls]]\n# {measured}: {why}\nto = \"{to}\"\noperation = \"serve\"\nstrength = \"{strength}\"")
}

/// Each dependency's name as a service; two that would have the same one get numbers.
fn names<'e>(own: &str, edges: &'e [Edge]) -> Vec<(&'e Edge, String)> {
    let mut taken: BTreeMap<String, u32> = BTreeMap::from([(own.to_owned(), 1)]);
    let mut named = Vec::new();
    for edge in edges {
        let mut name = service_name(&edge.name);
        while taken.contains_key(&name) {
            let count = taken.entry(name.clone()).and_modify(|count| *count += 1).or_default();
            let end = format!("-{count}");
            name.truncate(NAME_CHARS_MAX - end.len());
            name = format!("{}{end}", name.trim_end_matches('-'));
        }
        taken.insert(name.clone(), 1);
        named.push((edge, name));
    }
    named
}
