//! Owns the claims about the mock service, in one binary. Refuses to start containers.

#[path = "it/behaviour.rs"]
mod behaviour;
#[path = "it/customer.rs"]
mod customer;
#[path = "it/runtime.rs"]
mod runtime;
#[path = "it/world.rs"]
mod world;
