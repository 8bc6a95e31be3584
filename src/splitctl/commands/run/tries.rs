//! Requests for a person to try, with the answers they will see: found with the engine, checked in Envoy.

use std::net::SocketAddr;

use anyhow::Result;
use engine::decision::Decision;
use engine::ids::SplitId;
use engine::plan::Plan;
use engine::reason::Reason;
use lab::{Lab, Request};
use serde::Serialize;

use super::sample::{self, Sample, cluster_of, decide, user};

/// Among so many users everything that is not very rare occurs.
const USERS: usize = 100_000;

/// A request and what comes of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Try {
    /// What it shows.
    pub(super) what: String,
    /// The request as a command.
    pub(super) curl: String,
    /// The cluster that the engine sends it to.
    pub(super) expected: String,
    /// What Envoy's answer came from.
    pub(super) answered: String,
}

impl Try {
    /// Whether Envoy did what the engine said.
    pub(super) fn is_fine(&self) -> bool {
        self.expected == self.answered
    }
}

/// What there is to try with a plan, each request sent once to see that it is true.
pub(super) fn find(lab: &Lab, plan: &Plan) -> Result<Vec<Try>> {
    let mut tries = Vec::new();
    for (what, request) in requests(plan) {
        let expected = cluster_of(plan, &request);
        let response = lab.send(&request)?;
        let answered = match response.cluster() {
            Some(cluster) => cluster.to_owned(),
            None => format!("status {}", response.status),
        };
        tries.push(Try { what, curl: curl(&request, lab.listener()), expected, answered });
    }
    Ok(tries)
}

/// A user on another variant than the baseline, an override, a forged header, and a request for no split:
/// those of them that the first split with a sample can show.
fn requests(plan: &Plan) -> Vec<(String, Request)> {
    let mut requests = Vec::new();
    let samples = plan.enabled().filter_map(|(id, ..)| {
        let sample = sample::derive(plan, id, &[Reason::Split])?;
        Some((id, sample))
    });
    let samples: Vec<_> = samples.collect();
    for (split, sample) in &samples {
        requests.extend(on_another_variant(plan, *split, sample));
    }
    if let Some((split, sample)) = samples.first() {
        requests.extend(overridden(plan, *split, sample));
        requests.extend(forged(plan, *split, sample));
    }
    if plan.policy.kill
        && let Some(sample) =
            plan.enabled().find_map(|(id, ..)| sample::derive(plan, id, &[Reason::Killed]))
    {
        requests.push(("kill serves the baseline".to_owned(), sample.of(&user(1))));
    }
    let elsewhere = Request::get("/");
    if decide(plan, &elsewhere).is_empty() {
        requests.push(("no split matches: the route's default".to_owned(), elsewhere));
    }
    requests
}

fn of_split(plan: &Plan, split: SplitId, request: &Request) -> Option<Decision> {
    decide(plan, request).into_iter().find(|decision| decision.split == split)
}

fn name(plan: &Plan, decision: &Decision) -> String {
    plan.policy.splits[decision.split].variants[decision.variant].name.clone()
}

/// The first user whom the weights give a variant other than the baseline.
fn on_another_variant(plan: &Plan, split: SplitId, sample: &Sample) -> Option<(String, Request)> {
    let baseline = plan.policy.splits[split].baseline;
    (1..=USERS).find_map(|number| {
        let user = user(number);
        let request = sample.of(&user);
        let decision = of_split(plan, split, &request)?;
        let what = || format!("the weights give {user} the variant {}", name(plan, &decision));
        (decision.variant != baseline).then(|| (what(), request.clone()))
    })
}

