//! The conformance vectors through the real module.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use harness::vectors::{Case, Reply, Vector, same, same_headers};
use harness::wasm_host::{Headers, Outcome, Response, WasmHost};
use serde_json::Value;

pub(crate) fn holds(vector: &Vector) -> Result<()> {
    vector.each(|case| holds_for(&vector.policy, case))
}

fn holds_for(policy: &Value, case: &Case) -> Result<()> {
    let mut host = harness::module::running(policy);
    arrange(&mut host, case);
    let request = with(Headers::new(), &case.request);
    let mut answer = Response::status(case.status());
    let pseudo = |(name, _): &&(String, Vec<u8>)| !name.starts_with(':');
    answer.headers = with(answer.headers, case.answer.iter().filter(pseudo));
    let (asked, answered) =
        host.exchange(&request, &answer).map_err(|failure| anyhow!("{failure}"))?;
    same_headers("upstream", |name| asked.headers.all(name).collect(), &case.upstream)?;
    same_headers("response", |name| answered.headers.all(name).collect(), &case.response)?;
    same("reply", &reply(&asked)?, &case.reply)?;
    if let Some(evidence) = &case.evidence {
        let left = asked.filter_state.get("traffic_split_evidence");
        let left = String::from_utf8_lossy(left.map_or(&[][..], Vec::as_slice)).into_owned();
        same("evidence", &left, evidence)?;
    }
    let mut wanted: Vec<String> = case.decisions.iter().map(|d| counter(d)).collect();
    wanted.sort();
    same("counted", &counted(&host, "traffic_split_requests_total"), &wanted)?;
    let refused = counted_in(&host, "traffic_split_force_refused_total");
    same("refused", &refused, &u64::from(case.refused))?;
    same("host errors", &counted_in(&host, "traffic_split_host_errors_total"), &0)
}

fn with<'h>(headers: Headers, more: impl IntoIterator<Item = &'h (String, Vec<u8>)>) -> Headers {
    more.into_iter().fold(headers, |headers, (name, value)| headers.with(name, value))
}

/// What surrounds the request: clock, connection, token.
fn arrange(host: &mut WasmHost, case: &Case) {
    if let Some(now) = case.now {
        host.set_time(Duration::from_millis(now));
    }
    if let Some(client) = &case.client {
        host.set_property(&["source", "address"], client);
    }
    if let Some(metadata) = &case.jwt {
        host.set_property(&["metadata"], metadata);
    }
}

fn reply(asked: &Outcome) -> Result<Option<Reply>> {
    let Some(reply) = &asked.local_reply else { return Ok(None) };
    let body = String::from_utf8_lossy(&reply.body).into_owned();
    let status = u16::try_from(reply.status).context("a status")?;
    Ok(Some(Reply { status, body }))
}

/// The counters of a metric that are above 0, in order, each as often as it counted.
fn counted(host: &WasmHost, metric: &str) -> Vec<String> {
    let all = host.metrics().iter().filter(|(name, _)| name.ends_with(metric));
    let mut counted: Vec<_> =
        all.flat_map(|(name, value)| vec![name.clone(); value.count() as usize]).collect();
    counted.sort();
    counted
}

fn counted_in(host: &WasmHost, metric: &str) -> u64 {
    host.metrics().get(metric).map_or(0, |value| value.count())
}

/// The counter of a decision: `checkout=canary split`.
fn counter(decision: &str) -> String {
    let (tag, reason) = decision.split_once(' ').expect("`split=variant reason`");
    let (split, variant) = tag.split_once('=').expect("`split=variant`");
    format!(
        "split=.={split};.;variant=.={variant};.;reason=.={reason};.;traffic_split_requests_total"
    )
}
