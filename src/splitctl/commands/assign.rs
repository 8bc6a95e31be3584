//! `splitctl assign`: the variant of every key of a list, as the proxy would give it.

mod assigner;
mod lines;
mod rows;

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use engine::units;

use crate::console::Console;
use crate::format::Format;
use crate::moment;
use crate::outcome::Outcome;
use crate::policy_file::PolicyFile;
use crate::verdict;
use assigner::Assigner;
use lines::Lines;

/// How much is read and written at once.
const BLOCK: usize = 256 * 1024;

const EXAMPLES: &str = "\
Examples:
  splitctl assign policy.yaml --split checkout --ids users.txt > assigned.csv
  psql -Atc 'select user_id from users' | splitctl assign policy.yaml --split checkout
  splitctl assign policy.yaml --split checkout --ids users.txt --at 2026-12-01T09:00:00Z --format json

Rows are in the order of the keys: key, variant, bucket (0..9999, under the
split's salt), reason.
  split      the weights decided
  holdout    the user is held out and has the baseline
  killed     the policy is killed: the baseline
  fallback   every variant has weight 0 or drains: the baseline
  out        no variant, because the split does not apply: the user is outside
             its slice, or in an earlier split of its layer that can take the
             same request, or does not have a variant that the split requires
  no_key     the line is empty: the baseline (`on_missing_key`; with `random`
             no variant is known, with `skip` it is out)
A key is the bytes of a line, without its end. What depends on a request is not
looked at: match, overrides, sticky cookies, the source of the key. JSON is one
object per line; a key that is not UTF-8 is `key_base64` there.";

/// Assigns a list of keys, for analysts: one key per line in, one row per key out.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The policy: YAML or JSON, or a manifest that carries it.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The split.
    #[arg(long, value_name = "NAME")]
    split: String,

    /// The keys, one per line; `-` is the standard input.
    #[arg(long, value_name = "FILE", default_value = "-")]
    ids: PathBuf,

    /// The moment, for ramps: RFC 3339, or `now`.
    #[arg(long, value_name = "TIME", value_parser = moment::parse, default_value = "now")]
    at: units::Moment,

    /// How rows are written.
    #[arg(long, value_enum, default_value_t)]
    format: RowFormat,
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum RowFormat {
    /// With a header line; quotes as in RFC 4180.
    #[default]
    Csv,
    /// One object per line.
    Json,
}

/// Runs the command. Writes the bytes of keys as they are, so `console.out` must not look for styles.
///
/// # Errors
/// When a file cannot be read, there is no such split or it has no assignment by key, a key is too long, or the
/// answer cannot be written.
pub fn run(args: &Args, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    let stdin = Path::new("-");
    if args.file == stdin && args.ids == stdin {
        bail!(
            "the standard input cannot be both the policy and the keys; give one of them as a file"
        );
    }
    let file = PolicyFile::read(&args.file)?;
    let Some(valid) = &file.valid else {
        let format = match args.format {
            RowFormat::Csv => Format::Human,
            RowFormat::Json => Format::Json,
        };
        return Ok(verdict::refuse(&file, "not valid", format, console)?);
    };
    let assigner = Assigner::new(valid.policy.clone(), &args.split, args.at)?;
    if args.ids == stdin {
        assign(&assigner, io::stdin().lock(), args.format, console.out)?;
    } else {
        let name = args.ids.display();
        let ids = File::open(&args.ids).with_context(|| format!("cannot read `{name}`"))?;
        assign(&assigner, ids, args.format, console.out)?;
    }
    Ok(Outcome::Fine)
}

/// Assigns every line of the input.
fn assign(
    assigner: &Assigner,
    input: impl Read,
    format: RowFormat,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let mut lines = Lines::new(BufReader::with_capacity(BLOCK, input));
    let mut out = BufWriter::with_capacity(BLOCK, out);
    if format == RowFormat::Csv {
        out.write_all(rows::CSV_HEAD)?;
    }
    while let Some(key) = lines.next()? {
        let assigned = assigner.assign(key);
        match format {
            RowFormat::Csv => rows::write_csv(key, &assigned, &mut out)?,
            RowFormat::Json => rows::write_json(key, &assigned, &mut out)?,
        }
    }
    out.flush()?;
    Ok(())
}

#[cfg(test)]
#[path = "assign/tests.rs"]
mod tests;
