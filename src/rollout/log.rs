//! The log of a rollout: lines of JSON that are only added to, each with the hash of the one before. Whoever has it can
//! tell where the rollout stands, and whether somebody changed what it says.

use std::fmt;

use engine::policy::Weight;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::course::{Decision, Gate, Move, Order, Seen};
use crate::file::Facts;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, from 0.
    pub n: u64,
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// What it says.
    pub what: What,
    /// The hash of the line before; empty in the first.
    pub prev: String,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum What {
    /// The rollout began.
    Started(Started),
    /// Somebody looked, and this was decided.
    Look(Look),
    /// What was decided was done: the policy is in its file, and on its way to the proxies.
    Moved {
        /// The hash of the policy now.
        policy: String,
    },
    /// It could not be done, and is tried again.
    Failed {
        /// Why.
        why: String,
    },
    /// Somebody ordered something.
    Order {
        /// What.
        order: Order,
        /// Who.
        by: String,
        /// Why; empty where nobody said.
        why: String,
    },
}

/// How a rollout began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Started {
    /// The rollout's file, as JSON.
    pub rollout: serde_json::Value,
    /// The hash of the policy.
    pub policy: String,
    /// The name of the baseline.
    pub baseline: String,
    /// The challenger's weight, in units of 0.0001.
    pub weight: u64,
    /// What the baseline and the challenger have together, in the same.
    pub both: u64,
    /// What all variants have.
    pub total: u64,
    /// Who began it.
    pub by: String,
}

impl Started {
    /// What the policy says of the weights.
    pub fn facts(&self) -> Option<Facts> {
        Some(Facts {
            baseline: self.baseline.clone(),
            challenger_weight: Weight::from_units(self.weight)?,
            both: Weight::from_units(self.both)?,
            total: self.total,
        })
    }
}

/// A look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Look {
    /// What was seen.
    pub seen: Seen,
    /// The evidence then.
    pub evidence: Vec<Evidence>,
    /// What was decided.
    pub decision: Decision,
    /// The move that it means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Move>,
}

/// The evidence of one gate, in natural logarithms.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Which gate.
    pub gate: Gate,
    /// For harm.
    pub harm: f64,
    /// From where on harm is proven.
    pub harm_at: f64,
    /// For safety; `None` until every proxy has the step's weights.
    pub safe: Option<f64>,
    /// From where on safety is proven.
    pub safe_at: Option<f64>,
}

/// A line, and its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The whole line, without its end.
    pub text: String,
    /// Its hash, 64 hexadecimal digits.
    pub hash: String,
}

/// Why a log is not what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

impl std::error::Error for Broken {}

const HASH: &str = ",\"hash\":\"";
const END: &str = "\"}";

impl Entry {
    /// The entry as a line.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn line(&self) -> serde_json::Result<Line> {
        let body = serde_json::to_string(self)?;
        let hash = hash(&body);
        let open = body.strip_suffix('}').unwrap_or(&body);
        Ok(Line { text: format!("{open}{HASH}{hash}{END}"), hash })
    }

    /// Reads a line.
    ///
    /// # Errors
    /// When it is none, or its hash is not its own.
    pub fn read(line: &str) -> Result<(Self, String), String> {
        let parts = line.strip_suffix(END).and_then(|line| line.rsplit_once(HASH));
        let Some((open, found)) = parts else { return Err("it has no hash at its end".to_owned()) };
        let body = format!("{open}}}");
        if hash(&body) != found {
            return Err("its hash is not that of what it says: it was changed".to_owned());
        }
        let entry = serde_json::from_str(&body).map_err(|error| error.to_string())?;
        Ok((entry, found.to_owned()))
    }
}

/// The entries of a log, as far as its last whole line, and the length of that part in bytes. What a kill left half
/// written behind it is no line.
///
/// # Errors
/// The first line that is not as it was written, or does not follow the one before it.
pub fn read(text: &str) -> Result<(Vec<Entry>, String, usize), Broken> {
    read_after(text, (0, String::new()))
}

/// The same of the rest of a log, after so many lines and the last one's hash.
///
/// # Errors
/// As [`read`].
pub fn read_after(
    text: &str,
    (before, mut prev): (u64, String),
) -> Result<(Vec<Entry>, String, usize), Broken> {
    let whole = text.rfind('\n').map_or(0, |end| end.saturating_add(1));
    let before = usize::try_from(before).unwrap_or(usize::MAX);
    let mut entries = Vec::new();
    for (number, line) in text.get(..whole).unwrap_or_default().lines().enumerate() {
        let number = number.saturating_add(before);
        let broken = |why: String| Broken { line: number.saturating_add(1), why };
        let (entry, hash) = Entry::read(line).map_err(broken)?;
        if entry.prev != prev || usize::try_from(entry.n) != Ok(number) {
            let why = "it does not follow the line before it: a line is missing, or was put in";
            return Err(broken(why.to_owned()));
        }
        prev = hash;
        entries.push(entry);
    }
    Ok((entries, prev, whole))
}

fn hash(body: &str) -> String {
    let digest = Sha256::digest(body.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(orders: &[Order]) -> String {
        let (mut text, mut prev) = (String::new(), String::new());
        for (n, order) in (0..).zip(orders) {
            let what = What::Order { order: *order, by: "ada".into(), why: "a \"}".into() };
            let line = Entry { n, at: 5, what, prev }.line().unwrap();
            text = text + &line.text + "\n";
            prev = line.hash;
        }
        text
    }

    #[test]
    fn a_log_is_read_as_it_was_written_and_half_a_line_is_none() {
        let text = log(&[Order::Pause, Order::Resume, Order::Approve]);
        let (entries, last, whole) = read(&text).unwrap();
        assert_eq!((entries.len(), whole), (3, text.len()));
        let (fewer, ..) = read(&format!("{text}{{\"n\":3,\"at\"")).unwrap();
        assert_eq!(fewer, entries);
        assert!(text.ends_with(&format!("{HASH}{last}{END}\n")));
        assert_eq!(read("").unwrap(), (vec![], String::new(), 0));
    }

    #[test]
    fn what_was_changed_taken_out_or_put_in_is_found() {
        let text = log(&[Order::Pause, Order::Resume, Order::Approve]);
        let lines: Vec<&str> = text.lines().collect();
        let changed = text.replacen("pause", "abort", 1);
        assert_eq!(read(&changed).unwrap_err().line, 1);
        for (order, line) in [(&[0, 2][..], 2), (&[1, 2], 1), (&[0, 1, 1, 2], 3), (&[0, 2, 1], 2)] {
            let text: String = order.iter().map(|n| format!("{}\n", lines[*n])).collect();
            assert_eq!(read(&text).unwrap_err().line, line, "{order:?}");
        }
        assert!(read("{}\n").unwrap_err().why.contains("no hash"));
    }
}
