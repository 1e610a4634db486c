//! Owns the tests of this crate that need no container engine, in one binary. Refuses to start containers: see
//! `docker.rs`.

#[path = "it/assumptions.rs"]
mod assumptions;
#[path = "it/attach.rs"]
mod attach;
#[path = "it/bring_up.rs"]
mod bring_up;
#[path = "it/builder.rs"]
mod builder;
#[path = "it/building.rs"]
mod building;
#[path = "it/building_artefacts.rs"]
mod building_artefacts;
#[path = "it/building_judged.rs"]
mod building_judged;
#[path = "it/building_sample.rs"]
mod building_sample;
#[path = "it/building_taken_up.rs"]
mod building_taken_up;
#[path = "it/building_undone.rs"]
mod building_undone;
#[path = "it/building_zone.rs"]
mod building_zone;
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
#[path = "it/courier.rs"]
mod courier;
#[path = "it/customers.rs"]
mod customers;
#[path = "it/documents.rs"]
mod documents;
#[path = "it/history.rs"]
mod history;
#[path = "it/images.rs"]
mod images;
#[path = "it/import.rs"]
mod import;
#[path = "it/incidents.rs"]
mod incidents;
#[path = "it/live.rs"]
mod live;
#[path = "it/many.rs"]
mod many;
#[path = "it/matrix.rs"]
mod matrix;
#[path = "it/measure.rs"]
mod measure;
#[path = "it/metrics.rs"]
mod metrics;
#[path = "it/otlp.rs"]
mod otlp;
#[path = "it/play.rs"]
mod play;
#[path = "it/prometheus.rs"]
mod prometheus;
#[path = "it/region.rs"]
mod region;
#[path = "it/regression.rs"]
mod regression;
#[path = "it/scaler.rs"]
mod scaler;
#[path = "it/schedule.rs"]
mod schedule;
#[path = "it/schedule_file.rs"]
mod schedule_file;
#[path = "it/serve.rs"]
mod serve;
#[path = "it/server.rs"]
mod server;
#[path = "it/sim.rs"]
mod sim;
#[path = "it/stores.rs"]
mod stores;
#[path = "it/telemetry.rs"]
mod telemetry;
#[path = "it/tidy.rs"]
mod tidy;
#[path = "it/trial.rs"]
mod trial;
#[path = "it/year.rs"]
mod year;
