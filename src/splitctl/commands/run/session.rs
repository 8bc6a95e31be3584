//! A policy at work in the lab: the first round, and then whatever is saved.

use std::io::Write;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use engine::plan::Plan;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lab::{Lab, Stop, Update};
use policy_text::source::to_json;
use serde::Serialize;

use super::failing::Failing;
use super::progress::{self, StoryJson};
use super::prometheus::Prometheus;
use super::round::{self, Report};
use super::table::{self, SplitJson};
use super::tries::{self, Try};
use crate::console::{Console, stdout_is_closed};
use crate::format::Format;
use crate::policy_file::{PolicyFile, Valid};
use crate::style;
use crate::text::write_json;
use crate::verdict::describe;
use crate::watch::Watch;

/// A running lab and whom it tells about it. Everything it says for people ends with an empty line.
pub(super) struct Session<'a, 'c> {
    lab: Lab,
    stop: Stop,
    console: &'a mut Console<'c>,
    format: Format,
    users: usize,
    /// What there was to try when it was last shown.
    tries: Vec<Try>,
    prometheus: Option<Prometheus>,
}

/// What became of a variant that fails, for programs.
#[derive(Debug, Serialize)]
struct FailingAnswer<'s> {
    ok: bool,
    policy: String,
    #[serde(flatten)]
    story: StoryJson<'s>,
}

/// What a round has shown, for programs.
#[derive(Debug, Serialize)]
struct Answer<'r> {
    ok: bool,
    policy: String,
    users: usize,
    listener: String,
    splits: Vec<SplitJson<'r>>,
    tries: &'r [Try],
}

impl<'a, 'c> Session<'a, 'c> {
    pub(super) fn new(
        lab: Lab,
        stop: Stop,
        console: &'a mut Console<'c>,
        format: Format,
        users: u32,
    ) -> Self {
        Self {
            lab,
            stop,
            console,
            format,
            users: users as usize,
            tries: Vec::new(),
            prometheus: None,
        }
    }

    /// The stream for what is said besides the table.
    fn talk(&mut self) -> &mut dyn Write {
        match self.format {
            Format::Human => self.console.out,
            Format::Json => self.console.err,
        }
    }

    /// Says what is running and where.
    pub(super) fn greet(
        &mut self,
        name: &str,
        valid: &Valid,
        port_note: Option<String>,
    ) -> Result<()> {
        let (listener, admin) = (self.lab.listener(), self.lab.admin());
        let note = port_note.map(|note| format!("; {note}")).unwrap_or_default();
        let talk = self.talk();
        writeln!(talk, "{} {name}: {}", style::strong("policy"), describe(valid))?;
        writeln!(
            talk,
            "{}  http://{listener} (admin http://{admin}){note}\n",
            style::strong("envoy")
        )?;
        Ok(())
    }

    /// Starts a Prometheus beside Envoy and says where.
    pub(super) fn watch_with_prometheus(&mut self, valid: &Valid) -> Result<()> {
        let prometheus = Prometheus::start(self.lab.admin(), valid, &self.stop)?;
        let alerts = prometheus.alerts();
        let name = style::strong("prometheus");
        writeln!(self.talk(), "{name} {alerts}\n")?;
        self.prometheus = Some(prometheus);
        Ok(())
    }

    /// Shows the first round, and follows the policy file until the end is wished for.
    pub(super) fn show_and_follow(
        &mut self,
        name: &str,
        valid: Valid,
        watch: Option<&Watch>,
    ) -> Result<()> {
        self.show(&valid, watch)?;
        match watch {
            Some(_) => writeln!(self.talk(), "save {name} to apply a change; Ctrl-C ends\n")?,
            None => writeln!(self.talk(), "Ctrl-C ends\n")?,
        }
        self.talk().flush()?;
        let mut current = valid;
        while !self.stop.is_set() && !stdout_is_closed() {
            self.lab.check()?;
            let Some(watch) = watch else {
                self.stop.wait(Duration::from_millis(250));
                continue;
            };
            let Some(content) = watch.next(Duration::from_millis(100)) else { continue };
            let applied = match content {
                Ok(source) => self.update(PolicyFile::check(source), &current)?,
                Err(unreadable) => {
                    let note = style::warning("note");
                    writeln!(
                        self.talk(),
                        "{note}: {unreadable}; policy {} serves on\n",
                        current.hash_text()
                    )?;
                    None
                }
            };
            self.talk().flush()?;
            if let Some(valid) = applied {
                current = valid;
                // On stdout there is one JSON document only.
                if self.format == Format::Human {
                    self.show(&current, Some(watch))?;
                }
            }
        }
        Ok(())
    }

    /// The last words.
    pub(super) fn part(&mut self) -> Result<()> {
        // The terminal has just written ^C at the begin of the line.
        writeln!(self.talk(), "\nended")?;
        Ok(())
    }

