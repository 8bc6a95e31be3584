//! The engine's judgement and effects -> report.

use engine::decision::{
    Context, Decisions, Explanation, RequestFacts, Step, Tried, Tripped, Weighed, explain,
};
use engine::effects::{Answered, HeaderEdit, on_request, on_response};
use engine::host::{AUTHORITY, Host, METHOD, PATH};
use engine::ids::{SplitId, VariantId};
use engine::metrics::Metrics;
use engine::plan::{Plan, Position};
use engine::policy::{Decoding, Encoding, KeySource, Split, Value, Weight};
use engine::units::{Bucket, Buckets, Moment};
use policy_text::canonical::to_value;
use policy_text::source::to_flow;

use super::report::{
    DrawReport, EditReport, EffectsReport, EntryReport, HeaderReport, ReplyReport, Report,
    RequestReport, SplitReport, StepReport,
};
use super::request::Described;
use crate::moment;
use crate::policy_file::{PolicyFile, Valid};
use crate::text::harmless;

/// One in place of the random numbers that each request has: explanations are the same every time.
const CHANCE: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9];

/// Judges a request and reports all of it.
pub(super) fn report(
    file: &PolicyFile,
    valid: &Valid,
    request: &Described,
    now: Moment,
    tripped: &Tripped,
) -> Report {
    let plan = Plan::new(valid.policy.clone());
    let context = Context { now, random: CHANCE };
    let facts = plan.facts(request).with_tripped(tripped);
    let explanation = explain(&plan, &facts, &context);
    // As the policy writes it, defaults left out.
    let written = to_value(&plan.policy);
    let splits = plan.policy.splits.pairs().enumerate().map(|(index, (id, split))| {
        let written = item(written.field("splits"), index);
        Judged { plan: &plan, id, split, written, request, now }.report(&explanation)
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
        effects: effects(&plan, &facts, &explanation.decisions, &context),
    }
}

struct Judged<'j> {
    plan: &'j Plan,
    id: SplitId,
    split: &'j Split,
    written: Option<&'j Value>,
    request: &'j Described,
    now: Moment,
}

