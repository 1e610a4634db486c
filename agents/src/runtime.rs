//! Owns what surrounds a machine in a container: bytes, connections, fsync, the clock. Refuses to decide anything;
//! every decision is the machine's.
//!
//! - [`clock`]: the one door to time
//! - [`client`]: sends an attempt and reads its answer
//! - [`server`]: reads requests, writes answers, `/metrics`
//! - [`disk`]: the state file
//! - [`reporter`]: lines to the witness
//! - [`drive`]: the loop around an actor

pub mod client;
pub mod clock;
pub mod disk;
pub mod drive;
pub mod reporter;
mod server;
