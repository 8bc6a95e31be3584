//! The conformance vectors through real Envoy, over both versions of HTTP.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use harness::vectors::{Case, Vector, same, same_headers};
use lab::{Lab, Options, Request, Response, Stats, Update};

/// The Envoys that no test uses just now. No more are started than tests run at once.
#[derive(Default)]
pub(crate) struct Envoys(Mutex<Vec<Lab>>);

impl Envoys {
    pub(crate) fn hold(&self, vector: &Vector) -> Result<()> {
        let lab = self.running(&vector.policy.to_string())?;
        holds(&lab, vector).map_err(|error| match lab.check() {
            Ok(()) => anyhow!("{error:#}\nthe filter said:\n  {}", lab.filter_log().join("\n  ")),
            Err(ended) => anyhow!("{error:#}\n{ended:#}"),
        })?;
        self.idle().push(lab);
        Ok(())
    }

    /// An Envoy that runs this policy.
    fn running(&self, policy: &str) -> Result<Lab> {
        let idle = self.idle().pop();
        let Some(lab) = idle else {
            let module = Some(harness::module::path());
            return Ok(Lab::start(policy, Options { module, ..Options::default() })?);
        };
        same("the policy", &lab.apply(policy)?, &Update::Applied)?;
        Ok(lab)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Lab>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn holds(lab: &Lab, vector: &Vector) -> Result<()> {
    let before = lab.stats()?;
    let logged = lab.access_log()?.len();
    vector.each(|case| {
        let request = request(case)?;
        for (version, request) in [("HTTP/1.1", request.clone()), ("HTTP/2", request.http2())] {
            let answered = lab.send(&request);
            answered.and_then(|response| holds_for(case, &response)).context(version)?;
        }
        Ok(())
    })?;
    evidence_is_logged(lab, vector, logged)?;
    let mut wanted = BTreeMap::new();
    for decision in vector.cases.iter().flat_map(|case| &case.decisions) {
        *wanted.entry(decision.clone()).or_insert(0) += 2;
    }
    let counted = |stats: &Stats| counts(&stats.since(&before));
    let stats = lab.stats_when(|stats| counted(stats) == wanted)?;
    let place = |what: &str| format!("{}: all cases: {what}", vector.file);
    same(&place("counted"), &counted(&stats), &wanted)?;
    same(&place("host errors"), &stats.sum("traffic_split_host_errors_total", &[]), &0)
}

/// The access log has, after so many entries, the evidence of each case twice: Envoy writes it a little later, and not in
/// the order of the answers.
fn evidence_is_logged(lab: &Lab, vector: &Vector, after: usize) -> Result<()> {
    const PATIENCE: Duration = Duration::from_secs(20);
    let cases = vector.cases.iter().filter_map(|case| case.evidence.as_ref());
    let mut wanted: Vec<_> = cases.filter(|line| !line.is_empty()).flat_map(|l| [l, l]).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    wanted.sort();
    let begin = Instant::now();
    loop {
        let log = lab.access_log()?;
        let lines = log.iter().skip(after).filter_map(|entry| entry["evidence"].as_str());
        let mut found: Vec<_> = lines.map(str::to_owned).collect();
        found.sort();
        if found.len() >= wanted.len() || begin.elapsed() > PATIENCE {
            return same("evidence in the access log", &found.iter().collect(), &wanted);
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn holds_for(case: &Case, response: &Response) -> Result<()> {
    let lines = |name: &str| {
        let all = response.headers.iter().filter(|(n, _)| n == name);
        all.map(|(_, value)| value.as_slice()).collect()
    };
    same_headers("response", lines, &case.response)?;
    if let Some(reply) = &case.reply {
        same("status", &response.status, &reply.status)?;
        same("body", &response.text(), &reply.body)?;
        return same("upstream that answered", &response.cluster(), &None);
    }
    let echo = response.echo()?;
    let lines = |name: &str| match name {
        ":path" => vec![echo.path.as_bytes()],
        ":authority" => echo.all("host"),
        name => echo.all(name),
    };
    same_headers("upstream", lines, &case.upstream)
}

/// How often each decision was counted, as `checkout=canary split`.
fn counts(stats: &Stats) -> BTreeMap<String, u64> {
    let counted = stats.numbers().filter(|(_, number)| *number > 0);
    let requests = counted.filter(|(name, _)| name.metric == "traffic_split_requests_total");
    let words = requests.map(|(name, number)| {
        let label = |label: &str| name.labels.get(label).map_or("?", String::as_str);
        (format!("{}={} {}", label("split"), label("variant"), label("reason")), number)
    });
    words.collect()
}

fn request(case: &Case) -> Result<Request> {
    let mut request = Request::get("/").echo();
    for (name, value) in &case.request {
        let text = || String::from_utf8(value.clone()).context("pseudo-headers are text");
        match name.as_str() {
            ":method" => request.method = text()?,
            ":authority" => request.host = text()?,
            ":path" => request.path = text()?,
            name => request = request.header(name, value),
        }
    }
    Ok(request)
}
