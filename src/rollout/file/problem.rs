//! What can be wrong with a rollout file.

use std::fmt;

/// A kind of problem, with a stable name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// The file is no mapping, or a value is of the wrong kind.
    WrongType,
    /// A field that is not known.
    UnknownField,
    /// A field that is written twice.
    DuplicateField,
    /// A field that has to be there.
    MissingField,
    /// A number or text outside of what is possible.
    OutOfRange,
    /// Two fields of which only one can act.
    Conflict,
    /// The policy has no such split.
    UnknownSplit,
    /// The split has no such variant.
    UnknownVariant,
    /// The challenger is the baseline.
    IsBaseline,
    /// The weights of the steps do not rise.
    NotRising,
    /// A step is over the variant's `max_weight`.
    OverMaxWeight,
    /// A step is larger than `max_step`.
    OverMaxStep,
    /// There is not as much weight to give.
    NoRoom,
    /// The split is off, killed or ramps on its own.
    Unsteady,
    /// The challenger begins above the first step.
    StartsAbove,
}

impl Code {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::WrongType,
        Self::UnknownField,
        Self::DuplicateField,
        Self::MissingField,
        Self::OutOfRange,
        Self::Conflict,
        Self::UnknownSplit,
        Self::UnknownVariant,
        Self::IsBaseline,
        Self::NotRising,
        Self::OverMaxWeight,
        Self::OverMaxStep,
        Self::NoRoom,
        Self::Unsteady,
        Self::StartsAbove,
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WrongType => "wrong_type",
            Self::UnknownField => "unknown_field",
            Self::DuplicateField => "duplicate_field",
            Self::MissingField => "missing_field",
            Self::OutOfRange => "out_of_range",
            Self::Conflict => "conflict",
            Self::UnknownSplit => "unknown_split",
            Self::UnknownVariant => "unknown_variant",
            Self::IsBaseline => "is_baseline",
            Self::NotRising => "not_rising",
            Self::OverMaxWeight => "over_max_weight",
            Self::OverMaxStep => "over_max_step",
            Self::NoRoom => "no_room",
            Self::Unsteady => "unsteady",
            Self::StartsAbove => "starts_above",
        }
    }
}

/// One problem of a rollout file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Its kind.
    pub code: Code,
    /// Where in the document, such as `steps[1].weight`; empty for the whole.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, path, message, help } = self;
        write!(f, "error[{}] {path}: {message}; help: {help}", code.as_str())
    }
}
