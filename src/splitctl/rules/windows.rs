//! The windows of the rules: every range and every `for`. The template says each as `{{5m}}`; here it gets its length, so
//! short windows are the same rules, and cannot drift from what is in production.

use crate::template::is_decimal;

/// The units of Prometheus that the template uses, in milliseconds, the longest first.
const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// What the windows are multiplied by, in thousandths: 1000 leaves them as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TimeScale(u64);

impl TimeScale {
    pub(super) const NONE: Self = Self(1_000);

    /// Fills in every window of a text, `{{5m}}` as `5m` or shorter.
    pub(super) fn fill(self, text: &str) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            filled.push_str(before);
            let window = after
                .split_once("}}")
                .and_then(|(window, after)| self.scaled(window).map(|scaled| (scaled, after)));
            rest = match window {
                Some((scaled, after)) => {
                    filled.push_str(&scaled);
                    after
                }
                // Something else in braces: `{{ $labels.split }}`.
                None => {
                    filled.push_str("{{");
                    after
                }
            };
        }
        filled + rest
    }

    /// A window of the template, scaled; `None` where it is none.
    fn scaled(self, window: &str) -> Option<String> {
        let digits = window.trim_end_matches(|c: char| c.is_ascii_lowercase());
        let unit = window.get(digits.len()..)?;
        let (_, milliseconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
        let length = digits.parse::<u64>().ok()?.checked_mul(*milliseconds)?;
        if self == Self::NONE {
            return Some(window.to_owned());
        }
        let length = length.checked_mul(self.0)?.checked_div(1_000)?;
        let whole = |(_, unit): &&(&str, u64)| length.checked_rem(*unit) == Some(0);
        let (name, unit) = UNITS.iter().find(whole)?;
        Some(format!("{}{name}", length.checked_div(*unit)?))
    }
}

/// A factor from 0.001 to 1, with three digits after the point at most.
pub(super) fn time_scale(text: &str) -> Result<TimeScale, String> {
    let wrong = || {
        format!(
            "`{text}` does not scale windows: write a number from 0.001 to 1, such as `0.02`, which makes 5m 6s"
        )
    };
    let (whole, digits) = text.split_once('.').unwrap_or((text, ""));
    if !is_decimal(text) || digits.len() > 3 {
        return Err(wrong());
    }
    let thousandths = format!("{whole}{digits:0<3}").parse().map_err(|_| wrong())?;
    if (1..=1_000).contains(&thousandths) { Ok(TimeScale(thousandths)) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_filled_in_as_they_are_or_shorter_and_nothing_else_is_touched() {
        let text = "x[{{5m}}] offset {{6h}} {{1d}} \"{{ $labels.split }}\" {{name}} {{";
        assert_eq!(
            TimeScale::NONE.fill(text),
            "x[5m] offset 6h 1d \"{{ $labels.split }}\" {{name}} {{"
        );
        assert_eq!(
            time_scale("0.02").unwrap().fill(text),
            "x[6s] offset 432s 1728s \"{{ $labels.split }}\" {{name}} {{"
        );
        assert_eq!(time_scale("0.001").unwrap().fill("{{5m}} {{1h}}"), "300ms 3600ms");
        assert_eq!(time_scale("0.5").unwrap().fill("{{30m}} {{6h}} {{0s}}"), "15m 3h 0d");
    }

    #[test]
    fn a_factor_that_makes_no_windows_is_refused() {
        for wrong in ["0", "0.0001", "1.1", "2", "-1", "", "x", "1e-2", "0.", ".5"] {
            let told = time_scale(wrong).unwrap_err();
            assert!(told.contains("such as `0.02`"), "{told}");
        }
        for one in ["1", "1.0", "1.000"] {
            assert_eq!(time_scale(one), Ok(TimeScale::NONE));
        }
    }
}
