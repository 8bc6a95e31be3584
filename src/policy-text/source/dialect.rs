//! What a scalar without quotes means, by who reads it. A policy file is YAML 1.2; a manifest goes through kubectl
//! (`sigs.k8s.io/yaml`, that is go-yaml 2, then JSON), and Envoy's own files through yaml-cpp into a
//! `google.protobuf.Struct`. Both of these know YAML 1.1, and not the same parts of it:
//!
//! | written | policy file | kubectl (and Istio, Helm, Argo CD) | Envoy, in a Struct |
//! |---|---|---|---|
//! | `true`, `False`, `NULL`, `~` | boolean, null | the same | the same |
//! | `yes`, `No`, `on`, `OFF`, `y`, `N` | text | boolean | boolean |
//! | `010`, `-010` | 10, -10 | 8, -8 | refused: 8 or 10 |
//! | `08` | 8 | 8 | refused: a text or 8 |
//! | `0o10` | 8 | 8 | refused: a text or 8 |
//! | `-0o10`, `0O10` | text | -8, 8 | text |
//! | `0b11`, `-0b11` | text | 3, -3 | text |
//! | `0x1F` | 31 | 31 | 31 |
//! | `0X1F`, `-0x1F`, `+0x1F` | text | 31, -31, 31 | refused: a text or a number |
//! | `1_000`, `0x1_F` | text | 1000, 31 | text |
//! | `12:30`, `1:30:00` (base 60) | text | text | text |
//! | `2026-11-20` | text | text | text |
//! | `5.0`, `.5`, `1e3` | number | number | refused: a text or a number |
//! | `1e400`, `5e` | infinite, text | text | refused, text |
//! | `.inf`, `.nan` | number that no field takes | not accepted | refused: a text |
//! | `2147483648` and beyond | number | number | text |
//! | 2^63 and beyond | the nearest double | the nearest double | text |
//! | `!!str 5` | text | text | refused: 5 |
//! | `{<<: *x, a: 1}` | a field `<<`, which no policy has | the fields of `x` too | a field `<<` |
//! | `{a: 1, <<: *x}` where `x` has an `a` | the same | refused: go-yaml takes that of `x`, YAML 1.1 the other | the same |
//! | `{yes: 1, 010: 2}` | texts | `true`, `8` | texts |
//! | `{a: 1, a: 2}` | refused | refused (kubectl: the last) | refused (Envoy: the last) |
//!
//! Where Envoys differ among themselves (1.40 has an older yaml-cpp than later ones) there is no reading to take, and the policy is
//! refused. What kubectl does was tried with kubectl 1.32, what Envoy does with 1.40.

use engine::policy::Value;

/// Who reads a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Ours: YAML 1.2 with its core schema.
    Policy,
    /// kubectl, and what is built of the same parts.
    Kubernetes,
    /// Envoy, of a file in YAML.
    Envoy,
}

/// What there is to say about a scalar that is not read alike by all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Doubt {
    /// There is no reading to take.
    pub(super) refused: bool,
    pub(super) message: String,
    pub(super) help: String,
}

impl Dialect {
    /// What a scalar without quotes means.
    pub(super) fn plain(self, text: &str) -> Value {
        match self {
            Self::Policy => core(text),
            Self::Kubernetes => kubernetes(text),
            Self::Envoy => envoy(text).unwrap_or_else(|| core(text)),
        }
    }

