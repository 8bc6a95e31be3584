//! What is prepared for one split.

use super::entry::Entry;
use super::questions::Asking;
use super::{Asked, Race, RampPlan, SetCookie, StickyPlan, Varies, WeightsNow};
use crate::hash;
use crate::ids::{CookieSlot, KeyId, List, SaltId, VariantId};
use crate::policy::{KeySource, Override, Policy, Split, Weight};
use crate::units::Moment;

/// A compiled split, beside what the policy says of it.
#[derive(Debug, Clone)]
pub struct SplitPlan {
    /// In the order of the policy's `match`.
    matches: Box<[Entry]>,
    /// In the order of the policy's `overrides`.
    overrides: Box<[Box<[Entry]>]>,
    /// Where the key comes from.
    pub key: KeyId,
    /// What the key is hashed with.
    pub salt: SaltId,
    /// The first word of the salt's hash: makes chance independent from split to split.
    pub salt_word: u64,
    /// What the layer's slices hash with; `None` = in no layer.
    pub layer_salt: Option<SaltId>,
    /// What the share of a mirror by user hashes with; `None` = no mirror.
    pub mirror_salt: Option<SaltId>,
    /// The variants' own weights.
    weights: List<VariantId, Weight>,
    /// Weights over time.
    pub ramp: Option<RampPlan>,
    /// The variants that can win.
    pub race: Race,
    /// Keeps a user's first variant.
    pub sticky: Option<StickyPlan>,
    /// Where the sticky cookie is.
    pub sticky_cookie: Option<CookieSlot>,
    /// The cookie of a generated key, if one is generated.
    pub generated: Option<SetCookie>,
    /// `checkout=canary`: how headers and logs name each variant.
    pub tags: List<VariantId, Box<str>>,
    /// What the answer depends on, for caches.
    pub varies: Varies,
}

impl SplitPlan {
    pub(super) fn new(policy: &Policy, split: &Split, asking: &mut Asking) -> Self {
        let sticky = split.sticky.as_ref();
        let generated = split.key.iter().find_map(|source| match source {
            KeySource::Generate(cookie) => Some(SetCookie::new(cookie)),
            _ => None,
        });
        let weights = split.variants.map(|variant| variant.weight);
        let ramp = split.ramp.as_ref().map(|ramp| RampPlan::new(ramp, &weights));
        Self {
            matches: Entry::list(split.matches.as_deref().unwrap_or_default(), asking),
            overrides: split.overrides.iter().map(|o| Entry::list(&o.matches, asking)).collect(),
            key: asking.key(&split.key),
            salt: asking.salt(&split.salt),
            salt_word: hash::first_word(split.salt.as_bytes()),
            layer_salt: split.layer.map(|layer| asking.salt(&policy.layers[layer].salt)),
            mirror_salt: split
                .mirror
                .as_ref()
                .map(|_| asking.salt(&format!("{}/mirror", split.salt))),
            race: Race::new(runners(split)),
            ramp,
            weights,
            sticky_cookie: sticky.map(|sticky| asking.cookie(&sticky.cookie.name)),
            sticky: sticky.map(|sticky| {
                StickyPlan::new(&split.name, sticky, &split.variants.map(|v| v.name.as_str()))
            }),
            generated,
            tags: split.variants.map(|v| format!("{}={}", split.name, v.name).into()),
            varies: Varies::new(policy, split, asking),
        }
    }

    /// The weights at a time.
    #[inline]
    pub fn weights_at(&self, now: Moment) -> WeightsNow<'_> {
        WeightsNow::new(&self.weights, self.ramp.as_ref(), &self.race, now)
    }

    /// The entries of the split's `match`; empty where every request takes part.
    #[inline]
    pub fn matches<'p>(&'p self, split: &'p Split) -> impl Iterator<Item = Asked<'p>> + Clone {
        Asked::list(split.matches.as_deref().unwrap_or_default(), &self.matches)
    }

    /// The split's overrides, each with the entries of its `match`.
    #[inline]
    pub fn overrides<'p>(
        &'p self,
        split: &'p Split,
    ) -> impl Iterator<Item = (&'p Override, impl Iterator<Item = Asked<'p>> + Clone)> {
        let pairs = split.overrides.iter().zip(&self.overrides);
        pairs.map(|(forced, entries)| (forced, Asked::list(&forced.matches, entries)))
    }
}

/// The variants that can win a user: they do not drain, and have a weight at some time.
fn runners(split: &Split) -> impl Iterator<Item = (VariantId, &str)> {
    let pairs = split.variants.pairs().filter(|(_, variant)| !variant.drain);
    let running = pairs.filter(move |(id, _)| !split.weights_of(*id).all(Weight::is_zero));
    running.map(|(id, variant)| (id, variant.name.as_str()))
}
