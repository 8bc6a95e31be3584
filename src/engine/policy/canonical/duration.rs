//! Durations as text: milliseconds -> `90s`, `15m`, `365d`.

use std::fmt::Write as _;

use crate::policy::duration::UNITS;
use crate::units::Millis;

/// The shortest text of a duration; of equally short ones the one of fewest and largest units:
/// `90s`, `1w`, `365d`, `1d1ms`.
pub fn write(duration: Millis) -> String {
    let milliseconds = duration.get();
    if milliseconds == 0 {
        return "0s".into();
    }
    // Every selection of units is tried: there are only 63. The larger number selects larger units.
    let texts = (1..64_u8).rev().filter_map(|units| in_units(milliseconds, units));
    texts.min_by_key(|(text, parts)| (text.len(), *parts)).map(|(text, _)| text).unwrap_or_default()
}

/// A duration in the selected units (bit 5 is the first of [`UNITS`]) and how many parts it took;
/// `None` where they leave a rest.
fn in_units(milliseconds: u64, selected: u8) -> Option<(String, usize)> {
    let mut text = String::new();
    let mut parts = 0_usize;
    let mut rest = milliseconds;
    for (position, (unit, length)) in UNITS.iter().rev().enumerate().rev() {
        let count = rest.checked_div(*length).filter(|_| (selected >> position) & 1 == 1);
        let Some(count @ 1..) = count else { continue };
        rest = rest.checked_rem(*length)?;
        parts = parts.saturating_add(1);
        write!(text, "{count}{unit}").ok()?;
    }
    (rest == 0).then_some((text, parts))
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test that overflows has failed")]
mod tests {
    use crate::policy::duration::{MAX, parse};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_written_as_short_as_possible() {
        for (milliseconds, text) in [
            (0, "0s"),
            (1, "1ms"),
            (1_000, "1s"),
            (1_500, "1500ms"),
            (60_000, "1m"),
            (90_000, "90s"),
            (5_400_000, "90m"),
            (43_200_000, "12h"),
            (86_400_000, "1d"),
            (604_800_000, "1w"),
            (31_536_000_000, "365d"),
            (2_592_000_000, "30d"),
            (86_400_001, "1d1ms"),
            (3_661_000, "3661s"),
            (MAX, "3650d"),
        ] {
            assert_eq!(write(Millis::new(milliseconds)), text);
        }
    }

    proptest! {
        #[test]
        fn reading_what_was_written_gives_the_same(milliseconds in 0..=MAX, unit in 0..6_usize) {
            let (_, length) = UNITS[unit];
            for milliseconds in [milliseconds, milliseconds / length * length].map(Millis::new) {
                prop_assert_eq!(parse(&write(milliseconds)), Ok(milliseconds));
            }
        }

        #[test]
        fn no_text_stops_the_reader(text in "[0-9a-z.wdhms +-]{0,20}|\\PC*") {
            if let Ok(milliseconds) = parse(&text) {
                let written = write(milliseconds);
                prop_assert!(written.len() <= text.len().max(2), "{} {}", text, written);
                prop_assert_eq!(parse(&written), Ok(milliseconds));
            }
        }
    }
}
