//! Owns what surrounds a machine in a container: bytes, connections, fsync, the clock. Refuses to decide anything;
//! every decision is the machine's.
//!
//! - [`clock`]: the one door to time
//! - [`client`]: sends an attempt and reads its answer
//! - [`server`]: reads requests, writes answers, `/metrics`
//! - [`fetch`]: software, from a repository or the own disk
//! - [`dns`]: the bytes of lookups; [`resolve`] asks, [`name_server`] answers
//! - [`tls`]: keys, certificates and handshakes
//! - [`front`]: the listening side of what speaks for real software
//! - [`handshake`]: what a handshake costs, measured for the simulator
//! - [`trouble`]: what the hand says is the matter on this host
//! - `trim`: memory that is not used any more
//! - [`disk`]: the state file
//! - [`reporter`]: lines to the witness
//! - [`drive`]: the loop around an actor

pub mod client;
pub mod clock;
pub mod disk;
mod dns;
pub mod drive;
mod fetch;
pub mod front;
pub mod handshake;
mod name_server;
pub mod probe;
pub mod reporter;
mod resolve;
mod server;
pub mod tls;
mod trim;
mod trouble;

pub use dns::answer_of;
