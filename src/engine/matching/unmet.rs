//! What kept a request from meeting a match entry, for explanations.

use std::fmt;

use super::shown::{Shown, list};
use super::{Cidr, HostPattern, NamedTest, PathPattern};

/// The condition of a match entry that did not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmet<'p> {
    /// None of these hosts.
    Hosts(&'p [HostPattern]),
    /// Not this path.
    Path(&'p PathPattern),
    /// None of these methods.
    Methods(&'p [String]),
    /// This header test.
    Header(&'p NamedTest),
    /// This cookie test.
    Cookie(&'p NamedTest),
    /// This test of a query parameter.
    Query(&'p NamedTest),
    /// In none of these networks.
    SourceIp(&'p [Cidr]),
    /// A request is needed, and there is none.
    NotAsked,
}

/// The condition, by its name in a policy: ``header `x-tier` exact `premium` ``.
impl fmt::Display for Unmet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hosts(hosts) => written(f, "hosts", hosts),
            Self::Path(path) => write!(f, "path {path}"),
            Self::Methods(methods) => written(f, "methods", methods),
            Self::Header(test) => write!(f, "header {test}"),
            Self::Cookie(test) => write!(f, "cookie {test}"),
            Self::Query(test) => write!(f, "query {test}"),
            Self::SourceIp(networks) => written(f, "source_ip", networks),
            Self::NotAsked => f.write_str("there is no request"),
        }
    }
}

/// Its name, then its test.
impl fmt::Display for NamedTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", Shown(&self.name), self.test)
    }
}

fn written<T: fmt::Display>(f: &mut fmt::Formatter<'_>, field: &str, entries: &[T]) -> fmt::Result {
    write!(f, "{field} ")?;
    list(f, entries.iter().map(T::to_string), entries.len())
}
