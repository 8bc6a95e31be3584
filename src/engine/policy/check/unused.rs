//! Rules over fields of the policy that some split must use.

use crate::ids::Id as _;
use crate::policy::cursor::Cursor;
use crate::policy::{Code, KeySource, Policy, Split, Value};

/// Warns of what no split uses; a policy without splits is one that was switched off.
pub(super) fn check(policy: &Policy, root: &Cursor) {
    if policy.splits.is_empty() {
        return;
    }
    let report = |at: &Cursor, message: String| {
        at.report(Code::NoEffect, message).help("remove the field");
    };
    let written = root.field("splits").value.items();
    if !matches!(root.field("key").value, Value::Null)
        && written.iter().all(|split| split.field("key").is_some())
    {
        report(&root.field("key"), "every split has a `key` of its own".to_owned());
    }
    if policy.trusted_hops > 0 && !policy.splits.iter().any(reads_address) {
        let message = "no split has a `source_ip` or a key `{client_ip: true}`".to_owned();
        report(&root.field("client_ip"), message);
    }
    let layers = root.field("layers");
    for (id, layer) in policy.layers.pairs() {
        let at = layers.index(id.place());
        let mut members = policy.splits.iter().filter(|split| split.layer == Some(id)).peekable();
        // A layer without splits has a warning of its own.
        if members.peek().is_some()
            && members.all(|split| split.slice.is_none())
            && layer.salt != layer.name
        {
            let message = format!("no split of layer `{}` has a `slice`", layer.name);
            report(&at.field("salt"), message);
        }
    }
}

fn reads_address(split: &Split) -> bool {
    let overrides = split.overrides.iter().flat_map(|o| &o.matches);
    split.key.contains(&KeySource::ClientIp)
        || split.matches.iter().flatten().chain(overrides).any(|entry| !entry.source_ip.is_empty())
}
