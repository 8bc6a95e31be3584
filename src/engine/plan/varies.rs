//! What a split's answer depends on besides host, path and query, in the words of HTTP caches: the
//! request headers to name in `vary`, and whether these can tell at all.

use super::questions::Asking;
use crate::ids::HeaderSlot;
use crate::matching::Match;
use crate::policy::{Assignment, KeySource, OnMissingKey, Policy, SecretSource, Split};

/// What a split's answer depends on.
#[derive(Debug, Clone, Default)]
pub struct Varies {
    /// The request headers that its decision reads, each once.
    pub headers: Box<[HeaderSlot]>,
    /// It depends on more than headers tell (chance, the client's address, a checked token), or on
    /// an id or a variant that belongs to one visitor: a shared cache must not keep it.
    pub private: bool,
}

impl Varies {
    pub(super) fn new(policy: &Policy, split: &Split, asking: &mut Asking) -> Self {
        let mut names: Vec<&str> = Vec::new();
        let mut private = split.sticky.is_some()
            || split.assignment == Assignment::Random
            || split.on_missing_key == OnMissingKey::Random;
        for source in &split.key {
            match source {
                KeySource::Header(name) => names.push(name),
                KeySource::Cookie { .. } => names.push(COOKIE),
                KeySource::Query(_) => {}
                KeySource::Jwt { .. } | KeySource::ClientIp | KeySource::Generate(_) => {
                    private = true;
                }
            }
        }
        let overrides = split.overrides.iter().flat_map(|forced| &forced.matches);
        for entry in split.matches.iter().flatten().chain(overrides) {
            private |= !entry.source_ip.is_empty();
            names.extend(read_by(entry));
        }
        if let Some(force) = &policy.force {
            names.push(&force.header);
            names.push(match &force.secret_in {
                SecretSource::Header(name) => name,
                SecretSource::Cookie(_) => COOKIE,
            });
        }
        private |= names.contains(&FORWARDED_FOR);
        // A cache knows the address of a page without being told.
        names.retain(|name| !name.starts_with(':') && *name != "host" && *name != FORWARDED_FOR);
        let mut headers: Vec<HeaderSlot> = Vec::new();
        for slot in names.into_iter().map(|name| asking.header(name)) {
            if !headers.contains(&slot) {
                headers.push(slot);
            }
        }
        Self { headers: headers.into(), private }
    }
}

const COOKIE: &str = "cookie";
/// Made by the proxies on the way: a cache in front of them does not see it as the filter does.
const FORWARDED_FOR: &str = "x-forwarded-for";

fn read_by(entry: &Match) -> impl Iterator<Item = &str> {
    let cookie = (!entry.cookies.is_empty()).then_some(COOKIE);
    entry.headers.iter().map(|test| test.name.as_str()).chain(cookie)
}

#[cfg(test)]
mod tests {
    use crate::plan::Plan;
    use crate::policy;

    /// The headers named, and whether nobody may share the answer.
    fn varies(fields: &str) -> (Vec<String>, bool) {
        let text = format!(
            r#"{{"version": 1, "splits": [{{"name": "s", "baseline": "b", "variants": [{{"name": "b", "weight": 100}}], {fields}}}]}}"#
        );
        let plan = Plan::new(policy::from_json(text.as_bytes()).policy.unwrap());
        let varies = &plan.splits.iter().next().unwrap().varies;
        let names = varies.headers.iter().map(|slot| plan.questions.headers.name(*slot).to_owned());
        let mut names: Vec<_> = names.collect();
        names.sort();
        (names, varies.private)
    }

    #[test]
    fn what_the_decision_reads_is_named_once() {
        for (fields, names) in [
            (
                r#""key": [{"query": "u"}], "match": [{"path": {"prefix": "/"}, "methods": ["GET"]}]"#,
                vec![],
            ),
            (r#""key": [{"cookie": "u"}, {"header": "X-User"}]"#, vec!["cookie", "x-user"]),
            (
                r#""key": [{"header": "u"}], "match": [{"headers": [{"name": "a", "exact": "1"}, {"name": "u", "present": true}]},
                    {"cookies": [{"name": "c", "exact": "1"}]}],
                   "overrides": [{"match": [{"headers": [{"name": "o", "exact": "1"}]}], "variant": "b"}]"#,
                vec!["a", "cookie", "o", "u"],
            ),
        ] {
            assert_eq!(varies(fields), (names.into_iter().map(str::to_owned).collect(), false));
        }
    }

    #[test]
    fn what_no_header_tells_is_private() {
        for (fields, names) in [
            (r#""key": [{"cookie": "u"}, {"generate": {"cookie": "u"}}]"#, vec!["cookie"]),
            (r#""key": [{"jwt": {"provider": "p", "claim": "sub"}}]"#, vec![]),
            (r#""key": [{"client_ip": true}]"#, vec![]),
            (r#""key": [{"header": "x-forwarded-for"}]"#, vec![]),
            (r#""key": [{"header": "u"}], "match": [{"source_ip": ["10.0.0.0/8"]}]"#, vec!["u"]),
            (r#""key": [{"header": "u"}], "on_missing_key": "random""#, vec!["u"]),
            (r#""assignment": "random""#, vec![]),
            (r#""key": [{"header": "u"}], "sticky": {"secret": "0123456789abcdef"}"#, vec!["u"]),
        ] {
            assert_eq!(
                varies(fields),
                (names.into_iter().map(str::to_owned).collect(), true),
                "{fields}"
            );
        }
    }
}
