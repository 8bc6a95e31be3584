//! The engine's judgement and effects -> report.

use engine::decision::{Context, Decision, Decisions, Reason, Step};
use engine::effects::HeaderEdit;
use engine::matching::{AUTHORITY, METHOD, Match, PATH};
use engine::plan::{Plan, SplitPlan};
use engine::policy::{KeySource, Policy, Split, Value, Weight};
use policy_text::canonical::to_value;
use policy_text::source::to_flow;

use super::report::{
    DrawReport, EditReport, EffectsReport, EntryReport, HeaderReport, ReplyReport, Report,
    RequestReport, SplitReport, StepReport,
};
use super::request::Described;
use crate::moment;
use crate::policy_file::{PolicyFile, Valid};

/// One in place of the random numbers that each request has: explanations are the same every time.
const CHANCE: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9];

/// Judges a request and reports all of it.
pub(super) fn report(file: &PolicyFile, valid: &Valid, request: &Described, now: u64) -> Report {
    let policy = &valid.policy;
    let plan = Plan::compile(policy);
    let context = Context { now, random: CHANCE };
    let explanation = plan.explain(request, &context);
    let mut decisions = Decisions::default();
    plan.decide(request, &context, &mut decisions);
    // As the policy writes it, defaults left out.
    let written = to_value(policy);
    let mut judged = plan.splits.iter().zip(&explanation.splits);
    let splits = policy.splits.iter().enumerate().map(|(index, split)| {
        let written = item(written.field("splits"), index);
        match judged.next_if_enabled(split) {
            Some((plan_split, steps)) => {
                let judged =
                    Judged { policy, plan: &plan, split, plan_split, written, request, now };
                judged.report(steps)
            }
            None => SplitReport {
                split: split.name.clone(),
                variant: None,
                reason: None,
                steps: vec![StepReport::Disabled],
            },
        }
    });
    let splits = splits.collect();
    let named = |name: &str| request.first(name).to_owned();
    let plain = |(name, value): &(String, String)| {
        let header = HeaderReport { name: name.clone(), value: value.clone() };
        (!name.starts_with(':')).then_some(header)
    };
    Report {
        file: file.source.name.clone(),
        policy: valid.hash_text(),
        at: moment::write(now),
        depends_on_time: plan.reads_time(),
        request: RequestReport {
            method: named(METHOD),
            host: named(AUTHORITY),
            path: named(PATH),
            headers: request.headers.iter().filter_map(plain).collect(),
            client_ip: request.client_ip().map(str::to_owned),
        },
        splits,
        effects: effects(&plan, request, &decisions, &context),
    }
}

/// Plans know enabled splits only.
trait NextIfEnabled: Iterator {
    fn next_if_enabled(&mut self, split: &Split) -> Option<Self::Item> {
        split.enabled.then(|| self.next()).flatten()
    }
}

impl<I: Iterator> NextIfEnabled for I {}

struct Judged<'j> {
    policy: &'j Policy,
    plan: &'j Plan,
    split: &'j Split,
    plan_split: &'j SplitPlan,
    written: Option<&'j Value>,
    request: &'j Described,
    now: u64,
}

