//! `splitctl`: the tool for people of traffic-split, over the same engine as the filter.
//!
//! - [`source`]: text -> document, with the place of every part
//! - [`policy_file`]: document -> policy with findings
//! - [`finding`]: how they are shown
//! - [`xds`]: policy -> what Envoy reads
//! - [`lab`]: a real Envoy with the filter and an upstream per cluster, for `run` and for the tests
//! - [`commands`]: one file per command
//!
//! A command writes its answer to one stream and what it has to say besides to another; see [`Console`].

pub mod cli;
pub mod commands;
pub mod console;
pub mod finding;
pub mod keys;
pub mod lab;
pub mod moment;
pub mod outcome;
pub mod policy_file;
pub mod population;
pub mod schema;
pub mod source;
pub mod statistics;
pub mod style;
pub mod table;
pub mod text;
pub mod xds;

pub use console::Console;
pub use outcome::Outcome;
