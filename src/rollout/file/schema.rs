//! The JSON Schema of rollout files, for editors.

use engine::policy::duration;
use serde_json::{Value, json};

use super::Rollout;

/// The schema, draft 2020-12. What it accepts may still be refused: the order of steps, and all that hangs on the policy.
pub fn schema() -> Value {
    let text = json!({"type": "string", "minLength": 1});
    let texts = json!({"type": "array", "items": text, "minItems": 1});
    let units: Vec<_> = duration::UNITS.iter().map(|(unit, _)| *unit).collect();
    let duration =
        json!({"type": "string", "pattern": format!("^([0-9]+({}))+$", units.join("|"))});
    let weight = json!({"type": "number", "minimum": 0, "description": "at most four decimals"});
    let ratio = json!({"type": "number", "minimum": 1.01, "maximum": 1000, "default": Rollout::RATIO,
        "description": "harm is proven above the baseline's, safety below so many times the baseline's"});
    let slo = json!({"type": "number", "minimum": 0.5, "maximum": 99.9999,
        "description": "99.9 or 0.999: safety is proven, too, where less than the rest is bad"});
    let object = |properties: Value, required: &[&str]| json!({"type": "object", "additionalProperties": false, "properties": properties, "required": required});
    let step = object(
        json!({"weight": weight, "for": duration, "approval": {"type": "boolean", "default": false}}),
        &["weight", "for"],
    );
    let query = object(
        json!({"name": text, "query": text, "at_least": {"type": "number", "minimum": 0},
            "at_most": {"type": "number", "minimum": 0}}),
        &["name", "query"],
    );
    let gates = object(
        json!({
            "alpha": {"type": "number", "minimum": 1e-6, "maximum": 0.5, "default": Rollout::ALPHA},
            "errors": object(json!({"ratio": ratio, "slo": slo}), &[]),
            "slow": object(json!({"over": duration, "ratio": ratio, "slo": slo}), &["over"]),
            "sample_ratio": {"type": "boolean", "default": true},
            "responses": {"type": "integer", "minimum": 0, "default": Rollout::RESPONSES},
            "queries": {"type": "array", "items": query},
        }),
        &[],
    );
    let properties = json!({
        "version": {"const": 1},
        "policy": text,
        "split": text,
        "challenger": text,
        "steps": {"type": "array", "items": step, "minItems": 1, "maxItems": Rollout::MOST_STEPS},
        "max_step": weight,
        "gates": gates,
        "inconclusive": object(
            json!({"after": duration, "then": {"enum": ["hold", "retreat"], "default": "hold"}}),
            &["after"],
        ),
        "counts": object(
            json!({"prometheus": text, "matching": text, "proxies": texts, "every": duration}),
            &[],
        ),
        "proxies": texts,
        "apply": object(json!({"ecds": text, "command": texts}), &[]),
        "on_event": texts,
    });
    let mut schema =
        object(properties, &["version", "policy", "split", "challenger", "steps", "counts"]);
    if let Value::Object(fields) = &mut schema {
        fields.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
        fields.insert("title".into(), json!("a rollout of traffic-split"));
    }
    schema
}
