//! A document -> a rollout, or all that is wrong with it.

use engine::policy::{Value, Weight, duration, nearest};

use super::{
    Apply, Code, CountsFrom, Gates, Inconclusive, Limit, Problem, Query, Rollout, Slow, Source,
    Step,
};

/// Reads a rollout file's document.
///
/// # Errors
/// All problems at once.
pub fn read(document: &Value) -> Result<Rollout, Vec<Problem>> {
    let mut problems = Vec::new();
    let rollout = rollout(document, &mut Reader { problems: &mut problems });
    match rollout {
        Some(rollout) if problems.is_empty() => Ok(rollout),
        _ => Err(problems),
    }
}

/// Collects problems.
struct Reader<'p> {
    problems: &'p mut Vec<Problem>,
}

/// A mapping at a path.
struct Fields<'v> {
    path: String,
    fields: &'v [(String, Value)],
}

impl Fields<'_> {
    fn at(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

impl Reader<'_> {
    fn problem(&mut self, code: Code, path: &str, message: String, help: impl Into<String>) {
        self.problems.push(Problem { code, path: path.to_owned(), message, help: help.into() });
    }

    fn wrong(&mut self, path: &str, found: &Value, wanted: &str, help: &str) {
        let message = format!("expected {wanted}, found `{found}`");
        self.problem(Code::WrongType, path, message, help);
    }

    /// A mapping of fields that are all known, each once.
    fn fields<'v>(&mut self, path: &str, value: &'v Value, known: &[&str]) -> Option<Fields<'v>> {
        let Value::Object(fields) = value else {
            self.wrong(path, value, "a mapping", &format!("its fields are {}", listed(known)));
            return None;
        };
        let found = Fields { path: path.to_owned(), fields };
        for (number, (name, _)) in fields.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let help = match nearest(name, known.iter().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("known here: {}", listed(known)),
                };
                self.problem(
                    Code::UnknownField,
                    &found.at(name),
                    format!("unknown field `{name}`"),
                    help,
                );
            } else if fields.iter().take(number).any(|(before, _)| before == name) {
                let message = format!("`{name}` is written twice");
                self.problem(
                    Code::DuplicateField,
                    &found.at(name),
                    message,
                    "leave one of them out",
                );
            }
        }
        Some(found)
    }

    fn get<'v>(&self, fields: &Fields<'v>, name: &str) -> Option<&'v Value> {
        fields.fields.iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    fn need<'v>(&mut self, fields: &Fields<'v>, name: &str, example: &str) -> Option<&'v Value> {
        let found = self.get(fields, name);
        // One mistake is one message: a misspelt field is not missing as well.
        let misspelt = |(other, _): &(String, Value)| nearest(other, [name]).is_some();
        if found.is_none() && !fields.fields.iter().any(misspelt) {
            let message = format!("`{name}` is missing");
            self.problem(
                Code::MissingField,
                &fields.at(name),
                message,
                format!("write `{name}: {example}`"),
            );
        }
        found
    }

    fn text(&mut self, path: &str, value: &Value) -> Option<String> {
        match value {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            other => {
                self.wrong(path, other, "a text", "write a text that is not empty");
                None
            }
        }
    }

    fn truth(&mut self, path: &str, value: Option<&Value>, default: bool) -> bool {
        match value {
            None => default,
            Some(Value::Bool(truth)) => *truth,
            Some(other) => {
                self.wrong(path, other, "true or false", "write `true` or `false`");
                default
            }
        }
    }

    fn texts(&mut self, path: &str, value: &Value, example: &str) -> Vec<String> {
        let Value::List(items) = value else {
            self.wrong(path, value, "a list of texts", &format!("such as `{example}`"));
            return Vec::new();
        };
        if items.is_empty() {
            let help = format!("such as `{example}`, or leave it out");
            self.problem(Code::OutOfRange, path, "the list is empty".to_owned(), help);
        }
        let each = items.iter().enumerate();
        each.filter_map(|(n, item)| self.text(&format!("{path}[{n}]"), item)).collect()
    }

    fn duration(&mut self, path: &str, value: &Value) -> Option<u64> {
        let read = match value {
            Value::String(text) => duration::parse(text).map_err(|why| format!("`{text}` {why}")),
            other => Err(format!("expected a duration, found `{other}`")),
        };
        match read {
            Ok(time) => Some(time.get()),
            Err(message) => {
                self.problem(Code::OutOfRange, path, message, duration::FORM);
                None
            }
        }
    }

    fn weight(&mut self, path: &str, value: &Value) -> Option<Weight> {
        match Weight::from_value(value) {
            Ok(weight) => Some(weight),
            Err(why) => {
                let help =
                    "a weight is a number from 0, with at most four decimals, such as `5` or `0.5`";
                self.problem(Code::OutOfRange, path, format!("`{value}` {why}"), help);
                None
            }
        }
    }

    /// A number within a range.
    fn number(&mut self, path: &str, value: &Value, least: f64, most: f64) -> Option<f64> {
        let number = match value {
            Value::Integer(n) => *n as f64,
            Value::Float(n) => *n,
            other => {
                self.wrong(
                    path,
                    other,
                    "a number",
                    &format!("write a number from {least} to {most}"),
                );
                return None;
            }
        };
        if number >= least && number <= most {
            return Some(number);
        }
        let message = format!("`{value}` is not from {least} to {most}");
        self.problem(
            Code::OutOfRange,
            path,
            message,
            format!("write a number from {least} to {most}"),
        );
        None
    }

    fn count(&mut self, path: &str, value: Option<&Value>, default: u64) -> u64 {
        let Some(value) = value else { return default };
        let count = match value {
            Value::Integer(n) => u64::try_from(*n).ok(),
            // A double without a fraction: as Envoy and some YAML writers print whole numbers.
            Value::Float(n) if *n >= 0.0 && *n < 1e15 && n.fract() == 0.0 => Some(*n as u64),
            _ => None,
        };
        count.unwrap_or_else(|| {
            self.wrong(path, value, "a whole number from 0", "such as `500`");
            default
        })
    }
}

