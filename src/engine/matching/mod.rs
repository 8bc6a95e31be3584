//! Conditions on a request: a list is any-of, the fields inside one entry are all-of, as in
//! Gateway API. Patterns are parsed once; matching reads bytes and cannot fail.

mod cidr;
mod client_ip;
mod cohort;
mod conflict;
mod cookies;
mod host;
mod path;
mod pattern;
mod query;
mod range;
mod request;
mod shown;
mod text;
mod unmet;
mod value;

pub use cidr::{Cidr, CidrError};
pub use client_ip::client_ip;
pub use cohort::{Cohort, CohortError};
pub use conflict::first_conflict;
pub use cookies::cookie_values;
pub use host::{HostPattern, without_port};
pub use path::{PathPattern, without_query};
pub use pattern::{Pattern, PatternError};
pub use query::query_values;
pub use range::NumberRange;
pub use request::{AUTHORITY, METHOD, PATH, Request};
pub use text::{Needle, Text};
pub use unmet::Unmet;
pub use value::{Form, ValueTest};

pub(crate) use shown::Escaped;

use request::{first_line, joined};

/// One entry of a match list: every field that is given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Match {
    /// Any of these hosts; empty = any host.
    pub hosts: Vec<HostPattern>,
    /// The path without its query.
    pub path: Option<PathPattern>,
    /// Any of these methods, case-sensitive as in HTTP; empty = any method.
    pub methods: Vec<String>,
    /// All of these header tests (names in lower case); several lines of a header are one value, joined by `,`.
    pub headers: Vec<NamedTest>,
    /// All of these cookie tests; of several cookies of one name the first counts.
    pub cookies: Vec<NamedTest>,
    /// All of these tests of query parameters, decoded; of several of one name the first counts.
    pub query: Vec<NamedTest>,
    /// Any of the networks that the client's address may be in; empty = any address.
    pub source_ip: Vec<Cidr>,
}

/// A test of the value that has a name: of one header, cookie or query parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedTest {
    /// Its name.
    pub name: String,
    /// What its value must be.
    pub test: ValueTest,
}

/// What the policy as a whole says about matching.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scope {
    /// How the client's address is found; see [`client_ip`].
    pub trusted_hops: u8,
}

impl Match {
    /// The first condition that does not hold, or `None` when the request meets this entry. What is cheap to ask of
    /// a request is asked first.
    pub fn unmet<R: Request + ?Sized>(&self, scope: &Scope, request: &R) -> Option<Unmet<'_>> {
        if !self.hosts.is_empty() {
            let host = without_port(first_line(request, AUTHORITY));
            if !self.hosts.iter().any(|pattern| pattern.matches(host)) {
                return Some(Unmet::Hosts(&self.hosts));
            }
        }
        if let Some(pattern) = &self.path
            && !pattern.matches(without_query(first_line(request, PATH)))
        {
            return Some(Unmet::Path(pattern));
        }
        if !self.methods.is_empty() {
            let method = first_line(request, METHOD);
            if !self.methods.iter().any(|m| m.as_bytes() == method) {
                return Some(Unmet::Methods(&self.methods));
            }
        }
        let header = |t: &&NamedTest| !t.test.holds(joined(request, &t.name).as_deref());
        if let Some(test) = self.headers.iter().find(header) {
            return Some(Unmet::Header(test));
        }
        let cookie = |t: &&NamedTest| {
            let mut values = cookie_values(request.header_lines("cookie"), &t.name);
            !t.test.holds(values.next())
        };
        if let Some(test) = self.cookies.iter().find(cookie) {
            return Some(Unmet::Cookie(test));
        }
        let parameter = |t: &&NamedTest| {
            let value = query_values(first_line(request, PATH), &t.name).next();
            !t.test.holds(value.as_deref())
        };
        if let Some(test) = self.query.iter().find(parameter) {
            return Some(Unmet::Query(test));
        }
        if !self.source_ip.is_empty() {
            let client = client_ip(request, scope.trusted_hops);
            let is_in = |network: &Cidr| client.is_some_and(|ip| network.contains(ip));
            if !self.source_ip.iter().any(is_in) {
                return Some(Unmet::SourceIp(&self.source_ip));
            }
        }
        None
    }
}

