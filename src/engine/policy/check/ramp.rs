//! Rules over a ramp and what stands beside it in the split.

use crate::policy::cursor::Cursor;
use crate::policy::{Code, CookieOptions, Split, Value};
use crate::units::Millis;

/// Warns of a cookie that keeps users on their first variant longer than the ramp takes: they never
/// see its later steps.
pub(super) fn check(split: &Split, at: &Cursor) {
    let (Some(sticky), Some(ramp)) = (&split.sticky, &split.ramp) else { return };
    if Millis::from(sticky.cookie.ttl) <= ramp.steps.length() {
        return;
    }
    let sticky = at.field("sticky");
    let ttl = match sticky.field("ttl").value {
        Value::Null => format!("{}d", CookieOptions::STICKY_TTL.get() / 86_400),
        ttl => ttl.to_string(),
    };
    let steps = at.field("ramp").field("steps").value.items();
    let Some(length) = steps.last().and_then(|step| step.field("after")) else { return };
    let message = format!(
        "the cookie keeps users on their first variant for `{ttl}`, but the ramp takes only `{length}`"
    );
    sticky.report(Code::StickyOutlivesRamp, message)
        .help("returning users keep the weights of their first visit: lower `ttl`, or raise `epoch` when the ramp has ended");
}
