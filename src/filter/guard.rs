//! The guards of a policy in one VM: what this VM counted, and what all workers know, in shared data.
//!
//! The engine judges (`engine::guard` says how); here its states are read, and written where nobody else did meanwhile.

use std::cell::{Cell, Ref, RefCell};
use std::fmt;

use engine::decision::{Decision, Decisions, Tripped};
use engine::effects::with_elsewhere;
use engine::guard::{Bad, GuardState, Guards, Kind, Setting, SplitGuard, Tally, Trip};
use engine::ids::{Id as _, SplitId, VariantSet};
use engine::metrics::Metrics;
use engine::outcome::Class;
use engine::plan::Plan;
use engine::units::{Millis, Moment};

use crate::host;
use crate::metrics::{MetricIds, counted};

/// How often a state is read again because another worker wrote it meanwhile; then the event is lost.
const TRIES: usize = 8;
/// States are kept for so many policies, and the oldest makes room: nothing else takes an entry of shared data away.
const POLICIES: usize = 8;
/// The entry that lists them, each as its hash and the number of its splits.
const LIST: &[u8] = b"traffic_split guards";

/// The guards of a policy.
pub(crate) struct Guarding {
    guards: Guards,
    tally: Tally,
    /// What is out of service, as far as this VM knows.
    tripped: RefCell<Tripped>,
    /// The hash of the policy.
    hash: u64,
    /// When something tripped last in any VM, as far as this one knows.
    last_trip: Cell<Moment>,
}

/// What the guards of a policy need of it.
#[derive(Clone, Copy)]
pub(crate) struct Of<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) metrics: &'a Metrics,
    pub(crate) ids: &'a MetricIds,
}

impl Guarding {
    /// Those of a plan; what is out already, because another VM knows it, is out here.
    pub(crate) fn new(plan: &Plan, hash: u64) -> Self {
        let guards = Guards::new(plan);
        let tally = Tally::new(&guards);
        let guarding =
            Self { guards, tally, tripped: RefCell::default(), hash, last_trip: Cell::default() };
        if guarding.judging(plan).next().is_some() {
            guarding.make_room(plan.policy.splits.len());
            guarding.refresh(plan);
        }
        guarding
    }