/// Whether the request meets any entry of the list.
pub fn any<R: Request + ?Sized>(list: &[Match], scope: &Scope, request: &R) -> bool {
    list.iter().any(|entry| entry.unmet(scope, request).is_none())
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn exact(name: &str, value: &str) -> NamedTest {
        let test = ValueTest::Is(Form::Exact(Text::new(value, false)));
        NamedTest { name: name.into(), test }
    }

    fn api_of_the_shop() -> Match {
        Match {
            hosts: vec![HostPattern::parse("shop.example.com").unwrap()],
            path: Some(PathPattern::Prefix("/api/".into())),
            methods: vec!["GET".into(), "HEAD".into()],
            headers: vec![exact("x-tier", "premium")],
            cookies: vec![exact("beta", "on")],
            query: vec![exact("lang", "de AT")],
            source_ip: vec![Cidr::parse("10.0.0.0/8").unwrap()],
        }
    }

    /// A request over a connection from some address.
    struct From<'r>(&'r str, &'r [(&'r str, &'r str)]);

    impl Request for From<'_> {
        fn header_lines<'r>(&'r self, name: &'r str) -> impl Iterator<Item = &'r [u8]> {
            self.1.header_lines(name)
        }

        fn source_address(&self) -> Option<Cow<'_, [u8]>> {
            Some(self.0.as_bytes().into())
        }
    }

    const MET: [(&str, &str); 5] = [
        (":method", "GET"),
        (":authority", "SHOP.example.com:8443"),
        (":path", "/api/cart?x=1&lang=de+AT&lang=en"),
        ("x-tier", "premium"),
        ("cookie", "a=1; beta=on; beta=off"),
    ];

    fn unmet(source: &str, headers: &[(&str, &str)]) -> Option<String> {
        let found = api_of_the_shop();
        found.unmet(&Scope::default(), &From(source, headers)).map(|unmet| unmet.to_string())
    }

    #[test]
    fn an_entry_holds_when_all_its_fields_hold() {
        assert_eq!(unmet("10.1.2.3:4711", &MET), None);
        let nothing: [(&str, &str); 0] = [];
        assert_eq!(Match::default().unmet(&Scope::default(), &nothing[..]), None);
    }

    #[test]
    fn the_first_field_that_fails_is_named() {
        for (name, value, words) in [
            (":authority", "other.example.com", "hosts `shop.example.com`"),
            (":path", "/web?lang=de+AT", "path prefix `/api/`"),
            (":method", "POST", "methods `GET`, `HEAD`"),
            ("x-tier", "basic", "header `x-tier` exact `premium`"),
            ("cookie", "beta=off; beta=on", "cookie `beta` exact `on`"),
            (":path", "/api/?lang=en&lang=de+AT", "query `lang` exact `de AT`"),
            (":path", "/api/", "query `lang` exact `de AT`"),
        ] {
            let request = MET.map(|(n, v)| if n == name { (n, value) } else { (n, v) });
            assert_eq!(unmet("10.1.2.3:4711", &request).as_deref(), Some(words));
        }
        assert_eq!(unmet("192.0.2.1:4711", &MET).as_deref(), Some("source_ip `10.0.0.0/8`"));
        assert_eq!(unmet("pipe", &MET).as_deref(), Some("source_ip `10.0.0.0/8`"));
    }

    #[test]
    fn the_client_s_address_is_found_as_the_scope_says() {
        let internal = Match { source_ip: api_of_the_shop().source_ip, ..Match::default() };
        let forwarded = [("x-forwarded-for", "10.6.6.6, 10.1.2.3, 192.0.2.1")];
        let request = From("192.0.2.1:4711", &forwarded);
        for (trusted_hops, met) in [(0, false), (1, false), (2, true), (3, true), (4, false)] {
            let scope = Scope { trusted_hops };
            assert_eq!(internal.unmet(&scope, &request).is_none(), met, "{trusted_hops}");
        }
    }

    #[test]
    fn a_list_holds_when_any_entry_holds() {
        let other = Match { methods: vec!["PUT".into()], ..Match::default() };
        let request = From("10.1.2.3:4711", &MET);
        assert!(any(&[other.clone(), api_of_the_shop()], &Scope::default(), &request));
        assert!(!any(&[other], &Scope::default(), &request));
        assert!(!any(&[], &Scope::default(), &request));
    }
}
