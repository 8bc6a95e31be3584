//! Moments as text: milliseconds since 1970 -> RFC 3339 timestamps.

use crate::policy::time::MAX;
use crate::units::Moment;

const DAY: u64 = 86_400_000;

/// A moment as a timestamp in UTC, with a fraction only where there is one. Moments after the year
/// 9999 are written as its last one.
pub fn write(moment: Moment) -> String {
    let moment = moment.get().min(MAX);
    let (year, month, day) = date(moment / DAY);
    let seconds = moment % DAY / 1_000;
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let fraction = match moment % 1_000 {
        0 => String::new(),
        fraction => format!(".{fraction:03}").trim_end_matches('0').to_owned(),
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// The date that many days after 1970-01-01: Howard Hinnant's `civil_from_days`, with March as a year's first month.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "the year is at most 9999, and nothing goes below 0"
)]
const fn date(days: u64) -> (u64, u64, u64) {
    // Since 0000-03-01, in periods of 400 years.
    let days = days + 719_468;
    let (period, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (400 * period + year + if month <= 2 { 1 } else { 0 }, month, day)
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test that overflows has failed")]
mod tests {
    use crate::policy::time::parse;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn moments_are_written_as_short_as_they_are() {
        for text in [
            "1970-01-01T00:00:00Z",
            "2000-02-29T23:59:59Z",
            "2026-11-20T12:00:00.001Z",
            "2026-11-20T12:00:00.25Z",
            "2100-03-01T00:00:00Z",
            "9999-12-31T23:59:59.999Z",
        ] {
            assert_eq!(parse(text).map(write).as_deref(), Ok(text));
        }
        assert_eq!(write(Moment::new(u64::MAX)), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn every_day_until_9999_is_read_as_it_was_written() {
        for midnight in (0..=MAX).step_by(DAY as usize) {
            let midnight = Moment::new(midnight);
            assert_eq!(parse(&write(midnight)), Ok(midnight));
        }
    }

    proptest! {
        #[test]
        fn reading_what_was_written_gives_the_same(moment in 0..=MAX) {
            for moment in [moment, moment / 1_000 * 1_000, moment / DAY * DAY].map(Moment::new) {
                prop_assert_eq!(parse(&write(moment)), Ok(moment));
            }
        }

        #[test]
        fn later_moments_are_later_texts(a in 0..=MAX / 1_000, b in 0..=MAX / 1_000) {
            let text = |seconds: u64| write(Moment::new(seconds * 1_000));
            prop_assert_eq!(a.cmp(&b), text(a).cmp(&text(b)));
        }
    }
}
