//! The order of what is decided: of two reasons the first in the list decides, whatever else there is.

use super::*;
use crate::Reading;
use crate::file::{Facts, Rollout, read};
use engine::policy::Weight;

fn rollout() -> Rollout {
    let document = r#"{"version": 1, "policy": "p", "split": "s", "challenger": "c", "steps":
        [{"weight": 50, "for": "10s", "approval": true}, {"weight": 80, "for": "0s"}],
        "gates": {"responses": 100, "queries": [{"name": "q", "query": "q", "at_least": 0.9}]},
        "inconclusive": {"after": "1h", "then": "retreat"}, "counts": {"prometheus": "http://a"}}"#;
    read(&serde_json::from_str(document).unwrap()).unwrap()
}

/// What is wrong at a look, the first to decide first.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Wrong {
    Edited,
    Aborted,
    Harm,
    Unreadable,
    Behind,
    NoData,
    Paused,
    Time,
    Responses,
    Early,
    Query,
    Approval,
}

use Wrong::*;

const ALL: [Wrong; 12] = [
    Edited, Aborted, Harm, Unreadable, Behind, NoData, Paused, Time, Responses, Early, Query,
    Approval,
];

fn pair(baseline: (u64, u64), challenger: (u64, u64)) -> Pair {
    let reading = |(total, bad)| Reading { total, bad };
    Pair { baseline: reading(baseline), challenger: reading(challenger) }
}

/// What is decided in the first step where all of these are wrong.
fn decided(wrong: &[Wrong]) -> Decision {
    let is = |one: Wrong| wrong.contains(&one);
    let rollout = rollout();
    let both = Weight::from_units(1_000_000).unwrap();
    let facts = Facts {
        baseline: "b".into(),
        challenger_weight: Weight::default(),
        both,
        total: 1_000_000,
    };
    let mut state = State::new(&rollout, facts, "old".into(), 0);
    let first = Move { step: Some(0), weight: 500_000, policy: "ours".into() };
    state.decided(&Decision::Advance { step: 0 }, Some(first));
    state.moved(&rollout, 0);
    let mut seen = Seen {
        policy: Some("ours".into()),
        proxies: Proxies { all: 2, current: 2 },
        counted: Counted::Nothing { why: String::new() },
        queries: Vec::new(),
    };
    let mut look = |state: &mut State, errors: Pair| {
        seen.counted = Counted::Counts { errors, users: false, slow: None, keys: None, tripped: 0 };
        state.see(&rollout, &seen, 0);
    };
    look(&mut state, pair((0, 0), (0, 0)));
    look(&mut state, pair((0, 0), (0, 0)));
    let each = if is(Responses) { 99 } else { 10_000 };
    let errors = match (is(Harm), is(Early)) {
        (true, _) => pair((each, 0), (each, 90)),
        (false, true) => pair((each, 0), (each, 0)),
        (false, false) => pair((10 * each, 990), (each, 40)),
    };
    look(&mut state, errors);
    if is(Edited) {
        seen.policy = Some("theirs".into());
    } else if is(Unreadable) {
        seen.policy = None;
    }
    seen.proxies.current -= u32::from(is(Behind));
    if is(NoData) {
        seen.counted = Counted::Nothing { why: "away".into() };
    }
    let number = if is(Query) { 0.5 } else { 1.0 };
    seen.queries =
        vec![QuerySeen { name: "q".into(), baseline: Some(1.0), challenger: Some(number) }];
    for (wrong, order) in [(Aborted, Order::Abort), (Paused, Order::Pause)] {
        if is(wrong) {
            state.ordered(order);
        }
    }
    if !is(Approval) {
        state.ordered(Order::Approve);
    }
    decide(&rollout, &state, &seen, if is(Time) { 4_000 } else { 10_000 })
}

fn expected(wrong: Wrong) -> Decision {
    let why = match wrong {
        Edited => return Decision::Ended { end: End::Drifted },
        Aborted => return Decision::Rollback { why: Back::Abort },
        Harm => return Decision::Rollback { why: Back::Errors },
        Unreadable => Held::Unreadable,
        Behind => Held::Proxies { current: 1, all: 2 },
        NoData => Held::NoData { why: "away".into() },
        Paused => Held::Paused,
        Time => Held::Time { left: 6_000 },
        Responses => Held::Responses { left: 1 },
        Early => Held::Early { gate: Gate::Errors },
        Query => Held::Query { name: "q".into() },
        Approval => Held::Approval,
    };
    Decision::Hold { why }
}

#[test]
fn each_reason_decides_alone_and_before_all_that_come_after_it() {
    assert_eq!(decided(&[]), Decision::Advance { step: 1 });
    for (place, first) in ALL.into_iter().enumerate() {
        assert_eq!(decided(&[first]), expected(first));
        for second in &ALL[place..] {
            // Both cannot be: a policy that is not read is not seen to be edited.
            if (first, *second) != (Edited, Unreadable) {
                assert_eq!(decided(&[first, *second]), expected(first));
            }
        }
        assert_eq!(decided(&ALL[place..]), expected(first));
    }
}

#[test]
fn a_retreat_asks_for_a_new_approval() {
    let rollout = rollout();
    let both = Weight::from_units(1_000_000).unwrap();
    let facts = Facts {
        baseline: "b".into(),
        challenger_weight: Weight::default(),
        both,
        total: 1_000_000,
    };
    let mut state = State::new(&rollout, facts, "old".into(), 0);
    state.ordered(Order::Approve);
    state.decided(&Decision::Retreat { step: None }, None);
    assert!(!state.approved && state.paused);
}

#[test]
fn slow_responses_that_nobody_counts_any_more_are_no_data() {
    let mut rollout = rollout();
    rollout.gates.slow = Some(crate::file::Slow { over: 500, limit: rollout.gates.errors });
    let both = Weight::from_units(1_000_000).unwrap();
    let facts = Facts {
        baseline: "b".into(),
        challenger_weight: Weight::default(),
        both,
        total: 1_000_000,
    };
    let mut state = State::new(&rollout, facts, "ours".into(), 0);
    let seen = Seen {
        policy: Some("ours".into()),
        proxies: Proxies { all: 1, current: 1 },
        counted: Counted::Counts {
            errors: pair((1, 0), (1, 0)),
            users: true,
            slow: None,
            keys: None,
            tripped: 0,
        },
        queries: Vec::new(),
    };
    state.see(&rollout, &seen, 5);
    let decision = decide(&rollout, &state, &seen, 6);
    assert!(matches!(decision, Decision::Hold { why: Held::NoData { .. } }), "{decision}");
}
