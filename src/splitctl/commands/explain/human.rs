//! A report for people.

use std::io::{self, Write};
use std::iter::repeat;

use super::report::{DrawReport, EditReport, EffectsReport, EntryReport, Report, StepReport};
use crate::style;
use crate::table::{Table, numbers, words};
use crate::text::{decimals, harmless};

/// Where the words of a step begin.
const LABEL: usize = 12;

/// Shows a report, of one split or of all.
pub(super) fn show(report: &Report, only: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
    let request = &report.request;
    let no_host = if request.host.is_empty() { " (no host)" } else { "" };
    let target = format!("{}{}", harmless(&request.host), harmless(&request.path));
    writeln!(out, "{} {target}{no_host}", harmless(&request.method))?;
    let at = if report.depends_on_time { format!(", at {}", report.at) } else { String::new() };
    writeln!(out, "{}", style::faint(format!("{}, policy {}{at}", report.file, report.policy)))?;
    for split in &report.splits {
        if only.is_some_and(|only| only != split.split) {
            continue;
        }
        writeln!(out)?;
        match (&split.variant, split.reason) {
            (Some(variant), Some(reason)) => writeln!(
                out,
                "{}: {} ({reason})",
                style::strong(&split.split),
                style::fine(variant)
            )?,
            _ => writeln!(out, "{}: does not apply", style::strong(&split.split))?,
        }
        split.steps.iter().try_for_each(|step| show_step(step, out))?;
    }
    writeln!(out)?;
    show_effects(&report.effects, out)
}

fn line(out: &mut dyn Write, label: &str, text: &str) -> io::Result<()> {
    let label = format!("{label:LABEL$}");
    writeln!(out, "  {}{text}", style::faint(label))
}

fn show_step(step: &StepReport, out: &mut dyn Write) -> io::Result<()> {
    match step {
        StepReport::Disabled => line(out, "enabled", "no"),
        StepReport::EarlierLeg => line(out, "earlier leg", "it decided, and that stands"),
        StepReport::Killed => {
            line(out, "kill", "the policy is killed: every split that applies serves its baseline")
        }
        StepReport::Match { entries, .. } => show_entries("match", entries, out),
        StepReport::LayerTaken { layer } => {
            line(out, "layer", &format!("an earlier split of layer `{layer}` applies"))
        }
        StepReport::RequirementUnmet { split, variant } => {
            line(out, "requires", &format!("the user does not have `{variant}` of `{split}`"))
        }
        StepReport::Slice { layer, from_percent, to_percent, bucket, holds } => {
            let bucket = match bucket {
                Some(bucket) => format!("bucket {bucket}"),
                None => "no key".to_owned(),
            };
            let holds = if *holds { "in" } else { "not in" };
            let slice = format!("{from_percent}% to {to_percent}%");
            line(out, "slice", &format!("{bucket} in layer `{layer}` is {holds} {slice}"))
        }
        StepReport::Forced => {
            line(out, "force", "the request names the variant and knows the secret")
        }
        StepReport::ForcedUnknown { variant } => {
            let variant = harmless(variant);
            line(out, "force", &format!("the request wants `{variant}`, which is not there"))
        }
        StepReport::Override { index, entries, holds, variant } => {
            show_entries(&format!("override {index}"), entries, out)?;
            match (holds, variant) {
                (true, Some(variant)) => line(out, "", &format!("forces `{variant}`")),
                (true, None) => line(out, "", "the split does not apply (skip)"),
                (false, _) => Ok(()),
            }
        }
        StepReport::NoKey { sources, preflight } => {
            let of = if *preflight { " that this CORS preflight is sure of" } else { "" };
            let looked = match sources.as_slice() {
                [] => "none is asked for: chance decides".to_owned(),
                sources => format!("none{of}; looked for {}", sources.join(", ")),
            };
            line(out, "key", &looked)
        }
        StepReport::Key { key, source, generated, bucket, help } => {
            let text = match generated {
                true => format!("`{key}`, made just now for a new visitor; bucket {bucket}"),
                false => format!("`{}` from {source}; bucket {bucket}", harmless(key)),
            };
            line(out, "key", &text)?;
            help.iter().try_for_each(|help| line(out, "", &harmless(help)))
        }
        StepReport::Holdout { bucket, percent, held } => {
            let held = if *held { "held out" } else { "not held out" };
            line(out, "holdout", &format!("bucket {bucket} is {held} ({percent}%)"))
        }
        StepReport::Tripped { variant } => {
            line(out, "", &format!("`{variant}` is out of service: the weights decide"))
        }
        StepReport::Sticky { cookie, variant, counts, tripped } => {
            let text = match variant {
                None => format!("no valid cookie `{cookie}`"),
                Some(variant) if *counts => format!("cookie `{cookie}` holds `{variant}`"),
                Some(variant) if *tripped => {
                    format!("cookie `{cookie}` holds `{variant}`, which is out of service")
                }
                Some(variant) => {
                    format!(
                        "cookie `{cookie}` holds `{variant}`, whose weight is 0: it does not count"
                    )
                }
            };
            line(out, "sticky", &text)
        }
        StepReport::Weights { ramp, draws } => {
            if let Some(ramp) = ramp {
                line(out, "ramp", ramp)?;
            }
            show_draws(draws, out)
        }
        StepReport::NotAnswered { variant } => line(
            out,
            "preflight",
            &format!(
                "not answered by `{variant}`: no entry that it meets names the method `OPTIONS`"
            ),
        ),
    }
}

