//! The engine natively, in the words of the tests. Whatever they ask of it beyond that, they ask
//! where they need it.

use engine::decision::{Context, Decision, Decisions};
use engine::matching::Request;
use engine::plan::Plan;
use engine::policy;
use serde_json::Value;

/// Compiles a policy that must be valid.
///
/// # Panics
/// When it is not.
pub fn plan(document: &Value) -> Plan {
    let checked = policy::from_json(document.to_string().as_bytes());
    let problems: Vec<_> = checked.diagnostics.iter().map(ToString::to_string).collect();
    Plan::compile(&checked.policy.unwrap_or_else(|| panic!("{problems:#?}\n{document:#}")))
}

/// Decides, and checks that explaining gives the same.
///
/// # Panics
/// When it does not.
pub fn decide<R: Request + ?Sized>(plan: &Plan, request: &R, context: &Context) -> Decisions {
    let mut decisions = Decisions::default();
    plan.decide(request, context, &mut decisions);
    let explained: Vec<_> = plan.explain(request, context).decisions().collect();
    assert_eq!(explained, decisions.list);
    decisions
}

/// Split, variant and reason as words.
pub fn in_words(plan: &Plan, decisions: &[Decision]) -> Vec<(String, String, &'static str)> {
    let words = |d: &Decision| {
        let split = &plan.splits[d.split];
        (split.name.clone(), split.variants[d.variant].name.clone(), d.reason.as_str())
    };
    decisions.iter().map(words).collect()
}
