//! Sticky variants: a cookie that says which variant a user holds, and a MAC so that nobody but the
//! filter can say it.
//!
//! The value is `v1.<epoch>.<variant>.<mac>`, for example
//! `v1.7.canary.0123456789abcdef0123456789abcdef`. Version, epoch and MAC have no dots, so a
//! variant's name may. The MAC is the first 128 bits of HMAC-SHA256 in 32 hexadecimal digits, under
//! the policy's `secret`, over
//!
//! ```text
//! part("traffic-split sticky v1") part(split name) part(epoch in decimal) part(variant name)
//! part(text) = its length in bytes as 8 bytes, big-endian, and then its bytes
//! ```
//!
//! The user is not part of it: a cookie proves that its variant was once given by this split in
//! this epoch, which is what stays true when the key changes, at a login for instance. So there is
//! exactly one good value per variant. All are made when the plan is built, and a request costs one
//! comparison, in constant time. The price: a user can pass the cookie on to another, as with any
//! cookie; a new `epoch` ends them all.
//!
//! Why HMAC-SHA256 and not SipHash (2.6 KB less in the module): a user has one value and may
//! search for the secret at leisure; HMAC takes secrets of any length as they are, costs more per
//! guess, and every language has it, so that other tools can make and check cookies. Why the crate
//! `hmac-sha256`: 3.7 KB in the module and nothing below it, against 10.1 KB and eight crates for
//! `hmac` with `sha2`.

use std::fmt::Write as _;

use subtle::ConstantTimeEq as _;

use super::set_cookie::SetCookie;
use crate::ids::{List, VariantId};
use crate::policy::Sticky;

/// The version of the cookie's value.
const VERSION: &str = "v1";
/// What the MAC is for, so that no other use of the same secret can make one.
const PURPOSE: &str = "traffic-split sticky v1";
/// Bytes of the MAC that are kept: 128 bits.
const MAC_BYTES: usize = 16;

/// The sticky cookie of a split, prepared for every variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StickyPlan {
    cookie_name: Box<str>,
    /// `v1.7.`: what every value of this epoch begins with.
    head: Box<str>,
    held: List<VariantId, Held>,
}

/// What a user who holds a variant has.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    variant: Box<str>,
    value: Box<str>,
    set_cookie: Box<str>,
}

impl StickyPlan {
    /// Prepares the values for the variants of a split. The secret itself is not kept here.
    pub fn new(split_name: &str, sticky: &Sticky, variants: &List<VariantId, &str>) -> Self {
        let cookie = SetCookie::new(&sticky.cookie);
        let epoch = sticky.epoch.to_string();
        let head = format!("{VERSION}.{epoch}.");
        let held = |variant: &str| {
            let parts = [PURPOSE, split_name, &epoch, variant];
            let value = format!("{head}{variant}.{}", mac(sticky.secret.reveal(), &parts));
            let set_cookie = cookie.render(&value).into();
            Held { variant: variant.into(), value: value.into(), set_cookie }
        };
        let held = variants.map(|variant| held(variant));
        Self { cookie_name: cookie.name().into(), head: head.into(), held }
    }

    /// The name of the cookie to look for.
    pub fn cookie_name(&self) -> &str {
        &self.cookie_name
    }

    /// The index of the variant that a cookie's value proves; `None` for a value that is unknown,
    /// outdated, forged or garbage. Does not allocate.
    pub fn held(&self, cookie_value: &[u8]) -> Option<VariantId> {
        let rest = cookie_value.strip_prefix(self.head.as_bytes())?;
        let dot = rest.iter().rposition(|b| *b == b'.')?;
        let (name, _) = rest.split_at_checked(dot)?;
        // Names are no secret; only what follows must not show by its time how much of it is right.
        let named = self.held.find(|held| held.variant.as_bytes() == name)?;
        let value = self.held[named].value.as_bytes();
        bool::from(value.ct_eq(cookie_value)).then_some(named)
    }

    /// The cookie's value for a variant.
    pub fn value(&self, variant: VariantId) -> &str {
        &self.held[variant].value
    }

    /// The complete value of the header `set-cookie` for a variant.
    pub fn set_cookie(&self, variant: VariantId) -> &str {
        &self.held[variant].set_cookie
    }
}

