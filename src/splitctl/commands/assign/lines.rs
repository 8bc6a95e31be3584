//! Lines as bytes, in a buffer that is used again for each.

use std::io::{BufRead, Read as _};

use anyhow::bail;

/// The longest key: as much as any proxy lets a header be.
const LONGEST: u64 = 64 * 1024;

/// Reads lines.
pub(super) struct Lines<R> {
    reader: R,
    line: Vec<u8>,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, line: Vec::new(), number: 0 }
    }

    /// The next line without its end (`\n` or `\r\n`); `None` after the last one.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<&[u8]>> {
        self.line.clear();
        self.number = self.number.saturating_add(1);
        // Two bytes for the end, and none more of a line that goes on for gigabytes.
        let read =
            (&mut self.reader).take(LONGEST.saturating_add(2)).read_until(b'\n', &mut self.line)?;
        if read == 0 {
            return Ok(None);
        }
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() as u64 > LONGEST {
            bail!(
                "line {} is longer than 64 KB, which no key is; one key per line is expected",
                self.number
            );
        }
        Ok(Some(line))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, BufReader};

    use super::*;

    #[test]
    fn a_line_is_its_bytes_without_the_end() {
        let mut lines = Lines::new(&b"a\nb\r\n\n\xff\x00\nlast"[..]);
        for expected in [&b"a"[..], b"b", b"", b"\xff\x00", b"last"] {
            assert_eq!(lines.next().unwrap(), Some(expected));
        }
        assert_eq!(lines.next().unwrap(), None);
    }

    #[test]
    fn an_endless_line_is_an_error_in_little_memory() {
        let endless = BufReader::new(io::repeat(b'a'));
        let mut lines = Lines::new(endless);
        let error = lines.next().unwrap_err().to_string();
        assert!(error.contains("line 1 is longer than 64 KB"), "{error}");
        assert!(lines.line.capacity() < 1 << 18);
    }

    #[test]
    fn the_longest_key_is_read() {
        for end in ["", "\n", "\r\n"] {
            let text = format!("{}{end}", "a".repeat(65_536));
            assert_eq!(Lines::new(text.as_bytes()).next().unwrap().map(<[u8]>::len), Some(65_536));
        }
        assert!(Lines::new("a".repeat(65_537).as_bytes()).next().is_err());
    }
}
