//! Rules over the headers that the filter owns: each has one use, and nothing else reads or edits it.

use crate::policy::cursor::Cursor;
use crate::policy::{Code, KeySource, Policy, Split};

/// Checks the headers that the filter sets.
pub(super) fn check(policy: &Policy, root: &Cursor) {
    let mut taken: Vec<(&str, &str)> = Vec::new();
    let baggage = policy.baggage.then_some(("baggage", "baggage"));
    for (field, name) in policy.owned_headers().chain(baggage) {
        if let Some((first, _)) = taken.iter().find(|(_, other)| *other == name) {
            let message = format!("`{name}` is the `{first}` already");
            root.field(field)
                .report(Code::ControlHeader, message)
                .help("use a header of its own for each");
        }
        taken.push((field, name));
    }
}

fn is_owned(policy: &Policy, name: &str) -> bool {
    policy.owned_headers().any(|(_, own)| own == name)
}

/// Checks that a split neither reads nor edits a header that the filter owns.
pub(super) fn check_split(policy: &Policy, split: &Split, at: &Cursor) {
    let mut reported: Vec<&str> = Vec::new();
    for name in headers_read(split).filter(|name| is_owned(policy, name)) {
        if !reported.contains(&name) {
            reported.push(name);
            let message =
                format!("`{name}` never passes from a client, so it is neither key nor condition");
            at.report(Code::ControlHeader, message)
                .help("read another header, or rename the policy's own");
        }
    }
    for (index, variant) in split.variants.iter().enumerate() {
        let edits = &variant.request_headers;
        let pairs = edits.set.iter().chain(&edits.add).map(|(name, _)| name);
        for name in pairs.chain(&edits.remove).filter(|name| is_owned(policy, name)) {
            at.field("variants")
                .index(index)
                .field("request_headers")
                .report(Code::ControlHeader, format!("`{name}` is set by the filter itself"))
                .help("edit another header, or rename the policy's own");
        }
    }
}

/// Every header that a split reads, with repetitions.
fn headers_read(split: &Split) -> impl Iterator<Item = &str> {
    let matches = split.matches.iter().flatten();
    matches
        .chain(split.overrides.iter().flat_map(|o| &o.matches))
        .flat_map(|m| &m.headers)
        .map(|test| test.name.as_str())
        .chain(split.key.iter().filter_map(|source| match source {
            KeySource::Header(name) => Some(name.as_str()),
            _ => None,
        }))
}
