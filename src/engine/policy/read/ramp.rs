//! Reading `ramp`: weights over time.

use super::cookie::read_duration;
use super::fields::{Fields, read_bool, read_list, read_text};
use super::names::shown;
use super::variant::read_weight;
use crate::policy::check::check_sum;
use crate::policy::name_map::NameMap;
use crate::policy::sink::{Path, Sink};
use crate::policy::{
    Code, Ramp, RampStep, Steps, Value, Variant, Weight, WeightTotal, limits, time,
};
use crate::units::{Millis, Moment};

/// `variants` are those of the split, `None` where they could not be read; `total` is what the
/// weights of every step must sum to.
pub(crate) fn read_ramp(
    value: &Value,
    path: &Path,
    sink: &mut Sink,
    variants: Option<&[Variant]>,
    total: WeightTotal,
) -> Option<Ramp> {
    let mut fields = Fields::open(value, path, sink)?;
    let start = fields.required("start", sink, read_time);
    let steps = fields.required("steps", sink, |v, p, s| read_steps(v, p, s, variants, total));
    let linear = fields.optional("linear", sink, read_bool);
    let pause = fields.optional("pause", sink, read_time);
    fields.close(sink);
    if let (Some(start), Some(pause)) = (start, pause)
        && pause < start
        && let (Some(pause), Some(start)) = (value.field("pause"), value.field("start"))
    {
        let message = format!("the pause `{pause}` is before the start `{start}`");
        sink.report(Code::RampOrder, &Path::Field(path, "pause"), message).help(
            "to keep the ramp from starting, move its `start`; to stand still, pause it later",
        );
    }
    Some(Ramp { start: start?, steps: steps?, linear: linear.unwrap_or_default(), pause })
}

fn read_steps(
    value: &Value,
    path: &Path,
    sink: &mut Sink,
    variants: Option<&[Variant]>,
    total: WeightTotal,
) -> Option<Steps> {
    if let Value::List(items) = value
        && let Some(over) = sink.over(limits::RAMP_STEPS, items.len(), "steps", path)
    {
        over.help("`linear: true` moves the weights in a straight line between a few steps");
        return None;
    }
    let mut before: Option<(Millis, &Value)> = None;
    // Steps that are not in order have been reported.
    let steps = read_list(value, path, sink, |value, path, sink| {
        let mut fields = Fields::open(value, path, sink)?;
        let after = fields.required("after", sink, read_duration);
        let weights =
            fields.required("weights", sink, |v, p, s| read_weights(v, p, s, variants, total));
        fields.close(sink);
        let written = after.zip(value.field("after"));
        if let (Some((before, before_text)), Some((after, text))) = (before, written)
            && after <= before
        {
            let message = format!("`{text}` is not later than the step before, at `{before_text}`");
            sink.report(Code::RampOrder, &Path::Field(path, "after"), message)
                .help("`after` counts from the ramp's start, not from the step before");
        }
        before = written.or(before);
        Some(RampStep { after: after?, weights: weights?.into() })
    })?;
    Steps::new(steps)
}

/// The weights of one step: an object with every variant's name.
fn read_weights(
    value: &Value,
    path: &Path,
    sink: &mut Sink,
    variants: Option<&[Variant]>,
    total: WeightTotal,
) -> Option<Vec<Weight>> {
    let Value::Object(given) = value else {
        sink.wrong_type(path, "an object with a weight for every variant", value)
            .help("write `weights: {stable: 90, canary: 10}`");
        return None;
    };
    let mut seen = NameMap::default();
    let mut read = Vec::with_capacity(given.len());
    let mut complete = true;
    for (name, value) in given {
        let path = Path::Field(path, name);
        if seen.insert(name, 0).is_some() {
            sink.report(Code::DuplicateField, &path, format!("field `{name}` is given twice"))
                .help("keep one of them");
            complete = false;
        } else if let Some(weight) = read_weight(value, &path, sink) {
            read.push((name.as_str(), weight));
        } else {
            complete = false;
        }
    }
    // Where the variants themselves could not be read, their own problems are enough.
    let variants = variants?;
    let known: Vec<_> = variants.iter().map(|v| v.name.as_str()).collect();
    for (name, _) in seen.iter() {
        if !known.contains(&name) {
            let path = Path::Field(path, name);
            sink.unknown(Code::UnknownVariant, &path, "variant", &shown(name).to_string(), &known);
            complete = false;
        }
    }
    for name in known.iter().filter(|name| !given.iter().any(|(given, _)| given == *name)) {
        sink.report(Code::MissingField, path, format!("`{path}` gives `{name}` no weight"))
            .help("every step names every variant; a weight of 0 switches it off");
        complete = false;
    }
    if !complete {
        return None;
    }
    let weight_of = |v: &Variant| read.iter().find(|(name, _)| *name == v.name).map(|(_, w)| *w);
    let weights: Vec<Weight> = variants.iter().map(weight_of).collect::<Option<_>>()?;
    check_weights(&weights, path, sink, variants, total);
    Some(weights)
}

fn check_weights(
    weights: &[Weight],
    path: &Path,
    sink: &mut Sink,
    variants: &[Variant],
    total: WeightTotal,
) {
    for (variant, weight) in variants.iter().zip(weights) {
        if let Some(max) = variant.max_weight.filter(|max| weight > max) {
            let name = &variant.name;
            let message =
                format!("weight `{weight}` of `{name}` is over its `max_weight` of {max}");
            sink.report(Code::WeightOverMax, &Path::Field(path, name), message)
                .help("lower the weight; or raise `max_weight`, if this is really wanted");
        }
    }
    check_sum(weights.iter().copied(), total, path, sink);
}

/// A moment.
fn read_time(value: &Value, path: &Path, sink: &mut Sink) -> Option<Moment> {
    let text = read_text(value, path, sink)?;
    match time::parse(text) {
        Ok(moment) => Some(moment),
        Err(why) => {
            sink.report(Code::InvalidTime, path, format!("`{}` {why}", shown(text)))
                .help(time::FORM);
            None
        }
    }
}
