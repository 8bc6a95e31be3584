//! Path patterns. Bytes are compared as received: no decoding, no case folding.

use std::fmt;

use super::Pattern;
use super::shown::Shown;

/// A pattern for the path of a request without its query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathPattern {
    /// This path.
    Exact(Box<str>),
    /// This path and all below it, on segment borders as in Gateway API: `/api` (or `/api/`) meets
    /// `/api` and `/api/cart`, not `/apix`.
    Prefix(Box<str>),
    /// Every path that begins with this, on segment borders or not: `/api` meets `/apix`, too.
    RawPrefix(Box<str>),
    /// Every path that this describes as a whole.
    Regex(Pattern),
}

impl PathPattern {
    /// Whether a path (without query) meets the pattern.
    pub fn matches(&self, path: &[u8]) -> bool {
        match self {
            Self::Exact(exact) => path == exact.as_bytes(),
            Self::Prefix(prefix) => {
                let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
                path.strip_prefix(prefix.as_bytes())
                    .is_some_and(|rest| rest.first().is_none_or(|b| *b == b'/'))
            }
            Self::RawPrefix(prefix) => path.starts_with(prefix.as_bytes()),
            Self::Regex(pattern) => pattern.matches(path),
        }
    }

    /// Its field in a policy.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Exact(_) => "exact",
            Self::Prefix(_) => "prefix",
            Self::RawPrefix(_) => "raw_prefix",
            Self::Regex(_) => "regex",
        }
    }

    /// Its text in a policy.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Exact(text) | Self::Prefix(text) | Self::RawPrefix(text) => text,
            Self::Regex(pattern) => pattern.as_str(),
        }
    }
}

/// For people: ``prefix `/api/` ``.
impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field(), Shown(self.as_str()))
    }
}

/// The path of a request target: up to its query or fragment.
pub fn without_query(target: &[u8]) -> &[u8] {
    target.split(|b| matches!(b, b'?' | b'#')).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_end_on_segment_borders() {
        for (prefix, path, met) in [
            ("/api", "/api", true),
            ("/api", "/api/", true),
            ("/api", "/api/cart", true),
            ("/api", "/apix", false),
            ("/api/", "/api", true),
            ("/api/", "/api/cart", true),
            ("/api/", "/apix", false),
            ("/", "/", true),
            ("/", "/anything", true),
            ("/", "", true),
            ("/api", "/API", false),
            ("/api", "/ap", false),
        ] {
            assert_eq!(
                PathPattern::Prefix(prefix.into()).matches(path.as_bytes()),
                met,
                "{prefix} {path}"
            );
        }
    }

    #[test]
    fn an_exact_path_is_compared_byte_by_byte() {
        let cart = PathPattern::Exact("/cart".into());
        assert!(cart.matches(b"/cart"));
        assert!(!cart.matches(b"/cart/"));
        assert!(!cart.matches(b"/c\xffrt"));
    }

    #[test]
    fn raw_prefixes_end_anywhere() {
        let v = PathPattern::RawPrefix("/v".into());
        assert!(v.matches(b"/v") && v.matches(b"/v1/cart") && v.matches(b"/v\xff"));
        assert!(!v.matches(b"/") && !v.matches(b"/V1"));
    }

    #[test]
    fn a_regex_describes_the_whole_path() {
        let carts = PathPattern::Regex(Pattern::parse("/v[0-9]+/(cart|order)s?", false).unwrap());
        assert!(carts.matches(b"/v12/carts"));
        assert!(!carts.matches(b"/v12/carts/1") && !carts.matches(b"/api/v12/carts"));
    }

    #[test]
    fn a_pattern_prints_with_its_form() {
        assert_eq!(PathPattern::RawPrefix("/v".into()).to_string(), "raw_prefix `/v`");
    }

    #[test]
    fn the_query_is_not_part_of_the_path() {
        for (target, path) in [("/a?b?c", "/a"), ("/a#b", "/a"), ("/a", "/a"), ("?", ""), ("", "")]
        {
            assert_eq!(without_query(target.as_bytes()), path.as_bytes());
        }
    }
}
