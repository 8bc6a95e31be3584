//! What single values look like as text: times, durations, weights; and what a misspelt word was meant to be.

pub mod duration;
pub(super) mod suggest;
pub mod time;
pub(super) mod weight;
