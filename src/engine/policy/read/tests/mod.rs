//! What the fields of a policy mean, and an invalid document for each diagnostic about them.

mod guard;
mod matches;
mod splits;
mod time;
