//! Reading a document: [`Value`] -> [`Policy`], with every problem reported. This file reads what
//! holds for all splits; [`split`] reads a split.

pub(super) mod cookie;
pub(super) mod fields;
mod key;
mod matches;
mod names;
pub(super) mod ramp;
mod split;
pub(super) mod sticky;
mod value_test;
mod variant;
pub(super) mod wire_struct;

use std::ops::RangeInclusive;

use crate::ids::List;
use crate::policy::check;
use crate::policy::name_map::NameMap;
use crate::policy::sink::{Path, Sink};
use crate::policy::value::name_of;
use crate::policy::{
    Code, Force, Holdout, Layer, Policy, Secret, SecretSource, Value, Weight, limits,
};
use crate::units::Buckets;
use fields::{Fields, read_bool, read_list, read_text};
use key::read_key;
use names::{read_control_header, read_cookie_name, read_name, read_salt};
use split::{Around, read_splits};

/// The version this release reads.
const VERSION: i64 = 1;

/// Reads the document; `None` when something required could not be read (which is reported).
pub(super) fn read_policy(value: &Value, sink: &mut Sink) -> Option<Policy> {
    let root = Path::Root;
    let mut fields = Fields::open(value, &root, sink)?;
    fields.required("version", sink, read_version);
    let default = Policy::default();
    let cluster_header = fields.optional("cluster_header", sink, read_control_header);
    let variant_header = match fields.get("variant_header") {
        None => default.variant_header.clone(),
        Some(Value::Null) => None,
        Some(name) => read_control_header(name, &Path::Field(&root, "variant_header"), sink),
    };
    let response_variant_header =
        fields.optional("response_variant_header", sink, read_control_header);
    let mirror_header = fields.optional("mirror_header", sink, read_control_header);
    let baggage = fields.optional("baggage", sink, read_bool);
    let vary = fields.optional("vary", sink, read_bool);
    let trusted_hops = fields.optional("client_ip", sink, read_client_ip);
    let force = fields.optional("force", sink, read_force);
    let key = fields.optional("key", sink, read_key);
    let layers = fields.optional("layers", sink, read_layers);
    let holdout = fields.optional("holdout", sink, read_holdout);
    let kill = fields.optional("kill", sink, read_bool);
    let mut policy = Policy {
        cluster_header: cluster_header.unwrap_or(default.cluster_header),
        variant_header,
        response_variant_header,
        mirror_header: mirror_header.unwrap_or(default.mirror_header),
        baggage: baggage.unwrap_or_default(),
        vary: vary.unwrap_or_default(),
        trusted_hops: trusted_hops.unwrap_or_default(),
        force,
        layers: layers.unwrap_or_default().into(),
        holdout,
        kill: kill.unwrap_or_default(),
        splits: List::default(),
    };
    check::check_policy(&policy, sink);
    let around = Around::new(&policy, key.as_deref(), fields.get("key").is_some(), value);
    let splits = fields.required("splits", sink, |v, p, s| read_splits(v, p, s, &around));
    fields.close(sink);
    policy.splits = splits?.into();
    check::check_splits(&policy, sink);
    Some(policy)
}

fn read_version(value: &Value, path: &Path, sink: &mut Sink) -> Option<()> {
    match value {
        Value::Integer(VERSION) => return Some(()),
        Value::Float(n) if *n == VERSION as f64 => return Some(()),
        Value::Integer(_) | Value::Float(_) => {
            sink.report(Code::UnsupportedVersion, path, format!("version `{value}` is not known"))
                .help("this release reads `version: 1`");
        }
        _ => {
            sink.wrong_type(path, "the number 1", value);
        }
    }
    None
}

fn read_client_ip(value: &Value, path: &Path, sink: &mut Sink) -> Option<u8> {
    let mut fields = Fields::open(value, path, sink)?;
    let hops =
        fields.required("trusted_hops", sink, |v, p, s| read_whole(v, p, s, 0..=u8::MAX.into()));
    fields.close(sink);
    hops.and_then(|hops| u8::try_from(hops).ok())
}

fn read_force(value: &Value, path: &Path, sink: &mut Sink) -> Option<Force> {
    let mut fields = Fields::open(value, path, sink)?;
    let header = fields.optional("header", sink, read_control_header);
    let given = fields.get("header").is_some();
    let secret = fields.required("secret", sink, |value, path, sink| {
        let mut fields = Fields::open(value, path, sink)?;
        let in_header =
            fields.optional("header", sink, read_control_header).map(SecretSource::Header);
        let in_cookie = fields.optional("cookie", sink, read_cookie_name).map(SecretSource::Cookie);
        let places = [fields.get("header"), fields.get("cookie")].iter().flatten().count();
        let value = fields.required("value", sink, read_secret);
        fields.close(sink);
        if places != 1 {
            let message = "a secret is carried in exactly one of `header`, `cookie`";
            sink.report(Code::InvalidValue, path, message)
                .help("write `secret: {header: x-split-secret, value: ...}`");
            return None;
        }
        Some((in_header.or(in_cookie)?, value?))
    });
    fields.close(sink);
    let (secret_in, secret) = secret?;
    let header = if given { header? } else { Force::HEADER.to_owned() };
    Some(Force { header, secret_in, secret })
}

