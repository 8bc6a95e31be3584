//! A request as the engine reads it: headers in one block, the rest asked for when it is needed.

use std::borrow::Cow;

use engine::matching::Request;

use crate::header_map::HeaderMap;
use crate::host;
use crate::metrics::count_errors;

/// The request of a stream.
pub(crate) struct StreamRequest {
    headers: HeaderMap,
}

impl StreamRequest {
    pub(crate) const fn new(headers: HeaderMap) -> Self {
        Self { headers }
    }
}

impl Request for StreamRequest {
    fn header_lines<'r>(&'r self, name: &'r str) -> impl Iterator<Item = &'r [u8]> {
        self.headers.lines(name)
    }

    fn source_address(&self) -> Option<Cow<'_, [u8]>> {
        property("source\0address")
    }

    /// The claim of a token that Envoy's `jwt_authn` checked and left in the dynamic metadata.
    fn jwt_claim(&self, provider: &str, claim: &str) -> Option<Cow<'_, [u8]>> {
        const METADATA: &str = "metadata\0filter_metadata\0envoy.filters.http.jwt_authn";
        property(&format!("{METADATA}\0{provider}\0{claim}"))
    }
}

fn property(path: &str) -> Option<Cow<'static, [u8]>> {
    match host::property(path) {
        Ok(value) => value.map(|value| Cow::Owned(value.into_vec())),
        Err(status) => {
            count_errors(Err(status));
            None
        }
    }
}
