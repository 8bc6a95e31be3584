//! Which splits a request can meet at all: by host and by the first segment of the path, so that
//! a policy of a thousand splits on different hosts costs a request little more than one of one.

use smallvec::SmallVec;

use crate::fast_hash::fast_hash;
use crate::hash::fmix64;
use crate::ids::SplitId;
use crate::matching::{HostPattern, Match, PathPattern};
use crate::policy::Policy;

/// Up to so many splits are simply tried one after the other.
const FEW: usize = 8;
/// Deeper `*.suffix` patterns are tried for every request.
const LABELS_MAX: usize = 8;
/// Stands for any host, or any path.
const ANY: u64 = 0;

/// Finds the splits that a request can meet.
#[derive(Debug, Clone, Default)]
pub struct Index {
    /// The splits that are enabled.
    splits: Vec<SplitId>,
    /// Splits by slot; empty where there are only a few splits.
    table: Table,
    /// How many labels the `*.suffix` patterns have, each number once.
    suffix_labels: Vec<usize>,
}

impl Index {
    pub(super) fn new(policy: &Policy) -> Self {
        let enabled = || policy.splits.pairs().filter(|(_, split)| split.enabled);
        let splits = enabled().map(|(id, _)| id).collect();
        let mut index = Self { splits, ..Self::default() };
        if index.splits.len() <= FEW {
            return index;
        }
        let mut entries = Vec::new();
        for (id, split) in enabled() {
            for entry in split.matches.as_deref().unwrap_or(&[Match::default()]) {
                let path = path_slot(entry.path.as_ref());
                let hosts: Vec<u64> = match entry.hosts.as_slice() {
                    [] => vec![ANY],
                    hosts => hosts.iter().map(|host| index.host_slot(host)).collect(),
                };
                entries.extend(hosts.into_iter().map(|host| (combine(host, path), id)));
            }
        }
        index.table = Table::new(&entries);
        index
    }

    fn host_slot(&mut self, host: &HostPattern) -> u64 {
        match host {
            HostPattern::Any => ANY,
            HostPattern::Exact(host) => hash_lower(host.as_bytes()),
            HostPattern::Below(suffix) => {
                let labels = suffix.bytes().filter(|b| *b == b'.').count();
                if labels > LABELS_MAX {
                    return ANY;
                }
                if !self.suffix_labels.contains(&labels) {
                    self.suffix_labels.push(labels);
                }
                hash_lower(suffix.as_bytes())
            }
        }
    }

    /// Every split that is enabled, in order.
    pub fn all(&self) -> impl Iterator<Item = SplitId> {
        self.splits.iter().copied()
    }

    /// Calls `judge` with the splits that a request can meet, each once, in order. `target` gives its
    /// host (as patterns are compared with) and path (without query), where there is something to look up.
    pub fn candidates<'r>(
        &self,
        target: impl FnOnce() -> (&'r [u8], &'r [u8]),
        mut judge: impl FnMut(SplitId),
    ) {
        if self.table.places.is_empty() {
            return self.all().for_each(judge);
        }
        let (host, path) = target();
        let mut lists = self.look_up(host, path);
        // Each list is in order: always judge the smallest that is left of all of them.
        while let Some(next) = lists.iter().filter_map(|list| list.first()).min().copied() {
            judge(next);
            for list in &mut lists {
                if let Some((first, rest)) = list.split_first()
                    && *first == next
                {
                    *list = rest;
                }
            }
        }
    }

    /// The lists of splits that host and path name, those that are not empty.
    fn look_up(&self, host: &[u8], path: &[u8]) -> SmallVec<[&[SplitId]; 8]> {
        let path = hash_segment(first_segment(path));
        let suffixes = self.suffix_labels.iter().filter_map(|labels| suffix_of(host, *labels));
        let hosts = [ANY, hash_lower(host)].into_iter().chain(suffixes.map(hash_lower));
        let slots = hosts.flat_map(|host| [combine(host, ANY), combine(host, path)]);
        slots.map(|slot| self.table.get(slot)).filter(|list| !list.is_empty()).collect()
    }
}

/// The last labels of a host with the dot before them: 2 of `a.b.example.com` is `.example.com`.
fn suffix_of(host: &[u8], labels: usize) -> Option<&[u8]> {
    let dots = host.iter().enumerate().rev().filter(|(_, b)| **b == b'.');
    let (at, _) = dots.take(labels).last().filter(|(at, _)| *at > 0)?;
    let suffix = host.get(at..)?;
    (suffix.iter().filter(|b| **b == b'.').count() == labels).then_some(suffix)
}

