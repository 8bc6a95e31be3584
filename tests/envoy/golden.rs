//! The golden rows through real Envoy: all splits in one policy, each for a host of its own.

use harness::golden;
use lab::Request;

use crate::bench::{Bench, REQUESTS};

#[test]
fn every_golden_row_that_http_carries_is_met_in_envoy() {
    let bench = Bench::start(&golden::policy());
    let splits = golden::splits();
    let rows: Vec<_> = golden::rows().into_iter().filter(|row| row.as_header).collect();
    assert!(rows.len() >= 10_000, "{} rows", rows.len());
    let request = |row: &golden::Row| {
        Request::get("/").host(&splits[&row.split].host).header("x-key", &row.key).echo()
    };
    let answers = bench.load(rows.iter().map(request).collect(), 8).unwrap();
    for (row, answer) in rows.iter().zip(answers) {
        let wanted = format!("{}={}", row.split, row.variant);
        let echo = answer.echo().unwrap_or_else(|error| panic!("{row:x?}: {error}"));
        assert_eq!(echo.all("x-split-variant"), [wanted.as_bytes()], "{row:x?}");
        assert_eq!(echo.all("x-key"), [row.key.as_slice()]);
    }
    let stats = bench.stats_after(rows.len() as u64);
    assert_eq!(stats.sum(REQUESTS, &[("reason", "split")]), rows.len() as u64);
}
