//! Numbers as people read them, and JSON as programs do.

use std::io::{self, Write};

use serde::Serialize;

/// With a comma between thousands: `1,234,567`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len().saturating_mul(2));
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && digits.len().saturating_sub(index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 user`, `2 users`.
pub fn plural(number: u64, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{} {word}s", thousands(number)) }
}

/// At most four decimals and no zeros at the end: `5`, `0.25`.
pub fn decimals(number: f64) -> String {
    let text = format!("{number:.4}");
    let short = text.trim_end_matches('0').trim_end_matches('.');
    if short == "-0" { "0".to_owned() } else { short.to_owned() }
}

/// Without the characters that could move a terminal's cursor or turn the direction of a text.
pub fn harmless(text: &str) -> String {
    let is_harmful =
        |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if is_harmful(c) { '\u{fffd}' } else { c }).collect()
}

/// Writes a JSON document on lines of its own.
///
/// Not straight into the stream: serde_json hides that its reader has gone, which is no error. Fields are in the order
/// of their names.
///
/// # Errors
/// When it cannot be written.
pub fn write_json(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    writeln!(out, "{:#}", serde_json::to_value(value)?)
}

/// A share as percent, with at most four decimals: `5.5%`.
pub fn percent(share: f64) -> String {
    format!("{}%", decimals(share * 100.0))
}

/// As percent with two decimals, for columns; with four where two would claim nobody or everybody.
pub fn fixed_percent(share: f64) -> String {
    let text = format!("{:.2}%", share * 100.0);
    let claims_all_or_none = text == "0.00%" || text == "100.00%";
    if claims_all_or_none && share != 0.0 && share != 1.0 {
        return format!("{:.4}%", share * 100.0);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")]
        {
            assert_eq!(thousands(number), text);
        }
        assert_eq!((plural(1, "day"), plural(0, "day")), ("1 day".to_owned(), "0 days".to_owned()));
    }

    #[test]
    fn a_text_cannot_move_the_cursor() {
        assert_eq!(
            harmless("a\u{1b}[2J\r\u{9b}\u{202e}b \u{6771}"),
            "a\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}b \u{6771}"
        );
    }

    #[test]
    fn decimals_are_as_short_as_they_can_be() {
        for (number, text) in
            [(5.0, "5"), (0.25, "0.25"), (33.333_33, "33.3333"), (-0.000_01, "0"), (100.0, "100")]
        {
            assert_eq!(decimals(number), text);
        }
        assert_eq!(percent(0.055), "5.5%");
        assert_eq!(
            [0.5, 0.0001, 0.000_001, 0.999_999, 1.0, 0.0].map(fixed_percent),
            ["50.00%", "0.01%", "0.0001%", "99.9999%", "100.00%", "0.00%"]
        );
    }
}
