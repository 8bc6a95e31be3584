//! Forcing variants from outside, for those who know the secret.

use subtle::ConstantTimeEq as _;

use super::lines::Lines;
use crate::ids::CookieSlot;
use crate::plan::Plan;

/// What a request wants to force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forced<'r> {
    /// Nothing.
    Nothing,
    /// These variants, `checkout=canary, search=b`, and it knows the secret.
    These(&'r [u8]),
    /// Something, but it does not know the secret: it is counted and ignored.
    Refused,
}

impl<'r> Forced<'r> {
    /// From a request's lines, and a way to look for a cookie.
    pub(super) fn read(
        plan: &'r Plan,
        lines: &'r Lines<'_>,
        cookie: impl Fn(CookieSlot) -> Option<&'r [u8]>,
    ) -> Self {
        let (Some(force), Some(slot)) = (&plan.policy.force, plan.own.force) else {
            return Self::Nothing;
        };
        let Some(wanted) = lines.all(slot).next() else { return Self::Nothing };
        let in_header = plan.own.secret.and_then(|slot| lines.all(slot).next());
        let in_cookie = || plan.secret_cookie.and_then(&cookie);
        let shown = in_header.or_else(in_cookie);
        // The time depends on the lengths alone.
        let secret = force.secret.reveal().as_bytes();
        if shown.is_some_and(|shown| bool::from(shown.ct_eq(secret))) {
            Self::These(wanted)
        } else {
            Self::Refused
        }
    }

    /// The name of the variant wanted of a split.
    pub(super) fn variant_of(self, split: &str) -> Option<&'r [u8]> {
        let Self::These(list) = self else { return None };
        list.split(|b| *b == b',').find_map(|member| {
            member.trim_ascii().strip_prefix(split.as_bytes())?.strip_prefix(b"=")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_are_found_by_the_whole_name_of_their_split() {
        let forced = Forced::These(b"checkout=canary, search = b,check=x, =y");
        assert_eq!(forced.variant_of("checkout"), Some(b"canary".as_slice()));
        assert_eq!(forced.variant_of("check"), Some(b"x".as_slice()));
        assert_eq!(forced.variant_of("other"), None);
        assert_eq!(Forced::Refused.variant_of("checkout"), None);
    }
}
