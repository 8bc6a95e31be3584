//! Where a command writes.

use std::io::Write;

/// The two streams of a command. What is written may be styled: the streams of the program drop styles where
/// they go to no terminal, or where `NO_COLOR` is set.
pub struct Console<'s> {
    /// The answer, for people or programs to read on.
    pub out: &'s mut dyn Write,
    /// What else there is to say: progress, warnings, errors.
    pub err: &'s mut dyn Write,
}