    /// What there is to say about a scalar without quotes.
    pub(super) fn doubt(self, text: &str) -> Option<Doubt> {
        let (ours, theirs) = (core(text), self.plain(text));
        let quotes = "put it in quotes where a text is meant";
        let (refused, message, help) = match self {
            Self::Policy => {
                let theirs = kubernetes(text);
                if same(&ours, &theirs) {
                    return None;
                }
                let (here, there) = (described(&ours), described(&theirs));
                let message = format!(
                    "`{text}` is {here} here, and {there} in YAML 1.1, which kubectl reads"
                );
                let help = match &ours {
                    Value::String(_) => format!("put it in quotes: \"{text}\""),
                    number => format!("write `{number}`, or {quotes}"),
                };
                (false, message, help)
            }
            Self::Envoy if envoy(text).is_none() => (
                true,
                format!("some releases of Envoy read `{text}` as a text, others as a number"),
                format!(
                    "{quotes}; numbers in plain digits are read alike, and JSON in a StringValue, as `splitctl render envoy` writes it, is read as it stands"
                ),
            ),
            Self::Kubernetes | Self::Envoy => {
                if same(&ours, &theirs) {
                    return None;
                }
                let reader = if self == Self::Envoy { "Envoy" } else { "kubectl" };
                let message = format!("{reader} reads `{text}` as {}", described(&theirs));
                let help = match &theirs {
                    Value::String(_) => "put it in quotes; a number of this size needs JSON in a StringValue, as `splitctl render envoy` writes it".to_owned(),
                    value => format!("write `{value}`, or {quotes}"),
                };
                (false, message, help)
            }
        };
        Some(Doubt { refused, message, help })
    }
}

/// Whether a scalar without quotes is a text, whoever reads it.
pub(super) fn reads_as_text(text: &str) -> bool {
    let is_text = |value: Option<Value>| matches!(value, Some(Value::String(_)));
    [Some(core(text)), Some(kubernetes(text)), envoy(text)].into_iter().all(is_text)
}

/// Whether two readings are one: 8 and 8.0 are.
fn same(a: &Value, b: &Value) -> bool {
    let number = |value: &Value| match value {
        Value::Integer(n) => Some(*n as f64),
        Value::Float(n) => Some(*n),
        _ => None,
    };
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a == b || (a.is_nan() && b.is_nan()),
        _ => a == b,
    }
}

fn described(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => format!("the boolean `{value}`"),
        Value::Integer(_) | Value::Float(_) => format!("the number `{value}`"),
        _ => "a text".to_owned(),
    }
}

/// The core schema: what a scalar without quotes means in a policy file.
fn core(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        _ => {}
    }
    let radix = |prefix, radix| {
        text.strip_prefix(prefix)
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_alphanumeric()))
            .and_then(|digits| i64::from_str_radix(digits, radix).ok())
    };
    if let Some(number) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return Value::Integer(number);
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        let negative = text.starts_with('-');
        return Value::Float(if negative { f64::NEG_INFINITY } else { f64::INFINITY });
    }
    // What Rust reads as a number beyond the schema are words (inf, nan), which begin with a letter.
    let begins_as_number = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let has_digit = unsigned.bytes().any(|b| b.is_ascii_digit());
    if begins_as_number && has_digit {
        if let Ok(number) = text.parse() {
            return Value::Integer(number);
        }
        if let Ok(number) = text.parse() {
            return Value::Float(number);
        }
    }
    Value::String(text.to_owned())
}

/// The booleans of YAML 1.1 beyond those of 1.2, in the three spellings of each.
fn old_boolean(text: &str) -> Option<bool> {
    let spelt = |word: &str| {
        let capital = word
            .chars()
            .next()
            .is_some_and(|first| text.strip_prefix(first.to_ascii_uppercase()) == word.get(1..));
        text == word || text == word.to_ascii_uppercase() || capital
    };
    match text {
        _ if ["y", "yes", "on"].into_iter().any(spelt) => Some(true),
        _ if ["n", "no", "off"].into_iter().any(spelt) => Some(false),
        _ => None,
    }
}

