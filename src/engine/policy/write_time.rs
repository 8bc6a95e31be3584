//! Writing back what has to do with time: cookies, `sticky`, `ramp`. What is written reads as an
//! equal value; defaults are left out.

use super::{CookieOptions, Ramp, SameSite, Sticky, Value, Variant, Weight, duration, time};

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
pub(super) fn write_ramp(ramp: &Ramp, variants: &[Variant]) -> Value {
    let weights = |weights: &[Weight]| {
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
fn write_cookie(fields: &mut Vec<(String, Value)>, cookie: &CookieOptions, default_ttl: u64) {
    if cookie.ttl != default_ttl {
        fields.push(text("ttl", duration::write(cookie.ttl.saturating_mul(1_000))));
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
#[expect(clippy::arithmetic_side_effects, reason = "a test that overflows has failed")]
mod tests {
    use proptest::prelude::*;

    use super::super::read::cookie::read_generated_cookie;
    use super::super::read::ramp::read_ramp;
    use super::super::read::sticky::read_sticky;
    use super::super::{RampStep, WeightTotal};
    use super::*;
    use crate::policy::sink::{Path, Sink};

    /// Reads what was written; only the warning of a long life may be said of it.
    fn read<T>(value: &Value, read: impl FnOnce(&Value, &Path, &mut Sink) -> Option<T>) -> T {
        let mut sink = Sink::default();
        let found = read(value, &Path::Root, &mut sink);
        let errors = sink.diagnostics.iter().filter(|d| d.code.as_str() != "cookie_ttl_capped");
        assert_eq!(errors.collect::<Vec<_>>(), Vec::<&super::super::Diagnostic>::new());
        found.unwrap()
    }

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
        assert_eq!(write_weight(Weight::from_units(50_000)), Value::Integer(5));
        assert_eq!(write_weight(Weight::from_units(1)), Value::Float(0.0001));
        assert_eq!(write_weight(Weight::MAX), Value::Integer(1_000_000_000));
    }

    fn cookies() -> impl Strategy<Value = CookieOptions> {
        let name = "(split-checkout|uid|__Secure-u|[A-Za-z!#$~]{1,12})";
        let ttl = prop_oneof![
            Just(CookieOptions::GENERATE_TTL),
            Just(CookieOptions::STICKY_TTL),
            1..=3_650 * 86_400_u64
        ];
        let domain = prop::option::of("[a-z]{1,5}(\\.[a-z0-9]{1,5}){0,2}\\.[a-z]{2,3}");
        let same_site = prop::sample::select(vec![SameSite::Lax, SameSite::Strict, SameSite::None]);
        let all = (name, ttl, domain, any::<(bool, bool, bool)>(), same_site);
        all.prop_map(|(name, ttl, domain, (secure, http_only, partitioned), same_site)| {
            // Only combinations that may be written.
            let needs = partitioned || same_site == SameSite::None || name.starts_with("__");
            let secure = secure || needs;
            CookieOptions { name, ttl, domain, secure, http_only, same_site, partitioned }
        })
    }

    fn ramps() -> impl Strategy<Value = Ramp> {
        let weights = prop::collection::vec(0..=Weight::MAX.units(), 2);
        let weights = weights.prop_map(|all| all.into_iter().map(Weight::from_units).collect());
        let after = prop_oneof![0..=duration::MAX, (0..=3_650_u64).prop_map(|d| d * 86_400_000)];
        let steps = prop::collection::btree_map(after, weights, 1..5);
        let all =
            (0..=253_402_300_799_999_u64, steps, any::<bool>(), prop::option::of(any::<u32>()));
        all.prop_map(|(start, steps, linear, pause)| {
            let step = |(after, weights)| RampStep { after, weights };
            let pause = pause.map(|later| (start + u64::from(later)).min(253_402_300_799_999));
            Ramp { start, steps: steps.into_iter().map(step).collect(), linear, pause }
        })
    }

    proptest! {
        #[test]
        fn a_cookie_is_read_as_it_was(cookie in cookies()) {
            let written = write_generated_cookie(&cookie);
            prop_assert_eq!(read(&written, read_generated_cookie), cookie);
        }

        #[test]
        fn a_sticky_is_read_as_it_was(
            cookie in cookies(), epoch in prop_oneof![0..3_u32, any::<u32>()], secret in "[!-~]{16,40}",
        ) {
            let sticky = Sticky { cookie, epoch, secret: secret.as_str().into() };
            let written = write_sticky(&sticky, "checkout");
            prop_assert_eq!(read(&written, |v, p, s| read_sticky(v, p, s, Some("checkout"))), sticky);
        }

        #[test]
        fn a_ramp_is_read_as_it_was(ramp in ramps()) {
            let variants = ["stable", "canary"].map(|name| Variant { name: name.into(), ..Variant::default() });
            let written = write_ramp(&ramp, &variants);
            let found = read(&written, |v, p, s| read_ramp(v, p, s, Some(&variants), WeightTotal::Any));
            prop_assert_eq!(found, ramp);
        }
    }
}
