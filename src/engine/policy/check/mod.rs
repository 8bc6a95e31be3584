//! Rules over several fields, checked where each field could be read on its own.

mod cookies;
mod headers;
mod layers;
mod metrics;
mod names;
mod overrides;
mod ramp;
mod variants;

pub(super) use names::SplitNames;
pub(super) use variants::check_sum;

use super::cursor::Cursor;
use super::{Policy, Split};

/// Checks what holds for all splits, before any of them is read.
pub(super) fn check_policy(policy: &Policy, root: &Cursor) {
    headers::check(policy, root);
}

/// Checks a split on its own.
pub(super) fn check_split(policy: &Policy, split: &Split, at: &Cursor) {
    headers::check_split(policy, split, at);
    variants::check(split, at);
    overrides::check(&split.overrides, &at.field("overrides"));
    ramp::check(split, at);
}

/// Checks all splits together.
pub(super) fn check_splits(policy: &Policy, root: &Cursor) {
    let splits = root.field("splits");
    layers::check(policy, root);
    metrics::check(policy, &splits);
    cookies::check(policy, &splits);
}
