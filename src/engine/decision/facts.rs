//! What a judgement asks: who somebody is, and whether their request is as a split wants it.
//! [`super::RequestFacts`] answers for a request, [`super::KeyFacts`] for a user of whom nothing but
//! the key is known.

use super::force::Forced;
use super::{Context, Earlier};
use crate::hash::Hash;
use crate::ids::{CookieSlot, KeyId, SaltId, SplitId, VariantSet};
use crate::matching::{Match, Unmet};
use crate::plan::{Asked, Plan};

/// The facts of one judgement. Answers do not change while it lasts; what is dear to find is found
/// at its first use and kept.
pub trait Facts {
    /// Calls `judge` with the splits that can apply, each once, in the order of the policy. With
    /// `all`, splits that an index would pass over are among them.
    fn candidates(&self, plan: &Plan, all: bool, judge: impl FnMut(SplitId));

    /// What an earlier leg of the same request left; `None` for the first leg, which is nearly always.
    fn earlier(&self, _plan: &Plan) -> Option<&Earlier> {
        None
    }

    /// Whether the request is for a host and a path that a match list can meet, whatever else it wants. A host
    /// or a path that an earlier leg gave it says nothing of what the client asked for, and any list meets it.
    fn can_meet(&self, _plan: &Plan, _matches: Option<&[Match]>) -> bool {
        true
    }

    /// What is forced from outside.
    fn forced<'f>(&'f self, plan: &'f Plan) -> Forced<'f>;

    /// The first condition of an entry that is not met; `None` = it holds.
    fn unmet<'p>(&self, whose: Whose, asked: Asked<'p>) -> Option<Unmet<'p>>;

    /// The user's key, by a list of sources.
    fn key(&self, list: KeyId, context: &Context) -> Found<&Key<'_>>;

    /// The hash of the key that a list of sources found.
    fn hash(&self, list: KeyId, key: &Key<'_>, salt: SaltId) -> Hash;

    /// The values of a cookie, in the order sent.
    fn cookie(&self, slot: CookieSlot) -> impl Iterator<Item = &[u8]>;

    /// Whether it is a CORS preflight: no user's request, but what a browser sends before one.
    fn is_preflight(&self) -> bool;

    /// The variants of a split that are out of service, whatever the policy says.
    fn tripped(&self, split: SplitId) -> VariantSet;

    /// Whether the random numbers of the context are those that the request had.
    fn knows_chance(&self) -> bool;
}

/// Whose conditions they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// A split's `match`.
    Split,
    /// An override's.
    Override,
}

/// The outcome of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found<T> {
    /// It is this.
    This(T),
    /// There is none.
    None,
    /// It cannot be known.
    Unknown,
}

impl<T> Found<T> {
    /// The same by reference.
    pub const fn as_ref(&self) -> Found<&T> {
        match self {
            Self::This(this) => Found::This(this),
            Self::None => Found::None,
            Self::Unknown => Found::Unknown,
        }
    }

    /// What was found, where it was.
    pub fn this(self) -> Option<T> {
        match self {
            Self::This(this) => Some(this),
            Self::None | Self::Unknown => None,
        }
    }
}

/// A key and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key<'f> {
    /// The place of the source in its list.
    pub source: usize,
    /// Made just now for a new visitor.
    pub generated: bool,
    pub(super) bytes: super::key::Bytes<'f>,
}

impl Key<'_> {
    /// The bytes that are hashed; never empty.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_slice()
    }
}
