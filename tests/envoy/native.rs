//! What the engine itself says about a request, to compare Envoy with.

use std::collections::BTreeMap;

use engine::decision::{Context, Nobody, decide};
use engine::plan::Plan;
use engine::policy;
use lab::{DEFAULT_CLUSTER, Request};
use serde_json::Value;

/// A policy compiled here, outside Envoy.
pub(crate) struct Native {
    plan: Plan,
    /// The number that shows which policy it is.
    pub(crate) hash: u64,
}

/// What must become of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    /// The cluster that the filter names.
    pub(crate) cluster: Option<String>,
    /// The cluster that gets a copy.
    pub(crate) mirror: Option<String>,
    /// `checkout=canary`: the variant header and the filter state.
    pub(crate) state: Option<String>,
    /// `checkout=canary;reason=split;bucket=1234`.
    pub(crate) evidence: Option<String>,
    /// Split, variant and reason of every decision.
    pub(crate) decisions: Vec<[String; 3]>,
}

impl Native {
    pub(crate) fn new(document: &Value) -> Self {
        let checked = policy::from_json(document.to_string().as_bytes());
        let problems: Vec<_> = checked.diagnostics.iter().map(ToString::to_string).collect();
        let policy = checked.policy.unwrap_or_else(|| panic!("{problems:#?}"));
        Self { plan: Plan::new(policy), hash: checked.hash }
    }

    /// For requests that chance does not decide.
    pub(crate) fn expect(&self, request: &Request) -> Expected {
        let pairs = pairs(request);
        let facts = self.plan.facts(pairs.as_slice());
        let decisions = decide(&self.plan, &facts, &Context::default(), &mut Nobody);
        let served = || {
            decisions.list().iter().map(|decision| {
                let split = &self.plan.policy.splits[decision.split];
                (decision, split, &split.variants[decision.variant])
            })
        };
        let words = served().map(|(decision, split, variant)| {
            [split.name.clone(), variant.name.clone(), decision.reason.as_str().to_owned()]
        });
        let mirrored = served().filter(|(decision, ..)| decision.mirror);
        let mut mirrors = mirrored.filter_map(|(_, split, _)| split.mirror.as_ref());
        let evidence = served().map(|(decision, split, v)| {
            let bucket = decision.bucket().map(|bucket| format!(";bucket={}", bucket.number()));
            let (reason, bucket) = (decision.reason.as_str(), bucket.unwrap_or_default());
            format!("{}={};reason={reason}{bucket}", split.name, v.name)
        });
        Expected {
            evidence: evidence.reduce(|all, one| all + ", " + &one),
            mirror: mirrors.next().map(|mirror| mirror.cluster.clone()),
            cluster: served().find_map(|(.., variant)| variant.cluster.clone()),
            decisions: words.collect(),
            state: served()
                .map(|(_, split, v)| format!("{}={}", split.name, v.name))
                .reduce(|all, tag| all + ", " + &tag),
        }
    }

    /// The upstream that must answer.
    pub(crate) fn cluster(&self, request: &Request) -> String {
        self.expect(request).cluster.unwrap_or_else(|| DEFAULT_CLUSTER.to_owned())
    }

    /// How often each decision must be counted.
    pub(crate) fn counts<'r>(
        &self,
        requests: impl IntoIterator<Item = &'r Request>,
    ) -> BTreeMap<[String; 3], u64> {
        let mut counts = BTreeMap::new();
        for decision in requests.into_iter().flat_map(|request| self.expect(request).decisions) {
            *counts.entry(decision).or_default() += 1;
        }
        counts
    }

    /// The users, of those with the numbers given, who are served this cluster.
    pub(crate) fn users_of(&self, cluster: &str, numbers: std::ops::Range<u32>) -> Vec<Request> {
        numbers.map(crate::bench::user).filter(|request| self.cluster(request) == cluster).collect()
    }
}

/// A request as the proxy sees it.
fn pairs(request: &Request) -> Vec<(String, Vec<u8>)> {
    let pseudo =
        [(":method", &request.method), (":authority", &request.host), (":path", &request.path)];
    let pseudo = pseudo.map(|(name, value)| (name.to_owned(), value.clone().into_bytes()));
    let fields =
        request.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
    pseudo.into_iter().chain(fields).collect()
}
