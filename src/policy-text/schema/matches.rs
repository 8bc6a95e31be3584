//! Match lists: conditions on a request.

use engine::policy::limits;
use serde_json::{Value, json};

use super::build::{
    TOKEN, at_most, boolean, exactly_one, list as list_of, object, optional, refer, required,
};

/// A list of which any entry must hold.
pub(super) fn list() -> Value {
    let entry = object(
        "Conditions that must all hold.",
        [
            optional(
                "hosts",
                strings(
                    "Any of these hosts: `shop.example.com`, `*.example.com` or `*`. Port, case and a dot at the end do not count.",
                ),
            ),
            optional("path", path()),
            optional(
                "methods",
                list_of(
                    1,
                    json!({"type": "string", "pattern": TOKEN}),
                    "Any of these methods, in upper case.",
                ),
            ),
            optional(
                "headers",
                tests(
                    "header_name",
                    "Tests of headers; all must hold. Several lines are one value, joined by `,`.",
                ),
            ),
            optional("cookies", tests("cookie_name", "Tests of cookies; all must hold.")),
            optional(
                "query",
                tests("plain_text", "Tests of query parameters, decoded; all must hold."),
            ),
            optional(
                "source_ip",
                strings("Any of these networks: `10.0.0.0/8`, `2001:db8::/32` or an address."),
            ),
        ],
    );
    let mut entry = entry;
    if let Value::Object(entry) = &mut entry {
        entry.insert("minProperties".to_owned(), 1.into());
    }
    let list = list_of(1, entry, "Conditions on a request: any of the entries must hold.");
    at_most(limits::CONDITIONS, list)
}

fn strings(description: &str) -> Value {
    list_of(1, json!({"type": "string", "minLength": 1}), description)
}

fn path() -> Value {
    let absolute =
        |description| json!({"type": "string", "pattern": "^/[!-~]*$", "description": description});
    let mut path = object(
        "The path, without its query.",
        [
            optional("exact", absolute("Equal to this.")),
            optional(
                "prefix",
                absolute(
                    "Begins with this, on a segment border: `/api` holds for `/api` and `/api/x`, not for `/apix`.",
                ),
            ),
            optional("raw_prefix", absolute("Begins with these characters.")),
            optional(
                "regex",
                json!({"type": "string", "description": "As a whole what this regular expression describes."}),
            ),
        ],
    );
    exactly_one(&mut path, &["exact", "prefix", "raw_prefix", "regex"]);
    path
}

fn tests(name: &str, description: &str) -> Value {
    let text = |description: &str| json!({"type": "string", "description": description});
    let some =
        |description: &str| json!({"type": "string", "minLength": 1, "description": description});
    let mut test = object(
        "A test of one value: exactly one form, perhaps turned round by `not`.",
        [
            required("name", refer(name, "Its name.")),
            optional("exact", text("Equal to this.")),
            optional("prefix", some("Begins with this.")),
            optional("suffix", some("Ends with this.")),
            optional("contains", some("Has this in it.")),
            optional("regex", text("As a whole what this regular expression describes.")),
            optional("present", boolean("true: sent at all; false: not sent.")),
            optional("in", list_of(1, json!({"type": "string"}), "Equal to one of these.")),
            optional("range", refer("range", "A whole number in this range.")),
            optional("not", boolean("Sent, and not of this form.")),
            optional("ignore_case", boolean("ASCII letters are equal in both cases.")),
        ],
    );
    exactly_one(
        &mut test,
        &["exact", "prefix", "suffix", "contains", "regex", "present", "in", "range"],
    );
    list_of(1, test, description)
}

/// A range of numbers.
pub(super) fn range() -> Value {
    let mut range = object(
        "A range of whole numbers: `from` is in it and `to` is not.",
        [
            optional("from", json!({"type": "integer", "description": "The first number."})),
            optional("to", json!({"type": "integer", "description": "The first number after it."})),
        ],
    );
    if let Value::Object(range) = &mut range {
        range.insert("minProperties".to_owned(), 1.into());
    }
    range
}
