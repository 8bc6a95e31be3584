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
const COMMON: [&str; 7] =
    [METHOD, AUTHORITY, PATH, "cookie", "x-forwarded-for", "baggage", "x-envoy-original-url"];

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
    /// A bit for each [`glance`]: most names of a request are no question, and end here.
    glances: [u64; 4],
    /// By [`fast_hash`]: open addressing, a power of two of places, at most half of them used.
    places: Box<[Option<(u32, I)>]>,
}

impl<I: Id> Names<I> {
    /// The slot of a name.
    pub fn slot(&self, name: &[u8]) -> Option<I> {
        let (word, bit) = glance(name);
        if self.glances.get(word).is_none_or(|bits| bits & bit == 0) {
            return None;
        }
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
        slot
    }

    /// Puts a name into the first free place of its own.
    fn put(&mut self, slot: I) {
        let name = self.names[slot].as_bytes();
        let (word, bit) = glance(name);
        if let Some(bits) = self.glances.get_mut(word) {
            *bits |= bit;
        }
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
        Self { names: List::default(), glances: [0; 4], places: Box::default() }
    }
}

/// What tells most names apart at a glance, as one of 256 bits: length, first and last byte.
const fn glance(name: &[u8]) -> (usize, u64) {
    let mark = match name {
        [first, .., last] => (name.len() as u32) << 16 | (*first as u32) << 8 | *last as u32,
        _ => name.len() as u32,
    };
    let bit = mark.wrapping_mul(0x9e37_79b1) >> 24;
    (bit as usize >> 6, 1 << (bit & 63))
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
