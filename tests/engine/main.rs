//! The engine alone: golden values, conformance vectors, properties, a naive model.

mod diagnostics;
mod generate;
mod golden;
mod limits;
mod model;
mod populations;
mod properties;
mod shares;
mod spoiled;
mod vectors;
mod written;

use harness::native::{decide, in_words, plan};
