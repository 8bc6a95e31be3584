//! Cookies that the filter sets.

use crate::units::Seconds;

/// The attributes of a cookie that the filter sets; its path is always `/`, since a cookie with the
/// path of a user's first page would not be sent with the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CookieOptions {
    /// The cookie's name, case-sensitive.
    pub name: String,
    /// How long a browser keeps it.
    pub ttl: Seconds,
    /// `Domain`, in lower case; `None` = the host of the request alone.
    pub domain: Option<String>,
    /// `Secure`: only over TLS.
    pub secure: bool,
    /// `HttpOnly`: not for scripts.
    pub http_only: bool,
    /// `SameSite`.
    pub same_site: SameSite,
    /// `Partitioned` (CHIPS).
    pub partitioned: bool,
}

impl CookieOptions {
    /// The default `ttl` of a generated key: 365 days.
    pub const GENERATE_TTL: Seconds = days(365);
    /// The default `ttl` of a sticky variant: 30 days.
    pub const STICKY_TTL: Seconds = days(30);
    /// How long browsers keep any cookie: 400 days.
    pub const TTL_CAP: Seconds = days(400);

    /// A cookie with the default attributes.
    pub const fn new(name: String, ttl: Seconds) -> Self {
        Self {
            name,
            ttl,
            domain: None,
            secure: true,
            http_only: true,
            same_site: SameSite::Lax,
            partitioned: false,
        }
    }
}

#[expect(
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    reason = "for the constants above, where a mistake is one of the compiler's"
)]
const fn days(days: u32) -> Seconds {
    Seconds::new(days * 86_400).expect("not 0")
}

/// The `SameSite` attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SameSite {
    /// Sent when a user follows a link.
    #[default]
    Lax,
    /// Never sent from another site.
    Strict,
    /// Always sent; browsers want `secure` with it.
    None,
}

impl SameSite {
    /// Each value with its text in a policy.
    pub const ALL: &[(&str, Self)] =
        &[("lax", Self::Lax), ("strict", Self::Strict), ("none", Self::None)];

    /// The text in a `Set-Cookie`.
    pub const fn as_attribute(self) -> &'static str {
        match self {
            Self::Lax => "Lax",
            Self::Strict => "Strict",
            Self::None => "None",
        }
    }
}
