//! "Did you mean": the nearest of the known words.

/// The known word nearest to `word`, if it is near enough to be a typing error.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let limit = word.chars().count().div_ceil(3).min(3);
    known
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Edit distance in which swapping two neighbours is one edit (optimal string alignment),
/// without regard to case, `-` and `_`.
fn distance(a: &str, b: &str) -> usize {
    let fold = |s: &str| -> String {
        s.chars().take(64).map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
    };
    strsim::osa_distance(&fold(a), &fold(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_find_their_word() {
        let known = ["weight", "max_weight", "name", "cluster"];
        for (word, found) in [
            ("wieght", Some("weight")),
            ("weigth", Some("weight")),
            ("Weight", Some("weight")),
            ("maxweight", Some("max_weight")),
            ("max-weight", Some("max_weight")),
            ("nmae", Some("name")),
            ("clusters", Some("cluster")),
            ("percent", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), found, "{word}");
        }
    }

    #[test]
    fn distance_counts_a_swap_as_one_edit() {
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