/// The MAC of some texts, in hexadecimal digits. Their lengths are part of the message, so that
/// `("ab", "c")` and `("a", "bc")` have different ones.
fn mac(secret: &str, parts: &[&str]) -> String {
    let mut message = Vec::new();
    for part in parts {
        message.extend_from_slice(&(part.len() as u64).to_be_bytes());
        message.extend_from_slice(part.as_bytes());
    }
    let full = hmac_sha256::HMAC::mac(message, secret);
    let mut text = String::with_capacity(MAC_BYTES.saturating_mul(2));
    for byte in full.iter().take(MAC_BYTES) {
        let written = write!(text, "{byte:02x}");
        debug_assert!(written.is_ok(), "writing to a String cannot fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::Id as _;
    use crate::policy::CookieOptions;
    use crate::units::Seconds;

    const SECRET: &str = "a secret of enough bytes";

    fn sticky(epoch: u32, secret: &str) -> Sticky {
        let cookie = CookieOptions::new("split-checkout".into(), Seconds::new(3_600).unwrap());
        Sticky { cookie, epoch, secret: secret.into() }
    }

    fn plan() -> StickyPlan {
        of("checkout", 7, SECRET, &["stable", "canary", "canary.2"])
    }

    fn of(split: &str, epoch: u32, secret: &str, variants: &[&str]) -> StickyPlan {
        StickyPlan::new(split, &sticky(epoch, secret), &variants.iter().copied().collect())
    }

    fn id(variant: usize) -> VariantId {
        VariantId::at(variant)
    }

    #[test]
    fn the_mac_is_the_published_hmac_sha256() {
        // RFC 4231, cases 2 and 6: key and message are not swapped, long keys are hashed.
        let hex = |bytes: [u8; 32]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        assert_eq!(
            hex(hmac_sha256::HMAC::mac("what do ya want for nothing?", "Jefe")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        let message = "Test Using Larger Than Block-Size Key - Hash Key First";
        assert_eq!(
            hex(hmac_sha256::HMAC::mac(message, [0xaa; 131])),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    #[test]
    fn values_are_those_of_an_independent_program() {
        // Python: m = b"".join(len(p).to_bytes(8, "big") + p for p in
        //   (b"traffic-split sticky v1", b"checkout", b"7", b"canary"));
        // hmac.new(b"a secret of enough bytes", m, "sha256").hexdigest()[:32]
        assert_eq!(plan().value(id(1)), "v1.7.canary.2c66e057920faaa7b88eb55b3d981a0e");
        assert_eq!(
            plan().set_cookie(id(1)),
            "split-checkout=v1.7.canary.2c66e057920faaa7b88eb55b3d981a0e; Path=/; Max-Age=3600; Secure; HttpOnly; SameSite=Lax"
        );
        assert_eq!(plan().cookie_name(), "split-checkout");
    }

    #[test]
    fn every_variant_is_recognized_by_its_own_value() {
        let plan = plan();
        for variant in [0, 1, 2].map(id) {
            assert_eq!(plan.held(plan.value(variant).as_bytes()), Some(variant));
        }
    }

    #[test]
    fn names_with_dots_and_digits_are_not_confused() {
        let names = ["a", "a.b", "b", "1.a", "v1", "v1.7.a", "a.0123456789abcdef0123456789abcdef"];
        let plan = of("s", 1, SECRET, &names);
        for variant in (0..names.len()).map(id) {
            assert_eq!(plan.held(plan.value(variant).as_bytes()), Some(variant));
            let cookie_octet = |b: u8| b.is_ascii_graphic() && !b"\",;\\".contains(&b);
            assert!(plan.value(variant).bytes().all(cookie_octet));
        }
    }

    #[test]
    fn no_other_split_epoch_secret_or_variant_gives_the_same_value() {
        let names = ["stable", "canary"];
        let plan = of("checkout", 7, SECRET, &names);
        for other in [
            of("checkout2", 7, SECRET, &names),
            of("checkout", 8, SECRET, &names),
            of("checkout", 77, SECRET, &names),
            of("checkout", 7, "another secret of some bytes", &names),
            of("checkout", 7, SECRET, &["stabl", "canaryy"]),
        ] {
            for variant in [0, 1].map(id) {
                assert_eq!(plan.held(other.value(variant).as_bytes()), None);
            }
        }
        // The MAC of one variant under the name of another.
        let mac = plan.value(id(0)).rsplit_once('.').unwrap().1;
        assert_eq!(plan.held(format!("v1.7.canary.{mac}").as_bytes()), None);
        // The same letters, cut elsewhere.
        let macs = [("ab", "c"), ("a", "bc")].map(|(split, variant)| mac_of(split, variant));
        assert_ne!(macs[0], macs[1]);
    }

    fn mac_of(split: &str, variant: &str) -> String {
        mac(SECRET, &[PURPOSE, split, "0", variant])
    }

    #[test]
    fn a_change_of_any_byte_is_noticed() {
        let plan = plan();
        let good = plan.value(id(1)).as_bytes();
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.to_vec();
                bad[at] ^= 1 << bit;
                assert_eq!(plan.held(&bad), None, "{}", String::from_utf8_lossy(&bad));
            }
            assert_eq!(plan.held(&good[..at]), None);
            assert_eq!(plan.held(&good[at + 1..]), None);
        }
        for around in [("", " "), (" ", ""), ("\"", "\""), ("", "0"), ("", ".")] {
            let bad = [around.0.as_bytes(), good, around.1.as_bytes()].concat();
            assert_eq!(plan.held(&bad), None);
        }
        assert_eq!(plan.held(&good.to_ascii_uppercase()), None);
    }

    proptest! {
        #[test]
        fn garbage_of_any_bytes_is_nobodys(
            bytes in prop::collection::vec(any::<u8>(), 0..80),
            text in "v1\\.7\\.(stable|canary)?\\.?[0-9a-f.]{0,34}",
        ) {
            prop_assert_eq!(plan().held(&bytes), None);
            prop_assert_eq!(plan().held(text.as_bytes()), None);
        }
    }
}
