//! Rules over a ramp and what stands beside it in the split.

use crate::policy::sink::{Path, Sink};
use crate::policy::{Code, CookieOptions, Split, Value};
use crate::units::Millis;

/// Warns of a cookie that keeps users on their first variant longer than the ramp takes: they never
/// see its later steps. `written` is the split as it stands in the document.
pub(super) fn check(split: &Split, written: &Value, path: &Path, sink: &mut Sink) {
    let (Some(sticky), Some(ramp)) = (&split.sticky, &split.ramp) else { return };
    if Millis::from(sticky.cookie.ttl) <= ramp.steps.length() {
        return;
    }
    let ttl = written.field("sticky").and_then(|sticky| sticky.field("ttl"));
    let ttl = ttl
        .map_or_else(|| format!("{}d", CookieOptions::STICKY_TTL.get() / 86_400), Value::to_string);
    let steps = written.field("ramp").and_then(|ramp| ramp.field("steps"));
    let Some(Value::List(steps)) = steps else { return };
    let Some(length) = steps.last().and_then(|step| step.field("after")) else { return };
    let message = format!(
        "the cookie keeps users on their first variant for `{ttl}`, but the ramp takes only `{length}`"
    );
    sink.report(Code::StickyOutlivesRamp, &Path::Field(path, "sticky"), message)
        .help("returning users keep the weights of their first visit: lower `ttl`, or raise `epoch` when the ramp has ended");
}
