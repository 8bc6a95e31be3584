//! The facts of a request: its headers walked over once, its cookies split once, and what costs a
//! call of the host asked at its first use.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::net::IpAddr;

use smallvec::SmallVec;

use super::facts::{Facts, Found, Key, Whose};
use super::force::Forced;
use super::key::{Bytes, generated_id};
use super::lines::Lines;
use super::memo::{Hashes, Memo};
use super::preflight::Preflight;
use super::{Context, Earlier, Tripped};
use crate::hash::Hash;
use crate::host::Host;
use crate::ids::{CookieSlot, HeaderSlot, KeyId, QuerySlot, SaltId, SplitId, VariantSet};
use crate::matching::{
    Encoded, Match, Unmet, ValueTest, client_ip, cookies, host_of, query, without_query,
};
use crate::outcome::is_grpc;
use crate::plan::{Asked, KeySlot, Plan, Questions};

/// Cookies, each with its value.
type Sent<'f> = SmallVec<[(CookieSlot, &'f [u8]); 4]>;

/// The facts of a request.
#[derive(Debug)]
pub struct RequestFacts<'f, H: ?Sized> {
    questions: &'f Questions,
    host: &'f H,
    lines: Lines<'f>,
    /// What the request is for, in the one spelling that hosts are compared in.
    authority: Cow<'f, [u8]>,
    /// What the request is for, without query.
    path: &'f [u8],
    /// What it announces, where it is a preflight.
    preflight: Option<Preflight<'f>>,
    /// Those that the plan asks for, in the order sent.
    cookies: OnceCell<Sent<'f>>,
    /// Those that the plan asks for, in the order sent.
    query: OnceCell<SmallVec<[(QuerySlot, Encoded<'f>); 2]>>,
    client_ip: OnceCell<Option<IpAddr>>,
    claims: Memo<Option<Cow<'f, [u8]>>, 1>,
    keys: Memo<Found<Key<'f>>, 2>,
    hashes: Hashes<(KeyId, SaltId)>,
    earlier: OnceCell<Option<Box<Earlier>>>,
    tripped: &'f Tripped,
}

impl<'f, H: Host + ?Sized> RequestFacts<'f, H> {
    /// Walks over the headers of a request.
    #[inline]
    pub fn new(questions: &'f Questions, host: &'f H) -> Self {
        let lines = Lines::find(questions, host);
        let may_be = lines.first(Questions::METHOD) == Preflight::METHOD.as_bytes();
        Self {
            questions,
            host,
            authority: host_of(lines.first(Questions::AUTHORITY)),
            path: without_query(lines.first(Questions::PATH)),
            lines,
            preflight: if may_be { Preflight::find(host) } else { None },
            cookies: OnceCell::new(),
            query: OnceCell::new(),
            client_ip: OnceCell::new(),
            claims: Memo::new(questions.claims.len()),
            keys: Memo::new(questions.keys.len()),
            hashes: Hashes::new(),
            earlier: OnceCell::new(),
            tripped: Tripped::NONE,
        }
    }

    /// The same request, where these variants are out of service.
    #[must_use]
    pub fn with_tripped(self, tripped: &'f Tripped) -> Self {
        Self { tripped, ..self }
    }

    /// Whether it is a gRPC call.
    pub fn is_grpc(&self) -> bool {
        is_grpc(self.lines.first(Questions::CONTENT_TYPE))
    }

    /// The headers that the plan asks for.
    pub const fn lines(&self) -> &Lines<'f> {
        &self.lines
    }

    /// The hosts, where an entry wants others.
    fn other_host<'p>(&self, conditions: &'p Match) -> Option<Unmet<'p>> {
        let hosts = &conditions.hosts;
        let wanted = hosts.is_empty() || hosts.iter().any(|host| host.matches(&self.authority));
        (!wanted).then_some(Unmet::Hosts(hosts))
    }

    /// The path, where an entry wants another.
    fn other_path<'p>(&self, conditions: &'p Match) -> Option<Unmet<'p>> {
        conditions.path.as_ref().filter(|path| !path.matches(self.path)).map(Unmet::Path)
    }

    fn cookies(&self) -> &[(CookieSlot, &'f [u8])] {
        self.cookies.get_or_init(|| {
            let names = &self.questions.cookies;
            let sent = cookies(self.lines.all(Questions::COOKIE));
            sent.filter_map(|(name, value)| Some((names.slot(name)?, value))).collect()
        })
    }

    fn query(&self, slot: QuerySlot) -> impl Iterator<Item = Cow<'f, [u8]>> {
        let all = self.query.get_or_init(|| {
            let names = &self.questions.query;
            // Most policies ask for none, and names may be encoded.
            if names.is_empty() {
                return SmallVec::new();
            }
            let sent = query(self.lines.first(Questions::PATH));
            sent.filter_map(|(name, value)| Some((names.slot(&name.decoded())?, value))).collect()
        });
        let named = all.iter().filter(move |(name, _)| *name == slot);
        named.map(|(_, value)| value.decoded())
    }

    fn client_ip(&self) -> Option<IpAddr> {
        *self.client_ip.get_or_init(|| {
            let forwarded = self.lines.all(Questions::FORWARDED_FOR);
            client_ip(|| self.host.source_address(), forwarded, self.questions.trusted_hops)
        })
    }

    fn find_key(&self, list: KeyId, context: &Context) -> Found<Key<'f>> {
        let sources = self.questions.keys[list].iter().enumerate();
        for (source, slot) in sources {
            let sent = |bytes: Cow<'f, [u8]>| (!bytes.is_empty()).then_some(Bytes::Sent(bytes));
            let filled = |value: &&[u8]| !value.is_empty();
            let bytes = match slot {
                KeySlot::Header(slot) => {
                    self.lines.all(*slot).find(filled).map(Cow::Borrowed).and_then(sent)
                }
                KeySlot::Cookie(slot, decoding) => {
                    let values = self.cookies().iter().filter(|(name, _)| name == slot);
                    { values }.find_map(|(_, value)| decoding.decode(value).and_then(sent))
                }
                KeySlot::Query(slot) => self.query(*slot).find_map(sent),
                KeySlot::Claim(slot) => {
                    let claim = &self.questions.claims[*slot];
                    let found = self.claims.get(*slot, || self.host.claim(claim));
                    found.clone().and_then(sent)
                }
                KeySlot::ClientIp => self.client_ip().map(Bytes::of_address),
                // Whoever was given an id had it in the response; a record does not tell which.
                KeySlot::Generate(_) if self.host.is_a_record() => return Found::Unknown,
                KeySlot::Generate(_) if self.is_preflight() => return Found::None,
                KeySlot::Generate(word) => Some(Bytes::Generated(generated_id(*word, context))),
            };
            if let Some(bytes) = bytes {
                let generated = matches!(slot, KeySlot::Generate(_));
                return Found::This(Key { source, generated, bytes });
            }
            if self.comes_later(slot) {
                break;
            }
        }
        if self.host.is_a_record() { Found::Unknown } else { Found::None }
    }

    /// Whether a preflight announces a request that may have a key there: then no later source gives
    /// that request's key.
    fn comes_later(&self, slot: &KeySlot) -> bool {
        match slot {
            KeySlot::Header(slot) => self.announces(*slot),
            KeySlot::Cookie(..) | KeySlot::Claim(_) | KeySlot::Generate(_) => self.is_preflight(),
            KeySlot::Query(_) | KeySlot::ClientIp => false,
        }
    }

    fn announces(&self, slot: HeaderSlot) -> bool {
        let name = self.questions.headers.name(slot);
        self.preflight.as_ref().is_some_and(|preflight| preflight.announces(name))
    }
}

