//! A naive model: what a policy means, written as plainly as possible from the design, on the
//! document itself. It shares nothing with the engine but the crates of the hash functions. Slow, and
//! only for documents that are valid.

mod assignment;
mod bare;
mod forced;
mod matching;
mod sticky;

use serde_json::Value;

pub use assignment::{bucket, shares, times};
pub use bare::{Bare, meets, with_key};
pub use forced::{force_refused, tried_overrides};
pub use sticky::sticky_value;

use assignment::{admitting, chance, h2_of, weights_at, winner};

/// The headers of a request in order: lower-case names, values as bytes.
pub type Pairs = [(String, Vec<u8>)];

/// A request and all that a decision may depend on besides.
#[derive(Debug, Clone, Default)]
pub struct Situation {
    /// Lower-case names and values.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The connection's `ip:port`.
    pub client: Option<String>,
    /// Milliseconds since 1970.
    pub now: u64,
    /// The chance of this request.
    pub random: [u64; 2],
    /// Variants that are out of service: split and variant.
    pub tripped: Vec<(String, String)>,
}

impl Situation {
    /// Whether a variant is out of service; only a guard takes one out, and never a baseline.
    fn is_out(&self, split: &Value, variant: &str) -> bool {
        let named = |(s, v): &(String, String)| split["name"] == s.as_str() && v == variant;
        !split["guard"].is_null() && split["baseline"] != variant && self.tripped.iter().any(named)
    }
}

/// What one split decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// The split's name.
    pub split: String,
    /// The variant's name.
    pub variant: String,
    /// Why.
    pub reason: &'static str,
    /// Whether a copy goes to the mirror.
    pub mirror: bool,
    /// Whether the user's key was made just now.
    pub new_key: bool,
    /// The user's number, where evidence of it is wanted.
    pub bucket: Option<u64>,
}

/// A key, and whether it was made just now.
type Key = Option<(Vec<u8>, bool)>;

/// What every split of the policy decides, in order.
pub fn decide(policy: &Value, situation: &Situation) -> Vec<Decided> {
    let mut all: Vec<Decided> = Vec::new();
    let mut taken: Vec<&str> = Vec::new();
    for split in list(&policy["splits"]) {
        if split["enabled"] == false || !takes_part(policy, split, situation, &all) {
            continue;
        }
        let layer = split["layer"].as_str();
        if layer.is_some_and(|layer| taken.contains(&layer)) {
            continue;
        }
        if let Some(decided) = decide_split(policy, split, situation) {
            taken.extend(layer);
            if !passes(policy, split, &decided, situation) {
                all.push(decided);
            }
        }
    }
    all
}

fn takes_part(policy: &Value, split: &Value, situation: &Situation, before: &[Decided]) -> bool {
    let matches = split["match"].is_null() || meets_any(policy, &split["match"], situation);
    let has = |required: &Value| {
        before.iter().any(|d| d.split == required["split"] && d.variant == required["variant"])
    };
    matches && list(&split["requires"]).iter().all(has)
}

/// Whether it is a preflight that the proxy does not answer, although the variant does.
fn passes(policy: &Value, split: &Value, decided: &Decided, situation: &Situation) -> bool {
    let responds = |v: &&Value| v["name"] == decided.variant.as_str() && !v["respond"].is_null();
    let overrides = list(&split["overrides"]).iter().flat_map(|o| list(&o["match"]));
    let mut entries = list(&split["match"]).iter().chain(overrides);
    let asks = |entry: &Value| {
        let names_it = list(&entry["methods"]).iter().any(|method| method == "OPTIONS");
        names_it && matching::meets(policy, entry, situation)
    };
    is_preflight(situation)
        && list(&split["variants"]).iter().any(|v| responds(&v))
        && !entries.any(asks)
}

/// Whether a request is a preflight.
pub fn is_preflight(situation: &Situation) -> bool {
    matching::announced_method(&situation.headers).is_some()
}

