//! JSON that is no policy.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

/// JSON that looks like a policy here and there.
pub fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        Just(Value::from("evidence")),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~]{0,8}".prop_map(Value::from),
        "[0-9smhdw]{1,6}".prop_map(Value::from),
        "[0-9T:Z+.-]{4,24}".prop_map(Value::from),
        "[a-z0-9.:/\\[\\]*+?(|)]{1,12}".prop_map(Value::from),
    ];
    const NAMES: &str = "version filter_state splits name match hosts path prefix key header cookie baseline variants weight \
        weight_total overrides variant headers in other layers layer slice from to holdout percent salt sticky secret \
        ttl epoch ramp start steps after weights linear pause mirror by requires split regex raw_prefix range cookies \
        query source_ip contains suffix not ignore_case present jwt provider claim client_ip generate domain same_site \
        respond status body rewrite host path_prefix request_headers set add remove value force trusted_hops drain decode json fallback guard errors ratio slow over false_trips release";
    let name = select(NAMES.split_whitespace().collect::<Vec<_>>());
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name.clone(), inner, 0..6)
                .prop_map(|fields| fields.into_iter().map(|(n, v)| (n.to_owned(), v)).collect()),
        ]
    })
}
