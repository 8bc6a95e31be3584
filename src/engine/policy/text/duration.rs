//! Durations as text: `90s`, `15m`, `1h30m`, `365d` -> milliseconds.

use crate::units::Millis;

/// The longest duration in milliseconds: ten years of 365 days. Longer ones are typing errors.
pub const MAX: u64 = 3_650 * 86_400_000;

/// The units, from large to small, each with its milliseconds.
pub const UNITS: [(&str, u64); 6] = [
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// How a duration is written, for help.
pub const FORM: &str = "a duration is whole numbers with units from large to small, such as `90s`, `15m`, `1h30m`, `365d` (w, d, h, m, s, ms)";

/// Reads a duration.
///
/// # Errors
/// Says in words why the text is no duration.
pub fn parse(text: &str) -> Result<Millis, String> {
    if text.is_empty() {
        return Err("is empty".into());
    }
    // Six units with all the digits that make sense fit with ease, and messages stay short.
    if text.len() > 100 {
        return Err("is too long a text".into());
    }
    let mut rest = text;
    let mut units = UNITS.as_slice();
    let mut sum = 0_u64;
    while !rest.is_empty() {
        let (number, after) = split_where(rest, |b| !b.is_ascii_digit());
        let (unit, after) = split_where(after, |b| !b.is_ascii_alphabetic());
        if number.is_empty() {
            return Err("needs a number before each unit".into());
        }
        if unit.is_empty() && after.starts_with('.') {
            return Err("has a fraction; use a smaller unit instead, as in `1h30m`".into());
        }
        if unit.is_empty() {
            return Err(format!("has no unit after `{number}`"));
        }
        let mut left = units.iter();
        let Some((_, length)) = left.find(|(name, _)| *name == unit) else {
            return Err(match UNITS.iter().any(|(name, _)| *name == unit) {
                true => "does not go from large units to small ones, each at most once".into(),
                false => format!("has an unknown unit `{unit}`"),
            });
        };
        units = left.as_slice();
        // A number that does not fit is too long in any unit.
        let part = number.parse::<u64>().ok().and_then(|n| n.checked_mul(*length));
        sum = part
            .and_then(|part| sum.checked_add(part))
            .filter(|sum| *sum <= MAX)
            .ok_or("is longer than ten years, `3650d`")?;
        rest = after;
    }
    Ok(Millis::new(sum))
}

/// Splits a text before the first byte of that kind; the kinds here are all ASCII.
fn split_where(text: &str, ends: impl Fn(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(ends).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_in_every_unit_are_read() {
        for (text, milliseconds) in [
            ("250ms", 250),
            ("90s", 90_000),
            ("15m", 900_000),
            ("12h", 43_200_000),
            ("7d", 604_800_000),
            ("2w", 1_209_600_000),
            ("1h30m", 5_400_000),
            ("1w2d3h4m5s6ms", 788_645_006),
            ("1h90m", 9_000_000),
            ("1d1ms", 86_400_001),
            ("0s", 0),
            ("0h0m", 0),
            ("007s", 7_000),
            ("3650d", MAX),
            ("87600h", MAX),
        ] {
            assert_eq!(parse(text), Ok(Millis::new(milliseconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_in_words() {
        for (text, why) in [
            ("", "is empty"),
            ("90", "has no unit after `90`"),
            ("1h30", "has no unit after `30`"),
            ("h", "needs a number before each unit"),
            ("-5s", "needs a number before each unit"),
            (" 5s", "needs a number before each unit"),
            ("5s ", "needs a number before each unit"),
            ("5 s", "has no unit after `5`"),
            ("1.5h", "has a fraction; use a smaller unit instead, as in `1h30m`"),
            ("5min", "has an unknown unit `min`"),
            ("1H", "has an unknown unit `H`"),
            ("1y", "has an unknown unit `y`"),
            ("5µs", "has no unit after `5`"),
            ("٣s", "needs a number before each unit"),
            ("30m1h", "does not go from large units to small ones, each at most once"),
            ("1h1h", "does not go from large units to small ones, each at most once"),
            (&"0".repeat(101), "is too long a text"),
            ("3651d", "is longer than ten years, `3650d`"),
            ("3650d1ms", "is longer than ten years, `3650d`"),
            ("99999999999999999999s", "is longer than ten years, `3650d`"),
            ("18446744073709551615w", "is longer than ten years, `3650d`"),
        ] {
            assert_eq!(parse(text), Err(why.to_owned()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_stops_the_reader(text in "[0-9a-z.wdhms +-]{0,20}|\\PC*") {
            prop_assert!(parse(&text).is_err() || parse(&text) <= Ok(Millis::new(MAX)));
        }
    }
}
