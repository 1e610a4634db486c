//! Owns the tests of this crate that need no container engine, in one binary. Refuses to start containers: see
//! `docker.rs`.

#[path = "it/assumptions.rs"]
mod assumptions;
#[path = "it/bring_up.rs"]
mod bring_up;
#[path = "it/changes.rs"]
mod changes;
#[path = "it/check.rs"]
mod check;
#[path = "it/cli.rs"]
mod cli;
#[path = "it/controller.rs"]
mod controller;
#[path = "it/controller_faults.rs"]
mod controller_faults;
#[path = "it/customers.rs"]
mod customers;
#[path = "it/documents.rs"]
mod documents;
#[path = "it/history.rs"]
mod history;
#[path = "it/live.rs"]
mod live;
#[path = "it/many.rs"]
mod many;
#[path = "it/matrix.rs"]
mod matrix;
#[path = "it/measure.rs"]
mod measure;
#[path = "it/play.rs"]
mod play;
#[path = "it/regression.rs"]
mod regression;
#[path = "it/scaler.rs"]
mod scaler;
#[path = "it/sim.rs"]
mod sim;
#[path = "it/stores.rs"]
mod stores;
#[path = "it/telemetry.rs"]
mod telemetry;
#[path = "it/tidy.rs"]
mod tidy;
