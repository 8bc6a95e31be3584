//! Texts of a policy as they stand in messages.

use std::fmt::{self, Write as _};

/// Most characters of a text that are shown.
const LENGTH: usize = 80;
/// Most entries of a list that are shown.
const ENTRIES: usize = 3;

/// A text as it can stand between backticks: escaped, and cut where it is longer than a line.
pub(crate) struct Escaped<'t>(pub(crate) &'t str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.chars();
        for c in rest.by_ref().take(LENGTH) {
            match c {
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                '\\' => f.write_str("\\\\")?,
                _ if is_hidden(c) => write!(f, "\\u{{{:x}}}", u32::from(c))?,
                _ => f.write_char(c)?,
            }
        }
        f.write_str(if rest.next().is_some() { "..." } else { "" })
    }
}

/// Whether a character does something to a terminal or a log, or cannot be seen at all. Those of
/// `char::escape_debug` are more; its tables would be a large part of the module.
fn is_hidden(c: char) -> bool {
    let directions = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control()
        || directions
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// A text in backticks.
pub(super) struct Shown<'t>(pub(super) &'t str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", Escaped(self.0))
    }
}

/// Writes `` `a`, `b`, `c` and 4 more``.
pub(super) fn list<T: AsRef<str>>(
    f: &mut fmt::Formatter<'_>,
    entries: impl Iterator<Item = T>,
    count: usize,
) -> fmt::Result {
    for (index, entry) in entries.take(ENTRIES).enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        write!(f, "{comma}{}", Shown(entry.as_ref()))?;
    }
    match count.saturating_sub(ENTRIES) {
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_escaped_and_cut_for_a_message() {
        for (text, shown) in [
            ("premium", "`premium`"),
            ("", "``"),
            ("a\n\u{1b}[0m", "`a\\n\\u{1b}[0m`"),
            ("\"it's\"", "`\"it's\"`"),
            ("C:\\Ä", "`C:\\\\Ä`"),
            ("\0\t\r\u{7f}\u{9b}", "`\\u{0}\\t\\r\\u{7f}\\u{9b}`"),
            ("a\u{202e}b\u{200b}", "`a\\u{202e}b\\u{200b}`"),
        ] {
            assert_eq!(Shown(text).to_string(), shown);
        }
        assert_eq!(Shown(&"x".repeat(80)).to_string(), format!("`{}`", "x".repeat(80)));
        assert_eq!(Shown(&"x".repeat(81)).to_string(), format!("`{}...`", "x".repeat(80)));
    }

    #[test]
    fn a_list_is_cut_after_three_entries() {
        struct Listed<'t>(&'t [&'t str]);
        impl fmt::Display for Listed<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                list(f, self.0.iter(), self.0.len())
            }
        }
        assert_eq!(Listed(&["a", "b", "c"]).to_string(), "`a`, `b`, `c`");
        assert_eq!(Listed(&["a", "b", "c", "d", "e"]).to_string(), "`a`, `b`, `c` and 2 more");
    }
}
