//! Requests that go on while policies and listeners change; each is held against what was in force then.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use lab::{DEFAULT_CLUSTER, Request, Response, client};
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::bench::user;
use crate::control_plane::Proxy;
use crate::native::Native;

/// So many users ask one after the other, over so many connections, which are opened anew for each round.
const USERS: u32 = 200;
const CONNECTIONS: usize = 6;

/// The cluster that each user must be served.
type Clusters = Vec<String>;

struct Round {
    begin: Instant,
    end: Instant,
    answers: Vec<Option<anyhow::Result<Response>>>,
}

/// A stream of requests.
pub(crate) struct Traffic<'p> {
    proxy: &'p Proxy,
    users: Vec<Request>,
    /// The cluster of those for whom a policy names none.
    default: &'static str,
    ending: Arc<AtomicBool>,
    rounds: JoinHandle<Vec<Round>>,
    /// From when on any of these may be in force.
    script: Vec<(Instant, Vec<Clusters>)>,
}

impl<'p> Traffic<'p> {
    /// Begins, with one policy in force.
    pub(crate) fn begin(proxy: &'p Proxy, policy: Option<&Value>) -> Self {
        Self::of((0..USERS).map(user).collect(), DEFAULT_CLUSTER, proxy, policy)
    }

    /// The same with other requests.
    pub(crate) fn of(
        users: Vec<Request>,
        default: &'static str,
        proxy: &'p Proxy,
        policy: Option<&Value>,
    ) -> Self {
        let script = vec![(Instant::now(), vec![clusters(&users, default, policy)])];
        let ending = Arc::new(AtomicBool::new(false));
        let (address, end) = (proxy.listener, Arc::clone(&ending));
        let requests = users.clone();
        let rounds = proxy.runtime.spawn(async move {
            let mut rounds = Vec::new();
            while !end.load(Ordering::Relaxed) {
                let begin = Instant::now();
                let go_on = |_| ControlFlow::Continue(());
                let answers = client::load(address, requests.clone(), CONNECTIONS, go_on).await;
                rounds.push(Round { begin, end: Instant::now(), answers });
            }
            rounds
        });
        Self { proxy, users, default, ending, rounds, script }
    }

    /// From now on each request may be served by any of these policies, `None` standing for no split.
    pub(crate) fn may_be(&mut self, policies: &[Option<&Value>]) {
        let of = |policy: &Option<&Value>| clusters(&self.users, self.default, *policy);
        let clusters = policies.iter().map(of).collect();
        self.script.push((Instant::now(), clusters));
    }

    /// Ends, and checks every answer: 200 from a cluster that was right at that time.
    pub(crate) fn finish(self) -> usize {
        self.ending.store(true, Ordering::Relaxed);
        let rounds = self.proxy.runtime.block_on(self.rounds).unwrap();
        let users = &self.users;
        let mut wrong = BTreeMap::<String, usize>::new();
        let mut count = 0;
        for round in rounds {
            let ends = self.script.iter().skip(1).map(|(at, _)| Some(*at)).chain([None]);
            let in_force: Vec<&Clusters> = self
                .script
                .iter()
                .zip(ends)
                .filter(|((begin, _), end)| {
                    *begin <= round.end && end.is_none_or(|end| end >= round.begin)
                })
                .flat_map(|((_, clusters), _)| clusters)
                .collect();
            for (number, answer) in round.answers.into_iter().enumerate() {
                count += 1;
                let problem = match answer {
                    Some(Ok(answer)) if answer.status == 200 => {
                        let is = answer.cluster();
                        match in_force.iter().any(|wanted| is == Some(wanted[number].as_str())) {
                            true => continue,
                            false => format!("200 from {is:?}"),
                        }
                    }
                    Some(Ok(answer)) => format!("{} {}", answer.status, answer.text()),
                    other => format!("{other:?}"),
                };
                *wrong.entry(problem).or_default() += 1;
                if wrong.len() == 1 {
                    eprintln!("{:?} at {:?}", users[number], round.begin - self.script[0].0);
                }
            }
        }
        assert!(wrong.is_empty(), "of {count} requests: {wrong:#?}");
        count
    }
}

fn clusters(users: &[Request], default: &str, policy: Option<&Value>) -> Clusters {
    let native = policy.map(Native::new);
    let cluster = |user: &Request| {
        let named = native.as_ref().and_then(|native| native.expect(user).cluster);
        named.unwrap_or_else(|| default.to_owned())
    };
    users.iter().map(cluster).collect()
}
