//! One line of an access log -> the request, as far as it was logged.

use std::borrow::Cow;

use engine::host::{AUTHORITY, Host, METHOD, PATH};
use engine::outcome::Class;
use engine::reason::Reason;
use serde_json::Value;

use crate::moment::Moment;
use crate::text::harmless;

/// A logged request.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Logged {
    /// When it was, if that was logged.
    pub(super) at: Option<Moment>,
    headers: Vec<(String, String)>,
    /// The address of whoever sent it.
    source: Option<String>,
    /// What the filter said that it decided: its evidence, or without that its variants; `None` = the log has neither.
    pub(super) told: Option<Vec<Told>>,
    /// How it ended, if that was logged.
    pub(super) class: Option<Class>,
    /// How long it took, in milliseconds, if that was logged.
    pub(super) milliseconds: Option<u64>,
}

/// What a log says that a split decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) split: String,
    pub(super) variant: String,
    /// Why; `None` where the log has the variant alone.
    pub(super) reason: Option<Reason>,
}

impl Told {
    /// Of `checkout=canary;reason=split;bucket=1234, search=b`; what is of no such form is left out.
    fn of(line: &str) -> Vec<Self> {
        let one = |entry: &str| {
            let mut parts = entry.split(';');
            let (split, variant) = parts.next()?.trim().split_once('=')?;
            let word = parts.find_map(|part| part.strip_prefix("reason="));
            let reason = Reason::ALL.into_iter().find(|known| Some(known.as_str()) == word);
            Some(Self { split: split.to_owned(), variant: variant.to_owned(), reason })
        };
        line.split(',').filter_map(one).collect()
    }
}

impl Host for Logged {
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()))
    }

    fn source_address(&self) -> Option<Cow<'_, [u8]>> {
        self.source.as_deref().map(|address| Cow::Borrowed(address.as_bytes()))
    }

    fn is_a_record(&self) -> bool {
        true
    }
}

/// The names under which logs have what is no header by its own name.
const NAMES: [(&str, &[&str]); 4] = [
    (AUTHORITY, &["host", "authority", ":authority"]),
    (METHOD, &["method", ":method"]),
    (PATH, &["path", ":path", "uri"]),
    ("x-forwarded-for", &["x-forwarded-for", "xff"]),
];
const TIMES: [&str; 3] = ["time", "start-time", "timestamp"];
const EVIDENCE: &str = "evidence";
const VARIANTS: [&str; 3] = ["split", "x-split-variant", "variant"];
const CODES: [&str; 4] = ["code", "response-code", "status", "status-code"];
const FLAGS: [&str; 2] = ["flags", "response-flags"];
const DURATIONS: [&str; 3] = ["duration-ms", "duration", "duration-milliseconds"];
const SOURCES: [&str; 3] = ["client-ip", "source-address", "downstream-remote-address"];

