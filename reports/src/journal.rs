//! Owns `events.jsonl`: one event is one line, and how a journal is read whose writer was killed in the middle of a
//! line. Refuses to know where the lines are kept.

use scenarios::event::{Event, EventId};
use std::collections::BTreeSet;

/// What a journal holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Journal {
    /// Its events in order of arrival.
    pub events: Vec<Event>,
    /// The last line, where its writer died before the end of it; whoever shows the events says so.
    pub torn: Option<Torn>,
}

/// A last line without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// Number of the line, from 1.
    pub line: usize,
    /// Bytes that were there.
    pub bytes: usize,
}

/// Why a text is no journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A line that is complete and no event that this version knows.
    #[error("line {line} is not an event")]
    NotAnEvent {
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// Evidence that points at two events points at none.
    #[error("line {line} repeats the event id `{id}`")]
    RepeatedId {
        /// Number of the line, from 1.
        line: usize,
        /// The id.
        id: EventId,
    },
}

/// One event as one line, without the newline.
pub fn to_line(event: &Event) -> String {
    serde_json::to_string(event).expect("an event has text keys and no serialiser of its own")
}

/// Reads a journal. Only a last line that no newline ends may be damaged: that is what a killed writer leaves.
///
/// # Errors
/// [`JournalError`] with the number of the first bad line.
pub fn read(text: &str) -> Result<Journal, JournalError> {
    let mut journal = Journal { events: Vec::new(), torn: None };
    let mut ids = BTreeSet::new();
    for (index, raw) in text.split_inclusive('\n').enumerate() {
        let line = index + 1;
        if raw.trim().is_empty() {
            continue;
        }
        match serde_json::from_str::<Event>(raw) {
            Ok(event) if !ids.insert(event.id) => return Err(JournalError::RepeatedId { line, id: event.id }),
            Ok(event) => journal.events.push(event),
            Err(_) if !raw.ends_with('\n') => journal.torn = Some(Torn { line, bytes: raw.len() }),
            Err(source) => return Err(JournalError::NotAnEvent { line, source }),
        }
    }
    Ok(journal)
}
