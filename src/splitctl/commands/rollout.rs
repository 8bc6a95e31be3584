//! `splitctl rollout`: one challenger, step by step, by evidence.

mod counts;
mod events;
mod load;
mod logfile;
mod orders;
mod plan;
mod replay;
mod show;
mod start;
mod status;
mod weights;
mod world;

use clap::Subcommand;

use crate::console::Console;
use crate::outcome::Outcome;

const EXAMPLES: &str = "\
Examples:
  splitctl rollout plan rollout.yaml --rps 200
  splitctl rollout start rollout.yaml
  splitctl rollout status rollout.yaml
  splitctl rollout approve rollout.yaml --why 'looks well'
  splitctl rollout abort rollout.yaml --why 'wrong build'
  splitctl rollout replay rollout.yaml.log";

/// Carries a challenger through steps, each proven before the next, and back where it does harm.
///
/// FILE says which steps, and what has to be proven: docs/rollout.md begins with a whole one. `start` carries it out. All it
/// sees and decides is a line of a log (FILE.log): after a kill it goes on from there, and the other commands read and order
/// through it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Plan(plan::Args),
    Start(start::Args),
    Status(status::Args),
    /// Lets the next step come, where a step has `approval: true`.
    ///
    /// It is of the step that runs now, and may be given before that step is proven: the next one then comes as soon as it is.
    #[command(after_help = orders::EXAMPLES)]
    Approve(orders::Args),
    /// Takes no step until `resume`; harm still rolls back.
    #[command(after_help = orders::EXAMPLES)]
    Pause(orders::Args),
    /// Goes on after a pause or a retreat.
    #[command(after_help = orders::EXAMPLES)]
    Resume(orders::Args),
    /// Gives the challenger weight 0, and ends the rollout.
    ///
    /// The process that runs the rollout does it, within its next look. Where none runs, `start` does it and ends with 5.
    #[command(after_help = orders::EXAMPLES)]
    Abort(orders::Args),
    Replay(replay::Args),
    /// Writes the JSON Schema of rollout files, for editors.
    Schema,
}

/// Runs the command.
///
/// # Errors
/// When a file cannot be read or written.
pub fn run(args: &Args, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    use ::rollout::course::Order;
    match &args.action {
        Action::Plan(args) => plan::run(args, console),
        Action::Start(args) => start::run(args, console),
        Action::Status(args) => status::run(args, console),
        Action::Approve(args) => orders::run(args, Order::Approve, console),
        Action::Pause(args) => orders::run(args, Order::Pause, console),
        Action::Resume(args) => orders::run(args, Order::Resume, console),
        Action::Abort(args) => orders::run(args, Order::Abort, console),
        Action::Replay(args) => replay::run(args, console),
        Action::Schema => {
            crate::text::write_json(console.out, &::rollout::file::schema())?;
            Ok(Outcome::Fine)
        }
    }
}
