//! The commands, one file each: what it takes, and a `run` that writes the answer and returns the outcome.

pub mod demo;
pub mod render;
pub mod run;
pub mod validate;
