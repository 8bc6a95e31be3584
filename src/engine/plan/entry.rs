//! Where the answers to an entry of a match list are.

use super::questions::Asking;
use crate::ids::{CookieSlot, HeaderSlot, QuerySlot};
use crate::matching::{Match, NamedTest};

/// For each test of a value in an entry, where that value is.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    headers: Box<[HeaderSlot]>,
    cookies: Box<[CookieSlot]>,
    query: Box<[QuerySlot]>,
}

/// An entry with its conditions.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'p> {
    /// What must hold.
    pub conditions: &'p Match,
    entry: &'p Entry,
}

impl Entry {
    pub(super) fn new(conditions: &Match, asking: &mut Asking) -> Self {
        Self {
            headers: conditions.headers.iter().map(|test| asking.header(&test.name)).collect(),
            cookies: conditions.cookies.iter().map(|test| asking.cookie(&test.name)).collect(),
            query: conditions.query.iter().map(|test| asking.query(&test.name)).collect(),
        }
    }

    pub(super) fn list(matches: &[Match], asking: &mut Asking) -> Box<[Self]> {
        matches.iter().map(|conditions| Self::new(conditions, asking)).collect()
    }
}

impl<'p> Asked<'p> {
    /// The entries of a list, each with its conditions.
    pub(super) fn list(
        matches: &'p [Match],
        entries: &'p [Entry],
    ) -> impl Iterator<Item = Self> + Clone {
        let pairs = matches.iter().zip(entries);
        pairs.map(|(conditions, entry)| Self { conditions, entry })
    }

    /// The header tests, each with its header.
    #[inline]
    pub fn headers(self) -> impl Iterator<Item = (&'p NamedTest, HeaderSlot)> {
        self.conditions.headers.iter().zip(self.entry.headers.iter().copied())
    }

    /// The cookie tests, each with its cookie.
    #[inline]
    pub fn cookies(self) -> impl Iterator<Item = (&'p NamedTest, CookieSlot)> {
        self.conditions.cookies.iter().zip(self.entry.cookies.iter().copied())
    }

    /// The query tests, each with its parameter.
    #[inline]
    pub fn query(self) -> impl Iterator<Item = (&'p NamedTest, QuerySlot)> {
        self.conditions.query.iter().zip(self.entry.query.iter().copied())
    }
}
