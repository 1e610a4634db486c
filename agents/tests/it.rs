//! Owns the claims about the mock service, in one binary. Refuses to start containers.

#[path = "it/arrivals.rs"]
mod arrivals;
#[path = "it/artefact.rs"]
mod artefact;
#[path = "it/behaviour.rs"]
mod behaviour;
#[path = "it/conformance.rs"]
mod conformance;
#[path = "it/consensus.rs"]
mod consensus;
#[path = "it/customer.rs"]
mod customer;
#[path = "it/fetching.rs"]
mod fetching;
#[path = "it/identity.rs"]
mod identity;
#[path = "it/names.rs"]
mod names;
#[path = "it/runtime.rs"]
mod runtime;
#[path = "it/scaler.rs"]
mod scaler;
#[path = "it/stores.rs"]
mod stores;
#[path = "it/switches.rs"]
mod switches;
#[path = "it/telemetry.rs"]
mod telemetry;
#[path = "it/versions.rs"]
mod versions;
#[path = "it/world.rs"]
mod world;
