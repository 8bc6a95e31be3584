//! Conditions that no request can meet together.

use super::{Form, HostPattern, Match, NamedTest, PathPattern, Text, ValueTest};

/// Whether no request is as both match lists want it; `None` is a list that every request meets.
/// `false` where that is not certain: regular expressions, addresses and what shows only when three
/// conditions or more are taken together are not looked into.
pub fn exclude_each_other(a: Option<&[Match]>, b: Option<&[Match]>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return false };
    a.iter().all(|a| b.iter().all(|b| entries_exclude_each_other(a, b)))
}

fn entries_exclude_each_other(a: &Match, b: &Match) -> bool {
    let none_in_common = |a: &[String], b: &[String]| {
        !a.is_empty() && !b.is_empty() && !a.iter().any(|method| b.contains(method))
    };
    let hosts_apart = !a.hosts.is_empty()
        && !b.hosts.is_empty()
        && !a.hosts.iter().any(|a| b.hosts.iter().any(|b| hosts_meet(a, b)));
    let paths_apart = matches!((&a.path, &b.path), (Some(a), Some(b)) if !paths_meet(a, b));
    let conflict = |a: &[NamedTest], b: &[NamedTest]| first_conflict(&[a, b].concat()).is_some();
    hosts_apart
        || paths_apart
        || none_in_common(&a.methods, &b.methods)
        || conflict(&a.headers, &b.headers)
        || conflict(&a.cookies, &b.cookies)
        || conflict(&a.query, &b.query)
}

fn hosts_meet(a: &HostPattern, b: &HostPattern) -> bool {
    match (a, b) {
        (HostPattern::Any, _) | (_, HostPattern::Any) => true,
        (HostPattern::Exact(host), pattern) | (pattern, HostPattern::Exact(host)) => {
            pattern.matches(host.as_bytes())
        }
        (HostPattern::Below(a), HostPattern::Below(b)) => a.ends_with(&**b) || b.ends_with(&**a),
    }
}

fn paths_meet(a: &PathPattern, b: &PathPattern) -> bool {
    match (a, b) {
        (PathPattern::Exact(path), pattern) | (pattern, PathPattern::Exact(path)) => {
            pattern.matches(path.as_bytes())
        }
        (PathPattern::Regex(_), _) | (_, PathPattern::Regex(_)) => true,
        (PathPattern::RawPrefix(raw), PathPattern::Prefix(prefix))
        | (PathPattern::Prefix(prefix), PathPattern::RawPrefix(raw)) => {
            let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
            raw.starts_with(prefix) || prefix.starts_with(&**raw)
        }
        (a, b) => a.matches(b.as_str().as_bytes()) || b.matches(a.as_str().as_bytes()),
    }
}

/// The indexes of two tests of one name that no value meets together, the earlier one first. Conflicts that show
/// only when three tests or more are taken together are not looked for, nor is what regular expressions have in
/// common.
pub fn first_conflict(tests: &[NamedTest]) -> Option<(usize, usize)> {
    tests.iter().enumerate().find_map(|(later, test)| {
        let before = tests.iter().take(later);
        let earlier = before.enumerate().find(|(_, earlier)| {
            earlier.name == test.name && tests_exclude_each_other(&earlier.test, &test.test)
        });
        earlier.map(|(earlier, _)| (earlier, later))
    })
}

fn tests_exclude_each_other(a: &ValueTest, b: &ValueTest) -> bool {
    use ValueTest::{Is, IsNot, Present};
    match (a, b) {
        (Present(false), Present(false)) => false,
        (Present(false), _) | (_, Present(false)) => true,
        (Present(true), _) | (_, Present(true)) | (IsNot(_), IsNot(_)) => false,
        (Is(a), Is(b)) => are_apart(a, b),
        (Is(is), IsNot(is_not)) | (IsNot(is_not), Is(is)) => is_part_of(is, is_not),
    }
}

/// Whether no value is of both forms. `false` where that is not certain.
fn are_apart(a: &Form, b: &Form) -> bool {
    let fold = a.ignores_case() || b.ignores_case();
    match (a, b) {
        (Form::Prefix(a), Form::Prefix(b)) => !either(a, b, fold, Text::begins),
        (Form::Suffix(a), Form::Suffix(b)) => !either(a, b, fold, Text::ends),
        (Form::Range(a), Form::Range(b)) => a.is_apart_from(b),
        _ => none_of(a, b) || none_of(b, a),
    }
}

/// Whether values can be listed and none of them is of the other form.
fn none_of(values: &Form, form: &Form) -> bool {
    !sees_finer(form, values)
        && listed(values).is_some_and(|mut list| list.all(|value| !form.holds(value.as_bytes())))
}

