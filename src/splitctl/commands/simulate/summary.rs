//! What became of the requests of an access log: sums by split and variant.

use std::collections::BTreeMap;
use std::io::{self, Write};

use engine::ids::{List, SplitId, VariantId};
use engine::outcome::Class;
use engine::plan::Plan;
use engine::reason::Reason;
use engine::units::Moment;

use super::json;
use super::log_line::Logged;
use crate::style;
use crate::table::{Table, numbers, words};
use crate::text::{fixed_percent, percent, plural, thousands};

/// So many make a request: sums of them are exact where weights are.
const PART: u128 = 1_000_000_000_000;

/// The word for a reason that the log does not tell.
const UNTOLD: &str = "unknown";

/// Whether a request meets a split.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Met {
    No,
    /// It does; the variant depends on what was not logged.
    Unknown,
    /// It got this variant, for this reason; `None` = the log has the variant alone.
    Variant(VariantId, Option<Reason>),
}

/// The sums of a log.
pub(super) struct Summary<'p> {
    plan: &'p Plan,
    wanted: &'p [SplitId],
    pub(super) lines: u64,
    pub(super) unreadable: u64,
    /// Those of them that are not UTF-8.
    pub(super) not_text: u64,
    first_unreadable: Option<u64>,
    /// Requests that meet none of the wanted splits.
    unsplit: u64,
    splits: List<SplitId, SplitSum>,
    /// What the log names and the policy does not have.
    strange: BTreeMap<String, u64>,
}

/// The requests of a split.
struct SplitSum {
    variants: List<VariantId, VariantSum>,
    /// Those whose variant nobody knows.
    unknown: u64,
}

/// The requests of a variant.
#[derive(Default)]
struct VariantSum {
    requests: u64,
    reasons: BTreeMap<&'static str, u64>,
    randomised: u64,
    /// How many of the split's randomised requests its weight would have given it, in [`PART`]s.
    expected: u128,
    classes: BTreeMap<&'static str, u64>,
    /// How many took so many milliseconds.
    durations: BTreeMap<u64, u64>,
}

fn add<K: Ord>(counts: &mut BTreeMap<K, u64>, of: K) {
    let count = counts.entry(of).or_default();
    *count = count.saturating_add(1);
}

impl VariantSum {
    fn expected(&self) -> f64 {
        self.expected as f64 / PART as f64
    }

    /// The duration that so large a part of the requests did not exceed.
    fn quantile(&self, part: f64) -> Option<u64> {
        let all: u64 = self.durations.values().sum();
        let wanted = (all as f64 * part).ceil().max(1.0);
        let mut so_far = 0.0;
        let reached = |(_, count): &(&u64, &u64)| {
            so_far += **count as f64;
            so_far >= wanted
        };
        self.durations.iter().find(reached).map(|(milliseconds, _)| *milliseconds)
    }
}

impl SplitSum {
    fn requests(&self) -> u64 {
        self.variants
            .iter()
            .map(|variant| variant.requests)
            .sum::<u64>()
            .saturating_add(self.unknown)
    }

    fn randomised(&self) -> u64 {
        self.variants.iter().map(|variant| variant.randomised).sum()
    }
}

impl<'p> Summary<'p> {
    pub(super) fn new(plan: &'p Plan, wanted: &'p [SplitId]) -> Self {
        let split = |split: &engine::policy::Split| SplitSum {
            variants: split.variants.iter().map(|_| VariantSum::default()).collect(),
            unknown: 0,
        };
        Self {
            plan,
            wanted,
            lines: 0,
            unreadable: 0,
            not_text: 0,
            first_unreadable: None,
            unsplit: 0,
            splits: plan.policy.splits.map(split),
            strange: BTreeMap::new(),
        }
    }

    /// Counts a line that cannot be read.
    pub(super) fn count_unreadable(&mut self, number: u64, is_text: bool) {
        self.lines = self.lines.saturating_add(1);
        self.unreadable = self.unreadable.saturating_add(1);
        self.not_text = self.not_text.saturating_add(u64::from(!is_text));
        self.first_unreadable.get_or_insert(number);
    }

