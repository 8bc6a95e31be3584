//! The engine and the verdict alone: golden values, properties, a naive model.

mod fields;
mod golden;
mod guard;
mod limits;
mod model;
mod order;
mod policy_hash;
mod populations;
mod properties;
mod reference;
mod rollout_page;
mod shares;
mod spoiled;
mod verdict;
mod written;

use harness::native::{decide, in_words, plan};
