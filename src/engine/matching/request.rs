//! What the engine may read of a request: bytes, never strings.

use std::borrow::Cow;

/// The pseudo-header that holds the method.
pub const METHOD: &str = ":method";
/// The pseudo-header that holds host and port.
pub const AUTHORITY: &str = ":authority";
/// The pseudo-header that holds path and query.
pub const PATH: &str = ":path";

/// A request as the proxy sees it.
pub trait Request {
    /// The values of a header (lower-case name, pseudo-headers included) in the order received,
    /// one for each line it was sent on.
    fn header_lines<'r>(&'r self, name: &'r str) -> impl Iterator<Item = &'r [u8]>;

    /// The address of whoever sent the request, with its port, as Envoy's `source.address` gives it:
    /// `192.0.2.5:4711`, `[2001:db8::1]:4711`. `None` where there is no connection to ask.
    fn source_address(&self) -> Option<Cow<'_, [u8]>> {
        None
    }

    /// A claim of the token that a provider of Envoy's `jwt_authn` has checked. `None` where there is none.
    fn jwt_claim(&self, _provider: &str, _claim: &str) -> Option<Cow<'_, [u8]>> {
        None
    }
}

/// The plainest request: pairs of lower-case name and value.
impl<N: AsRef<str>, V: AsRef<[u8]>> Request for [(N, V)] {
    fn header_lines<'r>(&'r self, name: &'r str) -> impl Iterator<Item = &'r [u8]> {
        self.iter().filter(move |(n, _)| n.as_ref() == name).map(|(_, v)| v.as_ref())
    }
}

/// The first line of a header; empty where there is none.
pub(super) fn first_line<'r, R: Request + ?Sized>(request: &'r R, name: &'r str) -> &'r [u8] {
    request.header_lines(name).next().unwrap_or_default()
}

/// A header's value; several lines count as one value joined by `,`, as in Envoy's own matchers.
/// Allocates only for several lines.
pub(super) fn joined<'r, R: Request + ?Sized>(
    request: &'r R,
    name: &'r str,
) -> Option<Cow<'r, [u8]>> {
    let mut lines = request.header_lines(name);
    let mut value = Cow::Borrowed(lines.next()?);
    for line in lines {
        let all = value.to_mut();
        all.push(b',');
        all.extend_from_slice(line);
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_lines_of_a_header_are_one_value_joined_by_commas() {
        let request = [("a", "1"), ("b", "x"), ("a", "2")];
        assert_eq!(joined(&request[..], "a").as_deref(), Some(b"1,2".as_slice()));
        assert_eq!(joined(&request[..], "c"), None);
        assert!(matches!(joined(&request[..], "b"), Some(Cow::Borrowed(b"x"))));
    }
}
