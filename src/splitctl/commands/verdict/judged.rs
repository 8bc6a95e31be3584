//! A run that is judged: its split, a judge for each challenger, and what there is to say of the counts.

use std::num::NonZeroU32;

use engine::units::Moment;
use rollout::{Bounds, Delta, Judge, Verdict};

use crate::counters::{Came, Counted, Scrape, Split};

/// The state of a run.
#[derive(Debug, Clone)]
pub(super) struct Judged {
    /// What is judged.
    pub(super) split: Split,
    /// What is permitted.
    pub(super) bounds: Bounds,
    /// What is counted.
    pub(super) counted: Counted,
    /// For each challenger.
    pub(super) judges: Vec<Judge>,
    /// On how many proxies at once the guard of each challenger took it out of service, at most.
    pub(super) tripped: Vec<u64>,
    /// The first look and the last one.
    pub(super) between: Option<(Moment, Moment)>,
    /// Bad events of each challenger and the baseline at the first look.
    first: Vec<u64>,
    /// What else there is to say.
    pub(super) notes: Vec<String>,
}

impl Judged {
    /// Before the first look.
    pub(super) fn new(split: Split, bounds: Bounds, counted: Counted) -> Self {
        let count = u32::try_from(split.challengers.len()).ok().and_then(NonZeroU32::new);
        let judge = Judge::new(bounds, count.unwrap_or(NonZeroU32::MIN));
        let judges = vec![judge; split.challengers.len()];
        Self {
            tripped: vec![0; judges.len()],
            split,
            bounds,
            counted,
            judges,
            between: None,
            first: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Takes in what came of each of [`Split::variants`] since the last look.
    pub(super) fn look(&mut self, time: Moment, deltas: &[Delta]) {
        self.look_at(time, deltas, &vec![None; self.judges.len()]);
    }

    /// The same, with the share of each challenger where it is known better than by counting.
    fn look_at(&mut self, time: Moment, deltas: &[Delta], shares: &[Option<f64>]) {
        let Some((baseline, challengers)) = deltas.split_first() else { return };
        for ((judge, challenger), share) in self.judges.iter_mut().zip(challengers).zip(shares) {
            match share {
                Some(share) => judge.look_at_share(*baseline, *challenger, *share),
                None => judge.look(*baseline, *challenger),
            };
        }
        let began = self.between.map(|(began, _)| began);
        if began.is_none() {
            let bad = challengers.iter().map(|challenger| baseline.plus(*challenger).bad());
            self.first = bad.collect();
        }
        self.between = Some((began.unwrap_or(time), time));
    }

    /// Takes in what came between two scrapes, at the weights of the time where users are counted and those decide.
    pub(super) fn look_at_weights(&mut self, time: Moment, came: &Came) {
        if self.counted == Counted::Requests || !self.split.by_weight {
            return self.look(time, &came.deltas);
        }
        let weight = |place: usize| {
            came.weights.as_ref().map(|all| all.get(place).copied().map(|w| w as f64))
        };
        let shares = (1..=self.judges.len()).map(|place| match (weight(0), weight(place)) {
            // A step of the weights came between: nothing is compared.
            (None, _) | (_, None) => Some(f64::NAN),
            (Some(Some(baseline)), Some(Some(own))) => Some(own / (own + baseline)),
            // No proxy shows them.
            _ => None,
        });
        let shares: Vec<_> = shares.collect();
        self.look_at(time, &came.deltas, &shares);
    }

    /// What the gauges of a scrape tell, whatever the counters do.
    pub(super) fn see(&mut self, scrape: &Scrape) {
        self.notes = scrape.notes();
        for (most, now) in self.tripped.iter_mut().zip(scrape.tripped.iter().skip(1)) {
            *most = (*most).max(*now);
        }
    }

    /// On each challenger. One whose guard tripped does harm: that takes stronger evidence than this, and none comes of it
    /// from then on.
    pub(super) fn verdicts(&self) -> impl Iterator<Item = Verdict> {
        let judged = self.judges.iter().map(Judge::verdict).zip(&self.tripped);
        judged.map(|(verdict, tripped)| if *tripped > 0 { Verdict::Harm } else { verdict })
    }

    /// Of the whole run.
    pub(super) fn verdict(&self) -> Verdict {
        Verdict::of_all(self.verdicts())
    }

    /// In how many milliseconds so many more bad events come, of a challenger (by its place) and the baseline, at the rate
    /// so far.
    pub(super) fn time_for(&self, place: usize, bad: u64) -> Option<u64> {
        let (began, last) = self.between?;
        let figures = self.judges.get(place)?.figures();
        let came = figures.baseline.plus(figures.challenger).bad();
        let came = came.saturating_sub(*self.first.get(place)?);
        let took = last.get().saturating_sub(began.get());
        (came > 0 && took > 0).then(|| (bad as f64 / came as f64 * took as f64) as u64)
    }
}
