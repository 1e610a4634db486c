//! Owns SARIF 2.1.0 and JSON of static findings, as code scanning reads them. Refuses to check anything itself.

use crate::text::clean;
use fixtures::diagnostic::{Diagnostic, Severity, Source};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Where the format's own schema lives.
const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

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
        other => return other.replace('-', " "),
    };
    known.to_owned()
}

/// One log with one run: every problem of every file.
pub fn render(diagnostics: &[Diagnostic], sources: &[Source], version: &str) -> String {
    let mut rules: BTreeMap<&str, usize> = diagnostics.iter().map(|one| (one.code, 0)).collect();
    rules.values_mut().enumerate().for_each(|(index, place)| *place = index);
    let descriptors: Vec<Value> =
        rules.keys().map(|code| json!({ "id": code, "shortDescription": { "text": about(code) } })).collect();
    let results: Vec<Value> =
        diagnostics.iter().map(|one| result(one, sources, rules.get(one.code).copied())).collect();
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

fn result(one: &Diagnostic, sources: &[Source], rule: Option<usize>) -> Value {
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
    json!({
        "ruleId": one.code,
        "ruleIndex": rule.unwrap_or(0),
        "level": level,
        "message": { "text": message },
        "locations": [{ "physicalLocation": place }],
    })
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
pub fn json(diagnostics: &[Diagnostic]) -> String {
    let rows: Vec<Value> = diagnostics
        .iter()
        .map(|one| {
            json!({
                "severity": if one.severity == Severity::Error { "error" } else { "warning" },
                "code": one.code,
                "file": one.source,
                "line": one.line,
                "column": one.column,
                "message": one.message,
                "help": one.help,
            })
        })
        .collect();
    pretty(&json!({ "findings": rows }))
}

fn pretty(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("a value has text keys");
    text.push('\n');
    text
}
