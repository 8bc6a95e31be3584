//! Ranges of whole numbers.

use std::fmt;

/// Whole numbers `from <= n < to`, half-open like Envoy's `int64_range`; a bound that is not given bounds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberRange {
    /// The first number in the range.
    pub from: Option<i64>,
    /// The first number after the range.
    pub to: Option<i64>,
}

impl NumberRange {
    /// Whether a value is a whole number (digits, perhaps after one sign) in the range.
    pub fn holds(&self, value: &[u8]) -> bool {
        number(value).is_some_and(|n| {
            self.from.is_none_or(|from| from <= n) && self.to.is_none_or(|to| n < to)
        })
    }

    /// Whether there is no number in both ranges.
    pub fn is_apart_from(&self, other: &Self) -> bool {
        let from = self.from.max(other.from);
        let to = match (self.to, other.to) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        matches!((from, to), (Some(from), Some(to)) if from >= to)
    }
}

impl fmt::Display for NumberRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("range")?;
        if let Some(from) = self.from {
            write!(f, " from {from}")?;
        }
        self.to.map_or(Ok(()), |to| write!(f, " to {to}"))
    }
}

/// The whole number that a value is: decimal digits, perhaps after one sign, that fit 64 bits.
pub(super) fn number(value: &[u8]) -> Option<i64> {
    // `i64` reads exactly this form.
    str::from_utf8(value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_digits_with_at_most_one_sign() {
        for (value, n) in [
            ("0", Some(0)),
            ("18", Some(18)),
            ("+18", Some(18)),
            ("-18", Some(-18)),
            ("007", Some(7)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("99999999999999999999999999", None),
            ("", None),
            ("-", None),
            ("+", None),
            ("+-1", None),
            ("1.0", None),
            ("1e3", None),
            (" 1", None),
            ("1 ", None),
            ("0x10", None),
            ("٣", None),
        ] {
            assert_eq!(number(value.as_bytes()), n, "{value}");
        }
        assert_eq!(number(b"1\xff"), None);
    }

    #[test]
    fn a_range_holds_its_first_number_and_not_its_last() {
        let range = |from, to| NumberRange { from, to };
        for (range, value, holds) in [
            (range(Some(18), Some(65)), "17", false),
            (range(Some(18), Some(65)), "18", true),
            (range(Some(18), Some(65)), "64", true),
            (range(Some(18), Some(65)), "65", false),
            (range(Some(-5), None), "-5", true),
            (range(Some(-5), None), "9223372036854775807", true),
            (range(None, Some(0)), "-1", true),
            (range(None, Some(0)), "0", false),
            (range(None, Some(0)), "none", false),
        ] {
            assert_eq!(range.holds(value.as_bytes()), holds, "{range} {value}");
        }
    }

    #[test]
    fn ranges_are_apart_where_no_number_is_in_both() {
        let range = |from, to| NumberRange { from, to };
        for (a, b, apart) in [
            (range(Some(0), Some(5)), range(Some(5), None), true),
            (range(Some(0), Some(5)), range(Some(4), None), false),
            (range(None, Some(5)), range(None, Some(9)), false),
            (range(Some(1), None), range(Some(9), None), false),
            (range(None, Some(5)), range(Some(0), Some(9)), false),
        ] {
            assert_eq!((a.is_apart_from(&b), b.is_apart_from(&a)), (apart, apart), "{a} {b}");
        }
    }

    #[test]
    fn a_range_prints_its_bounds() {
        let range = |from, to| NumberRange { from, to }.to_string();
        assert_eq!(range(Some(18), Some(65)), "range from 18 to 65");
        assert_eq!(range(None, Some(65)), "range to 65");
    }
}
