//! To whom a game day happens: the mock service.
//!
//! - [`config`]: what a host and its processes are told, as JSON
//! - [`commons`]: the part of it that is about names and identities
//! - [`artefact`]: software as a repository gives it out, signed, and every reason to refuse it
//! - [`wire`]: what agents say to each other and to the witness
//! - [`machine`]: the sans-IO state machine of one instance; start reading here
//! - [`consensus`]: how members of a replicated store agree, sans-IO
//! - [`few`]: a list that is empty nearly always
//! - [`canary`]: the open-loop customer, sans-IO too
//! - [`runtime`]: bytes, connections and fsync around them
//! - [`supervisor`]: a host's first process: gate, boot, restart

pub mod artefact;
pub mod canary;
pub mod commons;
pub mod config;
pub mod consensus;
pub mod few;
pub mod machine;
pub mod runtime;
pub mod supervisor;
pub mod wire;
