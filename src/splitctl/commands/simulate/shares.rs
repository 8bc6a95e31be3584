//! Shares of users: how many got each variant, and whether that is what the weights say.

use std::io::{self, Write};

use anyhow::Result;
use engine::ids::{List, SplitId, VariantId};
use engine::plan::Plan;
use engine::reason::Reason;

use super::json;
use crate::format::Format;
use crate::keys::Keys;
use crate::moment::Moment;
use crate::outcome::Outcome;
use crate::population::{Users, for_each};
use crate::statistics::{ChiSquare, chi_square_test, interval};
use crate::style;
use crate::table::{Table, numbers, words};
use crate::text::{fixed_percent, percent, plural, thousands, write_json};

/// Less likely than this is not by chance.
const UNLIKELY: f64 = 1e-4;
/// How many characters a share of 100% is long.
const BAR: usize = 30;

/// What all users were served.
pub(super) struct Shares {
    users: u64,
    /// Where time makes a difference.
    at: Option<Moment>,
    splits: Vec<SplitShares>,
}

/// What they were served in one split.
struct SplitShares {
    name: String,
    variants: List<VariantId, VariantShare>,
    baseline: VariantId,
    /// Users for whom the split is not: out of its slice, or without a variant it requires.
    outside: u64,
    /// Users of the split by reason, in the order of [`Reason::ALL`].
    reasons: [u64; Reason::ALL.len()],
}

/// One variant's part of those whom the weights served.
struct VariantShare {
    name: String,
    weight: u64,
    users: u64,
}

/// Asks all users.
pub(super) fn count(plan: &Plan, wanted: &[SplitId], keys: Keys, at: Moment) -> Result<Shares> {
    let asked = Users::new(plan, at.0, wanted.iter().copied());
    let split = |id: &SplitId| {
        let (split, weights) = (&plan.policy.splits[*id], plan.splits[*id].weights_at(at.0));
        let variant = |(id, variant): (VariantId, &engine::policy::Variant)| VariantShare {
            name: variant.name.clone(),
            weight: weights.admits(id),
            users: 0,
        };
        SplitShares {
            name: split.name.clone(),
            variants: split.variants.pairs().map(variant).collect(),
            baseline: split.baseline,
            outside: 0,
            reasons: Default::default(),
        }
    };
    let mut splits: Vec<SplitShares> = wanted.iter().map(split).collect();
    let users = for_each(keys, |key| {
        for (split, served) in splits.iter_mut().zip(asked.ask(key)) {
            match served {
                Some((variant, reason)) => split.count(variant, reason),
                None => split.outside = split.outside.saturating_add(1),
            }
        }
    })?;
    let at = plan.reads_time().then_some(at);
    Ok(Shares { users, at, splits })
}

impl Shares {
    /// How many users were asked.
    pub(super) const fn users(&self) -> u64 {
        self.users
    }

    /// `No` where the weights were missed by more than chance.
    pub(super) fn outcome(&self) -> Outcome {
        let missed = |split: &SplitShares| split.test().is_some_and(|test| test.p < UNLIKELY);
        if self.splits.iter().any(missed) { Outcome::No } else { Outcome::Fine }
    }

    /// Writes the answer.
    pub(super) fn show(&self, policy: &str, format: Format, out: &mut dyn Write) -> io::Result<()> {
        if format == Format::Json {
            return write_json(out, &self.to_json());
        }
        let at = self.at.map(|at| format!(" at {at}")).unwrap_or_default();
        writeln!(out, "{}: {}{at}", style::strong(policy), plural(self.users, "user"))?;
        self.splits.iter().try_for_each(|split| split.show(out))
    }

    fn to_json(&self) -> json::Shares<'_> {
        let splits = self.splits.iter().map(SplitShares::to_json).collect();
        json::Shares { users: self.users, at: self.at, splits }
    }
}

impl SplitShares {
    fn count(&mut self, variant: VariantId, reason: Reason) {
        for (known, count) in Reason::ALL.iter().zip(&mut self.reasons) {
            *count = count.saturating_add(u64::from(*known == reason));
        }
        if matches!(reason, Reason::Split | Reason::Random) {
            let users = &mut self.variants[variant].users;
            *users = users.saturating_add(1);
        }
    }

    fn because(&self, reason: Reason) -> u64 {
        let all = Reason::ALL.iter().zip(self.reasons);
        all.filter(|(known, _)| **known == reason).map(|(_, count)| count).sum()
    }

