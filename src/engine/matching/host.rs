//! Hosts and their patterns: exact, `*.suffix`, or `*`.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use super::address;

/// A pattern for the host of a request as [`host_of`] gives it, without regard to case. It is kept in
/// that form, too, so that one host has one pattern, however it is written.
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
        if host.as_bytes().contains(&b'*') {
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
        let host = one_spelling(host.as_bytes());
        let lower = String::from_utf8_lossy(&host).to_ascii_lowercase();
        Ok(if below { Self::Below(format!(".{lower}").into()) } else { Self::Exact(lower.into()) })
    }

    /// Whether a host, as [`host_of`] gives it, meets the pattern.
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

/// The host of an authority, in the one spelling that hosts are compared in (but for case): without
/// port, without the dot that ends an absolute name, addresses in brackets in their shortest form and
/// IPv4-mapped ones as IPv4. Allocates only for an address in brackets.
pub fn host_of(authority: &[u8]) -> Cow<'_, [u8]> {
    one_spelling(without_port(authority))
}

fn one_spelling(host: &[u8]) -> Cow<'_, [u8]> {
    if host.starts_with(b"[") {
        let shortest = address::parse(host).map(|address| match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        });
        // What is no address in there is a host of its own.
        return shortest.map_or(host.into(), |text| text.into_bytes().into());
    }
    match host.strip_suffix(b".") {
        Some(name) if !name.is_empty() => name.into(),
        _ => host.into(),
    }
}

/// `[::1]:80` -> `[::1]`, `a.example:80` -> `a.example`.
fn without_port(authority: &[u8]) -> &[u8] {
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

    fn meets(pattern: &str, authority: &str) -> bool {
        HostPattern::parse(pattern).unwrap().matches(&host_of(authority.as_bytes()))
    }

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
            assert_eq!(meets(pattern, host), met, "{pattern} {host}");
        }
    }

    #[test]
    fn a_host_with_a_dot_at_its_end_is_the_same_host() {
        for pattern in ["shop.example.com", "shop.example.com.", "*.Example.com.", "*.example.com"]
        {
            for host in ["shop.example.com", "shop.example.COM.", "shop.example.com.:8443"] {
                assert!(meets(pattern, host), "{pattern} {host}");
            }
            // Two dots are no name, and the root alone is not nothing.
            for host in ["shop.example.com..", ".", "", "com.", "shop.example.com.."] {
                assert!(!meets(pattern, host), "{pattern} {host}");
            }
        }
        assert!(meets("10.0.0.1", "10.0.0.1.:80") && meets(".", ".") && !meets(".", ""));
    }

    #[test]
    fn an_address_is_the_same_host_in_any_spelling() {
        let spellings = [
            ["[2001:db8::a]", "[2001:DB8:0:0::000A]", "[2001:0db8:0000:0000:0000:0000:0000:000a]"],
            ["[::1]", "[0:0:0:0:0:0:0:1]", "[::0.0.0.1]"],
            ["[::ffff:10.0.0.1]", "[::FFFF:A00:1]", "10.0.0.1"],
        ];
        for (row, same) in spellings.iter().enumerate() {
            for pattern in same {
                for (other, hosts) in spellings.iter().enumerate() {
                    for host in hosts {
                        assert_eq!(meets(pattern, host), row == other, "{pattern} {host}");
                        assert_eq!(meets(pattern, &format!("{host}:8080")), row == other);
                    }
                }
            }
        }
        assert!(meets("[fe80::1]", "[fe80::1%25eth0]:80"), "a zone is of the client alone");
        // What is no address is compared as it is.
        assert!(meets("[x]", "[X]:80") && !meets("[::1]", "::1") && !meets("[::1]", "[::1]x"));
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
    fn a_pattern_prints_as_it_is_written_in_the_one_spelling() {
        for text in ["*", "a.example", "*.a.example"] {
            assert_eq!(HostPattern::parse(text).unwrap().to_string(), text);
        }
        for (text, shortest) in [("*.A.example.", "*.a.example"), ("[0::0:1]", "[::1]")] {
            assert_eq!(HostPattern::parse(text).unwrap().to_string(), shortest);
        }
    }
}
