//! A policy document as it was written: a tree of values that forgets nothing.
//!
//! `serde_json::Value` keeps the last of two equal field names; here both stay, so that the
//! second one can be reported.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// One value of a policy document, read from JSON, YAML or any other serde format.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number written without fraction and exponent that fits 64 bits.
    Integer(i64),
    /// Any other number. Envoy prints the numbers of a Struct as doubles.
    Float(f64),
    /// A text.
    String(String),
    /// Values in the order written.
    List(Vec<Value>),
    /// Fields in the order written, duplicates included.
    Object(Vec<(String, Value)>),
}

impl Value {
    /// What a person calls this kind of value, for messages.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Integer(_) | Self::Float(_) => "a number",
            Self::String(_) => "a string",
            Self::List(_) => "an array",
            Self::Object(_) => "an object",
        }
    }

    /// The first field of that name, if this is an object that has it.
    pub fn field(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(fields) => fields.iter().find(|(n, _)| n == name).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The entries, if this is a list that has any.
    pub(super) const fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items.as_slice(),
            _ => &[],
        }
    }

    /// The name of an object, as far as it can be read.
    pub(super) fn name(&self) -> &str {
        match self.field("name") {
            Some(Self::String(name)) => name,
            _ => "",
        }
    }
}

impl fmt::Display for Value {
    /// Scalars as JSON, lists and objects by their kind: short enough for a message.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(b) => write!(f, "{b}"),
            Self::Integer(n) => write!(f, "{n}"),
            Self::Float(n) => write_double(f, *n),
            Self::String(s) => f.write_str(s),
            Self::List(_) => f.write_str("[...]"),
            Self::Object(_) => f.write_str("{...}"),
        }
    }
}

/// Most decimals with which a double is written.
const DECIMALS_MAX: u32 = 17;

/// Writes a double with as few decimals as give it back when they are read: `5`, `0.25`. Where no
/// decimals are found that do (numbers of 17 digits), its first ten digits and an exponent.
///
/// Own code: what the standard library has for it is larger than all that this crate does with
/// numbers, and every proxy fetches it.
fn write_double(f: &mut fmt::Formatter<'_>, number: f64) -> fmt::Result {
    if number.is_nan() {
        return f.write_str("NaN");
    }
    if number.is_sign_negative() {
        f.write_str("-")?;
    }
    let number = number.abs();
    let mut scale = 1_u64;
    for decimals in 0..=DECIMALS_MAX {
        let digits = (number * scale as f64).round();
        // Below it are the whole numbers of 18 digits, which fit an u64.
        if digits >= 1e18 {
            break;
        }
        // Both are exact as doubles, so the quotient is what reading these decimals gives.
        if digits / scale as f64 == number {
            let digits = digits as u64;
            let whole = digits.checked_div(scale).unwrap_or_default();
            write!(f, "{whole}")?;
            let rest = digits.checked_rem(scale).unwrap_or_default();
            let width = decimals as usize;
            return if width == 0 { Ok(()) } else { write!(f, ".{rest:0width$}") };
        }
        scale = scale.saturating_mul(10);
    }
    write_exponent(f, number)
}

/// Writes a number that no policy needs, very large, very small or very precise, with the digits
/// that are sure: `1e300`.
fn write_exponent(f: &mut fmt::Formatter<'_>, mut number: f64) -> fmt::Result {
    if number.is_infinite() {
        return f.write_str("inf");
    }
    let mut exponent = 0_i32;
    while number >= 1e10 {
        number /= 10.0;
        exponent = exponent.saturating_add(1);
    }
    while number < 1e9 {
        number *= 10.0;
        exponent = exponent.saturating_sub(1);
    }
    let mut digits = number.round() as u64;
    while digits.is_multiple_of(10) && digits > 0 {
        digits /= 10;
        exponent = exponent.saturating_add(1);
    }
    write!(f, "{digits}e{exponent}")
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a policy document")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, b: bool) -> Result<Value, E> {
        Ok(Value::Bool(b))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Value, E> {
        Ok(Value::Integer(n))
    }

    fn visit_u64<E>(self, n: u64) -> Result<Value, E> {
        // Beyond i64 no field of a policy has a meaning; the nearest double is refused by range.
        Ok(i64::try_from(n).map_or_else(|_| Value::Float(n as f64), Value::Integer))
    }

    fn visit_f64<E>(self, n: f64) -> Result<Value, E> {
        Ok(Value::Float(n))
    }

    fn visit_str<E>(self, s: &str) -> Result<Value, E> {
        Ok(Value::String(s.to_owned()))
    }

    fn visit_string<E>(self, s: String) -> Result<Value, E> {
        Ok(Value::String(s))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = seq.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn doubles_are_written_as_short_as_they_are() {
        for (number, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (5.0, "5"),
            (-5.5, "-5.5"),
            (0.1, "0.1"),
            (0.0001, "0.0001"),
            (33.33333, "33.33333"),
            (0.1 + 0.2, "0.30000000000000004"),
            (100.0 / 3.0, "33.333333333333336"),
            (999_999_999.999_9, "999999999.9999"),
            (1e-9, "0.000000001"),
            (9_007_199_254_740_992.0, "9007199254740992"),
            (1e17, "100000000000000000"),
            (1e18, "1e18"),
            (1.5e300, "15e299"),
            (-2.5e-300, "-25e-301"),
            (f64::MAX, "1797693135e299"),
            (5e-324, "4940656458e-333"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(Value::Float(number).to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn decimals_are_written_as_the_standard_library_writes_them(
            digits in -1_000_000_000_000_i64..1_000_000_000_000, decimals in 0..12_i32,
        ) {
            let number = digits as f64 / 10_f64.powi(decimals);
            prop_assert_eq!(Value::Float(number).to_string(), number.to_string());
        }

        #[test]
        fn what_was_written_is_read_as_the_same_double_or_nearly(number in -1e15..1e15_f64) {
            let text = Value::Float(number).to_string();
            let read: f64 = text.parse().unwrap();
            // With an exponent only the first ten digits are written.
            let nearly = text.contains('e') && (read - number).abs() <= number.abs() * 1e-9;
            prop_assert!(read == number || nearly, "{}", text);
        }
    }
}
