//! Policies as people write and read them: what only their tools need, and no proxy fetches.
//!
//! - [`source`]: a file in YAML or JSON -> document, with the place of every part; and a document as text again
//! - [`canonical`]: policy -> document, in the one form in which it is written back, without what is [meant anyway](canonical::defaults)
//! - [`schema`]: the language of policies as JSON Schema, for editors
//! - [`sample`]: values that meet a condition, for requests that try a policy out

pub mod sample;
pub mod schema;
pub mod source;

pub use engine::policy::canonical;
