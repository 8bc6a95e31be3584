//! Reading a document: [`Value`] -> [`Policy`], with every problem reported.

use super::fields::{Fields, Path, Sink, read_bool, read_list, read_text};
use super::names::{
    read_cluster, read_control_header, read_cookie_name, read_header_name, read_name, read_salt,
};
use super::read_match::read_matches;
use super::rules;
use super::{
    Code, KeySource, OnMissingKey, Override, Policy, Split, Value, Variant, Weight, WeightTotal,
};

/// The version this release reads.
const VERSION: i64 = 1;

/// Reads the document; `None` when something required could not be read (which is reported).
pub(super) fn read_policy(value: &Value, sink: &mut Sink) -> Option<Policy> {
    let root = Path::Root;
    let mut fields = Fields::open(value, &root, sink)?;
    fields.required("version", sink, read_version);
    let cluster_header = fields.optional("cluster_header", sink, read_control_header);
    let variant_header = match fields.get("variant_header") {
        None => Some(Policy::VARIANT_HEADER.to_owned()),
        Some(Value::Null) => None,
        Some(name) => read_control_header(name, &Path::Field(&root, "variant_header"), sink),
    };
    let kill = fields.optional("kill", sink, read_bool);
    let key = fields.optional("key", sink, read_key);
    let mut policy = Policy {
        cluster_header: cluster_header.unwrap_or_else(|| Policy::CLUSTER_HEADER.into()),
        variant_header,
        kill: kill.unwrap_or_default(),
        splits: Vec::new(),
    };
    rules::check_headers(&policy, sink);
    let around =
        Around { policy: &policy, key: key.as_deref(), key_given: fields.get("key").is_some() };
    let splits = fields.required("splits", sink, |v, p, s| read_splits(v, p, s, &around));
    fields.close(sink);
    policy.splits = splits?;
    Some(policy)
}

/// What a split needs to know of the policy around it.
struct Around<'p> {
    /// The policy, its splits not read yet.
    policy: &'p Policy,
    /// The default key.
    key: Option<&'p [KeySource]>,
    /// The policy has a `key`, be it a broken one.
    key_given: bool,
}

fn read_version(value: &Value, path: &Path, sink: &mut Sink) -> Option<()> {
    match value {
        Value::Integer(VERSION) => return Some(()),
        Value::Float(n) if *n == VERSION as f64 => return Some(()),
        Value::Integer(_) | Value::Float(_) => {
            sink.error(Code::UnsupportedVersion, path, format!("version `{value}` is not known"))
                .help("this release reads `version: 1`");
        }
        _ => {
            sink.wrong_type(path, "the number 1", value);
        }
    }
    None
}

fn read_splits(value: &Value, path: &Path, sink: &mut Sink, around: &Around) -> Option<Vec<Split>> {
    // No splits at all is a policy, too: the way to switch everything off and keep the file.
    if matches!(value, Value::List(items) if items.is_empty()) {
        return Some(Vec::new());
    }
    let mut seen = rules::Seen::default();
    read_list(value, path, sink, |value, path, sink| {
        let split = read_split(value, path, sink, around);
        match &split {
            Some(split) => {
                rules::check_split(around.policy, split, path, sink);
                seen.check_split(split, path, sink);
            }
            // What could not be read has reported why.
            None => seen.skip(),
        }
        split
    })
}

fn read_split(value: &Value, path: &Path, sink: &mut Sink, around: &Around) -> Option<Split> {
    let mut fields = Fields::open(value, path, sink)?;
    let name = fields.required("name", sink, read_name);
    let enabled = fields.optional("enabled", sink, read_bool);
    let matches = fields.optional("match", sink, read_matches);
    let own_key = fields.optional("key", sink, read_key);
    if fields.get("key").is_none() && !around.key_given {
        sink.error(
            Code::MissingKey,
            path,
            "nothing says which header or cookie identifies the user",
        )
        .help("add `key: [{header: x-user-id}]` to the split, or to the policy for all splits");
    }
    let on_missing_key = fields.optional("on_missing_key", sink, read_on_missing_key);
    let salt = fields.optional("salt", sink, read_salt);
    let weight_total = fields.optional("weight_total", sink, read_weight_total);
    let variants = fields.required("variants", sink, |v, p, s| read_list(v, p, s, read_variant));
    let index_of = |v: &Value, p: &Path, s: &mut Sink| find_variant(v, p, s, variants.as_deref());
    let baseline = fields.required("baseline", sink, index_of);
    let overrides = fields.optional("overrides", sink, |v, p, s| {
        read_list(v, p, s, |v, p, s| read_override(v, p, s, index_of))
    });
    fields.close(sink);
    let name = name?;
    Some(Split {
        enabled: enabled.unwrap_or(true),
        matches,
        key: own_key.or_else(|| around.key.map(<[_]>::to_vec)).unwrap_or_default(),
        on_missing_key: on_missing_key.unwrap_or_default(),
        salt: salt.unwrap_or_else(|| name.clone()),
        baseline: baseline?,
        weight_total: weight_total.unwrap_or_default(),
        variants: variants?,
        overrides: overrides.unwrap_or_default(),
        name,
    })
}

