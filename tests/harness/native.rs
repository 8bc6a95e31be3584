//! The engine natively, in the words of the tests. Whatever they ask of it beyond that, they ask
//! where they need it.

use engine::decision::{self, Context, Decision, Decisions, Nobody};
use engine::effects::{self, Answered, HeaderEdit, RequestEffects};
use engine::host::Host;
use engine::ids::{Id as _, List, VariantId};
use engine::metrics::Metrics;
use engine::plan::{Plan, Race, WeightsNow};
use engine::policy::{self, Weight};
use serde_json::Value;

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
    let decisions = decision::decide(plan, &plan.facts(request), context, &mut Nobody);
    let explanation = decision::explain(plan, &plan.facts(request), context);
    assert_eq!(explanation.decisions, decisions);
    assert_eq!(decisions.unknown(), [], "a request tells all");
    decisions
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
pub fn on_response<'p>(plan: &'p Plan, answered: &Answered<'p>) -> Vec<HeaderEdit<'p>> {
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