fn show_entries(label: &str, entries: &[EntryReport], out: &mut dyn Write) -> io::Result<()> {
    for (index, entry) in entries.iter().enumerate() {
        let label = if index == 0 { label } else { "" };
        match &entry.unmet {
            None => line(out, label, &format!("holds: {}", entry.condition))?,
            Some(unmet) => {
                let sent = entry.sent.as_ref().map(|sent| format!("; {sent}")).unwrap_or_default();
                line(out, label, &format!("fails at {unmet}{sent}"))?;
            }
        }
    }
    Ok(())
}

/// The ticket race as a table.
fn show_draws(draws: &[DrawReport], out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new([
        words("variant"),
        numbers("share"),
        numbers("cost"),
        numbers("cost/weight"),
        words(""),
    ]);
    for draw in draws {
        let number =
            |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.6}"));
        let note = match (draw.wins, draw.drains, draw.weight) {
            (true, ..) => style::fine("wins").to_string(),
            _ if draw.tripped => style::error("out of service").to_string(),
            (_, _, 0.0) => "off".to_owned(),
            (_, true, _) => "drains: admits nobody new".to_owned(),
            _ => String::new(),
        };
        let share = format!("{}%", decimals(draw.share));
        let costs = [number(draw.cost), number(draw.cost_per_weight)];
        table.row([draw.variant.clone(), share].into_iter().chain(costs).chain([note]));
    }
    let labels = ["weights"].into_iter().chain(repeat(""));
    labels.zip(table.lines()).try_for_each(|(label, text)| line(out, label, &text))
}

fn show_effects(effects: &EffectsReport, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", style::strong("effects"))?;
    match (&effects.reply, &effects.cluster) {
        (Some(reply), _) => {
            line(out, "reply", &format!("{} {}", reply.status, harmless(&reply.body)))?;
        }
        (None, Some(cluster)) => line(out, "cluster", cluster)?,
        (None, None) => line(out, "cluster", "none: the route's fallback")?,
    }
    show_edits("request", &effects.request_headers, out)?;
    show_edits("response", &effects.response_headers, out)?;
    if let Some(mirror) = &effects.mirror {
        line(out, "mirror", &format!("a copy of the request goes to {mirror}"))?;
    }
    for (index, counter) in effects.counters.iter().enumerate() {
        line(out, if index == 0 { "counters" } else { "" }, &format!("+1 {counter}"))?;
    }
    if effects.force_refused {
        line(out, "force", "refused: the request does not know the secret")?;
    }
    Ok(())
}

fn show_edits(label: &str, edits: &[EditReport], out: &mut dyn Write) -> io::Result<()> {
    for (index, edit) in edits.iter().enumerate() {
        let value = edit.value.as_deref().map(|value| format!(": {}", harmless(value)));
        let text = format!("{:<6} {}{}", edit.edit, edit.name, value.unwrap_or_default());
        line(out, if index == 0 { label } else { "" }, &text)?;
    }
    Ok(())
}
