//! Reading `guard`: when a variant is taken out of service.

use super::cookie::read_duration;
use crate::policy::cursor::Cursor;
use crate::policy::{Code, Guard, Release, Slow, Value, Weight, limits};
use crate::units::{Millis, Ratio};

pub(crate) fn read_guard(at: &Cursor) -> Option<Guard> {
    let mut fields = at.object()?;
    let errors = fields.optional("errors", |at| read_kind(at, Guard::ERRORS, false));
    let errors = errors.map(|kind| kind.ratio);
    let slow = fields.optional("slow", |at| read_kind(at, Guard::SLOW, true));
    let mut guard =
        Guard { errors, slow, false_trips: Guard::FALSE_TRIPS, release: Release::Policy };
    fields.set("false_trips", &mut guard.false_trips, |at| at.whole(limits::FALSE_TRIPS));
    fields.set("release", &mut guard.release, |at| match at.value {
        Value::String(word) if word == Release::POLICY => Some(Release::Policy),
        _ => read_time(at).map(Release::After),
    });
    let judges = fields.has("errors") || fields.has("slow");
    fields.close();
    if !judges {
        let message = "the guard has neither `errors` nor `slow`";
        let help = "write `errors: {}`";
        return at.refuse(Code::MissingField, message, help);
    }
    Some(guard)
}

/// What is said of a kind of bad events: the ratio, and how long slow ones take.
#[inline(never)]
fn read_kind(at: &Cursor, mut ratio: Ratio, is_slow: bool) -> Option<Slow> {
    let mut fields = at.object()?;
    let over = match is_slow {
        true => fields.required("over", read_time),
        false => Some(Millis::default()),
    };
    fields.set("ratio", &mut ratio, read_ratio);
    fields.close();
    Some(Slow { over: over?, ratio })
}

fn read_ratio(at: &Cursor) -> Option<Ratio> {
    let units = Weight::from_value(at.number()?).map(Weight::units);
    let units = units.ok().and_then(|units| u32::try_from(units).ok());
    units.and_then(Ratio::from_units).or_else(|| {
        let message = format!("`{}` is not a ratio above 1", at.shown());
        let help = "a ratio is up to 1000 with up to four decimals; `1.5` permits half as many again as the baseline has";
        at.refuse(Code::InvalidRatio, message, help)
    })
}

/// A time that is not 0.
fn read_time(at: &Cursor) -> Option<Millis> {
    let time = read_duration(at)?;
    if time > Millis::default() {
        return Some(time);
    }
    at.refuse(
        Code::InvalidDuration,
        format!("`{}` is no time at all", at.value),
        "write one above 0, such as `800ms`",
    )
}
