//! Requests that a split's weights decide, derived from what the split matches.

use engine::decision::{self, Context, Decision, Decisions, Nobody, Step};
use engine::effects::{HeaderEdit, on_request};
use engine::host::{AUTHORITY, Host, METHOD, PATH};
use engine::ids::SplitId;
use engine::matching::{Form, HostPattern, Match, ValueTest};
use engine::plan::Plan;
use engine::policy::KeySource;
use engine::reason::Reason;
use policy_text::sample;

use lab::{DEFAULT_CLUSTER, Request};

/// The name of the nth user, from 1.
pub(super) fn user(number: usize) -> String {
    format!("user-{number}")
}

/// Among so many users some are in every slice of a layer that is not tiny.
const USERS_TRIED: usize = 2_000;

/// One in so many users must be in a split's slice, or fewer requests are sent.
const USERS_PER_MEMBER: usize = 50;

/// A request that meets a split's match, with a place for the user's key.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample {
    request: Request,
    key: KeySource,
    /// What the match wants the key to begin with.
    key_prefix: Vec<u8>,
}

/// The first request that meets one of the split's matches and is judged for one of these reasons, checked
/// with the engine. `None` when no such request could be found.
pub(super) fn derive(plan: &Plan, id: SplitId, reasons: &[Reason]) -> Option<Sample> {
    let split = &plan.policy.splits[id];
    let everything = [Match::default()];
    let matches = split.matches.as_deref().unwrap_or(&everything);
    let sources = |conditions| split.key.iter().map(move |key| (conditions, key));
    let samples = matches
        .iter()
        .flat_map(sources)
        .filter_map(|(conditions, key)| Sample::new(conditions, key));
    samples.into_iter().find(|sample| {
        // Several users, so that a key that is the same for all would show; a slice may hold but few.
        let judged = |user: &String| sample.is_judged(plan, id, reasons, user);
        (1..=USERS_TRIED).map(user).filter(judged).take(3).count() == 3
    })
}

impl Sample {
    fn new(conditions: &Match, key: &KeySource) -> Option<Self> {
        let mut request = Request::get("/");
        if let Some(host) = conditions.hosts.first() {
            request.host = match host {
                HostPattern::Any => request.host,
                HostPattern::Exact(host) => host.to_string(),
                HostPattern::Below(suffix) => format!("www{suffix}"),
            };
        }
        if let Some(path) = &conditions.path {
            request.path = sample::path(path)?;
        }
        if let Some(method) = conditions.methods.first() {
            request.method.clone_from(method);
        }
        let mut sample = Self { request, key: key.clone(), key_prefix: Vec::new() };
        match key {
            KeySource::Header(_) | KeySource::Query(_) => {}
            // Users' names are letters, digits and `-`.
            KeySource::Cookie { decoding, .. } if decoding.keeps_plain_text() => {}
            _ => return None,
        }
        conditions.headers.iter().try_for_each(|header| sample.meet(&header.name, &header.test))?;
        for cookie in &conditions.cookies {
            if cookie.test != ValueTest::Present(false) {
                let pair = [cookie.name.as_bytes(), b"=", &sample::value(&cookie.test)?].concat();
                sample.request.headers.push(("cookie".to_owned(), pair));
            }
        }
        for parameter in &conditions.query {
            if parameter.test != ValueTest::Present(false) {
                let value = sample::value(&parameter.test)?;
                sample.request.path = with_parameter(&sample.request.path, &parameter.name, &value);
            }
        }
        Some(sample)
    }

    /// Makes the request meet a header test, as far as it can.
    fn meet(&mut self, name: &str, test: &ValueTest) -> Option<()> {
        match (&self.key, test) {
            // The key goes into this header.
            (KeySource::Header(key), ValueTest::Is(Form::Prefix(prefix))) if key == name => {
                self.key_prefix = prefix.as_str().as_bytes().to_vec();
            }
            (KeySource::Header(key), ValueTest::Present(true)) if key == name => {}
            (_, ValueTest::Present(false)) => {}
            (_, test) => {
                let value = sample::value(test)?;
                if !self.request.headers.iter().any(|(n, v)| n == name && *v == value) {
                    self.request.headers.push((name.to_owned(), value));
                }
            }
        }
        Some(())
    }

    /// The request of a user.
    pub(super) fn of(&self, user: &str) -> Request {
        let key = self.key_of(user);
        match &self.key {
            KeySource::Header(name) => self.request.clone().header(name, key),
            KeySource::Cookie { name, .. } => {
                let cookie = [name.as_bytes(), b"=", &key].concat();
                self.request.clone().header("cookie", cookie)
            }
            KeySource::Query(name) => {
                let mut request = self.request.clone();
                request.path = with_parameter(&request.path, name, &key);
                request
            }
            // No sample is made of these.
            KeySource::Jwt { .. } | KeySource::ClientIp | KeySource::Generate(_) => {
                self.request.clone()
            }
        }
    }

