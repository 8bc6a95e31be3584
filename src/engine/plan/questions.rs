//! What a plan asks of a request: every header, cookie, query parameter and claim once, however many
//! splits ask for it, so that one walk over the headers answers them all.

use std::collections::BTreeMap;

use crate::fast_hash::fast_hash;
use crate::hash;
use crate::host::{AUTHORITY, Claim, METHOD, PATH};
use crate::ids::{ClaimSlot, CookieSlot, HeaderSlot, Id, KeyId, List, QuerySlot, SaltId};
use crate::policy::{CookieOptions, Decoding, KeySource};

/// Every question that a plan can ask.
#[derive(Debug, Clone)]
pub struct Questions {
    /// Request headers, by the lower-case name.
    pub headers: Names<HeaderSlot>,
    /// Cookies, by name.
    pub cookies: Names<CookieSlot>,
    /// Query parameters, by the decoded name.
    pub query: Names<QuerySlot>,
    /// Claims of checked tokens.
    pub claims: List<ClaimSlot, Claim>,
    /// Where users' keys are looked for, each in order.
    pub keys: List<KeyId, Box<[KeySlot]>>,
    /// What keys are hashed with.
    pub salts: List<SaltId, Salt>,
    /// How the client's address is found; see [`crate::matching::client_ip`].
    pub trusted_hops: u8,
}

/// The headers that every plan asks for, in the order of their slots.
const COMMON: [&str; 8] = [
    METHOD,
    AUTHORITY,
    PATH,
    "cookie",
    "x-forwarded-for",
    "baggage",
    "x-envoy-original-url",
    "content-type",
];

impl Questions {
    /// `:method`.
    pub const METHOD: HeaderSlot = HeaderSlot::common(0);
    /// `:authority`.
    pub const AUTHORITY: HeaderSlot = HeaderSlot::common(1);
    /// `:path`.
    pub const PATH: HeaderSlot = HeaderSlot::common(2);
    /// `cookie`.
    pub const COOKIE: HeaderSlot = HeaderSlot::common(3);
    /// `x-forwarded-for`.
    pub const FORWARDED_FOR: HeaderSlot = HeaderSlot::common(4);
    /// `baggage`.
    pub const BAGGAGE: HeaderSlot = HeaderSlot::common(5);
    /// `x-envoy-original-url`, which Envoy sets where it follows a redirect itself.
    pub const ORIGINAL_URL: HeaderSlot = HeaderSlot::common(6);
    /// `content-type`, which tells a gRPC call.
    pub const CONTENT_TYPE: HeaderSlot = HeaderSlot::common(7);
}

/// Where the answer to a key source is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeySlot {
    /// A header.
    Header(HeaderSlot),
    /// A cookie, and how its value is decoded.
    Cookie(CookieSlot, Decoding),
    /// A query parameter.
    Query(QuerySlot),
    /// A claim.
    Claim(ClaimSlot),
    /// The client's address.
    ClientIp,
    /// A new id, by chance and this word of the cookie's name: splits that generate into one cookie
    /// get one id.
    Generate(u64),
}

/// What keys are hashed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Salt {
    /// Salt and separator.
    pub prefix: Box<[u8]>,
    /// More than one place of the plan hashes with it, so a hash is worth keeping.
    pub is_shared: bool,
}

/// Names, each with a slot.
#[derive(Debug, Clone)]
pub struct Names<I> {
    names: List<I, Box<str>>,
    /// For each [`glance`]: [`NOBODY`], the place of the one name that has it and 1, or [`SEVERAL`].
    glances: [u8; 256],
    /// What a glance multiplies by: of some odd numbers the one that keeps most names apart.
    spread: u32,
    /// By [`fast_hash`]: open addressing, a power of two of places, at most half of them used.
    places: Box<[Option<(u32, I)>]>,
}

/// No name has this glance: most names of a request end here.
const NOBODY: u8 = 0;
/// Several names have this glance, or one whose place is too large a number.
const SEVERAL: u8 = u8::MAX;

/// The first number that glances multiply by, odd: 2^32 over the golden ratio.
const FIRST_SPREAD: u32 = 0x9e37_79b1;
/// How many are tried.
const SPREADS: u32 = 64;
/// Of more names than this some share a glance whatever the number.
const MOST_SPREAD: usize = 48;

impl<I: Id> Names<I> {
    /// The slot of a name.
    #[inline]
    pub fn slot(&self, name: &[u8]) -> Option<I> {
        match self.glances.get(usize::from(glance(name, self.spread))).copied().unwrap_or(NOBODY) {
            NOBODY => None,
            SEVERAL => self.search(name),
            place => {
                let slot = I::at(usize::from(place).wrapping_sub(1));
                (self.names[slot].as_bytes() == name).then_some(slot)
            }
        }
    }