fn read_key(value: &Value, path: &Path, sink: &mut Sink) -> Option<Vec<KeySource>> {
    read_list(value, path, sink, |value, path, sink| {
        let mut fields = Fields::open(value, path, sink)?;
        let header = fields.optional("header", sink, read_header_name).map(KeySource::Header);
        let cookie = fields.optional("cookie", sink, read_cookie_name).map(KeySource::Cookie);
        let given = [fields.get("header"), fields.get("cookie")].iter().flatten().count();
        fields.close(sink);
        if given != 1 {
            sink.error(
                Code::InvalidKeySource,
                path,
                "a key source needs exactly one of `header`, `cookie`",
            )
            .help("sources are tried in order: `key: [{header: x-user-id}, {cookie: uid}]`");
            return None;
        }
        header.or(cookie)
    })
}

fn read_on_missing_key(value: &Value, path: &Path, sink: &mut Sink) -> Option<OnMissingKey> {
    let word = read_text(value, path, sink)?;
    let found = OnMissingKey::ALL.iter().find(|(known, _)| *known == word);
    if found.is_none() {
        let known: Vec<_> = OnMissingKey::ALL.iter().map(|(known, _)| *known).collect();
        sink.unknown(Code::InvalidValue, path, "value", word, &known);
    }
    found.map(|(_, value)| *value)
}

fn read_weight(value: &Value, path: &Path, sink: &mut Sink) -> Option<Weight> {
    if !matches!(value, Value::Integer(_) | Value::Float(_)) {
        sink.wrong_type(path, "a number", value);
        return None;
    }
    match Weight::from_value(value) {
        Ok(weight) => Some(weight),
        Err(why) => {
            sink.error(Code::InvalidWeight, path, format!("`{value}` {why}"))
                .help("weights are 0 to 1000000000 with up to four decimals");
            None
        }
    }
}

fn read_weight_total(value: &Value, path: &Path, sink: &mut Sink) -> Option<WeightTotal> {
    if matches!(value, Value::String(word) if word == "any") {
        return Some(WeightTotal::Any);
    }
    if let Value::String(_) = value {
        sink.wrong_type(path, "a number or `any`", value);
        return None;
    }
    let total = read_weight(value, path, sink)?;
    if total.is_zero() {
        sink.error(Code::InvalidWeight, path, "a `weight_total` of `0` leaves nobody a variant")
            .help("to switch the split off, write `enabled: false`");
        return None;
    }
    Some(WeightTotal::Exactly(total))
}

fn read_variant(value: &Value, path: &Path, sink: &mut Sink) -> Option<Variant> {
    let mut fields = Fields::open(value, path, sink)?;
    let name = fields.required("name", sink, read_name);
    let cluster = fields.optional("cluster", sink, read_cluster);
    let weight = fields.required("weight", sink, read_weight);
    let max_weight = fields.optional("max_weight", sink, read_weight);
    fields.close(sink);
    Some(Variant { name: name?, cluster, weight: weight?, max_weight })
}

fn read_override(
    value: &Value,
    path: &Path,
    sink: &mut Sink,
    index_of: impl FnOnce(&Value, &Path, &mut Sink) -> Option<usize>,
) -> Option<Override> {
    let mut fields = Fields::open(value, path, sink)?;
    let matches = fields.required("match", sink, read_matches);
    let variant = fields.required("variant", sink, index_of);
    fields.close(sink);
    Some(Override { matches: matches?, variant: variant? })
}

/// The index of a variant that is referred to by name. Where the variants themselves could not be
/// read, their own problems are enough.
fn find_variant(
    value: &Value,
    path: &Path,
    sink: &mut Sink,
    variants: Option<&[Variant]>,
) -> Option<usize> {
    let name = read_text(value, path, sink)?;
    let variants = variants?;
    let found = variants.iter().position(|v| v.name == name);
    if found.is_none() {
        let known: Vec<_> = variants.iter().map(|v| v.name.as_str()).collect();
        sink.unknown(Code::UnknownVariant, path, "variant", name, &known);
    }
    found
}
