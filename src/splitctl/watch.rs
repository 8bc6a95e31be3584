//! Watching a policy file by reading it again and again: that sees every way of saving, on every file system.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use lab::Stop;
use policy_text::source::{Source, Unreadable};

/// How often the file is read.
const LOOK: Duration = Duration::from_millis(250);

/// What is in the file now.
type Content = Result<Source, Unreadable>;

/// A file that is being watched in the background.
pub(crate) struct Watch {
    changes: Receiver<Content>,
    waiting: Arc<AtomicBool>,
}

impl Watch {
    /// Begins to watch for changes against a content that is known.
    pub(crate) fn start(path: PathBuf, known: &Source, stop: Stop) -> Self {
        let (sender, changes) = mpsc::channel();
        let waiting = Arc::new(AtomicBool::new(false));
        let mut look = Look { reported: seen(&Ok(known.clone())), before: None };
        let flag = Arc::clone(&waiting);
        thread::spawn(move || {
            while !stop.wait(LOOK) {
                if let Some(content) = look.at(Source::read(&path)) {
                    flag.store(true, Ordering::Relaxed);
                    // Nobody listens any more: the command is ending.
                    if sender.send(content).is_err() {
                        break;
                    }
                }
            }
        });
        Self { changes, waiting }
    }

    /// Whether there is a change that nobody took yet. A clone of this can be asked anywhere.
    pub(crate) fn waiting(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.waiting)
    }

    /// The latest change, waited for a while.
    pub(crate) fn next(&self, time: Duration) -> Option<Content> {
        let first = match self.changes.recv_timeout(time) {
            Ok(content) => content,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
        };
        self.waiting.store(false, Ordering::Relaxed);
        Some(self.changes.try_iter().last().unwrap_or(first))
    }
}

/// Tells changes from looks.
struct Look {
    reported: Result<String, String>,
    before: Option<Result<String, String>>,
}

impl Look {
    /// A change is reported when two looks agree on it, so that no half-written file is, and neither is one
    /// that is gone for the moment in which an editor replaces it.
    fn at(&mut self, content: Content) -> Option<Content> {
        let now = seen(&content);
        if now == self.reported {
            self.before = None;
            return None;
        }
        if self.before.as_ref() != Some(&now) {
            self.before = Some(now);
            return None;
        }
        self.reported = now;
        self.before = None;
        Some(content)
    }
}

fn seen(content: &Content) -> Result<String, String> {
    match content {
        Ok(source) => Ok(source.text.clone()),
        Err(unreadable) => Err(unreadable.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn text(text: &str) -> Content {
        Ok(Source::new("a", text))
    }

    fn gone() -> Content {
        Source::read(Path::new("/nowhere"))
    }

    #[test]
    fn only_what_lasts_is_a_change_and_it_is_told_once() {
        let mut look = Look { reported: Ok("one".to_owned()), before: None };
        let told: Vec<bool> = [
            text("one"),
            text("tw"),
            text("two"),
            text("two"),
            text("two"),
            gone(),
            text("two"),
            gone(),
            gone(),
            gone(),
            text("two"),
            text("two"),
        ]
        .map(|content| look.at(content).is_some())
        .to_vec();
        let expected =
            [false, false, false, true, false, false, false, false, true, false, false, true];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_saved_file_is_seen_within_two_seconds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.yaml");
        std::fs::write(&path, "one").unwrap();
        let stop = Stop::default();
        let watch = Watch::start(path.clone(), &Source::new("policy.yaml", "one"), stop.clone());
        std::fs::write(path.with_extension("new"), "two").unwrap();
        std::fs::rename(path.with_extension("new"), &path).unwrap();
        assert_eq!(watch.next(Duration::from_secs(2)).unwrap().unwrap().text, "two");
        stop.set();
    }
}
