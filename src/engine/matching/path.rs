//! Path patterns. Bytes are compared as received: no decoding, no case folding.

/// A pattern for the path of a request without its query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathPattern {
    /// This path.
    Exact(Box<str>),
    /// This path and all below it, on segment borders as in Gateway API: `/api` (or `/api/`) meets
    /// `/api` and `/api/cart`, not `/apix`.
    Prefix(Box<str>),
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
        }
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
    fn the_query_is_not_part_of_the_path() {
        for (target, path) in [("/a?b?c", "/a"), ("/a#b", "/a"), ("/a", "/a"), ("?", ""), ("", "")]
        {
            assert_eq!(without_query(target.as_bytes()), path.as_bytes());
        }
    }
}
