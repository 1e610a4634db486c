//! Owns how a line of `events.jsonl` reaches the picture: what the picture does not show is told apart without being read,
//! and the one kind that comes by the thousand is read without detours. Refuses to keep lines.
//!
//! A region of nine hundred instances writes ten thousand lines a second when all of it changes; read as whole events they
//! would cost a tenth of a core.

use super::Picture;
use super::now::Stand;
use scenarios::event::{Detail, Event, Life, NeedOutcome, WriteOutcome};
use serde::Deserialize;
use std::borrow::Cow;

/// Kinds that the picture does not show.
const PASSED_OVER: [&str; 7] = ["probe", "call", "arrived", "tap", "metrics", "alarm", "operation"];

/// A state event, and nothing else of it.
#[derive(Deserialize)]
struct State<'a> {
    t_ns: u64,
    #[serde(borrow)]
    by: Cow<'a, str>,
    #[serde(borrow, default)]
    instance: Option<Cow<'a, str>>,
    to: Life,
    #[serde(default)]
    degraded: bool,
    #[serde(borrow, default)]
    missing: Vec<Cow<'a, str>>,
}

/// The kind of a line, without reading the rest of it: inside a text its quotes would be escaped, so the first such key
/// is the event's own.
fn kind(line: &str) -> Option<&str> {
    const KEY: &str = "\"kind\":\"";
    let from = line.find(KEY)? + KEY.len();
    let rest = line.get(from..)?;
    rest.get(..rest.find('"')?)
}

/// Whether only some outcomes of a kind are shown, and this line has none of them.
fn is_usual(kind: &str, line: &str) -> bool {
    match kind {
        "write" => !line.contains("\"lost\"") && !line.contains("\"unreadable\""),
        "need" => !line.contains("\"gave-up\""),
        _ => false,
    }
}

/// The same of an event that was read.
pub(super) fn is_passed_over(detail: &Detail) -> bool {
    match detail {
        Detail::Write { outcome, .. } => !matches!(outcome, WriteOutcome::Lost | WriteOutcome::Unreadable),
        Detail::Need { outcome, .. } => *outcome != NeedOutcome::GaveUp,
        Detail::Probe { .. }
        | Detail::Call { .. }
        | Detail::Arrived { .. }
        | Detail::Tap { .. }
        | Detail::Metrics { .. }
        | Detail::Alarm { .. }
        | Detail::Operation { .. } => true,
        _ => false,
    }
}

impl Picture {
    /// Takes one line in, in the order of the file. A line that is no event is counted.
    pub fn line(&mut self, line: &str) {
        if line.trim().is_empty() {
            return;
        }
        match kind(line) {
            Some(kind) if PASSED_OVER.contains(&kind) || is_usual(kind, line) => {}
            Some("state") => match serde_json::from_str::<State<'_>>(line) {
                Ok(state) => self.state(&state),
                Err(_) => self.unread(),
            },
            _ => match serde_json::from_str::<Event>(line) {
                Ok(event) => self.event(&event),
                Err(_) => self.unread(),
            },
        }
    }

    fn state(&mut self, state: &State<'_>) {
        self.seen_at(state.t_ns);
        if let (Some(instance), true) = (&state.instance, state.by != "self") {
            let named = |name: &Cow<'_, str>| self.by_service.get(name.as_ref()).copied();
            let missing = state.missing.iter().filter_map(named).collect();
            self.stands(instance, Stand::new(state.to, state.degraded), missing);
        }
    }
}
