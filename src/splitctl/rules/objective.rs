//! The objective of `--slo`: people write percent, and parts of one.

use crate::template::is_decimal;

/// The objective in percent, from `99.9` or `0.999`: people write both.
pub(super) fn percent(text: &str) -> Result<String, String> {
    let wrong = || {
        format!(
            "`{text}` is no objective: write the percentage, such as 99.9, or the part, such as 0.999; at least a half"
        )
    };
    if !is_decimal(text) {
        return Err(wrong());
    }
    let percent = match text.strip_prefix("0.") {
        Some(digits) => in_percent(digits),
        None => text.to_owned(),
    };
    let in_range = percent.parse().is_ok_and(|percent: f64| (50.0..100.0).contains(&percent));
    in_range.then_some(percent).ok_or_else(wrong)
}

/// What stands behind the point of a part, in percent: `999` is 99.9, to the last digit.
fn in_percent(digits: &str) -> String {
    let digits = format!("{digits:0<2}");
    let (whole, rest) = digits.split_at_checked(2).unwrap_or((&digits, ""));
    if rest.is_empty() { whole.to_owned() } else { format!("{whole}.{rest}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_and_parts_are_the_same_and_what_is_no_objective_is_refused() {
        for wrong in ["100", "0", "-1", "1e1", "NaN", "99.", "", "1", "0.1", "49.9", "9.99"] {
            assert!(percent(wrong).is_err(), "{wrong}");
        }
        for (written, read) in [
            ("99.9", "99.9"),
            ("0.999", "99.9"),
            ("0.99", "99"),
            ("0.5", "50"),
            ("0.99995", "99.995"),
        ] {
            assert_eq!(percent(written).as_deref(), Ok(read));
        }
    }
}