impl Judged<'_> {
    fn report(&self, steps: &[Step]) -> SplitReport {
        let mut reports = Vec::new();
        let mut tried_overrides = false;
        let decided = steps.iter().find_map(|step| match step {
            Step::Decided(decision) => Some(*decision),
            _ => None,
        });
        let winner = decided.filter(|d| matches!(d.reason, Reason::Split | Reason::Random));
        for step in steps {
            // The engine tells of the override that holds; those before it did not.
            if !tried_overrides && self.comes_after_overrides(step, decided) {
                tried_overrides = true;
                let until = match step {
                    Step::Overridden { index } => *index,
                    _ => usize::MAX,
                };
                let failed = self.plan_split.overrides.iter().take(until).enumerate();
                reports.extend(failed.map(|(index, _)| self.tried(index, false)));
            }
            reports.extend(self.step(step, winner));
        }
        SplitReport {
            split: self.split.name.clone(),
            variant: decided.map(|decision| self.variant(decision.variant)),
            reason: decided.map(|decision| decision.reason.as_str()),
            steps: reports,
        }
    }

    fn comes_after_overrides(&self, step: &Step, decided: Option<Decision>) -> bool {
        let sliced = self.split.slice.is_some();
        match step {
            Step::Overridden { .. }
            | Step::Holdout { .. }
            | Step::Sticky { .. }
            | Step::Race(_) => true,
            // A slice needs the key before; a killed policy looks at no override.
            Step::Key { .. } | Step::NoKey => !sliced,
            Step::Decided(_) => decided.is_some_and(|d| d.reason != Reason::Killed),
            Step::Forced => false,
            _ => false,
        }
    }

    fn step(&self, step: &Step, winner: Option<Decision>) -> Option<StepReport> {
        Some(match step {
            Step::Matched { entry } => StepReport::Match {
                entries: self.entries(
                    self.split.matches.as_deref(),
                    self.field("match"),
                    Some(*entry),
                ),
                holds: true,
            },
            Step::Unmatched { .. } => StepReport::Match {
                entries: self.entries(self.split.matches.as_deref(), self.field("match"), None),
                holds: false,
            },
            Step::LayerTaken => StepReport::LayerTaken { layer: self.layer() },
            Step::RequirementUnmet { requirement } => {
                let required = self.split.requires.get(*requirement)?;
                let split = self.policy.splits.get(required.split)?;
                let variant = split.variants.get(required.variant)?;
                StepReport::RequirementUnmet {
                    split: split.name.clone(),
                    variant: variant.name.clone(),
                }
            }
            Step::Slice { bucket, holds } => {
                let slice = self.split.slice?;
                StepReport::Slice {
                    layer: self.layer(),
                    from_percent: percent(slice.from),
                    to_percent: percent(slice.to),
                    bucket: *bucket,
                    holds: *holds,
                }
            }
            Step::Forced => StepReport::Forced,
            Step::Overridden { index } => self.tried(*index, true),
            Step::NoKey => {
                StepReport::NoKey { sources: self.split.key.iter().map(source).collect() }
            }
            Step::Key { source: index, key, generated, bucket } => StepReport::Key {
                key: String::from_utf8_lossy(key).into_owned(),
                source: self.split.key.get(*index).map(source).unwrap_or_default(),
                generated: *generated,
                bucket: *bucket,
            },
            Step::Holdout { bucket, held } => StepReport::Holdout {
                bucket: *bucket,
                percent: self.policy.holdout.as_ref().map_or(0.0, |h| percent(h.buckets)),
                held: *held,
            },
            Step::Sticky { variant, counts } => StepReport::Sticky {
                cookie: self.split.sticky.as_ref()?.cookie.name.clone(),
                variant: variant.map(|variant| self.variant(variant)),
                counts: *counts,
            },
            Step::Race(draws) => {
                let weights = self.plan_split.weights_at(self.now);
                let draw = |index: usize| {
                    let drawn = draws.iter().find(|draw| draw.variant == index);
                    let weight = Weight::from_units(weights.of(index)).units() as f64
                        / Weight::UNITS_PER_ONE as f64;
                    let cost = drawn.map(|draw| draw.cost as f64 / 4_294_967_296.0);
                    DrawReport {
                        variant: self.variant(index),
                        weight,
                        share: weights.share(index) as f64 / 10_000.0,
                        ticket: drawn.map(|draw| format!("{:016x}", draw.ticket)),
                        cost,
                        cost_per_weight: cost.map(|cost| cost / weight),
                        wins: winner.is_some_and(|w| w.variant == index),
                        drains: self.split.variants.get(index).is_some_and(|v| v.drain),
                    }
                };
                StepReport::Weights {
                    ramp: self.ramp(),
                    draws: (0..self.split.variants.len()).map(draw).collect(),
                }
            }
            Step::Decided(decision) if decision.reason == Reason::Killed => StepReport::Killed,
            Step::Decided(_) => return None,
        })
    }

    /// An override that was looked at.
    fn tried(&self, index: usize, holds: bool) -> StepReport {
        let forced = self.split.overrides.get(index);
        let written = item(self.field("overrides"), index).and_then(|o| o.field("match"));
        let list = forced.map(|forced| forced.matches.as_slice());
        let unmet = |entry: &Match| entry.unmet(&self.plan.scope, self.request).is_none();
        let entry = list.and_then(|list| list.iter().position(unmet));
        StepReport::Override {
            index,
            entries: self.entries(list, written, entry.filter(|_| holds)),
            holds,
            variant: forced.and_then(|forced| forced.variant).map(|variant| self.variant(variant)),
        }
    }

    /// The entries of a match list up to the one that holds.
    fn entries(
        &self,
        list: Option<&[Match]>,
        written: Option<&Value>,
        holds: Option<usize>,
    ) -> Vec<EntryReport> {
        let until = holds.map_or(usize::MAX, |entry| entry.saturating_add(1));
        let entry = |(index, entry): (usize, &Match)| EntryReport {
            condition: item(written, index).map(to_flow).unwrap_or_default(),
            unmet: entry.unmet(&self.plan.scope, self.request).map(|unmet| unmet.to_string()),
        };
        list.unwrap_or_default().iter().enumerate().take(until).map(entry).collect()
    }

    /// Where the moment is on a ramp.
    fn ramp(&self) -> Option<String> {
        let ramp = self.split.ramp.as_ref()?;
        let position = self.plan_split.ramp.as_ref()?.position(self.now);
        let (point, steps) = (position.point(), ramp.steps.len());
        let start = moment::write(ramp.start);
        let paused = ramp
            .pause
            .filter(|pause| *pause <= self.now)
            .map(|pause| format!(", paused since {}", moment::write(pause)));
        let place = match point {
            _ if self.now < ramp.start => format!("starts at {start}"),
            0 => format!("started at {start}, before step 1 of {steps}"),
            last if last >= steps => format!("at its end, step {last} of {steps}"),
            between => format!("after step {between} of {steps}"),
        };
        Some(format!("{place}{}", paused.unwrap_or_default()))
    }

    fn field(&self, name: &str) -> Option<&Value> {
        self.written.and_then(|written| written.field(name))
    }

    fn variant(&self, index: usize) -> String {
        self.split.variants.get(index).map(|variant| variant.name.clone()).unwrap_or_default()
    }

    fn layer(&self) -> String {
        let layer = self.split.layer.and_then(|layer| self.policy.layers.get(layer));
        layer.map(|layer| layer.name.clone()).unwrap_or_default()
    }
}

