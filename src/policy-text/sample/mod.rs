//! Values that meet a test, for requests that are made to be tried out.

mod pattern;

use engine::matching::{Form, NumberRange, PathPattern, ValueTest};

/// A value that meets the test; `None` where only absence does, or where none could be derived.
pub fn value(test: &ValueTest) -> Option<Vec<u8>> {
    let candidates = match test {
        ValueTest::Present(true) => vec!["1".into()],
        ValueTest::Present(false) => Vec::new(),
        ValueTest::Is(form) => of_form(form).into_iter().collect(),
        // Most values are not of a form; one of these is not.
        ValueTest::IsNot(_) => ["other", "1", "0", "-", ""].map(String::from).into(),
    };
    let met = candidates.into_iter().find(|value| test.holds(Some(value.as_bytes())));
    met.map(String::into_bytes)
}

/// A path that meets the pattern; `None` where none could be derived.
pub fn path(pattern: &PathPattern) -> Option<String> {
    match pattern {
        PathPattern::Regex(pattern) => {
            pattern::sample(pattern).filter(|path| path.starts_with('/'))
        }
        PathPattern::Exact(path) | PathPattern::Prefix(path) | PathPattern::RawPrefix(path) => {
            Some(path.to_string())
        }
    }
}

fn of_form(form: &Form) -> Option<String> {
    match form {
        Form::Exact(text) | Form::Prefix(text) | Form::Suffix(text) => Some(text.as_str().into()),
        Form::Contains(needle) => Some(needle.text().as_str().into()),
        Form::Regex(pattern) => pattern::sample(pattern),
        Form::In(cohort) => cohort.iter().next().map(str::to_owned),
        Form::Range(NumberRange { from: Some(from), .. }) => Some(from.to_string()),
        Form::Range(NumberRange { to, .. }) => {
            Some(to.map_or(0, |to| to.saturating_sub(1)).to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::matching::{Cohort, Needle, Pattern, Text};

    use super::*;

    #[test]
    fn a_sample_meets_its_test() {
        let text = || Text::new("Ab", true);
        let pattern = Pattern::parse("v[12]", false).unwrap();
        let cohort = Cohort::new(&["u2", "u1"], false).unwrap().0;
        for (form, sample) in [
            (Form::Exact(text()), "Ab"),
            (Form::Prefix(text()), "Ab"),
            (Form::Suffix(text()), "Ab"),
            (Form::Contains(Needle::new(text())), "Ab"),
            (Form::Regex(pattern), "v1"),
            (Form::In(cohort), "u2"),
            (Form::Range(NumberRange { from: Some(18), to: Some(19) }), "18"),
            (Form::Range(NumberRange { from: None, to: Some(-3) }), "-4"),
        ] {
            assert_eq!(value(&ValueTest::Is(form.clone())).unwrap(), sample.as_bytes());
            let other = value(&ValueTest::IsNot(form)).unwrap();
            assert_eq!(other, b"other");
        }
        assert_eq!(value(&ValueTest::Present(true)).unwrap(), b"1");
        assert_eq!(value(&ValueTest::Present(false)), None);
    }

    #[test]
    fn what_everything_meets_has_no_sample_that_does_not() {
        let all = Pattern::parse("(?s).*", false).unwrap();
        assert_eq!(value(&ValueTest::IsNot(Form::Regex(all))), None);
        let words = Pattern::parse("[a-z]*", false).unwrap();
        assert_eq!(value(&ValueTest::IsNot(Form::Regex(words))).unwrap(), b"1");
    }

    #[test]
    fn paths_have_samples() {
        let regex = |text| PathPattern::Regex(Pattern::parse(text, false).unwrap());
        assert_eq!(path(&regex("/v[12]/.*")).as_deref(), Some("/v1/"));
        assert_eq!(path(&regex("v[12]")), None);
        assert_eq!(path(&PathPattern::RawPrefix("/v".into())).as_deref(), Some("/v"));
    }
}
