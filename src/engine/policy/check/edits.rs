//! Rules over the header edits of one variant: each has an effect.

use crate::policy::cursor::Cursor;
use crate::policy::name_map::NameMap;
use crate::policy::{Code, HeaderEdits, Policy, Split};

/// Checks the edits of all variants of a split.
pub(super) fn check(policy: &Policy, split: &Split, at: &Cursor) {
    let list = at.field("variants");
    let baggage = policy.baggage.then_some("baggage");
    let tags = policy.response_variant_header.as_deref();
    for (index, variant) in split.variants.iter().enumerate() {
        let at = list.index(index);
        check_edits(&variant.request_headers, baggage, &at.field("request_headers"));
        check_edits(&variant.response_headers, tags, &at.field("response_headers"));
    }
}

/// Warns of edits that a later one of the variant undoes, or the filter, which sets a header of its own after them.
fn check_edits(edits: &HeaderEdits, own: Option<&str>, at: &Cursor) {
    let report = |list: &str, index: usize, message: String| {
        at.field(list).index(index).report(Code::EditUndone, message).help("remove one of them");
    };
    let (mut set, mut removed) = (NameMap::default(), NameMap::default());
    for (index, (name, _)) in edits.set.iter().enumerate() {
        if let Some(earlier) = set.insert(name, index) {
            report("set", earlier, format!("header `{name}` is set again in `set[{index}]`"));
        }
    }
    for (index, name) in edits.remove.iter().enumerate() {
        if let Some(earlier) = removed.insert(name, index) {
            report(
                "remove",
                index,
                format!("header `{name}` is removed in `remove[{earlier}]` already"),
            );
        } else if set.number(name).is_some() {
            report(
                "remove",
                index,
                format!("header `{name}` is set after that, which replaces it"),
            );
        }
    }
    let names = |list: &'static str, values: &[(String, String)]| -> Vec<(&str, usize)> {
        let own = |(_, (name, _)): &(usize, &(String, String))| own == Some(name.as_str());
        values.iter().enumerate().filter(own).map(|(index, _)| (list, index)).collect()
    };
    for (list, index) in names("set", &edits.set).into_iter().chain(names("add", &edits.add)) {
        let message = format!("the filter itself sets `{}` after that", own.unwrap_or_default());
        at.field(list)
            .index(index)
            .report(Code::EditUndone, message)
            .help("edit another header, or leave this one to the filter");
    }
}