fn item(list: Option<&Value>, index: usize) -> Option<&Value> {
    match list {
        Some(Value::List(items)) => items.get(index),
        _ => None,
    }
}

fn percent(buckets: u16) -> f64 {
    f64::from(buckets) / 100.0
}

/// A key source in words: ``header `x-user-id` ``.
fn source(source: &KeySource) -> String {
    match source {
        KeySource::Header(name) => format!("header `{name}`"),
        KeySource::Cookie(name) => format!("cookie `{name}`"),
        KeySource::Query(name) => format!("query `{name}`"),
        KeySource::Jwt { provider, claim } => format!("jwt `{provider}:{claim}`"),
        KeySource::ClientIp => "client_ip".to_owned(),
        KeySource::Generate(cookie) => format!("generate into cookie `{}`", cookie.name),
    }
}

fn effects(
    plan: &Plan,
    request: &Described,
    decisions: &Decisions,
    context: &Context,
) -> EffectsReport {
    let effects = plan.request_effects(request, decisions);
    let definitions = plan.metrics.definitions();
    let counters = effects.counters.iter().filter_map(|index| definitions.get(*index));
    let value_of = |header: &str| {
        effects.headers.iter().find_map(|edit| match edit {
            HeaderEdit::Set { name, value } if *name == header => {
                Some(String::from_utf8_lossy(value).into_owned())
            }
            _ => None,
        })
    };
    EffectsReport {
        cluster: value_of(&plan.cluster_header),
        mirror: value_of(&plan.mirror_header),
        request_headers: effects.headers.iter().map(edit).collect(),
        response_headers: plan.response_edits(decisions, context).iter().map(edit).collect(),
        counters: counters.map(|definition| prometheus(&definition.name)).collect(),
        state: effects.state.map(|state| state.into_owned()),
        reply: effects
            .respond
            .map(|reply| ReplyReport { status: reply.status, body: reply.body.clone() }),
        force_refused: decisions.force_refused,
    }
}

fn edit(edit: &HeaderEdit<'_>) -> EditReport {
    let text = |value: &[u8]| Some(String::from_utf8_lossy(value).into_owned());
    let (edit, name, value) = match edit {
        HeaderEdit::Set { name, value } => ("set", name, text(value)),
        HeaderEdit::Add { name, value } => ("add", name, text(value)),
        HeaderEdit::Remove { name } => ("remove", name, None),
    };
    EditReport { edit, name: (*name).to_owned(), value }
}

/// A metric's name with labels as Prometheus shows it: `a=.=x;.;b=.=y;.;name` -> `name{a="x",b="y"}`.
fn prometheus(name: &str) -> String {
    let mut parts: Vec<&str> = name.split(";.;").collect();
    let base = parts.pop().unwrap_or_default();
    let label =
        |part: &&str| part.split_once("=.=").map(|(name, value)| format!("{name}=\"{value}\""));
    let labels: Vec<String> = parts.iter().filter_map(label).collect();
    if labels.is_empty() { base.to_owned() } else { format!("{base}{{{}}}", labels.join(",")) }
}