    fn search(&self, name: &[u8]) -> Option<I> {
        let hash = fast_hash(name, false) as u32;
        let mask = self.places.len().wrapping_sub(1);
        let mut at = hash as usize;
        while let Some((known, slot)) = self.places.get(at & mask).copied().flatten() {
            if known == hash && self.names[slot].as_bytes() == name {
                return Some(slot);
            }
            at = at.wrapping_add(1);
        }
        None
    }

    /// The name of a slot.
    pub fn name(&self, slot: I) -> &str {
        &self.names[slot]
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    fn intern(&mut self, name: &str) -> I {
        if let Some(slot) = self.slot(name.as_bytes()) {
            return slot;
        }
        let slot = self.names.push(name.into());
        if self.names.len().saturating_mul(2) > self.places.len() {
            self.places = vec![None; self.names.len().saturating_mul(4).next_power_of_two()].into();
            self.names.ids().for_each(|slot| self.put(slot));
        } else {
            self.put(slot);
        }
        if self.names.len() <= MOST_SPREAD {
            self.keep_apart();
        }
        slot
    }

    /// Finds the spread with which the fewest names share a glance.
    fn keep_apart(&mut self) {
        let mut best = (usize::MAX, self.spread, self.glances);
        for step in 0..SPREADS {
            let spread = FIRST_SPREAD.wrapping_add(step.wrapping_mul(0x5851_f42e));
            let mut glances = [NOBODY; 256];
            for (slot, name) in self.names.pairs() {
                note(&mut glances, glance(name.as_bytes(), spread), slot);
            }
            let shared = glances.iter().filter(|seen| **seen == SEVERAL).count();
            if shared < best.0 {
                best = (shared, spread, glances);
            }
            if shared == 0 {
                break;
            }
        }
        (_, self.spread, self.glances) = best;
    }

    /// Puts a name into the first free place of its own.
    fn put(&mut self, slot: I) {
        let name = self.names[slot].as_bytes();
        note(&mut self.glances, glance(name, self.spread), slot);
        let hash = fast_hash(name, false) as u32;
        let mask = self.places.len().wrapping_sub(1);
        let mut all = (0..self.places.len()).map(|step| (hash as usize).wrapping_add(step) & mask);
        let free = all.find(|at| self.places.get(*at) == Some(&None));
        if let Some(place) = free.and_then(|at| self.places.get_mut(at)) {
            *place = Some((hash, slot));
        }
    }
}

impl<I: Id> Default for Names<I> {
    fn default() -> Self {
        Self {
            names: List::default(),
            glances: [NOBODY; 256],
            spread: FIRST_SPREAD,
            places: Box::default(),
        }
    }
}

/// Notes that a name has a glance.
fn note(glances: &mut [u8; 256], glance: u8, slot: impl Id) {
    if let Some(seen) = glances.get_mut(usize::from(glance)) {
        let place = u8::try_from(slot.place()).ok().and_then(|place| place.checked_add(1));
        let known = place.filter(|place| *place != SEVERAL && [NOBODY, *place].contains(seen));
        *seen = known.unwrap_or(SEVERAL);
    }
}

/// What tells most names apart at a glance: the length, the first byte, the last, and one between.
#[inline]
fn glance(name: &[u8], spread: u32) -> u8 {
    let byte = |at: usize| u32::from(name.get(at).copied().unwrap_or_default());
    let (length, between) = (name.len(), name.len() / 2);
    let ends = byte(0) << 16 | byte(length.wrapping_sub(1));
    let mark = (length as u32) << 24 | byte(between) << 8 | ends;
    (mark.wrapping_mul(spread) >> 24) as u8
}

/// Collects the questions of a plan while it is compiled.
pub(super) struct Asking {
    questions: Questions,
    // So that thousands of splits are compiled in no time.
    keys: BTreeMap<Box<[KeySlot]>, KeyId>,
    salts: BTreeMap<Box<[u8]>, SaltId>,
}

impl Asking {
    pub(super) fn new(trusted_hops: u8) -> Self {
        let mut headers = Names::default();
        for name in COMMON {
            headers.intern(name);
        }
        let questions = Questions {
            headers,
            cookies: Names::default(),
            query: Names::default(),
            claims: List::default(),
            keys: List::default(),
            salts: List::default(),
            trusted_hops,
        };
        Self { questions, keys: BTreeMap::new(), salts: BTreeMap::new() }
    }

    pub(super) fn header(&mut self, name: &str) -> HeaderSlot {
        self.questions.headers.intern(name)
    }

    pub(super) fn cookie(&mut self, name: &str) -> CookieSlot {
        self.questions.cookies.intern(name)
    }

