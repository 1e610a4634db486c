//! Owns the file of rules: alerts and recorded rules as YAML that Prometheus reads. Every text is written as a JSON string,
//! which YAML reads as it is. Refuses to know what is told of.
//!
//! Groups have no interval of their own: the server's holds.

use super::alerts::{ALERTS, Alert, RECORDED, Recorded};

/// The file; alerts point to their runbooks below this place.
pub fn render(runbooks: &str) -> String {
    let mut text = String::from(
        "# Rules for Prometheus, written by `blackstart dashboards`. Change thresholds in a copy: this file is written anew.\ngroups:\n",
    );
    text += "  - name: blackstart-recorded\n    rules:\n";
    text.extend(RECORDED.iter().map(recorded));
    text += "  - name: blackstart\n    rules:\n";
    text.extend(ALERTS.iter().map(|rule| alert(rule, runbooks)));
    text
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn recorded(rule: &Recorded) -> String {
    format!("      - record: {}\n        expr: {}\n", rule.name, quoted(rule.expr))
}

fn alert(rule: &Alert, runbooks: &str) -> String {
    let anchor = format!("{runbooks}#{}", rule.name.to_lowercase());
    let lines = [
        format!("      - alert: {}", rule.name),
        format!("        expr: {}", quoted(rule.expr)),
        format!("        for: {}", rule.lasts),
        "        labels:".to_owned(),
        format!("          severity: {}", rule.severity.word()),
        "        annotations:".to_owned(),
        format!("          summary: {}", quoted(rule.summary)),
        format!("          description: {}", quoted(rule.description)),
        format!("          runbook_url: {}", quoted(&anchor)),
    ];
    lines.join("\n") + "\n"
}
