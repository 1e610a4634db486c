//! Owns chance in a game day: every draw follows from the run's seed, the fault that draws and what it draws for, so that
//! adding a fault, or a key to one, changes no other draw. Refuses to know clocks and other randomness.

pub use fixtures::seed::Seeds;

/// Who draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw<'a> {
    /// The run's seed.
    pub seed: u64,
    /// The fault's name.
    pub fault: &'a str,
}

impl Draw<'_> {
    /// The numbers that this fault draws for one purpose, such as `share`.
    pub fn of(self, purpose: &str) -> Seeds {
        // FNV-1a: short texts that differ in one character give unlike numbers.
        let bytes = self.fault.bytes().chain([0]).chain(purpose.bytes());
        let name = bytes
            .fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3));
        Seeds::new(Seeds::new(self.seed).next_number() ^ name)
    }
}
