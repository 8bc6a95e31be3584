//! Rules over the cookies of all splits: a response sets each cookie once, so that of two uses of
//! one cookie all but the first would be lost without a word.

use crate::ids::{Id as _, SplitId};
use crate::policy::name_map::NameMap;
use crate::policy::sink::{Path, Sink};
use crate::policy::{Code, CookieOptions, KeySource, Policy, Split};

/// Checks the cookies of all splits; run once all splits are read.
pub(super) fn check(policy: &Policy, sink: &mut Sink) {
    let list = Path::Field(&Path::Root, "splits");
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
                        report(&cookie.name, first, &Path::Index(&list, index), "key", sink);
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
            report(&sticky.cookie.name, first, &Path::Index(&list, index), "sticky", sink);
        }
    }
}

fn generates(split: &Split) -> Option<&CookieOptions> {
    split.key.iter().find_map(|source| match source {
        KeySource::Generate(cookie) => Some(cookie),
        _ => None,
    })
}

fn report(cookie: &str, first: &Split, path: &Path, field: &str, sink: &mut Sink) {
    let message =
        format!("cookie `{cookie}` is that of `{}` already, for something else", first.name);
    sink.report(Code::CookieConflict, &Path::Field(path, field), message).help(
        "give each use a cookie of its own; splits that share a generated key write it alike",
    );
}
