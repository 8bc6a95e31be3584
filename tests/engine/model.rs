//! For any policy and any request, the engine decides as the naive model does.

use std::borrow::Cow;
use std::collections::BTreeMap;

use engine::decision::{Context, Tripped};
use engine::effects::Answered;
use engine::host::Host;
use engine::metrics::Metrics;
use engine::plan::Plan;
use engine::units::Moment;
use harness::model::{Decided, Situation};
use harness::native::{decide_without, on_request, on_response};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use harness::generate::{any_json, policy, situation};

/// A situation as the engine sees it.
pub(crate) struct Seen<'s>(pub(crate) &'s Situation);

impl Host for Seen<'_> {
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_slice()))
    }

    fn source_address(&self) -> Option<Cow<'_, [u8]>> {
        self.0.client.as_ref().map(|client| client.as_bytes().into())
    }
}

pub(crate) fn context(situation: &Situation) -> Context {
    Context { now: Moment::new(situation.now), random: situation.random }
}

/// What is out of service, as far as the plan has it and a guard.
pub(crate) fn tripped(plan: &Plan, situation: &Situation) -> Tripped {
    let mut tripped = Tripped::default();
    for (split, variant) in &situation.tripped {
        let Some(id) = plan.find(split).filter(|id| plan.policy.splits[*id].guard.is_some()) else {
            continue;
        };
        let found = plan.policy.splits[id].variants.find(|v| v.name == *variant);
        tripped.set(id, found.map_or(tripped.of(id), |variant| tripped.of(id).with(variant)));
    }
    tripped
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn decide_equals_explain_equals_the_naive_model(
        policy in policy(),
        situations in prop::collection::vec(situation(), 1..8),
    ) {
        let plan = super::plan(&policy);
        for situation in &situations {
            let (request, context) = (Seen(situation), context(situation));
            let decisions = decide_without(&plan, &request, &context, &tripped(&plan, situation));
            let words = super::in_words(&plan, decisions.list());
            let found: Vec<Decided> = words.into_iter().zip(decisions.list()).map(|((split, variant, reason), d)| {
                let shown = d.bucket().filter(|_| policy["filter_state"] == "evidence");
                let bucket = shown.map(|bucket| bucket.number().into());
                Decided { split, variant, reason, mirror: d.mirror, new_key: d.new_key, bucket }
            }).collect();
            prop_assert_eq!(&found, &harness::model::decide(&policy, situation));
            let (effects, counters) = on_request(&plan, &request, &decisions);
            let new_keys = found.iter().filter(|decided| decided.new_key).count();
            prop_assert_eq!(decisions.force_refused, harness::model::force_refused(&policy, situation));
            let counted = found.len() + new_keys + usize::from(decisions.force_refused);
            prop_assert_eq!(counters, counted, "every decision has its counter");
            let (decisions, context, caching) = (&decisions, &context, &effects.caching);
            on_response(&plan, &Answered { decisions, context, caching, status: Some(200) });
        }
    }

    #[test]
    fn no_bytes_make_the_engine_panic(
        policy in policy(),
        pairs in prop::collection::vec(
            (prop::sample::select(vec![
                ":method", ":authority", ":path", "cookie", "x-a", "x-user", "x-forwarded-for", "baggage",
             ]),
             prop::collection::vec(any::<u8>(), 0..64)),
            0..12,
        ),
        client in ".{0,20}",
        now in any::<u64>(),
    ) {
        let headers = pairs.into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
        let situation = Situation { headers, client: Some(client), now, random: [1, 2], ..Situation::default() };
        let plan = super::plan(&policy);
        let decisions = super::decide(&plan, &Seen(&situation), &context(&situation));
        let (effects, _) = on_request(&plan, &Seen(&situation), &decisions);
        let (decisions, context, caching) = (&decisions, &context(&situation), &effects.caching);
        on_response(&plan, &Answered { decisions, context, caching, status: None });
        Metrics::new(&plan).shares(&plan, Moment::new(now), &tripped(&plan, &situation)).for_each(drop);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in prop::collection::vec(any::<u8>(), 0..200), json in any_json()) {
        engine::policy::from_json(&text);
        engine::policy::from_json(json.to_string().as_bytes());
        engine::policy::from_configuration(&[b"\n".as_slice(), &text].concat());
    }
}

#[test]
fn random_policies_show_every_reason_that_the_model_knows() {
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..600 {
        let policy = policy().new_tree(&mut runner).unwrap().current();
        for _ in 0..4 {
            let situation = situation().new_tree(&mut runner).unwrap().current();
            for decided in harness::model::decide(&policy, &situation) {
                let mut count = |what: &str| *seen.entry(what.to_owned()).or_default() += 1;
                count(decided.reason);
                (decided.mirror).then(|| count("mirror"));
                (decided.new_key).then(|| count("new_key"));
                harness::model::is_preflight(&situation).then(|| count("preflight"));
            }
        }
    }
    let wanted = [
        "fallback",
        "holdout",
        "killed",
        "mirror",
        "new_key",
        "no_key",
        "override",
        "preflight",
        "random",
        "split",
        "sticky",
        "tripped",
    ];
    for what in wanted {
        assert!(seen.get(what).is_some_and(|count| *count >= 20), "{what} is rare: {seen:?}");
    }
}
