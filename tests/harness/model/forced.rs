//! What is forced: from outside, by somebody who knows the secret, or by an override.

use serde_json::Value;

use super::matching::{cookies, lines};
use super::{Situation, list, meets_any, text};

/// What a request wants to force; `Err` where it does not know the secret.
fn wanted(policy: &Value, situation: &Situation) -> Result<Option<String>, ()> {
    let force = &policy["force"];
    let first = |name: &str| lines(&situation.headers, name).into_iter().next();
    let wanted = first(force["header"].as_str().unwrap_or("x-split-force"));
    let Some(wanted) = wanted.filter(|_| !force.is_null()) else { return Ok(None) };
    let secret = &force["secret"];
    let shown = match secret["header"].as_str() {
        Some(header) => first(header),
        None => cookies(&situation.headers, text(&secret["cookie"])).into_iter().next(),
    };
    if shown.is_none_or(|shown| shown != text(&secret["value"]).as_bytes()) {
        return Err(());
    }
    Ok(Some(String::from_utf8(wanted).expect("tests force by text")))
}

/// Whether a request wants to force something and does not know the secret.
pub fn force_refused(policy: &Value, situation: &Situation) -> bool {
    wanted(policy, situation).is_err()
}

/// The variant that the request names, and may name.
pub(super) fn from_outside(policy: &Value, split: &Value, situation: &Situation) -> Option<String> {
    let wanted = wanted(policy, situation).ok()??;
    let members = wanted.split(',').filter_map(|member| member.trim().split_once('='));
    let mut named = members.filter(|(name, _)| *name == text(&split["name"]));
    let (_, variant) = named.next()?;
    let known = list(&split["variants"]).iter().any(|v| v["name"] == variant);
    known.then(|| variant.to_owned())
}

/// What the first override that holds says: a variant, or that the split does not apply.
pub(super) fn by_override(
    policy: &Value,
    split: &Value,
    situation: &Situation,
) -> Option<Option<String>> {
    let overrides = list(&split["overrides"]);
    let holds = overrides.iter().find(|o| meets_any(policy, &o["match"], situation))?;
    Some(holds["variant"].as_str().map(str::to_owned))
}

/// How many overrides are tried for a request that gets as far as them: none where a variant is
/// forced from outside, else up to the first that holds.
pub fn tried_overrides(policy: &Value, split: &Value, situation: &Situation) -> usize {
    if from_outside(policy, split, situation).is_some() {
        return 0;
    }
    let overrides = list(&split["overrides"]);
    let holds = overrides.iter().position(|o| meets_any(policy, &o["match"], situation));
    holds.map_or(overrides.len(), |first| first + 1)
}
