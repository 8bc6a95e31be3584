//! Judges a variant while it runs: is it proven to fail more often than the baseline, proven not to fail much more
//! often, or is it too early to say? However often somebody looks, the answer is wrong for at most `alpha` of all runs.
//!
//! Pure: no clock, no randomness, no I/O. Counts go in, and whoever has them says when to look. The state is plain data
//! with serde, so that it can be kept in a log, and the same looks always give the same numbers.
//!
//! ```
//! use rollout::{Bounds, Delta, Judge, Verdict};
//!
//! // Of one challenger; harm and safety are each shown wrongly for at most 5 % of runs.
//! let mut judge = Judge::new(Bounds::default(), std::num::NonZeroU32::MIN);
//! for _minute in 0..30 {
//!     // What came since the last look: requests, and those that failed.
//!     let verdict = judge.look(Delta::new(9_500, 9)?, Delta::new(500, 6)?);
//!     if verdict != Verdict::Early {
//!         break;
//!     }
//! }
//! assert_eq!(judge.verdict(), Verdict::Harm);
//! # Ok::<(), rollout::CountsError>(())
//! ```
//!
//! - [`counts`]: cumulative counters -> what came between two looks
//! - [`evidence`]: what the looks say for and against each ratio of errors
//! - [`bounds`]: what is permitted
//! - [`verdict`]: the judge, its verdict and figures
//! - [`assignments`]: whether users are spread over the variants as configured
//! - [`mod@file`]: a rollout as an operator wrote it, checked
//! - [`plan`]: what to expect of it before it begins
//! - [`course`]: what is seen -> where the rollout stands -> what is to be done
//! - [`log`]: the lines that tell it all, each with the hash of the one before
//! - [`driver`]: looks, decides, writes it down and does it, and can be killed at any moment
//!
//! What is counted decides what the guarantee is worth: bad events have to be independent of each other. Raw requests
//! are not, because one user makes many of them; count users (`traffic_split_bad_keys_total` of
//! `traffic_split_keys_total`). docs/verdict.md has the formulas, their sources and a simulation.

pub mod assignments;
pub mod bounds;
pub mod counts;
pub mod evidence;
pub mod verdict;

pub mod file;

pub mod plan;

pub mod course;

pub mod log;

pub mod driver;

pub use assignments::{Assignments, AssignmentsError};
pub use bounds::{Bounds, BoundsError};
pub use counts::{Counter, Counts, CountsError, Delta, Reading, Scraped};
pub use verdict::{Figures, Interval, Judge, Needed, Proof, Verdict};
