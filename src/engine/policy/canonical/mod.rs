//! Writing a policy, in the one form in which it is written back, and which is hashed. Reading it again gives an equal
//! policy. Fields that have their default are left out, and lists keep their order.

pub mod defaults;
mod document;
pub mod duration;
mod matches;
mod over_time;
pub mod time;
mod writer;

use crate::policy::{
    Assignment, Encoding, Fallback, FilterState, Force, HeaderEdits, Holdout, KeySource, Layer,
    Mirror, MirrorBy, OnMissingKey, Outcomes, Override, Policy, Rewrite, SecretSource, Split,
    Variant, Weight, WeightTotal,
};

pub use document::to_value;
use matches::write_matches;
use over_time::{write_generated_cookie, write_guard, write_ramp, write_sticky};
use writer::text_of;
pub(super) use writer::{Scalar, Sink, Writer};

/// Writes the policy.
#[inline(never)]
pub(super) fn write<'p, S: Sink<'p>>(out: &mut Writer<S>, policy: &'p Policy) {
    out.item(|out| write_policy(out, policy));
}

fn write_policy<'p, S: Sink<'p>>(out: &mut Writer<S>, policy: &'p Policy) {
    out.integer("version", 1);
    out.text_unless("cluster_header", &policy.cluster_header, Policy::CLUSTER_HEADER);
    match &policy.variant_header {
        Some(name) => out.text_unless("variant_header", name, Policy::VARIANT_HEADER),
        None => out.null("variant_header"),
    }
    let default = FilterState::default_of(policy.variant_header.as_ref());
    match policy.filter_state {
        state if state == default => {}
        FilterState::Evidence => out.text("filter_state", FilterState::EVIDENCE),
        FilterState::Variants => out.bool("filter_state", true, false),
        FilterState::Off => out.bool("filter_state", false, true),
    }
    out.text_if("response_variant_header", policy.response_variant_header.as_deref());
    out.text_unless("mirror_header", &policy.mirror_header, Policy::MIRROR_HEADER);
    out.bool("baggage", policy.baggage, false);
    out.bool("vary", policy.vary, false);
    if policy.trusted_hops > 0 {
        out.object("client_ip", |out| out.integer("trusted_hops", policy.trusted_hops.into()));
    }
    if let Some(force) = &policy.force {
        out.object("force", |out| write_force(out, force));
    }
    if !policy.layers.is_empty() {
        out.objects("layers", policy.layers.iter(), |out, Layer { name, salt }| {
            out.text("name", name);
            out.text_unless("salt", salt, name);
        });
    }
    if let Some(Holdout { buckets, salt }) = &policy.holdout {
        out.object("holdout", |out| {
            out.weight("percent", Weight::from(*buckets));
            out.text_unless("salt", salt, Holdout::SALT);
        });
    }
    out.bool("kill", policy.kill, false);
    out.word("outcomes", policy.outcomes, Outcomes::default(), Outcomes::ALL);
    out.objects("splits", policy.splits.iter(), |out, split| write_split(out, policy, split));
}

fn write_force<'p, S: Sink<'p>>(out: &mut Writer<S>, force: &Force) {
    out.text("header", &force.header);
    out.object("secret", |out| {
        let (place, name) = match &force.secret_in {
            SecretSource::Header(name) => ("header", name),
            SecretSource::Cookie(name) => ("cookie", name),
        };
        out.text(place, name);
        out.text("value", force.secret.reveal());
    });
}

