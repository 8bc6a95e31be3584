//! Changes that draw users anew, so that more of them move than the new shares need.

use engine::policy::{Assignment, KeySource, Policy, Slice, Split};

use super::pairs::Pair;

/// A reason why users are drawn anew.
#[derive(Debug, PartialEq)]
pub(super) struct Reshuffle {
    /// A stable word.
    pub(super) kind: &'static str,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl Reshuffle {
    fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), help: None }
    }

    fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

/// What reshuffles more than one split.
pub(super) fn of_policy(old: &Policy, new: &Policy) -> Vec<Reshuffle> {
    let mut found = Vec::new();
    if let (Some(before), Some(after)) = (&old.holdout, &new.holdout)
        && before.salt != after.salt
    {
        let (from, to) = (&before.salt, &after.salt);
        let message =
            format!("the holdout's salt changed from `{from}` to `{to}`: others are held out");
        found.push(Reshuffle::new("holdout", message));
    }
    found
}

/// What reshuffles a split that was and is there.
pub(super) fn of_split(old: &Policy, new: &Policy, pair: &Pair) -> Vec<Reshuffle> {
    let (Some(before), Some(after)) = (pair.old, pair.new) else { return Vec::new() };
    let mut found = Vec::new();
    found.extend(by_key(old, new, pair));
    found.extend(by_assignment(before, after));
    found.extend(by_layer((old, before), (new, after)));
    // Where chance decides anew for each request, nobody has a variant that a salt or a name could keep.
    if before.assignment != Assignment::Random || after.assignment != Assignment::Random {
        found.extend(by_salt(before, after));
        found.extend(by_variant_names(pair, after));
    }
    found.extend(by_sticky(before, after));
    found
}

fn by_salt(before: &Split, after: &Split) -> Option<Reshuffle> {
    let (from, to) = (&before.salt, &after.salt);
    if from == to {
        return None;
    }
    let renamed = before.name != after.name && *from == before.name && *to == after.name;
    let keep = format!("add `salt: {from}` to keep every user's variant");
    Some(if renamed {
        let message = format!("renamed from `{from}` without a `salt`: all users are drawn anew");
        Reshuffle::new("renamed", message).help(keep)
    } else {
        let message = format!("the salt changed from `{from}` to `{to}`: all users are drawn anew");
        Reshuffle::new("salt", message).help(keep)
    })
}

/// Whether users are told apart by something else than before, so that each is a new one.
pub(super) fn has_other_keys(old: &Policy, new: &Policy, pair: &Pair) -> bool {
    let (Some(before), Some(after)) = (pair.old, pair.new) else { return false };
    let by_address =
        before.key.contains(&KeySource::ClientIp) && after.key.contains(&KeySource::ClientIp);
    // A source that is added at the end gives a key to those who had none.
    let kept = before.key.len() <= after.key.len()
        && before.key.iter().zip(&after.key).all(|(before, after)| is_same(before, after));
    !kept || by_address && old.trusted_hops != new.trusted_hops
}

fn is_same(before: &KeySource, after: &KeySource) -> bool {
    match (before, after) {
        // How long it lives makes no other key.
        (KeySource::Generate(before), KeySource::Generate(after)) => before.name == after.name,
        _ => before == after,
    }
}

fn by_key(old: &Policy, new: &Policy, pair: &Pair) -> Option<Reshuffle> {
    let message = "the key sources changed: whose key comes from elsewhere is another user";
    has_other_keys(old, new, pair).then(|| {
        Reshuffle::new("key", message)
            .help("a source that is added at the end moves nobody who has a key")
    })
}

fn by_assignment(before: &Split, after: &Split) -> Option<Reshuffle> {
    (before.assignment != after.assignment).then(|| {
        Reshuffle::new("assignment", "the assignment changed: users do not keep their variants")
    })
}

fn by_layer(old: (&Policy, &Split), new: (&Policy, &Split)) -> Option<Reshuffle> {
    let salt = |(policy, split): (&Policy, &Split)| {
        split.layer.map(|layer| policy.layers[layer].salt.clone())
    };
    let (from, to) = (old.1.slice?, new.1.slice?);
    if salt(old) != salt(new) {
        let message = "the layer or its salt changed: the slice holds other users";
        return Some(Reshuffle::new("layer", message));
    }
    let holds =
        |outer: Slice, inner: Slice| outer.from() <= inner.from() && inner.to() <= outer.to();
    (!holds(from, to) && !holds(to, from)).then(|| {
        let message = "the slice moved: it loses users and takes in others";
        Reshuffle::new("slice", message).help("a slice that only grows or only shrinks moves fewer")
    })
}

fn by_variant_names(pair: &Pair, after: &Split) -> Vec<Reshuffle> {
    let renamed = after.variants.pairs().filter_map(|(id, variant)| {
        let old = &pair.old?.variants[pair.old_variant(id)?];
        (old.name != variant.name).then_some((&old.name, &variant.name))
    });
    renamed
        .map(|(from, to)| {
            let message = format!(
                "variant `{from}` is now `{to}`: the name is hashed, so other users get it"
            );
            Reshuffle::new("variant", message)
        })
        .collect()
}

fn by_sticky(before: &Split, after: &Split) -> Option<Reshuffle> {
    let (before, after) = (before.sticky.as_ref()?, after.sticky.as_ref()?);
    let what = if before.epoch != after.epoch {
        "epoch"
    } else if before.secret.reveal() != after.secret.reveal() {
        "secret"
    } else if before.cookie.name != after.cookie.name {
        "cookie"
    } else {
        return None;
    };
    let message =
        format!("the sticky {what} changed: the variants that users hold no longer count");
    Some(Reshuffle::new("sticky", message))
}
