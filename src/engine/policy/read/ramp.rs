//! Reading `ramp`: weights over time.

use super::cookie::read_duration;
use super::names::shown;
use super::scalar::read_bool;
use super::variant::{check_max_weight, read_weight};
use crate::policy::check::check_sum;
use crate::policy::cursor::Cursor;
use crate::policy::name_map::NameMap;
use crate::policy::{
    Code, Ramp, RampStep, Steps, Value, Variant, Weight, WeightTotal, limits, time,
};
use crate::units::{Millis, Moment};

/// `variants` are those of the split, `None` where they could not be read; `total` is what the
/// weights of every step must sum to.
pub(crate) fn read_ramp(
    at: &Cursor,
    variants: Option<&[Variant]>,
    total: WeightTotal,
) -> Option<Ramp> {
    let mut fields = at.object()?;
    let start = fields.required("start", read_time);
    let steps = fields.required("steps", |at| read_steps(at, variants, total));
    let linear = fields.optional("linear", read_bool);
    let pause = fields.optional("pause", read_time);
    fields.close();
    if let (Some(start), Some(pause)) = (start, pause)
        && pause < start
    {
        let (at, start) = (at.field("pause"), at.field("start").value);
        let message = format!("the pause `{}` is before the start `{start}`", at.value);
        at.report(Code::RampOrder, message).help(
            "to keep the ramp from starting, move its `start`; to stand still, pause it later",
        );
    }
    Some(Ramp { start: start?, steps: steps?, linear: linear.unwrap_or_default(), pause })
}

fn read_steps(at: &Cursor, variants: Option<&[Variant]>, total: WeightTotal) -> Option<Steps> {
    let help = "`linear: true` moves the weights in a straight line between a few steps";
    at.at_most(limits::RAMP_STEPS, at.items()?.len(), "steps", Some(help))?;
    let mut before: Option<(Millis, &Value)> = None;
    // Steps that are not in order have been reported.
    let steps = at.list(|at| {
        let mut fields = at.object()?;
        let after = fields.required("after", read_duration);
        let weights = fields.required("weights", |at| read_weights(at, variants, total));
        fields.close();
        let written = after.zip(at.value.field("after"));
        if let (Some((before, before_text)), Some((after, text))) = (before, written)
            && after <= before
        {
            let message = format!("`{text}` is not later than the step before, at `{before_text}`");
            at.field("after")
                .report(Code::RampOrder, message)
                .help("`after` counts from the ramp's start, not from the step before");
        }
        before = written.or(before);
        Some(RampStep { after: after?, weights: weights?.into() })
    })?;
    Steps::new(steps)
}

/// The weights of one step: an object with every variant's name.
fn read_weights(
    at: &Cursor,
    variants: Option<&[Variant]>,
    total: WeightTotal,
) -> Option<Vec<Weight>> {
    let Value::Object(given) = at.value else {
        at.wrong_type("an object with a weight for every variant")
            .help("write `weights: {stable: 90, canary: 10}`");
        return None;
    };
    let mut seen = NameMap::default();
    let mut read = Vec::with_capacity(given.len());
    for (name, value) in given {
        let at = at.at_field(name, value);
        if seen.insert(name, 0).is_some() {
            at.given_twice(name);
        } else if let Some(weight) = read_weight(&at) {
            read.push((name.as_str(), weight));
        }
    }
    let mut complete = read.len() == given.len();
    // Where the variants themselves could not be read, their own problems are enough.
    let variants = variants?;
    let known: Vec<_> = variants.iter().map(|v| v.name.as_str()).collect();
    for (name, _) in seen.iter().filter(|(name, _)| !known.contains(name)) {
        let word = shown(name).to_string();
        at.field(name).unknown(Code::UnknownVariant, "variant", &word, &known);
        complete = false;
    }
    for name in known.iter().filter(|name| at.value.field(name).is_none()) {
        at.report(Code::MissingField, format!("`{at}` gives `{name}` no weight"))
            .help("every step names every variant; a weight of 0 gives it to nobody");
        complete = false;
    }
    if !complete {
        return None;
    }
    let weight_of = |v: &Variant| read.iter().find(|(name, _)| *name == v.name).map(|(_, w)| *w);
    let weights: Vec<Weight> = variants.iter().map(weight_of).collect::<Option<_>>()?;
    for (variant, weight) in variants.iter().zip(&weights) {
        let name = &variant.name;
        check_max_weight(&at.field(name), name, *weight, variant.max_weight);
    }
    check_sum(weights.iter().copied(), total, at);
    Some(weights)
}

/// A moment.
fn read_time(at: &Cursor) -> Option<Moment> {
    let text = at.text()?;
    time::parse(text).map_or_else(
        |why| at.refuse(Code::InvalidTime, format!("`{}` {why}", shown(text)), time::FORM),
        Some,
    )
}
