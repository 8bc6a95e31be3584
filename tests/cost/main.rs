//! What a decision costs in memory: counted by an allocator of its own, so in a program of its own.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use engine::decision::{Context, Nobody, decide};
use engine::plan::Plan;
use engine::policy;
use engine::units::Moment;

/// The system's allocator, counting the calls of each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: everything is passed on to the system's allocator; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// How often `work` allocates.
fn allocations(mut work: impl FnMut()) -> usize {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

fn plan(text: &str) -> Plan {
    let checked = policy::from_json(text.as_bytes());
    Plan::new(checked.policy.unwrap_or_else(|| panic!("{:#?}", checked.diagnostics)))
}

/// Allocations of the decisions on the requests of many users, from the walk over the headers on.
fn of_decisions(plan: &Plan, request: impl Fn(u32) -> Vec<(&'static str, String)>) -> usize {
    let requests: Vec<_> = (0..500).map(request).collect();
    allocations(|| {
        for request in &requests {
            let context = Context { now: Moment::new(1), random: [3, 4] };
            let facts = plan.facts(request.as_slice());
            assert!(!decide(plan, &facts, &context, &mut Nobody).list().is_empty());
        }
    })
}

const TWO: &str = r#""baseline": "stable", "variants": [{"name": "stable", "cluster": "v1", "weight": 95},
    {"name": "canary", "cluster": "v2", "weight": 5}]"#;

#[test]
fn the_allocator_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(7)))), 1);
    assert_eq!(allocations(|| ()), 0);
}

#[test]
fn a_two_variant_split_keyed_by_cookie_decides_without_allocating() {
    let plan = plan(&format!(
        r#"{{"version": 1, "splits": [{{"name": "s", "key": [{{"cookie": "uid"}}], {TWO}}}]}}"#
    ));
    let request = |user| {
        vec![
            (":authority", "shop.test".to_owned()),
            (":path", "/cart".to_owned()),
            ("cookie", format!("theme=dark; uid=user-{user}; lang=de")),
        ]
    };
    assert_eq!(of_decisions(&plan, request), 0);
}

/// Splits that ask for all that is common.
fn busy(splits: u32) -> Plan {
    let matches = r#"[{"hosts": ["*.test"], "path": {"prefix": "/"}, "methods": ["GET"],
        "headers": [{"name": "x-a", "in": ["1", "2"]}, {"name": "x-b", "contains": "q"}],
        "cookies": [{"name": "theme", "prefix": "d"}], "query": [{"name": "q", "exact": "1"}]}]"#;
    let more = r#""sticky": {"secret": "0123456789abcdef"}, "mirror": {"cluster": "m", "percent": 50},
        "ramp": {"start": "1970-01-01T00:00:00Z", "linear": true, "steps": [{"after": "1h", "weights": {"stable": 0, "canary": 100}}]},
        "overrides": [{"match": [{"headers": [{"name": "x-c", "present": true}]}], "variant": "canary"}]"#;
    let splits: Vec<String> = (0..splits)
        .map(|n| format!(r#"{{"name": "s{n}", "match": {matches}, {more}, {TWO}}}"#))
        .collect();
    plan(&format!(
        r#"{{"version": 1, "key": [{{"header": "u"}}, {{"cookie": "uid"}}, {{"generate": {{"cookie": "uid"}}}}],
            "holdout": {{"percent": 5}}, "splits": [{}]}}"#,
        splits.join(", ")
    ))
}

/// A request that meets them.
fn busy_request(user: u32) -> Vec<(&'static str, String)> {
    vec![
        (":method", "GET".to_owned()),
        (":authority", "shop.test".to_owned()),
        (":path", "/cart?q=1".to_owned()),
        ("x-a", "2".to_owned()),
        ("x-b", "a quick one".to_owned()),
        (
            "cookie",
            format!(
                "theme=dark; uid={}",
                if user.is_multiple_of(2) { format!("user-{user}") } else { String::new() }
            ),
        ),
    ]
}

#[test]
fn everything_else_that_is_common_decides_without_allocating() {
    assert_eq!(of_decisions(&busy(4), busy_request), 0);
}

#[test]
fn more_than_four_splits_on_one_request_cost_a_list() {
    let lists = of_decisions(&busy(20), busy_request);
    assert!(lists <= 3 * 500, "{lists}");
}
