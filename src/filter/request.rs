//! A request as the engine asks for it: headers in one block, the rest of the host when it is needed.

use std::borrow::Cow;

use engine::host::{Claim, Host};

use crate::active::Active;
use crate::header_map::HeaderMap;
use crate::host;
use crate::metrics::count_errors;

/// The request of the stream that the host is about to send on.
pub(crate) struct Request<'r> {
    headers: HeaderMap,
    active: &'r Active,
}

impl<'r> Request<'r> {
    /// Reads the headers.
    ///
    /// # Errors
    /// When the host does not give them.
    pub(crate) fn read(active: &'r Active) -> Result<Self, host::Status> {
        Ok(Self { headers: HeaderMap::new(host::request_headers()?), active })
    }
}

impl Host for Request<'_> {
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.headers.pairs()
    }

    fn source_address(&self) -> Option<Cow<'_, [u8]>> {
        property("source\0address")
    }

    /// The claim of a token that Envoy's `jwt_authn` checked and left in the dynamic metadata.
    fn claim(&self, claim: &Claim) -> Option<Cow<'_, [u8]>> {
        property(self.active.claim_path(claim))
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
