//! Owns the tests on a real container engine, in one binary that runs one test at a time: they share the machine, and
//! some look at all of it. Refuses to pretend: without an engine each says loudly that it was skipped, and fails where
//! `BLACKSTART_REQUIRE_DOCKER` is set.

#[path = "docker/agent_alone.rs"]
mod agent_alone;
#[path = "docker/attach.rs"]
mod attach;
#[path = "docker/build.rs"]
mod build;
#[path = "docker/build_artefacts.rs"]
mod build_artefacts;
#[path = "docker/build_paused.rs"]
mod build_paused;
#[path = "docker/build_zone.rs"]
mod build_zone;
#[path = "docker/engine.rs"]
mod engine;
#[path = "docker/faults.rs"]
mod faults;
#[path = "docker/game_days.rs"]
mod game_days;
#[path = "docker/host_faults.rs"]
mod host_faults;
#[path = "docker/house.rs"]
mod house;
#[path = "docker/images.rs"]
mod images;
#[path = "docker/killed.rs"]
mod killed;
#[path = "docker/lab.rs"]
mod lab;
#[path = "docker/net.rs"]
mod net;
#[path = "docker/net_lab.rs"]
mod net_lab;
#[path = "docker/no_effect.rs"]
mod no_effect;
#[path = "docker/outside.rs"]
mod outside;
#[path = "docker/own_engine.rs"]
mod own_engine;
#[path = "docker/region.rs"]
mod region;
#[path = "docker/residue.rs"]
mod residue;
#[path = "docker/rights.rs"]
mod rights;
#[path = "docker/rootless.rs"]
mod rootless;
#[path = "docker/serve.rs"]
mod serve;
#[path = "it/server.rs"]
mod server;
#[path = "docker/trial.rs"]
mod trial;
