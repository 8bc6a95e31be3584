//! What variants want of a request and its response, where only one can have its way.

use crate::ids::{SplitId, VariantId};
use crate::policy::{HeaderEdits, Policy, Respond, Variant};

/// What a variant wants.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish<'p> {
    Set(&'p str),
    Remove,
    Add,
    Host(&'p str),
    Path(&'p (String, String)),
    Answer(&'p Respond),
}

impl Wish<'_> {
    /// Whether only one of both can come true.
    pub(super) fn collides(self, other: Self) -> bool {
        match (self, other) {
            // Lines pile up.
            (Wish::Add, Wish::Add) => false,
            // Where neither prefix is below the other no path has both.
            (Wish::Path((a, _)), Wish::Path((b, _))) if !a.starts_with(b) && !b.starts_with(a) => {
                false
            }
            _ => self != other,
        }
    }
}

/// A wish, whose it is, and what it is about.
#[derive(Clone, Copy)]
pub(super) struct Wished<'p> {
    pub(super) split: SplitId,
    pub(super) variant: VariantId,
    /// The field of the variant.
    pub(super) field: &'static str,
    /// The header, or the part of the target.
    pub(super) name: &'p str,
    pub(super) wish: Wish<'p>,
}

impl Wished<'_> {
    /// For people: `edit request header`, in a sentence about two.
    pub(super) fn verb(&self) -> String {
        match self.field {
            "request_headers" => format!("edit request header `{}`", self.name),
            "response_headers" => format!("edit response header `{}`", self.name),
            "rewrite" => format!("rewrite the {}", self.name),
            _ => "answer by themselves".to_owned(),
        }
    }
}

/// All wishes of a split.
pub(super) fn wishes_of(policy: &Policy, split: SplitId) -> Vec<Wished<'_>> {
    let mut all = Vec::new();
    for (variant, of) in policy.splits[split].variants.pairs() {
        let mut wish = |field, name, wish| all.push(Wished { split, variant, field, name, wish });
        edits(&of.request_headers, |name, what| wish("request_headers", name, what));
        edits(&of.response_headers, |name, what| wish("response_headers", name, what));
        let Variant { rewrite, respond, .. } = of;
        if let Some(host) = &rewrite.host {
            wish("rewrite", "host", Wish::Host(host));
        }
        if let Some(prefix) = &rewrite.path_prefix {
            wish("rewrite", "path", Wish::Path(prefix));
        }
        if let Some(answer) = respond {
            wish("respond", "answer", Wish::Answer(answer));
        }
    }
    all
}

fn edits<'p>(edits: &'p HeaderEdits, mut wish: impl FnMut(&'p str, Wish<'p>)) {
    edits.remove.iter().for_each(|name| wish(name, Wish::Remove));
    edits.set.iter().for_each(|(name, value)| wish(name, Wish::Set(value)));
    edits.add.iter().for_each(|(name, _)| wish(name, Wish::Add));
}
