//! Waiting until proxies run a policy: they show its hash.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::admin::{Admin, Asking};
use crate::console::Console;
use crate::outcome::Outcome;
use crate::style;

/// Waits until all show the hash, at most so long; `No` where one does not by then.
pub(super) fn wait(
    admins: &[Admin],
    hash: u64,
    most: Duration,
    console: &mut Console<'_>,
) -> Result<Outcome> {
    let asking = Asking::begin()?;
    let begin = Instant::now();
    loop {
        let shown: Vec<_> = admins.iter().map(|admin| asking.hash(admin)).collect();
        let is_there = |shown: &Result<Option<u64>>| matches!(shown, Ok(Some(n)) if *n == hash);
        if shown.iter().all(is_there) {
            let (done, count) = (style::fine("in force"), admins.len());
            let proxies = if count == 1 { "proxy" } else { "proxies" };
            writeln!(console.err, "{done} policy {hash:013x} on {count} {proxies}")?;
            return Ok(Outcome::Fine);
        }
        if begin.elapsed() >= most {
            let late = admins.iter().zip(&shown).filter(|(_, shown)| !is_there(shown));
            for (admin, shown) in late {
                let what = match shown {
                    Ok(Some(0)) => "runs no policy".to_owned(),
                    Ok(Some(found)) => format!("runs {found:013x}"),
                    Ok(None) => "has no traffic-split filter".to_owned(),
                    Err(error) => format!("{error:#}"),
                };
                let late = style::error("not in force");
                writeln!(console.err, "{late} {}: {what}, not {hash:013x}", admin.name)?;
            }
            writeln!(
                console.err,
                "help: Envoy's log says what it made of the file; `--timeout` waits longer"
            )?;
            return Ok(Outcome::No);
        }
        thread::sleep(Duration::from_millis(100));
    }
}
