//! The guard: takes a variant out of service in a proxy when its users fail more often than those of the baseline, by so
//! much that chance is no explanation. Pure: the caller has the clock, and keeps the state where all workers of a proxy
//! share it. Whole numbers only.
//!
//! # What the filter does
//!
//! When a configuration is read, once:
//!
//! ```text
//! let guards = Guards::new(&plan);             // what is judged; None for a split of which nothing is
//! let tally = Tally::new(&guards);             // this VM's exposures and users, all 0
//! ```
//!
//! For each request: give the trips to the facts, and count the exposure. This is all that a good request costs: an
//! integer is incremented (and a bit looked up, for the count of users).
//!
//! ```text
//! let facts = plan.facts(&request).with_tripped(&tripped);        // of this VM, see below
//! let decisions = decide(&plan, &facts, &context, &mut Nobody);
//! for decision in decisions.list().iter().filter(|decision| !decision.counted) {
//!     if tally.count(decision) { increment(metrics.keys(decision)) }
//! }
//! ```
//!
//! When the outcome of a request is known, for each decision (`effects::on_end` has the list):
//!
//! ```text
//! let Some(bad) = guards.bad(decision, class, duration) else { continue };   // None: nearly always
//! loop {
//!     let (bytes, cas) = shared data under (policy hash, split);             // none: an empty slice
//!     let mut state = GuardState::read(bad.guard, bytes);                    // malformed: a fresh one
//!     let weights = plan.splits[bad.split].weights_at(now);
//!     let applied = state.apply(&bad, &Setting { exposures: tally.of(bad.split), weights, now });
//!     if !applied.changed { break }                                          // the user was counted before
//!     if set shared data to state.write() with cas fails { continue }        // a few times; then it is lost
//!     tally.clear(bad.split);                                                // its exposures are in the state now
//!     if applied.new_bad_key { increment(metrics.bad_keys(decision)) }
//!     log each of applied.trips; tripped.set(bad.split, state.tripped(bad.guard, now)); gauges by metrics.tripped(..)
//!     break
//! }
//! ```
//!
//! Other VMs learn of a trip when they read the state: at a bad event of their own, or at a tick.
//! `state.tripped(guard, now)` is what is out at a moment, and `state.next_release(guard, now)` the first moment at which
//! that changes by itself (release after a duration); a VM asks for the time on a request for no other reason.
//!
//! A state belongs to one policy: the key that it is kept under has the hash of the policy, so that another policy starts
//! afresh, and nothing is tripped. `now` need only be right to a second or so.
//!
//! # What counts
//!
//! - A bad event is defined by [`Class::is_bad`](crate::outcome::Class::is_bad); slow is a request that took `slow.over`
//!   or longer, however it ended.
//! - Only users whom the weights gave their variant, now or once ([`Decision::user_by_weight`](crate::decision::Decision::user_by_weight)).
//! - Each user once, of either variant, until some 4,000 were counted: one broken client is no evidence.
//! - Against the baseline, with the share of the two at the moment: the larger of the variant's part of the exposures
//!   and of the weights. Exposures are late when weights change at once; weights are wrong where users are sticky, or
//!   one of them is very busy. A share that is too large makes the guard slower, one too small makes it trip falsely.

mod arithmetic;
mod exposures;
mod judged;
mod keys;
mod state;

pub use arithmetic::{ALTERNATIVES, Share, Step};
pub use exposures::Tally;
pub use judged::{Bad, Guards, Kind, SplitGuard};
pub use state::{Applied, GuardState, Setting, Trip};
