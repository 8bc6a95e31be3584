//! What carries a policy to a proxy, and is read in the place of a policy file: Istio's WasmPlugin
//! (`spec.pluginConfig`), Envoy Gateway's EnvoyExtensionPolicy (`spec.wasm[].config`), and every form of Envoy's configuration in which a filter has a `configuration`:
//! bootstrap, listener, ECDS file, EnvoyFilter.

use base64::Engine as _;
use engine::policy::Value;

use super::dialect::Dialect;
use super::places::{Part, Place, Places};
use super::yaml::{self, Tree};
use super::{Document, Syntax};

/// The forms of `configuration`, by the end of their type.
const STRING: &str = "google.protobuf.StringValue";
const BYTES: &str = "google.protobuf.BytesValue";
const STRUCT: &str = "google.protobuf.Struct";

/// Fields at the top of what is an Envoy configuration, if it is no policy.
const ENVOY_FIELDS: [&str; 12] = [
    "@type",
    "admin",
    "config",
    "config_discovery",
    "dynamic_resources",
    "filter_chains",
    "http_filters",
    "resources",
    "static_resources",
    "type_url",
    "typed_config",
    "version_info",
];

/// Every policy that documents are or carry, at least one. What carries one is read again, as whoever it is for reads it.
pub(super) fn policies_in(
    text: &str,
    documents: Vec<Tree>,
    read_as: impl Fn(Dialect) -> Result<Vec<Tree>, Syntax>,
) -> Result<Vec<Document>, Syntax> {
    let mut found: Vec<Document> = Vec::new();
    let mut carriers = Vec::new();
    for (index, document) in documents.into_iter().enumerate() {
        let (dialect, name) = match kind(&document.value) {
            // Among manifests a document without a kind is a mistake, to be told as one.
            Kind::Policy => {
                found.push(document.into_document(None));
                continue;
            }
            Kind::Manifest(name) => (Dialect::Kubernetes, name),
            Kind::Envoy => (Dialect::Envoy, "Envoy configuration".to_owned()),
        };
        // There are as many, since all agree on what is null.
        let again = read_as(dialect)?.into_iter().nth(index);
        carriers.push((again.unwrap_or(document), name));
    }
    let mut candidates = Vec::new();
    for (document, name) in &carriers {
        let mut here = Vec::new();
        search(&document.value, String::new(), &mut here);
        candidates.extend(here.into_iter().map(|candidate| (candidate, document, name)));
    }
    // Beside other filters only what looks like a policy is one; a filter that is alone is ours.
    if candidates.len() > 1 && candidates.iter().any(|(candidate, ..)| candidate.is_likely()) {
        candidates.retain(|(candidate, ..)| candidate.is_likely());
    }
    for (candidate, document, name) in candidates {
        let one = read(&candidate, document, name, text)?;
        // One policy in several listeners is one policy.
        if !found.iter().any(|other| other.value == one.value) {
            found.push(one);
        }
    }
    match (found.is_empty(), carriers.as_slice()) {
        (true, [(document, name)]) => Err(nothing_carried(document, name)),
        (true, several) => {
            let message = format!("none of the {} documents carries a policy", several.len());
            let first = several.iter().find_map(|(d, _)| d.places.find("", Part::Value));
            Err(no_policy(
                first,
                message,
                "a policy is in `spec.pluginConfig` of a `kind: WasmPlugin`",
            ))
        }
        _ => Ok(found),
    }
}

enum Kind {
    Policy,
    /// With its kind and name.
    Manifest(String),
    Envoy,
}

fn kind(document: &Value) -> Kind {
    let Value::Object(fields) = document else { return Kind::Policy };
    if document.field("splits").is_some() {
        return Kind::Policy;
    }
    if let (Some(Value::String(kind)), Some(_)) =
        (document.field("kind"), document.field("apiVersion"))
    {
        let name = document.field("metadata").and_then(|metadata| metadata.field("name"));
        return Kind::Manifest(match name {
            Some(Value::String(name)) => format!("{kind} `{name}`"),
            _ => kind.clone(),
        });
    }
    match fields.iter().any(|(name, _)| ENVOY_FIELDS.contains(&name.as_str())) {
        true => Kind::Envoy,
        false => Kind::Policy,
    }
}

/// A value in which a policy may be.
struct Candidate<'v> {
    path: String,
    form: Form,
    value: &'v Value,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The value is the policy.
    Struct,
    /// The value is a text with the policy in JSON.
    Text,
    /// The same in base64.
    Bytes,
}

impl Candidate<'_> {
    /// Whether it looks like a policy rather than the configuration of another filter.
    fn is_likely(&self) -> bool {
        match (self.form, self.value) {
            (Form::Struct, value) => {
                value.field("splits").is_some() || value.field("version").is_some()
            }
            (_, Value::String(text)) => match self.form {
                Form::Bytes => decoded(text).is_some_and(|text| text.contains("\"splits\"")),
                _ => text.contains("splits"),
            },
            _ => false,
        }
    }
}

/// Collects, in the order of the document, what may be policies. The readers have limited the depth.
fn search<'v>(value: &'v Value, path: String, found: &mut Vec<Candidate<'v>>) {
    match value {
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                search(item, format!("{path}[{index}]"), found);
            }
        }
        Value::Object(fields) => {
            let is_kind = |kind| matches!(value.field("kind"), Some(Value::String(k)) if k == kind);
            let (is_plugin, is_extension) =
                (is_kind("WasmPlugin"), is_kind("EnvoyExtensionPolicy"));
            for (name, field) in fields {
                let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                if is_plugin && name == "spec" {
                    if let Some(value) = field.field("pluginConfig") {
                        let path = format!("{below}.pluginConfig");
                        found.push(Candidate { path, form: Form::Struct, value });
                    }
                } else if is_extension && name == "spec" {
                    let Some(Value::List(filters)) = field.field("wasm") else { continue };
                    for (index, filter) in filters.iter().enumerate() {
                        let Some(value) = filter.field("config") else { continue };
                        let path = format!("{below}.wasm[{index}].config");
                        found.push(Candidate { path, form: Form::Struct, value });
                    }
                } else if name == "configuration"
                    && let Some((form, value)) = configuration(field)
                {
                    found.push(Candidate { path: format!("{below}.value"), form, value });
                } else {
                    search(field, below, found);
                }
            }
        }
        _ => {}
    }
}

