//! `splitctl run`: a policy in a real Envoy, with requests of many users, and what Envoy counted.

mod failing;
mod progress;
mod prometheus;
mod round;
mod sample;
mod session;
mod table;
mod tries;

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::builder::ArgPredicate;
use lab::{Lab, Options, StartError, Stop};
use policy_text::source::to_json;

use crate::console::Console;
use crate::format::Format;
use crate::moment::Period;
use crate::outcome::Outcome;
use crate::policy_file::PolicyFile;
use crate::verdict;
use crate::watch::Watch;
use failing::Failing;
use session::Session;

/// The port of the listener when none is asked for and it is free.
const PORT: u16 = 10000;

const EXAMPLES: &str = "\
Examples:
  splitctl run --policy policy.yaml
  splitctl run --once --users 100000 --format json
  splitctl run --with-prometheus
  splitctl run --fail canary --after 10s --for 20s";

/// Runs a policy in a real Envoy and shows what each variant got.
///
/// Each cluster that the policy names gets an upstream on the loopback that answers with the cluster's name.
/// Requests of many users go through Envoy, and a table shows what Envoy itself counted per variant.
///
/// Envoy runs on until Ctrl-C. Save the policy file meanwhile: the change is applied within two seconds, or
/// refused with its diagnostics, and then the policy before serves on.
///
/// With `--fail canary` the variant's upstream begins to fail while users send requests, and a line per second shows what
/// its guard makes of that.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The policy file, YAML or JSON; `-` is the standard input.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "envoy/policy.yaml",
        default_value_if("fail", ArgPredicate::IsPresent, "envoy/policies/guard.yaml")
    )]
    policy: PathBuf,

    /// How many users send a request to each split.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    users: u32,

    /// The port to listen on; without this 10000, or a free one where that is taken.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,

    /// End after the table, with 1 where a share is off by more than 4 sigma.
    #[arg(long)]
    once: bool,

    /// Watch Envoy with a real Prometheus that has the rules and alerts of `render prometheus`.
    #[arg(long, conflicts_with = "once")]
    with_prometheus: bool,

    /// A variant whose upstream answers 500 after a time; ends with 1 where its guard does not take it out of service.
    #[arg(long, value_name = "[SPLIT/]VARIANT", conflicts_with_all = ["once", "with_prometheus"])]
    fail: Option<String>,

    /// How long it is well before.
    #[arg(long, value_name = "TIME", default_value = "10s", requires = "fail")]
    after: Period,

    /// How long it fails then.
    #[arg(long = "for", value_name = "TIME", default_value = "20s", requires = "fail")]
    lasts: Period,

    /// How the table is written.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the command.
///
/// # Errors
/// When the policy file cannot be read, or Envoy or the filter's module is missing or does not start.
pub fn run(args: &Args, console: &mut Console<'_>) -> Result<Outcome> {
    let file = PolicyFile::read(&args.policy)?;
    let Some(valid) = &file.valid else {
        return Ok(verdict::refuse(&file, "not valid", args.format, console)?);
    };
    file.show_findings(console.err)?;
    let failing = match &args.fail {
        Some(name) => {
            let [after, lasts] =
                [args.after, args.lasts].map(|Period(time)| Duration::from_millis(time.get()));
            Some(Failing::find(&valid.policy, name, after, lasts)?)
        }
        None => None,
    };
    let (port, why_not_the_usual) = choose_port(args.port)?;
    let stop = Stop::on_signals()?;
    let options = Options { port, stop: stop.clone(), ..Options::default() };
    let lab = match Lab::start(&to_json(&valid.document)?, options) {
        Ok(lab) => lab,
        Err(StartError::Stopped) => return Ok(Outcome::NoAnswer),
        Err(StartError::PolicyRefused(lines)) => {
            session::show_refusal(&lines, console.err)?;
            return Ok(Outcome::NotValid);
        }
        Err(StartError::Failed(error)) => return Err(error),
    };

    if let Some(lines) = lab.refused_at_start() {
        session::show_refusal(&lines, console.err)?;
        return Ok(Outcome::NotValid);
    }

    let name = &file.source.name;
    let mut session = Session::new(lab, stop.clone(), console, args.format, args.users);
    session.greet(name, valid, why_not_the_usual)?;
    if args.with_prometheus {
        session.watch_with_prometheus(valid)?;
    }
    if let Some(failing) = &failing {
        return Ok(match session.show_failing(valid, failing)? {
            Some(true) => Outcome::Fine,
            Some(false) => Outcome::No,
            None => Outcome::NoAnswer,
        });
    }
    if args.once {
        return Ok(match session.show(valid, None)? {
            Some(true) => Outcome::Fine,
            Some(false) => Outcome::No,
            // Interrupted, so that nothing is known.
            None => Outcome::NoAnswer,
        });
    }
    let from_stdin = args.policy.as_os_str() == "-";
    let watch =
        (!from_stdin).then(|| Watch::start(args.policy.clone(), &file.source, stop.clone()));
    match session.show_and_follow(name, valid.clone(), watch.as_ref()) {
        // Whatever was under way when the end was wished for is no failure.
        Err(_) if stop.is_set() => {}
        ended => ended?,
    }
    session.part()?;
    Ok(Outcome::Fine)
}

/// The port to ask for (0 is a free one), and why it is not the usual one.
fn choose_port(wanted: Option<u16>) -> Result<(u16, Option<String>)> {
    let free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    match wanted {
        Some(port) if free(port) => Ok((port, None)),
        Some(port) => {
            bail!(
                "port {port} is taken; choose another, or leave `--port` out to get one that is free"
            )
        }
        None if free(PORT) => Ok((PORT, None)),
        None => Ok((0, Some(format!("a free port, because {PORT} is taken")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_asked_for_must_be_free() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = choose_port(Some(port)).unwrap_err().to_string();
        assert!(error.starts_with(&format!("port {port} is taken")), "{error}");
        drop(taken);
        assert_eq!(choose_port(Some(port)).unwrap(), (port, None));
    }

    #[test]
    fn a_policy_that_is_not_valid_is_not_run() {
        let folder = tempfile::tempdir().unwrap();
        let policy = folder.path().join("policy.yaml");
        std::fs::write(&policy, "version: 9\nsplits: []\n").unwrap();
        let format = Format::Human;
        let [after, lasts] = ["1s"; 2].map(|time| time.parse().unwrap());
        let args = Args {
            policy,
            users: 1,
            port: None,
            once: true,
            with_prometheus: false,
            fail: None,
            after,
            lasts,
            format,
        };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let outcome = run(&args, &mut Console { out: &mut out, err: &mut err }).unwrap();
        assert_eq!((outcome, out.len()), (Outcome::NotValid, 0));
        assert!(String::from_utf8(err).unwrap().contains("unsupported_version"));
    }
}
