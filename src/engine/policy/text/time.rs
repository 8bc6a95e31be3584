//! Moments as text: RFC 3339 timestamps -> milliseconds since 1970.
//!
//! Own code: a policy needs only this much of a calendar, and every proxy fetches the module, so a
//! date library would have to earn its bytes.

use crate::units::Moment;

/// The last moment that can be written, in milliseconds since 1970: `9999-12-31T23:59:59.999Z`.
pub const MAX: u64 = 253_402_300_799_999;
/// Days of a year before each month, and of the whole year, where February has 28.
const DAYS_BEFORE: [u64; 13] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];

/// How a moment is written, for help.
pub const FORM: &str = "a time is RFC 3339 with its offset, such as `2026-11-20T12:00:00Z` or `2026-11-20T13:00:00+01:00`";

/// Reads a timestamp: `2026-11-20T12:00:00Z`, with fractions of a second
/// down to a millisecond, with an offset such as `+01:00` in the place of `Z`.
///
/// # Errors
/// Says in words why the text is no timestamp.
pub fn parse(text: &str) -> Result<Moment, &'static str> {
    const FORMAT: &str = "is not of the form `2026-11-20T12:00:00Z`";
    let mut reader = Reader { rest: text.as_bytes() };
    let year = reader.digits(4).ok_or(FORMAT)?;
    let month = reader.then(b'-', 2).ok_or(FORMAT)?;
    let day = reader.then(b'-', 2).ok_or(FORMAT)?;
    if reader.rest.is_empty() {
        return Err("is a date without a time of day");
    }
    let hour = reader.then(b'T', 2).ok_or(FORMAT)?;
    let minute = reader.then(b':', 2).ok_or(FORMAT)?;
    let second = reader.then(b':', 2).ok_or(FORMAT)?;
    let fraction = reader.fraction()?;
    let offset = reader.offset()?;
    if !(1..=12).contains(&month) {
        return Err("has a month that is not 01 to 12");
    }
    let days = days_before(year, month.saturating_add(1)).abs_diff(days_before(year, month));
    if day == 0 || day > days {
        return Err("has a day that its month does not have");
    }
    if second == 60 {
        return Err("is a leap second, which clocks do not show; use the second before or after");
    }
    if hour > 23 || minute > 59 || second > 59 {
        return Err("has a time of day that is not 00:00:00 to 23:59:59");
    }
    const EARLY: &str = "is before 1970";
    let days = days_until(year, month, day).ok_or(EARLY)?;
    let seconds = days
        .saturating_mul(86_400)
        .saturating_add(hour.saturating_mul(3_600))
        .saturating_add(minute.saturating_mul(60))
        .saturating_add(second);
    // East of Greenwich the clock is ahead, so that the moment is earlier than it says.
    let seconds = match offset {
        Offset::East(offset) => seconds.checked_sub(offset).ok_or(EARLY)?,
        Offset::West(offset) => seconds.saturating_add(offset),
    };
    let moment = seconds.saturating_mul(1_000).saturating_add(fraction);
    if moment > MAX { Err("is after the year 9999") } else { Ok(Moment::new(moment)) }
}

/// Seconds between a local clock and UTC.
enum Offset {
    East(u64),
    West(u64),
}