/// The slot of a path pattern: that of its first segment, where it has a whole one.
fn path_slot(path: Option<&PathPattern>) -> u64 {
    let Some(path) = path else { return ANY };
    match path {
        PathPattern::Exact(path) => hash_segment(first_segment(path.as_bytes())),
        PathPattern::Prefix(path) if path.trim_end_matches('/').is_empty() => ANY,
        PathPattern::Prefix(path) => hash_segment(first_segment(path.as_bytes())),
        PathPattern::RawPrefix(_) | PathPattern::Regex(_) => ANY,
    }
}

/// `/api` of `/api/cart`.
fn first_segment(path: &[u8]) -> &[u8] {
    let end = path.iter().skip(1).position(|b| *b == b'/').map(|at| at.saturating_add(1));
    end.and_then(|end| path.get(..end)).unwrap_or(path)
}

fn hash_segment(segment: &[u8]) -> u64 {
    fast_hash(segment, false).max(1)
}

fn hash_lower(host: &[u8]) -> u64 {
    fast_hash(host, true).max(1)
}

const fn combine(host: u64, path: u64) -> u64 {
    let slot = fmix64(host.rotate_left(32) ^ path.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    if slot == 0 { 1 } else { slot }
}

/// Lists of splits by slot: open addressing, a power of two of places, at most half of them used.
#[derive(Debug, Clone, Default)]
struct Table {
    places: Vec<Place>,
}

#[derive(Debug, Clone, Default)]
struct Place {
    /// 0 = free.
    slot: u64,
    splits: Vec<SplitId>,
}

impl Table {
    /// From pairs of slot and split, in the order of the splits.
    fn new(entries: &[(u64, SplitId)]) -> Self {
        let size = entries.len().saturating_mul(2).next_power_of_two().max(4);
        let mut table = Self::default();
        table.places.resize_with(size, Place::default);
        for (slot, split) in entries {
            let at = table.place(*slot);
            let Some(place) = at.and_then(|at| table.places.get_mut(at)) else { continue };
            place.slot = *slot;
            if place.splits.last() != Some(split) {
                place.splits.push(*split);
            }
        }
        table
    }

    fn get(&self, slot: u64) -> &[SplitId] {
        let place = self.place(slot).and_then(|at| self.places.get(at));
        place.map(|place| place.splits.as_slice()).unwrap_or_default()
    }

    /// Where a slot is, or would be.
    fn place(&self, slot: u64) -> Option<usize> {
        let mask = self.places.len().checked_sub(1)?;
        let first = slot as usize;
        (0..self.places.len()).map(|step| first.wrapping_add(step) & mask).find(|at| {
            self.places.get(*at).is_none_or(|place| place.slot == slot || place.slot == 0)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Id as _;

    #[test]
    fn the_first_segment_ends_at_the_next_slash() {
        for (path, segment) in [
            ("/api/cart", "/api"),
            ("/api", "/api"),
            ("/api/", "/api"),
            ("/", "/"),
            ("", ""),
            ("//x", "/"),
        ] {
            assert_eq!(first_segment(path.as_bytes()), segment.as_bytes(), "{path}");
        }
    }

    #[test]
    fn suffixes_are_whole_labels_with_something_before_them() {
        for (host, labels, suffix) in [
            ("a.b.example.com", 2, Some(".example.com")),
            ("a.b.example.com", 3, Some(".b.example.com")),
            ("a.b.example.com", 4, None),
            ("example.com", 2, None),
            (".example.com", 2, None),
            ("com", 1, None),
            ("", 1, None),
        ] {
            assert_eq!(
                suffix_of(host.as_bytes(), labels),
                suffix.map(str::as_bytes),
                "{host} {labels}"
            );
        }
    }

    #[test]
    fn a_table_finds_what_was_put_in_and_nothing_else() {
        let entry = |n: usize| (fmix64(n as u64 / 2), SplitId::at(n));
        let table = Table::new(&(2..500).map(entry).collect::<Vec<_>>());
        for n in 2..500 {
            assert_eq!(table.get(entry(n).0), [n & !1, n | 1].map(SplitId::at));
        }
        assert!(table.get(12_345).is_empty());
        assert!(Table::default().get(1).is_empty());
    }
}
