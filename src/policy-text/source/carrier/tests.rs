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
fn an_extension_policy_of_envoy_gateway_carries_it_too() {
    let text = "\
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyExtensionPolicy
metadata: {name: split}
spec:
  wasm:
  - name: split
    config: {version: 1, kill: on, splits: []}
";
    let document = one(text);
    assert_eq!(document.carrier.as_deref(), Some("EnvoyExtensionPolicy `split`"));
    assert_eq!(place(&document, "kill"), (7, 32, 2));
    assert_eq!(document.value.field("kill"), Some(&engine::policy::Value::Bool(true)));
    let none = text.replace("config:", "other:");
    assert!(refused(&none).contains("this EnvoyExtensionPolicy `split` carries no policy"));
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

/// The policy of a WasmPlugin as JSON, and what is said about how it is written.
fn plugin(config: &str) -> Result<(String, Vec<String>), String> {
    let text = format!(
        "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {{annotations: {{a: &base {{a: 1, b: 1.50}}}}}}\nspec:\n  pluginConfig: {config}\n"
    );
    let document = Source::new("plugin.yaml", &text).policy().map_err(|syntax| syntax.message)?;
    let notes = document.notes().map(|note| format!("{}: {}", note.path, note.message)).collect();
    Ok((super::super::to_json(&document.value).unwrap(), notes))
}

#[test]
fn a_manifest_is_read_as_kubectl_reads_it() {
    // The right-hand sides are what `kubectl label --local -o json` makes of these lines.
    for (config, json) in [
        ("{version: 1, kill: on}", r#"{"version":1,"kill":true}"#),
        (
            "{version: 1, splits: [NO, \"NO\", 'no', 010, 1_000, 0b11]}",
            r#"{"version":1,"splits":[false,"NO","no",8,1000,3]}"#,
        ),
        ("{version: 1, splits: {<<: *base, b: 3}}", r#"{"version":1,"splits":{"a":1,"b":3}}"#),
        (
            "{version: 1, splits: {<<: [*base, {a: 2, c: 4}], d: 5}}",
            r#"{"version":1,"splits":{"a":1,"b":1.5,"c":4,"d":5}}"#,
        ),
        (
            "{version: 1, splits: {c: 3, <<: *base}}",
            r#"{"version":1,"splits":{"a":1,"b":1.5,"c":3}}"#,
        ),
        (
            "{version: 1, splits: {\"<<\": *base}}",
            r#"{"version":1,"splits":{"<<":{"a":1,"b":1.5}}}"#,
        ),
        ("{version: 1, splits: *base}", r#"{"version":1,"splits":{"a":1,"b":1.5}}"#),
        (
            "{version: 1, splits: {yes: 1, 0x1F: 2, \"on\": 3}}",
            r#"{"version":1,"splits":{"true":1,"31":2,"on":3}}"#,
        ),
        ("{version: 1, splits: [!!str 010, !!int 010]}", r#"{"version":1,"splits":["010",8]}"#),
    ] {
        let (read, _) = plugin(config).unwrap();
        // kubectl sorts the fields; a merged field stands where it is first named.
        let fields = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(fields(&read), fields(json), "{config}");
    }
    for (config, words) in [
        ("{splits: {b: 3, <<: *base}}", "`<<` comes after the field"),
        ("{splits: {<<: 5}}", "`<<` takes an object"),
        ("{splits: {<<: [5]}}", "`<<` takes an object"),
        ("{splits: {1.10: a}}", "does not take `1.10` for the name"),
        ("{splits: {~: a}}", "does not take `~` for the name"),
        ("{splits: !!int 1.5}", "is no int"),
    ] {
        let message = plugin(config).unwrap_err();
        assert!(message.contains(words), "{config}: {message}");
    }
}

#[test]
fn what_kubectl_reads_in_its_own_way_is_said_where_it_stands() {
    let notes = |config| plugin(config).unwrap().1;
    assert_eq!(notes("{version: 1, kill: on}"), ["kill: kubectl reads `on` as the boolean `true`"]);
    assert_eq!(
        notes("{splits: {yes: 1}}"),
        ["splits.true: kubectl reads the name `yes` as `true`"]
    );
    // An alias and a merge key bring what is said about their value with them.
    assert_eq!(
        notes("{splits: [&x {a: 010}, *x, {<<: *x}, {<<: *x, a: 1}]}"),
        ["splits[0].a", "splits[1].a", "splits[2].a"]
            .map(|path| format!("{path}: kubectl reads `010` as the number `8`"))
    );
    assert_eq!(notes("{version: 1, splits: [5.0, 1e3, 0x1F, \"no\"]}"), [""; 0]);
}

#[test]
fn a_struct_is_read_as_envoy_reads_it() {
    let of = |value: &str| {
        let text = envoy(&format!("Struct\n                  value: {value}"));
        let document = one(&text);
        let notes: Vec<_> = document
            .notes()
            .map(|note| format!("{} {}: {}", note.code, note.path, note.message))
            .collect();
        (super::super::to_json(&document.value).unwrap(), notes)
    };
    let (json, notes) = of("{version: 1, splits: [NO, 3000000000, 5, \"5\"]}");
    assert_eq!(json, r#"{"version":1,"splits":[false,"3000000000",5,"5"]}"#);
    assert_eq!(
        notes,
        [
            "yaml_reading splits[0]: Envoy reads `NO` as the boolean `false`",
            "yaml_reading splits[1]: Envoy reads `3000000000` as a text"
        ]
    );
    for value in ["0.5", "1e3", "010", "0o17", "-0x1F", "!!str 5", "!!null ''"] {
        let (_, notes) = of(&format!("{{version: 1, splits: [{value}]}}"));
        assert!(notes[0].starts_with("ambiguous_yaml splits[0]: "), "{value}: {notes:?}");
    }
    // Only what is in the policy counts: Envoy's own fields have types.
    let other = envoy("Struct\n                  value: {version: 1}")
        .replace("          - name: router", "          - {name: router, weight: 0.5, flag: on}");
    assert_eq!(one(&other).notes().count(), 0);
    // JSON in a text is read as it stands.
    let json =
        one(&envoy("StringValue\n                  value: '{\"version\": 1, \"splits\": [0.5]}'"));
    assert_eq!(json.notes().count(), 0);
}
