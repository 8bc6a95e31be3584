//! A service with users of its own: some are busy, some have clients that always fail.

use crate::random::Random;

/// How a world is made.
#[derive(Clone, Copy)]
pub struct World {
    pub users: usize,
    /// The share of the canary.
    pub share: f64,
    /// Requests are distributed over users as a Pareto distribution of this exponent is.
    pub tail: f64,
    /// The part of users whose requests always fail, whatever they are served.
    pub broken: f64,
    /// The part of the requests of others that fail.
    pub failing: f64,
    /// The part of all requests that one user makes, whose requests always fail.
    pub noisy: f64,
}

pub struct User {
    pub hash: u64,
    pub canary: bool,
    pub broken: bool,
}

/// The users of a world.
pub struct Users {
    users: Vec<User>,
    /// How busy all are up to each.
    busy: Vec<f64>,
    noisy: (f64, User),
}

impl Users {
    /// Whose request comes next.
    pub fn next(&self, random: &mut Random) -> &User {
        let (part, noisy) = &self.noisy;
        if *part > 0.0 && random.chance() < *part {
            return noisy;
        }
        let draw = random.chance() * self.busy.last().copied().unwrap_or_default();
        let place = self.busy.partition_point(|until| *until <= draw);
        &self.users[place.min(self.users.len() - 1)]
    }
}

impl World {
    /// Makes the users. The noisy one is a canary in half of all worlds.
    pub fn users(&self, random: &mut Random) -> Users {
        let mut user = |share: f64, broken: f64| User {
            hash: random.next(),
            canary: random.chance() < share,
            broken: random.chance() < broken,
        };
        let noisy = (self.noisy, user(0.5, 1.0));
        let users = (0..self.users).map(|_| user(self.share, self.broken)).collect();
        let mut sum = 0.0;
        let busy = (0..self.users).map(|_| {
            sum += (1.0 - random.chance()).powf(-1.0 / self.tail);
            sum
        });
        Users { users, busy: busy.collect(), noisy }
    }
}
