//! What happened.
//!
//! - [`record`]: `record.json`, the contract
//! - [`journal`]: `events.jsonl`, one event on one line
//! - [`timeline`]: record and events as rows for people, and the line that a terminal shows live
//! - [`harm`]: when customers were hurt, by zone
//! - [`table`]: the table at the end of a run
//! - [`junit`][]: `junit.xml`
//! - [`coe`][]: `coe.md`
//! - `text`: cleaning, escaping and wrapping what came from outside

pub mod coe;
pub mod harm;
pub mod journal;
pub mod junit;
pub mod record;
pub mod table;
mod text;
pub mod timeline;
