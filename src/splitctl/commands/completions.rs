//! `splitctl completions` and `splitctl man`: what shells and `man` want to know of the command line.

use anyhow::{Context as _, bail};

use crate::console::Console;
use crate::outcome::Outcome;

const NAME: &str = "splitctl";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  splitctl completions bash > ~/.local/share/bash-completion/completions/splitctl
  splitctl completions zsh > ~/.zfunc/_splitctl
  splitctl completions fish > ~/.config/fish/completions/splitctl.fish";

/// Writes the completions of a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = COMPLETIONS_EXAMPLES)]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum, value_name = "SHELL")]
    shell: clap_complete::Shell,
}

const MAN_EXAMPLES: &str = "\
Examples:
  splitctl man | man -l -
  splitctl man explain > splitctl-explain.1
  splitctl man rollout start | man -l -";

/// Writes the man page, of the tool or of one command, and of a command's own commands.
#[derive(Debug, clap::Args)]
#[command(after_help = MAN_EXAMPLES)]
pub struct ManArgs {
    /// The command, and its own command.
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
}

/// Writes the completions of a command line for a shell.
///
/// # Errors
/// When they cannot be written.
pub fn completions(
    args: &CompletionsArgs,
    mut tool: clap::Command,
    console: &mut Console<'_>,
) -> anyhow::Result<Outcome> {
    // The generator panics where it cannot write, so it writes into memory.
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut tool, NAME, &mut text);
    console.out.write_all(&text)?;
    Ok(Outcome::Fine)
}

/// Writes a man page of a command line.
///
/// # Errors
/// When there is no such command, or the page cannot be written.
pub fn man(
    args: &ManArgs,
    mut command: clap::Command,
    console: &mut Console<'_>,
) -> anyhow::Result<Outcome> {
    command.build();
    let mut page = NAME.to_owned();
    for name in &args.command {
        let found = command.find_subcommand(name);
        let Some(found) = found.cloned() else {
            let of = page.replace('-', " ");
            bail!("there is no command `{name}`; `{of} --help` lists all");
        };
        page = format!("{page}-{name}");
        command = found.name(page.clone());
    }
    clap_mangen::Man::new(command)
        .render(&mut &mut *console.out)
        .context("cannot write the page")?;
    Ok(Outcome::Fine)
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, ValueEnum as _};
    use clap_complete::Shell;

    use super::*;
    use crate::cli::Cli;

    fn written(
        run: impl FnOnce(&mut Console<'_>) -> anyhow::Result<Outcome>,
    ) -> Result<String, String> {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let done = run(&mut Console { out: &mut out, err: &mut err });
        done.map(|_| String::from_utf8(out).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn every_shell_learns_every_command() {
        for shell in Shell::value_variants() {
            let args = CompletionsArgs { shell: *shell };
            let text = written(|console| completions(&args, Cli::command(), console)).unwrap();
            for command in Cli::command().get_subcommands() {
                assert!(text.contains(command.get_name()), "{shell}: {}", command.get_name());
            }
        }
    }

    #[test]
    fn there_is_a_page_for_the_tool_and_for_each_command() {
        let page = |command: &[&str]| {
            let args = ManArgs { command: command.iter().map(|word| (*word).to_owned()).collect() };
            written(|console| man(&args, Cli::command(), console))
        };
        let name = |words: &[&str]| format!("splitctl-{}", words.join("-")).replace('-', "\\-");
        assert!(page(&[]).unwrap().contains("splitctl"));
        for command in Cli::command().get_subcommands() {
            let of_command = [command.get_name()];
            let text = page(&of_command).unwrap();
            assert!(text.contains(&name(&of_command)), "{text}");
            for own in command.get_subcommands() {
                let words = [command.get_name(), own.get_name()];
                let text = page(&words).unwrap();
                assert!(text.contains(&name(&words)), "{text}");
            }
        }
        assert!(page(&["nope"]).unwrap_err().contains("no command `nope`; `splitctl --help`"));
        let error = page(&["rollout", "nope"]).unwrap_err();
        assert!(error.contains("no command `nope`; `splitctl rollout --help`"), "{error}");
    }
}
