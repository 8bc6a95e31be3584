//! Rules over the cookies that the filter sets. A response sets each once, so that of two uses of one cookie all but
//! the first would be lost without a word; and browsers keep each for some hosts, which may not be those of its split.

use crate::ids::{Id as _, SplitId};
use crate::matching::HostPattern;
use crate::policy::cursor::Cursor;
use crate::policy::name_map::NameMap;
use crate::policy::{Code, CookieOptions, KeySource, Policy, Split};

/// Checks the cookies of all splits; run once all splits are read.
pub(super) fn check(policy: &Policy, list: &Cursor) {
    let mut generated = NameMap::default();
    let mut used = NameMap::default();
    for (index, split) in policy.splits.iter().enumerate() {
        for source in &split.key {
            match source {
                KeySource::Cookie { name, .. } => {
                    used.insert(name, index);
                }
                // Splits may share a cookie, if they agree on what it is.
                KeySource::Generate(cookie) => {
                    let before = generated.insert(&cookie.name, index);
                    let first = before.map(|before| &policy.splits[SplitId::at(before)]);
                    if let Some(first) = first.filter(|first| generates(first) != Some(cookie)) {
                        report(&cookie.name, first, &list.index(index).field("key"));
                    }
                }
                _ => {}
            }
        }
    }
    for (index, split) in policy.splits.iter().enumerate() {
        let Some(sticky) = &split.sticky else { continue };
        let before = used.insert(&sticky.cookie.name, index);
        if let Some(first) = before.map(|before| &policy.splits[SplitId::at(before)]) {
            report(&sticky.cookie.name, first, &list.index(index).field("sticky"));
        }
    }
}

/// Checks that the cookies of a split are for its hosts, as far as these are written.
pub(super) fn check_split(split: &Split, at: &Cursor) {
    let entries = split.matches.iter().flatten();
    let hosts: Vec<&HostPattern> = entries.flat_map(|entry| &entry.hosts).collect();
    for (cookie, field) in
        [(generates(split), "key"), (split.sticky.as_ref().map(|sticky| &sticky.cookie), "sticky")]
    {
        if let Some(cookie) = cookie {
            check_hosts(cookie, &hosts, &at.field(field));
        }
    }
}

fn check_hosts(cookie: &CookieOptions, hosts: &[&HostPattern], at: &Cursor) {
    let name = &cookie.name;
    if let Some(domain) = &cookie.domain {
        if let Some(host) = hosts.iter().find(|host| !is_within(host, domain)) {
            let message = format!(
                "browsers drop the cookie `{name}` at `{host}`, which is not below its domain `{domain}`"
            );
            at.report(Code::ForeignCookieDomain, message)
                .help("give the hosts of each domain a split of their own, or leave `domain` out");
        }
        return;
    }
    let Some(first) = hosts.first() else { return };
    let several = hosts.iter().any(|host| matches!(host, HostPattern::Below(_)) || host != first);
    // Any host at all is as much as not to say.
    if !several || hosts.contains(&&HostPattern::Any) {
        return;
    }
    let message = format!(
        "the cookie `{name}` is for one host alone, and the split is for several: a user is another one at each"
    );
    let help = match common_domain(hosts) {
        Some(domain) => format!("add `domain: {domain}`"),
        None => "no cookie is for all of these hosts: give the users of each a split of their own, or another key".to_owned(),
    };
    at.report(Code::HostOnlyCookie, message).help(help);
}

/// Whether all hosts of a pattern are the domain or below it.
fn is_within(pattern: &HostPattern, domain: &str) -> bool {
    match pattern {
        HostPattern::Any => true,
        HostPattern::Exact(host) | HostPattern::Below(host) => {
            let above = host.strip_suffix(domain);
            above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
        }
    }
}

/// The longest domain of two names or more that all hosts are in.
fn common_domain<'h>(hosts: &[&'h HostPattern]) -> Option<&'h str> {
    let mut domain = match hosts.first()? {
        HostPattern::Any => return None,
        HostPattern::Exact(host) => host,
        HostPattern::Below(suffix) => suffix.strip_prefix('.').unwrap_or(suffix),
    };
    while !hosts.iter().all(|host| is_within(host, domain)) {
        domain = domain.split_once('.')?.1;
    }
    // Nobody may set a cookie for `com`, and an address has nothing below it.
    let address = domain.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    (domain.contains('.') && !address).then_some(domain)
}

fn generates(split: &Split) -> Option<&CookieOptions> {
    split.key.iter().find_map(|source| match source {
        KeySource::Generate(cookie) => Some(cookie),
        _ => None,
    })
}

fn report(cookie: &str, first: &Split, at: &Cursor) {
    let message =
        format!("cookie `{cookie}` is that of `{}` already, for something else", first.name);
    at.report(Code::CookieConflict, message).help(
        "give each use a cookie of its own; splits that share a generated key write it alike",
    );
}
