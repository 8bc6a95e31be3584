//! Events: what happened, for a command of the operator's.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rollout::course::{Decision, Held};
use rollout::file::Rollout;
use rollout::log::{Look, What};
use serde::Serialize;

/// How long a command may take.
const LONGEST: Duration = Duration::from_secs(10);

/// An event as a command reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Event {
    /// Its kind, for scripts: `started`, `advance`, `held`, `retreat`, `rollback`, `failed`, `done`, `rolled_back`, `aborted`, `drifted`.
    event: &'static str,
    /// One sentence, for people; chat tools show it.
    text: String,
    split: String,
    challenger: String,
    /// The challenger's weight after it, where it changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<String>,
}

impl Event {
    /// What an entry of the log means for others; most looks mean nothing.
    pub(super) fn of(what: &What, rollout: &Rollout) -> Option<Self> {
        let (kind, told, weight) = match what {
            What::Started(_) => ("started", "the rollout began".to_owned(), None),
            What::Failed { why } => {
                ("failed", format!("the policy cannot be applied: {why}"), None)
            }
            What::Look(look) => {
                let kind = match &look.decision {
                    Decision::Advance { .. } => "advance",
                    Decision::Retreat { .. } => "retreat",
                    Decision::Rollback { .. } => "rollback",
                    Decision::Ended { end } => end.as_str(),
                    Decision::Hold { why } if tells(why) => "held",
                    Decision::Hold { .. } => return None,
                };
                let weight = look.to.as_ref().map(|to| weight(to.weight));
                (kind, look.decision.to_string(), weight)
            }
            What::Moved { .. } | What::Order { .. } => return None,
        };
        let (split, challenger) = (rollout.split.clone(), rollout.challenger.clone());
        let to = weight.as_ref().map(|weight| format!(", weight {weight}")).unwrap_or_default();
        let text = format!("{split}/{challenger}: {told}{to}");
        Some(Self { event: kind, text, split, challenger, weight })
    }
}

/// A weight in units of 0.0001, as people write it.
pub(super) fn weight(units: u64) -> String {
    engine::policy::Weight::from_units(units).map(|weight| weight.to_string()).unwrap_or_default()
}

/// Whether somebody has to do something, or will want to.
const fn tells(why: &Held) -> bool {
    matches!(
        why,
        Held::Approval
            | Held::Inconclusive { .. }
            | Held::SampleRatio
            | Held::NoData { .. }
            | Held::Unreadable
    )
}

/// Tells events to a command, one after the other begins, and waits for none.
pub(super) struct Teller {
    words: Vec<String>,
    folder: PathBuf,
    last: Option<Event>,
    running: Vec<JoinHandle<Result<(), String>>>,
    /// Since when proxies do not run the policy, in milliseconds since 1970.
    waits: Option<u64>,
}

/// For so many milliseconds proxies may take a policy before somebody is told that it waits for them.
const LATE: u64 = 60_000;

impl Teller {
    pub(super) fn new(words: &[String], folder: &Path) -> Self {
        Self {
            words: words.to_vec(),
            folder: folder.to_owned(),
            last: None,
            running: Vec::new(),
            waits: None,
        }
    }

    /// Whether a look waits for proxies for so long that somebody has to know.
    pub(super) fn is_late(&mut self, at: u64, look: &Look) -> bool {
        if !matches!(&look.decision, Decision::Hold { why: Held::Proxies { .. } }) {
            self.waits = None;
            return false;
        }
        at.saturating_sub(*self.waits.get_or_insert(at)) >= LATE
    }

    /// An event of proxies that are late.
    pub(super) fn late(look: &Look, rollout: &Rollout) -> Event {
        let (split, challenger) = (rollout.split.clone(), rollout.challenger.clone());
        let text = format!("{split}/{challenger}: {}, for more than a minute", look.decision);
        Event { event: "held", text, split, challenger, weight: None }
    }

    /// Tells an event, unless it is the last one again. What went wrong with earlier ones comes back.
    pub(super) fn tell(&mut self, event: &Event) -> Vec<String> {
        let wrong = self.finished(false);
        if self.last.as_ref() == Some(event) {
            return wrong;
        }
        self.last = Some(event.clone());
        let Some((program, arguments)) = self.words.split_first() else { return wrong };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null());
        let text = serde_json::to_string(event).unwrap_or_default();
        self.running.push(thread::spawn(move || carry_out(&mut command, &text)));
        wrong
    }

    /// What went wrong with those that are over; with all where they are waited for.
    pub(super) fn finished(&mut self, wait: bool) -> Vec<String> {
        let (over, running) = std::mem::take(&mut self.running)
            .into_iter()
            .partition(|one| wait || one.is_finished());
        self.running = running;
        let over: Vec<JoinHandle<_>> = over;
        over.into_iter().filter_map(|one| one.join().ok()?.err()).collect()
    }
}

/// Runs a command with a text on its standard input, for some seconds at most.
pub(super) fn carry_out(command: &mut Command, text: &str) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command.spawn().map_err(|error| format!("`{name}`: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command that does not read it needs it not.
        let _unread = stdin.write_all(text.as_bytes());
    }
    let status = wait(&mut child).map_err(|error| format!("`{name}`: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{name}` ended with {status}")) }
}

fn wait(child: &mut Child) -> std::io::Result<std::process::ExitStatus> {
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if begin.elapsed() > LONGEST {
            child.kill()?;
            child.wait()?;
            return Err(std::io::Error::other("no end after 10 s"));
        }
        thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use rollout::course::{Counted, Proxies, Seen};

    use super::*;

    fn held(why: Held) -> Look {
        let counted = Counted::Nothing { why: String::new() };
        let proxies = Proxies { all: 3, current: 2 };
        let seen = Seen { policy: None, proxies, counted, queries: Vec::new() };
        Look { seen, evidence: Vec::new(), decision: Decision::Hold { why }, to: None }
    }

    #[test]
    fn proxies_that_do_not_come_are_told_after_a_minute_and_not_at_each_step() {
        let mut teller = Teller::new(&[], Path::new("."));
        let waits = || held(Held::Proxies { current: 2, all: 3 });
        let mut late = |at, look: Look| teller.is_late(at, &look);
        assert!(!late(0, waits()) && !late(59_999, waits()) && late(60_000, waits()));
        assert!(!late(60_001, held(Held::Paused)) && !late(120_000, waits()));
        assert!(late(180_000, waits()));
    }
}
