//! What a response tells caches, where the policy says `vary`.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::decision::{Facts, RequestFacts};
use crate::host::Host;
use crate::plan::{Plan, Questions};

/// What caches must know of a response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caching {
    /// The request headers that the decision depends on, as `cookie, x-user-id`; `None` = it
    /// depends on none.
    pub vary: Option<String>,
    /// No shared cache may keep it.
    pub private: bool,
}

impl Caching {
    /// Looks at every split that requests for this host and path can meet, whether it applied to
    /// this one or not: a cache must ask again for a request that it would apply to.
    pub(super) fn new<H: Host + ?Sized>(plan: &Plan, facts: &RequestFacts<'_, H>) -> Self {
        let mut names: SmallVec<[&str; 8]> = SmallVec::new();
        let mut private = false;
        facts.candidates(plan, false, |id| {
            let split = &plan.policy.splits[id];
            if split.enabled && facts.can_meet(plan, split.matches.as_deref()) {
                let varies = &plan.splits[id].varies;
                for name in varies.headers.iter().map(|slot| plan.questions.headers.name(*slot)) {
                    if let Err(place) = names.binary_search(&name) {
                        names.insert(place, name);
                    }
                }
                private |= varies.private;
            }
        });
        // A cache keeps it under the address that the client asked for, and another page may have been asked
        // for there: the proxy follows a redirect itself, and names the page before it.
        private |= facts.lines().has(Questions::ORIGINAL_URL);
        Self { vary: super::join(names.iter().copied()).map(Cow::into_owned), private }
    }
}
