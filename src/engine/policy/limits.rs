//! The stated limits of a policy. Readers and checks refuse what is beyond them; the schema takes its numbers from
//! here, and a test holds the reference to them. A limit is never lowered: a policy that was once accepted stays so.

use crate::matching::{Cohort, Pattern};
use crate::outcome::Class;
use crate::reason::Reason;

/// Splits of a policy.
pub const SPLITS: usize = 2_000;
/// Layers of a policy.
pub const LAYERS: usize = 64;
/// Variants of a split.
pub const VARIANTS: usize = 64;
/// Variants of all enabled splits together: a proxy never frees a metric, and these make 105,000 at most.
pub const VARIANTS_IN_ALL: usize = 5_000;
/// The most metrics that one variant can have: every reason, every class, the duration, the weight, and those of the
/// guard: failing users, users, and whether it is out.
pub const METRICS_OF_A_VARIANT: usize = Reason::ALL.len() + Class::ALL.len() + 5;
/// Entries of a match list, and conditions in each field of an entry.
pub const CONDITIONS: usize = 1_000;
/// Overrides of a split: each is tried for each request until one holds, so that these take about a millisecond.
pub const OVERRIDES: usize = 10_000;
/// Requirements of a split: there are no more splits than that.
pub const REQUIREMENTS: usize = SPLITS;
/// Headers in each list of a variant's edits: each is a call of the host, and proxies take 100 headers in a message.
pub const HEADER_EDITS: usize = 1_000;
/// Sources of a key.
pub const KEY_SOURCES: usize = 1_000;
/// Steps of a ramp.
pub const RAMP_STEPS: usize = 100;
/// Encodings of a key that are undone.
pub const ENCODINGS: usize = 4;
/// Values of one `in` list.
pub const COHORT: usize = Cohort::VALUES_MAX;

/// Bytes of a value that a request is tested for, and of a regular expression.
pub const VALUE: usize = Cohort::VALUE_MAX;
/// Bytes of a compiled regular expression.
pub const COMPILED_REGEX: usize = Pattern::SIZE_MAX;
/// Bytes of the name of a split, a variant or a layer.
pub const NAME: usize = 64;
/// Bytes of other names (headers, cookies, clusters, query parameters, claims) and of salts.
pub const TEXT: usize = 256;
/// The fewest bytes of a secret.
pub const SECRET_MIN: usize = 16;
/// Bytes of a secret.
pub const SECRET: usize = 256;
/// Bytes of a header's value that a variant sets.
pub const HEADER_VALUE: usize = 4_096;
/// Bytes of the body that a variant answers with.
pub const BODY: usize = 64 * 1_024;
/// Bytes of a path prefix that is rewritten, and of what takes its place.
pub const PATH_PREFIX: usize = 1_024;

/// The mean number of bad events between two false trips of a guard: with fewer it trips for nothing.
pub const FALSE_TRIPS: std::ops::RangeInclusive<i64> = 1_000..=1_000_000_000_000;
/// The status codes that a variant may answer with.
pub const STATUS: std::ops::RangeInclusive<i64> = 200..=599;
