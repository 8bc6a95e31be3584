//! The commands, one file each: what it takes, and a `run` that writes the answer and returns the outcome.

pub mod assign;
pub mod check;
pub mod codes;
pub mod completions;
pub mod demo;
pub mod diff;
pub mod explain;
pub mod fmt;
pub mod render;
pub mod rollout;
pub mod run;
pub mod sample_size;
pub mod schema;
pub mod simulate;
pub mod validate;
pub mod verdict;
