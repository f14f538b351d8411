//! Random numbers that depend on nothing but a seed (SplitMix64).

/// A stream of numbers.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    /// The `stream`th stream of a seed.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut rng =
            Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ stream.wrapping_mul(0xd1b5_4a32_d192_ed03));
        rng.next();
        rng
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of `0..n`; zero where there is none.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() >> 11) as usize % n.max(1)
    }

    /// From `low` to just below `high`.
    pub(crate) fn within(&mut self, low: i64, high: i64) -> i64 {
        low + ((self.next() >> 11) as i64) % (high - low).max(1)
    }

    /// True that many times of a thousand.
    pub(crate) fn chance(&mut self, of_thousand: u64) -> bool {
        (self.next() >> 11) % 1000 < of_thousand
    }
}
