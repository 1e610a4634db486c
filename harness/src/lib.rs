//! Makes a game day happen.
//!
//! - [`controller`]: the course of a run, a synchronous state machine; start reading here
//! - [`builder`]: the building of a region, as synchronous a state machine
//! - [`building`]: a build in virtual time, in memory
//! - [`world`]: what a run happens in; [`world::docker`] is real containers
//! - [`twin`]: a game day in virtual time, in memory; [`explore`]: a search among thousands of them;
//!   [`assumptions`]: the same one with what it takes for granted changed
//! - [`matrix`]: every invariant with a defect and its twin
//! - [`measure`]: what a graph does when each service starts alone, in many orders, and with each edge cut
//! - [`trial`]: one image, sealed off; [`outside`]: what others measure and send while a run goes on
//! - [`hand`], [`witness`]: the two helpers inside the engine, run by this same executable
//! - `adapter`: what speaks for real software on its host
//! - [`run`]: the one loop; [`journal`], [`terminal`], [`clock`]: its edges
//! - [`schedule`]: what is run unattended, when, and when not
//! - [`region`]: regions that stand between game days
//! - [`serve`]: what a team leaves running; [`web`]: its face
//! - [`live`]: a run while it goes on, for any number of viewers
//! - [`history`]: the database of past runs
//! - [`metrics`]: what a server of game days tells a collector; [`dashboards`]: what a monitoring system makes of it
//! - [`notify`], [`traces`]: what is sent to others at the end of a run; [`courier`]: how it gets there
//! - [`commands`]: what the command line ([`cli`]) does; [`exit`]: its statuses; [`load`]: the only reader of files

mod adapter;
pub mod assumptions;
pub mod builder;
pub mod building;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod controller;
pub mod courier;
pub mod dashboards;
pub mod doors;
pub mod exit;
pub mod explore;
pub mod hand;
pub mod history;
pub mod journal;
pub mod live;
pub mod load;
pub mod locked;
pub mod matrix;
pub mod measure;
pub mod metrics;
pub mod notify;
pub mod outside;
pub mod region;
pub mod run;
pub mod schedule;
pub mod serve;
pub mod terminal;
pub mod traces;
pub mod trial;
pub mod twin;
pub mod web;
pub mod witness;
pub mod world;
