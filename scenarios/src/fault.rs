//! Owns the closed set of faults; each kind is one file below `fault/`. Refuses to know how a world performs them.

pub mod power_off;

pub use power_off::PowerOff;

/// Everything that can be done to a region. Each has its inverse: what is injected is healed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Hosts lose power at once, and get it back at once.
    PowerOff(PowerOff),
}
