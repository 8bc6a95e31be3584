//! What the engine may ask of whoever hosts it. The filter in Envoy implements this, and so does
//! `splitctl` for a request that somebody describes; a native module or a controller would.

mod claim;

use std::borrow::Cow;

pub use claim::Claim;

/// The pseudo-header that holds the method.
pub const METHOD: &str = ":method";
/// The pseudo-header that holds host and port.
pub const AUTHORITY: &str = ":authority";
/// The pseudo-header that holds path and query.
pub const PATH: &str = ":path";

/// One request, as its host sees it. Values are bytes: nothing that a client sends is assumed to be
/// text. Nothing here may panic, and nothing may fail: a host that cannot tell something says that
/// it is not there (and counts or logs that, if it likes).
pub trait Host {
    /// Every line of the request's headers in the order received, pseudo-headers among them: name
    /// in lower case, and value. A header sent on several lines comes several times.
    ///
    /// Asked for each request before anything else, once; of `OPTIONS` once more. A host that cannot read the headers at
    /// all does not ask for a decision: it removes [`crate::plan::Plan::control_headers`], so that a
    /// client's own never pass, and lets the request go on.
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])>;

    /// The address of whoever sent the request, with its port, as Envoy's `source.address` gives
    /// it: `192.0.2.5:4711`, `[2001:db8::1]:4711`. `None` where there is no connection to ask.
    ///
    /// Asked at most once for each request, and only when a rule gets so far that it depends on
    /// the client's address; so it may cost a call.
    fn source_address(&self) -> Option<Cow<'_, [u8]>> {
        None
    }

    /// A claim of a token that was checked before, as its text. `None` where there is none, or it has
    /// no text; [`Claim::find_in`] is the rule, for hosts that have Envoy's dynamic metadata.
    ///
    /// Asked at most once for each request and claim, and only when a key source gets so far.
    fn claim(&self, _claim: &Claim) -> Option<Cow<'_, [u8]>> {
        None
    }

    /// What an earlier leg of the same request left ([`crate::decision::Earlier::note`]), from where no
    /// client can write. `None` where there was none.
    ///
    /// Asked at most once for each request, and only where headers that the filter sets are there.
    fn earlier_leg(&self) -> Option<Cow<'_, [u8]>> {
        None
    }

    /// Whether a key or a cookie that is not in this request may have been there all the same: it
    /// is a record of a request, such as a line of an access log. Then what depends on the user is
    /// unknown where no key is found, and not that of a user without a key.
    fn is_a_record(&self) -> bool {
        false
    }
}

/// The plainest request: pairs of lower-case name and value, and no connection.
impl<N: AsRef<str>, V: AsRef<[u8]>> Host for [(N, V)] {
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.iter().map(|(name, value)| (name.as_ref().as_bytes(), value.as_ref()))
    }
}
