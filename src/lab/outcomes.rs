//! Envoy's stats access logger, which counts how requests end in the filter's place (`outcomes: envoy`): the same metrics
//! with the same labels, by the header that lists the variants.
//!
//! Loggers for each variant, because a logger's tags are the same for all that it counts; a filter in front of it picks the
//! variant's requests. That is cheaper than one logger that looks each tag up in a table (its `rules`), and Envoy 1.37 and
//! 1.38 have none. Measured: `scripts/bench-envoy`.

use engine::metrics::Metrics;
use engine::outcome::{Class, status_of_grpc};
use engine::policy::{Outcomes, Policy, Split};
use serde_json::{Value, json};

/// The name of the loggers' extension; there since Envoy 1.37.
const NAME: &str = "envoy.access_loggers.stats";

/// The status below which no response came.
const LEAST_STATUS: u16 = 100;

/// One access logger.
#[derive(Debug, Clone, PartialEq)]
pub struct Logger {
    /// Its name in Envoy's configuration.
    pub name: &'static str,
    /// Which requests it counts.
    pub filter: Value,
    /// What it counts.
    pub config: Value,
}

impl Logger {
    /// As Envoy's configuration has it.
    pub fn to_value(&self) -> Value {
        json!({"name": self.name, "filter": self.filter, "typed_config": self.config})
    }
}

/// The loggers that a policy asks for: none where somebody else counts, or no header tells the variants.
pub fn access_loggers(policy: &Policy) -> Vec<Logger> {
    let Some(header) = policy.variant_header.as_ref().filter(|_| asks(policy)) else {
        return Vec::new();
    };
    let splits: Vec<&Split> = policy.splits.iter().filter(|split| split.enabled).collect();
    let alone = splits.len() == 1;
    let mut loggers = Vec::new();
    for split in splits {
        for variant in &split.variants {
            let member = format!("{}={}", split.name, variant.name);
            let value = if alone {
                json!({"exact": member})
            } else {
                json!({"safe_regex": {"regex": listed(&member)}})
            };
            let served =
                json!({"header_filter": {"header": {"name": header, "string_match": value}}});
            let mut add = |filters: Value, class: &str| {
                loggers.push(Logger {
                    name: NAME,
                    filter: json!({"and_filter": {"filters": filters}}),
                    config: config(&split.name, &variant.name, class),
                });
            };
            // What a request most likely is not is asked first.
            let answered = json!([served, status("GE", LEAST_STATUS), grpc(false)]);
            add(answered, "%RESP(:status):1%xx");
            for (class, left) in [(Class::None, false), (Class::Abort, true)] {
                let unanswered = json!([status("LE", LEAST_STATUS - 1), served, client_left(left)]);
                add(unanswered, class.as_str());
            }
            for class in [Class::Success, Class::ClientError, Class::ServerError] {
                let mut call = vec![grpc(true), served.clone(), status("GE", LEAST_STATUS)];
                call.push(grpc_status(class));
                if class == Class::ServerError {
                    let aborted = [call.as_slice(), &[client_left(true)]].concat();
                    add(json!(aborted), Class::Abort.as_str());
                    call.push(client_left(false));
                }
                add(json!(call), class.as_str());
            }
        }
    }
    loggers
}

/// Whether a policy has Envoy count how requests end.
fn asks(policy: &Policy) -> bool {
    policy.outcomes == Outcomes::Envoy
}

/// A regular expression for lists in which this variant, as `checkout=canary`, is a whole member. Names have no special
/// character but the point.
pub fn listed(variant: &str) -> String {
    format!("(.*, )?{}(, .*)?", variant.replace('.', "\\."))
}

/// A filter by status; Envoy counts a request without a response as status 0.
fn status(comparison: &str, status: u16) -> Value {
    // Envoy wants a key by which its runtime could change the number.
    let value = json!({"default_value": status, "runtime_key": "traffic_split.unused"});
    json!({"status_code_filter": {"comparison": {"op": comparison, "value": value}}})
}

/// A filter of gRPC calls, by the `content-type` that [`engine::outcome::is_grpc`] knows them by, or of all others.
fn grpc(wanted: bool) -> Value {
    let regex = json!({"safe_regex": {"regex": "(?i:application/grpc)([+;].*)?"}});
    // Most requests have no such header; without the last field a matcher never holds for them, inverted or not.
    let header = json!({"name": "content-type", "string_match": regex, "invert_match": !wanted,
        "treat_missing_header_as_empty": true});
    json!({"header_filter": {"header": header}})
}

