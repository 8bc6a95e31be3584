//! Keys of users, one after the other and never more than one in memory: counted up, or the lines of a file.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use anyhow::{Result, anyhow, bail};
use policy_text::source::without_number;

/// A longer line is no key: proxies refuse headers of this size.
pub const LONGEST: usize = 64 * 1024;

/// Where keys come from.
pub enum Keys {
    /// `user-1`, `user-2` and so on.
    Counted(Counter),
    /// The lines of a file.
    Lines(Lines),
}

impl Keys {
    /// So many users, `user-1` the first.
    pub fn counted(users: u64) -> Self {
        Self::Counted(Counter::new(users))
    }

    /// The lines of a file, or of the standard input for `-`.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn of_file(path: &Path) -> Result<Self> {
        Ok(Self::Lines(Lines::open(path)?))
    }

    /// The next key; `None` at the end.
    ///
    /// # Errors
    /// When the file cannot be read, or has a line that is too long.
    pub fn next_key(&mut self) -> Result<Option<&[u8]>> {
        match self {
            Self::Counted(counter) => Ok(counter.next()),
            Self::Lines(lines) => loop {
                // The borrow of a line that is returned from a loop would last for the whole loop.
                if !lines.advance()? {
                    return Ok(None);
                }
                if !lines.line.is_empty() {
                    return Ok(Some(&lines.line));
                }
            },
        }
    }

    /// How many there will be, if that is known.
    pub const fn expected(&self) -> Option<u64> {
        match self {
            Self::Counted(counter) => Some(counter.left),
            Self::Lines(_) => None,
        }
    }
}

/// Counts users up in place: no key is formatted anew.
pub struct Counter {
    left: u64,
    key: Vec<u8>,
}

/// What stands before the number.
const PREFIX: &[u8] = b"user-";

impl Counter {
    fn new(users: u64) -> Self {
        Self { left: users, key: [PREFIX, b"0"].concat() }
    }

    fn next(&mut self) -> Option<&[u8]> {
        self.left = self.left.checked_sub(1)?;
        for digit in self.key.iter_mut().skip(PREFIX.len()).rev() {
            if *digit < b'9' {
                *digit = digit.saturating_add(1);
                return Some(&self.key);
            }
            *digit = b'0';
        }
        self.key.insert(PREFIX.len(), b'1');
        Some(&self.key)
    }
}

/// The lines of a file, without their ends.
pub struct Lines {
    name: String,
    reader: Box<dyn BufRead>,
    line: Vec<u8>,
    number: u64,
}

impl Lines {
    /// Opens a file, or the standard input for `-`.
    ///
    /// # Errors
    /// When there is no such file.
    pub fn open(path: &Path) -> Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::new("<stdin>", Box::new(BufReader::new(io::stdin()))));
        }
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| unreadable(&name, &error))?;
        Ok(Self::new(&name, Box::new(BufReader::with_capacity(LONGEST, file))))
    }

    fn new(name: &str, reader: Box<dyn BufRead>) -> Self {
        Self { name: name.to_owned(), reader, line: Vec::new(), number: 0 }
    }

    /// What people call the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of the line read last, from 1.
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// The line read last.
    pub fn line(&self) -> &[u8] {
        &self.line
    }

    /// Reads the next line; `false` at the end.
    ///
    /// # Errors
    /// When the file cannot be read, or has a line that is too long.
    pub fn advance(&mut self) -> Result<bool> {
        self.line.clear();
        self.number = self.number.saturating_add(1);
        loop {
            let read = self.reader.fill_buf();
            let buffer = match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read.map_err(|error| unreadable(&self.name, &error))?,
            };
            if buffer.is_empty() {
                return Ok(!self.line.is_empty());
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let part = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
            if self.line.len().saturating_add(part.len()) > LONGEST {
                let (name, number) = (&self.name, self.number);
                bail!(
                    "line {number} of `{name}` is longer than 64 KB; each line is one user or request"
                );
            }
            self.line.extend_from_slice(part);
            let used = part.len().saturating_add(usize::from(end.is_some()));
            self.reader.consume(used);
            if end.is_some() {
                if self.line.last() == Some(&b'\r') {
                    self.line.pop();
                }
                return Ok(true);
            }
        }
    }
}

fn unreadable(name: &str, error: &io::Error) -> anyhow::Error {
    anyhow!("cannot read `{name}`: {}", without_number(error))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn all(mut keys: Keys) -> Vec<String> {
        let mut list = Vec::new();
        while let Some(key) = keys.next_key().unwrap() {
            list.push(String::from_utf8(key.to_vec()).unwrap());
        }
        list
    }

    fn lines(reader: impl Read + 'static) -> Keys {
        Keys::Lines(Lines::new("ids.txt", Box::new(BufReader::new(reader))))
    }

    #[test]
    fn users_are_counted_from_one() {
        let expected: Vec<String> = (1..=1_234).map(|number| format!("user-{number}")).collect();
        assert_eq!(all(Keys::counted(1_234)), expected);
        assert!(all(Keys::counted(0)).is_empty());
    }

    #[test]
    fn lines_are_keys_and_empty_lines_are_not() {
        assert_eq!(all(lines(&b"ada\r\n\nbob eve\n\r\n last"[..])), ["ada", "bob eve", " last"]);
        assert!(all(lines(&b""[..])).is_empty());
    }

    #[test]
    fn a_line_of_a_gigabyte_is_refused_before_it_is_in_memory() {
        let mut keys = lines(b"ada\n".chain(io::repeat(b'x').take(1 << 30)));
        assert_eq!(keys.next_key().unwrap(), Some(&b"ada"[..]));
        let error = keys.next_key().unwrap_err().to_string();
        assert_eq!(
            error,
            "line 2 of `ids.txt` is longer than 64 KB; each line is one user or request"
        );
        let Keys::Lines(lines) = keys else { panic!("these are lines") };
        assert!(lines.line.capacity() <= 2 * LONGEST);
    }

    #[test]
    fn a_line_of_exactly_64_kilobytes_is_a_key() {
        let text = [vec![b'x'; LONGEST], b"\n".to_vec()].concat();
        assert_eq!(all(lines(io::Cursor::new(text))).first().map(String::len), Some(LONGEST));
    }
}