    /// The requests of so many users to whom the split applies; of fewer where hardly anybody takes part.
    pub(super) fn of_many(&self, plan: &Plan, split: SplitId, users: usize) -> Vec<Request> {
        (1..=users.saturating_mul(USERS_PER_MEMBER))
            .map(|number| self.of(&user(number)))
            // Users whom a slice or a requirement leaves out are passed over: they are in no variant.
            .filter(|request| applies(plan, split, request))
            .take(users)
            .collect()
    }

    /// The request of a user that meets another match entry as well.
    pub(super) fn of_meeting(&self, user: &str, conditions: &Match) -> Option<Request> {
        let mut sample = self.clone();
        let other = Self::new(conditions, &self.key)?;
        if !conditions.hosts.is_empty() {
            sample.request.host = other.request.host;
        }
        if conditions.path.is_some() {
            sample.request.path = other.request.path;
        }
        if !conditions.methods.is_empty() {
            sample.request.method = other.request.method;
        }
        for (name, value) in other.request.headers {
            sample.request.headers.retain(|(n, _)| *n != name);
            sample.request.headers.push((name, value));
        }
        Some(sample.of(user))
    }

    fn key_of(&self, user: &str) -> Vec<u8> {
        [&self.key_prefix, user.as_bytes()].concat()
    }

    /// Whether the engine judges the user's request in this split for one of the reasons, and by that user.
    fn is_judged(&self, plan: &Plan, id: SplitId, reasons: &[Reason], user: &str) -> bool {
        let request = self.of(user);
        let explanation = decision::explain(plan, &plan.facts(&Seen::new(&request)), &now());
        let steps = explanation.of(id);
        steps.iter().any(|step| match step {
            Step::Decided(decision) => reasons.contains(&decision.reason),
            _ => false,
        }) && steps.iter().all(|step| match step {
            Step::Key { key, .. } => *key == self.key_of(user),
            _ => true,
        })
    }
}

/// A path with one more query parameter; what is not plain is percent-encoded.
fn with_parameter(path: &str, name: &str, value: &[u8]) -> String {
    let encoded = |bytes: &[u8]| -> String {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
        let one = |b: &u8| if plain(*b) { char::from(*b).to_string() } else { format!("%{b:02X}") };
        bytes.iter().map(one).collect()
    };
    let separator = if path.contains('?') { '&' } else { '?' };
    format!("{path}{separator}{}={}", encoded(name.as_bytes()), encoded(value))
}

/// What decisions made here depend on besides their request.
pub(super) fn now() -> Context {
    Context { now: crate::moment::now(), random: [0; 2] }
}

/// A request of the lab as the engine sees it: its headers with names in lower case.
struct Seen<'r>(&'r Request, Vec<String>);

impl<'r> Seen<'r> {
    fn new(request: &'r Request) -> Self {
        Self(request, request.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect())
    }
}

impl Host for Seen<'_> {
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let Self(Request { method, host, path, headers, .. }, names) = self;
        let pseudo = [(METHOD, method), (AUTHORITY, host), (PATH, path)];
        let pseudo = pseudo.into_iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let values = headers.iter().map(|(_, value)| value.as_slice());
        pseudo.chain(names.iter().map(|name| name.as_bytes()).zip(values))
    }
}

/// What the engine decides for a request.
pub(super) fn decide(plan: &Plan, request: &Request) -> Vec<Decision> {
    decide_all(plan, request).list().to_vec()
}

fn decide_all(plan: &Plan, request: &Request) -> Decisions {
    decision::decide(plan, &plan.facts(&Seen::new(request)), &now(), &mut Nobody)
}

/// Whether a split applies to a request.
fn applies(plan: &Plan, split: SplitId, request: &Request) -> bool {
    decide_all(plan, request).of(split).is_some()
}

/// The cluster to which the engine sends a request in the lab.
pub(super) fn cluster_of(plan: &Plan, request: &Request) -> String {
    let (seen, decisions) = (Seen::new(request), decide_all(plan, request));
    let effects = on_request(plan, &plan.facts(&seen), &decisions);
    if let Some(respond) = effects.respond {
        return format!("status {}", respond.status);
    }
    let named = effects.headers.iter().find_map(|edit| match edit {
        HeaderEdit::Set { name, value } if *name == plan.policy.cluster_header => {
            Some(String::from_utf8_lossy(value).into_owned())
        }
        _ => None,
    });
    named.unwrap_or_else(|| DEFAULT_CLUSTER.to_owned())
}

