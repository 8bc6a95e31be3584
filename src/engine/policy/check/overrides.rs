//! Rules over the overrides of a split.

use crate::policy::cursor::Cursor;
use crate::policy::{Code, Override};

/// So many are compared with each other: of thousands that would take as long as a million.
const COMPARED: usize = 1_000;

/// An override whose conditions all stand in an earlier one never gets a request.
pub(super) fn check(overrides: &[Override], list: &Cursor) {
    for (index, forced) in overrides.iter().enumerate().take(COMPARED) {
        let taken = |entry| {
            let earlier = overrides.iter().take(index);
            earlier.enumerate().find(|(_, o)| o.matches.contains(entry)).map(|(at, _)| at)
        };
        let by: Option<Vec<usize>> = forced.matches.iter().map(taken).collect();
        if let Some(first) = by.as_ref().and_then(|by| by.first()) {
            let message = format!("`{list}[{first}]` comes first and takes the same requests");
            list.index(index)
                .report(Code::DeadOverride, message)
                .help("remove one of them, or put the narrower one first");
        }
    }
}
