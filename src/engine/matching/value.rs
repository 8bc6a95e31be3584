//! Tests of one value: a header's now, cookies and query parameters alike.

/// A test of a value as bytes, case-sensitive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueTest {
    /// Equal to this.
    Exact(Box<[u8]>),
    /// Begins with this.
    Prefix(Box<[u8]>),
    /// Sent at all (`true`) or not sent (`false`).
    Present(bool),
    /// Equal to one of these, which are sorted.
    In(Vec<Box<[u8]>>),
}

impl ValueTest {
    /// A test for membership; sorts the values, so that one look-up is a binary search.
    pub fn one_of(mut values: Vec<Box<[u8]>>) -> Self {
        values.sort_unstable();
        values.dedup();
        Self::In(values)
    }

    /// Whether the value (`None` where it was not sent) meets the test. A value that was not sent
    /// meets nothing but `present: false`.
    pub fn holds(&self, value: Option<&[u8]>) -> bool {
        match (self, value) {
            (Self::Present(wanted), value) => value.is_some() == *wanted,
            (_, None) => false,
            (Self::Exact(exact), Some(value)) => value == &**exact,
            (Self::Prefix(prefix), Some(value)) => value.starts_with(prefix),
            (Self::In(values), Some(value)) => {
                values.binary_search_by(|v| (**v).cmp(value)).is_ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Box<[u8]> {
        text.as_bytes().into()
    }

    #[test]
    fn tests_hold_for_values() {
        let beta = || ValueTest::one_of(vec![bytes("u2"), bytes("u1"), bytes("u2")]);
        for (test, value, holds) in [
            (ValueTest::Exact(bytes("a")), Some("a"), true),
            (ValueTest::Exact(bytes("a")), Some("A"), false),
            (ValueTest::Exact(bytes("")), None, false),
            (ValueTest::Exact(bytes("")), Some(""), true),
            (ValueTest::Prefix(bytes("ab")), Some("abc"), true),
            (ValueTest::Prefix(bytes("ab")), Some("a"), false),
            (ValueTest::Present(true), Some(""), true),
            (ValueTest::Present(true), None, false),
            (ValueTest::Present(false), None, true),
            (ValueTest::Present(false), Some("x"), false),
            (beta(), Some("u1"), true),
            (beta(), Some("u3"), false),
            (beta(), None, false),
        ] {
            assert_eq!(test.holds(value.map(str::as_bytes)), holds, "{test:?} {value:?}");
        }
    }

    #[test]
    fn values_that_are_not_text_are_compared_too() {
        assert!(ValueTest::Exact(b"\xff".as_slice().into()).holds(Some(b"\xff")));
        assert!(!ValueTest::Prefix(bytes("a")).holds(Some(b"\xffa")));
    }
}
