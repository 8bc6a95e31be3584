//! Random policies that are valid, and requests that meet them now and then.

mod conditions;
mod json;
mod situations;
mod splits;

use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::model::Situation;
use splits::{Words, percent};

pub use json::any_json;

/// The secret of sticky cookies, and of those who may force.
const SECRET: &str = "0123456789abcdef";

/// A random policy; conditions and keys of every kind.
pub fn policy() -> impl Strategy<Value = Value> {
    policy_of(Words {
        entry: conditions::entry().boxed(),
        key: splits::key().boxed(),
        ramps: 0.3,
        responds: 0.2,
    })
}

/// A random policy whose conditions are so plain that [`plain_requests`] has one of each kind of
/// request that they tell apart, and whose users send the same key wherever it is looked for.
pub fn plain_policy() -> impl Strategy<Value = Value> {
    let header = json!({"header": "x-user"});
    let cookie = json!({"cookie": "uid"});
    let key = select(vec![json!([header]), json!([cookie]), json!([cookie, header])]);
    policy_of(Words {
        entry: conditions::plain_entry().boxed(),
        key: key.boxed(),
        ramps: 0.5,
        responds: 0.0,
    })
}

/// A request, and all that a decision of a [`policy`] may depend on besides.
pub fn situation() -> impl Strategy<Value = Situation> {
    situations::situation()
}

/// A condition of a [`plain_policy`].
pub fn plain_condition() -> impl Strategy<Value = Value> {
    conditions::plain_entry()
}

/// Every kind of request that the conditions of a [`plain_policy`] tell apart.
pub fn plain_requests() -> Vec<Situation> {
    conditions::plain_requests()
}

/// A request of some user to a [`plain_policy`], perhaps with a sticky cookie, perhaps one that
/// wants to force.
pub fn plain_situation() -> impl Strategy<Value = Situation> {
    situations::plain_situation()
}

/// Times from before the start of every ramp to after its end, now and then within a second of a
/// step.
pub fn now() -> impl Strategy<Value = u64> {
    situations::now()
}

/// Times at which no ramp has started.
pub fn before_ramps() -> impl Strategy<Value = u64> {
    situations::before_ramps()
}

/// Up to 12 splits: beyond 8 the plan has an index.
fn policy_of(words: Words) -> impl Strategy<Value = Value> {
    let key = words.key.clone();
    let split = splits::split(&words).boxed();
    let list = |count| prop::collection::vec(split.clone(), count);
    let splits = prop_oneof![4 => list(1..=4), 1 => list(9..=12)];
    let holdout = prop::option::weighted(0.3, (percent(), of("[a-z]{1,4}")));
    let by_cookie = of(any::<bool>());
    let states = select(vec![None, Some(json!(false)), Some(json!(true)), Some(json!("evidence"))]);
    let rest = (0_u8..4, of("[a-z]{1,4}"), by_cookie, states);
    (splits, key, prop::bool::weighted(0.1), holdout, rest).prop_map(
        |(mut splits, key, kill, holdout, (hops, layer_salt, force_by_cookie, state))| {
            splits::settle(&mut splits);
            let holdout = holdout.map(|(percent, salt)| {
                with(json!({"percent": percent}), [("salt", salt.map(|s| json!(s)))])
            });
            let layer = with(json!({"name": "l0"}), [("salt", layer_salt.map(|s| json!(s)))]);
            let force = force_by_cookie.map(|by_cookie| {
                let place = if by_cookie { "cookie" } else { "header" };
                json!({"secret": {place: "x-secret", "value": SECRET}})
            });
            let policy = json!({
                "version": 1, "key": key, "kill": kill, "layers": [layer, {"name": "l1"}],
                "client_ip": {"trusted_hops": hops}, "splits": splits,
            });
            with(policy, [("holdout", holdout), ("force", force), ("filter_state", state)])
        },
    )
}

/// Sets the fields that are given.
fn with(
    mut object: Value,
    fields: impl IntoIterator<Item = (&'static str, Option<Value>)>,
) -> Value {
    for (name, value) in fields {
        if let Some(value) = value {
            object[name] = value;
        }
    }
    object
}
