//! The policy document as JSON Schema 2020-12, for editors: one description of every field, which tests hold
//! against what the engine reads.
//!
//! The schema says what one field can say: names, types, words, forms. What takes several fields (sums of weights,
//! references by name, limits over lists) only the engine can say; `splitctl validate` does.

mod build;
mod matches;
mod splits;

use engine::policy::{FilterState, Outcomes, Weight, limits};
use serde_json::{Value, json};

use build::{boolean, list, object, optional, optional_in, refer, required, words};

/// The whole schema.
pub fn schema() -> Value {
    let mut schema = policy();
    if let Value::Object(fields) = &mut schema {
        let mut all = serde_json::Map::new();
        all.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
        all.insert("title".into(), "traffic-split policy, version 1".into());
        all.append(fields);
        all.insert("$defs".into(), definitions());
        *fields = all;
    }
    schema
}

fn policy() -> Value {
    object(
        "What splits the traffic of a proxy: decision points, and what holds for all of them.",
        [
            required(
                "version",
                json!({"const": 1, "description": "The version of the policy language, not of your policy: 1."}),
            ),
            optional(
                "cluster_header",
                refer(
                    "header_name",
                    "Request header that names the upstream cluster, for the route's `cluster_header`.",
                ),
            ),
            optional(
                "variant_header",
                json!({
                    "anyOf": [{"$ref": "#/$defs/header_name"}, {"type": "null"}],
                    "description": "Request header that lists the variants, as `checkout=canary, search=b`; null turns it off.",
                }),
            ),
            optional(
                "filter_state",
                json!({
                    "enum": [false, true, FilterState::EVIDENCE],
                    "description": "Leave the variants in the filter state `wasm.traffic_split` too; `evidence`: and in `wasm.traffic_split_evidence` why each was served, with the user's bucket. Default: true only where `variant_header` is off.",
                }),
            ),
            optional(
                "response_variant_header",
                refer("header_name", "Response header that lists the variants. Default: off."),
            ),
            optional(
                "mirror_header",
                refer("header_name", "Request header that names the cluster of a mirror."),
            ),
            optional("baggage", boolean("Append the variants to the request's W3C `baggage`.")),
            optional(
                "vary",
                boolean(
                    "Tell caches what an answer depends on: `vary` names the request headers that the decision reads, `cache-control: private` says what no header tells.",
                ),
            ),
            optional(
                "client_ip",
                object(
                    "Where the client's address is found.",
                    [required(
                        "trusted_hops",
                        json!({"type": "integer", "minimum": 0, "maximum": 255, "description": "0: Envoy's own view of it. N: the Nth address from the right in `x-forwarded-for`, which is Envoy's `xff_num_trusted_hops` plus 1."}),
                    )],
                ),
            ),
            optional("force", force()),
            optional(
                "key",
                refer(
                    "key",
                    "Where the user's key comes from, for all splits that have no `key` of their own.",
                ),
            ),
            optional(
                "layers",
                list(
                    1,
                    layer(),
                    "Sets of splits that exclude each other: a user meets at most one split of a layer.",
                ),
            ),
            optional(
                "holdout",
                object(
                    "Users who are never exposed: every split serves them its baseline.",
                    [
                        required("percent", refer("percent", "Their share.")),
                        optional_in("holdout", "salt", refer("salt", "Hashed with the key.")),
                    ],
                ),
            ),
            optional(
                "kill",
                boolean(
                    "Every split that applies serves its baseline, whatever its overrides, cookies and weights say.",
                ),
            ),
            optional(
                "outcomes",
                words(
                    Outcomes::ALL,
                    "Who counts how requests end: the filter, Envoy's stats access logger under the same names (`splitctl render envoy` adds it), or nobody.",
                ),
            ),
            required(
                "splits",
                json!({"type": "array", "maxItems": limits::SPLITS, "items": {"$ref": "#/$defs/split"}, "description": "Decision points, in order. Where several want different things of a request the first has its way."}),
            ),
        ],
    )
}

fn force() -> Value {
    object(
        "Lets those who know a secret force variants.",
        [
            optional_in(
                "force",
                "header",
                refer(
                    "header_name",
                    "Request header that names the variants wanted, as `checkout=canary`.",
                ),
            ),
            required("secret", {
                let mut secret = object(
                    "The secret, and the header or cookie in which a request carries it.",
                    [
                        optional("header", refer("header_name", "The header.")),
                        optional("cookie", refer("cookie_name", "The cookie.")),
                        required("value", refer("secret", "The secret itself.")),
                    ],
                );
                build::exactly_one(&mut secret, &["header", "cookie"]);
                secret
            }),
        ],
    )
}

fn layer() -> Value {
    object(
        "A layer.",
        [
            required("name", refer("name", "Unique in the policy; splits join a layer by it.")),
            optional("salt", refer("salt", "Hashed with the key for slices. Default: the name.")),
        ],
    )
}

fn definitions() -> Value {
    let mut all = json!({
        "name": {"type": "string", "pattern": format!("^[a-z0-9][a-z0-9._-]{{0,{}}}$", limits::NAME - 1)},
        "header_name": {"type": "string", "pattern": build::TOKEN, "maxLength": limits::TEXT},
        "cookie_name": {"type": "string", "pattern": build::TOKEN, "maxLength": limits::TEXT},
        "plain_text": {"type": "string", "minLength": 1, "maxLength": limits::TEXT},
        "cluster": {"type": "string", "pattern": format!("^[!-~]{{1,{}}}$", limits::TEXT)},
        "salt": {"type": "string", "minLength": 1, "maxLength": limits::TEXT},
        "secret": {"type": "string", "pattern": format!("^[!-~]{{{},{}}}$", limits::SECRET_MIN, limits::SECRET)},
        "percent": {"type": "number", "minimum": 0, "maximum": 100},
        "weight": {"type": "number", "minimum": 0, "maximum": Weight::MAX.units() / Weight::UNITS_PER_ONE},
        "duration": {"type": "string", "pattern": "^([0-9]+(w|d|h|ms|m|s))+$", "examples": ["90s", "1h30m", "365d"]},
        "time": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$", "examples": ["2026-11-20T12:00:00Z"]},
    });
    if let Value::Object(all) = &mut all {
        all.insert("key".into(), splits::key());
        all.insert("split".into(), splits::split());
        all.insert("variant".into(), splits::variant());
        all.insert("header_edits".into(), splits::header_edits());
        all.insert("match".into(), matches::list());
        all.insert("range".into(), matches::range());
    }
    all
}

#[cfg(test)]
mod tests;
