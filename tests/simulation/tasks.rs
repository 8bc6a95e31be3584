//! Rows of tables, made by all processors at once, each with random numbers of its own.

use std::io::IsTerminal as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::random::Random;

/// A part of the work: its table, its row, and what fills it.
pub struct Task {
    pub table: &'static str,
    row: String,
    run: Box<Run>,
}

/// Fills the cells of a row.
type Run = dyn Fn(&mut Random) -> Vec<String> + Send + Sync;

pub fn task(
    table: &'static str,
    row: impl Into<String>,
    run: impl Fn(&mut Random) -> Vec<String> + Send + Sync + 'static,
) -> Task {
    Task { table, row: row.into(), run: Box::new(run) }
}

/// By how much all runs are shortened, as the command line has it.
pub fn scale() -> f64 {
    std::env::args().nth(1).map_or(1.0, |scale| {
        scale.parse().unwrap_or_else(|_| panic!("a scale is a number: {scale}"))
    })
}

pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

/// Runs all, and prints the tables; `columns` are the heads of one.
pub fn run(tasks: &[Task], columns: impl Fn(&str) -> &'static str) {
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let results: Vec<Mutex<Vec<String>>> = tasks.iter().map(|_| Mutex::default()).collect();
    let draws = std::io::stderr().is_terminal();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((at, task)) = {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    tasks.get(at).map(|task| (at, task))
                } {
                    *results[at].lock().expect("no other thread failed") =
                        (task.run)(&mut Random(at as u64));
                    let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                    let end = if draws { "\r" } else { "\n" };
                    eprint!("{done} of {}: {:80.80}{end}", tasks.len(), task.row);
                }
            });
        }
    });
    let mut last = "";
    for (task, cells) in tasks.iter().zip(&results) {
        if task.table != last {
            let heads = columns(task.table);
            println!(
                "\n{}\n\n| {heads} |\n|{}",
                task.table,
                "---|".repeat(heads.split('|').count())
            );
            last = task.table;
        }
        println!("| {} | {} |", task.row, cells.lock().expect("no thread failed").join(" | "));
    }
}
