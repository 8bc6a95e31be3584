//! What there is to say about the text of a document beside its values: how scalars are written, and which of them are not
//! read alike by all.

use engine::policy::Severity;

use super::dialect::{Dialect, Doubt};
use super::places::Place;

/// A finding about how a document is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// `yaml_reading` or `ambiguous_yaml`.
    pub code: &'static str,
    /// Whether the policy is refused.
    pub severity: Severity,
    /// Where in the document.
    pub path: String,
    /// Where in the text.
    pub place: Place,
    /// What is to be said.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

impl Note {
    pub(super) fn new(doubt: Doubt, path: String, place: Place) -> Self {
        let (code, severity) = match doubt.refused {
            true => ("ambiguous_yaml", Severity::Error),
            false => ("yaml_reading", Severity::Warning),
        };
        Self { code, severity, path, place, message: doubt.message, help: doubt.help }
    }
}

/// Something about the text of one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mark {
    /// How a number or boolean is written.
    Written {
        /// Where in the document.
        path: String,
        text: String,
    },
    /// A finding.
    Note(Note),
    /// What was about a value that another has taken the place of.
    Ended,
}

impl Mark {
    pub(super) fn written(path: &str, text: &str) -> Self {
        Self::Written { path: path.to_owned(), text: text.to_owned() }
    }

    pub(super) fn path(&self) -> &str {
        match self {
            Self::Written { path, .. } | Self::Note(Note { path, .. }) => path,
            Self::Ended => "\0",
        }
    }

    /// Ends it, if it is about what is at a path, or inside of it: another value takes its place.
    pub(super) fn end_below(&mut self, path: &str) {
        if rest(self.path(), path).is_some() {
            *self = Self::Ended;
        }
    }

    /// Whether it is about the document as it is read: not ended, and not about what a merge key has moved elsewhere.
    pub(super) fn counts(&self, dialect: Dialect) -> bool {
        let is_merged = |part: &str| part == "<<" || part.starts_with("<<[");
        let is_moved = dialect == Dialect::Kubernetes && self.path().split('.').any(is_merged);
        *self != Self::Ended && !is_moved
    }

    /// The same about what is at another path; `None` where it is not about what is at the first.
    pub(super) fn moved(&self, from: &str, to: &str) -> Option<Self> {
        let rest = rest(self.path(), from)?;
        let moved = if to.is_empty() {
            rest.strip_prefix('.').unwrap_or(rest).to_owned()
        } else {
            format!("{to}{rest}")
        };
        let mut mark = self.clone();
        match &mut mark {
            Self::Written { path, .. } | Self::Note(Note { path, .. }) => *path = moved,
            Self::Ended => return None,
        }
        Some(mark)
    }

    /// The same where it stands somewhere else in the text.
    pub(super) fn at(mut self, place: Place) -> Self {
        if let Self::Note(note) = &mut self {
            note.place = place;
        }
        self
    }
}

/// What of a path is below another.
fn rest<'p>(path: &'p str, root: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(root)?;
    (root.is_empty() || rest.is_empty() || rest.starts_with(['.', '['])).then_some(rest)
}
