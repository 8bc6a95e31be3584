//! What Envoy says that its configuration is (`/config_dump`), as far as the filter depends on it.

use serde_json::{Map, Value};

/// A connection manager with the filter in its chain.
#[derive(Debug, Clone)]
pub(super) struct Manager {
    /// Its listener.
    pub(super) listener: String,
    /// Its configuration.
    pub(super) config: Value,
    /// Its routes; `None` where they did not come yet.
    pub(super) routes: Option<Value>,
}

/// What a dump holds.
#[derive(Debug, Clone)]
pub(super) struct Dump {
    /// The statistics' settings of the bootstrap.
    pub(super) stats_config: Value,
    /// Names of clusters.
    pub(super) clusters: Vec<String>,
    /// Those with the filter.
    pub(super) managers: Vec<Manager>,
}

impl Dump {
    /// Reads it.
    pub(super) fn read(dump: &Value) -> Self {
        let sections = at(dump, &["configs"]).as_array().map(Vec::as_slice).unwrap_or_default();
        let of_type = |name: &str| {
            let is = |section: &&Value| {
                at(section, &["@type"]).as_str().is_some_and(|t| t.ends_with(&format!(".{name}")))
            };
            sections.iter().find(is).cloned().unwrap_or_default()
        };
        let listed = |section: &Value, lists: &[&str], path: &[&str]| -> Vec<Value> {
            let all = lists.iter().filter_map(|list| at(section, &[list]).as_array()).flatten();
            let inner = |entry: &Value| at(entry, path).clone();
            all.map(inner).filter(|found| !found.is_null()).collect()
        };
        let clusters = of_type("ClustersConfigDump");
        let clusters = ["static_clusters", "dynamic_active_clusters"]
            .map(|list| listed(&clusters, &[list], &["cluster", "name"]))
            .concat();
        let listeners = of_type("ListenersConfigDump");
        let listeners = [
            listed(&listeners, &["static_listeners"], &["listener"]),
            listed(&listeners, &["dynamic_listeners"], &["active_state", "listener"]),
        ]
        .concat();
        let tables = of_type("RoutesConfigDump");
        let tables =
            listed(&tables, &["static_route_configs", "dynamic_route_configs"], &["route_config"]);
        let mut managers = Vec::new();
        for listener in &listeners {
            let name = at(listener, &["name"]).as_str().unwrap_or("(no name)").to_owned();
            each_object(listener, &mut |object| {
                let filters = object.get("http_filters").and_then(Value::as_array);
                if !filters.is_some_and(|filters| filters.iter().any(is_ours)) {
                    return;
                }
                let config = Value::Object(object.clone());
                let table = at(&config, &["rds", "route_config_name"]).as_str();
                let routes = match table {
                    None => Some(at(&config, &["route_config"]).clone()),
                    Some(table) => tables.iter().find(|t| at(t, &["name"]) == table).cloned(),
                };
                managers.push(Manager { listener: name.clone(), config, routes });
            });
        }
        let clusters = clusters.iter().filter_map(|name| name.as_str().map(str::to_owned));
        Self {
            stats_config: at(&of_type("BootstrapConfigDump"), &["bootstrap", "stats_config"])
                .clone(),
            clusters: clusters.collect(),
            managers,
        }
    }
}

/// Whether a filter of the chain is this one: by its name, or by its module's.
fn is_ours(filter: &Value) -> bool {
    let named = |text: &str| text.contains("traffic_split") || text.contains("traffic-split");
    at(filter, &["name"]).as_str().is_some_and(named)
        || at(filter, &["typed_config", "config"]).to_string().contains("traffic_split")
}

fn each_object(value: &Value, see: &mut impl FnMut(&Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            see(object);
            object.values().for_each(|value| each_object(value, see));
        }
        Value::Array(items) => items.iter().for_each(|item| each_object(item, see)),
        _ => {}
    }
}

/// What stands at a path; null where nothing does.
pub(super) fn at<'v>(value: &'v Value, path: &[&str]) -> &'v Value {
    const NOTHING: &Value = &Value::Null;
    path.iter().try_fold(value, |value, key| value.get(*key)).unwrap_or(NOTHING)
}
