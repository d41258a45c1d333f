//! Random numbers from a seed: splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).

/// The generator. The same seed gives the same numbers everywhere.
pub(crate) struct SplitMix(u64);

impl SplitMix {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which must not be 0; by multiplication, so uneven by less than one in 2^32.
    pub(crate) const fn below(&mut self, end: u32) -> u32 {
        (((self.next() >> 32) * end as u64) >> 32) as u32
    }

    /// A number from `first` to `last`, both included.
    pub(crate) const fn between(&mut self, first: u32, last: u32) -> u32 {
        first + self.below(last - first + 1)
    }

    /// True so many times in a million.
    pub(crate) const fn chance(&mut self, in_a_million: u32) -> bool {
        self.below(1_000_000) < in_a_million
    }
}

/// A table to draw numbers from 1 on by, where `n` comes as often as its weight says: `n` to the minus `exponent`.
pub(crate) struct PowerLaw {
    /// Sums of the weights up to each number, of all together `u32::MAX`.
    sums: Vec<u32>,
}

impl PowerLaw {
    pub(crate) fn new(exponent: f64, last: u32) -> Self {
        let weights: Vec<f64> = (1..=last).map(|number| f64::from(number).powf(-exponent)).collect();
        let all: f64 = weights.iter().sum();
        let sums = weights.iter().scan(0.0, |sum, weight| {
            *sum += weight;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "between 0 and u32::MAX, since a sum is at most the sum of all; `as` keeps it so"
            )]
            let share = (*sum / all * f64::from(u32::MAX)) as u32;
            Some(share)
        });
        Self { sums: sums.collect() }
    }

    pub(crate) fn draw(&self, random: &mut SplitMix) -> u32 {
        let place = random.below(u32::MAX);
        let index = self.sums.partition_point(|sum| *sum <= place).min(self.sums.len() - 1);
        u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_algorithm() {
        // The first numbers of the reference implementation (Vigna, splitmix64.c) for this seed.
        let mut random = SplitMix::new(1_234_567);
        assert_eq!([random.next(), random.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn a_power_law_prefers_small_numbers() {
        let (law, mut random) = (PowerLaw::new(2.26, 5_000), SplitMix::new(7));
        let drawn: Vec<u32> = (0..100_000).map(|_| law.draw(&mut random)).collect();
        let ones = drawn.iter().filter(|number| **number == 1).count();
        // 1 / zeta(2.26) = 0.687
        assert!((68_000..69_400).contains(&ones), "{ones}");
        assert!(drawn.iter().all(|number| (1..=5_000).contains(number)));
        assert!(drawn.iter().any(|number| *number > 100));
    }
}
