//! `splitctl`: the tool for people of traffic-split, over the same engine as the filter.
//!
//! - [`policy_file`]: document -> policy with findings
//! - [`finding`]: how they are shown
//! - [`commands`]: one file per command
//!
//! A command writes its answer to one stream and what it has to say besides to another; see [`Console`].

mod admin;
pub mod cli;
mod clusters;
pub mod commands;
pub mod console;
mod counters;
mod ecds;
pub mod finding;
pub mod format;
pub mod keys;
pub mod moment;
pub mod outcome;
mod pause;
pub mod policy_file;
pub mod population;
mod rules;
pub mod statistics;
pub mod style;
pub mod table;
mod template;
pub mod text;
mod verdict;
mod wasm_plugin;
mod watch;

pub use console::Console;
pub use outcome::Outcome;
