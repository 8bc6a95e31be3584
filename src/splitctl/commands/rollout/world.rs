//! The world of a rollout: the policy's file, the proxies, whoever counts, the log.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use engine::policy::Weight;
use policy_text::source::Source;
use rollout::course::{Counted, Seen, State};
use rollout::driver::World;
use rollout::file::{Apply, Facts, Rollout};
use rollout::log::{Entry, Look, What};
use tokio::runtime::Runtime;

use super::counts::Counting;
use super::events::{Event, Teller, carry_out};
use super::load::{Loaded, beside};
use super::logfile::LogFile;
use super::weights::with_weight;
use crate::ecds;
use crate::moment;
use crate::policy_file::{PolicyFile, Valid};

pub(super) struct Real {
    rollout: Rollout,
    facts: Facts,
    /// The policy's file.
    policy: PathBuf,
    /// The rollout's file: paths and commands are from its folder.
    file: PathBuf,
    log: LogFile,
    is_locked: bool,
    /// What others added, and nobody took yet.
    others: Vec<Entry>,
    counting: Counting,
    runtime: Runtime,
    teller: Teller,
    last_look: Option<Look>,
    /// What was said of the counts.
    noted: BTreeSet<String>,
    /// What there is to say besides.
    pub(super) notes: Vec<String>,
}

impl Real {
    pub(super) fn new(loaded: &Loaded, log: LogFile) -> Result<Self> {
        let split =
            loaded.policy.policy.splits.iter().find(|split| split.name == loaded.rollout.split);
        let sticky = split.is_some_and(|split| split.sticky.is_some());
        let counting = Counting::new(&loaded.rollout, &loaded.facts.baseline, sticky)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let folder = beside(&loaded.path, ".");
        Ok(Self {
            rollout: loaded.rollout.clone(),
            facts: loaded.facts.clone(),
            policy: loaded.policy_path.clone(),
            file: loaded.path.clone(),
            log,
            is_locked: false,
            others: Vec::new(),
            counting,
            runtime: runtime.context("cannot start a runtime")?,
            teller: Teller::new(&loaded.rollout.on_event, &folder),
            last_look: None,
            noted: BTreeSet::new(),
            notes: Vec::new(),
        })
    }

    /// Goes on from a log: with its facts, because the policy may have moved on since, and from its counts.
    pub(super) fn going_on(mut self, facts: Facts, entries: &[Entry]) -> Self {
        self.facts = facts;
        let counts = entries.iter().rev().find_map(|entry| match &entry.what {
            What::Look(Look {
                seen: Seen { counted: counted @ Counted::Counts { .. }, .. },
                ..
            }) => Some(counted),
            _ => None,
        });
        if let Some(counts) = counts {
            self.counting.go_on(counts);
        }
        self
    }

    /// Looks without a decision: what comes after it is counted.
    pub(super) fn look_before(&mut self) {
        let _seen = self.runtime.block_on(self.counting.see(None));
    }

    /// Whether somebody added to the log what nobody took yet.
    pub(super) fn is_addressed(&self) -> bool {
        self.log.length().is_ok_and(|length| length != self.log.known())
    }

    /// The last look that was decided.
    pub(super) const fn last_look(&self) -> Option<&Look> {
        self.last_look.as_ref()
    }

    /// Waits for the commands of events.
    pub(super) fn finish(&mut self) -> Vec<String> {
        self.teller.finished(true)
    }

    fn changed(&self, weight: Weight) -> Result<(Source, Source, Valid)> {
        let source = Source::read(&self.policy)?;
        let (changed, valid) = with_weight(&source, &self.rollout, &self.facts, weight)?;
        Ok((source, changed, valid))
    }

    /// Has the proxies told.
    fn deliver(&self, valid: &Valid) -> Result<()> {
        match &self.rollout.apply {
            Apply::File => Ok(()),
            Apply::Ecds(path) => {
                let path = beside(&self.file, path);
                let module = match path.exists() {
                    true => ecds::module_in(&path)?,
                    false => ecds::MODULE.to_owned(),
                };
                lab::replace(&path, &ecds::render(&module, valid)?)
            }
            Apply::Command(words) => {
                let (program, arguments) = words.split_first().context("no command")?;
                let mut command = Command::new(program);
                command.args(arguments).current_dir(beside(&self.file, "."));
                // It runs in another folder.
                let policy = std::path::absolute(&self.policy)?;
                command.env("SPLIT_POLICY", policy).env("SPLIT_POLICY_HASH", valid.hash_text());
                command.stdin(Stdio::null()).stdout(Stdio::null());
                carry_out(&mut command, "").map_err(|why| anyhow!(why))
            }
        }
    }
}

impl World for Real {
    type Error = anyhow::Error;

    fn now(&mut self) -> u64 {
        moment::now().get()
    }

    fn see(&mut self, _state: &State) -> Seen {
        let valid = PolicyFile::read(&self.policy).ok().and_then(|file| file.valid);
        let hash = valid.as_ref().map(|valid| valid.hash);
        let (counting, runtime) = (&mut self.counting, &self.runtime);
        let (proxies, counted, queries) = runtime.block_on(counting.see(hash));
        for note in counting.notes() {
            if self.noted.insert(note.clone()) {
                self.notes.push(note);
            }
        }
        Seen { policy: valid.map(|valid| valid.hash_text()), proxies, counted, queries }
    }

    fn hash_at(&mut self, weight: Weight) -> Result<String> {
        Ok(self.changed(weight)?.2.hash_text())
    }

    fn apply(&mut self, weight: Weight, over: &[String]) -> Result<()> {
        let (source, changed, valid) = self.changed(weight)?;
        let found = PolicyFile::check(source.clone()).valid.map(|valid| valid.hash_text());
        if !found.as_ref().is_some_and(|found| over.contains(found)) {
            bail!("somebody else has changed `{}`", self.policy.display());
        }
        // The time between reading and writing is what somebody else's edit may be lost in: the shorter, the better.
        let is_same = || Source::read(&self.policy).is_ok_and(|now| now.text == source.text);
        if source.text != changed.text {
            ensure!(is_same(), "`{}` is being changed", self.policy.display());
            lab::replace(&self.policy, &changed.text)?;
        }
        self.deliver(&valid)
    }

    fn lock(&mut self) -> Result<()> {
        self.log.lock()?;
        self.is_locked = true;
        Ok(())
    }

    fn unlock(&mut self) {
        self.log.unlock();
        self.is_locked = false;
    }

    fn added(&mut self) -> Result<Vec<Entry>> {
        self.others.extend(self.log.read()?);
        Ok(std::mem::take(&mut self.others))
    }

    fn add(&mut self, at: u64, what: What) -> Result<()> {
        let was_locked = self.is_locked;
        if !was_locked {
            self.log.lock()?;
        }
        let added = self.log.read().and_then(|others| {
            self.others.extend(others);
            self.log.add(at, what)
        });
        if !was_locked {
            self.log.unlock();
        }
        let entry = added?;
        if let What::Look(look) = &entry.what {
            self.last_look = Some(look.clone());
        }
        let late = match &entry.what {
            What::Look(look) if self.teller.is_late(at, look) => {
                Some(Teller::late(look, &self.rollout))
            }
            _ => None,
        };
        if let Some(event) = late.or_else(|| Event::of(&entry.what, &self.rollout)) {
            let wrong = self.teller.tell(&event);
            self.notes.extend(wrong.into_iter().map(|why| format!("on_event: {why}")));
        }
        Ok(())
    }
}
