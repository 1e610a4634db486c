//! Owns the claims about what a run leaves behind. Refuses to run one: records and events are made here or committed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "it/coe.rs"]
mod coe;
#[path = "it/full.rs"]
mod full;
#[path = "it/hostile.rs"]
mod hostile;
#[path = "it/journal.rs"]
mod journal;
#[path = "it/junit.rs"]
mod junit;
#[path = "it/record.rs"]
mod record;
#[path = "it/samples.rs"]
mod samples;
#[path = "it/schema.rs"]
mod schema;
#[path = "it/table.rs"]
mod table;
#[path = "it/timeline.rs"]
mod timeline;
