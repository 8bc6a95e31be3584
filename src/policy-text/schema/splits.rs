//! Splits and variants.

use engine::policy::{
    Assignment, Encoding, Fallback, MirrorBy, OnMissingKey, Release, SameSite, limits,
};
use engine::units::Ratio;
use serde_json::{Value, json};

use super::build::{
    Field, at_most, boolean, exactly_one, list, object, optional, optional_in, refer, required,
    text, words,
};

/// A decision point.
pub(super) fn split() -> Value {
    object(
        "A decision point: who takes part, which variants, which weights.",
        [
            required(
                "name",
                refer("name", "Unique in the policy; stands in headers, metrics and cookies."),
            ),
            optional("enabled", boolean("false: as if the split were not written.")),
            optional("match", refer("match", "Who takes part. Default: every request.")),
            optional(
                "key",
                refer("key", "Where the user's key comes from. Default: the policy's `key`."),
            ),
            optional(
                "on_missing_key",
                words(
                    OnMissingKey::ALL,
                    "What a request without a key gets: the baseline, a variant by chance, or no part in the split.",
                ),
            ),
            optional(
                "assignment",
                words(
                    Assignment::ALL,
                    "Whether the key decides (one user, one variant) or chance, anew for each request.",
                ),
            ),
            optional(
                "algorithm",
                json!({"enum": ["rendezvous"], "description": "How keys are assigned."}),
            ),
            optional(
                "salt",
                refer(
                    "salt",
                    "Hashed with the key. Another salt gives every user another variant. Default: the name.",
                ),
            ),
            required("baseline", text("The variant served when in doubt.")),
            required(
                "variants",
                json!({"type": "array", "minItems": 1, "maxItems": limits::VARIANTS, "items": {"$ref": "#/$defs/variant"}, "description": "The outcomes."}),
            ),
            optional(
                "weight_total",
                json!({"anyOf": [{"$ref": "#/$defs/weight"}, {"const": "any"}], "description": "What the weights must sum to."}),
            ),
            optional(
                "overrides",
                at_most(
                    limits::OVERRIDES,
                    list(
                        1,
                        forced(),
                        "Forced variants; the first whose match holds wins, before the weights.",
                    ),
                ),
            ),
            optional("layer", text("The layer that the split is in.")),
            optional(
                "slice",
                object(
                    "The split's share of its layer.",
                    [
                        required("from", refer("percent", "From this percent on.")),
                        required(
                            "to",
                            refer("percent", "Up to this percent, itself not included."),
                        ),
                    ],
                ),
            ),
            optional("sticky", sticky()),
            optional("ramp", ramp()),
            optional(
                "mirror",
                object(
                    "Copies of requests whose answers are ignored.",
                    [
                        required("cluster", refer("cluster", "Where copies go.")),
                        required("percent", refer("percent", "How many.")),
                        optional(
                            "by",
                            words(
                                MirrorBy::ALL,
                                "Percent of users, always the same ones, or of requests.",
                            ),
                        ),
                    ],
                ),
            ),
            optional("guard", guard()),
            optional(
                "requires",
                at_most(
                    limits::REQUIREMENTS,
                    list(
                        1,
                        object(
                            "A variant of an earlier split.",
                            [
                                required("split", text("The split.")),
                                required("variant", text("The variant.")),
                            ],
                        ),
                        "Only users who have all of these.",
                    ),
                ),
            ),
        ],
    )
}

