//! What happens on a game day, and how it is judged.
//!
//! - [`raw`], [`load`], [`bind`]: from a file to a scenario, and whether it fits a region
//! - [`scenario`]: a game day, resolved; [`customers`]: what is sent meanwhile
//! - [`seed`]: chance, from one seed
//! - [`builtin`]: the game days compiled in
//! - [`fault`]: the closed set of faults, one file each
//! - [`guard`]: when a rollout is stopped; [`mod@turn`]: the same game day in another zone
//! - [`plan`]: every act in order, each inject with its heal
//! - [`event`]: what is observed
//! - [`timeline`], [`traffic`], [`mod@measure`]: events folded into segments, lives, canary windows, figures
//! - [`mod@bring_up`]: what held whom back after each of several power-ons
//! - [`mod@assumed`]: what no file says, and what it could be instead
//! - [`build`]: a region, or a zone, built out of another one
//! - [`judge`]: invariants, verdicts, culprits
//! - [`trial`]: one image, sealed off: what is observed, how it is judged
//! - [`verdict`], [`judgement`]: what comes out

pub mod assumed;
pub mod bind;
pub mod bring_up;
pub mod build;
pub mod builtin;
pub mod customers;
pub mod event;
pub mod fault;
pub mod guard;
pub mod judge;
pub mod judgement;
pub mod load;
pub mod measure;
pub mod plan;
pub mod raw;
pub mod scenario;
pub mod seed;
pub mod timeline;
pub mod traffic;
pub mod trial;
pub mod turn;
pub mod verdict;
