//! What the lab needs to know of a policy: which clusters to provide, and which header routes to them.

use std::collections::BTreeSet;

use engine::policy::Policy;
use serde_json::Value;

/// The headers by which Envoy routes and copies requests.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RouteHeaders {
    /// Names the cluster.
    pub(super) cluster: String,
    /// Names the cluster of a copy.
    pub(super) mirror: String,
}

/// The names in a policy. They are read without the engine, so that policies that are wrong can be given to the
/// filter too.
#[derive(Debug, PartialEq)]
pub(super) struct Named {
    pub(super) headers: RouteHeaders,
    pub(super) clusters: BTreeSet<String>,
}

impl Named {
    pub(super) fn read(policy: &str) -> Self {
        let json: Value = serde_json::from_str(policy).unwrap_or_default();
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let list = |value: &Value, field: &str| {
            value.get(field).and_then(Value::as_array).cloned().unwrap_or_default()
        };
        let splits = list(&json, "splits");
        let variants = splits.iter().flat_map(|split| list(split, "variants"));
        let clusters = variants.filter_map(|variant| text(variant.get("cluster")));
        let mirrors = splits.iter().filter_map(|split| text(split.pointer("/mirror/cluster")));
        let header = |field: &str, default: &str| {
            let given = text(json.get(field)).filter(|name| !name.is_empty());
            given.unwrap_or_else(|| default.to_owned())
        };
        Self {
            headers: RouteHeaders {
                cluster: header("cluster_header", Policy::CLUSTER_HEADER),
                mirror: header("mirror_header", Policy::MIRROR_HEADER),
            },
            clusters: clusters.chain(mirrors).filter(|name| !name.is_empty()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_names_its_clusters_and_its_control_headers() {
        let named = Named::read(
            r#"{"cluster_header": "x-to", "mirror_header": "x-copy-to", "splits": [
                {"variants": [{"name": "a", "cluster": "one"}, {"name": "b"}]},
                {"variants": [{"cluster": "two"}, {"cluster": "one"}], "mirror": {"cluster": "shadow"}}]}"#,
        );
        let headers = RouteHeaders { cluster: "x-to".into(), mirror: "x-copy-to".into() };
        assert_eq!(named.headers, headers);
        assert_eq!(named.clusters.into_iter().collect::<Vec<_>>(), ["one", "shadow", "two"]);
    }

    #[test]
    fn a_policy_that_is_wrong_in_any_way_still_starts_a_lab() {
        for wrong in
            ["", "{", "[]", "7", r#"{"splits": 1, "cluster_header": 2}"#, r#"{"splits": [3]}"#]
        {
            let headers =
                RouteHeaders { cluster: "x-split-cluster".into(), mirror: "x-split-mirror".into() };
            assert_eq!(Named::read(wrong), Named { headers, clusters: BTreeSet::new() });
        }
    }
}
