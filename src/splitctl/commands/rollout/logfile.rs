//! The file of a rollout's log: lines are only added, by one process at a time.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use rollout::log::{self, Entry, What};

/// A log that is open.
#[derive(Debug)]
pub(super) struct LogFile {
    file: File,
    path: PathBuf,
    /// How much of it is known, in bytes, and what of that are lines.
    known: u64,
    lines: u64,
    last: String,
}

impl LogFile {
    /// Opens a log and reads what is in it. A new one is made where `make` says so.
    ///
    /// # Errors
    /// When it cannot be opened, or was changed.
    pub(super) fn open(path: &Path, make: bool) -> Result<(Self, Vec<Entry>)> {
        let name = || format!("cannot open `{}`", path.display());
        let options = OpenOptions::new().read(true).append(true).create(make).open(path);
        let file = options.with_context(name)?;
        let mut log = Self { file, path: path.to_owned(), known: 0, lines: 0, last: String::new() };
        log.lock()?;
        let entries = log.read();
        log.unlock();
        Ok((log, entries?))
    }

    /// Nobody else adds until `unlock`.
    pub(super) fn lock(&self) -> Result<()> {
        self.file.lock().with_context(|| format!("cannot lock `{}`", self.path.display()))
    }

    pub(super) fn unlock(&self) {
        // The lock of a file that cannot be unlocked ends with the process.
        let _ends = self.file.unlock();
    }

    /// How long the file is, in bytes.
    pub(super) fn length(&self) -> Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// How much of it is known.
    pub(super) const fn known(&self) -> u64 {
        self.known
    }

    /// The entries that are not known yet. To be called with the lock held: half a line at the end is then one that
    /// nobody will finish, and is cut off.
    pub(super) fn read(&mut self) -> Result<Vec<Entry>> {
        let name = || format!("`{}`", self.path.display());
        ensure!(
            self.length()? >= self.known,
            "{} is shorter than it was: somebody changed it",
            name()
        );
        self.file.seek(SeekFrom::Start(self.known))?;
        let mut bytes = Vec::new();
        self.file.read_to_end(&mut bytes).with_context(name)?;
        // Half a line may end in half a letter.
        let lines =
            bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end.saturating_add(1));
        let text =
            std::str::from_utf8(bytes.get(..lines).unwrap_or_default()).with_context(name)?;
        let after = (self.lines, self.last.clone());
        let (entries, last, whole) = log::read_after(text, after).with_context(name)?;
        if whole < bytes.len() {
            self.file.set_len(self.known.saturating_add(whole as u64))?;
        }
        self.known = self.known.saturating_add(whole as u64);
        self.lines = self.lines.saturating_add(entries.len() as u64);
        self.last = last;
        Ok(entries)
    }

    /// Adds an entry, for good. To be called with the lock held, and all entries known.
    pub(super) fn add(&mut self, at: u64, what: What) -> Result<Entry> {
        let entry = Entry { n: self.lines, at, what, prev: self.last.clone() };
        let line = entry.line()?;
        let name = || format!("cannot write `{}`", self.path.display());
        self.file.write_all(format!("{}\n", line.text).as_bytes()).with_context(name)?;
        self.file.sync_data().with_context(name)?;
        self.known = self.known.saturating_add(line.text.len() as u64).saturating_add(1);
        self.lines = self.lines.saturating_add(1);
        self.last = line.hash;
        Ok(entry)
    }
}

/// The log of a rollout's file, where no other is named.
pub(super) fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".log");
    PathBuf::from(name)
}

/// Who runs this.
pub(super) fn who() -> String {
    let user = ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    user.filter(|user| !user.is_empty()).unwrap_or_else(|| "nobody known".to_owned())
}

#[cfg(test)]
mod tests {
    use rollout::course::Order;

    use super::*;

    fn order(order: Order) -> What {
        What::Order { order, by: "ada".to_owned(), why: String::new() }
    }

    #[test]
    fn two_who_add_to_one_log_know_of_each_other_and_half_a_line_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let (mut first, entries) = LogFile::open(&path, true).unwrap();
        assert_eq!(entries, vec![]);
        first.add(1, order(Order::Pause)).unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"n\":1,\xc3").unwrap();
        let (mut second, entries) = LogFile::open(&path, false).unwrap();
        assert_eq!(entries.len(), 1);
        second.add(2, order(Order::Resume)).unwrap();
        let added = first.read().unwrap();
        assert_eq!((added.len(), added[0].n), (1, 1));
        first.add(3, order(Order::Abort)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(log::read(&text).unwrap().0.len(), 3);
        std::fs::write(&path, text.replace("abort", "pause")).unwrap();
        let error = format!("{:#}", LogFile::open(&path, false).unwrap_err());
        assert!(error.contains("line 3") && error.contains("it was changed"), "{error}");
    }
}
