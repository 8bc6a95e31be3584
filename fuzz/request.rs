//! Any headers, one a line as `name:value`, for the policies of the conformance vectors. Deciding
//! and explaining must agree, which `native::decide` checks.
#![no_main]

use std::sync::LazyLock;

use engine::decision::Context;
use engine::plan::Plan;
use engine::units::Moment;
use harness::{native, vectors};
use libfuzzer_sys::fuzz_target;

static PLANS: LazyLock<Vec<Plan>> =
    LazyLock::new(|| vectors::all().iter().map(|vector| native::plan(&vector.policy)).collect());

fuzz_target!(|input: (u8, u64, [u64; 2], &[u8])| {
    let (which, now, random, bytes) = input;
    let plan = &PLANS[usize::from(which) % PLANS.len()];
    let header = |line: &[u8]| {
        // The colon of a pseudo-header is part of its name.
        let colon = line.iter().skip(1).position(|byte| *byte == b':')? + 1;
        let name = String::from_utf8(line[..colon].to_ascii_lowercase()).ok()?;
        Some((name, line[colon + 1..].to_vec()))
    };
    let headers: Vec<_> = bytes.split(|byte| *byte == b'\n').filter_map(header).collect();
    let context = Context { now: Moment::new(now), random };
    let decisions = native::decide(plan, headers.as_slice(), &context);
    native::on_request(plan, headers.as_slice(), &decisions);
    native::on_response(plan, &decisions, &context);
});
