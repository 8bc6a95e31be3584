//! `splitctl check`: does this Envoy run this policy, or can it, and does the rest of its configuration fit?

mod dump;
mod module;
mod points;

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use clap::ArgGroup;
use engine::metrics::Metrics;
use policy_text::source::{Source, to_json};
use serde::Serialize;

use crate::admin::{Admin, Asking};
use crate::console::Console;
use crate::format::Format;
use crate::outcome::Outcome;
use crate::policy_file::{PolicyFile, Valid};
use crate::style;
use crate::text::write_json;
use crate::verdict;
use dump::Dump;
use points::{Point, Shown, judge, judge_configuration};

const EXAMPLES: &str = "\
Examples:
  splitctl check policy.yaml --admin http://127.0.0.1:9901
  splitctl check policy.yaml --admin http://10.0.0.1:9901 --admin http://10.0.0.2:9901 --format json
  splitctl check policy.yaml --module traffic_split.wasm --bootstrap envoy.yaml";

/// Compares Envoys that run with a policy, or what one is to start with, and says what is missing and which lines add it.
///
/// Whether the policy runs; the filter's place; clusters and routes; headers that clients must not send; paths, client
/// addresses, access logs; labels and buckets of metrics. Ends with 0 when nothing is missing, 1 when something is, 2 when an
/// Envoy does not answer or a file cannot be read.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(group = ArgGroup::new("of").required(true).multiple(true).args(["admin", "bootstrap", "module"]))]
pub struct Args {
    /// The policy file, YAML or JSON; `-` is the standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// An Envoy's admin interface, as `http://127.0.0.1:9901`; may be repeated.
    #[arg(long, value_name = "URL", value_parser = Admin::parse)]
    admin: Vec<Admin>,

    /// A configuration that an Envoy is to start with, YAML or JSON, as far as it can be judged before.
    #[arg(long, value_name = "PATH")]
    bootstrap: Option<PathBuf>,

    /// The module that an Envoy is to load: whether it is there, whole, and built for Envoy.
    #[arg(long, value_name = "PATH")]
    module: Option<PathBuf>,

    /// How the answer is written.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What is judged: one proxy or file, for programs.
#[derive(Debug, Serialize)]
struct Judged<'a> {
    #[serde(flatten)]
    of: Of<'a>,
    ok: bool,
    /// Why there is no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    points: Vec<Point>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Of<'a> {
    Admin(&'a str),
    Bootstrap(&'a Path),
    Module(&'a Path),
}

impl<'a> Judged<'a> {
    fn new(of: Of<'a>, points: Result<Vec<Point>>) -> Self {
        match points {
            Ok(points) => {
                let ok = points.iter().all(|point| point.missing.is_none());
                Self { of, ok, error: None, points }
            }
            Err(error) => {
                let error = Some(format!("{error:#}"));
                Self { of, ok: false, error, points: Vec::new() }
            }
        }
    }

    fn outcome(&self) -> Outcome {
        match (&self.error, self.ok) {
            (Some(_), _) => Outcome::NoAnswer,
            (None, true) => Outcome::Fine,
            (None, false) => Outcome::No,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// When the policy cannot be read or the answer cannot be written.
pub fn run(args: &Args, console: &mut Console<'_>) -> Result<Outcome> {
    let file = PolicyFile::read(&args.file)?;
    let Some(valid) = &file.valid else {
        return Ok(verdict::refuse(&file, "not compared", args.format, console)?);
    };
    let asking = Asking::begin()?;
    let module =
        args.module.iter().map(|path| Judged::new(Of::Module(path), Ok(vec![module::judge(path)])));
    let bootstrap = args
        .bootstrap
        .iter()
        .map(|path| Judged::new(Of::Bootstrap(path), of_bootstrap(path, valid)));
    let admins = args
        .admin
        .iter()
        .map(|admin| Judged::new(Of::Admin(&admin.name), points(&asking, admin, valid)));
    let all: Vec<Judged<'_>> = module.chain(bootstrap).chain(admins).collect();
    match args.format {
        Format::Json => write_json(console.out, &all)?,
        Format::Human => all.iter().try_for_each(|judged| show(judged, valid, console))?,
    }
    Ok(all.iter().map(Judged::outcome).max().unwrap_or(Outcome::Fine))
}

fn of_bootstrap(path: &Path, valid: &Valid) -> Result<Vec<Point>> {
    let source = Source::read(path)?;
    let documents = source.values().map_err(|error| {
        let (line, message) = (error.place.line, error.message);
        anyhow!("{} is no YAML or JSON: line {line}: {message}", path.display())
    })?;
    let [document] = documents.as_slice() else {
        bail!("{} holds {} documents, not one", path.display(), documents.len());
    };
    let document = serde_json::from_str(&to_json(document)?)?;
    Ok(judge_configuration(&valid.policy, &Dump::of_bootstrap(document)))
}

fn points(asking: &Asking, admin: &Admin, valid: &Valid) -> Result<Vec<Point>> {
    let dump = serde_json::from_str(&asking.ask(admin, "/config_dump")?)?;
    let hash = asking.hash(admin)?;
    let refused = asking.shown(admin, Metrics::POLICY_REFUSED)? == Some(1);
    Ok(judge(valid, &Dump::read(&dump), Shown { hash, refused }))
}

fn show(judged: &Judged<'_>, valid: &Valid, console: &mut Console<'_>) -> Result<()> {
    let name = match judged.of {
        Of::Admin(name) => name.to_owned(),
        Of::Bootstrap(path) | Of::Module(path) => path.display().to_string(),
    };
    if let Some(error) = &judged.error {
        let no = style::error("no answer");
        return Ok(writeln!(console.out, "{no} {name}: {error}")?);
    }
    if judged.ok {
        let (fine, count) = (style::fine("fine"), judged.points.len());
        let what = match judged.of {
            Of::Admin(_) => format!("policy {}, {count} points", valid.hash_in_both()),
            Of::Bootstrap(_) => format!("{count} points"),
            Of::Module(_) => "a module that Envoy can load".to_owned(),
        };
        writeln!(console.out, "{fine} {name}: {what}")?;
    }
    let missing = |point: &&Point| point.missing.is_some();
    for point in judged.points.iter().filter(missing) {
        let what = point.missing.as_deref().unwrap_or_default();
        let head = style::error("missing");
        match judged.of {
            // The path is in the sentence.
            Of::Module(_) => writeln!(console.out, "{head}[{}] {what}", point.name)?,
            Of::Admin(_) | Of::Bootstrap(_) => {
                writeln!(console.out, "{head}[{}] {name}: {what}", point.name)?;
            }
        }
        for line in point.help.iter().flat_map(|help| help.lines()) {
            writeln!(console.out, "    {line}")?;
        }
    }
    Ok(())
}