/// The first override that a request can meet, for a user whom the weights give another variant.
fn overridden(plan: &Plan, split: SplitId, sample: &Sample) -> Option<(String, Request)> {
    let overrides = &plan.policy.splits[split].overrides;
    overrides.iter().find_map(|forced| {
        let (user, other) = (1..=USERS).map(user).find_map(|user| {
            let decision = of_split(plan, split, &sample.of(&user))?;
            (Some(decision.variant) != forced.variant).then_some((user, decision))
        })?;
        forced.matches.iter().find_map(|conditions| {
            let request = sample.of_meeting(&user, conditions)?;
            let decision = of_split(plan, split, &request)?;
            let what = || {
                let (forced, other) = (name(plan, &decision), name(plan, &other));
                format!("an override gives {user} {forced} and not {other}")
            };
            (decision.reason == Reason::Override && Some(decision.variant) == forced.variant)
                .then(|| (what(), request))
        })
    })
}

/// A user who sends the control header with the cluster of another variant.
fn forged(plan: &Plan, split: SplitId, sample: &Sample) -> Option<(String, Request)> {
    let user = user(1);
    let request = sample.of(&user);
    let mine = cluster_of(plan, &request);
    let clusters =
        plan.policy.splits[split].variants.iter().filter_map(|variant| variant.cluster.as_deref());
    let other = clusters.into_iter().find(|cluster| *cluster != mine)?;
    let decision = of_split(plan, split, &request)?;
    let (header, variant) = (&plan.policy.cluster_header, name(plan, &decision));
    let what = format!("a client cannot choose: {user} stays on {variant}, whatever {header} says");
    Some((what, request.header(header, other)))
}

/// The request as a command for a shell.
fn curl(request: &Request, listener: SocketAddr) -> String {
    let mut words = vec!["curl".to_owned()];
    match request.method.as_str() {
        "GET" => {}
        "HEAD" => words.push("--head".to_owned()),
        method => words.extend(["-X".to_owned(), quoted(method)]),
    }
    if request.host != Request::get("/").host {
        words.extend(["-H".to_owned(), quoted(&format!("host: {}", request.host))]);
    }
    for (name, value) in &request.headers {
        words.extend([
            "-H".to_owned(),
            quoted(&format!("{name}: {}", String::from_utf8_lossy(value))),
        ]);
    }
    words.push(quoted(&format!("http://{listener}{}", request.path)));
    words.join(" ")
}

/// As one word for a shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use engine::policy;
    use policy_text::source::Source;

    use super::*;

    /// The default policy of `splitctl run`.
    fn default_plan() -> Plan {
        let text = include_str!("../../../../envoy/policy.yaml");
        let document = Source::new("policy.yaml", text).policy().unwrap().value;
        let checked = policy::check(&document);
        assert_eq!(checked.diagnostics, []);
        Plan::new(checked.policy.unwrap())
    }

    #[test]
    fn the_default_policy_has_all_four_things_to_try() {
        let plan = default_plan();
        let found = requests(&plan);
        let shown: Vec<_> = found
            .iter()
            .map(|(what, request)| (what.as_str(), cluster_of(&plan, request)))
            .collect();
        let [canary, overridden, forged, elsewhere] = &shown[..] else { panic!("{shown:?}") };
        assert!(canary.0.ends_with(" canary") && canary.1 == "checkout-v2", "{shown:?}");
        assert!(
            overridden.0.contains("stable and not canary") && overridden.1 == "checkout-v1",
            "{shown:?}"
        );
        assert!(forged.0.contains("stays on stable") && forged.1 == "checkout-v1", "{shown:?}");
        assert_eq!(elsewhere.1, "default");
    }

    #[test]
    fn a_policy_without_splits_has_only_the_default_route() {
        let plan = Plan::new(policy::Policy::default());
        assert_eq!(requests(&plan).len(), 1);
    }

    #[test]
    fn a_command_is_safe_for_a_shell() {
        let listener = SocketAddr::from(([127, 0, 0, 1], 10000));
        let request = Request::get("/a?b=1&c")
            .method("PUT")
            .host("shop.example.com")
            .header("x-a", "it's; $(rm)");
        let expected = r#"curl -X PUT -H 'host: shop.example.com' -H 'x-a: it'\''s; $(rm)' 'http://127.0.0.1:10000/a?b=1&c'"#;
        assert_eq!(curl(&request, listener), expected);
        assert_eq!(curl(&Request::get("/"), listener), "curl http://127.0.0.1:10000/");
    }
}
