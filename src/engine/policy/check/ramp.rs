//! Rules over a ramp and what stands beside it in the split.

use crate::policy::sink::{Path, Sink};
use crate::policy::{Code, Split, duration};

/// Warns of a cookie that keeps users on their first variant longer than the ramp takes: they never
/// see its later steps.
pub(crate) fn check(split: &Split, path: &Path, sink: &mut Sink) {
    let (Some(sticky), Some(ramp)) = (&split.sticky, &split.ramp) else { return };
    let ttl = sticky.cookie.ttl.saturating_mul(1_000);
    if ttl > ramp.length() {
        let (ttl, length) = (duration::write(ttl), duration::write(ramp.length()));
        let message = format!(
            "the cookie keeps users on their first variant for `{ttl}`, but the ramp takes only `{length}`"
        );
        sink.warning(Code::StickyOutlivesRamp, &Path::Field(path, "sticky"), message)
            .help("returning users keep the weights of their first visit: lower `ttl`, or raise `epoch` when the ramp has ended");
    }
}
