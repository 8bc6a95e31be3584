//! What the lab needs to know of a policy: which clusters to provide, and which header routes to them.

use std::collections::BTreeSet;

use serde_json::Value;

/// The name of the control header in a policy that does not give one.
const DEFAULT_CLUSTER_HEADER: &str = "x-split-cluster";

/// The names in a policy. They are read without the engine, so that policies that are wrong can be given to the
/// filter too.
#[derive(Debug, PartialEq)]
pub(super) struct Named {
    pub(super) cluster_header: String,
    pub(super) clusters: BTreeSet<String>,
}

impl Named {
    pub(super) fn read(policy: &str) -> Self {
        let json: Value = serde_json::from_str(policy).unwrap_or_default();
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let list = |value: &Value, field: &str| {
            value.get(field).and_then(Value::as_array).cloned().unwrap_or_default()
        };
        let variants = list(&json, "splits").into_iter().flat_map(|split| list(&split, "variants"));
        let clusters = variants.filter_map(|variant| text(variant.get("cluster")));
        Self {
            cluster_header: text(json.get("cluster_header"))
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| DEFAULT_CLUSTER_HEADER.to_owned()),
            clusters: clusters.filter(|name| !name.is_empty()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_names_its_clusters_and_its_control_header() {
        let named = Named::read(
            r#"{"cluster_header": "x-to", "splits": [
                {"variants": [{"name": "a", "cluster": "one"}, {"name": "b"}]},
                {"variants": [{"cluster": "two"}, {"cluster": "one"}]}]}"#,
        );
        assert_eq!(named.cluster_header, "x-to");
        assert_eq!(named.clusters.into_iter().collect::<Vec<_>>(), ["one", "two"]);
    }

    #[test]
    fn a_policy_that_is_wrong_in_any_way_still_starts_a_lab() {
        for wrong in
            ["", "{", "[]", "7", r#"{"splits": 1, "cluster_header": 2}"#, r#"{"splits": [3]}"#]
        {
            let named = Named::read(wrong);
            assert_eq!(
                named,
                Named { cluster_header: "x-split-cluster".to_owned(), clusters: BTreeSet::new() }
            );
        }
    }
}
