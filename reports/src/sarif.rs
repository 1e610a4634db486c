//! Owns SARIF 2.1.0 and JSON of static findings, as code scanning reads them. Refuses to check anything itself.

use crate::text::clean;
use fixtures::diagnostic::{Diagnostic, Severity, Source};
use fixtures::statics::Finding;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Where the format's own schema lives.
const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// One thing found.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// Where and what.
    pub diagnostic: &'a Diagnostic,
    /// Of a static check: its id, the service, the setting.
    pub finding: Option<&'a Finding>,
    /// Why it is accepted, where a ledger of known gaps says so.
    pub accepted: Option<&'a str>,
}

impl<'a> From<&'a Diagnostic> for Row<'a> {
    fn from(diagnostic: &'a Diagnostic) -> Self {
        Self { diagnostic, finding: None, accepted: None }
    }
}

/// What a kind of finding is about, for those kinds that a person meets; others stand for themselves.
fn about(code: &str) -> String {
    let known = match code {
        "unknown-key" => "A key that nobody reads, most often a slip of the pen",
        "missing-key" => "A key that must be there",
        "bad-name" => "A name that is no DNS label",
        "bad-quantity" => "A quantity without a unit, or with the wrong one",
        "startup-cycle" | "need-cycle" => "Services that need each other to start: after a black start nobody is first",
        "duplicate-name" => "Two things of one name",
        "syntax" => "Text that is no TOML",
        "unreadable" => "A file that cannot be read",
        "stale-gap" => "A known gap that is not found any more",
        "recovery-cycle" => "G2: a tool that is needed to repair a service needs that service itself",
        "pinned-to-one-zone" => "G3: a regional service that is gone with one zone",
        "zonal-crosses-zones" => "G3: a zonal service that calls other zones, so that a dark one is felt in all",
        "start-needs-control-plane" => "G3: a start that needs a global control plane",
        "zonal-needs-control-plane" => "G3: a zonal data plane that cannot answer without a global control plane",
        "hub-stands-high" => "G4: what everybody needs to start stands on a long chain itself",
        "retry-product" => "G5: attempts that multiply along a path",
        "timeout-order" => "G6: a call that waits longer than the one that it is made for",
        "capacity-short" => "G7: too little capacity when one zone is gone",
        "criticality-inversion" => "G8: somebody leans hard on what is less critical than itself",
        "order-hidden-by-restarts" => "G9: a service ends while something is missing, and restarts hide it",
        "telemetry-before-start" => "G10: a start waits for what only watches",
        "telemetry-in-requests" => "G10: requests fail without what only watches",
        other => return other.replace('-', " "),
    };
    known.to_owned()
}

/// One log with one run: every problem of every file.
pub fn render(rows: &[Row<'_>], sources: &[Source], version: &str) -> String {
    let mut rules: BTreeMap<&str, usize> = rows.iter().map(|row| (row.diagnostic.code, 0)).collect();
    rules.values_mut().enumerate().for_each(|(index, place)| *place = index);
    let descriptors: Vec<Value> =
        rules.keys().map(|code| json!({ "id": code, "shortDescription": { "text": about(code) } })).collect();
    let results: Vec<Value> =
        rows.iter().map(|row| result(row, sources, rules.get(row.diagnostic.code).copied())).collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "blackstart", "semanticVersion": clean(version), "rules": descriptors } },
            // Columns count characters, as an editor does, and not the bytes of an encoding.
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    pretty(&log)
}

fn result(row: &Row<'_>, sources: &[Source], rule: Option<usize>) -> Value {
    let one = row.diagnostic;
    let level = match one.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut message = clean(&one.message);
    if let Some(help) = &one.help {
        message = format!("{message}: {}", clean(help));
    }
    let mut place = json!({ "artifactLocation": { "uri": uri(&one.source) } });
    if one.line > 0 {
        place["region"] = region(one, sources);
    }
    let mut result = json!({
        "ruleId": one.code,
        "ruleIndex": rule.unwrap_or(0),
        "level": level,
        "message": { "text": message },
        "locations": [{ "physicalLocation": place }],
    });
    if let Some(finding) = row.finding {
        result["properties"] = json!({
            "check": finding.check,
            "service": finding.service.as_str(),
            "setting": clean(&finding.setting),
        });
    }
    if let Some(reason) = row.accepted {
        result["suppressions"] = json!([{ "kind": "external", "justification": clean(reason) }]);
    }
    result
}

fn region(one: &Diagnostic, sources: &[Source]) -> Value {
    let mut region = json!({ "startLine": one.line, "startColumn": one.column.max(1) });
    let source = sources.iter().find(|source| source.name == one.source);
    if let (Some(source), Some(span)) = (source, one.span.clone()) {
        let (line, column) = fixtures::diagnostic::position(&source.text, span.end);
        region["endLine"] = line.into();
        region["endColumn"] = column.max(1).into();
    }
    region
}

/// A path as the reference that SARIF wants; what is built in has a scheme of its own.
fn uri(path: &str) -> String {
    let mut out = String::new();
    for byte in path.replace('\\', "/").bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// The same findings as plain JSON: one object with one list.
pub fn json(rows: &[Row<'_>]) -> String {
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            let one = row.diagnostic;
            let mut value = json!({
                "severity": if one.severity == Severity::Error { "error" } else { "warning" },
                "code": one.code,
                "file": one.source,
                "line": one.line,
                "column": one.column,
                "message": one.message,
                "help": one.help,
            });
            if let Some(finding) = row.finding {
                value["check"] = finding.check.into();
                value["service"] = finding.service.as_str().into();
                value["dependency"] = finding.dependency.as_ref().map(|name| name.as_str()).into();
                value["setting"] = finding.setting.as_str().into();
                value["accepted"] = row.accepted.is_some().into();
            }
            value
        })
        .collect();
    pretty(&json!({ "findings": rows }))
}

fn pretty(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("a value has text keys");
    text.push('\n');
    text
}
