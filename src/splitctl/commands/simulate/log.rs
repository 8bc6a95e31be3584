//! The requests of an access log: which splits they met, and which variant they got: by the key, where it was logged, else by
//! what the filter itself said.

use std::io::{self, BufWriter, Write};

use anyhow::{Result, bail};
use engine::decision::{Context, Nobody, decide};
use engine::ids::{List, SplitId};
use engine::plan::Plan;
use engine::reason::Reason;

use super::json;
use super::log_line::Logged;
use super::summary::{Met, Summary};
use crate::format::Format;
use crate::keys::Lines;
use crate::moment::Moment;
use crate::style;

/// The forms of a line that can be read.
const FORMS: &str =
    "a line is Envoy's default text, Istio's, or a JSON object with `host` and `path`";

/// How the log is read and told.
pub(super) struct Reading<'a> {
    pub(super) plan: &'a Plan,
    pub(super) wanted: &'a [SplitId],
    /// The time to ask for; `None` = that of each request.
    pub(super) at: Option<Moment>,
    pub(super) format: Format,
    /// Whether each line is told, and not the sums alone.
    pub(super) lines: bool,
}

/// Reads the log and writes the sums, after each of its lines where that is asked for.
pub(super) fn run(reading: &Reading<'_>, mut log: Lines, out: &mut dyn Write) -> Result<()> {
    let mut summary = Summary::new(reading.plan, reading.wanted);
    let start = Moment::now();
    let mut out = BufWriter::new(out);
    while log.advance()? {
        if log.line().is_empty() {
            continue;
        }
        // A byte more or less is another user: what is not text is not guessed.
        let text = str::from_utf8(log.line());
        let is_first = summary.lines == 0;
        let met = match text.ok().and_then(Logged::parse) {
            None => {
                summary.count_unreadable(log.number(), text.is_ok());
                None
            }
            Some(logged) => {
                let now = reading.at.or(logged.at).unwrap_or(start);
                let met = meet(reading.plan, &logged, now);
                summary.count(&logged, &met, now.0);
                Some((logged, met))
            }
        };
        if reading.lines {
            reading.show_line(log.number(), is_first, met, &mut out)?;
        }
    }
    if summary.lines == 0 {
        bail!("`{}` is empty: {FORMS}", log.name());
    }
    match reading.format {
        Format::Human => {
            let gap = if reading.lines { "\n" } else { "" };
            write!(out, "{gap}")?;
            summary.show(log.name(), &mut out)?;
        }
        Format::Json => {
            let sums = format!("{:#}", serde_json::to_value(summary.to_json())?);
            let rest = sums.strip_prefix('{').unwrap_or(&sums);
            let begin = if reading.lines { "\n  ]," } else { "{" };
            writeln!(out, "{begin}{rest}")?;
        }
    }
    out.flush()?;
    if summary.unreadable == summary.lines {
        let (name, lines) = (log.name(), crate::text::plural(summary.lines, "line"));
        if summary.not_text == summary.lines {
            bail!("`{name}`: {lines}, and none is UTF-8");
        }
        bail!("`{name}`: {lines}, and none can be read: {FORMS}");
    }
    Ok(())
}

/// What each split of the plan did with a request. Where its user's key is in the log, the policy is asked; else what the
/// filter said counts, and where it said nothing what the policy says of everybody.
fn meet(plan: &Plan, request: &Logged, now: Moment) -> List<SplitId, Met> {
    let context = Context { now: now.0, random: [0; 2] };
    let decisions = decide(plan, &plan.facts(request), &context, &mut Nobody);
    let told = |id: SplitId| {
        let split = &plan.policy.splits[id];
        let told = request.told.as_ref()?.iter().find(|told| told.split == split.name);
        let Some(told) = told else { return Some(Met::No) };
        let variant = split.variants.find(|variant| variant.name == told.variant);
        Some(variant.map_or(Met::Unknown, |variant| Met::Variant(variant, told.reason)))
    };
    let met = |id| {
        let decision = decisions.of(id);
        let decided = decision.map(|d| Met::Variant(d.variant, Some(d.reason)));
        if let (Some(decided), Some(_)) = (decided, decision.and_then(|decision| decision.user)) {
            return decided;
        }
        let undecided = if decisions.unknown().contains(&id) { Met::Unknown } else { Met::No };
        told(id).or(decided).unwrap_or(undecided)
    };
    plan.splits.ids().map(met).collect()
}

impl Reading<'_> {
    /// The wanted splits that a request meets, each with its variant.
    fn met_splits(&self, met: &List<SplitId, Met>) -> Vec<json::MetSplit<'_>> {
        let split = |id: &SplitId| {
            let split = &self.plan.policy.splits[*id];
            let (variant, reason) = match met[*id] {
                Met::No => return None,
                Met::Unknown => (None, None),
                Met::Variant(variant, reason) => {
                    (Some(split.variants[variant].name.as_str()), reason.map(Reason::as_str))
                }
            };
            Some(json::MetSplit { name: &split.name, variant, reason })
        };
        self.wanted.iter().filter_map(split).collect()
    }

    fn show_line(
        &self,
        number: u64,
        is_first: bool,
        met: Option<(Logged, List<SplitId, Met>)>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let read = met.map(|(logged, met)| (logged.describe(), self.met_splits(&met)));
        if self.format == Format::Json {
            let (request, splits) = read.unzip();
            let line = serde_json::to_value(json::Line { line: number, request, splits })?;
            let begin = if is_first { "{\n  \"lines\": [" } else { "," };
            return write!(out, "{begin}\n    {line}");
        }
        let Some((request, splits)) = read else {
            return writeln!(out, "{number:>6}  {}", style::warning("cannot be read"));
        };
        let split = |met: &json::MetSplit<'_>| match (met.variant, met.reason) {
            (None, _) => format!("{}=?", met.name),
            (Some(variant), Some(reason)) if reason != Reason::Split.as_str() => {
                format!("{}={variant} ({reason})", met.name)
            }
            (Some(variant), _) => format!("{}={variant}", met.name),
        };
        let splits: Vec<String> = splits.iter().map(split).collect();
        if splits.is_empty() {
            return writeln!(out, "{number:>6}  {request}  {}", style::faint("no split"));
        }
        writeln!(out, "{number:>6}  {request}  {}", style::strong(splits.join(", ")))
    }
}
