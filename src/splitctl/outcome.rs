//! How a command ended, as exit code.

use std::io;
use std::process::ExitCode;

use crate::console::Console;
use crate::style;

/// The answer of a command, for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Exit code 0: all is fine.
    Fine,
    /// Exit code 3: there will be an answer, and it is too early for it.
    Early,
    /// Exit code 1: the answer is no.
    No,
    /// Exit code 5: a rollout was aborted, and the challenger has weight 0.
    Aborted,
    /// Exit code 6: a rollout stopped, because somebody else changed the policy.
    Drifted,
    /// Exit code 4: the policy is not valid, so what was asked of it was not done. Only of `validate` that is the answer.
    NotValid,
    /// Exit code 2: there is no answer. Wrong usage, unreadable input, or something is missing that the
    /// command needs.
    NoAnswer,
}

/// The exit codes, with what each means. The README has the same table, which a test compares.
pub const EXIT_CODES: [(u8, &str, &str); 7] = [
    (0, "fine", "all is fine"),
    (
        1,
        "no",
        "the answer is no. `validate`: a policy is not valid; `fmt --check`: a file is not in its form; `diff`: a limit is exceeded; `simulate`: shares are off; `run`: a share is off; `verdict`: harm; `rollout`: rolled back; `check`: something is missing; `render ecds`: Envoy does not run it in time, or lacks a cluster",
    ),
    (
        2,
        "no answer",
        "wrong usage, an input that cannot be read, or something that is needed is missing",
    ),
    (3, "too early", "it is too early for an answer (`verdict`); a `rollout` is not at its end"),
    (
        4,
        "not valid",
        "the policy is not valid, so nothing was done; `validate` ends with 1 instead",
    ),
    (5, "aborted", "`rollout`: somebody aborted it, and the challenger has weight 0"),
    (6, "drifted", "`rollout`: somebody else changed the policy, and it is as they left it"),
];

/// The same for `--help`, in lines that no terminal wraps once more.
pub fn exit_codes() -> String {
    const COLUMNS: usize = 78;
    let mut text = "Exit codes:".to_owned();
    for (code, _, meaning) in EXIT_CODES {
        let mut line = format!("\n  {code} ");
        for word in meaning.split(' ') {
            if line.len().saturating_add(word.len()) > COLUMNS {
                text.push_str(&line);
                line = "\n    ".to_owned();
            }
            line.push(' ');
            line.push_str(word);
        }
        text.push_str(&line);
    }
    text
}

impl Outcome {
    /// Tells an error that a command could not handle.
    pub fn of_error(error: &anyhow::Error, console: &mut Console<'_>) -> Self {
        // Whoever reads the answer, such as `head`, has had enough. That is no error.
        let broken_pipe = |cause: &(dyn std::error::Error + 'static)| {
            let plain = cause.downcast_ref::<io::Error>().map(io::Error::kind);
            let in_json = || cause.downcast_ref::<serde_json::Error>()?.io_error_kind();
            plain.or_else(in_json) == Some(io::ErrorKind::BrokenPipe)
        };
        if error.chain().any(broken_pipe) {
            return Self::Fine;
        }
        // Where even this cannot be written the exit code is all that is left.
        let _untold = writeln!(console.err, "{}: {error:#}", style::error("error"));
        Self::NoAnswer
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Fine => Self::SUCCESS,
            Outcome::Early => Self::from(3),
            Outcome::No => Self::from(1),
            Outcome::NoAnswer => Self::from(2),
            Outcome::NotValid => Self::from(4),
            Outcome::Aborted => Self::from(5),
            Outcome::Drifted => Self::from(6),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_of_json_that_has_had_enough_is_no_error_either() {
        let pipe = io::Error::from(io::ErrorKind::BrokenPipe);
        let (outcome, text) = told(anyhow::Error::new(serde_json::Error::io(pipe)));
        assert_eq!((outcome, text.as_str()), (Outcome::Fine, ""));
    }

    fn told(error: anyhow::Error) -> (Outcome, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut console = Console { out: &mut out, err: &mut err };
        let outcome = Outcome::of_error(&error, &mut console);
        (outcome, anstream::adapter::strip_str(&String::from_utf8(err).unwrap()).to_string())
    }

    #[test]
    fn an_error_is_told_with_its_causes() {
        let error = anyhow::anyhow!("no such port").context("cannot listen");
        let expected = "error: cannot listen: no such port\n".to_owned();
        assert_eq!(told(error), (Outcome::NoAnswer, expected));
    }

    #[test]
    fn a_reader_that_has_had_enough_is_no_error() {
        let error =
            anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe)).context("writing");
        assert_eq!(told(error), (Outcome::Fine, String::new()));
    }

    #[test]
    fn of_two_outcomes_the_worse_is_the_larger() {
        assert!(
            [Outcome::Fine, Outcome::Early, Outcome::No, Outcome::NotValid, Outcome::NoAnswer]
                .is_sorted()
        );
    }

    #[test]
    fn the_readme_has_every_exit_code_with_its_meaning() {
        let readme = include_str!("../../README.md");
        for (code, name, meaning) in EXIT_CODES {
            let row = format!("| {code} | {name} | {meaning} |");
            assert!(readme.contains(&row), "README.md lacks\n{row}");
        }
    }
}