/// A filter of gRPC calls whose status is of this class.
fn grpc_status(class: Class) -> Value {
    const NAMES: [&str; 17] = [
        "OK",
        "CANCELED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    let of_class = |(code, _): &(u32, &str)| Class::from_status(status_of_grpc(*code)) == class;
    let names: Vec<&str> = (0..).zip(NAMES).filter(of_class).map(|(_, name)| name).collect();
    json!({"grpc_status_filter": {"statuses": names}})
}

/// A filter of requests whose client left, by Envoy's flags DC and DR, or of all others.
fn client_left(wanted: bool) -> Value {
    // The bits 0x4000 and 0x10000000: the language has no bitwise operations.
    let left = "(response.flags / 16384) % 2 == 1 || (response.flags / 268435456) % 2 == 1";
    let expression = if wanted { left.to_owned() } else { format!("!({left})") };
    json!({"extension_filter": {
        "name": "envoy.access_loggers.extension_filters.cel",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
            "expression": expression,
        },
    }})
}

/// The counter of responses and the histogram of durations. `class` is in Envoy's words for access logs.
fn config(split: &str, variant: &str, class: &str) -> Value {
    let [split_label, variant_label, _, class_label] = Metrics::LABELS;
    let tag = |name: &str, value: &str| json!({"name": name, "value_format": value});
    let of_variant = [tag(split_label, split), tag(variant_label, variant)];
    let of_class: Vec<Value> =
        of_variant.iter().cloned().chain([tag(class_label, class)]).collect();
    json!({
        "@type": "type.googleapis.com/envoy.extensions.access_loggers.stats.v3.Config",
        // As for what a module counts; Prometheus does not see it.
        "stat_prefix": "wasmcustom",
        "counters": [
            {"stat": {"name": Metrics::RESPONSES, "tags": of_class}, "value_fixed": 1},
        ],
        "histograms": [
            {"stat": {"name": Metrics::DURATION, "tags": of_variant}, "unit": "Milliseconds", "value_format": "%DURATION%"},
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::policy::from_json;

    fn loggers(policy: &Value) -> Vec<Value> {
        let policy = from_json(policy.to_string().as_bytes()).policy.unwrap();
        access_loggers(&policy).iter().map(Logger::to_value).collect()
    }

    fn split(name: &str) -> Value {
        json!({"name": name, "key": [{"header": "u"}], "baseline": "a",
            "variants": [{"name": "a", "weight": 50}, {"name": "b.2", "weight": 50}]})
    }

    #[test]
    fn each_variant_has_loggers_for_responses_for_their_absence_and_for_grpc_calls() {
        let found =
            loggers(&json!({"version": 1, "outcomes": "envoy", "splits": [split("checkout")]}));
        assert_eq!(found.len(), 2 * 7);
        let header = "/filter/and_filter/filters/0/header_filter/header";
        assert_eq!(
            found[0].pointer(header),
            Some(&json!({"name": "x-split-variant", "string_match": {"exact": "checkout=a"}}))
        );
        let class = "/typed_config/counters/0/stat/tags/2/value_format";
        let classes: Vec<_> = found.iter().filter_map(|l| l.pointer(class)?.as_str()).collect();
        let of_one = ["%RESP(:status):1%xx", "none", "abort", "2xx", "4xx", "abort", "5xx"];
        assert_eq!(classes, [of_one, of_one].concat());
    }

    #[test]
    fn of_several_splits_each_is_found_in_the_list() {
        let found = loggers(
            &json!({"version": 1, "outcomes": "envoy", "splits": [split("one"), split("two")]}),
        );
        let regex =
            "/filter/and_filter/filters/0/header_filter/header/string_match/safe_regex/regex";
        assert_eq!(found[21].pointer(regex), Some(&json!("(.*, )?two=b\\.2(, .*)?")));
    }

    #[test]
    fn there_are_none_where_somebody_else_counts() {
        for outcomes in ["filter", "off"] {
            let policy = json!({"version": 1, "outcomes": outcomes, "splits": [split("one")]});
            assert_eq!(loggers(&policy), [json!(null); 0]);
        }
    }
}
