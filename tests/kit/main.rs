//! What users mount: that the files in envoy/ are what splitctl renders, serve in real Envoy, and are understood by
//! real Prometheus, with Docker where there is one.

mod gateway;
mod grpc;
mod tools;

mod baggage;
mod blind;
mod caches;
mod check;
mod compose;
mod dashboards;
mod edge;
mod evidence;
mod fallback;
mod fallback_mesh;
mod faults;
mod files;
mod gates;
mod image;
mod istio;
mod istio_merge;
mod istio_stats;
mod kill;
mod normal_day;
mod panics;
mod rollout;
mod rules;
mod run;
mod serve;
mod traces;
mod verdict;
