//! What draws the cases, and what happens in a simulation: the same from the same seed.

/// Marsaglia's xorshift.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Begins at a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// Begins at a seed, apart from the other dice of that seed: neighbouring seeds draw nothing alike.
    pub(crate) fn apart(seed: u64, which: u64) -> Self {
        // Steele's and Vigna's splitmix64.
        let mut mixed = seed
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .wrapping_add(which.wrapping_mul(0xD1B5_4A32_D192_ED03));
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Self((mixed ^ (mixed >> 31)) | 1)
    }

    /// Draws a number below another.
    pub(crate) fn throw(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 8) % below.max(1)
    }

    /// Draws one of so many things, by its place; the first of none.
    pub(crate) fn place(&mut self, of: usize) -> usize {
        let place = self.throw(u64::try_from(of).unwrap_or(u64::MAX));
        usize::try_from(place).unwrap_or_default()
    }

    /// Tells whether what happens once in so many times happens.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.throw(times) == 0
    }
}
