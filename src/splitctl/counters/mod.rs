//! What proxies count of a split, as they or a Prometheus show it.

mod scrape;
mod source;

pub(crate) use scrape::{Came, Followed, Found, Scrape, Series};
pub(crate) use source::{Prometheus, Source};

/// What is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Split {
    /// Its name.
    pub(crate) name: String,
    /// With whom the others are compared.
    pub(crate) baseline: String,
    /// Those that are.
    pub(crate) challengers: Vec<String>,
    /// Variants that nobody asks about.
    pub(crate) others: Vec<String>,
    /// Each user's variant is by the weights of the moment: none is kept by a cookie.
    pub(crate) by_weight: bool,
}

impl Split {
    /// The variants whose counts matter, the baseline first.
    pub(crate) fn variants(&self) -> impl Iterator<Item = &str> + Clone {
        std::iter::once(self.baseline.as_str()).chain(self.challengers.iter().map(String::as_str))
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    /// Users, each once.
    Users,
    /// Requests, as many of a user as there are.
    Requests,
}