    /// What is out of service.
    pub(crate) fn tripped(&self) -> Ref<'_, Tripped> {
        self.tripped.borrow()
    }

    /// Counts who was exposed to what.
    pub(crate) fn expose(&self, of: Of<'_>, decisions: &Decisions) {
        for decision in decisions.list().iter().filter(|decision| !decision.counted) {
            if self.tally.count(decision)
                && let Some(counter) = of.metrics.keys(decision)
            {
                of.ids.increment(counter);
            }
        }
    }

    /// Takes in how a request ended.
    pub(crate) fn end(
        &self,
        of: Of<'_>,
        decisions: &Decisions,
        class: Class,
        duration: Option<Millis>,
    ) {
        for decision in with_elsewhere(decisions) {
            if let Some(bad) = self.guards.bad(decision, class, duration) {
                self.judge(of, decision, &bad);
            }
        }
    }

    fn judge(&self, of: Of<'_>, decision: &Decision, bad: &Bad<'_>) {
        let key = key(self.hash, bad.split);
        let now = counted(host::now()).unwrap_or_default();
        for _ in 0..TRIES {
            let Some((bytes, cas)) = counted(host::shared_to_change(&key)) else { return };
            let mut state = GuardState::read(bad.guard, &bytes.unwrap_or_default());
            let weights = of.plan.splits[bad.split].weights_at(now);
            let exposures = self.tally.of(bad.split);
            let applied = state.apply(bad, &Setting { exposures, weights, now });
            if applied.changed {
                match counted(host::share_if_same(&key, &state.write(), cas)) {
                    None => return,
                    Some(false) => continue,
                    Some(true) => {}
                }
                self.tally.clear(bad.split);
                if let Some(counter) = of.metrics.bad_keys(decision).filter(|_| applied.new_bad_key)
                {
                    of.ids.increment(counter);
                }
                for trip in &applied.trips {
                    warn(of.plan, bad.split, trip, now);
                    // For those who have no bad events of their own.
                    let _is_told = counted(host::share(&self.trips(), &now.get().to_le_bytes()));
                }
            }
            if self.learn(bad.split, state.tripped(bad.guard, now)) {
                self.show(of);
            }
            return;
        }
    }

    /// Learns what other workers know, and what time has done; each tick does.
    pub(crate) fn refresh(&self, plan: &Plan) {
        if self.judging(plan).next().is_none() {
            return;
        }
        let told = counted(host::shared(&self.trips())).flatten();
        let Some(last) = told.as_deref().and_then(|bytes| bytes.first_chunk()) else { return };
        let last = Moment::new(u64::from_le_bytes(*last));
        if self.last_trip.replace(last) == last && self.tripped().is_empty() {
            return;
        }
        let now = counted(host::now()).unwrap_or_default();
        for (split, guard) in self.judging(plan) {
            if let Some(bytes) = counted(host::shared(&key(self.hash, split))).flatten() {
                self.learn(split, GuardState::read(guard, &bytes).tripped(guard, now));
            }
        }
    }

    /// Shows what is out of service.
    pub(crate) fn show(&self, of: Of<'_>) {
        for (split, _) in self.judging(of.plan) {
            for (gauge, value) in of.metrics.tripped(split, self.tripped().of(split)) {
                of.ids.record(gauge, value);
            }
        }
    }

    /// Whether it is news that these of a split are out.
    fn learn(&self, split: SplitId, out: VariantSet) -> bool {
        let news = self.tripped().of(split) != out;
        if news {
            self.tripped.borrow_mut().set(split, out);
        }
        news
    }

    /// The splits in which a variant can trip.
    fn judging<'g>(&'g self, plan: &Plan) -> impl Iterator<Item = (SplitId, &'g SplitGuard)> {
        plan.policy.splits.ids().filter_map(|split| {
            Some((split, self.guards.of(split).filter(|guard| guard.judges())?))
        })
    }

    /// Where it is told that something tripped.
    fn trips(&self) -> Vec<u8> {
        [b"traffic_split trips".as_slice(), &self.hash.to_le_bytes()].concat()
    }

    /// Puts the policy at the end of the list, and empties the states of the one that is too many.
    fn make_room(&self, splits: usize) {
        let own = [self.hash, splits as u64].map(u64::to_le_bytes).concat();
        for _ in 0..TRIES {
            let Some((bytes, cas)) = counted(host::shared_to_change(LIST)) else { return };
            let bytes = bytes.unwrap_or_default();
            let listed = bytes.as_chunks::<16>().0;
            if listed.last().is_some_and(|last| *last == *own) {
                return;
            }
            let mut list: Vec<&[u8]> = listed.iter().map(<[u8; 16]>::as_slice).collect();
            list.retain(|entry| *entry != own);
            list.push(&own);
            let oldest = (list.len() > POLICIES).then(|| list.remove(0));
            match counted(host::share_if_same(LIST, &list.concat(), cas)) {
                None => return,
                Some(false) => continue,
                Some(true) => {}
            }
            let [hash, splits] = oldest.map_or([0; 2], |entry| {
                let (hash, splits) = entry.split_first_chunk().unwrap_or((&[0; 8], &[]));
                let splits = splits.first_chunk().unwrap_or(&[0; 8]);
                [*hash, *splits].map(u64::from_le_bytes)
            });
            for split in 0..usize::try_from(splits).unwrap_or_default() {
                let _is_room = counted(host::share(&key(hash, SplitId::at(split)), b""));
            }
            return;
        }
    }
}

/// Where the state of a split's guard is: another policy starts afresh.
fn key(hash: u64, split: SplitId) -> Vec<u8> {
    [b"traffic_split guard".as_slice(), &hash.to_le_bytes(), &split.place().to_le_bytes()].concat()
}

/// Says that a variant is out, with the counts behind it.
fn warn(plan: &Plan, split: SplitId, trip: &Trip, now: Moment) {
    let split = &plan.policy.splits[split];
    let name = |variant| split.variants[variant].name.as_str();
    let all = trip.share.variant.saturating_add(trip.share.baseline);
    let percent = trip.share.variant.saturating_mul(100).checked_div(all).unwrap_or_default();
    let until = Until(trip.until.and_then(|until| until.since(now)));
    let what = match trip.kind {
        Kind::Errors => "errors",
        Kind::Slow => "slow requests",
    };
    log::warn!(
        "split `{}`: `{}` is out of service {until}: {} users with {}, {} of `{}`; it has {percent} % of the two",
        split.name,
        name(trip.variant),
        trip.users,
        what,
        trip.baseline_users,
        name(split.baseline),
    );
}

/// For how long a variant is out; `None` = until another policy comes.
struct Until(Option<Millis>);

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(time) => write!(f, "for {} s", time.get() / 1_000),
            None => f.write_str("until the policy changes"),
        }
    }
}
