//! What the operator wrote, checked: document -> policy, every problem reported in one run.
//!
//! Every input changes the policy or yields a diagnostic; nothing is dropped.

pub mod canonical;
mod check;
mod cursor;
mod diagnostic;
pub mod limits;
mod meaning;
mod model;
mod name_map;
mod read;
mod text;
mod value;

pub use diagnostic::{Code, Diagnostic, Severity};
pub use model::{
    Assignment, CookieOptions, Decoding, Encoding, Fallback, FilterState, Force, Guard,
    HeaderEdits, Holdout, KeySource, Layer, Mirror, MirrorBy, OnMissingKey, Outcomes, Override,
    Policy, Ramp, RampStep, Release, Requirement, Respond, Rewrite, SameSite, Secret, SecretSource,
    Slice, Slow, Split, Steps, Sticky, Variant, WeightTotal,
};
pub use text::suggest::nearest;
pub use text::weight::{Weight, WeightSum};
pub use text::{duration, time};
pub use value::Value;

pub use cursor::Written;
use cursor::{Cursor, Sink};
pub use meaning::hash;

/// Whether warnings are told besides errors. They are for people who can change a policy before it serves, who have
/// `splitctl validate`; in the module they would be a fifteenth of what every proxy fetches and compiles.
pub const ADVISES: bool = !cfg!(target_family = "wasm");

/// The outcome of checking a document.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The policy; `None` when any diagnostic is an error.
    pub policy: Option<Policy>,
    /// All problems, in the order of the document as far as possible.
    pub diagnostics: Vec<Diagnostic>,
    /// [`hash()`] of the policy; 0 where there is none.
    pub hash: u64,
}

impl Checked {
    fn hashed(self) -> Self {
        let hash = self.policy.as_ref().map_or(0, hash);
        Self { hash, ..self }
    }
}

/// Checks a document, whatever format it was read from.
pub fn check(document: &Value) -> Checked {
    read(document, Sink::new(None)).hashed()
}

/// Checks a document of which it is known how its scalars are written: diagnostics show them so.
pub fn check_written(document: &Value, written: Written<'_>) -> Checked {
    read(document, Sink::new(Some(written))).hashed()
}

/// Without the hash.
fn read(document: &Value, sink: Sink<'_>) -> Checked {
    let policy = read::read_policy(&Cursor::root(document, &sink));
    let diagnostics = sink.into_diagnostics();
    let refused = diagnostics.iter().any(|d| d.severity == Severity::Error);
    Checked { policy: policy.filter(|_| !refused), diagnostics, hash: 0 }
}

/// Reads and checks a policy as the plugin configuration carries it: JSON, or a
/// `google.protobuf.Struct`, which Envoy hands over in protobuf's wire format. No bytes at all (an
/// empty `pluginConfig` in Istio) are a policy without splits.
pub fn from_configuration(bytes: &[u8]) -> Checked {
    let json = from_json(bytes);
    let invalid = json.diagnostics.iter().any(|d| d.code == Code::InvalidJson);
    // The first byte of any Struct is the tag of its first field, a line feed to JSON.
    if invalid && bytes.starts_with(b"\n") {
        return read::wire_struct::read(bytes).map_or(json, check_own);
    }
    json
}

/// Checks a document that is gone before the hashed text is made: a module's memory never shrinks.
fn check_own(document: Value) -> Checked {
    let checked = read(&document, Sink::new(None));
    drop(document);
    checked.hashed()
}

/// The request headers that a configuration names as its own, and those of the defaults, as far as it can be
/// read: one that is refused names headers that no client may send all the same.
pub fn headers_named(bytes: &[u8]) -> Vec<String> {
    let document = document_from_json(bytes).ok().or_else(|| read::wire_struct::read(bytes));
    let document = document.unwrap_or(Value::Null);
    let text = |value: Option<&Value>| match value {
        Some(Value::String(name)) => Some(name.to_ascii_lowercase()),
        _ => None,
    };
    let force = document.field("force");
    // Routes may still go by the defaults where the text names others.
    let named = [
        Some(Policy::CLUSTER_HEADER.into()),
        Some(Policy::VARIANT_HEADER.into()),
        Some(Policy::MIRROR_HEADER.into()),
        Some(Force::HEADER.into()),
        text(document.field("cluster_header")),
        text(document.field("variant_header")),
        text(document.field("mirror_header")),
        text(force.and_then(|force| force.field("header"))),
        text(force.and_then(|force| force.field("secret")?.field("header"))),
    ];
    let is_name = |name: &String| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    let mut names = Vec::new();
    for name in named.into_iter().flatten().filter(is_name) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Reads and checks a policy in JSON. No text at all is a policy without splits.
pub fn from_json(text: &[u8]) -> Checked {
    if text.trim_ascii().is_empty() {
        let policy = Some(Policy::default());
        return Checked { policy, diagnostics: Vec::new(), hash: 0 }.hashed();
    }
    match document_from_json(text) {
        Ok(document) => check_own(document),
        Err(diagnostic) => Checked { policy: None, diagnostics: vec![diagnostic], hash: 0 },
    }
}

/// Reads JSON without checking what it means.
///
/// # Errors
/// A diagnostic with line and column where the text is not JSON.
pub fn document_from_json(text: &[u8]) -> Result<Value, Diagnostic> {
    serde_json::from_slice(text).map_err(|error| {
        let message = format!("the policy is not JSON: {error}");
        let mut diagnostic = Diagnostic::new(Code::InvalidJson, String::new(), message.into());
        diagnostic.set_help(
            "the plugin configuration is one JSON object; `splitctl render` makes it from YAML"
                .into(),
        );
        diagnostic
    })
}

#[cfg(test)]
mod tests;