/// Reads a text of ASCII from left to right.
struct Reader<'t> {
    rest: &'t [u8],
}

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    /// A number of exactly so many digits, at most 4.
    fn digits(&mut self, count: usize) -> Option<u64> {
        let (digits, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        digits.iter().try_fold(0_u64, |number, digit| {
            let digit = digit.is_ascii_digit().then(|| digit.wrapping_sub(b'0'))?;
            number.checked_mul(10)?.checked_add(digit.into())
        })
    }

    /// That byte and then a number of exactly so many digits.
    fn then(&mut self, byte: u8, count: usize) -> Option<u64> {
        (self.byte()? == byte).then(|| self.digits(count))?
    }

    /// A fraction of a second in milliseconds, if there is one.
    fn fraction(&mut self) -> Result<u64, &'static str> {
        if self.rest.first() != Some(&b'.') {
            return Ok(0);
        }
        self.byte();
        let mut milliseconds = 0_u64;
        let mut unit = 100_u64;
        let mut none = true;
        while let Some(digit) = self.rest.first().filter(|b| b.is_ascii_digit()) {
            let digit = u64::from(digit.wrapping_sub(b'0'));
            if unit == 0 && digit != 0 {
                return Err("is finer than a millisecond");
            }
            milliseconds = milliseconds.saturating_add(digit.saturating_mul(unit));
            unit /= 10;
            none = false;
            self.byte();
        }
        if none { Err("has no digits after its point") } else { Ok(milliseconds) }
    }

    /// `Z`, or `+01:00`, and then the end.
    fn offset(&mut self) -> Result<Offset, &'static str> {
        const FORMAT: &str = "does not end with `Z` or an offset such as `+01:00`";
        let sign = self.byte().ok_or("does not say in which time zone: add `Z` for UTC")?;
        let (hour, minute) = match sign {
            b'Z' => (0, 0),
            b'+' | b'-' => (self.digits(2).ok_or(FORMAT)?, self.then(b':', 2).ok_or(FORMAT)?),
            _ => return Err(FORMAT),
        };
        if !self.rest.is_empty() {
            return Err(FORMAT);
        }
        if hour > 23 || minute > 59 {
            return Err("has an offset that is not -23:59 to +23:59");
        }
        let seconds = hour.saturating_mul(3_600).saturating_add(minute.saturating_mul(60));
        Ok(if sign == b'-' { Offset::West(seconds) } else { Offset::East(seconds) })
    }
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// Days of a year before one of its months; before the 13th, all of them.
fn days_before(year: u64, month: u64) -> u64 {
    let index = usize::try_from(month.saturating_sub(1)).unwrap_or(usize::MAX);
    let days = DAYS_BEFORE.get(index).copied().unwrap_or_default();
    days.saturating_add(u64::from(month > 2 && is_leap(year)))
}

/// Days before a year, counted from the (proleptic) year 1.
const fn days_before_year(year: u64) -> u64 {
    let past = year.saturating_sub(1);
    let leap_years = (past / 4).saturating_sub(past / 100).saturating_add(past / 400);
    past.saturating_mul(365).saturating_add(leap_years)
}

