//! The engine alone: golden values, conformance vectors, properties, a naive model.

#[path = "../vectors/invalid.rs"]
mod diagnostics;
mod generate;
mod golden;
mod limits;
mod model;
mod populations;
mod properties;
mod shares;
mod spoiled;
#[path = "../vectors/engine.rs"]
mod vectors;
mod written;

use harness::native::{decide, in_words, plan};
