//! A request as the engine asks for it: headers in one block, the rest of the host when it is needed.

use std::borrow::Cow;
use std::cell::OnceCell;

use engine::host::{Claim, Host};

use crate::header_map::HeaderMap;
use crate::host;
use crate::metrics::counted;

/// The name of the filter state in which a leg of a request leaves a note for the next.
pub(crate) const NOTE: &str = "traffic_split_leg";

/// The request of the stream that the host is about to send on.
pub(crate) struct Request {
    headers: HeaderMap,
    /// What filters before this one left for others; read when first asked for.
    metadata: OnceCell<Option<Box<[u8]>>>,
}

impl Request {
    /// Reads the headers.
    ///
    /// # Errors
    /// When the host does not give them.
    pub(crate) fn read() -> Result<Self, host::Status> {
        let headers = HeaderMap::new(host::request_headers()?);
        Ok(Self { headers, metadata: OnceCell::new() })
    }
}

impl Host for Request {
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.headers.pairs()
    }

    fn source_address(&self) -> Option<Cow<'_, [u8]>> {
        property("source\0address").map(|address| Cow::Owned(address.into_vec()))
    }

    fn earlier_leg(&self) -> Option<Cow<'_, [u8]>> {
        property(NOTE).map(|note| Cow::Owned(note.into_vec()))
    }

    /// The claim of a token that Envoy's `jwt_authn` checked and left in the dynamic metadata.
    fn claim(&self, claim: &Claim) -> Option<Cow<'_, [u8]>> {
        claim.find_in(self.metadata.get_or_init(|| property("metadata")).as_deref()?)
    }
}

fn property(path: &str) -> Option<Box<[u8]>> {
    counted(host::property(path)).flatten()
}
