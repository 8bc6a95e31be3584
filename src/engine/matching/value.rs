//! Tests of one value: a header's, a cookie's or a query parameter's.

use std::fmt;

use super::shown::{Shown, list};
use super::{Cohort, Needle, NumberRange, Pattern, Text};

/// A test of a value, as bytes.
///
/// A value that was not sent meets nothing but `present: false`. So `not` does not make an absent value meet a
/// test, as with Envoy's `invert_match`: `{name: x-tier, exact: premium, not: true}` asks for another tier,
/// and who sends none has none. `not` turns round what was sent, whatever it is: a value that is no number meets
/// `not` with any range, and one longer than [`Pattern::VALUE_MAX`] meets `not` with any regex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueTest {
    /// Sent at all (`true`) or not sent (`false`).
    Present(bool),
    /// Sent, and of this form.
    Is(Form),
    /// Sent, and not of this form (`not: true`).
    IsNot(Form),
}

/// What a value may look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// Equal to this.
    Exact(Text),
    /// Begins with this.
    Prefix(Text),
    /// Ends with this.
    Suffix(Text),
    /// Has this in it.
    Contains(Needle),
    /// As a whole what this describes.
    Regex(Pattern),
    /// Equal to one of these.
    In(Cohort),
    /// A whole number in this range.
    Range(NumberRange),
}

impl ValueTest {
    /// Whether the value (`None` where it was not sent) meets the test.
    pub fn holds(&self, value: Option<&[u8]>) -> bool {
        match (self, value) {
            (Self::Present(wanted), value) => value.is_some() == *wanted,
            (Self::Is(form), Some(value)) => form.holds(value),
            (Self::IsNot(form), Some(value)) => !form.holds(value),
            (Self::Is(_) | Self::IsNot(_), None) => false,
        }
    }
}

impl Form {
    /// Whether a value is of this form.
    pub fn holds(&self, value: &[u8]) -> bool {
        match self {
            Self::Exact(text) => text.equals(value),
            Self::Prefix(text) => text.begins(value),
            Self::Suffix(text) => text.ends(value),
            Self::Contains(needle) => needle.is_in(value),
            Self::Regex(pattern) => pattern.matches(value),
            Self::In(cohort) => cohort.contains(value),
            Self::Range(range) => range.holds(value),
        }
    }

    /// Its field in a policy.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Exact(_) => "exact",
            Self::Prefix(_) => "prefix",
            Self::Suffix(_) => "suffix",
            Self::Contains(_) => "contains",
            Self::Regex(_) => "regex",
            Self::In(_) => "in",
            Self::Range(_) => "range",
        }
    }

    /// Whether ASCII letters are equal in both cases.
    pub fn ignores_case(&self) -> bool {
        match self {
            Self::Exact(text) | Self::Prefix(text) | Self::Suffix(text) => text.ignores_case(),
            Self::Contains(needle) => needle.text().ignores_case(),
            Self::Regex(pattern) => pattern.ignores_case(),
            Self::In(cohort) => cohort.ignores_case(),
            Self::Range(_) => false,
        }
    }
}

/// For people: ``not prefix `eu-` (ignoring case)``, `present`, `not present`.
impl fmt::Display for ValueTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Present(true) => f.write_str("present"),
            Self::Present(false) => f.write_str("not present"),
            Self::Is(form) => form.fmt(f),
            Self::IsNot(form) => write!(f, "not {form}"),
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Exact(text) | Self::Prefix(text) | Self::Suffix(text) => text.as_str(),
            Self::Contains(needle) => needle.text().as_str(),
            Self::Regex(pattern) => pattern.as_str(),
            Self::Range(range) => return range.fmt(f),
            Self::In(cohort) => {
                f.write_str("in ")?;
                list(f, cohort.iter(), cohort.len())?;
                return ignoring_case(self, f);
            }
        };
        write!(f, "{} {}", self.field(), Shown(text))?;
        ignoring_case(self, f)
    }
}