/// One outcome.
pub(super) fn variant() -> Value {
    object(
        "One outcome of a split.",
        [
            required("name", refer("name", "Unique in the split.")),
            optional(
                "cluster",
                refer(
                    "cluster",
                    "The upstream cluster. Default: the route's own; the variant then only tags.",
                ),
            ),
            required(
                "weight",
                refer(
                    "weight",
                    "Its share: percent, unless `weight_total` says otherwise. 0: the weights and `sticky` give it to nobody.",
                ),
            ),
            optional("max_weight", refer("weight", "The largest weight it may be given.")),
            optional(
                "drain",
                boolean("Keep those who hold it by sticky cookie, admit nobody new."),
            ),
            optional("request_headers", refer("header_edits", "Edits of the request's headers.")),
            optional("response_headers", refer("header_edits", "Edits of the response's headers.")),
            optional(
                "respond",
                object(
                    "The proxy answers itself.",
                    [
                        required(
                            "status",
                            json!({"type": "integer", "minimum": limits::STATUS.start(), "maximum": limits::STATUS.end(), "description": "The status code."}),
                        ),
                        optional(
                            "body",
                            json!({"type": "string", "maxLength": limits::BODY, "description": "Its text."}),
                        ),
                    ],
                ),
            ),
            optional("rewrite", rewrite()),
            optional(
                "fallback",
                words(
                    Fallback::ALL,
                    "Who serves its requests where no host of its cluster can. Default: nobody, it is a 503.",
                ),
            ),
        ],
    )
}

/// Edits of headers.
pub(super) fn header_edits() -> Value {
    let pair = || {
        object(
            "A header.",
            [
                required("name", refer("header_name", "Its name.")),
                required(
                    "value",
                    json!({"type": "string", "maxLength": limits::HEADER_VALUE, "description": "Its value."}),
                ),
            ],
        )
    };
    let names = json!({"$ref": "#/$defs/header_name"});
    let some = |of, description| at_most(limits::HEADER_EDITS, list(1, of, description));
    let mut edits = object(
        "Edits of headers: remove, then set, then add.",
        [
            optional("set", some(pair(), "Headers that are replaced.")),
            optional("add", some(pair(), "Headers that get one more line.")),
            optional("remove", some(names, "Headers that are taken away.")),
        ],
    );
    at_least_one(&mut edits);
    edits
}

/// Key sources in order.
pub(super) fn key() -> Value {
    let mut generate =
        vec![required("cookie", refer("cookie_name", "The cookie that keeps the id."))];
    generate.extend(cookie("generate"));
    let mut decode = list(
        1,
        words(Encoding::ALL, "An encoding."),
        "Encodings of the cookie that are undone, the outermost first.",
    );
    if let Value::Object(decode) = &mut decode {
        decode.insert("maxItems".to_owned(), limits::ENCODINGS.into());
    }
    let mut source = object(
        "Where the key may be: exactly one of these.",
        [
            optional("header", refer("header_name", "This request header.")),
            optional("cookie", refer("cookie_name", "This cookie.")),
            optional("decode", decode),
            optional(
                "json",
                refer("plain_text", "The cookie holds a JSON object: this field of it."),
            ),
            optional("query", refer("plain_text", "This query parameter.")),
            optional(
                "jwt",
                object(
                    "A claim of a token that `jwt_authn` has checked.",
                    [
                        required(
                            "provider",
                            refer("plain_text", "The `payload_in_metadata` of the provider."),
                        ),
                        required("claim", refer("plain_text", "The claim.")),
                    ],
                ),
            ),
            optional("client_ip", json!({"const": true, "description": "The client's address."})),
            optional(
                "generate",
                object("A new random id, kept in a cookie that an earlier source reads.", generate),
            ),
        ],
    );
    exactly_one(&mut source, &["header", "cookie", "query", "jwt", "client_ip", "generate"]);
    if let Value::Object(source) = &mut source {
        let of_cookies = json!({"decode": ["cookie"], "json": ["cookie"]});
        source.insert("dependentRequired".to_owned(), of_cookies);
    }
    let description = "Where the user's key comes from: the first source that is present.";
    at_most(limits::KEY_SOURCES, list(1, source, description))
}

/// The attributes of a cookie that the filter sets.
fn cookie(object: &str) -> [Field; 6] {
    [
        optional_in(object, "ttl", refer("duration", "How long browsers keep it.")),
        optional(
            "domain",
            text("For this domain and all below it. Default: the host of the request alone."),
        ),
        optional("secure", boolean("Only over TLS.")),
        optional("http_only", boolean("Not for scripts.")),
        optional("same_site", words(SameSite::ALL, "Whether other sites' pages send it.")),
        optional("partitioned", boolean("A jar for each embedding site (CHIPS).")),
    ]
}

