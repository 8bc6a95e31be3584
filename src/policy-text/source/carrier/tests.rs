//! Tests of what carries a policy.

use super::super::{Document, Part, Source, Syntax};

fn policies(text: &str) -> Result<Vec<Document>, Syntax> {
    Source::new("file.yaml", text).policies()
}

fn one(text: &str) -> Document {
    let mut all = policies(text).unwrap();
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

/// Line, column and length of the place of a part.
fn place(document: &Document, path: &str) -> (usize, usize, usize) {
    let place = document.places.find(path, Part::Value).unwrap();
    (place.line, place.column, place.length)
}

fn refused(text: &str) -> String {
    let syntax = policies(text).unwrap_err();
    format!("{}:{} {}: {}", syntax.place.line, syntax.place.column, syntax.code, syntax.message)
}

const PLUGIN: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: other}
data: {configuration: none}
---
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: split}
spec:
  url: oci://registry.example/traffic-split
  pluginConfig:
    version: 1
    splits:
    - name: checkout
";

fn envoy(configuration: &str) -> String {
    format!(
        "\
static_resources:
  listeners:
  - filter_chains:
    - filters:
      - typed_config:
          http_filters:
          - name: traffic_split
            typed_config:
              \"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
              config:
                configuration:
                  \"@type\": type.googleapis.com/google.protobuf.{configuration}
          - name: router
"
    )
}

#[test]
fn of_several_manifests_the_wasm_plugin_has_the_policy() {
    let document = one(PLUGIN);
    assert_eq!(document.carrier.as_deref(), Some("WasmPlugin `split`"));
    assert_eq!(place(&document, "splits[0].name"), (14, 13, 8));
    // What is missing is shown where it should be.
    assert_eq!(place(&document, "splits[0].baseline").0, 14);
}

#[test]
fn a_list_of_manifests_is_searched_too() {
    let text = "apiVersion: v1\nkind: List\nitems:\n- kind: WasmPlugin\n  spec: {pluginConfig: {version: 1}}\n";
    assert_eq!(place(&one(text), "version"), (5, 34, 1));
}

#[test]
fn several_plugins_are_several_policies() {
    let text = format!("{PLUGIN}---\n{}", PLUGIN.replace("checkout", "search"));
    assert_eq!(policies(&text).unwrap().len(), 2);
    let syntax = Source::new("file.yaml", &text).policy().unwrap_err();
    assert_eq!((syntax.code, syntax.place.line), ("several_policies", 26));
    assert!(syntax.message.contains("2 policies"), "{}", syntax.message);
}

#[test]
fn one_policy_in_two_places_is_one_policy() {
    assert_eq!(policies(&format!("{PLUGIN}---\n{PLUGIN}")).unwrap().len(), 1);
}

#[test]
fn beside_other_filters_the_one_that_looks_like_a_policy_is_taken() {
    let other = "apiVersion: x\nkind: WasmPlugin\nspec: {pluginConfig: {rules: []}}\n---\n";
    assert_eq!(
        one(&format!("{PLUGIN}---\n{}", &other[..other.len() - 4])).value,
        one(PLUGIN).value
    );
}

#[test]
fn a_block_of_json_in_a_listener_keeps_its_lines() {
    let text = envoy(
        "StringValue
                  value: |
                    {
                      \"version\": 1,
                      \"splits\": []
                    }",
    );
    let document = one(&text);
    assert_eq!(document.carrier.as_deref(), Some("Envoy configuration"));
    assert_eq!(place(&document, "version"), (15, 34, 1));
}

#[test]
fn json_in_single_quotes_keeps_its_columns() {
    let document = one(&envoy("StringValue\n                  value: '{\"version\": 7}'"));
    assert_eq!(place(&document, "version"), (13, 39, 1));
}

#[test]
fn json_in_escaped_quotes_is_at_the_whole_value() {
    let document = one(&envoy("StringValue\n                  value: \"{\\\"version\\\": 7}\""));
    assert_eq!(place(&document, "version"), (13, 26, 18));
}

#[test]
fn a_struct_and_bytes_are_read() {
    let document = one(&envoy("Struct\n                  value: {version: 1, splits: []}"));
    assert_eq!(place(&document, "version"), (13, 36, 1));
    let document = one(&envoy("BytesValue\n                  value: eyJ2ZXJzaW9uIjogMX0="));
    assert!(document.value.field("version").is_some());
}

#[test]
fn a_carrier_without_a_policy_says_where_one_would_be() {
    for (text, words) in [
        (
            "apiVersion: v1\nkind: WasmPlugin\nspec: {}\n",
            "1:1 no_policy: this WasmPlugin carries no policy",
        ),
        ("static_resources: {}\n", "1:1 no_policy: this Envoy configuration carries no policy"),
        ("apiVersion: v1\nkind: Pod\n", "1:1 no_policy: this Pod carries no policy"),
        (
            "apiVersion: v1\nkind: Pod\n---\napiVersion: v1\nkind: Pod\nx: 1\n",
            "1:1 no_policy: none of the 2 documents carries a policy",
        ),
    ] {
        assert_eq!(refused(text), words);
    }
}

#[test]
fn a_policy_that_is_not_json_is_told_at_its_line() {
    let text = envoy(
        "StringValue\n                  value: |\n                    version: 1\n                    splits: []",
    );
    assert_eq!(refused(&text), "14:21 invalid_json: not JSON: expected value");
    let text = envoy("StringValue\n                  value: 5");
    assert!(refused(&text).contains("the policy is not there as text"));
    let text = envoy("BytesValue\n                  value: '!'");
    assert!(refused(&text).contains("the policy is not there as text"));
}

#[test]
fn hostile_carriers_end_in_an_error() {
    let deep =
        format!("kind: WasmPlugin\napiVersion: x\nspec: {{pluginConfig: {}", "[".repeat(10_000));
    assert!(policies(&deep).is_err());
    let inner = format!("'{}'", "[".repeat(10_000));
    assert!(policies(&envoy(&format!("StringValue\n                  value: {inner}"))).is_err());
    let bomb: String = (1..30).map(|n| format!("a{n}: &a{n} [*a{0}, *a{0}]\n", n - 1)).collect();
    assert!(policies(&format!("apiVersion: x\nkind: WasmPlugin\na0: &a0 x\n{bomb}")).is_err());
}
