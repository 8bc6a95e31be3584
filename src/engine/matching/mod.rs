//! Conditions on a request: a list is any-of, the fields inside one entry are all-of, as in
//! Gateway API. Patterns are parsed once; matching reads bytes and cannot fail.

mod address;
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
mod shown;
mod text;
mod unmet;
mod value;

pub use cidr::{Cidr, CidrError};
pub use client_ip::client_ip;
pub use cohort::{Cohort, CohortError};
pub use conflict::{exclude_each_other, first_conflict};
pub use cookies::cookies;
pub use host::{HostPattern, host_of};
pub use path::{PathPattern, without_query};
pub use pattern::{Pattern, PatternError};
pub use query::{Encoded, query};
pub use range::NumberRange;
pub use text::{Needle, Text};
pub use unmet::Unmet;
pub use value::{Form, ValueTest};

pub(crate) use query::percent_decoded;
pub(crate) use shown::Escaped;

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
