//! The guard: every number equals what the independent program recorded.

use engine::guard::{Share, Step};
use engine::units::Ratio;

fn read(file: &str) -> String {
    std::fs::read_to_string(harness::root().join("tests/vectors").join(file)).unwrap()
}

#[test]
fn every_golden_step_is_met() {
    let text = read("golden-guard-steps.csv");
    let mut rows = 0;
    for row in text.lines().skip(1) {
        let numbers: Vec<u64> = row.split(',').map(|n| n.parse().unwrap()).collect();
        let [ratio, variant, baseline, times, up, down] = numbers[..] else { panic!("{row}") };
        let ratio = Ratio::from_units(u32::try_from(ratio).unwrap()).unwrap();
        let steps = Step::all(ratio, Share { variant, baseline });
        let step = steps[engine::guard::ALTERNATIVES.iter().position(|t| *t == times).unwrap()];
        // Two logarithms, each right to 2e-9 (9 units), in each number; three in `up`.
        assert!(step.up.abs_diff(up) <= 27 && step.down.abs_diff(down) <= 18, "{row}: {step:?}");
        rows += 1;
    }
    assert!(rows > 2_000);
}
