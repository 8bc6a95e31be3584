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
    /// Exit code 1: the answer is no. A policy is not valid, a share is off.
    No,
    /// Exit code 2: there is no answer. Wrong usage, unreadable input, or something is missing that the
    /// command needs.
    NoAnswer,
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
        assert!([Outcome::Fine, Outcome::Early, Outcome::No, Outcome::NoAnswer].is_sorted());
    }
}
