//! The engine natively, in the words of the tests. Whatever they ask of it beyond that, they ask
//! where they need it.

use engine::decision::{self, Context, Decision, Decisions, Nobody, Tripped};
use engine::effects::{self, Answered, Edits, RequestEffects};
use engine::guard::{GuardState, Guards, Setting, Tally};
use engine::hash::fmix64;
use engine::host::Host;
use engine::ids::{Id as _, List, SplitId, VariantId};
use engine::metrics::Metrics;
use engine::plan::{Plan, Race, WeightsNow};
use engine::policy::{self, Weight};
use engine::units::{Millis, Moment};
use serde_json::Value;

use crate::vectors::Case;

/// Compiles a policy that must be valid.
///
/// # Panics
/// When it is not.
pub fn plan(document: &Value) -> Plan {
    let checked = policy::from_json(document.to_string().as_bytes());
    let problems: Vec<_> = checked.diagnostics.iter().map(ToString::to_string).collect();
    Plan::new(checked.policy.unwrap_or_else(|| panic!("{problems:#?}\n{document:#}")))
}

/// Decides, and checks that explaining gives the same.
///
/// # Panics
/// When it does not.
pub fn decide<H: Host + ?Sized>(plan: &Plan, request: &H, context: &Context) -> Decisions {
    decide_without(plan, request, context, Tripped::NONE)
}

/// The same, where some variants are out of service.
///
/// # Panics
/// As [`decide`].
pub fn decide_without<H: Host + ?Sized>(
    plan: &Plan,
    request: &H,
    context: &Context,
    tripped: &Tripped,
) -> Decisions {
    let facts = || plan.facts(request).with_tripped(tripped);
    let decisions = decision::decide(plan, &facts(), context, &mut Nobody);
    let explanation = decision::explain(plan, &facts(), context);
    assert_eq!(explanation.decisions, decisions);
    assert_eq!(decisions.unknown(), [], "a request tells all");
    decisions
}

/// What is out of service when a case's request comes: what it says is, and what the guards make of what users met.
///
/// # Panics
/// When it names variants that are not there.
pub fn tripped(plan: &Plan, case: &Case) -> Tripped {
    let mut tripped = Tripped::default();
    for variant in &case.tripped {
        let (split, variant) = find(plan, variant);
        tripped.set(split, tripped.of(split).with(variant));
    }
    let (guards, now) = (Guards::new(plan), Moment::new(case.now.unwrap_or_default()));
    let tally = Tally::new(&guards);
    let mut states: List<SplitId, Vec<u8>> = plan.policy.splits.map(|_| Vec::new());
    let mut users = 0;
    for met in &case.bad {
        let (split, variant) = find(plan, &met.variant);
        for _ in 0..met.users {
            users += 1;
            let user = Some(fmix64(users));
            let decision = Decision { split, variant, user, ..Decision::default() };
            let took = Some(Millis::new(met.milliseconds));
            let Some(bad) = guards.bad(&decision, met.class, took) else { continue };
            let now = Moment::new(met.at);
            let weights = plan.splits[split].weights_at(now);
            let mut state = GuardState::read(bad.guard, &states[split]);
            state.apply(&bad, &Setting { exposures: tally.of(split), weights, now });
            states[split] = state.write();
        }
        if let Some(guard) = guards.of(split) {
            let out = GuardState::read(guard, &states[split]).tripped(guard, now);
            tripped.set(split, out);
        }
    }
    tripped
}

fn find(plan: &Plan, (split, variant): &(String, String)) -> (SplitId, VariantId) {
    let split = plan.find(split).unwrap_or_else(|| panic!("no split {split}"));
    let found = plan.policy.splits[split].variants.find(|v| v.name == *variant);
    (split, found.unwrap_or_else(|| panic!("no variant {variant}")))
}

/// What becomes of a request, and how many counters are incremented.
pub fn on_request<'p, H: Host + ?Sized>(
    plan: &'p Plan,
    request: &H,
    decisions: &Decisions,
) -> (RequestEffects<'p>, usize) {
    let effects = effects::on_request(plan, &plan.facts(request), decisions);
    (effects, Metrics::new(plan).decided(decisions).count())
}

/// The edits of the response, where there are any.
///
/// # Panics
/// When there are edits that the host would not ask for.
pub fn on_response<'p>(plan: &'p Plan, answered: &Answered<'p>) -> Edits<'p> {
    let Answered { decisions, caching, .. } = *answered;
    let edits = effects::on_response(plan, answered);
    assert!(edits.is_empty() || effects::edits_response(plan, decisions, caching));
    let without = effects::on_response(plan, &Answered { status: None, ..*answered });
    assert!(
        edits == without || effects::reads_status(decisions),
        "a status that nobody would read"
    );
    edits
}

/// Split, variant and reason as words.
pub fn in_words(plan: &Plan, decisions: &[Decision]) -> Vec<(String, String, &'static str)> {
    let words = |d: &Decision| {
        let split = &plan.policy.splits[d.split];
        (split.name.clone(), split.variants[d.variant].name.clone(), d.reason.as_str())
    };
    decisions.iter().map(words).collect()
}

/// A race of variants with these names and weights in units of 0.0001.
#[derive(Debug, Clone)]
pub struct Weighed {
    race: Race,
    weights: List<VariantId, Weight>,
}

impl Weighed {
    /// Prepares the race.
    pub fn new(variants: &[(impl AsRef<str>, u64)]) -> Self {
        let runs = variants.iter().enumerate().filter(|(_, (_, weight))| *weight > 0);
        let race = Race::new(runs.map(|(at, (name, _))| (VariantId::at(at), name.as_ref())));
        let weights =
            variants.iter().map(|(_, weight)| Weight::from_units(*weight).expect("a weight"));
        Self { race, weights: weights.collect() }
    }

    /// The place of the winner.
    pub fn winner(&self, h2: u64) -> Option<usize> {
        let weights = WeightsNow::fixed(&self.weights, &self.race);
        self.race.winner(h2, &weights).map(VariantId::place)
    }
}
