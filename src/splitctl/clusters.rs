//! The clusters that a policy sends requests to, and whether they are there.

use engine::policy::Policy;

/// Those of its enabled splits that are not among the known ones, each once, in the policy's order.
pub(crate) fn unknown<'p>(policy: &'p Policy, known: &[String]) -> Vec<&'p str> {
    let mut unknown: Vec<&str> = Vec::new();
    for split in policy.splits.iter().filter(|split| split.enabled) {
        let named = split.variants.iter().filter_map(|variant| variant.cluster.as_deref());
        for name in named.chain(split.mirror.as_ref().map(|mirror| mirror.cluster.as_str())) {
            if !known.iter().any(|known| known == name) && !unknown.contains(&name) {
                unknown.push(name);
            }
        }
    }
    unknown
}

/// Names for a sentence.
pub(crate) fn quoted(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
