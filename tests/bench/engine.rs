//! What a decision costs natively, and how that grows. `scripts/bench` runs this and prints medians, ratios
//! and the promises beside them.
#![cfg(not(target_family = "wasm"))]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use engine::decision::{Context, Nobody, decide};
use engine::matching::Cohort;
use engine::plan::Plan;
use engine::policy::{self, Policy};

const VARIANTS: &str = r#""baseline": "stable", "variants": [
    {"name": "stable", "cluster": "v1", "weight": 95}, {"name": "canary", "cluster": "v2", "weight": 5}]"#;

/// Headers as a browser sends them, with the cookie that has the key.
type Request = Vec<(String, String)>;

fn request(host: &str, path: &str, user: usize) -> Request {
    let pair = |(name, value): (&str, String)| (name.to_owned(), value);
    [
        (":method", "GET".to_owned()),
        (":authority", host.to_owned()),
        (":path", path.to_owned()),
        (":scheme", "https".to_owned()),
        (
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned(),
        ),
        ("accept", "text/html,application/xhtml+xml".to_owned()),
        ("accept-language", "de,en;q=0.5".to_owned()),
        ("x-forwarded-proto", "https".to_owned()),
        ("x-request-id", "0f0cbb1d-3f6d-4d0e-9a4e-0c2f1c1f0a11".to_owned()),
        ("cookie", format!("theme=dark; session=aGVsbG8gd29ybGQ; uid=user-{user}; lang=de")),
        ("x-user-id", format!("user-{user}")),
    ]
    .map(pair)
    .into()
}

fn policy_of(text: &str) -> Policy {
    let checked = policy::from_json(text.as_bytes());
    checked.policy.unwrap_or_else(|| panic!("{:#?}", checked.diagnostics))
}

/// Decides for one user after the other.
fn bench_decide(bencher: &mut criterion::Bencher, plan: &Plan, requests: &[Request]) {
    let context = Context::default();
    let mut next = 0;
    bencher.iter(|| {
        let request = requests.get(next % requests.len()).expect("a request");
        next += 1;
        let facts = plan.facts(black_box(request.as_slice()));
        black_box(decide(plan, &facts, &context, &mut Nobody))
    });
}

fn one_split(criterion: &mut Criterion) {
    let text = format!(
        r#"{{"version": 1, "splits": [{{"name": "s", "key": [{{"cookie": "uid"}}], {VARIANTS}}}]}}"#
    );
    let plan = Plan::new(policy_of(&text));
    let requests: Vec<Request> = (0..256).map(|user| request("shop.test", "/cart", user)).collect();
    criterion
        .bench_function("decide/two variants by cookie", |b| bench_decide(b, &plan, &requests));
}

/// Splits on hosts and paths of their own.
fn many_splits(count: usize) -> String {
    let split = |n: usize| {
        let (host, path) = (n % 50, n / 50);
        format!(
            r#"{{"name": "s{n}", "match": [{{"hosts": ["h{host}.shop.test"], "path": {{"prefix": "/p{path}/"}}}}],
                "key": [{{"cookie": "uid"}}], {VARIANTS}}}"#
        )
    };
    format!(
        r#"{{"version": 1, "splits": [{}]}}"#,
        (0..count).map(split).collect::<Vec<_>>().join(",")
    )
}

fn growth(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decide/splits on hosts and paths");
    for count in [1, 10, 100, 1_000] {
        let plan = Plan::new(policy_of(&many_splits(count)));
        let requests: Vec<Request> = (0..256)
            .map(|user| user * 37 % count)
            .map(|n| request(&format!("h{}.shop.test", n % 50), &format!("/p{}/cart", n / 50), n))
            .collect();
        group.bench_function(BenchmarkId::from_parameter(count), |b| {
            bench_decide(b, &plan, &requests)
        });
    }
    group.finish();
}

/// A split that asks whether a user is in a cohort, or whether a header is there.
fn with_condition(condition: &str) -> Plan {
    Plan::new(policy_of(&format!(
        r#"{{"version": 1, "splits": [{{"name": "s", "match": [{{"headers": [{{"name": "x-user-id", {condition}}}]}}],
            "key": [{{"cookie": "uid"}}], {VARIANTS}}}]}}"#
    )))
}

fn cohort(criterion: &mut Criterion) {
    const ENTRIES: usize = 100_000;
    let users: Vec<String> = (0..ENTRIES).map(|user| format!("user-{user}")).collect();
    let quoted: Vec<String> = users.iter().map(|user| format!("\"{user}\"")).collect();
    // All over the list, so that the processor's caches do not hold what is looked up.
    let requests: Vec<Request> =
        (0..4_096).map(|n| request("shop.test", "/", n * 6_151 % ENTRIES)).collect();
    let mut group = criterion.benchmark_group("decide/cohort");
    let present = with_condition("\"present\": true");
    group.bench_function("none", |b| bench_decide(b, &present, &requests));
    let listed = with_condition(&format!("\"in\": [{}]", quoted.join(",")));
    group.bench_function("100000 entries", |b| bench_decide(b, &listed, &requests));
    group.finish();
    let (cohort, _) = Cohort::new(&users, false).expect("a cohort within its limits");
    println!("memory: a cohort of {ENTRIES} entries takes {} bytes", cohort.memory());
}

fn compile(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("compile/splits");
    group.sample_size(20).measurement_time(Duration::from_secs(2));
    for count in [1, 10, 100, 1_000] {
        let text = many_splits(count);
        let read = policy_of(&text);
        group.bench_function(BenchmarkId::new("plan", count), |b| {
            b.iter(|| Plan::new(black_box(read.clone())))
        });
        group.bench_function(BenchmarkId::new("read and plan", count), |b| {
            b.iter(|| Plan::new(policy_of(black_box(&text))));
        });
    }
    group.finish();
}

/// Many short samples: whatever else the machine does meanwhile spoils some of them, and the median is
/// of the others.
fn short_samples() -> Criterion {
    let short = Criterion::default().sample_size(200);
    short.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_millis(200))
}

criterion_group!(
    name = all;
    config = short_samples();
    targets = one_split, growth, cohort, compile
);
criterion_main!(all);
