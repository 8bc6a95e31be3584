//! Writing a policy as a document, the one form in which it is written back, and which is hashed. Reading it again gives an
//! equal policy. Fields that have their default are left out, and lists keep their order.

pub mod defaults;
pub mod duration;
mod matches;
mod over_time;
pub mod time;

use crate::ids::VariantId;
use crate::policy::{
    Assignment, Encoding, Fallback, Force, HeaderEdits, Holdout, KeySource, Layer, Mirror,
    MirrorBy, OnMissingKey, Outcomes, Override, Policy, Respond, Rewrite, SecretSource, Split,
    Value, Variant, Weight, WeightTotal,
};
use crate::units::Buckets;

use defaults::default_of;
use matches::write_matches;
use over_time::{write_generated_cookie, write_guard, write_ramp, write_sticky, write_weight};

/// The policy as a document.
pub fn to_value(policy: &Policy) -> Value {
    let mut object = Object::default();
    object.put("version", Value::Integer(1));
    object.put("cluster_header", text(&policy.cluster_header));
    object.put("variant_header", policy.variant_header.as_deref().map_or(Value::Null, text));
    let unwritten = policy.variant_header.is_none();
    object.put_if("filter_state", policy.filter_state != unwritten, || {
        Value::Bool(policy.filter_state)
    });
    object.put_some("response_variant_header", policy.response_variant_header.as_deref().map(text));
    object.put("mirror_header", text(&policy.mirror_header));
    object.put("baggage", Value::Bool(policy.baggage));
    object.put("vary", Value::Bool(policy.vary));
    object.put_if("client_ip", policy.trusted_hops > 0, || {
        Object::of([("trusted_hops", Value::Integer(policy.trusted_hops.into()))])
    });
    object.put_some("force", policy.force.as_ref().map(write_force));
    object.put_if("layers", !policy.layers.is_empty(), || {
        list(policy.layers.as_slice(), write_layer)
    });
    object.put_some("holdout", policy.holdout.as_ref().map(write_holdout));
    object.put("kill", Value::Bool(policy.kill));
    object.put("outcomes", word(policy.outcomes, Outcomes::ALL));
    object.put("splits", list(policy.splits.as_slice(), |split| write_split(policy, split)));
    object.into()
}

fn write_force(force: &Force) -> Value {
    let (place, name) = match &force.secret_in {
        SecretSource::Header(name) => ("header", name),
        SecretSource::Cookie(name) => ("cookie", name),
    };
    let secret = Object::of([(place, text(name)), ("value", text(force.secret.reveal()))]);
    Object::of([("header", text(&force.header)), ("secret", secret)])
}

fn write_layer(layer: &Layer) -> Value {
    let mut object = Object::default();
    object.put("name", text(&layer.name));
    object.put_if("salt", layer.salt != layer.name, || text(&layer.salt));
    object.into()
}

fn write_holdout(holdout: &Holdout) -> Value {
    let mut object = Object::default();
    object.put("percent", percent(holdout.buckets));
    object.put_in("holdout", "salt", text(&holdout.salt));
    object.into()
}

fn write_split(policy: &Policy, split: &Split) -> Value {
    let variant = |id: VariantId| text(&split.variants[id].name);
    let mut object = Object::default();
    object.put("name", text(&split.name));
    object.put("enabled", Value::Bool(split.enabled));
    object.put_some("match", split.matches.as_deref().map(write_matches));
    object.put_if("key", !split.key.is_empty(), || list(&split.key, write_key));
    object.put("on_missing_key", word(split.on_missing_key, OnMissingKey::ALL));
    object.put("assignment", word(split.assignment, Assignment::ALL));
    object.put_if("salt", split.salt != split.name, || text(&split.salt));
    object.put("baseline", variant(split.baseline));
    object.put("variants", list(split.variants.as_slice(), write_variant));
    object.put("weight_total", write_weight_total(split.weight_total));
    object.put_if("overrides", !split.overrides.is_empty(), || {
        list(&split.overrides, |forced: &Override| {
            let outcome = match forced.variant {
                Some(id) => ("variant", variant(id)),
                None => ("skip", Value::Bool(true)),
            };
            Object::of([("match", write_matches(&forced.matches)), outcome])
        })
    });
    object.put_some("layer", split.layer.map(|layer| text(&policy.layers[layer].name)));
    object.put_some(
        "slice",
        split.slice.map(|slice| {
            Object::of([("from", percent(slice.from())), ("to", percent(slice.to()))])
        }),
    );
    object.put_some("sticky", split.sticky.as_ref().map(|s| write_sticky(s, &split.name)));
    object.put_some("ramp", split.ramp.as_ref().map(|ramp| write_ramp(ramp, &split.variants)));
    object.put_some("mirror", split.mirror.as_ref().map(write_mirror));
    object.put_some("guard", split.guard.as_ref().map(write_guard));
    object.put_if("requires", !split.requires.is_empty(), || {
        list(&split.requires, |required| {
            let other = &policy.splits[required.split];
            let variant = &other.variants[required.variant];
            Object::of([("split", text(&other.name)), ("variant", text(&variant.name))])
        })
    });
    object.into()
}

