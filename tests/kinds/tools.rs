//! The commands of splitctl on policies that are made here.

use std::path::PathBuf;

use clap::Parser;
use serde_json::Value;
use splitctl::{Console, Outcome};
use tempfile::TempDir;

/// What a command said.
pub(crate) struct Told {
    pub(crate) outcome: Outcome,
    pub(crate) out: String,
}

impl Told {
    /// The answer as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

/// A folder with the files of commands.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Writes a file; yields its path.
    pub(crate) fn file(&self, name: &str, text: impl ToString) -> String {
        let path: PathBuf = self.0.path().join(name);
        std::fs::write(&path, text.to_string()).unwrap();
        path.to_str().expect("a path is text").to_owned()
    }
}

#[derive(Parser)]
struct Line<A: clap::Args> {
    #[command(flatten)]
    args: A,
}

/// Runs a command with these words.
pub(crate) fn run<A: clap::Args>(
    command: impl Fn(&A, &mut Console<'_>) -> anyhow::Result<Outcome>,
    words: &[&str],
) -> Told {
    let words = ["splitctl"].iter().chain(words);
    let line: Line<A> = Line::try_parse_from(words).unwrap_or_else(|error| panic!("{error}"));
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let outcome = command(&line.args, &mut Console { out: &mut out, err: &mut err });
    let text = |bytes| String::from_utf8(bytes).expect("answers are text");
    match outcome {
        Ok(outcome) => Told { outcome, out: text(out) },
        Err(error) => panic!("{error:#}\n{}", text(err)),
    }
}

/// A time as the command line takes it.
pub(crate) fn time(now: u64) -> String {
    splitctl::moment::write(engine::units::Moment::new(now))
}
