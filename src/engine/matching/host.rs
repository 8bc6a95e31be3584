//! Host patterns: exact, `*.suffix`, or `*`.

use std::fmt;

/// A pattern for the host of a request, compared without port and without regard to case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// `*`: any host.
    Any,
    /// This host.
    Exact(Box<str>),
    /// `*.example.com`: any host below the suffix (one label or more), not the suffix itself.
    /// Kept with its leading dot.
    Below(Box<str>),
}

impl HostPattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// Says in words what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let (below, host) = match text.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        if host.contains('*') {
            return Err("`*` may only stand for the first labels, as in `*.example.com`");
        }
        if without_port(host.as_bytes()).len() != host.len() {
            return Err("hosts are compared without their port");
        }
        let ipv6 = host.starts_with('[') && host.ends_with(']') && !below;
        let allowed = |b: u8| {
            b.is_ascii_alphanumeric()
                || matches!(b, b'.' | b'-' | b'_')
                || (ipv6 && b":[]".contains(&b))
        };
        if host.is_empty() || host.len() > 253 || !host.bytes().all(allowed) {
            return Err("a host is 1 to 253 letters, digits, `.`, `-` or `_`");
        }
        let lower = host.to_ascii_lowercase();
        Ok(if below { Self::Below(format!(".{lower}").into()) } else { Self::Exact(lower.into()) })
    }

    /// Whether a host (without port) meets the pattern.
    pub fn matches(&self, host: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => host.eq_ignore_ascii_case(exact.as_bytes()),
            Self::Below(suffix) => host
                .len()
                .checked_sub(suffix.len())
                .and_then(|at| host.split_at_checked(at))
                .is_some_and(|(head, tail)| {
                    !head.is_empty() && tail.eq_ignore_ascii_case(suffix.as_bytes())
                }),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exact(host) => f.write_str(host),
            Self::Below(suffix) => write!(f, "*{suffix}"),
        }
    }
}

/// The host of an authority: `[::1]:80` -> `[::1]`, `a.example:80` -> `a.example`.
pub fn without_port(authority: &[u8]) -> &[u8] {
    let Some(colon) = authority.iter().rposition(|b| *b == b':') else {
        return authority;
    };
    match authority.split_at_checked(colon) {
        Some((host, port)) if port.iter().skip(1).all(u8::is_ascii_digit) => {
            // A bare IPv6 address has no port; a bracketed one ends with `]`.
            if host.contains(&b':') && !host.ends_with(b"]") { authority } else { host }
        }
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_meet_hosts() {
        for (pattern, host, met) in [
            ("shop.example.com", "shop.example.com", true),
            ("Shop.Example.com", "shop.eXample.com", true),
            ("shop.example.com", "ashop.example.com", false),
            ("*.example.com", "shop.example.com", true),
            ("*.example.com", "a.b.EXAMPLE.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", ".example.com", false),
            ("*.example.com", "badexample.com", false),
            ("*", "anything", true),
            ("*", "", true),
            ("[::1]", "[::1]", true),
        ] {
            assert_eq!(
                HostPattern::parse(pattern).unwrap().matches(host.as_bytes()),
                met,
                "{pattern} {host}"
            );
        }
    }

    #[test]
    fn a_pattern_that_could_never_match_is_refused() {
        for text in
            ["", "*.", "a.*.com", "**", "shop.example.com:80", "http://a", "a b", "a/b", "*.[::1]"]
        {
            assert!(HostPattern::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_port_is_not_part_of_the_host() {
        for (authority, host) in [
            ("a.example:80", "a.example"),
            ("a.example", "a.example"),
            ("a.example:", "a.example"),
            ("[::1]:8080", "[::1]"),
            ("[::1]", "[::1]"),
            ("::1", "::1"),
            ("a:b", "a:b"),
            ("", ""),
        ] {
            assert_eq!(without_port(authority.as_bytes()), host.as_bytes(), "{authority}");
        }
    }

    #[test]
    fn a_pattern_prints_as_it_is_written() {
        for text in ["*", "a.example", "*.a.example"] {
            assert_eq!(HostPattern::parse(text).unwrap().to_string(), text);
        }
    }
}
