//! The golden values of `tests/vectors` (see the README there).

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

/// A split of the golden file.
#[derive(Debug, Clone)]
pub struct Split {
    /// Referred to by rows; also the split's name.
    pub id: String,
    /// A host of its own, for one policy with all splits.
    pub host: String,
    /// Its salt.
    pub salt: String,
    /// The sum of its weights.
    pub weight_total: u64,
    /// Names and weights, in the order written.
    pub variants: Vec<(String, u64)>,
}

/// What one user gets in one split.
#[derive(Debug, Clone)]
pub struct Row {
    /// The split's id.
    pub split: String,
    /// The key.
    pub key: Vec<u8>,
    /// HTTP carries the key unchanged.
    pub as_header: bool,
    /// First word of the hash.
    pub h1: u64,
    /// Second word of the hash.
    pub h2: u64,
    /// The user's number 0..9999.
    pub bucket: u16,
    /// The variant.
    pub variant: String,
}

/// What one user draws for one variant.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// The split's id.
    pub split: String,
    /// The key.
    pub key: Vec<u8>,
    /// The variant's name.
    pub variant: String,
    /// The first word of its name's hash.
    pub v: u64,
    /// The user's number for the variant.
    pub ticket: u64,
    /// Its cost, 32.32 fixed point.
    pub cost: u64,
}

/// All splits by id.
pub fn splits() -> BTreeMap<String, Split> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let all: Vec<Value> = serde_json::from_str(&read("golden-splits.json")).expect("a list");
    let variant = |v: &Value| (text(&v[0]), v[1].as_u64().expect("a weight"));
    all.iter()
        .map(|split| Split {
            id: text(&split["id"]),
            host: text(&split["host"]),
            salt: text(&split["salt"]),
            weight_total: split["weight_total"].as_u64().expect("a total"),
            variants: split["variants"].as_array().expect("a list").iter().map(variant).collect(),
        })
        .map(|split| (split.id.clone(), split))
        .collect()
}

/// All rows.
pub fn rows() -> Vec<Row> {
    table("golden-rows.csv", |[split, key, as_header, h1, h2, bucket, variant]| Row {
        split: split.into(),
        key: bytes(key),
        as_header: as_header == "1",
        h1: hex(h1),
        h2: hex(h2),
        bucket: bucket.parse().expect("a number"),
        variant: variant.into(),
    })
}

/// The tickets that are recorded.
pub fn tickets() -> Vec<Ticket> {
    table("golden-tickets.csv", |[split, key, variant, _weight, v, ticket, cost]| Ticket {
        split: split.into(),
        key: bytes(key),
        variant: variant.into(),
        v: hex(v),
        ticket: hex(ticket),
        cost: cost.parse().expect("a number"),
    })
}

/// Tickets and their costs.
pub fn costs() -> Vec<(u64, u64)> {
    table("golden-costs.csv", |[ticket, cost]| (hex(ticket), cost.parse().expect("a number")))
}

/// One policy with all splits, each matched by its host, the key in the header `x-key`.
pub fn policy() -> Value {
    let split = |split: &Split| {
        let variant =
            |(name, weight): &(String, u64)| serde_json::json!({"name": name, "weight": weight});
        serde_json::json!({
            "name": split.id,
            "match": [{"hosts": [split.host]}],
            "key": [{"header": "x-key"}],
            "salt": split.salt,
            "weight_total": split.weight_total,
            "baseline": split.variants.first().map(|(name, _)| name),
            "variants": split.variants.iter().map(variant).collect::<Vec<_>>(),
        })
    };
    serde_json::json!({"version": 1, "splits": splits().values().map(split).collect::<Vec<_>>()})
}

fn read(name: &str) -> String {
    fs::read_to_string(super::root().join("tests/vectors").join(name)).expect("the file is there")
}

fn table<T, const N: usize>(name: &str, row: impl Fn([&str; N]) -> T) -> Vec<T> {
    let text = read(name);
    let cells = |line: &str| -> T {
        let cells: Vec<&str> = line.split(',').collect();
        row(cells.try_into().expect("a cell for each column"))
    };
    text.lines().skip(1).map(cells).collect()
}

fn hex(text: &str) -> u64 {
    u64::from_str_radix(text, 16).expect("a hexadecimal number")
}

fn bytes(text: &str) -> Vec<u8> {
    let pair = |at| {
        u8::from_str_radix(text.get(at..at + 2).expect("two digits"), 16).expect("hexadecimal")
    };
    (0..text.len()).step_by(2).map(pair).collect()
}
