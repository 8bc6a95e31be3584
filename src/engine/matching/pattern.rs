//! Regular expressions: anchored, linear in the value, bounded in size.

use std::fmt;
use std::sync::Arc;

use regex_lite::{Error, Regex, RegexBuilder};

/// A regular expression (the syntax of the crate `regex-lite`: no look-around, no back-references, classes
/// such as `\d` in ASCII) that a whole value must meet. Cloning shares the compiled form; two are equal when
/// they are written alike.
///
/// The time for one value is at most proportional to its length times the size of the compiled expression, and
/// both are limited, so that nothing a client sends can stall a proxy.
#[derive(Clone)]
pub struct Pattern {
    text: Box<str>,
    ignore_case: bool,
    regex: Arc<Regex>,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PatternError {
    /// It is not a regular expression; says why, in `regex-lite`'s words.
    Invalid(String),
    /// It compiles to more than [`Pattern::SIZE_MAX`] bytes.
    TooLarge,
}

impl Pattern {
    /// Longer values never match.
    pub const VALUE_MAX: usize = 4096;
    /// The largest compiled expression in bytes. Common ones take 500 to 2,000; `[a-z0-9]{200}` still fits.
    pub const SIZE_MAX: usize = 16 * 1024;
    /// How deep groups may be nested.
    pub const NEST_MAX: u32 = 32;

    /// Compiles an expression; `ignore_case` takes ASCII letters for equal in both cases.
    ///
    /// # Errors
    /// Says why it is no regular expression, or that it is too large.
    pub fn parse(text: &str, ignore_case: bool) -> Result<Self, PatternError> {
        let compile = |text: &str| {
            RegexBuilder::new(text)
                .case_insensitive(ignore_case)
                .size_limit(Self::SIZE_MAX)
                .nest_limit(Self::NEST_MAX)
                .build()
        };
        // First on its own: `a)|(b` is no expression, though it is one between the anchors.
        compile(text).map_err(PatternError::from)?;
        // A comment at the end of `(?x)...` reaches to the end of its line, which is then white space.
        let regex = compile(&format!("^(?:{text})$"))
            .or_else(|error| compile(&format!("^(?:{text}\n)$")).map_err(|_| error))
            .map_err(PatternError::from)?;
        Ok(Self { text: text.into(), ignore_case, regex: Arc::new(regex) })
    }

    /// The expression as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether ASCII letters are equal in both cases.
    pub const fn ignores_case(&self) -> bool {
        self.ignore_case
    }

    /// Whether the whole value meets the expression. A value that is longer than [`Pattern::VALUE_MAX`], or is
    /// not UTF-8, does not.
    pub fn matches(&self, value: &[u8]) -> bool {
        value.len() <= Self::VALUE_MAX
            && str::from_utf8(value).is_ok_and(|value| self.regex.is_match(value))
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.ignore_case == other.ignore_case
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.text).field(&self.ignore_case).finish()
    }
}

impl From<Error> for PatternError {
    fn from(error: Error) -> Self {
        // The crate tells its errors apart by their text alone; this one is for want of space.
        match RegexBuilder::new("a").size_limit(0).build() {
            Err(too_large) if too_large == error => Self::TooLarge,
            _ => Self::Invalid(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text, false).unwrap()
    }

    #[test]
    fn the_whole_value_must_match() {
        for (text, value, matches) in [
            ("v[12]", "v1", true),
            ("v[12]", "xv1", false),
            ("v[12]", "v1x", false),
            ("v[12]", "V1", false),
            ("a|ab", "ab", true),
            ("a|b", "ab", false),
            ("", "", true),
            ("", "a", false),
            (".*", "", true),
            ("(?i)ab", "AB", true),
            ("a$|b", "a", true),
            ("(?m)^a$", "b\na", false),
            (r"\d+", "٣", false),
            ("straße", "straße", true),
            ("(?x) a b # both", "ab", true),
            ("(?x) a b # both", "ab\n", false),
        ] {
            assert_eq!(pattern(text).matches(value.as_bytes()), matches, "{text} {value}");
        }
    }

    #[test]
    fn ascii_case_may_be_ignored() {
        assert!(Pattern::parse("v[a-c]", true).unwrap().matches(b"VB"));
    }

    #[test]
    fn values_that_are_too_long_or_not_text_never_match() {
        let all = pattern("(?s).*");
        assert!(all.matches(&[b'a'; Pattern::VALUE_MAX]));
        assert!(!all.matches(&[b'a'; Pattern::VALUE_MAX + 1]));
        assert!(!all.matches(b"\xff"));
    }

    #[test]
    fn what_is_no_expression_is_told_in_the_words_of_the_crate() {
        for text in ["(", "a{2,1}", "[z-a]", r"\p{L}", r"(a)\1", "(?=a)", "*", "a)|(b"] {
            let error = Pattern::parse(text, false).unwrap_err();
            assert!(matches!(error, PatternError::Invalid(words) if !words.is_empty()), "{text}");
        }
        let deep = "(".repeat(100) + &")".repeat(100);
        assert!(matches!(Pattern::parse(&deep, false), Err(PatternError::Invalid(_))));
    }

    #[test]
    fn size_is_limited() {
        for text in ["a{10000}", "(?:a{100}){100}", "(?:(?:a{1000}){1000}){1000}", r"\w{1000}"] {
            assert_eq!(Pattern::parse(text, false), Err(PatternError::TooLarge), "{text}");
        }
        assert!(Pattern::parse("[a-z0-9]{200}", false).is_ok());
    }

    #[test]
    fn a_value_made_to_stall_does_not() {
        // Nothing is timed: an implementation that tries one way after the other has more than 10^15
        // to try for each of these, and does not come back on any machine.
        let mut value = [b'a'; Pattern::VALUE_MAX];
        value[Pattern::VALUE_MAX - 1] = b'!';
        for text in ["(a*)*b", "(a|a)*b", "(a|aa)+", "(?:a?){60}a{60}", "(.*)(.*)(.*)(.*)(.*)b"] {
            assert!(!pattern(text).matches(&value), "{text}");
        }
    }

    #[test]
    fn patterns_are_equal_when_written_alike() {
        assert_eq!(pattern("a"), pattern("a").clone());
        assert_ne!(pattern("a"), pattern("[a]"));
        assert_ne!(pattern("a"), Pattern::parse("a", true).unwrap());
    }
}
