//! The command line: which commands there are and what they take.

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::commands::{
    assign, check, codes, completions, demo, diff, explain, fmt, render, run, sample_size, schema,
    simulate, validate, verdict,
};
use crate::console::Console;
use crate::outcome::Outcome;

/// Split traffic per user: check a policy, render it for Envoy, try it in a real Envoy.
///
/// Exit codes: 0 all is fine; 1 the answer is no (a policy is not valid, a share is off); 2 there is no
/// answer (wrong usage, unreadable input, something is missing); 3 it is too early for an answer (`verdict`).
#[derive(Debug, Parser)]
#[command(name = "splitctl", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Validate(validate::Args),
    Explain(explain::Args),
    Diff(diff::Args),
    Simulate(simulate::Args),
    Assign(assign::Args),
    SampleSize(sample_size::Args),
    Render(render::Args),
    Run(run::Args),
    Verdict(verdict::Args),
    Check(check::Args),
    Fmt(fmt::Args),
    Codes(codes::Args),
    Schema(schema::Args),
    Completions(completions::CompletionsArgs),
    Man(completions::ManArgs),
    Demo(demo::Args),
}

/// Runs the command that was asked for.
///
/// # Errors
/// When there is no answer; see [`Outcome::of_error`].
pub fn run(cli: Cli, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    match cli.command {
        Command::Validate(args) => validate::run(&args, console),
        Command::Diff(args) => diff::run(&args, console),
        Command::Render(args) => render::run(&args, console),
        Command::Run(args) => run::run(&args, console),
        Command::Verdict(args) => verdict::run(&args, console),
        Command::Check(args) => check::run(&args, console),
        Command::Demo(args) => demo::run(&args, console),
        Command::SampleSize(args) => sample_size::run(&args, console),
        Command::Simulate(args) => simulate::run(&args, console),
        Command::Explain(args) => explain::run(&args, console),
        // Keys are bytes of somebody else's: not to be searched for styles.
        Command::Assign(args) => {
            let mut out = std::io::stdout().lock();
            assign::run(&args, &mut Console { out: &mut out, err: &mut *console.err })
        }
        Command::Fmt(args) => fmt::run(&args, console),
        Command::Codes(args) => codes::run(&args, console),
        Command::Schema(args) => schema::run(&args, console),
        Command::Completions(args) => completions::completions(&args, Cli::command(), console),
        Command::Man(args) => completions::man(&args, Cli::command(), console),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
