//! Each conformance vector is a test of its own name at each of the three levels (`90-vary::engine`, `90-vary::module`,
//! `90-vary::envoy`), and each invalid policy is one (`invalid::weight_sum`), and each
//! policy that was ever valid (`corpus::readme`). A level at which no case of a vector can
//! be arranged has no test of it.

mod engine;
mod envoy;
mod invalid;
mod module;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use envoy::Envoys;
use harness::vectors::{self, Case, Vector};
use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let envoys = Arc::new(Envoys::default());
    let mut trials = invalid::trials();
    trials.extend(vectors::corpus().into_iter().map(|recorded| {
        test(format!("corpus::{}", recorded.name()), move || engine::holds(&recorded))
    }));
    for vector in vectors::all() {
        let in_envoy = {
            let envoys = Arc::clone(&envoys);
            move |vector: &Vector| envoys.hold(vector)
        };
        trials.extend(at_level("engine", &vector, |_| true, engine::holds));
        trials.extend(at_level("module", &vector, Case::runs_in_the_module, module::holds));
        trials.extend(at_level("envoy", &vector, Case::runs_in_envoy, in_envoy));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn at_level(
    level: &str,
    vector: &Vector,
    arranged: fn(&Case) -> bool,
    holds: impl FnOnce(&Vector) -> Result<()> + Send + 'static,
) -> Option<Trial> {
    let vector = vector.only(arranged)?;
    let name = format!("{}::{level}", vector.name());
    Some(test(name, move || holds(&vector)))
}

/// A test that says why it failed, with all causes.
fn test(name: String, run: impl FnOnce() -> Result<()> + Send + 'static) -> Trial {
    Trial::test(name, move || run().map_err(|error| format!("{error:#}").into()))
}
