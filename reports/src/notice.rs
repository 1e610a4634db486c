//! Owns what is told to whoever waits for the end of a run: one message as JSON, numbered by [`NOTICE_SCHEMA`] and short
//! whatever was found. Refuses to know whom it is sent to, how, and what time it is.

use crate::history::{Entry, Found};
use crate::record::Record;
use crate::text;
use serde::Serialize;

/// Number of the message's form; raised when a reader of the old one would misread the new one.
pub const NOTICE_SCHEMA: u32 = 1;

/// Findings that are told one by one.
pub const FINDINGS_MAX: usize = 20;

/// Characters of one text at most.
const CHARS_MAX: usize = 300;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// [`NOTICE_SCHEMA`].
    pub schema: u32,
    /// The run's id; absent of one that was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Name of the scenario.
    pub scenario: String,
    /// `docker`, `sim`.
    pub world: String,
    /// The schedule that it was of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// `held`, `violated`, `inconclusive`, `interrupted`, `refused`.
    pub outcome: String,
    /// Whether somebody has to act: a violation that no known gap accepts.
    pub fails: bool,
    /// Why it was refused, interrupted or inconclusive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// One line each, [`FINDINGS_MAX`] at most.
    pub findings: Vec<String>,
    /// Findings beyond those.
    pub findings_left_out: usize,
    /// Where the report is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
    /// When it began (RFC 3339); absent of one that was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_utc: Option<String>,
    /// When it ended, or was refused.
    pub ended_utc: String,
}

/// When a run really was: a record of virtual time has other times.
#[derive(Debug, Clone, Copy)]
pub struct Span<'a> {
    /// When it began (RFC 3339).
    pub started_utc: &'a str,
    /// When it ended.
    pub ended_utc: &'a str,
}

impl Notice {
    /// Of a run that left a record.
    pub fn of(record: &Record, outcome: &str, span: Span<'_>) -> Self {
        let entry = Entry::of(record, &[]);
        let findings: Vec<&Found> = entry.findings.iter().filter(|found| !found.follows).collect();
        let reasons: Vec<String> = record.inconclusive.iter().map(|reason| reason.text.clone()).collect();
        Self {
            schema: NOTICE_SCHEMA,
            run: Some(short(&record.run)),
            scenario: short(&record.scenario),
            world: short(&record.world),
            schedule: None,
            outcome: outcome.to_owned(),
            fails: entry.fails,
            reason: (!reasons.is_empty()).then(|| short(&reasons.join("; "))),
            findings: findings.iter().take(FINDINGS_MAX).map(|found| line(found)).collect(),
            findings_left_out: findings.len().saturating_sub(FINDINGS_MAX),
            report: None,
            started_utc: Some(short(span.started_utc)),
            ended_utc: short(span.ended_utc),
        }
    }

    /// Of a run that was due and did not begin.
    pub fn refused(scenario: &str, world: &str, reason: &str, at_utc: &str) -> Self {
        Self {
            schema: NOTICE_SCHEMA,
            run: None,
            scenario: short(scenario),
            world: short(world),
            schedule: None,
            outcome: "refused".to_owned(),
            fails: false,
            reason: Some(short(reason)),
            findings: Vec::new(),
            findings_left_out: 0,
            report: None,
            started_utc: None,
            ended_utc: short(at_utc),
        }
    }

    /// The schedule that it was of.
    #[must_use]
    pub fn of_schedule(mut self, schedule: Option<&str>) -> Self {
        self.schedule = schedule.map(short);
        self
    }

    /// Where the report is read.
    #[must_use]
    pub fn with_report(mut self, url: impl Into<String>) -> Self {
        self.report = Some(url.into());
        self
    }

    /// Another reason than the record's, such as who halted it.
    #[must_use]
    pub fn because(mut self, reason: &str) -> Self {
        self.reason = Some(short(reason));
        self
    }

    /// The body of the message.
    pub fn to_json(&self) -> String {
        let text = serde_json::to_string(self).expect("a message has text keys and no serialiser of its own");
        text::escaped_json(&text)
    }
}

fn short(text: &str) -> String {
    text::clean_to(text, CHARS_MAX)
}

/// `S5 app leans on cache (team application; suspected): ...`
fn line(found: &Found) -> String {
    let mut line = found.invariant.clone();
    if let Some(service) = &found.service {
        line += &format!(" {service}");
    }
    if let Some(dependency) = &found.dependency {
        line += &format!(" leans on {dependency}");
    }
    let team = found.team.as_ref().map(|team| format!("team {team}; ")).unwrap_or_default();
    let sure = if found.confirmed { "confirmed" } else { "suspected" };
    let known = if found.known { "; known" } else { "" };
    short(&format!("{line} ({team}{sure}{known}): {}", found.text))
}
