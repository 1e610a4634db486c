//! What happened.
//!
//! - [`record`]: `record.json`, the contract
//! - [`journal`]: `events.jsonl`, one event on one line
//! - [`timeline`]: record and events as rows for people, and the line that a terminal shows live
//! - [`harm`]: when customers were hurt, by zone
//! - [`live`]: the picture of a run while it goes on
//! - [`lives`]: every instance's life as stretches of time
//! - [`moments`]: fault, first impact, mitigation, recovery
//! - [`whys`]: from harm down to what can be changed
//! - [`fingerprint`]: how a finding is known again in another run
//! - [`assumptions`]: what trials of assumed parameters mean
//! - [`policy`]: due dates, and calendar days
//! - [`gaps`]: the known-gaps ledger
//! - [`history`]: what one run says to those who look at many; lists, trends, comparisons
//! - [`actions`]: action items over many runs: open, verified, reopened, overdue
//! - [`week`]: weeks of the calendar
//! - [`ops_review`]: the weekly operations review
//! - [`docs`]: a page for each service of a graph
//! - [`orr`]: the operational readiness review
//! - [`build`]: the record of a build, its report, and the page of the region
//! - [`page`]: a document as Markdown and for a browser, from the same parts
//! - [`table`]: the table at the end of a run
//! - [`junit`][]: `junit.xml`
//! - [`coe`][]: `coe.md` and `report.md`, and the linter of both
//! - [`html`][]: `coe.html` and `report.html`
//! - [`summary`][]: `summary.md`, the page of a CI job
//! - [`sarif`][]: static findings for code scanning
//! - [`trial`]: the record of one image on trial, with its table, JUnit and graph
//! - [`notice`]: the message at the end of a run; [`otlp`]: a run as a trace
//! - `operations`: what customers asked for, and how often they tried
//! - `text`: cleaning, escaping and wrapping what came from outside

pub mod actions;
pub mod assumptions;
pub mod build;
pub mod coe;
pub mod docs;
pub mod fingerprint;
pub mod gaps;
pub mod harm;
pub mod history;
pub mod html;
pub mod journal;
pub mod junit;
pub mod live;
pub mod lives;
pub mod moments;
pub mod notice;
mod operations;
pub mod ops_review;
pub mod orr;
pub mod otlp;
pub mod page;
pub mod policy;
pub mod record;
pub mod sarif;
pub mod summary;
pub mod table;
mod text;
pub mod timeline;
pub mod trial;
pub mod week;
pub mod whys;
