//! Rules over what a split does with a user, and with a request that has none.

use crate::policy::cursor::Cursor;
use crate::policy::{Assignment, Code, KeySource, MirrorBy, OnMissingKey, Policy, Split};

/// Checks what a split asks of a user.
pub(super) fn check(policy: &Policy, split: &Split, at: &Cursor) {
    check_missing_key(split, at);
    if split.key.is_empty() && split.assignment == Assignment::Random {
        check_keyless(policy, split, at);
    }
}

/// Whether a request without a key gets to the point at which `on_missing_key` is asked, and if not, why.
fn why_never_asked(split: &Split) -> Option<&'static str> {
    let generates = split.key.iter().any(|source| matches!(source, KeySource::Generate(_)));
    if split.assignment == Assignment::Random {
        Some("with `assignment: random` nobody needs a key")
    } else if generates {
        Some("`generate` always gives a key")
    } else if split.slice.is_some() {
        Some("a request without a key is in no `slice`, and so not in the split")
    } else {
        None
    }
}

/// Whether requests without a key are served the baseline.
pub(super) fn serves_keyless_the_baseline(split: &Split) -> bool {
    split.on_missing_key == OnMissingKey::Baseline && why_never_asked(split).is_none()
}

fn check_missing_key(split: &Split, at: &Cursor) {
    let never = why_never_asked(split).filter(|_| match split.on_missing_key {
        OnMissingKey::Baseline => false,
        OnMissingKey::Random => true,
        // To be left out is what it asks for.
        OnMissingKey::Skip => split.slice.is_none(),
    });
    if let Some(why) = never {
        at.field("on_missing_key")
            .report(Code::NoEffect, format!("`on_missing_key` is never asked: {why}"))
            .help("remove the field");
    }
}

/// Warns of what takes a user, in a split that knows none.
fn check_keyless(policy: &Policy, split: &Split, at: &Cursor) {
    const HELP: &str = "give the split a `key`, or remove the field";
    if split.slice.is_some() {
        let message =
            "a slice holds users, and without a `key` the split has none: it never applies";
        at.field("slice").report(Code::NeverApplies, message).help(HELP);
    }
    if split.mirror.as_ref().is_some_and(|mirror| mirror.by == MirrorBy::User) {
        let message =
            "copies are of users, and without a `key` the split has none: nothing is copied";
        at.field("mirror")
            .report(Code::NoEffect, message)
            .help("write `by: request`, or give the split a `key`");
    }
    if policy.holdout.is_some() {
        let message =
            format!("`holdout` holds nobody back in `{}`, which has no `key`", split.name);
        at.report(Code::NoEffect, message)
            .help("give the split a `key`; `assignment: random` draws all the same");
    }
}