fn write_key(source: &KeySource) -> Value {
    match source {
        KeySource::Header(name) => Object::of([("header", text(name))]),
        KeySource::Cookie { name, decoding } => {
            let mut object = Object::default();
            object.put("cookie", text(name));
            object.put_if("decode", !decoding.steps.is_empty(), || {
                list(&decoding.steps, |step| word(*step, Encoding::ALL))
            });
            object.put_some("json", decoding.json.as_deref().map(text));
            object.into()
        }
        KeySource::Query(name) => Object::of([("query", text(name))]),
        KeySource::Jwt { provider, claim } => {
            let jwt = Object::of([("provider", text(provider)), ("claim", text(claim))]);
            Object::of([("jwt", jwt)])
        }
        KeySource::ClientIp => Object::of([("client_ip", Value::Bool(true))]),
        KeySource::Generate(cookie) => Object::of([("generate", write_generated_cookie(cookie))]),
    }
}

fn write_variant(variant: &Variant) -> Value {
    let mut object = Object::default();
    object.put("name", text(&variant.name));
    object.put_some("cluster", variant.cluster.as_deref().map(text));
    object.put("weight", write_weight(variant.weight));
    object.put_some("max_weight", variant.max_weight.map(write_weight));
    object.put("drain", Value::Bool(variant.drain));
    let edits = [
        ("request_headers", &variant.request_headers),
        ("response_headers", &variant.response_headers),
    ];
    for (name, edits) in edits {
        object.put_if(name, *edits != HeaderEdits::default(), || write_edits(edits));
    }
    object.put_some(
        "respond",
        variant.respond.as_ref().map(|Respond { status, body }| {
            let mut object = Object::default();
            object.put("status", Value::Integer((*status).into()));
            object.put("body", text(body));
            object.into()
        }),
    );
    object.put_if("rewrite", variant.rewrite != Rewrite::default(), || {
        let mut object = Object::default();
        object.put_some("host", variant.rewrite.host.as_deref().map(text));
        object.put_some(
            "path_prefix",
            variant
                .rewrite
                .path_prefix
                .as_ref()
                .map(|(from, to)| Object::of([("from", text(from)), ("to", text(to))])),
        );
        object.into()
    });
    object.put_some("fallback", variant.fallback.map(|fallback| word(fallback, Fallback::ALL)));
    object.into()
}

fn write_edits(edits: &HeaderEdits) -> Value {
    let pair = |(name, value): &(String, String)| {
        Object::of([("name", text(name)), ("value", text(value))])
    };
    let mut object = Object::default();
    object.put_if("set", !edits.set.is_empty(), || list(&edits.set, pair));
    object.put_if("add", !edits.add.is_empty(), || list(&edits.add, pair));
    object.put_if("remove", !edits.remove.is_empty(), || list(&edits.remove, |name| text(name)));
    object.into()
}

fn write_mirror(mirror: &Mirror) -> Value {
    let mut object = Object::default();
    object.put("cluster", text(&mirror.cluster));
    object.put("percent", percent(mirror.buckets));
    object.put("by", word(mirror.by, MirrorBy::ALL));
    object.into()
}

/// Fields in the order they are put.
#[derive(Default)]
struct Object(Vec<(String, Value)>);

impl Object {
    fn of<const N: usize>(fields: [(&str, Value); N]) -> Value {
        let mut object = Self::default();
        for (name, value) in fields {
            object.push(name, value);
        }
        object.into()
    }

    #[inline(never)]
    fn push(&mut self, name: &str, value: Value) {
        self.0.push((name.to_owned(), value));
    }

    /// Puts a field that does not have its default.
    #[inline(never)]
    fn put(&mut self, name: &str, value: Value) {
        self.put_in("", name, value);
    }

    /// The same, where the default is that of a certain object's field. In the module once, as the others here are.
    #[inline(never)]
    fn put_in(&mut self, object: &str, name: &str, value: Value) {
        if default_of(&format!("{object}.{name}")) != Some(&value) {
            self.push(name, value);
        }
    }

    fn put_if(&mut self, name: &str, wanted: bool, value: impl FnOnce() -> Value) {
        if wanted {
            self.put(name, value());
        }
    }

    #[inline(never)]
    fn put_some(&mut self, name: &str, value: Option<Value>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(object.0)
    }
}

#[inline(never)]
fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn list<T>(items: &[T], write: impl Fn(&T) -> Value) -> Value {
    Value::List(items.iter().map(write).collect())
}

fn word<T: PartialEq>(value: T, all: &[(&str, T)]) -> Value {
    all.iter().find(|(_, known)| *known == value).map_or(Value::Null, |(name, _)| text(name))
}

fn write_weight_total(total: WeightTotal) -> Value {
    match total {
        WeightTotal::Any => text("any"),
        WeightTotal::Exactly(total) => write_weight(total),
    }
}

fn percent(buckets: Buckets) -> Value {
    write_weight(Weight::from(buckets))
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test that overflows has failed")]
mod tests;