#[cfg(test)]
mod tests {
    use engine::policy;

    use super::*;

    /// A plan of one split `s` with this match and key (JSON).
    fn plan(matches: &str, key: &str, overrides: &str) -> Plan {
        let text = format!(
            r#"{{"version": 1, "splits": [{{"name": "s", "match": {matches}, "key": {key}, "baseline": "a",
                "variants": [{{"name": "a", "cluster": "a", "weight": 50}}, {{"name": "b", "cluster": "b", "weight": 50}}],
                "overrides": {overrides}}}]}}"#
        );
        let checked = policy::from_json(text.as_bytes());
        let policy = checked.policy.unwrap_or_else(|| panic!("{:?}", checked.diagnostics));
        Plan::new(policy)
    }

    const FIRST: SplitId = SplitId::FIRST;
    const NO_OVERRIDE: &str = r#"[{"match": [{"methods": ["TRACE"]}], "variant": "a"}]"#;
    const USER: &str = r#"[{"header": "u"}, {"cookie": "uid"}]"#;

    fn derived(matches: &str, key: &str) -> Option<Request> {
        derive(&plan(matches, key, NO_OVERRIDE), FIRST, &[Reason::Split])
            .map(|sample| sample.of("eve"))
    }

    #[test]
    fn a_request_meets_every_kind_of_condition() {
        let matches = r#"[{"hosts": ["*.example.com"], "path": {"prefix": "/api/"}, "methods": ["PUT", "GET"],
            "headers": [{"name": "a", "exact": "1"}, {"name": "b", "prefix": "x"}, {"name": "c", "present": true},
                        {"name": "d", "in": ["z", "y"]}, {"name": "e", "present": false}]}]"#;
        let request = derived(matches, USER).unwrap();
        assert_eq!((request.method.as_str(), request.host.as_str()), ("PUT", "www.example.com"));
        assert_eq!(request.path, "/api/");
        let headers: Vec<_> =
            request.headers.iter().map(|(n, v)| (n.as_str(), v.as_slice())).collect();
        assert_eq!(
            headers,
            [("a", &b"1"[..]), ("b", b"x"), ("c", b"1"), ("d", b"z"), ("u", b"eve")]
        );
    }

    #[test]
    fn the_key_itself_may_be_a_condition() {
        let with =
            |test: &str| derived(&format!(r#"[{{"headers": [{{"name": "u", {test}}}]}}]"#), USER);
        assert_eq!(
            with(r#""prefix": "vip-""#).unwrap().headers,
            [("u".to_owned(), b"vip-eve".to_vec())]
        );
        assert_eq!(
            with(r#""present": true"#).unwrap().headers,
            [("u".to_owned(), b"eve".to_vec())]
        );
        // Without the header the cookie is the key.
        assert_eq!(
            with(r#""present": false"#).unwrap().headers,
            [("cookie".to_owned(), b"uid=eve".to_vec())]
        );
    }

    #[test]
    fn one_key_for_all_users_is_no_sample() {
        assert_eq!(
            derived(r#"[{"headers": [{"name": "u", "exact": "ann"}]}]"#, r#"[{"header": "u"}]"#),
            None
        );
    }

    #[test]
    fn a_split_that_overrides_decide_alone_has_no_sample() {
        let always = r#"[{"match": [{"path": {"prefix": "/"}}], "variant": "a"}]"#;
        let plan = plan(r#"[{"methods": ["GET"]}]"#, USER, always);
        assert_eq!(derive(&plan, FIRST, &[Reason::Split]), None);
        assert!(derive(&plan, FIRST, &[Reason::Override]).is_some());
    }

    #[test]
    fn of_several_matches_the_first_that_works_is_taken() {
        let overridden_first = r#"[{"methods": ["TRACE"]}, {"path": {"exact": "/b"}}]"#;
        assert_eq!(derived(overridden_first, USER).unwrap().path, "/b");
    }

    #[test]
    fn a_request_can_meet_an_override_too() {
        let overrides = r#"[{"match": [{"headers": [{"name": "x-tier", "exact": "premium"}]}], "variant": "b"}]"#;
        let plan = plan(r#"[{"path": {"prefix": "/"}}]"#, USER, overrides);
        let sample = derive(&plan, FIRST, &[Reason::Split]).unwrap();
        let conditions = &plan.policy.splits[FIRST].overrides[0].matches[0];
        let request = sample.of_meeting("eve", conditions).unwrap();
        assert_eq!(decide(&plan, &request)[0].reason, Reason::Override);
        assert_eq!(cluster_of(&plan, &request), "b");
    }
}