    /// Counts a request, with what each split of the plan did.
    pub(super) fn count(&mut self, logged: &Logged, met: &List<SplitId, Met>, now: Moment) {
        self.lines = self.lines.saturating_add(1);
        let mut any = false;
        for id in self.wanted {
            let sum = &mut self.splits[*id];
            let (variant, reason) = match met[*id] {
                Met::No => continue,
                Met::Unknown => {
                    any = true;
                    sum.unknown = sum.unknown.saturating_add(1);
                    continue;
                }
                Met::Variant(variant, reason) => (variant, reason),
            };
            any = true;
            if matches!(reason, Some(Reason::Split | Reason::Random)) {
                let weights = self.plan.splits[*id].weights_at(now);
                let weight = |id| u128::from(weights.admits(id));
                let all: u128 = sum.variants.ids().map(weight).sum();
                for id in sum.variants.ids() {
                    let part = weight(id).saturating_mul(PART).checked_div(all).unwrap_or_default();
                    let expected = &mut sum.variants[id].expected;
                    *expected = expected.saturating_add(part);
                }
                let randomised = &mut sum.variants[variant].randomised;
                *randomised = randomised.saturating_add(1);
            }
            let sum = &mut sum.variants[variant];
            sum.requests = sum.requests.saturating_add(1);
            add(&mut sum.reasons, reason.map_or(UNTOLD, Reason::as_str));
            if let Some(class) = logged.class {
                add(&mut sum.classes, class.as_str());
            }
            if let Some(milliseconds) = logged.milliseconds {
                add(&mut sum.durations, milliseconds);
            }
        }
        for told in logged.told.iter().flatten() {
            let split = self.plan.find(&told.split).map(|id| &self.plan.policy.splits[id]);
            if split.is_none_or(|s| s.variants.find(|v| v.name == told.variant).is_none()) {
                add(&mut self.strange, format!("{}={}", told.split, told.variant));
            }
        }
        self.unsplit = self.unsplit.saturating_add(u64::from(!any));
    }

    /// Whether a request met a split, and nobody knows which variant it got.
    fn has_unknown(&self) -> bool {
        self.wanted.iter().any(|id| self.splits[*id].unknown > 0)
    }

    fn has_untold(&self) -> bool {
        let untold = |variant: &VariantSum| variant.reasons.contains_key(UNTOLD);
        self.wanted.iter().any(|id| self.splits[*id].variants.iter().any(untold))
    }

    /// For people.
    pub(super) fn show(&self, name: &str, out: &mut dyn Write) -> io::Result<()> {
        let lines = plural(self.lines, "line");
        writeln!(out, "{}: {lines}", style::strong(name))?;
        let readable = self.lines.saturating_sub(self.unreadable);
        let share = |count: u64| fixed_percent(count as f64 / readable.max(1) as f64);
        for id in self.wanted {
            let sum = &self.splits[*id];
            let name = style::strong(&self.plan.policy.splits[*id].name);
            let requests = sum.requests();
            writeln!(out, "\n{name}: {}, {}", plural(requests, "request"), share(requests))?;
            if requests > sum.unknown {
                self.show_reasons(*id, out)?;
                self.show_outcomes(*id, out)?;
            }
            if sum.unknown > 0 {
                writeln!(out, "  {}: the variant is not known", plural(sum.unknown, "request"))?;
            }
        }
        writeln!(out, "\nno split: {}, {}", plural(self.unsplit, "request"), share(self.unsplit))?;
        self.show_notes(out)
    }

    fn show_reasons(&self, id: SplitId, out: &mut dyn Write) -> io::Result<()> {
        let (split, sum) = (&self.plan.policy.splits[id], &self.splits[id]);
        let randomised = sum.randomised();
        let there = |word: &&str| sum.variants.iter().any(|v| v.reasons.contains_key(word));
        let reasons = Reason::ALL.map(Reason::as_str).into_iter().chain([UNTOLD]);
        let reasons: Vec<&str> = reasons.filter(there).collect();
        let mut columns = vec![words("variant"), numbers("requests")];
        columns.extend(reasons.iter().map(|reason| numbers(*reason)));
        if randomised > 0 {
            columns.extend([numbers("weight"), numbers("share")]);
        }
        let mut table = Table::new(columns);
        for (variant, sum) in split.variants.iter().zip(&sum.variants) {
            let mut cells = vec![variant.name.clone(), thousands(sum.requests)];
            let count = |reason: &&str| sum.reasons.get(*reason).copied().unwrap_or_default();
            cells.extend(reasons.iter().map(|reason| thousands(count(reason))));
            if randomised > 0 {
                let part = |count: f64| count / randomised as f64;
                cells.push(percent(part(sum.expected())));
                cells.push(fixed_percent(part(sum.randomised as f64)));
            }
            table.row(cells);
        }
        table.show(2, out)?;
        if randomised > 0 {
            let requests = plural(randomised, "request");
            writeln!(
                out,
                "  share: of the {requests} that chance decided; a busy user counts often"
            )?;
        }
        Ok(())
    }

