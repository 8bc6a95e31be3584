//! The command line: which commands there are and what they take.

use clap::{Parser, Subcommand, ValueEnum};

use crate::commands::{demo, render, run, validate};
use crate::console::Console;
use crate::outcome::Outcome;

/// Split traffic per user: check a policy, render it for Envoy, try it in a real Envoy.
///
/// Exit codes: 0 all is fine; 1 the answer is no (a policy is not valid, a share is off); 2 there is no
/// answer (wrong usage, unreadable input, something is missing).
#[derive(Debug, Parser)]
#[command(name = "splitctl", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Validate(validate::Args),
    Render(render::Args),
    Run(run::Args),
    Demo(demo::Args),
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Human,
    /// For programs: one JSON document on stdout, and nothing else there.
    Json,
}

/// Runs the command that was asked for.
///
/// # Errors
/// When there is no answer; see [`Outcome::of_error`].
pub fn run(cli: Cli, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    match cli.command {
        Command::Validate(args) => validate::run(&args, console),
        Command::Render(args) => render::run(&args, console),
        Command::Run(args) => run::run(&args, console),
        Command::Demo(args) => demo::run(&args, console),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
