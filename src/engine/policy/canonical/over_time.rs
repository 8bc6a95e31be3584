//! Writing back what has to do with time: cookies, `sticky`, `ramp`, `guard`. What is written reads as an
//! equal value; defaults are left out.

use crate::ids::{List, VariantId};
use crate::policy::{
    CookieOptions, Guard, Ramp, Release, SameSite, Slow, Sticky, Value, Variant, Weight,
};
use crate::units::{Millis, Ratio};

use super::{Object, duration, text, time, word};

/// A key source's `generate`.
pub(super) fn write_generated_cookie(cookie: &CookieOptions) -> Value {
    let mut object = Object::default();
    object.put("cookie", text(&cookie.name));
    write_cookie(&mut object, cookie, "generate");
    object.into()
}

/// The `sticky` of the split of that name. The secret is written as it is.
pub(super) fn write_sticky(sticky: &Sticky, split: &str) -> Value {
    let name = &sticky.cookie.name;
    let mut object = Object::default();
    object.put_if("cookie", *name != Sticky::default_cookie(split), || text(name));
    write_cookie(&mut object, &sticky.cookie, "sticky");
    object.put("epoch", Value::Integer(sticky.epoch.into()));
    object.put("secret", text(sticky.secret.reveal()));
    object.into()
}

/// The `ramp` of the split that has these variants.
pub(super) fn write_ramp(ramp: &Ramp, variants: &List<VariantId, Variant>) -> Value {
    let weights = |weights: &List<VariantId, Weight>| {
        let named = variants.iter().zip(weights);
        Value::Object(named.map(|(v, weight)| (v.name.clone(), write_weight(*weight))).collect())
    };
    let steps = ramp.steps.iter().map(|step| {
        Object::of([
            ("after", text(&duration::write(step.after))),
            ("weights", weights(&step.weights)),
        ])
    });
    let mut object = Object::default();
    object.put("start", text(&time::write(ramp.start)));
    object.put("steps", Value::List(steps.collect()));
    object.put("linear", Value::Bool(ramp.linear));
    object.put_some("pause", ramp.pause.map(|pause| text(&time::write(pause))));
    object.into()
}

/// The `guard` of a split.
pub(super) fn write_guard(guard: &Guard) -> Value {
    let mut object = Object::default();
    let slow = guard.slow.map(|Slow { over, ratio }| (Some(over), ratio));
    for (name, kind) in [("errors", guard.errors.map(|ratio| (None, ratio))), ("slow", slow)] {
        let Some((over, ratio)) = kind else { continue };
        let mut kind = Object::default();
        kind.put_some("over", over.map(|over: Millis| text(&duration::write(over))));
        kind.put_in(name, "ratio", write_ratio(ratio));
        object.put(name, kind.into());
    }
    // It is at most 10^12.
    object.put("false_trips", Value::Integer(guard.false_trips.cast_signed()));
    object.put("release", write_release(guard.release));
    object.into()
}

pub(super) fn write_ratio(ratio: Ratio) -> Value {
    Weight::from_units(ratio.units().into()).map_or(Value::Null, write_weight)
}

pub(super) fn write_release(release: Release) -> Value {
    match release {
        Release::Policy => text(Release::POLICY),
        Release::After(time) => text(&duration::write(time)),
    }
}

/// A weight: whole where it is whole.
pub(super) fn write_weight(weight: Weight) -> Value {
    let units = weight.units();
    match i64::try_from(units / Weight::UNITS_PER_ONE) {
        Ok(whole) if units.is_multiple_of(Weight::UNITS_PER_ONE) => Value::Integer(whole),
        // Both are exact as doubles (a weight has less than 2^53 units), so the quotient is the
        // double nearest to the decimal: the same that its text is read as.
        _ => Value::Float(units as f64 / Weight::UNITS_PER_ONE as f64),
    }
}

/// The attributes of a cookie besides its name; `object` is where it stands.
fn write_cookie(fields: &mut Object, cookie: &CookieOptions, object: &str) {
    fields.put_in(object, "ttl", text(&duration::write(cookie.ttl.into())));
    fields.put_some("domain", cookie.domain.as_deref().map(text));
    fields.put("secure", Value::Bool(cookie.secure));
    fields.put("http_only", Value::Bool(cookie.http_only));
    fields.put("same_site", word(cookie.same_site, SameSite::ALL));
    fields.put("partitioned", Value::Bool(cookie.partitioned));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_left_out() {
        let cookie = CookieOptions::new("uid".into(), CookieOptions::GENERATE_TTL);
        let written = Object::of([("cookie", text("uid"))]);
        assert_eq!(write_generated_cookie(&cookie), written);
        let cookie = CookieOptions::new("split-checkout".into(), CookieOptions::STICKY_TTL);
        let sticky = Sticky { cookie, epoch: 0, secret: "0123456789abcdef".into() };
        let written = Object::of([("secret", text("0123456789abcdef"))]);
        assert_eq!(write_sticky(&sticky, "checkout"), written);
    }

    #[test]
    fn weights_are_written_as_short_as_they_are() {
        assert_eq!(write_weight(Weight::from_units(50_000).unwrap()), Value::Integer(5));
        assert_eq!(write_weight(Weight::from_units(1).unwrap()), Value::Float(0.0001));
        assert_eq!(write_weight(Weight::MAX), Value::Integer(1_000_000_000));
    }
}
