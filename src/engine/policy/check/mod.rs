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

use super::sink::{Path, Sink};
use super::{Policy, Split, Value};

/// Checks what holds for all splits, before any of them is read.
pub(super) fn check_policy(policy: &Policy, sink: &mut Sink) {
    headers::check(policy, sink);
}

/// Checks a split on its own; `written` is how it stands in the document.
pub(super) fn check_split(
    policy: &Policy,
    split: &Split,
    written: &Value,
    path: &Path,
    sink: &mut Sink,
) {
    headers::check_split(policy, split, path, sink);
    variants::check(split, path, sink);
    overrides::check(&split.overrides, path, sink);
    ramp::check(split, written, path, sink);
}

/// Checks all splits together.
pub(super) fn check_splits(policy: &Policy, sink: &mut Sink) {
    layers::check(policy, sink);
    metrics::check(policy, sink);
    cookies::check(policy, sink);
}
