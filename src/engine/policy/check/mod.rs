//! Rules over several fields, checked where each field could be read on its own.

mod collisions;
mod cookies;
mod edits;
mod effort;
mod fallback;
mod guard;
mod headers;
mod keys;
mod layers;
mod metrics;
mod names;
mod outcomes;
mod overrides;
mod ramp;
mod requires;
mod unused;
mod variants;
mod wishes;

pub(super) use names::SplitNames;
pub(super) use variants::check_sum;

use super::cursor::Cursor;
use super::{ADVISES, Policy, Split};

/// Checks what holds for all splits, before any of them is read.
pub(super) fn check_policy(policy: &Policy, root: &Cursor) {
    headers::check(policy, root);
    if ADVISES {
        outcomes::check(policy, root);
    }
}

/// Checks a split on its own.
pub(super) fn check_split(policy: &Policy, split: &Split, at: &Cursor) {
    headers::check_split(policy, split, at);
    variants::check(split, at);
    if ADVISES {
        variants::advise(split, at);
        fallback::check(split, at);
        edits::check(policy, split, at);
        keys::check(policy, split, at);
        cookies::check_split(split, at);
        overrides::check(&split.overrides, &at.field("overrides"));
        ramp::check(split, at);
        guard::check(policy, split, at);
    }
}

/// Checks all splits together.
pub(super) fn check_splits(policy: &Policy, root: &Cursor) {
    let splits = root.field("splits");
    metrics::check(policy, &splits);
    cookies::check(policy, &splits);
    if ADVISES {
        layers::check(policy, root);
        unused::check(policy, root);
        let mut effort = effort::Effort::new();
        requires::check(policy, &splits, &mut effort);
        collisions::check(policy, &splits, &mut effort);
    }
}

#[cfg(test)]
mod tests;
