//! The wish to end, which Ctrl-C or a signal expresses: every wait of the lab listens to it.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};

/// A flag that is set once. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    shared: Arc<(Mutex<bool>, Condvar)>,
}

impl Stop {
    /// One that Ctrl-C, SIGTERM and SIGHUP set. Until the process ends these signals do nothing else.
    ///
    /// # Errors
    /// When the signals cannot be listened to.
    pub fn on_signals() -> Result<Self> {
        let stop = Self::default();
        let on_signal = stop.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .context("cannot listen to signals")?;
        let (mut interrupt, mut terminate, mut hangup) = {
            let _inside = runtime.enter();
            (
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
            )
        };
        thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hangup.recv() => {}
                }
            });
            on_signal.set();
        });
        Ok(stop)
    }

    /// Sets it and wakes whoever waits.
    pub fn set(&self) {
        let (flag, changed) = &*self.shared;
        *flag.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
    }

    /// Whether it is set.
    pub fn is_set(&self) -> bool {
        *self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits that long, or shorter when it is set; returns whether it is.
    pub fn wait(&self, time: Duration) -> bool {
        let (flag, changed) = &*self.shared;
        let held = flag.lock().unwrap_or_else(PoisonError::into_inner);
        *changed
            .wait_timeout_while(held, time, |set| !*set)
            .unwrap_or_else(PoisonError::into_inner)
            .0
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_wait_ends_as_soon_as_it_is_set() {
        let stop = Stop::default();
        assert!(!stop.wait(Duration::from_millis(1)));
        let other = stop.clone();
        let setting = thread::spawn(move || other.set());
        let begin = Instant::now();
        assert!(stop.wait(Duration::from_secs(30)));
        assert!(stop.is_set() && begin.elapsed() < Duration::from_secs(20));
        setting.join().unwrap();
    }
}
