//! Rules over the cookies of all splits: a response sets each cookie once, so that of two uses of
//! one cookie all but the first would be lost without a word.

use crate::ids::{Id as _, SplitId};
use crate::policy::cursor::Cursor;
use crate::policy::name_map::NameMap;
use crate::policy::{Code, CookieOptions, KeySource, Policy, Split};

/// Checks the cookies of all splits; run once all splits are read.
pub(super) fn check(policy: &Policy, list: &Cursor) {
    let mut generated = NameMap::default();
    let mut used = NameMap::default();
    for (index, split) in policy.splits.iter().enumerate() {
        for source in &split.key {
            match source {
                KeySource::Cookie(name) => {
                    used.insert(name, index);
                }
                // Splits may share a cookie, if they agree on what it is.
                KeySource::Generate(cookie) => {
                    let before = generated.insert(&cookie.name, index);
                    let first = before.map(|before| &policy.splits[SplitId::at(before)]);
                    if let Some(first) = first.filter(|first| generates(first) != Some(cookie)) {
                        report(&cookie.name, first, &list.index(index).field("key"));
                    }
                }
                _ => {}
            }
        }
    }
    for (index, split) in policy.splits.iter().enumerate() {
        let Some(sticky) = &split.sticky else { continue };
        let before = used.insert(&sticky.cookie.name, index);
        if let Some(first) = before.map(|before| &policy.splits[SplitId::at(before)]) {
            report(&sticky.cookie.name, first, &list.index(index).field("sticky"));
        }
    }
}

fn generates(split: &Split) -> Option<&CookieOptions> {
    split.key.iter().find_map(|source| match source {
        KeySource::Generate(cookie) => Some(cookie),
        _ => None,
    })
}

fn report(cookie: &str, first: &Split, at: &Cursor) {
    let message =
        format!("cookie `{cookie}` is that of `{}` already, for something else", first.name);
    at.report(Code::CookieConflict, message).help(
        "give each use a cookie of its own; splits that share a generated key write it alike",
    );
}
