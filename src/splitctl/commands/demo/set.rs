//! `splitctl demo set`: makes a service of the demo slow or failing, or well again.

use anyhow::{Context, bail};
use lab::Request;
use lab::client;
use tokio::runtime::Runtime;

use super::upstream::{BEHAVIOR, Wanted};
use crate::console::Console;
use crate::outcome::Outcome;

/// Changes how a running service behaves; what is not given goes back to its default.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The service, such as `checkout-v2:8080`.
    #[arg(value_name = "HOST:PORT")]
    service: String,

    #[command(flatten)]
    wanted: Wanted,
}

pub(super) fn run(
    args: &Args,
    runtime: &Runtime,
    console: &mut Console<'_>,
) -> anyhow::Result<Outcome> {
    let Wanted { delay, failing } = args.wanted;
    let path = format!("{BEHAVIOR}?delay={delay}&failing={failing}");
    let response = runtime.block_on(async {
        let mut found = tokio::net::lookup_host(&args.service).await?;
        let address = found.next().context("no address")?;
        client::send(address, &Request::get(&path).method("PUT")).await
    });
    let response = response.with_context(|| format!("cannot reach `{}`", args.service))?;
    if response.status != 200 {
        bail!("`{}` answered {}", args.service, response.status);
    }
    let name = response.text();
    writeln!(console.out, "{}: {delay} ms in the mean, {failing}% failing", name.trim_end())?;
    Ok(Outcome::Fine)
}
