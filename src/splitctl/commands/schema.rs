//! `splitctl schema`: the policy as JSON Schema, for editors.

use crate::console::Console;
use crate::outcome::Outcome;

const EXAMPLES: &str = "\
Examples:
  splitctl schema > policy.schema.json

Editors complete and check policies with it: begin a YAML file with
  # yaml-language-server: $schema=policy.schema.json
or name the schema in the editor's settings. What takes several fields (sums
of weights, references by name) only `splitctl validate` checks.";

/// Writes the JSON Schema (2020-12) of policies, for editors.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {}

/// Runs the command.
///
/// # Errors
/// When the answer cannot be written.
pub fn run(_args: &Args, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    serde_json::to_writer_pretty(&mut *console.out, &policy_text::schema::schema())?;
    writeln!(console.out)?;
    Ok(Outcome::Fine)
}
