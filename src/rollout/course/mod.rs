//! The course of a rollout: what was seen -> what is to be done. Pure, so that a log of what was seen can be decided again.

mod decide;
mod decision;
mod seen;
mod state;
mod watch;

pub use decide::decide;
pub use decision::{Back, Decision, End, Held};
pub use seen::{Counted, Proxies, QuerySeen, Seen};
pub use state::{Move, Order, State};
pub use watch::{Gate, Pair, Watch};

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "of a test: an overflow fails it")]
mod tests;