impl Judged<'_> {
    fn report(&self, explanation: &Explanation) -> SplitReport {
        let decided = explanation.decisions.of(self.id);
        SplitReport {
            split: self.split.name.clone(),
            variant: decided.map(|decision| self.variant(decision.variant)),
            reason: decided.map(|decision| decision.reason.as_str()),
            steps: explanation.of(self.id).iter().filter_map(|step| self.step(step)).collect(),
        }
    }

    fn step(&self, step: &Step) -> Option<StepReport> {
        Some(match step {
            Step::Disabled => StepReport::Disabled,
            Step::EarlierLeg => StepReport::EarlierLeg,
            Step::Match(tried) => StepReport::Match {
                entries: entries(tried, self.field("match"), self.request),
                holds: tried.holds,
            },
            Step::LayerTaken => StepReport::LayerTaken { layer: self.layer() },
            Step::RequirementUnmet { requirement } => {
                let required = self.split.requires.get(*requirement)?;
                let split = &self.plan.policy.splits[required.split];
                StepReport::RequirementUnmet {
                    split: split.name.clone(),
                    variant: split.variants[required.variant].name.clone(),
                }
            }
            Step::Slice { bucket, holds } => {
                let slice = self.split.slice?;
                StepReport::Slice {
                    layer: self.layer(),
                    from_percent: percent(slice.from()),
                    to_percent: percent(slice.to()),
                    bucket: bucket.map(Bucket::number),
                    holds: *holds,
                }
            }
            Step::Killed => StepReport::Killed,
            Step::Forced { .. } => StepReport::Forced,
            Step::ForcedUnknown { name } => {
                StepReport::ForcedUnknown { variant: String::from_utf8_lossy(name).into_owned() }
            }
            Step::Override { index, tried, variant } => {
                let written = item(self.field("overrides"), *index).and_then(|o| o.field("match"));
                StepReport::Override {
                    index: *index,
                    entries: entries(tried, written, self.request),
                    holds: tried.holds,
                    variant: variant.map(|variant| self.variant(variant)),
                }
            }
            Step::NoKey { preflight } => StepReport::NoKey {
                sources: self.split.key.iter().map(source).collect(),
                preflight: *preflight,
            },
            Step::Key { source: index, key, generated, bucket } => {
                let found = self.split.key.get(*index)?;
                StepReport::Key {
                    key: String::from_utf8_lossy(key).into_owned(),
                    source: source(found),
                    generated: *generated,
                    bucket: bucket.number(),
                    help: encoded(found, key),
                }
            }
            Step::Holdout { bucket, held } => StepReport::Holdout {
                bucket: bucket.number(),
                percent: percent(self.plan.policy.holdout.as_ref()?.buckets),
                held: *held,
            },
            Step::Sticky { variant, counts, tripped } => StepReport::Sticky {
                cookie: self.split.sticky.as_ref()?.cookie.name.clone(),
                variant: variant.map(|variant| self.variant(variant)),
                counts: *counts,
                tripped: *tripped,
            },
            Step::Tripped { variant } => StepReport::Tripped { variant: self.variant(*variant) },
            Step::Weights { position, weighed } => StepReport::Weights {
                ramp: position.and_then(|position| self.ramp(position)),
                draws: weighed.iter().map(|weighed| self.draw(weighed)).collect(),
            },
            Step::NotAnswered { variant } => {
                StepReport::NotAnswered { variant: self.variant(*variant) }
            }
            // A request that is described is described as a whole, and what was decided heads the report.
            Step::Unknown | Step::Decided(_) => return None,
        })
    }

    fn draw(&self, weighed: &Weighed) -> DrawReport {
        let weight = weighed.weight as f64 / Weight::UNITS_PER_ONE as f64;
        let cost = weighed.draw.map(|(_, cost)| cost as f64 / 4_294_967_296.0);
        DrawReport {
            variant: self.variant(weighed.variant),
            weight,
            share: weighed.share as f64 / 10_000.0,
            ticket: weighed.draw.map(|(ticket, _)| format!("{ticket:016x}")),
            cost,
            cost_per_weight: cost.map(|cost| cost / weight),
            wins: weighed.wins,
            tripped: weighed.tripped,
            drains: self.split.variants[weighed.variant].drain,
        }
    }

    /// Where the moment is on a ramp.
    fn ramp(&self, position: Position) -> Option<String> {
        let ramp = self.split.ramp.as_ref()?;
        let (point, steps) = (position.point(), ramp.steps.count());
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

    fn variant(&self, id: VariantId) -> String {
        self.split.variants[id].name.clone()
    }

    fn layer(&self) -> String {
        self.split.layer.map(|id| self.plan.policy.layers[id].name.clone()).unwrap_or_default()
    }
}

/// The entries that were tried, each as it is written.
fn entries(tried: &Tried, written: Option<&Value>, request: &Described) -> Vec<EntryReport> {
    let unmet = tried.unmet.iter().cloned().map(Some);
    let outcomes = unmet.chain(tried.holds.then_some(None));
    let entry = |(index, unmet): (usize, Option<String>)| EntryReport {
        condition: item(written, index).map(to_flow).unwrap_or_default(),
        sent: unmet.as_deref().and_then(|unmet| sent(unmet, item(written, index)?, request)),
        unmet,
    };
    outcomes.enumerate().map(entry).collect()
}

/// What the request sent where a test of a header failed: `Premium`, and that it differs from `premium` in case only.
fn sent(unmet: &str, entry: &Value, request: &Described) -> Option<String> {
    let (name, _) = unmet.strip_prefix("header `")?.split_once('`')?;
    let value = request.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value)?;
    let Some(Value::List(tests)) = entry.field("headers") else { return None };
    let is_of = |test: &&Value| test.field("name") == Some(&Value::String(name.to_owned()));
    let wanted =
        tests.iter().filter(is_of).flat_map(|test| match (test.field("exact"), test.field("in")) {
            (Some(Value::String(exact)), _) => vec![exact.as_str()],
            (_, Some(Value::List(values))) => values
                .iter()
                .filter_map(|value| match value {
                    Value::String(text) => Some(text.as_str()),
                    _ => None,
                })
                .collect(),
            _ => Vec::new(),
        });
    let (mut by_case, mut by_blanks) = (false, false);
    for wanted in wanted.filter(|wanted| *wanted != value) {
        by_case |= wanted.eq_ignore_ascii_case(value);
        by_blanks |= wanted.trim() == value.trim();
    }
    let differs = match (by_case, by_blanks) {
        (true, _) => ", which differs in case only: `ignore_case: true` takes both",
        (_, true) => ", which differs in blanks only",
        _ => "",
    };
    Some(format!("sent is `{}`{differs}", harmless(value)))
}

