//! Owns what every way of shaping traffic has in common, and which ways there are here. Refuses to shape by itself.
//!
//! There is one implementation, the kernel's queue ([`super::queue`]): it works on every kernel with `NFQUEUE`, needs
//! no interface of a host, and knows the one-way fate of each packet. `netem` would cost less processor time where
//! links carry gigabits, and belongs behind this trait; it is told where it is seen, and not used: none could be tried
//! where this was built, and an untried fault is worse than none, because it would be believed.

use super::super::protocol::LinkRule;
use super::machine;
use super::rules::Chains;
use super::table::Table;
use std::sync::Arc;

/// One way of shaping traffic.
pub(super) trait Shaper: Send + Sync {
    /// Its name in the record.
    fn name(&self) -> String;

    /// Text of packet filter rules by which the packets of these rules come to it.
    fn rules(&self, chains: &Chains, rules: &[LinkRule]) -> String;

    /// Shapes by another table from now on, at once for all packets that come.
    ///
    /// # Errors
    /// Where the kernel refuses what the table needs.
    fn set(&self, table: Arc<Table>) -> Result<(), String>;

    /// Packets that its own bounded buffers lost, apart from what was asked for.
    fn overruns(&self) -> u64;
}

/// Whether the kernel has `netem`: told, not used.
pub(super) fn netem_is_here() -> bool {
    machine::has_module("sch_netem")
}
