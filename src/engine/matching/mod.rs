//! Conditions on a request: a list is any-of, the fields inside one entry are all-of, as in
//! Gateway API. Patterns are parsed once; matching reads bytes and cannot fail.

mod cookies;
mod host;
mod path;
mod request;
mod value;

pub use cookies::cookie_values;
pub use host::{HostPattern, without_port};
pub use path::{PathPattern, without_query};
pub use request::{AUTHORITY, METHOD, PATH, Request};
pub use value::ValueTest;

use std::fmt;

/// One entry of a match list: every field that is given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Match {
    /// Any of these hosts; empty = any host.
    pub hosts: Vec<HostPattern>,
    /// The path without its query.
    pub path: Option<PathPattern>,
    /// Any of these methods, case-sensitive as in HTTP; empty = any method.
    pub methods: Vec<String>,
    /// All of these header tests.
    pub headers: Vec<HeaderTest>,
}

/// A test of one header's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderTest {
    /// Lower-case header name.
    pub name: String,
    /// What its value must be.
    pub test: ValueTest,
}

/// The condition of a match entry that did not hold, for explanations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmet<'p> {
    /// None of `hosts`.
    Hosts,
    /// Not the `path`.
    Path,
    /// None of `methods`.
    Methods,
    /// This header test.
    Header(&'p HeaderTest),
}

impl fmt::Display for Unmet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hosts => f.write_str("hosts"),
            Self::Path => f.write_str("path"),
            Self::Methods => f.write_str("methods"),
            Self::Header(test) => write!(f, "header `{}`", test.name),
        }
    }
}

impl Match {
    /// The first condition that does not hold, or `None` when the request meets this entry.
    pub fn unmet<R: Request + ?Sized>(&self, request: &R) -> Option<Unmet<'_>> {
        if !self.hosts.is_empty() {
            let host = without_port(request::first_line(request, AUTHORITY));
            if !self.hosts.iter().any(|pattern| pattern.matches(host)) {
                return Some(Unmet::Hosts);
            }
        }
        if let Some(pattern) = &self.path
            && !pattern.matches(without_query(request::first_line(request, PATH)))
        {
            return Some(Unmet::Path);
        }
        if !self.methods.is_empty() {
            let method = request::first_line(request, METHOD);
            if !self.methods.iter().any(|m| m.as_bytes() == method) {
                return Some(Unmet::Methods);
            }
        }
        let failed = |t: &&HeaderTest| !t.test.holds(request::joined(request, &t.name).as_deref());
        self.headers.iter().find(failed).map(Unmet::Header)
    }
}

/// Whether the request meets any entry of the list.
pub fn any<R: Request + ?Sized>(list: &[Match], request: &R) -> bool {
    list.iter().any(|entry| entry.unmet(request).is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api_of_the_shop() -> Match {
        Match {
            hosts: vec![HostPattern::parse("shop.example.com").unwrap()],
            path: Some(PathPattern::Prefix("/api/".into())),
            methods: vec!["GET".into(), "HEAD".into()],
            headers: vec![HeaderTest {
                name: "x-tier".into(),
                test: ValueTest::Exact(b"premium".as_slice().into()),
            }],
        }
    }

    const MET: [(&str, &str); 4] = [
        (":method", "GET"),
        (":authority", "SHOP.example.com:8443"),
        (":path", "/api/cart?x=1"),
        ("x-tier", "premium"),
    ];

    #[test]
    fn an_entry_holds_when_all_its_fields_hold() {
        assert_eq!(api_of_the_shop().unmet(&MET[..]), None);
    }

    #[test]
    fn the_first_field_that_fails_is_named() {
        let entry = api_of_the_shop();
        for (name, value, unmet) in [
            (":authority", "other.example.com", "hosts"),
            (":path", "/web", "path"),
            (":method", "POST", "methods"),
            ("x-tier", "basic", "header `x-tier`"),
        ] {
            let request = MET.map(|(n, v)| if n == name { (n, value) } else { (n, v) });
            let found = entry.unmet(&request[..]).unwrap();
            assert_eq!(found.to_string(), unmet);
        }
    }

    #[test]
    fn a_list_holds_when_any_entry_holds() {
        let other = Match { methods: vec!["PUT".into()], ..Match::default() };
        assert!(any(&[other.clone(), api_of_the_shop()], &MET[..]));
        assert!(!any(&[other], &MET[..]));
    }
}
