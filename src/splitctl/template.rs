//! Texts with places to fill, and scalars for YAML. The output keeps the comments that teach it, so it is made
//! from text, not from values.

/// Fills every `{{name}}` of a template.
pub(crate) fn fill(template: &str, values: &[(&str, String)]) -> String {
    values.iter().fold(template.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{{{{name}}}}}"), value)
    })
}

/// A text as a YAML scalar: plain where every reader takes it for the same text, quoted elsewhere.
pub(crate) fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    let word = text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(plain);
    let lower = text.to_ascii_lowercase();
    let other = ["true", "false", "yes", "no", "on", "off", "y", "n", "null"];
    if word && !other.contains(&lower.as_str()) {
        return text.to_owned();
    }
    // JSON's strings are among YAML's.
    serde_json::Value::from(text).to_string()
}

/// Digits, with a point in between or not: what JSON, YAML and PromQL read the same way.
pub(crate) fn is_decimal(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    match text.split_once('.') {
        Some((whole, rest)) => digits(whole) && digits(rest),
        None => digits(text),
    }
}

/// Numbers as the inside of a list.
pub(crate) fn numbers(numbers: &[f64]) -> String {
    numbers.iter().map(f64::to_string).collect::<Vec<_>>().join(", ")
}

/// A regular expression for lists in which this variant, as `checkout=canary`, is a whole member. Names have no special
/// character but the point.
pub(crate) fn listed(variant: &str) -> String {
    format!("(.*, )?{}(, .*)?", variant.replace('.', "\\."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_filled_and_braces_of_yaml_stay() {
        let filled = fill("{a: {{b}}, c: {d: {{b}}}}", &[("b", "1".to_owned())]);
        assert_eq!(filled, "{a: 1, c: {d: 1}}");
    }

    #[test]
    fn only_what_can_be_mistaken_is_quoted() {
        for plain in ["checkout-v1", "v1.default.svc", "/etc/envoy"] {
            let expected =
                if plain.starts_with('/') { format!("\"{plain}\"") } else { plain.into() };
            assert_eq!(scalar(plain), expected);
        }
        for odd in ["", "1", "1e3", "no", "Null", "a: b", "outbound|80|v1|a.b", "{", "-", "#", "*a"]
        {
            assert!(scalar(odd).starts_with('"'), "{odd}");
        }
        assert_eq!(scalar("a\"b"), r#""a\"b""#);
    }
}
