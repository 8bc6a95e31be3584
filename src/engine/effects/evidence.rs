//! Why a request got its variants, in one line for access logs: what tells the users whom chance gave their variant from
//! those who were forced, or held out. Never the key itself.

use std::fmt::Write as _;

use super::Served;
use crate::decision::Decision;
use crate::plan::Plan;

/// Room for a few splits, so that most lines allocate once.
const ROOM: usize = 128;

/// `checkout=canary;reason=split;bucket=1234, search=b;reason=no_key`: each split in the order of the policy; no bucket
/// where the user is not known. `None` where no split applied.
#[inline(never)]
pub(super) fn of(plan: &Plan, decisions: &[Decision]) -> Option<String> {
    if decisions.is_empty() {
        return None;
    }
    let mut line = String::with_capacity(ROOM);
    for decision in decisions {
        if !line.is_empty() {
            line.push_str(", ");
        }
        line.push_str(Served::by(plan, decision).tag);
        line.push_str(";reason=");
        line.push_str(decision.reason.as_str());
        if let Some(bucket) = decision.bucket() {
            // A `String` takes all that is written.
            let _ = write!(line, ";bucket={}", bucket.number());
        }
    }
    Some(line)
}
