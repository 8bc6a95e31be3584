//! `splitctl demo`: the parts of envoy/docker-compose.yml that are neither Envoy nor Prometheus. Not for operators, so
//! it is hidden from the help.

mod load;
mod set;
mod upstream;

use clap::Subcommand;

use crate::console::Console;
use crate::outcome::Outcome;

/// Parts of the demo in envoy/docker-compose.yml.
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub struct Args {
    #[command(subcommand)]
    part: Part,
}

#[derive(Debug, Subcommand)]
enum Part {
    Upstream(upstream::Args),
    Load(load::Args),
    Set(set::Args),
}

/// Runs the command.
///
/// # Errors
/// When an address cannot be used.
pub fn run(args: &Args, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    match &args.part {
        Part::Upstream(args) => upstream::run(args, &runtime, console),
        Part::Load(args) => load::run(args, &runtime, console),
        Part::Set(args) => set::run(args, &runtime, console),
    }
}

/// A number below a limit that looks random and is the same for the same argument (the finalizer of splitmix64).
fn scatter(number: u64, below: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    // The upper half of the product is below the limit, so that it fits.
    let part = u128::from(mixed).wrapping_mul(u128::from(below)) >> 64;
    u64::try_from(part).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scattered_numbers_fill_their_range_evenly() {
        let below_50 = (0..10_000).filter(|n| scatter(*n, 100) < 50).count();
        assert!((4_800..5_200).contains(&below_50), "{below_50}");
        assert!((0..1_000).all(|n| scatter(n, 3) < 3 && scatter(n, 0) == 0));
    }
}
