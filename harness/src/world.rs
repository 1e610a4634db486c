//! Owns what a game day can run in. Refuses to decide anything: a world performs acts and tells what it sees.
//!
//! - [`docker`]: real containers
//! - [`sim`]: virtual time
//! - [`draw`], [`observe`], [`build`]: what worlds have in common

pub mod build;
pub mod docker;
pub mod draw;
pub(crate) mod observe;
pub mod sim;

use crate::controller::Do;

/// Memory of each host: a supervisor and a few agents of some MB.
pub const HOST_MEMORY_BYTES: u64 = 192 * 1024 * 1024;

/// A world. Its observations and the ends of its acts arrive as [`crate::controller::Input`]s on the channel that it
/// was made with.
pub trait World {
    /// Begins an act; exactly one [`crate::controller::Input::Done`] follows.
    fn perform(&mut self, act: Do);
    /// Asks that the act under way ends as soon as that is safe.
    fn cancel(&mut self);
}