    /// How the requests ended, where the log says so.
    fn show_outcomes(&self, id: SplitId, out: &mut dyn Write) -> io::Result<()> {
        let (split, sum) = (&self.plan.policy.splits[id], &self.splits[id]);
        let there = |class: &&str| sum.variants.iter().any(|v| v.classes.contains_key(class));
        let classes: Vec<&str> = Class::ALL.map(Class::as_str).into_iter().filter(there).collect();
        let timed = sum.variants.iter().any(|variant| !variant.durations.is_empty());
        if classes.is_empty() && !timed {
            return Ok(());
        }
        let mut columns = vec![words("variant")];
        columns.extend(classes.iter().map(|class| numbers(*class)));
        if timed {
            columns.extend([numbers("p50"), numbers("p95")]);
        }
        let mut table = Table::new(columns);
        for (variant, sum) in split.variants.iter().zip(&sum.variants) {
            let mut cells = vec![variant.name.clone()];
            let count = |class: &&str| sum.classes.get(*class).copied().unwrap_or_default();
            cells.extend(classes.iter().map(|class| thousands(count(class))));
            if timed {
                let shown =
                    |part| sum.quantile(part).map_or("-".to_owned(), |ms| format!("{ms} ms"));
                cells.extend([shown(0.5), shown(0.95)]);
            }
            table.row(cells);
        }
        writeln!(out)?;
        table.show(2, out)
    }

    fn show_notes(&self, out: &mut dyn Write) -> io::Result<()> {
        let note = style::warning("note");
        if let Some(first) = self.first_unreadable {
            let lines = plural(self.unreadable, "line");
            let why = match self.not_text {
                0 => String::new(),
                all if all == self.unreadable => ": not UTF-8".to_owned(),
                some => format!(", {} not UTF-8", thousands(some)),
            };
            let first = if self.unreadable == 1 { "it is" } else { "the first is" }.to_owned()
                + &format!(" line {first}");
            writeln!(out, "{note}: {lines} cannot be read{why}; {first}")?;
        }
        if self.has_unknown() {
            writeln!(
                out,
                "{note}: where the variant is not known the log has neither the user's key nor what the filter decided, or chance decides; \
                 with `filter_state: evidence` in the policy the access log can have both (`splitctl render envoy` writes it)"
            )?;
        }
        if self.has_untold() {
            writeln!(
                out,
                "{note}: the log has variants without their reasons, so held-out and forced users are among them: \
                 `filter_state: evidence` in the policy, and `evidence` in the access log, tell them apart"
            )?;
        }
        for (name, count) in &self.strange {
            let requests = plural(*count, "request");
            writeln!(out, "{note}: the log has `{name}` ({requests}), and the policy does not")?;
        }
        Ok(())
    }

    /// For programs.
    pub(super) fn to_json(&self) -> json::Totals<'_> {
        let splits = self.wanted.iter().map(|id| {
            let (split, sum) = (&self.plan.policy.splits[*id], &self.splits[*id]);
            let randomised = sum.randomised();
            let part = |count: f64| (randomised > 0).then(|| count / randomised as f64);
            let variants = split.variants.iter().zip(&sum.variants);
            let variants = variants.map(|(variant, sum)| json::VariantTotal {
                name: &variant.name,
                requests: sum.requests,
                reasons: sum.reasons.clone(),
                randomised: sum.randomised,
                share: part(sum.randomised as f64),
                configured: part(sum.expected()),
                classes: sum.classes.clone(),
                p50_milliseconds: sum.quantile(0.5),
                p95_milliseconds: sum.quantile(0.95),
            });
            json::SplitTotals {
                name: &split.name,
                requests: sum.requests(),
                randomised,
                variants: variants.collect(),
                unknown: sum.unknown,
            }
        });
        json::Totals {
            requests: self.lines.saturating_sub(self.unreadable),
            unreadable: self.unreadable,
            first_unreadable: self.first_unreadable,
            no_split: self.unsplit,
            splits: splits.collect(),
            not_in_policy: &self.strange,
        }
    }
}
