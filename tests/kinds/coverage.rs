//! Whether random policies are of every kind: a property of what never occurs holds for nothing.

use std::collections::BTreeMap;

use harness::generate::{plain_requests, plain_situation};
use harness::model::{self, Bare};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use crate::{name, policy};

/// Fields of splits; what bare keys are served, alone and where other splits are judged with it; and
/// what requests are.
const KINDS: &str = "match layer slice requires ramp mirror overrides sticky key salt on_missing_key assignment
    bare/split bare/random bare/holdout bare/killed bare/fallback bare/out
    bare/split/among bare/random/among bare/holdout/among bare/killed/among bare/fallback/among bare/out/among
    request/split request/random request/holdout request/killed request/fallback request/no_key
    request/override request/sticky request/sticky/drains request/refused";

#[test]
fn random_policies_and_requests_are_of_every_kind() {
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let mut count = |what: &str| *seen.entry(what.to_owned()).or_default() += 1;
    for _ in 0..400 {
        let policy = policy().new_tree(&mut runner).unwrap().current();
        for (split, bare) in policy.splits().iter().zip(Bare::all(&policy.0, &plain_requests())) {
            split.as_object().unwrap().keys().for_each(|field| count(field));
            let among = if bare.judged().count() > 1 { "/among" } else { "" };
            for user in ["user-1", "user-2"] {
                let served = bare.serves(user, 1_795_180_000_000, [1, 2]);
                count(&format!("bare/{}{among}", served.map_or("out", |served| served.reason)));
            }
        }
        for _ in 0..4 {
            let situation = plain_situation().new_tree(&mut runner).unwrap().current();
            for decided in model::decide(&policy.0, &situation) {
                let split = policy.splits().iter().find(|s| name(s) == decided.split).unwrap();
                let mut variants = split["variants"].as_array().unwrap().iter();
                let drains = variants.any(|v| name(v) == decided.variant && v["drain"] == true);
                let drains = if drains { "/drains" } else { "" };
                count(&format!("request/{}{drains}", decided.reason));
            }
            model::force_refused(&policy.0, &situation).then(|| count("request/refused"));
        }
    }
    for kind in KINDS.split_whitespace() {
        assert!(seen.get(kind).is_some_and(|count| *count >= 10), "{kind} is rare: {seen:#?}");
    }
}
