//! Rules over what stands in for a variant whose hosts are gone.

use crate::ids::Id as _;
use crate::policy::cursor::Cursor;
use crate::policy::{Code, Split};

/// Warns of a `fallback` for which there is nobody, or which hands over requests made for another service.
pub(super) fn check(split: &Split, at: &Cursor) {
    let list = at.field("variants");
    let baseline = &split.variants[split.baseline];
    for (id, variant) in split.variants.pairs().filter(|(_, variant)| variant.fallback.is_some()) {
        let at = list.index(id.place());
        let at = at.field("fallback");
        let (name, other) = (&variant.name, &baseline.name);
        if split.stand_in(id).is_none() {
            let why = if id == split.baseline {
                format!("`{name}` is the baseline itself, and nobody stands in for it")
            } else if variant.cluster.is_none() {
                format!("`{name}` names no `cluster`, so its requests take the route's own")
            } else if baseline.cluster.is_none() {
                format!("the baseline `{other}` names no `cluster` that could stand in")
            } else {
                format!("`{name}` and the baseline `{other}` have the same cluster")
            };
            at.report(Code::NoEffect, why).help("remove the field");
        } else if variant.rewrite != baseline.rewrite {
            let message = format!(
                "the baseline `{other}` would get requests with the host and path that `{name}` rewrites them to"
            );
            at.report(Code::FallbackRewritten, message)
                .help("leave out `fallback`, unless the baseline's service answers those too");
        }
    }
}
