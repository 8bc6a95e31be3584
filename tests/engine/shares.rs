//! Shares and independence, measured over many users with fixed ids: the same on every run.

use engine::hash::{Hash, prefix};
use harness::native::Weighed;

/// A race of variants `v0`, `v1`, ... with these weights.
fn race(weights: &[u64]) -> Weighed {
    let named = weights.iter().enumerate().map(|(at, weight)| (format!("v{at}"), *weight));
    Weighed::new(&named.collect::<Vec<_>>())
}

fn winners<'a>(salt: &str, all: &'a Weighed, users: u32) -> impl Iterator<Item = usize> + 'a {
    let salt = prefix(salt);
    (0..users).map(move |user| {
        let h2 = Hash::new(&salt, format!("user-{user}").as_bytes()).h2;
        all.winner(h2).unwrap()
    })
}

#[test]
fn shares_are_within_four_sigma_of_the_weights() {
    const USERS: u32 = 200_000;
    for weights in [
        vec![95, 5],
        vec![50, 50],
        vec![999, 1],
        vec![999_999, 1],
        vec![70, 10, 10, 10],
        vec![1; 32],
        vec![1, 2, 4, 8, 16, 32, 64, 128],
    ] {
        let total: u64 = weights.iter().sum();
        let mut counts = vec![0_u32; weights.len()];
        winners("shares", &race(&weights), USERS).for_each(|variant| counts[variant] += 1);
        for (count, weight) in counts.iter().zip(&weights) {
            let share = *weight as f64 / total as f64;
            let expected = share * f64::from(USERS);
            let sigma = (f64::from(USERS) * share * (1.0 - share)).sqrt();
            let off = (f64::from(*count) - expected).abs() / sigma;
            assert!(
                off < 4.0,
                "{weights:?}: {count} users where {expected:.1} are expected, {off:.1} sigma"
            );
        }
    }
}

#[test]
fn fifty_salts_are_independent_of_each_other() {
    // For each pair of neighbouring salts, a 3x3 table of who is where; chi-square with 4 degrees
    // of freedom is above 20 by chance in one of 2,000 tables, and on average 4.
    const USERS: u32 = 9_000;
    let race = race(&[1, 1, 1]);
    let all: Vec<Vec<usize>> =
        (0..50).map(|salt| winners(&format!("salt-{salt}"), &race, USERS).collect()).collect();
    let chi_square = |a: &[usize], b: &[usize]| {
        let mut table = [[0.0_f64; 3]; 3];
        a.iter().zip(b).for_each(|(a, b)| table[*a][*b] += 1.0);
        let total = f64::from(USERS);
        let row = |r: usize| table[r].iter().sum::<f64>();
        let column = |c: usize| table.iter().map(|row| row[c]).sum::<f64>();
        let cell = |r: usize, c: usize| {
            let expected = row(r) * column(c) / total;
            (table[r][c] - expected).powi(2) / expected
        };
        (0..3).flat_map(|r| (0..3).map(move |c| (r, c))).map(|(r, c)| cell(r, c)).sum::<f64>()
    };
    let found: Vec<f64> =
        all.iter().zip(all.iter().skip(1)).map(|(a, b)| chi_square(a, b)).collect();
    let mean = found.iter().sum::<f64>() / found.len() as f64;
    assert!(found.iter().all(|x| *x < 25.0), "{found:.1?}");
    assert!(
        (2.5..5.5).contains(&mean),
        "the mean of chi-square with 4 degrees of freedom is 4, not {mean:.2}"
    );
}

#[test]
fn a_change_of_many_weights_moves_little_more_than_it_must() {
    const USERS: u32 = 100_000;
    let (before, after) = (race(&[70, 10, 10, 10]), race(&[40, 30, 20, 10]));
    let moved = winners("moves", &before, USERS)
        .zip(winners("moves", &after, USERS))
        .filter(|(a, b)| a != b)
        .count();
    let share = moved as f64 / f64::from(USERS);
    assert!((0.30..0.34).contains(&share), "{share:.3} of users moved; 0.300 must");
}

#[test]
fn ramping_up_never_takes_a_user_off_the_canary() {
    let canary = |weight: u64| -> Vec<bool> {
        winners("ramp", &race(&[10_000 - weight, weight]), 50_000)
            .map(|variant| variant == 1)
            .collect()
    };
    let mut before = canary(1);
    for weight in [5, 10, 50, 100, 500, 1_000, 5_000, 9_000, 9_999] {
        let after = canary(weight);
        assert!(before.iter().zip(&after).all(|(was, is)| !was || *is), "{weight}");
        before = after;
    }
}
