//! `splitctl demo upstream`: a service that answers with its name, as slowly and as wrongly as it is told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use lab::Stop;
use lab::upstream::{Answer, Head, serve};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::scatter;
use crate::console::Console;
use crate::outcome::Outcome;

/// Where `demo set` changes the behavior.
pub(super) const BEHAVIOR: &str = "/demo/behavior";

/// Answers every request with its name.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Its name.
    #[arg(long)]
    name: String,

    /// Where it listens.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    listen: SocketAddr,

    #[command(flatten)]
    wanted: Wanted,
}

/// How a service behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
pub(super) struct Wanted {
    /// How long an answer takes in the mean, in milliseconds: each takes between half and one and a half of it.
    #[arg(long, value_name = "MS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(..=60_000))]
    pub(super) delay: u64,

    /// How many percent of the answers are 503.
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=100))]
    pub(super) failing: u64,
}

struct Service {
    name: String,
    delay: AtomicU64,
    failing: AtomicU64,
    answered: AtomicU64,
}

pub(super) fn run(
    args: &Args,
    runtime: &Runtime,
    console: &mut Console<'_>,
) -> anyhow::Result<Outcome> {
    let stop = Stop::on_signals()?;
    let service = Arc::new(Service {
        name: args.name.clone(),
        delay: args.wanted.delay.into(),
        failing: args.wanted.failing.into(),
        answered: AtomicU64::new(0),
    });
    let listener = runtime
        .block_on(TcpListener::bind(args.listen))
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    writeln!(console.out, "{} listens on {}", args.name, listener.local_addr()?)?;
    console.out.flush()?;
    runtime.spawn(serve(listener, args.name.as_str().into(), move |head| service.answer(head)));
    while !stop.wait(Duration::from_secs(3600)) {}
    Ok(Outcome::Fine)
}

impl Service {
    fn answer(&self, head: &Head) -> Answer {
        if head.method == "PUT" && head.uri.path() == BEHAVIOR {
            return self.change(head.uri.query().unwrap_or_default());
        }
        let number = self.answered.fetch_add(1, Ordering::Relaxed);
        // Between half and one and a half of the delay, in microseconds.
        let delay = self.delay.load(Ordering::Relaxed).saturating_mul(1000);
        let micros = (delay / 2).saturating_add(scatter(number, delay));
        let failing = scatter(!number, 100) < self.failing.load(Ordering::Relaxed);
        let status = if failing { 503 } else { 200 };
        Answer {
            delay: Duration::from_micros(micros),
            status,
            body: self.name.clone(),
            location: None,
        }
    }

    /// Takes `delay=300&failing=20`.
    fn change(&self, query: &str) -> Answer {
        let at_once = |status, body: &str| Answer {
            delay: Duration::ZERO,
            status,
            body: body.to_owned(),
            location: None,
        };
        for pair in query.split('&') {
            let field = match pair.split_once('=') {
                Some(("delay", value)) => value.parse().map(|value| (&self.delay, value)),
                Some(("failing", value)) => value.parse().map(|value| (&self.failing, value)),
                _ => return at_once(400, "not a behavior"),
            };
            let Ok((field, value)) = field else { return at_once(400, "not a number") };
            field.store(value, Ordering::Relaxed);
        }
        at_once(200, &self.name)
    }
}
