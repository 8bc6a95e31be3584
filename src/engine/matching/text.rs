//! Texts that values are compared with, as written or without regard to ASCII case.

/// A text to compare values with, byte by byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    text: Box<str>,
    ignore_case: bool,
}

impl Text {
    /// A text; `ignore_case` takes ASCII letters for equal in both cases.
    pub fn new(text: impl Into<Box<str>>, ignore_case: bool) -> Self {
        Self { text: text.into(), ignore_case }
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether ASCII letters are equal in both cases.
    pub const fn ignores_case(&self) -> bool {
        self.ignore_case
    }

    /// Whether a value is this text.
    pub fn equals(&self, value: &[u8]) -> bool {
        same(self.text.as_bytes(), value, self.ignore_case)
    }

    /// Whether a value begins with this text.
    pub fn begins(&self, value: &[u8]) -> bool {
        let head = value.get(..self.text.len());
        head.is_some_and(|head| self.equals(head))
    }

    /// Whether a value ends with this text.
    pub fn ends(&self, value: &[u8]) -> bool {
        let start = value.len().checked_sub(self.text.len());
        start.and_then(|start| value.get(start..)).is_some_and(|tail| self.equals(tail))
    }
}

/// A text to look for anywhere in a value, in time linear in the value (Knuth, Morris, Pratt): a long
/// value that almost matches again and again costs no more than another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needle {
    text: Text,
    /// For each length of a matched beginning, less one: the length of the longest shorter beginning that
    /// is still matched when the next byte is another.
    shorter: Box<[usize]>,
}

impl Needle {
    /// Prepares the search.
    pub fn new(text: Text) -> Self {
        let bytes = text.text.as_bytes();
        let mut shorter = vec![0; bytes.len()];
        let mut matched = 0;
        for (byte, at) in bytes.iter().zip(1_usize..).skip(1) {
            matched = next(&text, &shorter, matched, *byte);
            if let Some(length) = shorter.get_mut(at.saturating_sub(1)) {
                *length = matched;
            }
        }
        Self { shorter: shorter.into(), text }
    }

    /// The text as written.
    pub const fn text(&self) -> &Text {
        &self.text
    }

    /// Whether the text is anywhere in a value.
    pub fn is_in(&self, value: &[u8]) -> bool {
        let length = self.text.text.len();
        let mut matched = 0;
        length == 0
            || value.iter().any(|byte| {
                matched = next(&self.text, &self.shorter, matched, *byte);
                matched == length
            })
    }
}

/// How much of the text's beginning is matched after one more byte.
fn next(text: &Text, shorter: &[usize], mut matched: usize, byte: u8) -> usize {
    loop {
        let wanted = text.text.as_bytes().get(matched);
        if wanted.is_some_and(|wanted| same_byte(*wanted, byte, text.ignore_case)) {
            return matched.saturating_add(1);
        }
        match matched.checked_sub(1).and_then(|last| shorter.get(last)) {
            Some(length) => matched = *length,
            None => return 0,
        }
    }
}

pub(super) fn same(a: &[u8], b: &[u8], ignore_case: bool) -> bool {
    if ignore_case { a.eq_ignore_ascii_case(b) } else { a == b }
}

const fn same_byte(a: u8, b: u8, ignore_case: bool) -> bool {
    a == b || (ignore_case && a.eq_ignore_ascii_case(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_compared_as_a_whole_or_at_an_end() {
        for (text, value, equals, begins, ends) in [
            ("ab", "ab", true, true, true),
            ("ab", "abc", false, true, false),
            ("ab", "cab", false, false, true),
            ("ab", "AB", false, false, false),
            ("ab", "a", false, false, false),
            ("", "", true, true, true),
            ("", "x", false, true, true),
        ] {
            let (text, value) = (Text::new(text, false), value.as_bytes());
            let found = (text.equals(value), text.begins(value), text.ends(value));
            assert_eq!(found, (equals, begins, ends), "{text:?} {value:?}");
        }
    }

    #[test]
    fn ascii_case_may_be_ignored_and_no_other() {
        let text = Text::new("Straße-Ä", true);
        assert!(text.equals("sTRAßE-Ä".as_bytes()));
        assert!(!text.equals("STRAßE-ä".as_bytes()));
        assert!(text.begins("straße-Ä!".as_bytes()) && text.ends("!STRAßE-Ä".as_bytes()));
    }

    #[test]
    fn a_needle_is_found_wherever_a_naive_search_finds_it() {
        let strings = |length: usize| -> Vec<String> {
            let count = 2_usize.pow(u32::try_from(length).unwrap());
            let letter = |n: usize, at| if n >> at & 1 == 1 { 'b' } else { 'a' };
            (0..count).map(|n| (0..length).map(|at| letter(n, at)).collect()).collect()
        };
        for needle in (0..=5).flat_map(strings) {
            let compiled = Needle::new(Text::new(needle.as_str(), false));
            let loud = Needle::new(Text::new(needle.to_uppercase(), true));
            for value in (0..=9).flat_map(strings) {
                assert_eq!(compiled.is_in(value.as_bytes()), value.contains(&needle));
                assert_eq!(loud.is_in(value.as_bytes()), value.contains(&needle));
            }
        }
    }

    #[test]
    fn a_needle_in_another_case_is_found_only_where_case_is_ignored() {
        assert!(Needle::new(Text::new("Mobile", true)).is_in(b"some MOBILE agent\xff"));
        assert!(!Needle::new(Text::new("Mobile", false)).is_in(b"some MOBILE agent\xff"));
    }
}
