//! Reading a document: what is written -> [`Policy`], with every problem reported. This file reads
//! what holds for all splits; [`split`] reads a split.

mod cookie;
mod fields;
mod guard;
mod key;
mod matches;
mod names;
mod ramp;
mod scalar;
mod split;
mod sticky;
mod value_test;
mod variant;
pub(super) mod wire_struct;

use crate::policy::check;
use crate::policy::cursor::Cursor;
use crate::policy::name_map::NameMap;
use crate::policy::{
    Code, FilterState, Force, Holdout, Layer, Outcomes, Policy, Secret, SecretSource, Value, limits,
};
use key::read_key;
use names::{read_control_header, read_cookie_name, read_name, read_salt};
use scalar::{read_bool, read_percent};
use split::{Around, names_in, read_splits};

/// The version this release reads.
const VERSION: i64 = 1;

/// Reads the document; `None` when something required could not be read (which is reported).
pub(super) fn read_policy(at: &Cursor) -> Option<Policy> {
    let mut fields = at.object()?;
    fields.required("version", read_version);
    let mut policy = Policy::default();
    fields.set("cluster_header", &mut policy.cluster_header, read_control_header);
    if fields.has("variant_header") {
        policy.variant_header = fields.optional("variant_header", |at| match at.value {
            Value::Null => None,
            _ => read_control_header(at),
        });
    }
    policy.filter_state = FilterState::default_of(policy.variant_header.as_ref());
    fields.set("filter_state", &mut policy.filter_state, read_filter_state);
    policy.response_variant_header =
        fields.optional("response_variant_header", read_control_header);
    fields.set("mirror_header", &mut policy.mirror_header, read_control_header);
    fields.set("baggage", &mut policy.baggage, read_bool);
    fields.set("vary", &mut policy.vary, read_bool);
    fields.set("client_ip", &mut policy.trusted_hops, read_client_ip);
    policy.force = fields.optional("force", read_force);
    let key = fields.optional("key", read_key);
    policy.layers = fields.optional("layers", read_layers).unwrap_or_default().into();
    policy.holdout = fields.optional("holdout", read_holdout);
    fields.set("kill", &mut policy.kill, read_bool);
    fields.set("outcomes", &mut policy.outcomes, |at| at.word(Outcomes::ALL));
    check::check_policy(&policy, at);
    let around = Around {
        policy: &policy,
        key: key.as_deref().unwrap_or_default(),
        key_given: fields.has("key"),
        names: names_in(at.field("splits").value),
    };
    let splits = fields.required("splits", |at| read_splits(at, &around));
    fields.close();
    policy.splits = splits?.into();
    check::check_splits(&policy, at);
    Some(policy)
}

fn read_version(at: &Cursor) -> Option<()> {
    match at.value {
        Value::Integer(VERSION) => Some(()),
        Value::Float(n) if *n == VERSION as f64 => Some(()),
        Value::Integer(_) | Value::Float(_) => {
            let message = format!("version `{}` is not known", at.shown());
            at.refuse(Code::UnsupportedVersion, message, "this release reads `version: 1`")
        }
        _ => at.expected("the number 1"),
    }
}

fn read_filter_state(at: &Cursor) -> Option<FilterState> {
    match at.value {
        Value::Bool(true) => Some(FilterState::Variants),
        Value::Bool(false) => Some(FilterState::Off),
        Value::String(_) => at.word(&[(FilterState::EVIDENCE, FilterState::Evidence)]),
        _ => at.expected("`true`, `false` or `evidence`"),
    }
}

fn read_client_ip(at: &Cursor) -> Option<u8> {
    let mut fields = at.object()?;
    let hops = fields.required("trusted_hops", |at| at.whole(0..=u8::MAX.into()));
    fields.close();
    hops
}

fn read_force(at: &Cursor) -> Option<Force> {
    let mut fields = at.object()?;
    let mut header = Some(Force::HEADER.to_owned());
    if fields.has("header") {
        header = fields.optional("header", read_control_header);
    }
    let secret = fields.required("secret", |at| {
        let mut fields = at.object()?;
        let (places, place) = fields.one_of(&["header", "cookie"], |at, place| match place {
            "header" => read_control_header(at).map(SecretSource::Header),
            _ => read_cookie_name(at).map(SecretSource::Cookie),
        });
        let value = fields.required("value", read_secret);
        fields.close();
        if places.len() != 1 {
            let message = "a secret is carried in exactly one of `header`, `cookie`";
            let help = "write `secret: {header: x-split-secret, value: ...}`";
            return at.refuse(Code::InvalidValue, message, help);
        }
        Some((place?, value?))
    });
    fields.close();
    let (secret_in, secret) = secret?;
    Some(Force { header: header?, secret_in, secret })
}

/// A secret. It is never shown.
pub(super) fn read_secret(at: &Cursor) -> Option<Secret> {
    let Value::String(secret) = at.value else {
        let message = format!("expected a string, found {}", at.value.kind());
        return at.refuse(Code::WrongType, message, "put the secret in quotes");
    };
    let printable = secret.bytes().all(|b| b.is_ascii_graphic());
    if (limits::SECRET_MIN..=limits::SECRET).contains(&secret.len()) && printable {
        return Some(Secret::from(secret.as_str()));
    }
    let message = "the secret is too easily guessed, or no header carries it";
    let help = format!(
        "a secret is {} to {} visible ASCII characters, such as `openssl rand -hex 32` prints",
        limits::SECRET_MIN,
        limits::SECRET
    );
    at.refuse(Code::WeakSecret, message, help)
}

fn read_layers(at: &Cursor) -> Option<Vec<Layer>> {
    let mut names = NameMap::default();
    let layers = at.list(|at| {
        let mut fields = at.object()?;
        let name = fields.required("name", read_name);
        let salt = fields.optional("salt", read_salt);
        fields.close();
        let name = name?;
        if names.insert(at.value.name(), 0).is_some() {
            let message = format!("layer `{name}` is there already");
            at.field("name").report(Code::DuplicateName, message);
        }
        Some(Layer { salt: salt.unwrap_or_else(|| name.clone()), name })
    })?;
    at.at_most(limits::LAYERS, layers.len(), "layers", None)?;
    Some(layers)
}

fn read_holdout(at: &Cursor) -> Option<Holdout> {
    let mut fields = at.object()?;
    let buckets = fields.required("percent", read_percent);
    let salt = fields.optional("salt", read_salt);
    fields.close();
    Some(Holdout { buckets: buckets?, salt: salt.unwrap_or_else(|| Holdout::SALT.into()) })
}

#[cfg(test)]
mod tests;
