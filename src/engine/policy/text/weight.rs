//! Weights: decimals kept as whole numbers, so that sums are exact.

use std::fmt;
use std::iter::Sum;

use crate::policy::Value;
use crate::units::{Buckets, Ratio};

/// A bucket is a hundredth of a percent.
const UNITS_OF_A_BUCKET: u64 = Weight::UNITS_PER_ONE / 100;

/// A variant's share, in units of 0.0001; at most [`Weight::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Weight(u64);

impl Weight {
    /// Units in a weight of 1.
    pub const UNITS_PER_ONE: u64 = 10_000;
    /// The largest weight, 1,000,000,000: far above any use, and small enough that the product of
    /// a weight and a cost (below 2^39) fits 128 bits with ease.
    pub const MAX: Self = Self(1_000_000_000 * Self::UNITS_PER_ONE);
    /// The default `weight_total`.
    pub const HUNDRED: Self = Self(100 * Self::UNITS_PER_ONE);

    /// A weight of that many units of 0.0001; `None` above the largest.
    pub const fn from_units(units: u64) -> Option<Self> {
        if units <= Self::MAX.0 { Some(Self(units)) } else { None }
    }

    /// A number of percent as buckets; `None` where it is above 100 or has more than two decimals.
    pub fn as_percent(self) -> Option<Buckets> {
        let buckets = u16::try_from(self.0 / UNITS_OF_A_BUCKET).ok()?;
        self.0.is_multiple_of(UNITS_OF_A_BUCKET).then(|| Buckets::new(buckets))?
    }

    /// The weight in units of 0.0001.
    pub const fn units(self) -> u64 {
        self.0
    }

    /// Whether it gives the variant to nobody.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Reads a number such as `5`, `5.0`, `5e0` or `0.0001`.
    ///
    /// # Errors
    /// Says in words why the number is no weight.
    pub fn from_value(value: &Value) -> Result<Self, &'static str> {
        let number = match value {
            Value::Integer(n) => *n as f64,
            Value::Float(n) => *n,
            _ => return Err("is not a number"),
        };
        if !number.is_finite() || number < 0.0 {
            return Err("is not a number of 0 or more");
        }
        if number > (Self::MAX.0 / Self::UNITS_PER_ONE) as f64 {
            return Err("is larger than 1000000000");
        }
        let units = number * Self::UNITS_PER_ONE as f64;
        let whole = units.round();
        // A decimal such as 0.1 is not exact as a double: allow what rounding makes, no more.
        if (units - whole).abs() > f64::max(1e-7, units * 1e-15) {
            return Err("has more than four decimals");
        }
        Ok(Self(whole as u64))
    }
}

/// As a number of percent.
impl From<Buckets> for Weight {
    fn from(buckets: Buckets) -> Self {
        Self(u64::from(buckets.count()).wrapping_mul(UNITS_OF_A_BUCKET))
    }
}

/// As a number: a ratio has the units of a weight.
impl From<Ratio> for Weight {
    fn from(ratio: Ratio) -> Self {
        Self(ratio.units().into())
    }
}

impl fmt::Display for Weight {
    /// As short as possible: `5`, `0.25`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        WeightSum(self.0).fmt(f)
    }
}

/// What weights sum to, in units of 0.0001. There are at most 64 weights in a sum, so it is exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WeightSum(u64);

impl WeightSum {
    /// How far two sums are apart.
    pub const fn distance(self, other: Self) -> Self {
        Self(self.0.abs_diff(other.0))
    }
}

impl From<Weight> for WeightSum {
    fn from(weight: Weight) -> Self {
        Self(weight.0)
    }
}

impl Sum<Weight> for WeightSum {
    fn sum<I: Iterator<Item = Weight>>(weights: I) -> Self {
        Self(weights.fold(0, |sum, weight| sum.saturating_add(weight.0)))
    }
}

impl fmt::Display for WeightSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ONE: u64 = Weight::UNITS_PER_ONE;
        let (whole, rest) = (self.0 / ONE, self.0 % ONE);
        if rest == 0 {
            return write!(f, "{whole}");
        }
        let decimals = format!("{rest:04}");
        write!(f, "{whole}.{}", decimals.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_every_spelling_are_weights() {
        for (value, units) in [
            (Value::Integer(5), 50_000),
            (Value::Float(5.0), 50_000),
            (Value::Float(0.1), 1_000),
            (Value::Float(0.0001), 1),
            (Value::Float(99.9999), 999_999),
            (Value::Float(33.3333), 333_333),
            (Value::Integer(0), 0),
            (Value::Float(-0.0), 0),
            (Value::Integer(1_000_000_000), 10_000_000_000_000),
            (Value::Float(999999999.9999), 9_999_999_999_999),
        ] {
            assert_eq!(Weight::from_value(&value), Ok(Weight(units)), "{value}");
        }
    }

    #[test]
    fn what_is_no_weight_is_refused() {
        for value in [
            Value::Integer(-1),
            Value::Float(-0.5),
            Value::Float(0.00001),
            Value::Float(33.33333),
            Value::Float(5.000001),
            Value::Float(f64::NAN),
            Value::Float(f64::INFINITY),
            Value::Integer(1_000_000_001),
            Value::String("5".into()),
        ] {
            assert!(Weight::from_value(&value).is_err(), "{value}");
        }
    }

    #[test]
    fn every_weight_of_four_decimals_is_read_exactly() {
        for units in (0..2_000_000).step_by(7).chain([9_999_999_999_999, 1_234_567_890_123]) {
            let written = Weight(units).to_string();
            let value = Value::Float(written.parse().unwrap());
            assert_eq!(Weight::from_value(&value), Ok(Weight(units)), "{written}");
        }
    }
}
