//! Owns the claims about what a run leaves behind. Refuses to run one: records and events are made here or committed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "it/actions.rs"]
mod actions;
#[path = "it/assumptions.rs"]
mod assumptions;
#[path = "it/build.rs"]
mod build;
#[path = "it/build_progress.rs"]
mod build_progress;
#[path = "it/coe.rs"]
mod coe;
#[path = "it/fingerprint.rs"]
mod fingerprint;
#[path = "it/full.rs"]
mod full;
#[path = "it/gaps.rs"]
mod gaps;
#[path = "it/history.rs"]
mod history;
#[path = "it/hostile.rs"]
mod hostile;
#[path = "it/journal.rs"]
mod journal;
#[path = "it/junit.rs"]
mod junit;
#[path = "it/lint.rs"]
mod lint;
#[path = "it/live.rs"]
mod live;
#[path = "it/many.rs"]
mod many;
#[path = "it/page.rs"]
mod page;
#[path = "it/record.rs"]
mod record;
#[path = "it/reviews.rs"]
mod reviews;
#[path = "it/samples.rs"]
mod samples;
#[path = "it/sarif.rs"]
mod sarif;
#[path = "it/schema.rs"]
mod schema;
#[path = "it/table.rs"]
mod table;
#[path = "it/timeline.rs"]
mod timeline;
