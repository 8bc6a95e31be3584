//! The program `splitctl`; everything is in the library.

use std::process::ExitCode;

use clap::Parser as _;
use splitctl::cli::{self, Cli};
use splitctl::{Console, Outcome, console, table};

fn main() -> ExitCode {
    // Wrong usage ends here, with code 2.
    let cli = Cli::parse();
    // These streams drop the colors where nobody would see them: no terminal, or NO_COLOR.
    let mut out = anstream::stdout();
    let mut err = anstream::stderr();
    table::fit(console::columns_of_answers());
    let mut console = Console { out: &mut out, err: &mut err };
    let outcome = cli::run(cli, &mut console);
    outcome.unwrap_or_else(|error| Outcome::of_error(&error, &mut console)).into()
}
