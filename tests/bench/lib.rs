//! Nothing to use: the benchmarks are in `engine.rs`.