/// A secret. It is never shown.
pub(super) fn read_secret(value: &Value, path: &Path, sink: &mut Sink) -> Option<Secret> {
    let Value::String(secret) = value else {
        let message = format!("expected a string, found {}", value.kind());
        sink.report(Code::WrongType, path, message).help("put the secret in quotes");
        return None;
    };
    let printable = secret.bytes().all(|b| b.is_ascii_graphic());
    if (limits::SECRET_MIN..=limits::SECRET).contains(&secret.len()) && printable {
        return Some(Secret::from(secret.as_str()));
    }
    sink.report(
        Code::WeakSecret,
        path,
        "the secret is too easily guessed, or no header carries it",
    )
    .help(format!(
        "a secret is {} to {} visible ASCII characters, such as `openssl rand -hex 32` prints",
        limits::SECRET_MIN,
        limits::SECRET
    ));
    None
}

fn read_layers(value: &Value, path: &Path, sink: &mut Sink) -> Option<Vec<Layer>> {
    let mut names = NameMap::default();
    let layers = read_list(value, path, sink, |value, path, sink| {
        let mut fields = Fields::open(value, path, sink)?;
        let name = fields.required("name", sink, read_name);
        let salt = fields.optional("salt", sink, read_salt);
        fields.close(sink);
        let name = name?;
        if names.insert(name_of(value), 0).is_some() {
            let message = format!("layer `{name}` is there already");
            sink.report(Code::DuplicateName, &Path::Field(path, "name"), message);
        }
        Some(Layer { salt: salt.unwrap_or_else(|| name.clone()), name })
    })?;
    sink.over(limits::LAYERS, layers.len(), "layers", path);
    Some(layers)
}

fn read_holdout(value: &Value, path: &Path, sink: &mut Sink) -> Option<Holdout> {
    let mut fields = Fields::open(value, path, sink)?;
    let buckets = fields.required("percent", sink, read_percent);
    let salt = fields.optional("salt", sink, read_salt);
    fields.close(sink);
    Some(Holdout { buckets: buckets?, salt: salt.unwrap_or_else(|| Holdout::SALT.into()) })
}

/// A percentage with up to two decimals, as a number of buckets.
pub(super) fn read_percent(value: &Value, path: &Path, sink: &mut Sink) -> Option<Buckets> {
    if !matches!(value, Value::Integer(_) | Value::Float(_)) {
        sink.wrong_type(path, "a number", value);
        return None;
    }
    let buckets = Weight::from_value(value).ok().and_then(Weight::as_percent);
    if buckets.is_none() {
        sink.report(Code::InvalidPercent, path, format!("`{value}` is not a percentage"))
            .help("a percentage is 0 to 100 with up to two decimals");
    }
    buckets
}

/// A whole number in a range.
pub(super) fn read_whole(
    value: &Value,
    path: &Path,
    sink: &mut Sink,
    range: RangeInclusive<i64>,
) -> Option<i64> {
    let number = match value {
        Value::Integer(n) => Some(*n),
        // Whole doubles below 2^53 are exact.
        Value::Float(n) if n.fract() == 0.0 && n.abs() < 9e15 => Some(*n as i64),
        Value::Float(_) => None,
        _ => {
            sink.wrong_type(path, "a whole number", value);
            return None;
        }
    };
    let number = number.filter(|n| range.contains(n));
    if number.is_none() {
        let (min, max) = (range.start(), range.end());
        let message = format!("`{value}` is not a whole number from {min} to {max}");
        sink.report(Code::InvalidValue, path, message);
    }
    number
}

/// One word of a list of words.
pub(super) fn read_word<T: Copy>(
    value: &Value,
    path: &Path,
    sink: &mut Sink,
    all: &[(&str, T)],
) -> Option<T> {
    let word = read_text(value, path, sink)?;
    let found = all.iter().find(|(known, _)| *known == word);
    if found.is_none() {
        let known: Vec<_> = all.iter().map(|(known, _)| *known).collect();
        sink.unknown(Code::InvalidValue, path, "value", word, &known);
    }
    found.map(|(_, value)| *value)
}

#[cfg(test)]
mod tests;
