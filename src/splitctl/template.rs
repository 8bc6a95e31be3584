//! Texts with places to fill, and what goes into them. The output keeps the comments that teach it, so it is made
//! from text, not from values.

/// Fills every `{{name}}` of a template.
pub(crate) fn fill(template: &str, values: &[(&str, String)]) -> String {
    values.iter().fold(template.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{{{{name}}}}}"), value)
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_filled_and_braces_of_yaml_stay() {
        let filled = fill("{a: {{b}}, c: {d: {{b}}}}", &[("b", "1".to_owned())]);
        assert_eq!(filled, "{a: 1, c: {d: 1}}");
    }
}
