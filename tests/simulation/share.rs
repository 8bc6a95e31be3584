//! Whether the canary has the share that its weight says: by requests, and by users as the VMs of a proxy count them.

use engine::decision::Decision;
use engine::guard::{Guards, Tally};
use engine::ids::{Id as _, VariantId};

use crate::judge::plan_of;
use crate::random::Random;
use crate::world::World;

/// So many requests are said to be one user's where only requests are counted.
const REQUESTS_PER_USER: f64 = 10.0;
/// The least number that is judged.
const LEAST: f64 = 100.0;

/// Windows in which the share was judged, and those in which it was said to be wrong, for one way to count.
#[derive(Default)]
pub struct Checked {
    pub windows: u64,
    pub alarms: u64,
}

impl Checked {
    /// Four standard deviations of so many users who are served independently of each other.
    fn check(&mut self, counts: [f64; 2], per_user: f64, share: f64) {
        let sum = counts[0] + counts[1];
        let users = sum / per_user;
        if users >= LEAST {
            self.windows += 1;
            let sigma = (share * (1.0 - share) / users).sqrt();
            self.alarms += u64::from((counts[1] / sum - share).abs() > 4.0 * sigma);
        }
    }

    pub fn cell(&self) -> String {
        if self.windows == 0 {
            return "-".to_owned();
        }
        format!("{:.3} %", self.alarms as f64 * 100.0 / self.windows as f64)
    }
}

/// A healthy split in some worlds, each of some windows of so many requests: by requests, by users, and by users divided
/// by the workers.
pub fn check(
    world: World,
    (worlds, windows, requests): (u64, u64, usize),
    workers: usize,
    random: &mut Random,
) -> [Checked; 3] {
    let mut checked: [Checked; 3] = Default::default();
    let plan = plan_of(world.share * 100.0, "");
    let guards = Guards::new(&plan);
    for _ in 0..worlds {
        let users = world.users(random);
        let tallies: Vec<Tally> = (0..workers).map(|_| Tally::new(&guards)).collect();
        for _ in 0..windows {
            let (mut all, mut new) = ([0.0; 2], [0.0; 2]);
            for _ in 0..requests {
                let user = users.next(random);
                let variant = usize::from(user.canary);
                let decision = Decision {
                    variant: VariantId::at(variant),
                    user: Some(user.hash),
                    ..Decision::default()
                };
                all[variant] += 1.0;
                if tallies[random.below(workers)].count(&decision) {
                    new[variant] += 1.0;
                }
            }
            let per_user = [REQUESTS_PER_USER, 1.0, workers as f64];
            for ((checked, counts), per_user) in
                checked.iter_mut().zip([all, new, new]).zip(per_user)
            {
                checked.check(counts, per_user, world.share);
            }
        }
    }
    checked
}