fn configuration(value: &Value) -> Option<(Form, &Value)> {
    let Some(Value::String(kind)) = value.field("@type") else { return None };
    let form = match kind {
        kind if kind.ends_with(STRING) => Form::Text,
        kind if kind.ends_with(BYTES) => Form::Bytes,
        kind if kind.ends_with(STRUCT) => Form::Struct,
        _ => return None,
    };
    Some((form, value.field("value")?))
}

fn read(
    candidate: &Candidate<'_>,
    document: &Tree,
    carrier: &str,
    text: &str,
) -> Result<Document, Syntax> {
    let carrier = Some(carrier.to_owned());
    let whole = document.places.find(&candidate.path, Part::Value);
    let whole = whole.unwrap_or(Place { line: 1, column: 1, length: 1 });
    let inner = match (candidate.form, candidate.value) {
        (Form::Struct, value) => {
            let places = document.places.below(&candidate.path);
            let marks = document.marks.iter().filter_map(|mark| mark.moved(&candidate.path, ""));
            let tree = Tree::new(value.clone(), places, marks.collect());
            return Ok(tree.into_document(carrier));
        }
        (Form::Text, Value::String(inner)) => Some(inner.clone()),
        (Form::Bytes, Value::String(inner)) => decoded(inner),
        _ => None,
    };
    let Some(inner) = inner else {
        let message = "the policy is not there as text".to_owned();
        let help = "`value` is JSON in quotes, in base64 for a `BytesValue`";
        return Err(no_policy(Some(whole), message, help));
    };
    let moves = Moves::find(text, &inner, whole);
    let at = |place| moves.as_ref().map_or(whole, |moves| moves.apply(place));
    match serde_json::from_str::<Value>(&inner) {
        Ok(value) => {
            let read = yaml::read(&inner, Dialect::Policy).ok().and_then(|mut read| read.pop());
            let (places, marks) = read.map(|read| (read.places, read.marks)).unwrap_or_default();
            let places = match &moves {
                Some(_) => places.moved(at),
                None => Places::all_at(whole),
            };
            Ok(Tree::new(value, places, marks).into_document(carrier))
        }
        Err(error) => {
            let mut syntax = super::from_json(&error, &inner);
            syntax.place = at(syntax.place);
            syntax.help = Some(
                "the filter reads this text as JSON; `splitctl render` makes it from YAML".into(),
            );
            Err(syntax)
        }
    }
}

fn decoded(text: &str) -> Option<String> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(text.trim()).ok()?;
    String::from_utf8(bytes).ok()
}

/// Where in a file the lines of a text stand that is a value in it.
struct Moves {
    /// The line before the text's first.
    line: usize,
    /// Characters before the text on its first line, and on all others.
    first: usize,
    indent: usize,
}

impl Moves {
    /// Finds a text at a place or below, as a block scalar has it, or within its line. `None` where escapes or
    /// folded lines make it look otherwise.
    fn find(file: &str, inner: &str, place: Place) -> Option<Self> {
        let above = place.line.checked_sub(1)?;
        let on_line = file.lines().nth(above)?;
        if let Some(at) = on_line.find(inner.trim_end_matches('\n')) {
            let first = on_line.get(..at)?.chars().count();
            return Some(Self { line: above, first, indent: 0 });
        }
        // The head of a block scalar, `value: |`, is on the line above it or on the same.
        (above..above.saturating_add(3)).find_map(|line| {
            let head = inner.lines().next()?;
            let indent = file.lines().nth(line)?.strip_suffix(head)?;
            let blank = indent.bytes().all(|b| b == b' ');
            let same = |(below, line): (&str, &str)| {
                below.is_empty() || line.get(indent.len()..) == Some(below)
            };
            let all = inner.lines().zip(file.lines().skip(line)).all(same);
            let indent = indent.len();
            (blank && all).then_some(Self { line, first: indent, indent })
        })
    }

    fn apply(&self, place: Place) -> Place {
        let before = if place.line == 1 { self.first } else { self.indent };
        Place {
            line: place.line.saturating_add(self.line),
            column: place.column.saturating_add(before),
            ..place
        }
    }
}

fn nothing_carried(document: &Tree, carrier: &str) -> Syntax {
    let place = document.places.find("", Part::Value);
    let help = match carrier.split(' ').next() {
        Some("WasmPlugin") => "a WasmPlugin has the policy in `spec.pluginConfig`",
        Some("EnvoyExtensionPolicy") => {
            "an EnvoyExtensionPolicy has the policy in `config` of an entry of `spec.wasm`"
        }
        Some("Envoy") => {
            "a policy is in `configuration` of the Wasm filter; with `config_discovery` it is in the file named there"
        }
        _ => "policies are in `spec.pluginConfig` of a `kind: WasmPlugin`",
    };
    no_policy(place, format!("this {carrier} carries no policy"), help)
}

fn no_policy(place: Option<Place>, message: String, help: &str) -> Syntax {
    let place = place.unwrap_or(Place { line: 1, column: 1, length: 1 });
    Syntax { code: "no_policy", place, message, help: Some(help.to_owned()) }
}

#[cfg(test)]
mod tests;
