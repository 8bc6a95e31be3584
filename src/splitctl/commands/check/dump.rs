//! What Envoy says that its configuration is (`/config_dump`), or what it is to start with, as far as the filter depends on
//! it.

use serde_json::{Map, Value};

/// A connection manager with the filter in its chain.
#[derive(Debug, Clone)]
pub(super) struct Manager {
    /// Its listener.
    pub(super) listener: String,
    /// Its configuration.
    pub(super) config: Value,
    /// Its routes.
    pub(super) routes: Routes,
}

/// The routes of a connection manager.
#[derive(Debug, Clone)]
pub(super) enum Routes {
    /// They are there: a `RouteConfiguration`.
    Here(Value),
    /// They did not come yet.
    Missing,
    /// They come when the Envoy has started.
    Later,
}

/// What a dump holds.
#[derive(Debug, Clone)]
pub(super) struct Dump {
    /// The statistics' settings of the bootstrap.
    pub(super) stats_config: Value,
    /// Names of clusters; `None` where others come later.
    pub(super) clusters: Option<Vec<String>>,
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
        let clusters = clusters.iter().filter_map(|name| name.as_str().map(str::to_owned));
        Self {
            stats_config: at(&of_type("BootstrapConfigDump"), &["bootstrap", "stats_config"])
                .clone(),
            clusters: Some(clusters.collect()),
            managers: managers(&listeners, |name| {
                let table = tables.iter().find(|table| at(table, &["name"]) == name);
                table.cloned().map_or(Routes::Missing, Routes::Here)
            }),
        }
    }

    /// Reads what an Envoy is started with: the same, as far as it is written there.
    pub(super) fn of_bootstrap(bootstrap: Value) -> Self {
        let bootstrap = in_snake_case(bootstrap);
        let listed = |list: &str| {
            let found = at(&bootstrap, &["static_resources", list]).as_array();
            found.map(Vec::as_slice).unwrap_or_default()
        };
        let clusters =
            listed("clusters").iter().filter_map(|cluster| at(cluster, &["name"]).as_str());
        let later = ["cds_config", "ads_config"]
            .iter()
            .any(|from| !at(&bootstrap, &["dynamic_resources", from]).is_null());
        Self {
            stats_config: at(&bootstrap, &["stats_config"]).clone(),
            clusters: (!later).then(|| clusters.map(str::to_owned).collect()),
            managers: managers(listed("listeners"), |_| Routes::Later),
        }
    }
}

/// The connection managers with the filter; routes that stand elsewhere are found by their name.
fn managers(listeners: &[Value], routes: impl Fn(&str) -> Routes) -> Vec<Manager> {
    let mut managers = Vec::new();
    for listener in listeners {
        let name = at(listener, &["name"]).as_str().unwrap_or("(no name)").to_owned();
        each_object(listener, &mut |object| {
            let filters = object.get("http_filters").and_then(Value::as_array);
            if !filters.is_some_and(|filters| filters.iter().any(is_ours)) {
                return;
            }
            let config = Value::Object(object.clone());
            let table = at(&config, &["rds", "route_config_name"]).as_str();
            let routes = match table {
                None => Routes::Here(at(&config, &["route_config"]).clone()),
                Some(table) => routes(table),
            };
            managers.push(Manager { listener: name.clone(), config, routes });
        });
    }
    managers
}

/// A configuration as Envoy shows it: people may write `staticResources`, too.
fn in_snake_case(value: Value) -> Value {
    match value {
        Value::Object(object) => object
            .into_iter()
            .map(|(key, value)| (snake_case(&key), in_snake_case(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(in_snake_case).collect(),
        other => other,
    }
}

fn snake_case(key: &str) -> String {
    let mut snake = String::with_capacity(key.len());
    for c in key.chars() {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
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
