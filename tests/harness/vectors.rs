//! Conformance vectors: files in `tests/vectors/cases`, each one behaviour that holds natively, in
//! a wasm host and in Envoy alike.
//!
//! ```json
//! {
//!   "about": "what the file shows",
//!   "policy": {"version": 1, "splits": []},
//!   "cases": [{
//!     "about": "one sentence",
//!     "request": {":path": "/x", "x-user-id": "ada", "cookie": ["a=1", "b=2"], "x-raw": {"hex": "ff"}},
//!     "decisions": ["checkout=canary split"],
//!     "upstream": {"x-split-cluster": "checkout-v2", "x-split-variant": null}
//!   }]
//! }
//! ```
//! `request`: names and values; a list is several lines; `{"hex": ..}` are raw bytes. `:method`,
//! `:authority` and `:path` are `GET`, `vector.test` and `/` where they are not given. `decisions`:
//! what each split that applies decided, and why. `upstream`: headers as they go on to the
//! upstream; `null` = the header is not there; a list is several lines.
//!
//! What a case may say besides:
//!
//! | field | meaning |
//! |---|---|
//! | `response` | headers as they come back to the client, in the form of `upstream`; `{"prefix": ..}` is a line that begins so |
//! | `reply` | `{"status": 503, "body": ".."}`: the proxy answers itself, nothing reaches an upstream |
//! | `evidence` | the filter state `wasm.traffic_split_evidence`; `null` = there is none |
//! | `refused` | `true`: the request wanted to force a variant, and did not know the secret |
//! | `client` | `ip:port` of the connection, as the property `source.address` has it |
//! | `jwt` | `{provider: {claim: value}}`: claims of a token that was checked before |
//! | `now` | the clock, as `2026-11-20T12:00:00Z` |
//! | `random` | two numbers of 16 hexadecimal digits: the chance of this request |
//! | `answer` | response headers of the upstream, before the filter sees them |
//! | `tripped` | variants that are out of service, as `checkout/canary` |
//! | `bad` | `[{"variant": "checkout/canary", "users": 8, "class": "5xx", "milliseconds": 20, "at": ".."}]`: what so many users of a variant met before, for the split's guard; each of them is another one |
//!
//! What cannot be arranged is left out: chance and what is out of service are arranged natively alone; clock, connection, token
//! and the upstream's headers natively and in the module.

mod read;

use std::borrow::Cow;
use std::fmt;

use anyhow::{Context as _, Result, anyhow, ensure};
use engine::decision::Context;
use engine::host::{Claim, Host};
use engine::outcome::Class;
use engine::units::Moment;
use serde_json::Value;

pub(crate) use read::milliseconds_of;
pub use read::{all, corpus};

/// A vector file.
#[derive(Debug, Clone)]
pub struct Vector {
    /// Its file name, for messages.
    pub file: String,
    /// What it shows.
    pub about: String,
    /// The policy.
    pub policy: Value,
    /// The requests.
    pub cases: Vec<Case>,
}

/// One request and what must become of it.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it shows.
    pub about: String,
    /// Lower-case names and values, pseudo-headers first.
    pub request: Vec<(String, Vec<u8>)>,
    /// As `checkout=canary split`.
    pub decisions: Vec<String>,
    /// Headers at the upstream: all lines of each; none = not there.
    pub upstream: Vec<(String, Vec<Line>)>,
    /// Headers of the response at the client, likewise.
    pub response: Vec<(String, Vec<Line>)>,
    /// The proxy's own answer.
    pub reply: Option<Reply>,
    /// The filter state that says why; empty where there must be none, `None` where it does not matter.
    pub evidence: Option<String>,
    /// Whether a wish to force a variant is refused.
    pub refused: bool,
    /// Who sent the request: `ip:port`.
    pub client: Option<String>,
    /// Provider, claim and value.
    pub jwt: Option<Vec<u8>>,
    /// Milliseconds since 1970.
    pub now: Option<u64>,
    /// The chance of this request.
    pub random: Option<[u64; 2]>,
    /// Response headers of the upstream.
    pub answer: Vec<(String, Vec<u8>)>,
    /// Variants that are out of service: split and variant.
    pub tripped: Vec<(String, String)>,
    /// What users met before.
    pub bad: Vec<Met>,
}

/// What some users of a variant met.
#[derive(Debug, Clone)]
pub struct Met {
    /// Split and variant.
    pub variant: (String, String),
    /// How many users, each another one.
    pub users: u64,
    /// How their requests ended.
    pub class: Class,
    /// How long they took.
    pub milliseconds: u64,
    /// Milliseconds since 1970.
    pub at: u64,
}

/// What a line of a header must be.
#[derive(Clone, PartialEq, Eq)]
pub enum Line {
    /// This.
    Is(Vec<u8>),
    /// Something that begins with this.
    Begins(Vec<u8>),
}

/// An answer by the proxy itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl Line {
    /// Whether a line is as it must be.
    pub fn is_met(&self, line: &[u8]) -> bool {
        match self {
            Self::Is(wanted) => line == wanted,
            Self::Begins(wanted) => line.starts_with(wanted),
        }
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(line) => write!(f, "\"{}\"", line.escape_ascii()),
            Self::Begins(line) => write!(f, "\"{}\"..", line.escape_ascii()),
        }
    }
}

