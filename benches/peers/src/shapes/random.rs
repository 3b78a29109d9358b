//! A small seeded generator (SplitMix64) for the random graphs.

/// The state of the generator.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    fn below(&mut self, end: u32) -> u32 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u32
    }

    /// `count` different numbers from `start..start + width`.
    pub(super) fn distinct(&mut self, count: u32, start: u32, width: u32) -> Vec<u32> {
        assert!(count <= width, "cannot draw {count} of {width} numbers");
        let mut drawn = Vec::with_capacity(count as usize);
        while drawn.len() < count as usize {
            let number = start + self.below(width);
            if !drawn.contains(&number) {
                drawn.push(number);
            }
        }
        drawn
    }
}
