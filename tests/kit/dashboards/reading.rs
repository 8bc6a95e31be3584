//! What the files of the dashboards say.

use serde_json::Value;

use crate::tools::read;

pub(crate) const DASHBOARDS: [&str; 3] = ["executive", "on-call", "debug"];

/// The file of a dashboard.
pub(super) fn file(name: &str) -> String {
    format!("envoy/grafana/dashboards/{name}.json")
}

/// A list in a document; none is empty.
pub(super) fn list<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A dashboard as its file has it.
pub(super) struct Dashboard {
    name: &'static str,
    pub(super) json: Value,
}

/// A panel, with whether it is in a row that is closed at first.
pub(super) struct Panel {
    pub(super) json: Value,
    pub(super) closed: bool,
}

/// A query, and what it is for.
#[derive(Debug, Clone)]
pub(super) struct Query {
    /// The dashboard and the panel, annotation or variable.
    pub(super) place: String,
    /// As Grafana would send it, with All chosen everywhere.
    pub(super) promql: String,
}

impl Panel {
    pub(super) fn title(&self) -> &str {
        self.json["title"].as_str().unwrap()
    }

    pub(super) fn kind(&self) -> &str {
        self.json["type"].as_str().unwrap()
    }

    /// What it says where it has nothing to show.
    pub(super) fn when_empty(&self) -> Option<&str> {
        self.json.pointer("/fieldConfig/defaults/noValue")?.as_str()
    }
}

impl Dashboard {
    pub(super) fn read(name: &'static str) -> Self {
        Self { name, json: serde_json::from_str(&read(&file(name))).unwrap() }
    }

    /// The names of what can be chosen at its top.
    pub(super) fn variables(&self) -> Vec<String> {
        let variables = list(&self.json, "/templating/list").iter();
        variables.map(|variable| variable["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Its rows and panels, those in closed rows as well.
    pub(super) fn panels(&self) -> Vec<Panel> {
        let mut panels = Vec::new();
        for outer in list(&self.json, "/panels") {
            panels.push(Panel { json: outer.clone(), closed: false });
            let inner = list(outer, "/panels").iter().cloned();
            panels.extend(inner.map(|json| Panel { json, closed: true }));
        }
        panels
    }

    /// The queries that a panel asks Prometheus.
    pub(super) fn of_panel(&self, panel: &Panel) -> Vec<Query> {
        let targets = list(&panel.json, "/targets").iter();
        let prometheus = targets.filter(|target| target["datasource"]["type"] == "prometheus");
        prometheus.map(|target| self.query(panel.title(), &target["expr"])).collect()
    }

    /// The queries of its annotations: what happened.
    pub(super) fn annotations(&self) -> Vec<Query> {
        let own = list(&self.json, "/annotations/list").iter().skip(1);
        own.map(|one| self.query(one["name"].as_str().unwrap(), &one["expr"])).collect()
    }

    /// The queries of its variables, as far as Prometheus is asked.
    pub(super) fn of_variables(&self) -> Vec<Query> {
        let mut queries = Vec::new();
        for variable in list(&self.json, "/templating/list") {
            // label_values(SERIES, LABEL)
            let Some(text) = variable["definition"].as_str() else { continue };
            let inside = text.strip_prefix("label_values(").and_then(|t| t.strip_suffix(')'));
            let (series, label) = inside.unwrap().rsplit_once(", ").unwrap();
            let promql = format!("count by ({label}) ({series})");
            queries.push(self.query(variable["name"].as_str().unwrap(), &promql.into()));
        }
        queries
    }

    fn query(&self, of: &str, expr: &Value) -> Query {
        let expr = expr.as_str().unwrap();
        let mut promql = expr.replace("$__rate_interval", "20s").replace("$__range", "5m");
        for variable in list(&self.json, "/templating/list") {
            let name = variable["name"].as_str().unwrap();
            let value = match variable["type"].as_str().unwrap() {
                "query" => variable["allValue"].as_str().unwrap(),
                "textbox" => variable["query"].as_str().unwrap(),
                _ => continue,
            };
            promql = promql.replace(&format!("${{{name}:raw}}"), value);
            promql = promql.replace(&format!("${name}"), value);
        }
        assert!(!promql.contains('$'), "a variable that nobody fills: {expr}");
        Query { place: format!("{}: {of}", self.name), promql }
    }
}