/// That something is as it must be, or what differs.
///
/// # Errors
/// When it is not.
pub fn same<T: fmt::Debug + PartialEq>(what: &str, found: &T, wanted: &T) -> Result<()> {
    ensure!(found == wanted, "{what}: {found:?} is not {wanted:?}");
    Ok(())
}

/// The same for headers, of which `found` gives all lines of a name.
///
/// # Errors
/// When a header is not as it must be.
pub fn same_headers<L: AsRef<[u8]>>(
    whose: &str,
    found: impl Fn(&str) -> Vec<L>,
    wanted: &[(String, Vec<Line>)],
) -> Result<()> {
    for (name, wanted) in wanted {
        let found = found(name);
        let met = found.len() == wanted.len()
            && wanted.iter().zip(&found).all(|(wanted, found)| wanted.is_met(found.as_ref()));
        let shown: Vec<_> = found.iter().map(|line| Line::Is(line.as_ref().to_vec())).collect();
        ensure!(met, "{whose} `{name}`: {shown:?} is not {wanted:?}");
    }
    Ok(())
}

impl Vector {
    /// The name of its file, without the extension.
    pub fn name(&self) -> &str {
        self.file.trim_end_matches(".json")
    }

    /// The vector with the cases that can be arranged somewhere, if there are any.
    pub fn only(&self, arranged: fn(&Case) -> bool) -> Option<Self> {
        let cases: Vec<_> = self.cases.iter().filter(|case| arranged(case)).cloned().collect();
        (!cases.is_empty()).then(|| Self { cases, ..self.clone() })
    }

    /// Tries every case.
    ///
    /// # Errors
    /// With all cases that do not hold, and what differs there.
    pub fn each(&self, holds: impl Fn(&Case) -> Result<()>) -> Result<()> {
        let failure = |case: &Case| {
            let place = || format!("{}: {}", self.file, case.about);
            holds(case).with_context(place).err().map(|error| format!("{error:#}"))
        };
        let failures: Vec<String> = self.cases.iter().filter_map(failure).collect();
        if failures.is_empty() { Ok(()) } else { Err(anyhow!(failures.join("\n"))) }
    }
}

impl Case {
    /// What the decision may depend on besides the request.
    pub fn context(&self) -> Context {
        Context {
            now: Moment::new(self.now.unwrap_or_default()),
            random: self.random.unwrap_or([7, 8]),
        }
    }

    /// Whether a module that makes its own random numbers, and has its own guard, can be held to this case.
    pub fn runs_in_the_module(&self) -> bool {
        self.random.is_none() && self.tripped.is_empty() && self.bad.is_empty()
    }

    /// The status of the response that the filter sees.
    pub fn status(&self) -> u16 {
        let sent = self.answer.iter().find(|(name, _)| name == ":status");
        let sent = sent.map(|(_, status)| {
            let digits = str::from_utf8(status).ok();
            digits.and_then(|digits| digits.parse().ok()).expect("a status")
        });
        sent.or(self.reply.as_ref().map(|reply| reply.status)).unwrap_or(200)
    }

    /// Whether an Envoy on the loopback, with its own clock, can be held to this case.
    pub fn runs_in_envoy(&self) -> bool {
        let arranged = self.now.is_some() || self.client.is_some() || self.jwt.is_some();
        // Envoy refuses targets with a fragment, as it should.
        let target = self.request.iter().find(|(name, _)| name == ":path");
        let refused = target.is_some_and(|(_, path)| path.contains(&b'#'));
        self.runs_in_the_module() && !arranged && !refused && self.answer.is_empty()
    }
}

impl Host for Case {
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.request.iter().map(|(name, value)| (name.as_bytes(), value.as_slice()))
    }

    fn source_address(&self) -> Option<Cow<'_, [u8]>> {
        self.client.as_ref().map(|client| client.as_bytes().into())
    }

    fn claim(&self, claim: &Claim) -> Option<Cow<'_, [u8]>> {
        claim.find_in(self.jwt.as_deref()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_chance_or_the_clock_decides_is_left_out_and_most_cases_run_everywhere() {
        let cases: Vec<Case> = all().into_iter().flat_map(|vector| vector.cases).collect();
        assert!(cases.iter().any(|case| !case.runs_in_the_module()));
        assert!(cases.iter().any(|case| case.now.is_some() && !case.runs_in_envoy()));
        let in_envoy = cases.iter().filter(|case| case.runs_in_envoy()).count();
        assert!(in_envoy > 200, "only {in_envoy} cases");
    }

    #[test]
    fn a_vector_that_does_not_hold_says_where_and_what_differs() {
        let mut vector = all().swap_remove(0);
        vector.file = "a.json".into();
        vector.cases.truncate(2);
        vector.cases[0].about = "first".into();
        let wanted = [("x".to_owned(), vec![Line::Is(vec![b'a', 0xff])])];
        let holds = |case: &Case| match case.about.as_str() {
            "first" => same_headers("upstream", |_| vec![b"b"], &wanted),
            _ => same("decisions", &1, &1),
        };
        let said = vector.each(holds).unwrap_err().to_string();
        assert_eq!(said, r#"a.json: first: upstream `x`: ["b"] is not ["a\xff"]"#);
    }
}
