//! Owns chance in a game day: every draw follows from the run's seed, the fault that draws and what it draws for, so that
//! adding a fault, or a key to one, changes no other draw. Refuses to know clocks and other randomness.

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
        let mut mixed = Seeds(self.seed);
        Seeds(mixed.next_number() ^ name)
    }
}

/// Numbers drawn one after the other (splitmix64, Steele et al. 2014).
#[derive(Debug, Clone)]
pub struct Seeds(u64);

impl Seeds {
    /// Numbers that follow from a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next_number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below a bound; zero where the bound is zero. (The bias of the remainder is below one in 2^32 for every
    /// bound a game day has.)
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next_number().checked_rem(bound).unwrap_or(0)
    }

    /// A number between zero and a bound, both included.
    pub fn up_to(&mut self, most: u64) -> u64 {
        self.below(most.saturating_add(1))
    }

    /// Brings things into a random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, things: &mut [T]) {
        for last in (1..things.len()).rev() {
            let other = usize::try_from(self.below(last as u64 + 1)).unwrap_or(last);
            things.swap(last, other);
        }
    }
}