/// go-yaml 2, as its source and kubectl show it.
fn kubernetes(text: &str) -> Value {
    if let Some(value) = old_boolean(text) {
        return Value::Bool(value);
    }
    let own = core(text);
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(own, Value::Null | Value::Bool(_))
        || matches!(unsigned, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN")
    {
        return own;
    }
    let is_text = || Value::String(text.to_owned());
    // What begins with a point is a decimal without underscores.
    if text.starts_with('.') {
        return decimal(text).unwrap_or_else(is_text);
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+')) {
        return is_text();
    }
    let joined = text.replace('_', "");
    whole(&joined).or_else(|| decimal(&joined)).unwrap_or_else(is_text)
}

/// A whole number by its prefix, as Go's `ParseInt` has it with base 0.
fn whole(text: &str) -> Option<Value> {
    let negative = text.starts_with('-');
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let prefixed = |prefixes: [&str; 2], radix| {
        let digits = prefixes.into_iter().find_map(|prefix| unsigned.strip_prefix(prefix))?;
        Some((digits, radix))
    };
    let (digits, radix) = prefixed(["0x", "0X"], 16)
        .or_else(|| prefixed(["0b", "0B"], 2))
        .or_else(|| prefixed(["0o", "0O"], 8))
        .or_else(|| {
            unsigned.strip_prefix('0').filter(|rest| !rest.is_empty()).map(|rest| (rest, 8))
        })
        .unwrap_or((unsigned, 10));
    if !digits.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let number = i128::from_str_radix(digits, radix).ok()?;
    let number = if negative { number.checked_neg()? } else { number };
    match i64::try_from(number) {
        Ok(number) => Some(Value::Integer(number)),
        Err(_) => u64::try_from(number).ok().map(|number| Value::Float(number as f64)),
    }
}

/// `5.0`, `5.`, `.5`, `5e3`, with a sign or none, if it fits a double.
fn decimal(text: &str) -> Option<Value> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let number: f64 = text.parse().ok()?;
    // Rust reads words, too: inf, nan.
    (unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') && number.is_finite())
        .then_some(Value::Float(number))
}

/// yaml-cpp as Envoy uses it; `None` where its releases differ.
fn envoy(text: &str) -> Option<Value> {
    if let Some(value) = old_boolean(text) {
        return Some(Value::Bool(value));
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let in_struct = |number: i128| match i32::try_from(number) {
        Ok(number) => Value::Integer(number.into()),
        // Envoy hands larger ones on as texts.
        Err(_) => Value::String(number.to_string()),
    };
    if digits(unsigned) {
        let plain = unsigned == "0" || !unsigned.starts_with('0');
        let beyond = || Value::String(text.to_owned());
        return plain.then(|| match text.parse::<i64>() {
            Ok(number) => in_struct(number.into()),
            Err(_) => beyond(),
        });
    }
    if let Some(digits) = text.strip_prefix("0x").filter(|digits| is_of(digits, 16)) {
        return i64::from_str_radix(digits, 16).ok().map(|number| in_struct(number.into()));
    }
    let prefixed = |prefix, radix| unsigned.strip_prefix(prefix).is_some_and(|d| is_of(d, radix));
    let is_infinite = matches!(unsigned, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN");
    if prefixed("0x", 16)
        || prefixed("0X", 16)
        || text.strip_prefix("0o").is_some_and(|d| is_of(d, 8))
    {
        return None;
    }
    if is_infinite || matches!(core(text), Value::Float(_)) {
        return None;
    }
    Some(core(text))
}

fn is_of(digits: &str, radix: u32) -> bool {
    !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::String(text.to_owned())
    }

    /// The rows of the table above. A reading of `None` is refused.
    #[test]
    fn each_reader_reads_as_the_table_says() {
        use Value::{Bool, Float, Integer, Null};
        for (written, policy, kubectl, envoy_reads) in [
            ("True", Bool(true), Bool(true), Some(Bool(true))),
            ("False", Bool(false), Bool(false), Some(Bool(false))),
            ("~", Null, Null, Some(Null)),
            ("NULL", Null, Null, Some(Null)),
            ("tRue", text("tRue"), text("tRue"), Some(text("tRue"))),
            ("yes", text("yes"), Bool(true), Some(Bool(true))),
            ("yEs", text("yEs"), text("yEs"), Some(text("yEs"))),
            ("No", text("No"), Bool(false), Some(Bool(false))),
            ("NO", text("NO"), Bool(false), Some(Bool(false))),
            ("on", text("on"), Bool(true), Some(Bool(true))),
            ("OFF", text("OFF"), Bool(false), Some(Bool(false))),
            ("y", text("y"), Bool(true), Some(Bool(true))),
            ("N", text("N"), Bool(false), Some(Bool(false))),
            ("010", Integer(10), Integer(8), None),
            ("-010", Integer(-10), Integer(-8), None),
            ("+010", Integer(10), Integer(8), None),
            ("07_7", text("07_7"), Integer(63), Some(text("07_7"))),
            ("0", Integer(0), Integer(0), Some(Integer(0))),
            ("00", Integer(0), Integer(0), None),
            ("08", Integer(8), Float(8.0), None),
            ("0o10", Integer(8), Integer(8), None),
            ("0o8", text("0o8"), text("0o8"), Some(text("0o8"))),
            ("-0o10", text("-0o10"), Integer(-8), Some(text("-0o10"))),
            ("0O10", text("0O10"), Integer(8), Some(text("0O10"))),
            ("0b11", text("0b11"), Integer(3), Some(text("0b11"))),
            ("-0b11", text("-0b11"), Integer(-3), Some(text("-0b11"))),
            ("0b2", text("0b2"), text("0b2"), Some(text("0b2"))),
            ("0x1F", Integer(31), Integer(31), Some(Integer(31))),
            ("0X1F", text("0X1F"), Integer(31), None),
            ("-0x1F", text("-0x1F"), Integer(-31), None),
            ("+0x1F", text("+0x1F"), Integer(31), None),
            ("0x", text("0x"), text("0x"), Some(text("0x"))),
            ("1_000", text("1_000"), Integer(1000), Some(text("1_000"))),
            ("1_000.5", text("1_000.5"), Float(1000.5), Some(text("1_000.5"))),
            ("_1", text("_1"), text("_1"), Some(text("_1"))),
            ("0x1_F", text("0x1_F"), Integer(31), Some(text("0x1_F"))),
            ("12:30", text("12:30"), text("12:30"), Some(text("12:30"))),
            ("1:30:00", text("1:30:00"), text("1:30:00"), Some(text("1:30:00"))),
            (
                "190:20:30.15",
                text("190:20:30.15"),
                text("190:20:30.15"),
                Some(text("190:20:30.15")),
            ),
            ("2026-11-20", text("2026-11-20"), text("2026-11-20"), Some(text("2026-11-20"))),
            ("5", Integer(5), Integer(5), Some(Integer(5))),
            ("+5", Integer(5), Integer(5), Some(Integer(5))),
            ("5.0", Float(5.0), Float(5.0), None),
            ("1.10", Float(1.1), Float(1.1), None),
            ("5.", Float(5.0), Float(5.0), None),
            (".5", Float(0.5), Float(0.5), None),
            ("-.5", Float(-0.5), Float(-0.5), None),
            ("1e3", Float(1000.0), Float(1000.0), None),
            ("1e", text("1e"), text("1e"), Some(text("1e"))),
            ("1e400", Float(f64::INFINITY), text("1e400"), None),
            (".inf", Float(f64::INFINITY), Float(f64::INFINITY), None),
            ("-.INF", Float(f64::NEG_INFINITY), Float(f64::NEG_INFINITY), None),
            ("inf", text("inf"), text("inf"), Some(text("inf"))),
            ("1.2.3", text("1.2.3"), text("1.2.3"), Some(text("1.2.3"))),
            (".", text("."), text("."), Some(text("."))),
            ("+", text("+"), text("+"), Some(text("+"))),
            (
                "2147483647",
                Integer(2_147_483_647),
                Integer(2_147_483_647),
                Some(Integer(2_147_483_647)),
            ),
            (
                "2147483648",
                Integer(2_147_483_648),
                Integer(2_147_483_648),
                Some(text("2147483648")),
            ),
            (
                "0x80000000",
                Integer(2_147_483_648),
                Integer(2_147_483_648),
                Some(text("2147483648")),
            ),
            (
                "-2147483649",
                Integer(-2_147_483_649),
                Integer(-2_147_483_649),
                Some(text("-2147483649")),
            ),
            (
                "9223372036854775808",
                Float(2_f64.powi(63)),
                Float(2_f64.powi(63)),
                Some(text("9223372036854775808")),
            ),
            (
                "100000000000000000000",
                Float(1e20),
                Float(1e20),
                Some(text("100000000000000000000")),
            ),
            ("=", text("="), text("="), Some(text("="))),
            ("", Null, Null, Some(Null)),
        ] {
            assert_eq!(Dialect::Policy.plain(written), policy, "a policy file, {written}");
            assert_eq!(Dialect::Kubernetes.plain(written), kubectl, "kubectl, {written}");
            assert_eq!(envoy(written), envoy_reads, "Envoy, {written}");
            let refused = Dialect::Envoy.doubt(written).is_some_and(|doubt| doubt.refused);
            assert_eq!(refused, envoy_reads.is_none(), "{written}");
            let differs = !same(&policy, &kubectl);
            assert_eq!(Dialect::Policy.doubt(written).is_some(), differs, "{written}");
            assert_eq!(Dialect::Kubernetes.doubt(written).is_some(), differs, "{written}");
        }
    }

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        for (text, value) in [
            ("5", Value::Integer(5)),
            ("-5", Value::Integer(-5)),
            ("+5", Value::Integer(5)),
            ("010", Value::Integer(10)),
            ("0x1F", Value::Integer(31)),
            ("0o17", Value::Integer(15)),
            ("5.0", Value::Float(5.0)),
            ("5.", Value::Float(5.0)),
            (".5", Value::Float(0.5)),
            ("5e0", Value::Float(5.0)),
            ("99999999999999999999", Value::Float(1e20)),
            ("-.inf", Value::Float(f64::NEG_INFINITY)),
            ("true", Value::Bool(true)),
            ("~", Value::Null),
            ("", Value::Null),
            ("null", Value::Null),
        ] {
            assert_eq!(core(text), value, "{text}");
        }
    }

    #[test]
    fn words_that_only_look_like_other_types_are_texts() {
        for text in [
            "yes", "on", "no", "inf", "nan", "infinity", "0x", "0o8", "0x-1", "1_000", "1.2.3",
            ".", "e5", "-",
        ] {
            assert_eq!(core(text), Value::String(text.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_doubt_says_who_reads_what() {
        let said = |dialect: Dialect, text| {
            let Doubt { message, help, .. } = dialect.doubt(text).unwrap();
            format!("{message}; {help}")
        };
        assert_eq!(
            said(Dialect::Policy, "NO"),
            "`NO` is a text here, and the boolean `false` in YAML 1.1, which kubectl reads; put it in quotes: \"NO\""
        );
        assert_eq!(
            said(Dialect::Policy, "010"),
            "`010` is the number `10` here, and the number `8` in YAML 1.1, which kubectl reads; write `10`, or put it in quotes where a text is meant"
        );
        assert_eq!(
            said(Dialect::Kubernetes, "010"),
            "kubectl reads `010` as the number `8`; write `8`, or put it in quotes where a text is meant"
        );
        assert!(said(Dialect::Envoy, "on").starts_with("Envoy reads `on` as the boolean `true`"));
        assert!(
            said(Dialect::Envoy, "3000000000").starts_with("Envoy reads `3000000000` as a text")
        );
        assert!(said(Dialect::Envoy, "0.5").starts_with("some releases of Envoy read `0.5`"));
    }
}
