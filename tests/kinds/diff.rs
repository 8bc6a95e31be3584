//! What a change does to users: who moves, and how far shares rise.

use std::collections::BTreeSet;

use harness::generate::{before_ramps, now, plain_requests};
use harness::model::{Bare, Decided};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;
use splitctl::Outcome;
use splitctl::commands::diff;
use splitctl::population::chance;

use crate::edit::{change, same};
use crate::rises::{Rise, rises};
use crate::tools::{Folder, Told, run, time};
use crate::{Policy, config, name, policy};

/// A policy that is asked about bare keys.
pub(crate) struct Side<'p> {
    pub(crate) policy: &'p Policy,
    bares: Vec<Bare>,
}

impl<'p> Side<'p> {
    pub(crate) fn new(policy: &'p Policy) -> Self {
        Self { policy, bares: Bare::all(&policy.0, &plain_requests()) }
    }

    pub(crate) fn bare(&self, split: &Value) -> Option<&Bare> {
        self.bares.iter().find(|bare| bare.split == name(split))
    }

    /// What users are served in a split.
    pub(crate) fn serves(&self, split: &Value, users: u32, now: u64) -> Vec<Option<Decided>> {
        let ask = |user: u32| {
            let key = format!("user-{user}");
            self.bare(split)?.serves(&key, now, chance(key.as_bytes()))
        };
        (1..=users).map(ask).collect()
    }
}

pub(crate) fn diff(old: &Policy, new: &Policy, users: u32, now: u64, more: &[&str]) -> Told {
    let folder = Folder::new();
    let files = [folder.file("old.json", &old.0), folder.file("new.json", &new.0)];
    let (users, now) = (users.to_string(), time(now));
    let words = [&files[0], &files[1], "--users", &users, "--at", &now, "--format", "json"];
    run(diff::run, &[&words, more].concat())
}

/// The splits of an answer, by name.
pub(crate) fn told<'t>(answer: &'t Value, split: &Value) -> &'t Value {
    let splits = answer["splits"].as_array().expect("a list");
    splits.iter().find(|told| told["name"] == split["name"]).expect("every split is told")
}

proptest! {
    #![proptest_config(config(100))]

    #[test]
    fn users_move_as_the_model_tells((old, new) in change(), now in now()) {
        const USERS: u32 = 80;
        let answer = diff(&old, &new, USERS, now, &[]).json();
        let (before, after) = (Side::new(&old), Side::new(&new));
        for split in new.splits() {
            let told = told(&answer, split);
            let Some(earlier) = same(&old, split) else {
                prop_assert_eq!(&told["kind"], "added");
                continue;
            };
            let served = |side: &Side, split| side.serves(split, USERS, now).into_iter().map(place);
            let pairs: Vec<_> = served(&before, earlier).zip(served(&after, split)).collect();
            let moved = pairs.iter().filter(|(from, to)| from != to).count();
            if told["moves"].is_null() {
                prop_assert_eq!(moved, 0, "{} is told to be the same", name(split));
                continue;
            }
            let moves = &told["moves"];
            prop_assert_eq!(&moves["moved"], moved, "{}", name(split));
            prop_assert_eq!(&moves["minimum"], minimum(&pairs), "{}", name(split));
            for (row, from) in moves["from"].as_array().unwrap().iter().enumerate() {
                for (column, to) in moves["to"].as_array().unwrap().iter().enumerate() {
                    let here = |(f, t): &&(String, String)| (f.as_str(), t.as_str()) == (from.as_str().unwrap(), to.as_str().unwrap());
                    let count = pairs.iter().filter(here).count();
                    prop_assert_eq!(&moves["matrix"][row][column], count, "{}: {} -> {}", name(split), from, to);
                }
            }
        }
    }

    #[test]
    fn a_policy_against_itself_moves_nobody(policy in policy(), now in now()) {
        let told = diff(&policy, &policy, 10, now, &["--max-step", "0", "--fail-on-reshuffle"]);
        prop_assert_eq!(told.outcome, Outcome::Fine);
        let answer = told.json();
        prop_assert_eq!(answer["changes"].as_array().map(Vec::len), Some(0));
        for split in answer["splits"].as_array().unwrap() {
            prop_assert!(split["moves"].is_null(), "{}", split);
        }
    }
}

/// Where somebody is, in the words of `diff`.
fn place(served: Option<Decided>) -> String {
    served.map_or("(not in it)".to_owned(), |decided| decided.variant)
}

/// The fewest who have to move: all who are too many at some place.
fn minimum(pairs: &[(String, String)]) -> usize {
    let places: BTreeSet<&String> = pairs.iter().flat_map(|(from, to)| [from, to]).collect();
    let too_many = |place: &String| {
        let before = pairs.iter().filter(|(from, _)| from == place).count();
        before.saturating_sub(pairs.iter().filter(|(_, to)| to == place).count())
    };
    places.into_iter().map(too_many).sum()
}

proptest! {
    #![proptest_config(config(150))]

    #[test]
    fn no_rise_is_missed_and_none_is_made_up(
        (old, new) in change(),
        now in prop_oneof![3 => before_ramps(), 1 => now()],
        limit in select(vec![0_u8, 1, 5, 10, 30]),
    ) {
        const USERS: u32 = 50;
        let told_all = diff(&old, &new, USERS, now, &["--max-step", &limit.to_string()]);
        let answer = told_all.json();
        let (before, after) = (Side::new(&old), Side::new(&new));
        let limit = f64::from(limit);
        for split in new.splits() {
            let steps = told(&answer, split)["too_large_steps"].as_array().unwrap();
            for Rise { variant, at_once, later } in rises(&before, &after, split, USERS, now) {
                let told = |at_once: bool| {
                    let is = |step: &Value| step["variant"] == variant && step["at"].is_null() == at_once;
                    steps.iter().any(is)
                };
                let who = format!("{variant} of {}: {at_once} at once, {later} later", name(split));
                if (at_once - limit).abs() > 1e-6 {
                    prop_assert_eq!(told(true), at_once > limit, "{}", who);
                }
                // Between the points of a ramp shares move in lines that are not quite straight.
                prop_assert!(!told(false) || later > limit - 1e-6, "{}", who);
                prop_assert!(told(false) || later < limit + 2.0, "{}", who);
            }
        }
        let any = answer["splits"].as_array().unwrap().iter().any(|s| s["too_large_steps"][0].is_object());
        prop_assert_eq!(told_all.outcome == Outcome::No, any);
    }
}
