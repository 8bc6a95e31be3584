//! What programs read of a report.

use serde::Serialize;
use serde_json::Value;

use super::changes::Change;
use super::moves::{Disturbed, Moves};
use super::reshuffle::Reshuffle;
use super::steps::Step;
use super::{Kind, Report, SplitReport};
use crate::moment::Moment;
use crate::outcome::Outcome;
use crate::pause::Jump;
use policy_text::source::to_json;

/// A comparison.
#[derive(Debug, Serialize)]
pub(super) struct ReportJson<'r> {
    ok: bool,
    users: u64,
    at: Option<Moment>,
    changes: Vec<ChangeJson<'r>>,
    reshuffles: Vec<ReshuffleJson<'r>>,
    splits: Vec<SplitJson<'r>>,
}

#[derive(Debug, Serialize)]
struct SplitJson<'r> {
    name: &'r str,
    /// `added`, `removed`, `renamed` or `kept`.
    kind: &'static str,
    renamed_from: Option<&'r str>,
    changes: Vec<ChangeJson<'r>>,
    reshuffles: Vec<ReshuffleJson<'r>>,
    moves: Option<MovesJson<'r>>,
    too_large_steps: Vec<StepJson<'r>>,
    /// `pause` was taken out of the ramp, which goes on from somewhere else.
    pause_taken_out: Option<&'r Jump>,
}

#[derive(Debug, Serialize)]
struct ChangeJson<'r> {
    field: &'r str,
    from: Option<Value>,
    to: Option<Value>,
}

#[derive(Debug, Serialize)]
struct ReshuffleJson<'r> {
    kind: &'static str,
    message: &'r str,
    help: Option<&'r str>,
}

#[derive(Debug, Serialize)]
struct DisturbedJson<'r> {
    variants: Vec<&'r str>,
    leave: u64,
    join: u64,
}

#[derive(Debug, Serialize)]
struct MovesJson<'r> {
    moved: u64,
    minimum: u64,
    /// Users who leave and who join variants whose own share stays.
    disturbed: Option<DisturbedJson<'r>>,
    /// What the rows of the matrix are.
    from: &'r [String],
    /// What its columns are.
    to: &'r [String],
    matrix: &'r [Vec<u64>],
}

#[derive(Debug, Serialize)]
struct StepJson<'r> {
    variant: &'r str,
    from: f64,
    to: f64,
    at: Option<Moment>,
}

impl<'r> ReportJson<'r> {
    pub(super) fn new(report: &'r Report<'_>) -> Self {
        Self {
            ok: report.outcome() == Outcome::Fine,
            users: report.users,
            at: report.at,
            changes: report.changes.iter().map(ChangeJson::new).collect(),
            reshuffles: report.reshuffles.iter().map(ReshuffleJson::new).collect(),
            splits: report.splits.iter().map(SplitJson::new).collect(),
        }
    }
}

impl<'r> SplitJson<'r> {
    fn new(split: &'r SplitReport) -> Self {
        let (kind, renamed_from) = match &split.kind {
            Kind::Added => ("added", None),
            Kind::Removed => ("removed", None),
            Kind::Renamed { from } => ("renamed", Some(from.as_str())),
            Kind::Kept => ("kept", None),
        };
        Self {
            name: &split.name,
            kind,
            renamed_from,
            changes: split.changes.iter().map(ChangeJson::new).collect(),
            reshuffles: split.reshuffles.iter().map(ReshuffleJson::new).collect(),
            moves: split.moves.as_ref().map(MovesJson::new),
            too_large_steps: split.steps.iter().map(StepJson::new).collect(),
            pause_taken_out: split.jump.as_ref(),
        }
    }
}

impl<'r> ChangeJson<'r> {
    fn new(change: &'r Change) -> Self {
        let value =
            |value: &engine::policy::Value| serde_json::from_str(&to_json(value).ok()?).ok();
        Self {
            field: &change.field,
            from: change.from.as_ref().and_then(value),
            to: change.to.as_ref().and_then(value),
        }
    }
}

impl<'r> ReshuffleJson<'r> {
    fn new(Reshuffle { kind, message, help }: &'r Reshuffle) -> Self {
        Self { kind, message, help: help.as_deref() }
    }
}

impl<'r> MovesJson<'r> {
    fn new(moves: &'r Moves) -> Self {
        Self {
            moved: moves.moved(),
            minimum: moves.minimum(),
            disturbed: moves.disturbed().map(|Disturbed { variants, leave, join }| DisturbedJson {
                variants,
                leave,
                join,
            }),
            from: &moves.from,
            to: &moves.to,
            matrix: &moves.counts,
        }
    }
}

impl<'r> StepJson<'r> {
    fn new(step: &'r Step) -> Self {
        Self { variant: &step.variant, from: step.from, to: step.to, at: step.at }
    }
}