    /// Users whom the weights served.
    fn weighed(&self) -> u64 {
        self.variants.iter().fold(0, |sum, variant| sum.saturating_add(variant.users))
    }

    fn test(&self) -> Option<ChiSquare> {
        let (counts, weights): (Vec<u64>, Vec<u64>) =
            self.variants.iter().map(|variant| (variant.users, variant.weight)).unzip();
        chi_square_test(&counts, &weights)
    }

    /// The configured share of a variant among new users.
    fn configured(&self, variant: &VariantShare) -> f64 {
        let sum = self.variants.iter().fold(0, |sum: u64, v| sum.saturating_add(v.weight));
        if sum == 0 { 0.0 } else { variant.weight as f64 / sum as f64 }
    }

    fn show(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "\n{}", style::strong(&self.name))?;
        let weighed = self.weighed();
        if weighed > 0 {
            self.show_variants(weighed, out)?;
        }
        if let Some(test) = self.test() {
            let ChiSquare { statistic, degrees, p } = test;
            let told = match p < UNLIKELY {
                true => style::error("not as configured"),
                false => style::fine("as configured"),
            };
            let p = if p < UNLIKELY { "p < 0.0001".to_owned() } else { format!("p = {p:.4}") };
            let degrees = if degrees == 1 {
                String::new()
            } else {
                format!(", {degrees} degrees of freedom")
            };
            writeln!(out, "  {told}: chi-square {statistic:.2}{degrees}, {p}")?;
        }
        self.show_others(out)
    }

    fn show_variants(&self, weighed: u64, out: &mut dyn Write) -> io::Result<()> {
        let mut table = Table::new([
            words("variant"),
            numbers("configured"),
            numbers("observed"),
            numbers("95% interval"),
            numbers("users"),
            words(""),
        ]);
        for variant in &self.variants {
            let share = variant.users as f64 / weighed as f64;
            let (low, high) = interval(variant.users, weighed);
            table.row([
                variant.name.clone(),
                percent(self.configured(variant)),
                fixed_percent(share),
                format!("{} to {}", fixed_percent(low), fixed_percent(high)),
                thousands(variant.users),
                bar(share),
            ]);
        }
        table.show(2, out)
    }

    /// Those whom the weights did not serve.
    fn show_others(&self, out: &mut dyn Write) -> io::Result<()> {
        let baseline = &self.variants[self.baseline].name;
        let others = [
            (self.outside, "not in the split".to_owned()),
            (self.because(Reason::Holdout), format!("held out: `{baseline}`")),
            (self.because(Reason::Killed), format!("the policy is killed: `{baseline}`")),
            (self.because(Reason::Fallback), format!("no variant has a weight: `{baseline}`")),
        ];
        for (count, why) in others.iter().filter(|(count, _)| *count > 0) {
            writeln!(out, "  {}: {why}", plural(*count, "user"))?;
        }
        Ok(())
    }

    fn to_json(&self) -> json::SplitShares<'_> {
        let weighed = self.weighed();
        let variants = self.variants.iter().map(|variant| {
            let (low, high) = interval(variant.users, weighed);
            let observed = (weighed > 0).then(|| variant.users as f64 / weighed as f64);
            json::VariantShare {
                name: &variant.name,
                configured: self.configured(variant),
                observed,
                interval: observed.map(|_| [low, high]),
                users: variant.users,
            }
        });
        let test = self.test();
        json::SplitShares {
            name: &self.name,
            variants: variants.collect(),
            chi_square: test.map(|test| test.statistic),
            degrees_of_freedom: test.map(|test| test.degrees),
            p: test.map(|test| test.p),
            as_configured: test.map(|test| test.p >= UNLIKELY),
            not_in_split: self.outside,
            holdout: self.because(Reason::Holdout),
            killed: self.because(Reason::Killed),
            fallback: self.because(Reason::Fallback),
        }
    }
}

/// A share as a bar, to an eighth of a character; what is more than nothing is seen.
fn bar(share: f64) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (share * (BAR * 8) as f64).round() as usize;
    let eighths = if share > 0.0 { eighths.max(1) } else { 0 };
    let part = PARTS.get(eighths % 8).copied().unwrap_or_default();
    format!("{}{part}", "█".repeat(eighths / 8))
}
