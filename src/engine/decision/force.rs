//! Forcing variants from outside, for those who know the secret.

use crate::matching::{Request, cookie_values};
use crate::plan::ForcePlan;
use crate::policy::SecretSource;

/// What a request wants to force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forced<'r> {
    /// Nothing.
    Nothing,
    /// These variants, `checkout=canary, search=b`, and it knows the secret.
    These(&'r [u8]),
    /// Something, but it does not know the secret: it is counted and ignored.
    Refused,
}

impl<'r> Forced<'r> {
    pub(super) fn read<R: Request + ?Sized>(force: Option<&'r ForcePlan>, request: &'r R) -> Self {
        let Some(force) = force else { return Self::Nothing };
        let Some(wanted) = request.header_lines(&force.header).next() else { return Self::Nothing };
        let shown = match &force.secret_in {
            SecretSource::Header(name) => request.header_lines(name).next(),
            SecretSource::Cookie(name) => {
                cookie_values(request.header_lines("cookie"), name).next()
            }
        };
        if shown
            .is_some_and(|shown| equal_in_constant_time(shown, force.secret.reveal().as_bytes()))
        {
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

/// The time depends on the lengths alone.
fn equal_in_constant_time(a: &[u8], b: &[u8]) -> bool {
    let differences = a.iter().zip(b).fold(0_u8, |all, (a, b)| std::hint::black_box(all | (a ^ b)));
    a.len() == b.len() && differences == 0
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

    #[test]
    fn secrets_are_equal_or_not() {
        assert!(equal_in_constant_time(b"abc", b"abc"));
        for other in ["abd", "ab", "abcd", ""] {
            assert!(!equal_in_constant_time(other.as_bytes(), b"abc"));
        }
    }
}