fn decide_split(policy: &Value, split: &Value, situation: &Situation) -> Option<Decided> {
    let sources = if split["key"].is_null() { &policy["key"] } else { &split["key"] };
    let mut sources = matching::telling(policy, list(sources), situation).iter();
    let key: Key = sources.find_map(|source| matching::key(policy, source, situation));
    let known = key.as_ref().map(|(bytes, _)| bytes.as_slice());
    let slice = &split["slice"];
    if !slice.is_null() {
        let layers = list(&policy["layers"]);
        let layer = layers.iter().find(|layer| layer["name"] == split["layer"])?;
        let salt = layer["salt"].as_str().unwrap_or(text(&layer["name"]));
        let place = bucket(salt, known?);
        if place < hundredths(&slice["from"]) || place >= hundredths(&slice["to"]) {
            return None;
        }
    }
    let decided = |variant: &str, reason| Decided {
        split: text(&split["name"]).to_owned(),
        variant: variant.to_owned(),
        reason,
        mirror: false,
        new_key: false,
        bucket: None,
    };
    let number = |(bytes, _): &(Vec<u8>, bool)| bucket(salt_of(split), bytes);
    let evident = key.as_ref().filter(|_| policy["filter_state"] == "evidence");
    // A key that nobody else asked for is not made for the evidence.
    let sent = evident.filter(|(_, new)| !new).map(number);
    if policy["kill"] == true {
        return Some(Decided { bucket: sent, ..decided(text(&split["baseline"]), "killed") });
    }
    let forced = match forced::from_outside(policy, split, situation) {
        Some(variant) => Some(Some(variant)),
        None => forced::by_override(policy, split, situation),
    };
    let outside = forced::from_outside(policy, split, situation).is_some();
    let (variant, reason) = match &forced {
        Some(Some(variant)) if !outside && situation.is_out(split, variant) => {
            match assign(policy, split, situation, known)? {
                (variant, "holdout") => (variant, "holdout"),
                (variant, _) => (variant, "tripped"),
            }
        }
        Some(variant) => (variant.clone()?, "override"),
        None => assign(policy, split, situation, known)?,
    };
    let mirror = &split["mirror"];
    let by_user = !mirror.is_null() && mirror["by"] != "request";
    let salt = salt_of(split);
    let copied = match known {
        _ if mirror.is_null() || reason == "holdout" => false,
        Some(key) if by_user => {
            bucket(&format!("{salt}/mirror"), key) < hundredths(&mirror["percent"])
        }
        None if by_user => false,
        _ => scaled(chance(situation.random[1], salt)) < hundredths(&mirror["percent"]),
    };
    // A key that nobody asked for is not made.
    let asked = !slice.is_null() || forced.is_none() || reason != "override" || by_user;
    let new_key = asked && key.as_ref().is_some_and(|(_, new)| *new);
    let bucket = if asked { evident.map(number) } else { sent };
    Some(Decided { mirror: copied, new_key, bucket, ..decided(&variant, reason) })
}

/// Holdout, sticky, weights.
fn assign(
    policy: &Value,
    split: &Value,
    situation: &Situation,
    key: Option<&[u8]>,
) -> Option<(String, &'static str)> {
    let baseline = || text(&split["baseline"]).to_owned();
    let holdout = &policy["holdout"];
    if let Some(key) = key.filter(|_| !holdout.is_null())
        && bucket(holdout["salt"].as_str().unwrap_or("holdout"), key)
            < hundredths(&holdout["percent"])
    {
        return Some((baseline(), "holdout"));
    }
    let weights = weights_at(split, situation.now);
    let mut tripped = false;
    if let Some(held) = sticky::held(split, situation)
        && weights.iter().any(|(name, weight)| *name == held && *weight > 0)
    {
        if !situation.is_out(split, &held) {
            return Some((held, "sticky"));
        }
        tripped = true;
    }
    let kept = |reason| if tripped { "tripped" } else { reason };
    let salt = salt_of(split);
    let by_chance = chance(situation.random[0], salt);
    let (h2, reason) = match (key, split["on_missing_key"].as_str().unwrap_or("baseline")) {
        _ if split["assignment"] == "random" => (by_chance, "random"),
        (Some(key), _) => (h2_of(salt, key), "split"),
        (None, "baseline") => return Some((baseline(), kept("no_key"))),
        (None, "skip") => return None,
        (None, _) => (by_chance, "random"),
    };
    let mut admitting = admitting(split, situation.now);
    match winner(&admitting, h2) {
        Some(variant) if situation.is_out(split, &variant) => {
            admitting.retain(|(name, _)| !situation.is_out(split, name));
            Some((winner(&admitting, h2).unwrap_or_else(baseline), "tripped"))
        }
        Some(variant) => Some((variant, kept(reason))),
        None => Some((baseline(), kept("fallback"))),
    }
}

/// The id of a new visitor.
fn generated_id(cookie: &str, random: [u64; 2]) -> String {
    random.map(|random| format!("{:016x}", chance(random, cookie))).concat()
}

/// 0..9999 of a number of 64 bits.
fn scaled(number: u64) -> u64 {
    ((u128::from(number) * 10_000) >> 64) as u64
}

fn meets_any(policy: &Value, entries: &Value, situation: &Situation) -> bool {
    list(entries).iter().any(|entry| matching::meets(policy, entry, situation))
}

/// What a split hashes keys with.
pub fn salt_of(split: &Value) -> &str {
    split["salt"].as_str().unwrap_or(text(&split["name"]))
}

/// A percentage in hundredths.
fn hundredths(percent: &Value) -> u64 {
    (percent.as_f64().expect("a number") * 100.0).round() as u64
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