fn ignoring_case(form: &Form, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if form.ignores_case() { f.write_str(" (ignoring case)") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Text {
        Text::new(text, false)
    }

    fn loud(text: &str) -> Text {
        Text::new(text, true)
    }

    fn cohort(values: &[&str], ignore_case: bool) -> Form {
        Form::In(Cohort::new(values, ignore_case).unwrap().0)
    }

    fn regex(text: &str, ignore_case: bool) -> Form {
        Form::Regex(Pattern::parse(text, ignore_case).unwrap())
    }

    fn range(from: i64, to: i64) -> Form {
        Form::Range(NumberRange { from: Some(from), to: Some(to) })
    }

    #[test]
    fn values_have_forms() {
        for (form, value, holds) in [
            (Form::Exact(text("a")), "a", true),
            (Form::Exact(text("a")), "A", false),
            (Form::Exact(loud("a")), "A", true),
            (Form::Exact(text("")), "", true),
            (Form::Prefix(text("ab")), "abc", true),
            (Form::Prefix(text("ab")), "a", false),
            (Form::Prefix(loud("ab")), "ABc", true),
            (Form::Suffix(text("@example.com")), "ann@example.com", true),
            (Form::Suffix(text("@example.com")), "ann@example.com.evil", false),
            (Form::Suffix(loud("@example.com")), "ann@EXAMPLE.com", true),
            (Form::Contains(Needle::new(text("bot"))), "robot/1", true),
            (Form::Contains(Needle::new(text("bot"))), "Bot/1", false),
            (Form::Contains(Needle::new(loud("bot"))), "Bot/1", true),
            (regex("v[12]", false), "v2", true),
            (regex("v[12]", false), "v23", false),
            (regex("v[12]", true), "V2", true),
            (cohort(&["u2", "u1"], false), "u1", true),
            (cohort(&["u2", "u1"], false), "U1", false),
            (cohort(&["u2", "u1"], true), "U1", true),
            (range(18, 65), "18", true),
            (range(18, 65), "65", false),
            (range(18, 65), "many", false),
        ] {
            assert_eq!(form.holds(value.as_bytes()), holds, "{form} {value}");
            assert_eq!(ValueTest::Is(form.clone()).holds(Some(value.as_bytes())), holds);
            assert_eq!(ValueTest::IsNot(form).holds(Some(value.as_bytes())), !holds);
        }
    }

    #[test]
    fn a_value_that_was_not_sent_meets_nothing_but_its_absence() {
        let forms = [Form::Exact(text("")), regex(".*", false), cohort(&["a"], false), range(0, 1)];
        for form in forms {
            assert!(!ValueTest::Is(form.clone()).holds(None), "{form}");
            assert!(!ValueTest::IsNot(form.clone()).holds(None), "not {form}");
        }
        assert!(ValueTest::Present(false).holds(None));
        assert!(!ValueTest::Present(true).holds(None));
        assert!(ValueTest::Present(true).holds(Some(b"")));
        assert!(!ValueTest::Present(false).holds(Some(b"")));
    }

    #[test]
    fn values_that_are_not_text_are_compared_too() {
        assert!(!Form::Prefix(text("a")).holds(b"\xffa"));
        assert!(Form::Suffix(text("a")).holds(b"\xffa"));
        assert!(Form::Contains(Needle::new(text("a"))).holds(b"\xffa\xff"));
    }

    #[test]
    fn a_test_prints_as_a_person_would_say_it() {
        for (test, shown) in [
            (ValueTest::Present(true), "present"),
            (ValueTest::Present(false), "not present"),
            (ValueTest::Is(Form::Exact(text("premium"))), "exact `premium`"),
            (ValueTest::IsNot(Form::Prefix(loud("eu-"))), "not prefix `eu-` (ignoring case)"),
            (ValueTest::Is(regex("v[12]", false)), "regex `v[12]`"),
            (ValueTest::Is(cohort(&["a", "b"], false)), "in `a`, `b`"),
            (
                ValueTest::IsNot(cohort(&["a", "b", "c", "d"], true)),
                "not in `a`, `b`, `c` and 1 more (ignoring case)",
            ),
            (ValueTest::Is(range(18, 65)), "range from 18 to 65"),
        ] {
            assert_eq!(test.to_string(), shown);
        }
    }
}
