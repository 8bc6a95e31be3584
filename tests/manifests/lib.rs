//! Nothing but a test: see `kinds.rs`.
