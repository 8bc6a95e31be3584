//! Reads the files of vectors.

use std::fs;
use std::path::PathBuf;

use serde_json::{Map, Value};

use engine::outcome::Class;

use super::{Case, Line, Met, Reply, Vector};
use crate::wire::wire_claims;

/// Every vector, by file name.
pub fn all() -> Vec<Vector> {
    folder("tests/vectors/cases")
}

/// Every policy that was ever valid and what was decided by it, in the form of vectors. What
/// responses told caches is left out, and the cookies of answers that failed: both were wrong once
/// (tests/corpus/README.md), and the vectors say what is right.
pub fn corpus() -> Vec<Vector> {
    let mut all = folder("tests/corpus");
    for case in all.iter_mut().flat_map(|vector| &mut vector.cases) {
        let failed = case.status() >= 500;
        case.response.retain(|(name, _)| name != "vary" && !(failed && name == "set-cookie"));
    }
    all
}

fn folder(path: &str) -> Vec<Vector> {
    let mut files: Vec<PathBuf> = fs::read_dir(crate::root().join(path))
        .expect("the folder is there")
        .map(|entry| entry.expect("a file").path())
        .filter(|file| file.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    files.iter().map(read).collect()
}

fn read(path: &PathBuf) -> Vector {
    let file = path.file_name().expect("a file name").to_string_lossy().into_owned();
    let text = fs::read_to_string(path).expect("the file can be read");
    let document: Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
    let mut fields = object(document, &file);
    let mut take =
        |name: &str| fields.remove(name).unwrap_or_else(|| panic!("{file} needs `{name}`"));
    let (about, policy, cases) = (take("about"), take("policy"), take("cases"));
    assert!(fields.is_empty(), "{file} has unknown fields: {fields:?}");
    let cases = cases
        .as_array()
        .expect("a list of cases")
        .iter()
        .map(|case| read_case(case, &file))
        .collect();
    Vector { about: text_of(&about), policy, cases, file }
}

fn read_case(case: &Value, file: &str) -> Case {
    let mut fields = object(case.clone(), file);
    let mut take = |name: &str| {
        fields.remove(name).unwrap_or_else(|| panic!("a case of {file} needs `{name}`"))
    };
    let (about, request, decisions, upstream) =
        (take("about"), take("request"), take("decisions"), take("upstream"));
    let mut optional = |name: &str| fields.remove(name);
    let headers_of = |value: Option<Value>| {
        let given = value.map(|value| object(value, file)).unwrap_or_default();
        given.into_iter().map(|(name, value)| (name, lines_of(&value))).collect()
    };
    let response = headers_of(optional("response"));
    let reply = optional("reply").map(|reply| Reply {
        status: reply["status"].as_u64().and_then(|s| u16::try_from(s).ok()).expect("a status"),
        body: text_of(&reply["body"]),
    });
    let evidence = optional("evidence")
        .map(|evidence| if evidence.is_null() { String::new() } else { text_of(&evidence) });
    let refused = optional("refused").is_some_and(|refused| refused.as_bool().expect("a truth"));
    let client = optional("client").map(|client| text_of(&client));
    let jwt = optional("jwt").map(|jwt| wire_claims(&jwt));
    let now = optional("now").map(|now| milliseconds_of(&text_of(&now)));
    let random = optional("random").map(|random| {
        let hex = |at: usize| u64::from_str_radix(&text_of(&random[at]), 16).expect("hexadecimal");
        [hex(0), hex(1)]
    });
    let tripped = optional("tripped")
        .map(|list| list.as_array().expect("a list").iter().map(pair_of).collect());
    let bad =
        optional("bad").map(|list| list.as_array().expect("a list").iter().map(met_of).collect());
    let answer = optional("answer").map(|answer| pairs_of(&object(answer, file)));
    assert!(fields.is_empty(), "a case of {file} has unknown fields: {fields:?}");
    let given = object(request, file);
    let defaults = [(":method", "GET"), (":authority", "vector.test"), (":path", "/")];
    let mut request: Vec<(String, Vec<u8>)> = defaults
        .into_iter()
        .filter(|(name, _)| !given.contains_key(*name))
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    request.extend(pairs_of(&given));
    request.sort_by_key(|(name, _)| !name.starts_with(':'));
    Case {
        about: text_of(&about),
        request,
        decisions: decisions.as_array().expect("a list").iter().map(text_of).collect(),
        upstream: headers_of(Some(upstream)),
        response,
        reply,
        evidence,
        refused,
        client,
        jwt,
        now,
        random,
        answer: answer.unwrap_or_default(),
        tripped: tripped.unwrap_or_default(),
        bad: bad.unwrap_or_default(),
    }
}

/// `checkout/canary`.
fn pair_of(name: &Value) -> (String, String) {
    let name = text_of(name);
    let (split, variant) = name.split_once('/').expect("`split/variant`");
    (split.to_owned(), variant.to_owned())
}

fn met_of(met: &Value) -> Met {
    let class = text_of(&met["class"]);
    let class = Class::ALL.into_iter().find(|known| known.as_str() == class);
    Met {
        variant: pair_of(&met["variant"]),
        users: met["users"].as_u64().expect("a number"),
        class: class.expect("a class"),
        milliseconds: met["milliseconds"].as_u64().expect("a number"),
        at: met["at"].as_str().map_or(0, milliseconds_of),
    }
}

/// Names and values; a list is several lines.
fn pairs_of(given: &Map<String, Value>) -> Vec<(String, Vec<u8>)> {
    let lines = |value: &Value| match value {
        Value::Array(lines) => lines.iter().map(bytes_of).collect(),
        one => vec![bytes_of(one)],
    };
    let each = given
        .iter()
        .flat_map(|(name, value)| lines(value).into_iter().map(move |line| (name.clone(), line)));
    each.collect()
}

fn lines_of(value: &Value) -> Vec<Line> {
    let line = |value: &Value| match value.get("prefix") {
        Some(prefix) => Line::Begins(bytes_of(prefix)),
        None => Line::Is(bytes_of(value)),
    };
    match value {
        Value::Null => Vec::new(),
        Value::Array(lines) => lines.iter().map(line).collect(),
        one => vec![line(one)],
    }
}

/// The milliseconds since 1970 of `2026-11-20T12:00:00Z`, with milliseconds where they are given.
pub(crate) fn milliseconds_of(time: &str) -> u64 {
    let numbers: Vec<i64> = time
        .trim_end_matches('Z')
        .split(['-', 'T', ':', '.'])
        .map(|part| part.parse().expect("a number of a time"))
        .collect();
    let [year, month, day, hour, minute, second] = numbers[..6] else { panic!("a time: {time}") };
    // Days by the proleptic Gregorian calendar, with years that begin in March.
    let (years, months) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * years + years / 4 - years / 100 + years / 400 + (153 * months + 2) / 5 + day;
    let days = days - 719_469;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    let fraction = numbers.get(6).copied().unwrap_or_default();
    u64::try_from(seconds * 1_000 + fraction).expect("a time after 1970")
}

fn object(value: Value, file: &str) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        other => panic!("{file}: an object is needed, not {other}"),
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn bytes_of(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.clone().into_bytes(),
        Value::Object(raw) => {
            let hex = raw.get("hex").and_then(Value::as_str).expect("`hex`").as_bytes();
            let digit = |b: &u8| char::from(*b).to_digit(16).expect("a hexadecimal digit");
            hex.chunks(2)
                .map(|pair| pair.iter().fold(0, |n, b| (n << 4) | digit(b) as u8))
                .collect()
        }
        other => panic!("a text or {{\"hex\": ..}} is needed, not {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_milliseconds_since_1970() {
        for (time, wanted) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T00:00:00Z", 951_782_400_000),
            ("2026-11-20T12:00:00Z", 1_795_176_000_000),
            ("2026-11-20T12:00:00.250Z", 1_795_176_000_250),
            ("2024-12-31T23:59:59Z", 1_735_689_599_000),
        ] {
            assert_eq!(milliseconds_of(time), wanted, "{time}");
        }
    }
}
