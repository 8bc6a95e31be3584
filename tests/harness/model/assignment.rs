//! The numbers of a user, weights over time, and who wins: by the letter of the design.

use serde_json::Value;

use super::{list, scaled, text};

/// The user's number 0..9999 under a salt.
pub fn bucket(salt: &str, key: &[u8]) -> u64 {
    scaled(hash(salt, key) as u64)
}

/// The second word of the user's hash under a salt.
pub(super) fn h2_of(salt: &str, key: &[u8]) -> u64 {
    (hash(salt, key) >> 64) as u64
}

fn hash(salt: &str, key: &[u8]) -> u128 {
    let hashed = [salt.as_bytes(), b"\x1f", key].concat();
    murmur3::murmur3_x64_128(&mut hashed.as_slice(), 0).unwrap()
}

fn first_word(name: &str) -> u64 {
    murmur3::murmur3_x64_128(&mut name.as_bytes(), 0).unwrap() as u64
}

/// A random number as one split (or cookie) sees it.
pub(super) fn chance(random: u64, salt: &str) -> u64 {
    fmix64(random ^ first_word(salt))
}

/// Names and weights, in units of 0.0001.
type Weights = Vec<(String, u128)>;

/// The weights of a split at a moment.
pub(super) fn weights_at(split: &Value, now: u64) -> Weights {
    let variants = list(&split["variants"]);
    let own = |variant: &Value| (text(&variant["name"]).to_owned(), units(&variant["weight"]));
    let mut weights: Weights = variants.iter().map(own).collect();
    let ramp = &split["ramp"];
    if !ramp.is_null() {
        weights = ramped(ramp, &weights, now);
    }
    weights
}

/// The weights for users who hold no variant yet: one that drains admits nobody.
pub(super) fn admitting(split: &Value, now: u64) -> Weights {
    let mut weights = weights_at(split, now);
    let variants = list(&split["variants"]);
    let drains = |name: &str| variants.iter().any(|v| v["name"] == name && v["drain"] == true);
    weights.iter_mut().filter(|(name, _)| drains(name)).for_each(|(_, weight)| *weight = 0);
    weights
}

/// Each variant's share of the users whom the weights serve, in order: its weight, and the sum of
/// all that admit users.
pub fn shares(split: &Value, now: u64) -> Vec<(String, u128, u128)> {
    let weights = admitting(split, now);
    let sum = weights.iter().map(|(_, weight)| weight).sum();
    weights.into_iter().map(|(name, weight)| (name, weight, sum)).collect()
}

/// The start and the steps of a ramp, in milliseconds since 1970.
pub fn times(ramp: &Value) -> Vec<u64> {
    let Some(start) = ramp["start"].as_str().map(crate::vectors::milliseconds_of) else {
        return Vec::new();
    };
    let steps = list(&ramp["steps"]).iter();
    let steps = steps.map(|step| start + milliseconds(text(&step["after"])) as u64);
    std::iter::once(start).chain(steps).collect()
}

fn ramped(ramp: &Value, own: &Weights, now: u64) -> Weights {
    let start = crate::vectors::milliseconds_of(text(&ramp["start"]));
    let pause = ramp["pause"].as_str().map_or(u64::MAX, crate::vectors::milliseconds_of);
    let now = now.min(pause);
    if now < start {
        return own.clone();
    }
    let passed = u128::from(now - start);
    let (mut before, mut weights) = (0, own.clone());
    for step in list(&ramp["steps"]) {
        let after = milliseconds(text(&step["after"]));
        let of = |name: &str| units(&step["weights"][name]);
        if after <= passed {
            weights.iter_mut().for_each(|(name, weight)| *weight = of(name));
            before = after;
            continue;
        }
        if ramp["linear"] == true {
            let (gone, left) = (passed - before, after - passed);
            weights.iter_mut().for_each(|(name, weight)| {
                *weight = (*weight * left + of(name) * gone) / (gone + left);
            });
        }
        break;
    }
    weights
}

/// `1h30m`, in milliseconds.
fn milliseconds(duration: &str) -> u128 {
    let (mut sum, mut number) = (0, String::new());
    for letter in duration.chars() {
        if letter.is_ascii_digit() {
            number.push(letter);
            continue;
        }
        let unit = match letter {
            'd' => 86_400_000,
            'h' => 3_600_000,
            'm' => 60_000,
            's' => 1_000,
            other => panic!("a unit `{other}` that the model does not know"),
        };
        sum += number.parse::<u128>().expect("a number") * unit;
        number.clear();
    }
    sum
}

fn units(weight: &Value) -> u128 {
    (weight.as_f64().expect("a weight") * 10_000.0).round() as u128
}

/// Of all variants with a weight, the one whose cost / weight is smallest; the smaller name on a
/// tie.
pub(super) fn winner(weights: &Weights, h2: u64) -> Option<String> {
    let mut best: Option<(u128, u128, &str)> = None;
    for (name, weight) in weights.iter().filter(|(_, weight)| *weight > 0) {
        let cost = u128::from(cost(fmix64(h2 ^ first_word(name))));
        let better = match best {
            None => true,
            Some((c, w, n)) => {
                cost * w < c * weight || (cost * w == c * weight && name.as_str() < n)
            }
        };
        if better {
            best = Some((cost, *weight, name));
        }
    }
    best.map(|(_, _, name)| name.to_owned())
}

fn fmix64(mut k: u64) -> u64 {
    for factor in [0xff51_afd7_ed55_8ccd, 0xc4ce_b9fe_1a85_ec53, 1] {
        k = (k ^ (k >> 33)).wrapping_mul(factor);
    }
    k
}

fn cost(ticket: u64) -> u64 {
    let t = ticket.max(1);
    let n = u64::from(t.leading_zeros());
    let mut y = (t << n) >> 32;
    let mut frac = 0_u64;
    for _ in 0..32 {
        y = (y * y) >> 31;
        frac <<= 1;
        if y >= 1 << 32 {
            frac |= 1;
            y >>= 1;
        }
    }
    ((n + 1) << 32) - frac
}
