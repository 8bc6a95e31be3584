//! Weights over time: a table of what a ramp gives to each variant, and when.

use std::io::{self, Write};

use anyhow::{Result, bail};
use engine::plan::{Plan, SplitPlan};
use engine::policy::Ramp;
use serde_json::{Value, json};

use crate::format::Format;
use crate::moment::{Moment, Period};
use crate::style;
use crate::text::{percent, write_json};

/// More rows than this are a mistake in `--every`.
const ROWS: u64 = 10_000;
/// Without `--every` there are at most so many steps of time.
const STEPS: u64 = 24;
const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// Steps of time that people can follow.
const ROUND: [u64; 16] = [
    1_000,
    10_000,
    MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    28 * DAY,
];

/// What to show: splits over a stretch of time.
pub(super) struct Course<'p> {
    pub(super) splits: Vec<&'p SplitPlan>,
    /// Splits whose weights do not move.
    still: Vec<&'p SplitPlan>,
    pub(super) from: u64,
    pub(super) to: u64,
    every: u64,
}

impl<'p> Course<'p> {
    /// `ramps`: those of the plan's splits, in their order.
    pub(super) fn new(
        plan: &'p Plan,
        ramps: &[Option<&Ramp>],
        wanted: &[usize],
        from: Option<Moment>,
        to: Option<Moment>,
        every: Option<Period>,
    ) -> Result<Self> {
        let (mut splits, mut still) = (Vec::new(), Vec::new());
        let (mut start, mut end) = (None::<u64>, None::<u64>);
        for index in wanted {
            let Some(split) = plan.splits.get(*index) else { continue };
            match ramps.get(*index).copied().flatten() {
                Some(ramp) => {
                    splits.push(split);
                    let last = ramp.start.saturating_add(ramp.length());
                    start = Some(start.map_or(ramp.start, |start| start.min(ramp.start)));
                    end = Some(end.map_or(last, |end| end.max(last)));
                }
                None => still.push(split),
            }
        }
        let (Some(start), Some(end)) = (start, end) else {
            bail!("no split has a `ramp`; without one, weights do not change over time");
        };
        let from = from.map_or(start, |from| from.0);
        // A ramp of one step at its start has no length, and is drawn all the same.
        let to = to.map_or(end.max(from.saturating_add(HOUR)), |to| to.0);
        let Some(span) = to.checked_sub(from).filter(|span| *span > 0) else {
            bail!("`--from` {} is not before `--to` {}", Moment(from), Moment(to));
        };
        let every = every.map_or_else(|| round_step(span), |every| every.0);
        if span.checked_div(every).is_none_or(|steps| steps >= ROWS) {
            bail!("that makes more than {ROWS} rows; choose a longer `--every`");
        }
        Ok(Self { splits, still, from, to, every })
    }

    fn moments(&self) -> impl Iterator<Item = u64> {
        let step = usize::try_from(self.every).unwrap_or(usize::MAX);
        (self.from..=self.to).step_by(step)
    }

    /// Writes the answer.
    pub(super) fn show(&self, policy: &str, format: Format, out: &mut dyn Write) -> io::Result<()> {
        if format == Format::Json {
            return write_json(out, &self.to_json());
        }
        let (from, to) = (Moment(self.from), Moment(self.to));
        writeln!(out, "{}: weights from {from} to {to}", style::strong(policy))?;
        for split in &self.splits {
            writeln!(out, "\n{}", style::strong(&split.name))?;
            self.show_split(split, out)?;
        }
        if !self.still.is_empty() {
            writeln!(out)?;
        }
        for split in &self.still {
            writeln!(out, "{} has no ramp", style::strong(&split.name))?;
        }
        Ok(())
    }

    fn show_split(&self, split: &SplitPlan, out: &mut dyn Write) -> io::Result<()> {
        let time_width = self.moments().map(|at| Moment(at).to_string().len()).max().unwrap_or(0);
        // The widest share is `33.3333%`.
        let widths: Vec<usize> = split.variants.iter().map(|v| v.name.len().max(8)).collect();
        let mut head = format!("  {:time_width$}", "time");
        for (variant, width) in split.variants.iter().zip(&widths) {
            head.push_str(&format!("  {:>width$}", variant.name));
        }
        writeln!(out, "{}", style::faint(head))?;
        for at in self.moments() {
            write!(out, "  {:time_width$}", Moment(at).to_string())?;
            for (share, width) in shares(split, at).into_iter().zip(&widths) {
                write!(out, "  {:>width$}", percent(share))?;
            }
            writeln!(out)?;
        }
        Ok(())
    }

    fn to_json(&self) -> Value {
        let splits = self.splits.iter().map(|split| {
            let points = self.moments().map(|at| {
                let named = split.variants.iter().zip(shares(split, at));
                let shares: Vec<Value> =
                    named.map(|(v, share)| json!({"name": v.name, "share": share})).collect();
                json!({"time": Moment(at).to_string(), "variants": shares})
            });
            json!({"name": split.name, "points": points.collect::<Vec<_>>()})
        });
        json!({
            "from": Moment(self.from).to_string(),
            "to": Moment(self.to).to_string(),
            "splits": splits.collect::<Vec<_>>(),
        })
    }
}

/// Each variant's share of the weights at a time, to a millionth.
pub(super) fn shares(split: &SplitPlan, at: u64) -> Vec<f64> {
    let now = split.weights_at(at);
    (0..split.variants.len()).map(|variant| now.share(variant) as f64 / 1e6).collect()
}

fn round_step(span: u64) -> u64 {
    let fits = |step: &u64| span.checked_div(*step).is_some_and(|steps| steps <= STEPS);
    ROUND.into_iter().find(fits).unwrap_or_else(|| span.div_ceil(STEPS))
}
