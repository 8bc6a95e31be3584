//! Users of whom nothing but the key is known: what does a split serve to those whose requests meet
//! its `match`? Splits that it requires apply then, too. Earlier splits of a layer take users away
//! where one request can meet them together with all that has to apply. No override holds, and
//! nobody has a cookie.

use serde_json::Value;

use super::{Decided, Situation, decide, list, meets_any, text};

/// One split, asked about bare keys.
#[derive(Debug)]
pub struct Bare {
    /// The split's name.
    pub split: String,
    /// The policy with nothing in it but what such users can meet.
    reduced: Value,
}

impl Bare {
    /// Every split of a policy, enabled or not. Which splits can be met together is tried with these
    /// requests: they must be all that the policy's conditions tell apart.
    pub fn all(policy: &Value, requests: &[Situation]) -> Vec<Self> {
        let splits = list(&policy["splits"]);
        let met: Vec<Vec<bool>> = splits
            .iter()
            .map(|split| requests.iter().map(|r| meets(policy, split, r)).collect())
            .collect();
        let bare = |asked: usize| {
            let judged = judged(splits, &met, asked);
            let mut reduced = policy.clone();
            reduced["splits"] = judged.into_iter().map(|id| unconditional(&splits[id])).collect();
            Self { split: text(&splits[asked]["name"]).to_owned(), reduced }
        };
        (0..splits.len()).map(bare).collect()
    }

    /// The names of the splits that such users can meet, the split itself among them.
    pub fn judged(&self) -> impl Iterator<Item = &str> {
        list(&self.reduced["splits"]).iter().map(|split| text(&split["name"]))
    }

    /// What the split serves to a key; `None` = it is not for that user. The empty key is none.
    pub fn serves(&self, key: &str, now: u64, random: [u64; 2]) -> Option<Decided> {
        let headers = if key.is_empty() { Vec::new() } else { with_key(key) };
        let situation = Situation { headers, now, random, ..Situation::default() };
        decide(&self.reduced, &situation).into_iter().find(|decided| decided.split == self.split)
    }
}

/// A user's headers, wherever a policy looks for the key.
pub fn with_key(key: &str) -> Vec<(String, Vec<u8>)> {
    let cookie = format!("uid={key}");
    [("x-user", key), ("cookie", &cookie)].map(|(n, v)| (n.to_owned(), v.into())).into()
}

/// Whether a request meets a split's `match`.
pub fn meets(policy: &Value, split: &Value, request: &Situation) -> bool {
    split["match"].is_null() || meets_any(policy, &split["match"], request)
}

/// The places of the splits that such users can meet, in order.
fn judged(splits: &[Value], met: &[Vec<bool>], asked: usize) -> Vec<usize> {
    let together = |a: usize, b: usize| met[a].iter().zip(&met[b]).any(|(a, b)| *a && *b);
    let certain = with_required(splits, asked);
    let possible = |id: usize| {
        let needed = with_required(splits, id);
        needed.iter().all(|needed| certain.iter().all(|certain| together(*needed, *certain)))
    };
    let mut judged = certain.clone();
    let mut applying = certain.clone();
    while let Some(id) = applying.pop() {
        let layer = &splits[id]["layer"];
        for earlier in (0..id).filter(|e| !layer.is_null() && splits[*e]["layer"] == *layer) {
            if together(earlier, id) && possible(earlier) {
                let needed = with_required(splits, earlier);
                applying.extend(needed.iter().filter(|needed| **needed != earlier));
                judged.extend(needed);
            }
        }
    }
    judged.sort_unstable();
    judged.dedup();
    judged
}

/// A split and all that it requires, directly or not.
fn with_required(splits: &[Value], id: usize) -> Vec<usize> {
    let mut all = vec![id];
    for required in list(&splits[id]["requires"]) {
        let place = splits.iter().position(|split| split["name"] == required["split"]);
        all.extend(with_required(splits, place.expect("a split of the policy")));
    }
    all
}

/// Every request is as the split wants it, and as no override does.
fn unconditional(split: &Value) -> Value {
    let mut split = split.clone();
    for field in ["match", "overrides"] {
        split.as_object_mut().expect("an object").remove(field);
    }
    split
}