fn write_split<'p, S: Sink<'p>>(out: &mut Writer<S>, policy: &Policy, split: &'p Split) {
    out.text("name", &split.name);
    out.bool("enabled", split.enabled, true);
    if let Some(matches) = &split.matches {
        write_matches(out, matches);
    }
    if !split.key.is_empty() {
        out.objects("key", &split.key, write_key);
    }
    let (missing, assignment) = (OnMissingKey::default(), Assignment::default());
    out.word("on_missing_key", split.on_missing_key, missing, OnMissingKey::ALL);
    out.word("assignment", split.assignment, assignment, Assignment::ALL);
    out.text_unless("salt", &split.salt, &split.name);
    out.text("baseline", &split.variants[split.baseline].name);
    out.objects("variants", split.variants.iter(), write_variant);
    match split.weight_total {
        WeightTotal::Any => out.text("weight_total", "any"),
        WeightTotal::Exactly(Weight::HUNDRED) => {}
        WeightTotal::Exactly(total) => out.weight("weight_total", total),
    }
    if !split.overrides.is_empty() {
        out.objects("overrides", &split.overrides, |out, Override { matches, variant }| {
            write_matches(out, matches);
            match variant {
                Some(id) => out.text("variant", &split.variants[*id].name),
                None => out.bool("skip", true, false),
            }
        });
    }
    out.text_if("layer", split.layer.map(|layer| &*policy.layers[layer].name));
    if let Some(slice) = split.slice {
        out.object("slice", |out| {
            out.weight("from", Weight::from(slice.from()));
            out.weight("to", Weight::from(slice.to()));
        });
    }
    if let Some(sticky) = &split.sticky {
        out.object("sticky", |out| write_sticky(out, sticky, &split.name));
    }
    if let Some(ramp) = &split.ramp {
        out.object("ramp", |out| write_ramp(out, ramp, &split.variants));
    }
    if let Some(Mirror { cluster, buckets, by }) = &split.mirror {
        out.object("mirror", |out| {
            out.text("cluster", cluster);
            out.weight("percent", Weight::from(*buckets));
            out.word("by", *by, MirrorBy::default(), MirrorBy::ALL);
        });
    }
    if let Some(guard) = &split.guard {
        out.object("guard", |out| write_guard(out, guard));
    }
    if !split.requires.is_empty() {
        out.objects("requires", &split.requires, |out, required| {
            let other = &policy.splits[required.split];
            out.text("split", &other.name);
            out.text("variant", &other.variants[required.variant].name);
        });
    }
}

fn write_key<'p, S: Sink<'p>>(out: &mut Writer<S>, source: &KeySource) {
    match source {
        KeySource::Header(name) => out.text("header", name),
        KeySource::Cookie { name, decoding } => {
            out.text("cookie", name);
            if !decoding.steps.is_empty() {
                out.list("decode", |out| {
                    for step in &decoding.steps {
                        out.text_item(text_of(*step, Encoding::ALL).unwrap_or_default());
                    }
                });
            }
            out.text_if("json", decoding.json.as_deref());
        }
        KeySource::Query(name) => out.text("query", name),
        KeySource::Jwt { provider, claim } => out.object("jwt", |out| {
            out.text("provider", provider);
            out.text("claim", claim);
        }),
        KeySource::ClientIp => out.bool("client_ip", true, false),
        KeySource::Generate(cookie) => {
            out.object("generate", |out| write_generated_cookie(out, cookie));
        }
    }
}

fn write_variant<'p, S: Sink<'p>>(out: &mut Writer<S>, variant: &Variant) {
    out.text("name", &variant.name);
    out.text_if("cluster", variant.cluster.as_deref());
    out.weight("weight", variant.weight);
    if let Some(max) = variant.max_weight {
        out.weight("max_weight", max);
    }
    out.bool("drain", variant.drain, false);
    write_edits(out, "request_headers", &variant.request_headers);
    write_edits(out, "response_headers", &variant.response_headers);
    if let Some(respond) = &variant.respond {
        out.object("respond", |out| {
            out.integer("status", respond.status.into());
            out.text_unless("body", &respond.body, "");
        });
    }
    if variant.rewrite != Rewrite::default() {
        out.object("rewrite", |out| {
            out.text_if("host", variant.rewrite.host.as_deref());
            if let Some((from, to)) = &variant.rewrite.path_prefix {
                out.object("path_prefix", |out| {
                    out.text("from", from);
                    out.text("to", to);
                });
            }
        });
    }
    if let Some(fallback) = variant.fallback {
        out.text_if("fallback", text_of(fallback, Fallback::ALL));
    }
}

#[inline(never)]
fn write_edits<'p, S: Sink<'p>>(out: &mut Writer<S>, name: &'p str, edits: &HeaderEdits) {
    if *edits == HeaderEdits::default() {
        return;
    }
    out.object(name, |out| {
        for (name, edits) in [("set", &edits.set), ("add", &edits.add)] {
            if !edits.is_empty() {
                out.objects(name, edits, |out, (name, value)| {
                    out.text("name", name);
                    out.text("value", value);
                });
            }
        }
        out.shown("remove", &edits.remove);
    });
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test that overflows has failed")]
mod tests;
