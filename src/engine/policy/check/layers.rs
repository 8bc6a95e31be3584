//! Rules over layers: which splits are in them, and what their slices leave.

use crate::ids::Id as _;
use crate::policy::cursor::Cursor;
use crate::policy::{Code, Policy, Slice, Split, Weight};

/// Checks layers; run once all splits are read.
pub(super) fn check(policy: &Policy, root: &Cursor) {
    for (id, layer) in policy.layers.pairs() {
        let members: Vec<(usize, &Split)> = policy
            .splits
            .iter()
            .enumerate()
            .filter(|(_, split)| split.layer == Some(id) && split.enabled)
            .collect();
        if policy.splits.iter().all(|split| split.layer != Some(id)) {
            let message = format!("no split is in layer `{}`", layer.name);
            root.field("layers")
                .index(id.place())
                .report(Code::UnusedLayer, message)
                .help(format!("name it in a split, `layer: {}`, or remove it", layer.name));
        }
        check_members(&layer.name, &members, root);
    }
}

fn check_members(layer: &str, members: &[(usize, &Split)], root: &Cursor) {
    let list = root.field("splits");
    let slice = |split: &Split| split.slice.unwrap_or(Slice::WHOLE);
    for (position, (index, split)) in members.iter().enumerate() {
        let at = list.index(*index);
        let own = slice(split);
        // Those before it that get every request this one could get.
        let above = members.iter().take(position).filter(|(_, earlier)| covers(earlier, split));
        let mut free = vec![own];
        for (_, earlier) in above {
            free = free.into_iter().flat_map(|part| part.without(slice(earlier))).collect();
        }
        if free.is_empty() {
            let message =
                format!("earlier splits of layer `{layer}` take every user of `{}`", split.name);
            at.report(Code::UnreachableSplit, message)
                .help("give the splits of a layer `slice`s that do not overlap");
            continue;
        }
        let mut before = members.iter().take(position);
        let overlapped =
            before.find(|(_, earlier)| own.overlaps(slice(earlier)) && covers(earlier, split));
        // A split without a slice of its own takes what is left, which is no mistake.
        let overlapped = overlapped.filter(|_| split.slice.is_some());
        if let Some((_, earlier)) = overlapped {
            let message = format!(
                "the slices of `{}` and `{}` overlap, and there the first wins",
                earlier.name, split.name
            );
            at.field("slice")
                .report(Code::SliceOverlap, message)
                .help("give the splits of a layer `slice`s that do not overlap");
        }
    }
    let sliced = members.iter().all(|(_, split)| split.slice.is_some());
    let mut unused = vec![Slice::WHOLE];
    for (_, split) in members {
        unused = unused.into_iter().flat_map(|part| part.without(slice(split))).collect();
    }
    if let Some(gap) = unused.first()
        && sliced
        && !members.is_empty()
    {
        let message = format!(
            "{} to {} percent of layer `{layer}` are in no slice",
            Weight::from(gap.from()),
            Weight::from(gap.to())
        );
        root.field("layers")
            .report(Code::SliceGap, message)
            .help("leave it as room for later splits, or widen a `slice`");
    }
}

/// Whether every request that meets the second split's match surely meets the first's.
fn covers(first: &Split, second: &Split) -> bool {
    match (&first.matches, &second.matches) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(first), Some(second)) => second.iter().all(|entry| first.contains(entry)),
    }
}