impl Logged {
    /// Reads a line in one of the forms that the command's help names; `None` where it is in neither.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let logged = match line.trim_start().starts_with('{') {
            true => Self::of_json(line)?,
            false => Self::of_text(line)?,
        };
        // Without these nothing can be said about which split it would meet.
        [AUTHORITY, PATH].iter().all(|name| logged.header(name).is_some()).then_some(logged)
    }

    /// `GET shop.example.com/cart`.
    pub(super) fn describe(&self) -> String {
        let part = |name| self.header(name).unwrap_or_default();
        let method = self.header(METHOD).unwrap_or("-");
        harmless(&format!("{method} {}{}", part(AUTHORITY), part(PATH)))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn put(&mut self, name: &str, value: &str) {
        // Envoy writes `-` for what is not there.
        if !value.is_empty() && value != "-" {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
    }

    /// An object: fields with a name that is known, and all others as headers.
    fn of_json(line: &str) -> Option<Self> {
        let Value::Object(fields) = serde_json::from_str(line).ok()? else { return None };
        let mut logged = Self::default();
        let (mut flags, mut status, mut variants) = ("", None, None);
        for (name, value) in &fields {
            let name = name.to_ascii_lowercase().replace('_', "-");
            if CODES.contains(&name.as_str()) {
                status = number_of(value);
            } else if DURATIONS.contains(&name.as_str()) {
                logged.milliseconds = number_of(value);
            }
            if VARIANTS.contains(&name.as_str()) {
                // Null where no split applied.
                variants = Some(value.as_str().map(Told::of).unwrap_or_default());
            }
            let Value::String(value) = value else { continue };
            if FLAGS.contains(&name.as_str()) {
                flags = value;
            } else if name == EVIDENCE {
                logged.told = Some(Told::of(value)).filter(|told| !told.is_empty());
            }
            if TIMES.contains(&name.as_str()) {
                logged.at = value.parse().ok();
            } else if SOURCES.contains(&name.as_str()) {
                logged.source = Some(value.clone());
            } else {
                let known = NAMES.iter().find(|(_, names)| names.contains(&name.as_str()));
                logged.put(known.map_or(&name, |(header, _)| header), value);
            }
        }
        logged.told = logged.told.or(variants);
        logged.class = status.map(|status| class_of(status, flags));
        Some(logged)
    }

    /// Envoy's default form, and Istio's, which has more between status and `x-forwarded-for`, and more at the end:
    ///
    /// ```text
    /// [TIME] "METHOD PATH PROTOCOL" 200 - 0 5 1 1 "FORWARDED-FOR" "USER-AGENT" "REQUEST-ID" "AUTHORITY" "UPSTREAM" ...
    /// ```
    ///
    /// Envoy does not escape quotes. So the last three are read from the end, where no client can write a quote.
    fn of_text(line: &str) -> Option<Self> {
        let (time, rest) = line.strip_prefix('[')?.split_once("] \"")?;
        let (request, rest) = rest.split_once("\" ")?;
        let (method, request) = request.split_once(' ')?;
        let (path, _protocol) = request.rsplit_once(' ')?;
        // From the right: what follows the last quote, upstream, blank, authority, blank, id, blank, and the others.
        let mut parts = rest.rsplitn(8, '"').skip(1);
        let mut quoted = || {
            let text = parts.next()?;
            // Between two quoted fields is one blank.
            parts.next().map(|between| (text, between))
        };
        let (_upstream, " ") = quoted()? else { return None };
        let (authority, " ") = quoted()? else { return None };
        let (_id, " ") = quoted()? else { return None };
        let others = parts.next()?;
        let mut numbers = rest.split(' ');
        let (status, flags) = (numbers.next(), numbers.next());
        // Bytes in, bytes out, duration; in Istio's form after three words about the response.
        let skipped = if numbers.clone().next().is_some_and(is_number) { 2 } else { 5 };
        let mut logged = Self { at: time.parse().ok(), ..Self::default() };
        logged.class = status.and_then(|status| Some(class_of(status.parse().ok()?, flags?)));
        logged.milliseconds = numbers.nth(skipped).and_then(|number| number.parse().ok());
        for (name, value) in [(METHOD, method), (PATH, path), (AUTHORITY, authority)] {
            logged.put(name, value);
        }
        let agent = others.split_once('"').map(|(_, quoted)| quoted);
        if let Some(forwarded) = agent.and_then(forwarded_for) {
            logged.put("x-forwarded-for", forwarded);
        }
        Some(logged)
    }
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// A number, or a text that is one.
fn number_of(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// The class of a request; Envoy's flag DC says that the client left.
fn class_of(status: u64, flags: &str) -> Class {
    match Class::from_status(u16::try_from(status).unwrap_or_default()) {
        Class::None if flags.split(',').any(|flag| flag == "DC") => Class::Abort,
        class => class,
    }
}

/// Of `FORWARDED-FOR" "USER-AGENT`; Istio has a quoted reason of failure and numbers before it.
fn forwarded_for(quoted: &str) -> Option<&str> {
    let (first, rest) = quoted.split_once('"')?;
    match rest.strip_prefix(" \"") {
        Some(_) => Some(first),
        None => {
            let (numbers, rest) = rest.split_once('"')?;
            let is_number = |c: char| c.is_ascii_digit() || c == ' ' || c == '-';
            numbers.chars().all(is_number).then_some(rest)?.split_once('"').map(|(xff, _)| xff)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(line: &str) -> Option<Vec<(String, String)>> {
        let mut headers = Logged::parse(line)?.headers;
        headers.sort();
        Some(headers)
    }

    fn expect(line: &str, expected: &[(&str, &str)]) {
        let expected: Vec<_> =
            expected.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        assert_eq!(headers(line), Some(expected), "{line}");
    }

    const ENVOY: &str = r#"[2026-11-20T12:00:00.123Z] "GET /cart?a=1 HTTP/1.1" 200 - 0 5 1 1 "203.0.113.9" "curl/8.0" "6a1f" "shop.example.com" "10.0.0.1:80""#;

    #[test]
    fn envoys_default_form_is_read() {
        expect(
            ENVOY,
            &[
                (AUTHORITY, "shop.example.com"),
                (METHOD, "GET"),
                (PATH, "/cart?a=1"),
                ("x-forwarded-for", "203.0.113.9"),
            ],
        );
        let at = Logged::parse(ENVOY).and_then(|logged| logged.at);
        assert_eq!(at.map(|at| at.to_string()).as_deref(), Some("2026-11-20T12:00:00.123Z"));
    }

    #[test]
    fn istios_default_form_is_read() {
        expect(
            r#"[2026-11-20T12:00:00.123Z] "POST /buy HTTP/2" 200 - via_upstream - "-" 3 5 12 11 "203.0.113.9,10.0.0.2" "Mozilla/5.0 (X11)" "6a1f" "shop.example.com" "10.0.0.1:80" outbound|80||v1 10.0.0.3:1 10.0.0.1:80 10.0.0.2:5 - default"#,
            &[
                (AUTHORITY, "shop.example.com"),
                (METHOD, "POST"),
                (PATH, "/buy"),
                ("x-forwarded-for", "203.0.113.9,10.0.0.2"),
            ],
        );
    }

    #[test]
    fn quotes_in_a_user_agent_do_not_move_the_host() {
        for agent in ["a\"b", "\" \"x\" \"evil.example.com\" \"", "\"", ""] {
            let logged = Logged::parse(&ENVOY.replace("curl/8.0", agent)).unwrap();
            assert_eq!(logged.header(AUTHORITY), Some("shop.example.com"), "{agent}");
            assert_eq!(logged.header("x-forwarded-for"), Some("203.0.113.9"), "{agent}");
        }
    }

    #[test]
    fn json_objects_are_read_whatever_their_fields_are_called() {
        expect(
            r#"{"time": "2026-11-20T12:00:00Z", "method": "GET", "host": "a.test", "path": "/", "code": 200, "cluster": null, "x_user_id": "ada", "flags": "-"}"#,
            &[(AUTHORITY, "a.test"), (METHOD, "GET"), (PATH, "/"), ("x-user-id", "ada")],
        );
        let istio =
            r#"{"authority": "a.test", "path": "/", "downstream_remote_address": "192.0.2.1:5"}"#;
        assert_eq!(Logged::parse(istio).unwrap().source.as_deref(), Some("192.0.2.1:5"));
    }

    #[test]
    fn how_a_request_ended_is_read_in_every_form() {
        let istio = r#"[2026-11-20T12:00:00.123Z] "POST /buy HTTP/2" 503 - via_upstream - "-" 3 5 12 11 "203.0.113.9" "Mozilla/5.0 (X11)" "6a1f" "shop.example.com" "10.0.0.1:80" x"#;
        for (line, class, milliseconds) in [
            (ENVOY, Some(Class::Success), Some(1)),
            (istio, Some(Class::ServerError), Some(12)),
            (
                r#"{"host": "a", "path": "/", "code": 404, "duration_ms": 7}"#,
                Some(Class::ClientError),
                Some(7),
            ),
            (
                r#"{"host": "a", "path": "/", "response_code": "0", "response_flags": "DC", "duration": "9"}"#,
                Some(Class::Abort),
                Some(9),
            ),
            (
                r#"{"host": "a", "path": "/", "code": 0, "duration_ms": null}"#,
                Some(Class::None),
                None,
            ),
            (r#"{"host": "a", "path": "/"}"#, None, None),
        ] {
            let logged = Logged::parse(line).unwrap();
            assert_eq!((logged.class, logged.milliseconds), (class, milliseconds), "{line}");
        }
    }

    #[test]
    fn what_the_filter_said_is_read_and_evidence_comes_before_the_variants() {
        let told = |fields: &str| {
            let line = format!(r#"{{"host": "a", "path": "/", {fields}}}"#);
            Logged::parse(&line).unwrap().told
        };
        let one = |split: &str, variant: &str, reason| Told {
            split: split.to_owned(),
            variant: variant.to_owned(),
            reason,
        };
        let evidence = r#""split": "checkout=canary, b.x=red", "evidence": "checkout=canary;reason=split;bucket=12, b.x=red;reason=override""#;
        let wanted =
            [("checkout", "canary", Some(Reason::Split)), ("b.x", "red", Some(Reason::Override))];
        assert_eq!(
            told(evidence),
            Some(wanted.map(|(split, variant, reason)| one(split, variant, reason)).to_vec())
        );
        let variants = r#""split": "checkout=canary, b.x=red", "evidence": null"#;
        let untold = wanted.map(|(split, variant, _)| one(split, variant, None));
        assert_eq!(told(variants), Some(untold.to_vec()));
        assert_eq!(told(r#""evidence": "nonsense, a;b""#), None);
        assert_eq!(told(r#""evidence": null"#), None, "the policy may not ask for it");
        assert_eq!(told(r#""evidence": null, "split": null"#), Some(vec![]), "no split applied");
    }

    #[test]
    fn what_is_no_request_is_not_read() {
        for line in [
            "",
            "GET / HTTP/1.1",
            "{}",
            "{\"host\": \"a.test\"",
            "[]",
            r#"[t] "- - -" 400 DPE 0 11 0 - "-" "-" "-" "-" "-""#,
            r#"[t] "GET / HTTP/1.1" 200 "a""#,
        ] {
            assert_eq!(Logged::parse(line), None, "{line}");
        }
    }
}