impl<H: Host + ?Sized> Facts for RequestFacts<'_, H> {
    fn candidates(&self, plan: &Plan, all: bool, judge: impl FnMut(SplitId)) {
        // The index goes by host and path, and an earlier leg may have rewritten them.
        if all || self.earlier(plan).is_some() {
            plan.splits.ids().for_each(judge);
        } else {
            plan.index.candidates(|| (&*self.authority, self.path), judge);
        }
    }

    /// The filter's own headers are there because it set them, or because a client forged them; only
    /// then the host is asked, and what it has no client can write.
    fn earlier(&self, plan: &Plan) -> Option<&Earlier> {
        let earlier = self.earlier.get_or_init(|| {
            let own = [Some(plan.own.cluster), plan.own.variant, Some(Questions::ORIGINAL_URL)];
            if !own.into_iter().flatten().any(|slot| self.lines.has(slot)) {
                return None;
            }
            Earlier::read(plan, &self.host.earlier_leg()?).map(Box::new)
        });
        earlier.as_deref()
    }

    fn can_meet(&self, plan: &Plan, matches: Option<&[Match]>) -> bool {
        let (host, path) = self.earlier(plan).map_or((false, false), |earlier| {
            let path = self.lines.first(Questions::PATH);
            (earlier.wrote_host(plan, &self.authority), earlier.wrote_path(path))
        });
        let meets = |entry: &Match| {
            (host || self.other_host(entry).is_none()) && (path || self.other_path(entry).is_none())
        };
        matches.is_none_or(|list| list.iter().any(meets))
    }

    fn forced<'f>(&'f self, plan: &'f Plan) -> Forced<'f> {
        // The first leg took its header away, and the secret.
        if let Some(earlier) = self.earlier(plan).filter(|earlier| !earlier.forced.is_empty()) {
            return Forced::These(&earlier.forced);
        }
        Forced::read(plan, &self.lines, |slot| self.cookie(slot).next())
    }

    /// What is cheap to ask is asked first.
    fn unmet<'p>(&self, _whose: Whose, asked: Asked<'p>) -> Option<Unmet<'p>> {
        let conditions = asked.conditions;
        let elsewhere = self.other_host(conditions).or_else(|| self.other_path(conditions));
        if elsewhere.is_some() {
            return elsewhere;
        }
        if !conditions.methods.is_empty() {
            let method = self.lines.first(Questions::METHOD);
            let announced = self.preflight.as_ref().map_or(method, |preflight| preflight.method);
            let is_met = |m: &String| [method, announced].contains(&m.as_bytes());
            if !conditions.methods.iter().any(is_met) {
                return Some(Unmet::Methods(&conditions.methods));
            }
        }
        for (test, slot) in asked.headers() {
            let holds = match self.lines.joined(slot) {
                // That it will be there is known, and no more.
                None if self.announces(slot) => test.test == ValueTest::Present(true),
                value => test.test.holds(value.as_deref()),
            };
            if !holds {
                return Some(Unmet::Header(test));
            }
        }
        for (test, slot) in asked.cookies() {
            if !test.test.holds(self.cookie(slot).next()) {
                return Some(Unmet::Cookie(test));
            }
        }
        for (test, slot) in asked.query() {
            if !test.test.holds(self.query(slot).next().as_deref()) {
                return Some(Unmet::Query(test));
            }
        }
        if !conditions.source_ip.is_empty() {
            let client = self.client_ip();
            if !client.is_some_and(|ip| conditions.source_ip.iter().any(|net| net.contains(ip))) {
                return Some(Unmet::SourceIp(&conditions.source_ip));
            }
        }
        None
    }

    fn key(&self, list: KeyId, context: &Context) -> Found<&Key<'_>> {
        self.keys.get(list, || self.find_key(list, context)).as_ref()
    }

    fn hash(&self, list: KeyId, key: &Key<'_>, salt: SaltId) -> Hash {
        self.hashes.get((list, salt), &self.questions.salts[salt], key.bytes())
    }

    fn cookie(&self, slot: CookieSlot) -> impl Iterator<Item = &[u8]> {
        self.cookies().iter().filter(move |(name, _)| *name == slot).map(|(_, value)| *value)
    }

    fn is_preflight(&self) -> bool {
        self.preflight.is_some()
    }

    fn tripped(&self, split: SplitId) -> VariantSet {
        self.tripped.of(split)
    }

    fn knows_chance(&self) -> bool {
        !self.host.is_a_record()
    }
}