/// Days between 1970-01-01 and a date; `None` before it.
fn days_until(year: u64, month: u64, day: u64) -> Option<u64> {
    days_before_year(year)
        .saturating_add(days_before(year, month))
        .saturating_add(day.saturating_sub(1))
        .checked_sub(days_before_year(1970))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_moments_are_read() {
        // Values from `date --utc --date=... +%s`.
        for (text, moment) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00.001Z", 1),
            ("1970-01-01T23:59:59.999Z", 86_399_999),
            ("1970-12-31T23:59:59Z", 31_535_999_000),
            ("1972-02-29T00:00:00Z", 68_169_600_000),
            ("2000-02-28T23:59:59Z", 951_782_399_000),
            ("2000-02-29T00:00:00Z", 951_782_400_000),
            ("2000-03-01T00:00:00Z", 951_868_800_000),
            ("2026-11-20T12:00:00Z", 1_795_176_000_000),
            ("2026-11-20T12:00:00.25Z", 1_795_176_000_250),
            ("2038-01-19T03:14:08Z", 2_147_483_648_000),
            ("2100-02-28T23:59:59Z", 4_107_542_399_000),
            ("2100-03-01T00:00:00Z", 4_107_542_400_000),
            ("2400-02-29T12:00:00Z", 13_574_606_400_000),
            ("9999-12-31T23:59:59.999Z", MAX),
        ] {
            assert_eq!(parse(text), Ok(Moment::new(moment)), "{text}");
        }
    }

    #[test]
    fn one_moment_has_many_spellings() {
        for text in [
            "2026-11-20T12:00:00+00:00",
            "2026-11-20T12:00:00-00:00",
            "2026-11-20T12:00:00.000000Z",
            "2026-11-20T13:00:00+01:00",
            "2026-11-20T17:45:00+05:45",
            "2026-11-20T04:00:00-08:00",
            "2026-11-19T12:01:00-23:59",
            "2026-11-21T11:59:00.0+23:59",
        ] {
            assert_eq!(parse(text), Ok(Moment::new(1_795_176_000_000)), "{text}");
        }
        assert_eq!(parse("1969-12-31T23:00:00-01:00"), Err("is before 1970"));
        assert_eq!(parse("1970-01-01T00:30:00-01:00"), Ok(Moment::new(5_400_000)));
    }

    #[test]
    fn what_is_no_timestamp_is_refused_in_words() {
        for (text, part) in [
            ("", "is not of the form"),
            ("now", "is not of the form"),
            ("1795176000", "is not of the form"),
            ("26-11-20T12:00:00Z", "is not of the form"),
            ("+2026-11-20T12:00:00Z", "is not of the form"),
            ("2026-1-20T12:00:00Z", "is not of the form"),
            ("2026/11/20T12:00:00Z", "is not of the form"),
            ("2026-11-20 12:00:00Z", "is not of the form"),
            ("2026-11-20t12:00:00Z", "is not of the form"),
            ("2026-11-20T12:00Z", "is not of the form"),
            ("2026-11-20T12:00:0", "is not of the form"),
            (" 2026-11-20T12:00:00Z", "is not of the form"),
            ("２026-11-20T12:00:00Z", "is not of the form"),
            ("2026-11-20", "is a date without a time of day"),
            ("2026-11-20T12:00:00", "time zone"),
            ("2026-11-20T12:00:00.5", "time zone"),
            ("2026-11-20T12:00:00z", "does not end with `Z`"),
            ("2026-11-20T12:00:00 Z", "does not end with `Z`"),
            ("2026-11-20T12:00:00Z ", "does not end with `Z`"),
            ("2026-11-20T12:00:00+0100", "does not end with `Z`"),
            ("2026-11-20T12:00:00+1", "does not end with `Z`"),
            ("2026-11-20T12:00:00+01:00Z", "does not end with `Z`"),
            ("2026-11-20T12:00:00,5Z", "does not end with `Z`"),
            ("2026-11-20T12:00:00+24:00", "offset"),
            ("2026-11-20T12:00:00+01:60", "offset"),
            ("2026-11-20T12:00:00.Z", "no digits after its point"),
            ("2026-11-20T12:00:00.0001Z", "finer than a millisecond"),
            ("2026-00-20T12:00:00Z", "month"),
            ("2026-13-20T12:00:00Z", "month"),
            ("2026-11-00T12:00:00Z", "day that its month does not have"),
            ("2026-11-31T12:00:00Z", "day that its month does not have"),
            ("2026-02-29T12:00:00Z", "day that its month does not have"),
            ("2100-02-29T12:00:00Z", "day that its month does not have"),
            ("2026-11-20T24:00:00Z", "time of day"),
            ("2026-11-20T12:60:00Z", "time of day"),
            ("2026-11-20T12:00:61Z", "time of day"),
            ("2016-12-31T23:59:60Z", "leap second"),
            ("1969-12-31T23:59:59Z", "before 1970"),
            ("0000-01-01T00:00:00Z", "before 1970"),
            ("1970-01-01T00:59:59+01:00", "before 1970"),
            ("9999-12-31T23:59:59-00:01", "after the year 9999"),
        ] {
            let why = parse(text).unwrap_err();
            assert!(why.contains(part), "{text}: {why}");
        }
    }

    #[test]
    fn every_day_until_9999_follows_the_one_before() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..=MAX / 86_400_000 {
            assert_eq!(days_until(year, month, day), Some(days));
            // The calendar as it is taught, one day after the other.
            let length =
                [31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            day += 1;
            if day > length[month as usize - 1] {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
        assert_eq!((year, month, day), (10_000, 1, 1));
        let leap_years: Vec<_> = (1896..=2104).step_by(4).filter(|y| !is_leap(*y)).collect();
        assert_eq!(leap_years, [1900, 2100]);
    }

    proptest! {
        #[test]
        fn no_text_stops_the_reader(text in "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{0,5})?([Zz]|[+-][0-9:]{0,6})?|\\PC*") {
            prop_assert!(parse(&text).is_err() || parse(&text) <= Ok(Moment::new(MAX)));
        }
    }
}
