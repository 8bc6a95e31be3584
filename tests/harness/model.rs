//! A naive model: what a policy means, written as plainly as possible from the design, on the
//! document itself. It shares nothing with the engine but the hash function's crate. Slow, and
//! only for documents that are valid.

use serde_json::Value;

/// The headers of a request in order: lower-case names, values as bytes.
pub type Pairs = [(String, Vec<u8>)];

/// What one split decided: its name, the variant's name, the reason.
pub type Decided = (String, String, &'static str);

/// What every split of the policy decides for a request, in order.
pub fn decide(policy: &Value, request: &Pairs, random: u64) -> Vec<Decided> {
    let mut all = Vec::new();
    for split in list(&policy["splits"]) {
        if split["enabled"] == false {
            continue;
        }
        if !split["match"].is_null()
            && !list(&split["match"]).iter().any(|entry| meets(entry, request))
        {
            continue;
        }
        if let Some((variant, reason)) = decide_split(policy, split, request, random) {
            all.push((text(&split["name"]).to_owned(), variant, reason));
        }
    }
    all
}

fn decide_split(
    policy: &Value,
    split: &Value,
    request: &Pairs,
    random: u64,
) -> Option<(String, &'static str)> {
    let baseline = text(&split["baseline"]).to_owned();
    if policy["kill"] == true {
        return Some((baseline, "killed"));
    }
    for forced in list(&split["overrides"]) {
        if list(&forced["match"]).iter().any(|entry| meets(entry, request)) {
            return Some((text(&forced["variant"]).to_owned(), "override"));
        }
    }
    let sources = if split["key"].is_null() { &policy["key"] } else { &split["key"] };
    let (h2, reason) = match list(sources).iter().find_map(|source| key(source, request)) {
        Some(key) => {
            let salt = split["salt"].as_str().unwrap_or(text(&split["name"]));
            let hashed = [salt.as_bytes(), b"\x1f", &key].concat();
            let both = murmur3::murmur3_x64_128(&mut hashed.as_slice(), 0).unwrap();
            ((both >> 64) as u64, "split")
        }
        None => match split["on_missing_key"].as_str().unwrap_or("baseline") {
            "baseline" => return Some((baseline, "no_key")),
            "skip" => return None,
            _ => (random, "random"),
        },
    };
    match winner(list(&split["variants"]), h2) {
        Some(variant) => Some((variant, reason)),
        None => Some((baseline, "fallback")),
    }
}

/// Of all variants with a weight, the one whose cost / weight is smallest; the smaller name on a tie.
fn winner(variants: &[Value], h2: u64) -> Option<String> {
    let mut best: Option<(u128, u128, &str)> = None;
    for variant in variants {
        let name = text(&variant["name"]);
        let weight = (variant["weight"].as_f64().unwrap() * 10_000.0).round() as u128;
        if weight == 0 {
            continue;
        }
        let v = murmur3::murmur3_x64_128(&mut name.as_bytes(), 0).unwrap() as u64;
        let cost = u128::from(cost(fmix64(h2 ^ v)));
        let better = match best {
            None => true,
            Some((c, w, n)) => cost * w < c * weight || (cost * w == c * weight && name < n),
        };
        if better {
            best = Some((cost, weight, name));
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

/// By the letter of the design.
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

fn key(source: &Value, request: &Pairs) -> Option<Vec<u8>> {
    if let Some(name) = source["header"].as_str() {
        let name = name.to_lowercase();
        return lines(request, &name).into_iter().find(|value| !value.is_empty());
    }
    let wanted = text(&source["cookie"]).as_bytes();
    for line in lines(request, "cookie") {
        for pair in line.split(|b| *b == b';') {
            let Some(at) = pair.iter().position(|b| *b == b'=') else { continue };
            let (name, value) = (pair[..at].trim_ascii(), pair[at + 1..].trim_ascii());
            let quoted = value.len() >= 2 && value.starts_with(b"\"") && value.ends_with(b"\"");
            let value = if quoted { &value[1..value.len() - 1] } else { value };
            if name == wanted && !value.is_empty() {
                return Some(value.to_vec());
            }
        }
    }
    None
}

fn meets(entry: &Value, request: &Pairs) -> bool {
    let one = |name: &str| lines(request, name).into_iter().next().unwrap_or_default();
    let authority = String::from_utf8_lossy(&one(":authority")).to_lowercase();
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.chars().all(|c| c.is_ascii_digit()) => host.to_owned(),
        _ => authority.clone(),
    };
    let target = one(":path");
    let path = target.split(|b| *b == b'?' || *b == b'#').next().unwrap_or_default().to_vec();
    let host_meets = |pattern: &Value| match text(pattern).to_lowercase().as_str() {
        "*" => true,
        pattern => match pattern.strip_prefix('*') {
            Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
            None => host == pattern,
        },
    };
    let path_meets = |wanted: &Value| match (wanted["exact"].as_str(), wanted["prefix"].as_str()) {
        (Some(exact), _) => path == exact.as_bytes(),
        (_, Some(prefix)) => {
            let below = format!("{}/", prefix.trim_end_matches('/'));
            [path.as_slice(), b"/"].concat() == below.as_bytes()
                || path.starts_with(below.as_bytes())
        }
        _ => false,
    };
    let header_meets = |test: &Value| {
        let all = lines(request, &text(&test["name"]).to_lowercase());
        let value = (!all.is_empty()).then(|| all.join(b",".as_slice()));
        if let Some(present) = test["present"].as_bool() {
            return value.is_some() == present;
        }
        let Some(value) = value else { return false };
        if let Some(exact) = test["exact"].as_str() {
            return value == exact.as_bytes();
        }
        if let Some(prefix) = test["prefix"].as_str() {
            return value.starts_with(prefix.as_bytes());
        }
        list(&test["in"]).iter().any(|one| value == text(one).as_bytes())
    };
    let any = |field: &str, meets: &dyn Fn(&Value) -> bool| {
        entry[field].is_null() || list(&entry[field]).iter().any(meets)
    };
    any("hosts", &host_meets)
        && (entry["path"].is_null() || path_meets(&entry["path"]))
        && any("methods", &|m| text(m).as_bytes() == one(":method"))
        && list(&entry["headers"]).iter().all(header_meets)
}

fn lines(request: &Pairs, name: &str) -> Vec<Vec<u8>> {
    request.iter().filter(|(n, _)| n == name).map(|(_, v)| v.clone()).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