fn listed(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// The fields of a rollout file.
pub(super) const FIELDS: [&str; 12] = [
    "version",
    "policy",
    "split",
    "challenger",
    "steps",
    "max_step",
    "gates",
    "inconclusive",
    "counts",
    "proxies",
    "apply",
    "on_event",
];
pub(super) const STEP: [&str; 3] = ["weight", "for", "approval"];
pub(super) const GATES: [&str; 6] =
    ["alpha", "errors", "slow", "sample_ratio", "responses", "queries"];
pub(super) const LIMIT: [&str; 2] = ["ratio", "slo"];
pub(super) const SLOW: [&str; 3] = ["over", "ratio", "slo"];
pub(super) const QUERY: [&str; 4] = ["name", "query", "at_least", "at_most"];
pub(super) const INCONCLUSIVE: [&str; 2] = ["after", "then"];
pub(super) const COUNTS: [&str; 4] = ["prometheus", "matching", "proxies", "every"];
pub(super) const APPLY: [&str; 2] = ["ecds", "command"];

fn rollout(document: &Value, reader: &mut Reader<'_>) -> Option<Rollout> {
    if *document == Value::Null {
        reader.problem(
            Code::WrongType,
            "",
            "the file is empty".to_owned(),
            "docs/rollout.md begins with a whole one",
        );
        return None;
    }
    let fields = reader.fields("", document, &FIELDS)?;
    let version = reader.need(&fields, "version", "1");
    if let Some(version) = version.filter(|version| **version != Value::Integer(1)) {
        let message = format!("`{version}` is no version of rollout files");
        reader.problem(Code::OutOfRange, "version", message, "write `version: 1`");
    }
    let mut name = |field: &str, example: &str| {
        let value = reader.need(&fields, field, example)?;
        reader.text(field, value)
    };
    let policy = name("policy", "policy.yaml");
    let split = name("split", "checkout");
    let challenger = name("challenger", "canary");
    let steps = reader.need(&fields, "steps", "[{weight: 5, for: 10m}, {weight: 50, for: 30m}]");
    let steps = steps.map(|steps| read_steps(steps, reader)).unwrap_or_default();
    let max_step = reader.get(&fields, "max_step");
    let max_step = max_step.and_then(|value| reader.weight("max_step", value));
    let gates = read_gates(reader.get(&fields, "gates"), reader);
    let inconclusive = read_inconclusive(reader.get(&fields, "inconclusive"), reader);
    let counts = reader.need(&fields, "counts", "{prometheus: \"http://127.0.0.1:9090\"}");
    let counts = counts.and_then(|counts| read_counts(counts, reader));
    let proxies = reader.get(&fields, "proxies");
    let proxies = proxies.map(|value| reader.texts("proxies", value, "[http://127.0.0.1:9901]"));
    let apply = reader.get(&fields, "apply");
    let apply = apply.map_or(Some(Apply::File), |value| read_apply(value, reader));
    let on_event = reader.get(&fields, "on_event");
    let on_event = on_event.map(|value| reader.texts("on_event", value, "[./notify.sh]"));
    if let (Some(counts), false) = (&counts, gates.queries.is_empty())
        && matches!(counts.source, Source::Proxies(_))
    {
        let message = "queries need a Prometheus, and the counts come from the proxies".to_owned();
        reader.problem(
            Code::Conflict,
            "gates.queries",
            message,
            "write `counts: {prometheus: URL}`",
        );
    }
    Some(Rollout {
        policy: policy?,
        split: split?,
        challenger: challenger?,
        steps,
        max_step,
        gates,
        inconclusive,
        counts: counts?,
        proxies: proxies.unwrap_or_default(),
        apply: apply?,
        on_event: on_event.unwrap_or_default(),
    })
}

fn read_steps(value: &Value, reader: &mut Reader<'_>) -> Vec<Step> {
    let Value::List(items) = value else {
        reader.wrong(
            "steps",
            value,
            "a list",
            "such as `[{weight: 5, for: 10m}, {weight: 50, for: 30m}]`",
        );
        return Vec::new();
    };
    if items.is_empty() || items.len() > Rollout::MOST_STEPS {
        let message = format!("there are {} steps", items.len());
        reader.problem(
            Code::OutOfRange,
            "steps",
            message,
            format!("write 1 to {}", Rollout::MOST_STEPS),
        );
    }
    let mut steps: Vec<Step> = Vec::new();
    for (number, item) in items.iter().enumerate() {
        let path = format!("steps[{number}]");
        let Some(fields) = reader.fields(&path, item, &STEP) else { continue };
        let weight = reader.need(&fields, "weight", "5");
        let weight = weight.and_then(|value| reader.weight(&fields.at("weight"), value));
        let hold = reader.need(&fields, "for", "10m");
        let hold = hold.and_then(|value| reader.duration(&fields.at("for"), value));
        let approval = reader.get(&fields, "approval");
        let approval = reader.truth(&fields.at("approval"), approval, false);
        let (Some(weight), Some(hold)) = (weight, hold) else { continue };
        if let Some(before) = steps.last().filter(|before| before.weight >= weight) {
            let message =
                format!("`{weight}` is not above the step before it, which has {}", before.weight);
            let help = "weights of steps rise; a rollout goes back by itself where it has to";
            reader.problem(Code::NotRising, &fields.at("weight"), message, help);
        }
        if weight.is_zero() {
            let help = "the first step is the first weight above 0";
            reader.problem(
                Code::NotRising,
                &fields.at("weight"),
                "`0` is no step".to_owned(),
                help,
            );
        }
        steps.push(Step { weight, hold, approval });
    }
    steps
}

fn read_gates(value: Option<&Value>, reader: &mut Reader<'_>) -> Gates {
    let errors = Limit { ratio: Rollout::RATIO, part: None };
    let mut gates = Gates {
        alpha: Rollout::ALPHA,
        errors,
        slow: None,
        sample_ratio: true,
        responses: Rollout::RESPONSES,
        queries: Vec::new(),
    };
    let Some(fields) = value.and_then(|value| reader.fields("gates", value, &GATES)) else {
        return gates;
    };
    if let Some(value) = reader.get(&fields, "alpha") {
        gates.alpha = reader.number("gates.alpha", value, 1e-6, 0.5).unwrap_or(gates.alpha);
    }
    if let Some(value) = reader.get(&fields, "errors")
        && let Some(fields) = reader.fields("gates.errors", value, &LIMIT)
    {
        gates.errors = read_limit(&fields, reader);
    }
    if let Some(value) = reader.get(&fields, "slow")
        && let Some(fields) = reader.fields("gates.slow", value, &SLOW)
    {
        let limit = read_limit(&fields, reader);
        let over = reader.need(&fields, "over", "500ms");
        let over = over.and_then(|value| reader.duration("gates.slow.over", value));
        gates.slow = over.map(|over| Slow { over, limit });
    }
    let sample_ratio = reader.get(&fields, "sample_ratio");
    gates.sample_ratio = reader.truth("gates.sample_ratio", sample_ratio, true);
    let responses = reader.get(&fields, "responses");
    gates.responses = reader.count("gates.responses", responses, gates.responses);
    match reader.get(&fields, "queries") {
        None => {}
        Some(Value::List(items)) => {
            let each = items.iter().enumerate();
            gates.queries = each.filter_map(|(n, item)| read_query(n, item, reader)).collect();
        }
        Some(other) => {
            let help = "such as `[{name: conversions, query: ..., at_least: 0.95}]`";
            reader.wrong("gates.queries", other, "a list", help);
        }
    }
    gates
}

/// `ratio` and `slo`, the latter as people write it: 99.9 or 0.999.
fn read_limit(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Limit {
    let ratio = reader.get(fields, "ratio");
    let ratio = ratio.and_then(|value| reader.number(&fields.at("ratio"), value, 1.01, 1000.0));
    let path = fields.at("slo");
    let part = reader.get(fields, "slo").and_then(|value| {
        let number = reader.number(&path, value, 0.5, 99.9999)?;
        let good = if number < 1.0 { number } else { number / 100.0 };
        if (0.5..=0.999_999).contains(&good) {
            return Some(1.0 - good);
        }
        let help =
            "write the percentage, such as 99.9, or the part, such as 0.999; at least a half";
        reader.problem(Code::OutOfRange, &path, format!("`{value}` is no objective"), help);
        None
    });
    Limit { ratio: ratio.unwrap_or(Rollout::RATIO), part }
}

fn read_query(number: usize, value: &Value, reader: &mut Reader<'_>) -> Option<Query> {
    let path = format!("gates.queries[{number}]");
    let fields = reader.fields(&path, value, &QUERY)?;
    let name = reader.need(&fields, "name", "conversions");
    let name = name.and_then(|value| reader.text(&fields.at("name"), value));
    let query =
        reader.need(&fields, "query", "sum by (variant) (rate(shop_conversions_total[5m]))");
    let query = query.and_then(|value| reader.text(&fields.at("query"), value));
    let mut bound = |field: &str| {
        let value = reader.get(&fields, field)?;
        reader.number(&fields.at(field), value, 0.0, 1e9)
    };
    let (at_least, at_most) = (bound("at_least"), bound("at_most"));
    if ["at_least", "at_most"].iter().all(|field| reader.get(&fields, field).is_none()) {
        let message = "neither `at_least` nor `at_most` says what is enough".to_owned();
        reader.problem(
            Code::MissingField,
            &path,
            message,
            "write `at_least: 0.95`: of the baseline's number",
        );
    }
    Some(Query { name: name?, query: query?, at_least, at_most })
}

fn read_inconclusive(value: Option<&Value>, reader: &mut Reader<'_>) -> Inconclusive {
    let mut found = Inconclusive { after: None, retreat: false };
    let fields = value.and_then(|value| reader.fields("inconclusive", value, &INCONCLUSIVE));
    let Some(fields) = fields else { return found };
    let after = reader.need(&fields, "after", "2h");
    found.after = after.and_then(|value| reader.duration("inconclusive.after", value));
    match reader.get(&fields, "then") {
        None => {}
        Some(Value::String(word)) if word == "hold" => {}
        Some(Value::String(word)) if word == "retreat" => found.retreat = true,
        Some(other) => {
            let help =
                "`hold` stays and tells; `retreat` goes back to the last weight that was proven";
            let message = format!("`{other}` is neither `hold` nor `retreat`");
            reader.problem(Code::OutOfRange, "inconclusive.then", message, help);
        }
    }
    found
}

fn read_counts(value: &Value, reader: &mut Reader<'_>) -> Option<CountsFrom> {
    let fields = reader.fields("counts", value, &COUNTS)?;
    let every = reader.get(&fields, "every");
    let every = every.and_then(|value| reader.duration("counts.every", value));
    let every = every.unwrap_or(Rollout::EVERY);
    if !(Rollout::FASTEST..=Rollout::SLOWEST).contains(&every) {
        let message = format!("every {every} ms is not from 200 ms to an hour");
        reader.problem(Code::OutOfRange, "counts.every", message, "write `every: 10s`");
    }
    let (url, proxies) = (reader.get(&fields, "prometheus"), reader.get(&fields, "proxies"));
    let matching = reader.get(&fields, "matching");
    let source = match (url, proxies) {
        (Some(url), None) => {
            let matching = matching.and_then(|value| reader.text("counts.matching", value));
            let url = reader.text("counts.prometheus", url)?;
            Source::Prometheus { url, matching: matching.unwrap_or_default() }
        }
        (None, Some(proxies)) => {
            if matching.is_some() {
                let message = "`matching` is of a Prometheus' series".to_owned();
                reader.problem(Code::Conflict, "counts.matching", message, "leave it out");
            }
            Source::Proxies(reader.texts("counts.proxies", proxies, "[http://127.0.0.1:9901]"))
        }
        (Some(_), Some(_)) => {
            let message =
                "the counts come from `prometheus` or from `proxies`, not from both".to_owned();
            reader.problem(Code::Conflict, "counts", message, "leave one of them out");
            return None;
        }
        (None, None) => {
            let message = "nobody is named who has the counts".to_owned();
            let help = "write `prometheus: URL`, or `proxies: [URL, ...]` of admin interfaces";
            reader.problem(Code::MissingField, "counts", message, help);
            return None;
        }
    };
    Some(CountsFrom { source, every })
}

fn read_apply(value: &Value, reader: &mut Reader<'_>) -> Option<Apply> {
    let fields = reader.fields("apply", value, &APPLY)?;
    match (reader.get(&fields, "ecds"), reader.get(&fields, "command")) {
        (Some(path), None) => Some(Apply::Ecds(reader.text("apply.ecds", path)?)),
        (None, Some(words)) => Some(Apply::Command(reader.texts(
            "apply.command",
            words,
            "[kubectl, apply, -f, split.yaml]",
        ))),
        (None, None) => Some(Apply::File),
        (Some(_), Some(_)) => {
            let message = "`ecds` and `command` are two ways to apply a policy".to_owned();
            reader.problem(Code::Conflict, "apply", message, "leave one of them out");
            None
        }
    }
}
