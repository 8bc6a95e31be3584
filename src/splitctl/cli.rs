//! The command line: which commands there are and what they take.

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::commands::{
    assign, check, codes, completions, demo, diff, explain, fmt, render, rollout, run, sample_size,
    schema, simulate, validate, verdict,
};
use crate::console::Console;
use crate::outcome::{Outcome, exit_codes};

/// Split traffic per user: check a policy, render it for Envoy, try it in a real Envoy.
#[derive(Debug, Parser)]
#[command(name = "splitctl", version, arg_required_else_help = true, after_help = exit_codes())]
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
    Rollout(rollout::Args),
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
        Command::Rollout(args) => rollout::run(&args, console),
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

    #[test]
    fn no_terminal_wraps_the_lines_of_a_help_once_more() {
        fn check(command: &clap::Command) {
            let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for line in text.lines() {
                // Commands are to be copied as they are.
                let is_command = line.starts_with("  ") && line.contains("splitctl");
                assert!(line.len() <= 80 || is_command, "{}: {line}", command.get_name());
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }

    /// Runs a command line on a policy that is not valid and one that is: outcome, stdout.
    fn run_in(folder: &std::path::Path, line: &str) -> (Outcome, String) {
        let inside = |word: &str| match word.ends_with(".yaml") {
            true => folder.join(word).display().to_string(),
            false => word.to_owned(),
        };
        let words = std::iter::once("splitctl".to_owned()).chain(line.split(' ').map(inside));
        let cli = Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{error}"));
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut console = Console { out: &mut out, err: &mut err };
        let outcome = match cli.command {
            // Elsewhere it writes past the console.
            Command::Assign(args) => assign::run(&args, &mut console),
            command => run(Cli { command }, &mut console),
        };
        (outcome.unwrap(), String::from_utf8(out).unwrap())
    }

    #[test]
    fn of_a_policy_that_is_not_valid_programs_get_a_document_and_a_code_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let policy = "version: 1\nsplits: []\n";
        std::fs::write(folder.path().join("good.yaml"), policy).unwrap();
        std::fs::write(folder.path().join("bad.yaml"), policy.replace('1', "7")).unwrap();
        for line in [
            "explain bad.yaml",
            "simulate bad.yaml",
            "diff good.yaml bad.yaml",
            "diff bad.yaml good.yaml",
            "diff bad.yaml bad.yaml",
            "assign bad.yaml --split a",
            "check bad.yaml --admin 127.0.0.1:1",
            "run --policy bad.yaml",
        ] {
            let (outcome, out) = run_in(folder.path(), &format!("{line} --format json"));
            assert_eq!(outcome, Outcome::NotValid, "{line}");
            let told: serde_json::Value = serde_json::from_str(&out).expect("one document");
            assert_eq!(
                (&told["ok"], &told["error"]),
                (&false.into(), &"the policy is not valid".into()),
                "{line}"
            );
            let files = told["files"].as_array().unwrap();
            assert_eq!(files.len(), line.matches("bad.yaml").count(), "{line}");
            assert_eq!(files[0]["diagnostics"][0]["code"], "unsupported_version", "{line}");
            let (outcome, out) = run_in(folder.path(), line);
            assert_eq!((outcome, out.as_str()), (Outcome::NotValid, ""), "{line}");
        }
        // Whoever asks whether it is valid has an answer.
        let (outcome, out) = run_in(folder.path(), "validate bad.yaml --format json");
        assert_eq!(outcome, Outcome::No);
        assert!(out.contains("unsupported_version"), "{out}");
    }
}