    pub(super) fn query(&mut self, name: &str) -> QuerySlot {
        self.questions.query.intern(name)
    }

    fn claim(&mut self, provider: &str, name: &str) -> ClaimSlot {
        let claims = &mut self.questions.claims;
        claims.find(|claim| claim.provider == provider && claim.name == name).unwrap_or_else(|| {
            let slot = ClaimSlot::at(claims.len());
            claims.push(Claim { slot, provider: provider.to_owned(), name: name.to_owned() })
        })
    }

    pub(super) fn key(&mut self, sources: &[KeySource]) -> KeyId {
        let asked: Box<[KeySlot]> = sources.iter().map(|source| self.source(source)).collect();
        if let Some(known) = self.keys.get(&asked) {
            return *known;
        }
        let key = self.questions.keys.push(asked.clone());
        self.keys.insert(asked, key);
        key
    }

    fn source(&mut self, source: &KeySource) -> KeySlot {
        match source {
            KeySource::Header(name) => KeySlot::Header(self.header(name)),
            KeySource::Cookie { name, decoding } => {
                KeySlot::Cookie(self.cookie(name), decoding.clone())
            }
            KeySource::Query(name) => KeySlot::Query(self.query(name)),
            KeySource::Jwt { provider, claim } => KeySlot::Claim(self.claim(provider, claim)),
            KeySource::ClientIp => KeySlot::ClientIp,
            KeySource::Generate(CookieOptions { name, .. }) => {
                KeySlot::Generate(hash::first_word(name.as_bytes()))
            }
        }
    }

    pub(super) fn salt(&mut self, text: &str) -> SaltId {
        let prefix = hash::prefix(text);
        if let Some(known) = self.salts.get(&prefix) {
            self.questions.salts[*known].is_shared = true;
            return *known;
        }
        let salt = self.questions.salts.push(Salt { prefix: prefix.clone(), is_shared: false });
        self.salts.insert(prefix, salt);
        salt
    }

    /// The salt of the holdout: every split asks for it.
    pub(super) fn common_salt(&mut self, text: &str) -> SaltId {
        self.salt(text);
        self.salt(text)
    }

    pub(super) fn done(self) -> Questions {
        self.questions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_headers_have_the_slots_that_are_written_down() {
        let questions = Asking::new(0).done();
        for (slot, name) in [
            (Questions::METHOD, METHOD),
            (Questions::AUTHORITY, AUTHORITY),
            (Questions::PATH, PATH),
            (Questions::COOKIE, "cookie"),
            (Questions::FORWARDED_FOR, "x-forwarded-for"),
            (Questions::BAGGAGE, "baggage"),
            (Questions::CONTENT_TYPE, "content-type"),
        ] {
            assert_eq!(questions.headers.slot(name.as_bytes()), Some(slot), "{name}");
            assert_eq!(questions.headers.name(slot), name);
        }
    }

    #[test]
    fn a_question_is_asked_once_however_often_it_comes() {
        let mut asking = Asking::new(0);
        let key = [
            KeySource::Header("x-user".into()),
            KeySource::Cookie { name: "uid".into(), decoding: Decoding::default() },
        ];
        let (first, other) = (asking.key(&key), asking.key(&key[..1]));
        assert_ne!(first, other);
        assert_eq!(asking.key(&key), first);
        let (own, layer) = (asking.salt("checkout"), asking.salt("ui"));
        assert_eq!(asking.salt("ui"), layer);
        let questions = asking.done();
        assert_eq!((questions.keys.len(), questions.cookies.len()), (2, 1));
        assert_eq!(questions.headers.len(), COMMON.len() + 1);
        assert!(questions.salts[layer].is_shared && !questions.salts[own].is_shared);
    }

    #[test]
    fn names_are_found_and_nothing_else() {
        let mut names: Names<HeaderSlot> = Names::default();
        let slots: Vec<_> = (0..200).map(|n| names.intern(&format!("x-{n}"))).collect();
        for (n, slot) in slots.iter().enumerate() {
            assert_eq!(names.slot(format!("x-{n}").as_bytes()), Some(*slot));
        }
        for other in ["x-", "x-200", "", "y-1", "x-0000"] {
            assert_eq!(names.slot(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn there_is_a_slot_for_more_names_than_16_bits_count() {
        let mut names: Names<CookieSlot> = Names::default();
        let name = |n: u32| format!("split-exp-{n:06}-checkout");
        let slots: Vec<_> = (0..70_000).map(|n| names.intern(&name(n))).collect();
        for n in [0, 1, 65_535, 65_536, 69_999] {
            assert_eq!(names.slot(name(n).as_bytes()), Some(slots[n as usize]));
            assert_eq!(names.name(slots[n as usize]), name(n));
        }
    }
}