fn item(list: Option<&Value>, index: usize) -> Option<&Value> {
    match list {
        Some(Value::List(items)) => items.get(index),
        _ => None,
    }
}

fn percent(buckets: Buckets) -> f64 {
    f64::from(buckets.count()) / 100.0
}

/// A key source in words: ``header `x-user-id` ``.
fn source(source: &KeySource) -> String {
    match source {
        KeySource::Header(name) => format!("header `{name}`"),
        KeySource::Cookie { name, decoding } => {
            let steps = decoding.steps.iter().filter_map(|step| {
                Encoding::ALL.iter().find(|(_, known)| known == step).map(|(word, _)| *word)
            });
            let json = decoding.json.as_ref().map(|name| format!("json `{name}`"));
            let decoded: Vec<String> = steps.map(str::to_owned).chain(json).collect();
            let decoded = match decoded.is_empty() {
                true => String::new(),
                false => format!(" ({})", decoded.join(", ")),
            };
            format!("cookie `{name}`{decoded}")
        }
        KeySource::Query(name) => format!("query `{name}`"),
        KeySource::Jwt { provider, claim } => format!("jwt `{provider}:{claim}`"),
        KeySource::ClientIp => "client_ip".to_owned(),
        KeySource::Generate(cookie) => format!("generate into cookie `{}`", cookie.name),
    }
}

/// What to write where a cookie's value seems to be encoded, so that the same user has another key in a header.
fn encoded(source: &KeySource, key: &[u8]) -> Option<String> {
    let KeySource::Cookie { decoding, .. } = source else { return None };
    if decoding.json.is_some() {
        return None;
    }
    let is_object = |text: &[u8]| {
        let text = text.strip_prefix(b"j:").unwrap_or(text);
        text.starts_with(b"{") && text.ends_with(b"}")
    };
    if is_object(key) {
        return Some(
            "it is JSON, and another key with any change in it: name the user's field, `json: FIELD`".to_owned(),
        );
    }
    let percent = Decoding { steps: [Encoding::Percent].into(), json: None };
    let decoded = percent.decode(key).filter(|decoded| **decoded != *key)?;
    Some(if is_object(&decoded) {
        "it is JSON, encoded: write `decode: [percent]` and name the user's field, `json: FIELD`"
            .to_owned()
    } else {
        let decoded = String::from_utf8_lossy(&decoded);
        format!("it seems encoded: with `decode: [percent]` the key is `{decoded}`")
    })
}

fn effects<H: Host + ?Sized>(
    plan: &Plan,
    facts: &RequestFacts<'_, H>,
    decisions: &Decisions,
    context: &Context,
) -> EffectsReport {
    let effects = on_request(plan, facts, decisions);
    // The response is not there yet: one that is no error.
    let answered = Answered { decisions, context, caching: &effects.caching, status: Some(200) };
    let metrics = Metrics::new(plan);
    let counters = metrics.decided(decisions).map(|id| &metrics.definitions()[id]);
    let value_of = |header: &str| {
        effects.headers.iter().find_map(|edit| match edit {
            HeaderEdit::Set { name, value } if *name == header => {
                Some(String::from_utf8_lossy(value).into_owned())
            }
            _ => None,
        })
    };
    EffectsReport {
        cluster: value_of(&plan.policy.cluster_header),
        mirror: value_of(&plan.policy.mirror_header),
        request_headers: effects.headers.iter().map(edit).collect(),
        response_headers: on_response(plan, &answered).iter().map(edit).collect(),
        counters: counters.map(|definition| prometheus(&definition.name)).collect(),
        state: effects.state.map(|state| state.into_owned()),
        evidence: effects.evidence,
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
