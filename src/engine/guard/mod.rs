//! The guard: takes a variant out of service when its users fail more often than those of the baseline, by so much that
//! chance is no explanation. Whole numbers only.

mod arithmetic;

pub use arithmetic::{ALTERNATIVES, Share, Step, alarm, log2};
