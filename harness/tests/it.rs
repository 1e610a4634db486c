//! Owns the tests of this crate that need no container engine, in one binary. Refuses to start containers: see
//! `docker.rs`.

#[path = "it/bring_up.rs"]
mod bring_up;
#[path = "it/cli.rs"]
mod cli;
#[path = "it/controller.rs"]
mod controller;
#[path = "it/controller_faults.rs"]
mod controller_faults;
#[path = "it/documents.rs"]
mod documents;
#[path = "it/play.rs"]
mod play;
#[path = "it/sim.rs"]
mod sim;
#[path = "it/stores.rs"]
mod stores;
#[path = "it/tidy.rs"]
mod tidy;
