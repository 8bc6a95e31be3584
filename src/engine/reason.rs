//! Why a variant was served: a closed list of stable words.

/// The reason of a decision; the label `reason` of the metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The weights decided, by the user's key.
    #[default]
    Split,
    /// An override, or somebody who knows the secret, forced the variant.
    Override,
    /// The user's sticky cookie decided.
    Sticky,
    /// The user is held out: baseline.
    Holdout,
    /// No key was found and the split serves its baseline then.
    NoKey,
    /// The weights decided, by chance.
    Random,
    /// The policy is killed: baseline for everybody.
    Killed,
    /// Nothing could be chosen (every weight is 0): baseline.
    Fallback,
}

impl Reason {
    /// Every reason, in the order of their places.
    pub const ALL: [Self; 8] = [
        Self::Split,
        Self::Override,
        Self::Sticky,
        Self::Holdout,
        Self::NoKey,
        Self::Random,
        Self::Killed,
        Self::Fallback,
    ];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Split => "split",
            Self::Override => "override",
            Self::Sticky => "sticky",
            Self::Holdout => "holdout",
            Self::NoKey => "no_key",
            Self::Random => "random",
            Self::Killed => "killed",
            Self::Fallback => "fallback",
        }
    }
}
