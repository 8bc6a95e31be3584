//! Random numbers, the same on every run.

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In 0..1.
    pub fn chance(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.next()) * limit as u128) >> 64) as usize
    }

    /// How many of something happen that does so often on average.
    pub fn poisson(&mut self, mean: f64) -> u32 {
        if mean > 30.0 {
            // Nearly normal: a sum of twelve.
            let normal = (0..12).map(|_| self.chance()).sum::<f64>() - 6.0;
            return (mean + normal * mean.sqrt()).round().max(0.0) as u32;
        }
        let (limit, mut product, mut count) = ((-mean).exp(), self.chance(), 0);
        while product > limit {
            product *= self.chance();
            count += 1;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_happen_on_average() {
        let mut random = Random(1);
        for mean in [0.05, 1.0, 20.0, 100.0, 1_000.0] {
            let all: Vec<f64> = (0..20_000).map(|_| f64::from(random.poisson(mean))).collect();
            let found = all.iter().sum::<f64>() / all.len() as f64;
            let variance = all.iter().map(|n| (n - found).powi(2)).sum::<f64>() / all.len() as f64;
            assert!((found / mean - 1.0).abs() < 0.1, "{found} for {mean}");
            assert!((variance / mean - 1.0).abs() < 0.1, "variance {variance} for {mean}");
        }
    }
}
