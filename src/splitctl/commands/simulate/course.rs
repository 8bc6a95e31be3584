//! Weights over time: a table of what a ramp gives to each variant, and when.

use std::io::{self, Write};

use anyhow::{Result, bail};
use engine::ids::SplitId;
use engine::plan::{Plan, SplitPlan};
use engine::policy::Split;
use engine::units;

use super::json;
use crate::format::Format;
use crate::moment::{Moment, Period};
use crate::style;
use crate::table::{Table, numbers, words};
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
    pub(super) splits: Vec<(&'p Split, &'p SplitPlan)>,
    /// Splits whose weights do not move.
    still: Vec<&'p Split>,
    pub(super) from: u64,
    pub(super) to: u64,
    every: u64,
}

impl<'p> Course<'p> {
    pub(super) fn new(
        plan: &'p Plan,
        wanted: &[SplitId],
        from: Option<Moment>,
        to: Option<Moment>,
        every: Option<Period>,
    ) -> Result<Self> {
        let (mut splits, mut still) = (Vec::new(), Vec::new());
        let (mut start, mut end) = (None::<u64>, None::<u64>);
        for id in wanted {
            let split = &plan.policy.splits[*id];
            match &split.ramp {
                Some(ramp) => {
                    splits.push((split, &plan.splits[*id]));
                    let (first, last) =
                        (ramp.start.get(), ramp.start.after(ramp.steps.length()).get());
                    start = Some(start.map_or(first, |start| start.min(first)));
                    end = Some(end.map_or(last, |end| end.max(last)));
                }
                None => still.push(split),
            }
        }
        let (Some(start), Some(end)) = (start, end) else {
            bail!("no split has a `ramp`; without one, weights do not change over time");
        };
        let from = from.map_or(start, |from| from.0.get());
        // A ramp of one step at its start has no length, and is drawn all the same.
        let to = to.map_or(end.max(from.saturating_add(HOUR)), |to| to.0.get());
        let Some(span) = to.checked_sub(from).filter(|span| *span > 0) else {
            bail!("`--from` {} is not before `--to` {}", moment(from), moment(to));
        };
        let every = every.map_or_else(|| round_step(span), |every| every.0.get());
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
        let (from, to) = (moment(self.from), moment(self.to));
        writeln!(out, "{}: weights from {from} to {to}", style::strong(policy))?;
        for (split, prepared) in &self.splits {
            writeln!(out, "\n{}", style::strong(&split.name))?;
            self.show_split(split, prepared, out)?;
        }
        if !self.still.is_empty() {
            writeln!(out)?;
        }
        for split in &self.still {
            writeln!(out, "{} has no ramp", style::strong(&split.name))?;
        }
        Ok(())
    }

    fn show_split(
        &self,
        split: &Split,
        prepared: &SplitPlan,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let variants = split.variants.iter().map(|variant| numbers(&variant.name));
        let mut table = Table::new([words("time")].into_iter().chain(variants));
        for at in self.moments() {
            let shares = shares(prepared, at).into_iter().map(percent);
            table.row([moment(at).to_string()].into_iter().chain(shares));
        }
        table.show(2, out)
    }

    fn to_json(&self) -> json::Course<'_> {
        let splits = self.splits.iter().map(|(split, prepared)| {
            let points = self.moments().map(|at| {
                let named = split.variants.iter().zip(shares(prepared, at));
                let variants = named.map(|(v, share)| json::Share { name: &v.name, share });
                json::Point { time: moment(at), variants: variants.collect() }
            });
            json::SplitCourse { name: &split.name, points: points.collect() }
        });
        let (from, to) = (moment(self.from), moment(self.to));
        json::Course { from, to, splits: splits.collect() }
    }
}

/// Each variant's share of new users at a time, to a millionth.
pub(super) fn shares(split: &SplitPlan, at: u64) -> Vec<f64> {
    split.weights_at(moment(at).0).shares().iter().map(|share| *share as f64 / 1e6).collect()
}

/// The moment so many milliseconds after 1970.
pub(super) const fn moment(milliseconds: u64) -> Moment {
    Moment(units::Moment::new(milliseconds))
}

fn round_step(span: u64) -> u64 {
    let fits = |step: &u64| span.checked_div(*step).is_some_and(|steps| steps <= STEPS);
    ROUND.into_iter().find(fits).unwrap_or_else(|| span.div_ceil(STEPS))
}
