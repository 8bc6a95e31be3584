//! What fields mean that are not written. The engine's own types say it; here it stands by the names of the fields, for
//! the schema, and whoever compares documents. What is written leaves out the same.

use std::sync::LazyLock;

use crate::policy::{
    Assignment, CookieOptions, Force, Guard, Holdout, MirrorBy, OnMissingKey, Outcomes, Policy,
    Release, SameSite, Value, Weight,
};
use crate::units::Seconds;

use super::duration;
use super::writer::{Scalar, text_of};

/// Every field that has a default, with it; after the name of its object where another object has a field of that name.
pub static DEFAULTS: LazyLock<Vec<(&str, Value)>> = LazyLock::new(|| {
    let policy = Policy::default();
    let cookie = CookieOptions::new(String::new(), CookieOptions::GENERATE_TTL);
    let ttl = |ttl: Seconds| Value::String(duration::write(ttl.into()));
    vec![
        ("cluster_header", text(&policy.cluster_header)),
        ("variant_header", policy.variant_header.as_deref().map_or(Value::Null, text)),
        ("mirror_header", text(&policy.mirror_header)),
        ("baggage", Value::Bool(policy.baggage)),
        ("vary", Value::Bool(policy.vary)),
        ("kill", Value::Bool(policy.kill)),
        ("outcomes", word(policy.outcomes, Outcomes::ALL)),
        ("force.header", text(Force::HEADER)),
        ("holdout.salt", text(Holdout::SALT)),
        ("enabled", Value::Bool(true)),
        ("on_missing_key", word(OnMissingKey::default(), OnMissingKey::ALL)),
        ("assignment", word(Assignment::default(), Assignment::ALL)),
        ("algorithm", text("rendezvous")),
        ("weight_total", weight(Weight::HUNDRED)),
        ("by", word(MirrorBy::default(), MirrorBy::ALL)),
        ("drain", Value::Bool(false)),
        ("body", text("")),
        ("generate.ttl", ttl(CookieOptions::GENERATE_TTL)),
        ("sticky.ttl", ttl(CookieOptions::STICKY_TTL)),
        ("secure", Value::Bool(cookie.secure)),
        ("http_only", Value::Bool(cookie.http_only)),
        ("same_site", word(cookie.same_site, SameSite::ALL)),
        ("partitioned", Value::Bool(cookie.partitioned)),
        ("epoch", Value::Integer(0)),
        ("linear", Value::Bool(false)),
        ("errors.ratio", weight(Guard::ERRORS.into())),
        ("slow.ratio", weight(Guard::SLOW.into())),
        ("false_trips", Value::Integer(Guard::FALSE_TRIPS.cast_signed())),
        ("release", text(Release::POLICY)),
        ("not", Value::Bool(false)),
        ("ignore_case", Value::Bool(false)),
    ]
});

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn weight(weight: Weight) -> Value {
    Scalar::from(weight).into()
}

fn word<T: PartialEq>(value: T, all: &[(&str, T)]) -> Value {
    text_of(value, all).map_or(Value::Null, text)
}

/// What the field at a path means that is not written, `None` where it is required, or nothing is the same as nothing.
pub fn default_of(path: &str) -> Option<&'static Value> {
    let is = |known: &str| {
        path.strip_suffix(known).is_some_and(|before| before.is_empty() || before.ends_with('.'))
    };
    DEFAULTS.iter().find(|(known, _)| is(known)).map(|(_, value)| value)
}
