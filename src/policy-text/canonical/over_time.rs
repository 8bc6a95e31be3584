//! Writing back what has to do with time: cookies, `sticky`, `ramp`. What is written reads as an
//! equal value; defaults are left out.

use engine::ids::{List, VariantId};
use engine::policy::{CookieOptions, Ramp, SameSite, Sticky, Value, Variant, Weight};
use engine::units::Seconds;

use super::{duration, time};

/// A key source's `generate`.
pub(super) fn write_generated_cookie(cookie: &CookieOptions) -> Value {
    let mut fields = vec![text("cookie", cookie.name.clone())];
    write_cookie(&mut fields, cookie, CookieOptions::GENERATE_TTL);
    Value::Object(fields)
}

/// The `sticky` of the split of that name. The secret is written as it is.
pub(super) fn write_sticky(sticky: &Sticky, split: &str) -> Value {
    let mut fields = Vec::new();
    if sticky.cookie.name != Sticky::default_cookie(split) {
        fields.push(text("cookie", sticky.cookie.name.clone()));
    }
    write_cookie(&mut fields, &sticky.cookie, CookieOptions::STICKY_TTL);
    if sticky.epoch != 0 {
        fields.push(("epoch".into(), Value::Integer(sticky.epoch.into())));
    }
    fields.push(text("secret", sticky.secret.reveal().to_owned()));
    Value::Object(fields)
}

/// The `ramp` of the split that has these variants.
pub(super) fn write_ramp(ramp: &Ramp, variants: &List<VariantId, Variant>) -> Value {
    let weights = |weights: &List<VariantId, Weight>| {
        let named = variants.iter().zip(weights);
        Value::Object(named.map(|(v, weight)| (v.name.clone(), write_weight(*weight))).collect())
    };
    let steps = ramp.steps.iter().map(|step| {
        Value::Object(vec![
            text("after", duration::write(step.after)),
            ("weights".into(), weights(&step.weights)),
        ])
    });
    let mut fields = vec![
        text("start", time::write(ramp.start)),
        ("steps".into(), Value::List(steps.collect())),
    ];
    if ramp.linear {
        fields.push(("linear".into(), Value::Bool(true)));
    }
    if let Some(pause) = ramp.pause {
        fields.push(text("pause", time::write(pause)));
    }
    Value::Object(fields)
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

/// The attributes of a cookie besides its name.
fn write_cookie(fields: &mut Vec<(String, Value)>, cookie: &CookieOptions, default_ttl: Seconds) {
    if cookie.ttl != default_ttl {
        fields.push(text("ttl", duration::write(cookie.ttl.into())));
    }
    if let Some(domain) = &cookie.domain {
        fields.push(text("domain", domain.clone()));
    }
    if !cookie.secure {
        fields.push(("secure".into(), Value::Bool(false)));
    }
    if !cookie.http_only {
        fields.push(("http_only".into(), Value::Bool(false)));
    }
    let word = SameSite::ALL.iter().find(|(_, same_site)| *same_site == cookie.same_site);
    if let Some((word, _)) = word.filter(|_| cookie.same_site != SameSite::default()) {
        fields.push(text("same_site", (*word).to_owned()));
    }
    if cookie.partitioned {
        fields.push(("partitioned".into(), Value::Bool(true)));
    }
}

fn text(name: &str, text: String) -> (String, Value) {
    (name.to_owned(), Value::String(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_left_out() {
        let cookie = CookieOptions::new("uid".into(), CookieOptions::GENERATE_TTL);
        let written = Value::Object(vec![text("cookie", "uid".into())]);
        assert_eq!(write_generated_cookie(&cookie), written);
        let cookie = CookieOptions::new("split-checkout".into(), CookieOptions::STICKY_TTL);
        let sticky = Sticky { cookie, epoch: 0, secret: "0123456789abcdef".into() };
        let written = Value::Object(vec![text("secret", "0123456789abcdef".into())]);
        assert_eq!(write_sticky(&sticky, "checkout"), written);
    }

    #[test]
    fn weights_are_written_as_short_as_they_are() {
        assert_eq!(write_weight(Weight::from_units(50_000).unwrap()), Value::Integer(5));
        assert_eq!(write_weight(Weight::from_units(1).unwrap()), Value::Float(0.0001));
        assert_eq!(write_weight(Weight::MAX), Value::Integer(1_000_000_000));
    }
}