fn sticky() -> Value {
    let mut fields = vec![
        optional(
            "cookie",
            refer("cookie_name", "The cookie. Default: `split-` and the split's name."),
        ),
        optional(
            "epoch",
            json!({"type": "integer", "minimum": 0, "maximum": u32::MAX, "description": "Another epoch ends all earlier assignments."}),
        ),
        required(
            "secret",
            refer(
                "secret",
                "The key of the cookie's MAC: without it anybody could choose a variant.",
            ),
        ),
    ];
    fields.extend(cookie("sticky"));
    object("Keeps a user's first variant by a cookie that cannot be forged.", fields)
}

fn ramp() -> Value {
    let weights = json!({
        "type": "object",
        "description": "A weight for every variant of the split.",
        "minProperties": 1,
        "additionalProperties": {"$ref": "#/$defs/weight"},
    });
    let step = object(
        "A step: from then on these weights.",
        [
            required("after", refer("duration", "When, counted from the start.")),
            required("weights", weights),
        ],
    );
    let steps = list(1, step, "The steps, each later than the one before.");
    let steps = at_most(limits::RAMP_STEPS, steps);
    object(
        "Weights over time.",
        [
            required(
                "start",
                refer("time", "When the ramp begins; until then the variants' own weights hold."),
            ),
            required("steps", steps),
            optional("linear", boolean("Weights move in a straight line between steps.")),
            optional("pause", refer("time", "The ramp stands still from then on.")),
        ],
    )
}

fn guard() -> Value {
    let ratio = |object| {
        let description =
            "How many times as often as those of the baseline its users may meet one: above 1.";
        let ratio = json!({"type": "number", "exclusiveMinimum": 1, "maximum": Ratio::MAX, "description": description});
        optional_in(object, "ratio", ratio)
    };
    let errors = object(
        "Responses of class 5xx, and none at all although the client waited.",
        [ratio("errors")],
    );
    let slow = object(
        "Requests that take too long.",
        [
            required("over", refer("duration", "A request that takes this long is slow.")),
            ratio("slow"),
        ],
    );
    let (least, most) = (limits::FALSE_TRIPS.start(), limits::FALSE_TRIPS.end());
    let mut guard = object(
        "Takes a variant out of service in a proxy when its users fail more often than those of the baseline.",
        [
            optional("errors", errors),
            optional("slow", slow),
            optional(
                "false_trips",
                json!({"type": "integer", "minimum": least, "maximum": most, "description": "The mean number of bad events between two false trips, at least."}),
            ),
            optional(
                "release",
                json!({
                    "anyOf": [{"const": Release::POLICY}, {"$ref": "#/$defs/duration"}],
                    "description": "When it is in again: with another policy, or after a time, which doubles at each further trip.",
                }),
            ),
        ],
    );
    if let Value::Object(guard) = &mut guard {
        let one = json!([{"required": ["errors"]}, {"required": ["slow"]}]);
        guard.insert("anyOf".to_owned(), one);
    }
    guard
}

fn forced() -> Value {
    let mut forced = object(
        "A forced variant.",
        [
            required("match", refer("match", "For which requests.")),
            optional("variant", text("The variant.")),
            optional("skip", json!({"const": true, "description": "The split does not apply."})),
        ],
    );
    exactly_one(&mut forced, &["variant", "skip"]);
    forced
}

fn rewrite() -> Value {
    let prefix = |description| json!({"type": "string", "pattern": "^/[!-~]*$", "maxLength": limits::PATH_PREFIX, "description": description});
    let mut rewrite = object(
        "Changes of host and path before the request goes on.",
        [
            optional("host", text("The new host.")),
            optional(
                "path_prefix",
                object(
                    "A path prefix, on segment borders, and what takes its place.",
                    [
                        required("from", prefix("The prefix.")),
                        required("to", prefix("Its replacement.")),
                    ],
                ),
            ),
        ],
    );
    at_least_one(&mut rewrite);
    rewrite
}

fn at_least_one(object: &mut Value) {
    if let Value::Object(object) = object {
        object.insert("minProperties".to_owned(), 1.into());
    }
}
