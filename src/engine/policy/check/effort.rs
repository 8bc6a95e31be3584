//! How much is compared to find what a policy may not mean.

use crate::matching::{Form, Match, NamedTest, ValueTest, exclude_each_other};
use crate::policy::Split;

/// What is left to spend. A proxy reads a policy while requests wait, and a policy of hundreds of splits does not come
/// near the end; beyond it splits are taken for well meant.
pub(super) struct Effort(usize);

impl Effort {
    /// Some hundredths of a second.
    pub(super) const fn new() -> Self {
        Self(2_000_000)
    }

    /// Takes so many steps from what is left; `None` = there are not as many.
    pub(super) fn spend(&mut self, steps: usize) -> Option<()> {
        let left = self.0.checked_sub(steps);
        self.0 = left.unwrap_or_default();
        left.map(drop)
    }

    /// Whether no request meets the matches of both; `None` = to find out would take too long.
    pub(super) fn are_apart(&mut self, a: &Split, b: &Split) -> Option<bool> {
        let (Some(a), Some(b)) = (&a.matches, &b.matches) else { return Some(false) };
        let size = size(a).saturating_add(size(b));
        self.spend(size.saturating_mul(size))?;
        Some(exclude_each_other(Some(a), Some(b)))
    }
}

/// About how much there is to compare in a match list.
fn size(matches: &[Match]) -> usize {
    let of_test = |test: &NamedTest| match &test.test {
        ValueTest::Is(Form::In(cohort)) | ValueTest::IsNot(Form::In(cohort)) => cohort.len(),
        _ => 1,
    };
    let of_entry = |entry: &Match| {
        let tests = entry.headers.iter().chain(&entry.cookies).chain(&entry.query);
        let texts = entry.hosts.len().saturating_add(entry.methods.len());
        tests.map(of_test).fold(texts.saturating_add(1), usize::saturating_add)
    };
    matches.iter().map(of_entry).fold(0, usize::saturating_add)
}