    /// One round with its table and what to try. Tells whether all is as it should be; nothing where the round
    /// was ended early.
    pub(super) fn show(&mut self, valid: &Valid, watch: Option<&Watch>) -> Result<Option<bool>> {
        let plan = Plan::new(valid.policy.clone());
        let Some(report) = self.round(&plan, watch)? else { return Ok(None) };
        let tries = tries::find(&self.lab, &plan)?;
        let fine = report.is_fine() && tries.iter().all(Try::is_fine);
        match self.format {
            Format::Human => {
                table::show(&report, self.console.out)?;
                writeln!(self.console.out)?;
                // Shown again only when they say something new.
                if tries != self.tries {
                    tries.iter().try_for_each(|tried| show_try(tried, self.console.out))?;
                    self.tries = tries;
                }
            }
            Format::Json => {
                let answer = Answer {
                    ok: fine,
                    policy: valid.hash_text(),
                    users: self.users,
                    listener: self.lab.listener().to_string(),
                    splits: table::to_json(&report),
                    tries: &tries,
                };
                write_json(self.console.out, &answer)?;
            }
        }
        self.console.out.flush()?;
        Ok(Some(fine))
    }

    /// Shows a variant that begins to fail, second by second. Tells whether it was taken out of service; nothing where it
    /// was ended early.
    pub(super) fn show_failing(
        &mut self,
        valid: &Valid,
        failing: &Failing,
    ) -> Result<Option<bool>> {
        let plan = Plan::new(valid.policy.clone());
        let talk: &mut dyn Write = match self.format {
            Format::Human => self.console.out,
            Format::Json => self.console.err,
        };
        if let Some(note) = failing.note(&valid.policy) {
            writeln!(talk, "{}: {note}\n", style::warning("note"))?;
        }
        progress::head(failing, talk)?;
        let tell = |event: &_| Ok(progress::show(event, failing, talk)?);
        let story = failing.run(&self.lab, &plan, self.users, &self.stop, tell)?;
        let Some(story) = story else { return Ok(None) };
        let out = story.out.is_some();
        match self.format {
            Format::Human => progress::conclude(&story, failing, self.console.out)?,
            Format::Json => {
                let story = progress::to_json(&story, failing);
                let answer = FailingAnswer { ok: out, policy: valid.hash_text(), story };
                write_json(self.console.out, &answer)?;
            }
        }
        self.console.out.flush()?;
        Ok(Some(out))
    }

    fn round(&self, plan: &Plan, watch: Option<&Watch>) -> Result<Option<Report>> {
        let bar = progress_bar(self.users.saturating_mul(plan.enabled().count()));
        let (drawn, stop) = (bar.clone(), self.stop.clone());
        let changed = watch.map_or_else(|| Arc::new(AtomicBool::new(false)), Watch::waiting);
        let progress = move |done: usize| {
            drawn.set_position(done as u64);
            // A change of the file comes first: its round will show more than this one.
            if stop.is_set() || changed.load(Ordering::Relaxed) {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        };
        let report = round::run(&self.lab, plan, self.users, progress);
        bar.finish_and_clear();
        report
    }

    /// Gives a changed file to Envoy, and says what became of it. One that is not valid goes there too: what
    /// is seen then is what a refused policy does.
    fn update(&mut self, file: PolicyFile, current: &Valid) -> Result<Option<Valid>> {
        let begin = Instant::now();
        let (name, summary) = (file.source.name.clone(), file.summary());
        file.show_findings(self.talk())?;
        let Some(valid) = file.valid else {
            if let Ok(document) = file.source.policy()
                && self.lab.apply(&to_json(&document.value)?)? == Update::Applied
            {
                bail!("envoy took a policy that is not valid: its module is of another version");
            }
            let refused = style::error("refused");
            writeln!(
                self.talk(),
                "{refused} {name}: {summary}; policy {} serves on\n",
                current.hash_text()
            )?;
            return Ok(None);
        };
        match self.lab.apply(&to_json(&valid.document)?)? {
            Update::Applied if valid.policy == current.policy => {
                let saved = style::fine("saved");
                writeln!(self.talk(), "{saved} {name}: it says the same as before\n")?;
                Ok(None)
            }
            Update::Applied => {
                if let Some(prometheus) = &self.prometheus {
                    prometheus.follow(&valid)?;
                }
                let (applied, took) = (style::fine("applied"), begin.elapsed().as_millis());
                writeln!(self.talk(), "{applied} {name}: {}, in {took} ms\n", describe(&valid))?;
                Ok(Some(valid))
            }
            Update::Refused(lines) => {
                show_refusal(&lines, self.talk())?;
                writeln!(self.talk(), "policy {} serves on\n", current.hash_text())?;
                Ok(None)
            }
        }
    }
}

fn progress_bar(all: usize) -> ProgressBar {
    // This target draws on a terminal only.
    let bar = ProgressBar::with_draw_target(Some(all as u64), ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("sending requests {bar:40} {human_pos} of {human_len}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn show_try(tried: &Try, out: &mut dyn Write) -> Result<()> {
    let Try { what, curl, expected, answered } = tried;
    if tried.is_fine() {
        writeln!(out, "{}", style::faint(format!("# {what} -> {expected}")))?;
    } else {
        let wrong = format!("# {what} -> should be {expected}, is {answered}");
        writeln!(out, "{}", style::error(wrong))?;
    }
    writeln!(out, "{curl}\n")?;
    Ok(())
}

/// What the filter in Envoy said when it refused a policy that the engine here takes. Both are the same code,
/// so that this needs a module of another version.
pub(super) fn show_refusal(lines: &[String], out: &mut dyn Write) -> Result<()> {
    writeln!(out, "{} by the filter in envoy:", style::error("refused"))?;
    for line in lines {
        writeln!(out, "  {line}")?;
    }
    let help = style::strong("help");
    writeln!(
        out,
        "  {help}: the module is of another version; `scripts/build-wasm` builds it again"
    )?;
    Ok(())
}
