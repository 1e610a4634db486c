//! Owns what every fault with rights has in common: it begins, it can be looked at, it ends. Refuses to know any of
//! them; each is a file of its own.

use super::protocol::Look;

/// A fault. It is made from a [`super::protocol::Deed`] that is on the disk before [`Fault::act`] is called.
pub trait Fault: Send {
    /// Begins it.
    ///
    /// # Errors
    /// Where it could not be begun whole; what was begun is healed by the caller.
    fn act(&mut self) -> Result<(), String>;

    /// Looks whether it is in force; called several times while it lasts. Takes less than half a second.
    fn look(&mut self) -> Look;

    /// Ends it. Works as well on a value that another hand, started again after a crash, makes from the same deed, and
    /// where the fault has ended already.
    ///
    /// # Errors
    /// Where something of it may still be in force.
    fn heal(&mut self) -> Result<(), String>;
}
