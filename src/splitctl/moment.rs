//! Moments and durations on the command line, written as in a policy: `--at now`, `--at 2026-11-20T12:00:00Z`,
//! `--every 1h30m`.

use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use engine::policy::{duration, time};
use engine::units;
use policy_text::canonical;
use serde::{Serialize, Serializer};

/// Reads a moment, for `value_parser`.
///
/// # Errors
/// Says in words why the text is none.
pub fn parse(text: &str) -> Result<units::Moment, String> {
    if text == "now" {
        return Ok(now());
    }
    time::parse(text).map_err(|why| format!("it {why}; {}, or `now`", time::FORM))
}

/// A moment as text.
pub fn write(moment: units::Moment) -> String {
    canonical::time::write(moment)
}

/// The present.
pub fn now() -> units::Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    units::Moment::new(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A moment; in JSON as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub units::Moment);

impl Moment {
    /// The present.
    pub fn now() -> Self {
        Self(now())
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text).map(Self)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&write(self.0))
    }
}

/// A duration above 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period(pub units::Millis);

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match duration::parse(text) {
            Ok(duration) if duration == units::Millis::default() => {
                Err("it is no time at all".into())
            }
            Ok(duration) => Ok(Self(duration)),
            Err(why) => Err(format!("it {why}; {}", duration::FORM)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_timestamp_or_now() {
        assert_eq!(parse("1970-01-01T00:00:01Z"), Ok(units::Moment::new(1_000)));
        assert!(parse("now").unwrap() > parse("2024-01-01T00:00:00Z").unwrap());
        let why = parse("tomorrow").unwrap_err();
        assert!(why.contains("such as `2026-11-20T12:00:00Z`"), "{why}");
        assert_eq!(write(units::Moment::new(1_000)), "1970-01-01T00:00:01Z");
    }

    #[test]
    fn moments_and_periods_are_written_as_in_a_policy() {
        assert_eq!(
            "2026-11-20T13:00:00+01:00".parse(),
            Ok(Moment(units::Moment::new(1_795_176_000_000)))
        );
        assert_eq!(
            Moment(units::Moment::new(1_795_176_000_000)).to_string(),
            "2026-11-20T12:00:00Z"
        );
        assert_eq!("1h30m".parse(), Ok(Period(units::Millis::new(5_400_000))));
        assert!("0s".parse::<Period>().is_err() && "5".parse::<Period>().is_err());
    }
}