/// Whether every value of the first form is of the second. `false` where that is not certain.
fn is_part_of(part: &Form, whole: &Form) -> bool {
    if part == whole {
        return true;
    }
    match (part, whole) {
        _ if sees_finer(whole, part) => false,
        (Form::Prefix(part), Form::Prefix(whole)) => whole.begins(part.as_str().as_bytes()),
        (Form::Suffix(part), Form::Suffix(whole)) => whole.ends(part.as_str().as_bytes()),
        _ => listed(part).is_some_and(|mut list| list.all(|value| whole.holds(value.as_bytes()))),
    }
}

/// Whether the first form tells apart what is one value to the second: `a` and `A`.
fn sees_finer(form: &Form, values: &Form) -> bool {
    // Numbers have no case.
    values.ignores_case() && !form.ignores_case() && !matches!(form, Form::Range(_))
}

/// The values of a form that has so few that they are written down.
fn listed(form: &Form) -> Option<Box<dyn Iterator<Item = &str> + '_>> {
    match form {
        Form::Exact(text) => Some(Box::new(std::iter::once(text.as_str()))),
        Form::In(cohort) => Some(Box::new(cohort.iter())),
        _ => None,
    }
}

/// Whether one of the texts is at that end of the other.
fn either(a: &Text, b: &Text, fold: bool, is_at_end: fn(&Text, &[u8]) -> bool) -> bool {
    let at_end = |short: &Text, long: &Text| {
        is_at_end(&Text::new(short.as_str(), fold), long.as_str().as_bytes())
    };
    at_end(a, b) || at_end(b, a)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matching::{Cohort, Needle, NumberRange, Pattern};

    fn text(text: &str) -> Text {
        // In these tests a capital letter says that case is ignored.
        Text::new(text, text.contains(|c: char| c.is_ascii_uppercase()))
    }

    fn exact(value: &str) -> Form {
        Form::Exact(text(value))
    }

    fn prefix(value: &str) -> Form {
        Form::Prefix(text(value))
    }

    fn suffix(value: &str) -> Form {
        Form::Suffix(text(value))
    }

    fn contains(value: &str) -> Form {
        Form::Contains(Needle::new(text(value)))
    }

    fn one_of(values: &[&str]) -> Form {
        let ignore_case = values.concat().contains(|c: char| c.is_ascii_uppercase());
        Form::In(Cohort::new(values, ignore_case).unwrap().0)
    }

    fn range(from: i64, to: i64) -> Form {
        Form::Range(NumberRange { from: Some(from), to: Some(to) })
    }

    fn regex(text: &str) -> Form {
        Form::Regex(Pattern::parse(text, false).unwrap())
    }

    #[test]
    fn forms_are_apart_where_no_value_is_of_both() {
        for (a, b, apart) in [
            (exact("a"), exact("b"), true),
            (exact("a"), exact("a"), false),
            (exact("a"), exact("A"), false),
            (exact("b"), exact("A"), true),
            (exact("A"), exact("B"), true),
            (exact("eu-1"), prefix("eu-"), false),
            (exact("us-1"), prefix("eu-"), true),
            (exact("US-1"), prefix("us-"), false),
            (exact("a"), regex("[b-d]"), true),
            (exact("a"), contains("b"), true),
            (exact("17"), range(18, 65), true),
            (exact("18"), range(18, 65), false),
            (exact("AB"), range(18, 65), true),
            (one_of(&["a", "b"]), one_of(&["c", "b"]), false),
            (one_of(&["a", "b"]), one_of(&["c", "d"]), true),
            (one_of(&["a", "b"]), exact("c"), true),
            (one_of(&["A", "b"]), exact("B"), false),
            (one_of(&["A", "b"]), exact("a"), false),
            (prefix("eu-"), prefix("us-"), true),
            (prefix("eu-"), prefix("eu-west"), false),
            (prefix("EU-"), prefix("eu-west"), false),
            (suffix("-1"), suffix("-2"), true),
            (suffix("-1"), suffix("eu-1"), false),
            (range(0, 5), range(5, 9), true),
            (range(0, 5), range(4, 9), false),
            (prefix("a"), suffix("b"), false),
            (regex("a"), regex("b"), false),
            (contains("a"), contains("b"), false),
        ] {
            assert_eq!((are_apart(&a, &b), are_apart(&b, &a)), (apart, apart), "{a}, {b}");
        }
    }

    #[test]
    fn a_form_is_part_of_another_that_has_all_its_values() {
        for (part, whole, is_part) in [
            (exact("a"), exact("a"), true),
            (exact("a"), exact("b"), false),
            (exact("a"), exact("A"), true),
            (exact("A"), exact("a"), false),
            (exact("eu-1"), prefix("eu-"), true),
            (one_of(&["a", "b"]), one_of(&["a", "b", "c"]), true),
            (one_of(&["a", "d"]), one_of(&["a", "b", "c"]), false),
            (prefix("eu-west"), prefix("eu-"), true),
            (prefix("eu-"), prefix("eu-west"), false),
            (prefix("EU-WEST"), prefix("eu-"), false),
            (suffix("eu-1"), suffix("-1"), true),
            (regex("a+"), regex("a+"), true),
            (range(0, 5), range(0, 5), true),
            (exact("5"), range(0, 5), false),
        ] {
            assert_eq!(is_part_of(&part, &whole), is_part, "{part}, {whole}");
        }
    }

    #[test]
    fn conflicts_are_found_between_tests_of_one_name() {
        use ValueTest::{Is, IsNot, Present};
        let named = |name: &str, test| NamedTest { name: name.into(), test };
        for (tests, conflict) in [
            (vec![named("a", Present(false)), named("a", Is(exact("x")))], Some((0, 1))),
            (vec![named("a", Present(false)), named("a", IsNot(exact("x")))], Some((0, 1))),
            (vec![named("a", Present(true)), named("a", Present(false))], Some((0, 1))),
            (vec![named("a", Present(false)), named("a", Present(false))], None),
            (vec![named("a", Present(false)), named("b", Is(exact("x")))], None),
            (vec![named("a", Present(true)), named("a", Is(exact("x")))], None),
            (
                vec![
                    named("b", Is(exact("x"))),
                    named("a", Is(exact("x"))),
                    named("a", Is(exact("y"))),
                ],
                Some((1, 2)),
            ),
            (vec![named("a", Is(prefix("x"))), named("a", IsNot(prefix("x")))], Some((0, 1))),
            (vec![named("a", Is(prefix("x"))), named("a", IsNot(exact("x")))], None),
            (vec![named("a", IsNot(exact("x"))), named("a", IsNot(exact("y")))], None),
            (vec![], None),
        ] {
            assert_eq!(first_conflict(&tests), conflict, "{tests:?}");
        }
    }

    #[test]
    fn match_lists_exclude_each_other_where_no_request_meets_both() {
        let entry = |hosts: &[&str], path: Option<PathPattern>, methods: &[&str]| Match {
            hosts: hosts.iter().map(|host| HostPattern::parse(host).unwrap()).collect(),
            path,
            methods: methods.iter().map(|method| (*method).to_owned()).collect(),
            ..Match::default()
        };
        let host = |hosts: &[&str]| entry(hosts, None, &[]);
        let prefix = |path: &str| entry(&[], Some(PathPattern::Prefix(path.into())), &[]);
        let raw = |path: &str| entry(&[], Some(PathPattern::RawPrefix(path.into())), &[]);
        let exactly = |path: &str| entry(&[], Some(PathPattern::Exact(path.into())), &[]);
        let tier = |value: &str| Match {
            headers: vec![NamedTest { name: "x-tier".into(), test: ValueTest::Is(exact(value)) }],
            ..Match::default()
        };
        for (a, b, apart) in [
            (host(&["a.test"]), host(&["b.test"]), true),
            (host(&["a.test", "b.test"]), host(&["b.test"]), false),
            (host(&["*.test"]), host(&["b.test"]), false),
            (host(&["*.a.test"]), host(&["*.test"]), false),
            (host(&["*.a.test"]), host(&["*.b.test"]), true),
            (host(&["*"]), host(&["b.test"]), false),
            (host(&["a.test"]), prefix("/x"), false),
            (prefix("/x"), prefix("/y"), true),
            (prefix("/x"), prefix("/x/y"), false),
            (prefix("/x"), exactly("/xy"), true),
            (prefix("/x/"), raw("/x"), false),
            (prefix("/x"), raw("/y"), true),
            (raw("/x"), raw("/xy"), false),
            (entry(&[], None, &["GET"]), entry(&[], None, &["PUT"]), true),
            (entry(&[], None, &["GET"]), entry(&[], None, &["PUT", "GET"]), false),
            (tier("a"), tier("b"), true),
            (tier("a"), Match::default(), false),
        ] {
            let (a, b) = (vec![a], vec![b]);
            assert_eq!(exclude_each_other(Some(&a), Some(&b)), apart, "{a:?} {b:?}");
            assert_eq!(exclude_each_other(Some(&b), Some(&a)), apart, "{a:?} {b:?}");
            assert!(!exclude_each_other(None, Some(&b)));
        }
    }
}
