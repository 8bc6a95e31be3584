//! `splitctl demo load`: requests of many users, at a steady rate, until it is ended.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use anyhow::Context;
use lab::{Request, Stop, client};
use tokio::runtime::Runtime;

use super::scatter;
use crate::console::Console;
use crate::outcome::Outcome;

/// After how many rounds, of a second each, it tells what was answered.
const ROUNDS: u32 = 10;

/// After which time it does so all the same, where rounds take longer.
const REPORT: Duration = Duration::from_secs(15);

/// Sends requests of many users and tells what answered.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where the requests go, such as `envoy:10000`.
    #[arg(value_name = "HOST:PORT")]
    target: String,

    /// Requests per second.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=1000))]
    rate: u64,

    /// How many users there are.
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u64).range(1..))]
    users: u64,

    /// The host that the requests ask for.
    #[arg(long, default_value = "shop.example.com")]
    host: String,

    /// Their path.
    #[arg(long, default_value = "/api/cart")]
    path: String,

    /// The header with the user's id.
    #[arg(long, default_value = "x-user-id")]
    user_header: String,
}

pub(super) fn run(
    args: &Args,
    runtime: &Runtime,
    console: &mut Console<'_>,
) -> anyhow::Result<Outcome> {
    let stop = Stop::on_signals()?;
    let mut sent = 0_u64;
    let mut answers: BTreeMap<String, u64> = BTreeMap::new();
    let (mut told, mut rounds) = (Instant::now(), 0_u32);
    let mut waiting = true;
    while !stop.is_set() {
        let begin = Instant::now();
        let requests = (0..args.rate).map(|_| {
            sent = sent.wrapping_add(1);
            let user = format!("user-{}", scatter(sent, args.users));
            Request::get(&args.path).host(&args.host).header(&args.user_header, user)
        });
        let requests = requests.collect();
        let round = runtime.block_on(async {
            let mut found = tokio::net::lookup_host(&args.target).await?;
            let address = found.next().context("no address")?;
            anyhow::Ok(client::load(address, requests, 8, |_| ControlFlow::Continue(())).await)
        });
        match round {
            Ok(round) if waiting && round.iter().flatten().all(Result::is_err) => {
                writeln!(console.err, "{}: no answer yet", args.target)?;
                (sent, told) = (0, Instant::now());
            }
            Ok(round) => {
                waiting = false;
                rounds = rounds.saturating_add(1);
                for answer in round.into_iter().flatten() {
                    let what = answer.map_or_else(
                        |_| "no answer".to_owned(),
                        |response| {
                            format!("{} {}", response.status, response.cluster().unwrap_or("envoy"))
                        },
                    );
                    let count = answers.entry(what).or_default();
                    *count = count.saturating_add(1);
                }
            }
            // It may come yet: Envoy is starting, or starting again.
            Err(error) => writeln!(console.err, "{}: {error:#}", args.target)?,
        }
        if rounds >= ROUNDS || (rounds > 0 && told.elapsed() >= REPORT) {
            let parts: Vec<_> = answers.iter().map(|(what, n)| format!("{n} x {what}")).collect();
            writeln!(console.out, "{}", parts.join(", "))?;
            console.out.flush()?;
            answers.clear();
            (told, rounds) = (Instant::now(), 0);
        }
        stop.wait(Duration::from_secs(1).saturating_sub(begin.elapsed()));
    }
    Ok(Outcome::Fine)
}
