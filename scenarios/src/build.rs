//! What happens when a region is built out of another one, and how it is judged.
//!
//! - [`plan`]: steps with what begins, ends and undoes each; [`region`], [`zone`]: the plans of a region and of a zone
//! - [`records`]: who is behind each name
//! - [`observed`]: what is seen meanwhile
//! - [`judge`]: the invariants of a build
//! - [`check`]: what an earlier build found, as a question to the next one

pub mod check;
pub mod judge;
pub mod observed;
pub mod plan;
pub mod records;
pub mod region;
pub mod zone;
