//! The real module in real Envoy: everything here goes through sockets, one Envoy per file or
//! scenario, all on the loopback.

mod bench;
mod control_plane;
mod native;
mod other_modules;
mod traffic;
mod wire;

mod access_log;
mod clients;
mod forged_headers;
mod forms;
mod golden;
mod guard;
mod last_good_control_planes;
mod last_good_ecds;
mod last_good_lds;
mod last_good_plugins;
mod last_good_start;
mod last_good_vms;
mod metrics;
mod mirror;
mod missing_key;
mod odd_bytes;
mod outcomes;
mod overrides;
mod policies;
mod redirects;
mod refused_at_start;
mod same_user;
mod shares;
mod statistics_over_time;
mod updates;
mod visitors;
mod who_counts;
